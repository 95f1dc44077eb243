//! Sends one trace, some metrics and one log record with OpenTelemetry's own SDK for Rust, in this process.

use super::Sent;
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{
    Event, Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _,
    TraceFlags, TraceId, TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::time::SystemTime;

/// How the exporter speaks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Speech {
    Grpc,
    Protobuf,
    Json,
}

struct Exporters {
    spans: SpanExporter,
    metrics: MetricExporter,
    logs: LogExporter,
}

impl Exporters {
    fn new(speech: Speech, endpoint: &str) -> Self {
        let protocol = match speech {
            Speech::Grpc => return Self::grpc(endpoint),
            Speech::Protobuf => Protocol::HttpBinary,
            Speech::Json => Protocol::HttpJson,
        };
        let at = |path: &str| format!("{endpoint}/v1/{path}");
        macro_rules! exporter {
            ($kind:ident, $path:literal) => {
                $kind::builder()
                    .with_http()
                    .with_http_client(Socket)
                    .with_protocol(protocol)
                    .with_endpoint(at($path))
                    .build()
                    .unwrap()
            };
        }
        Self {
            spans: exporter!(SpanExporter, "traces"),
            metrics: exporter!(MetricExporter, "metrics"),
            logs: exporter!(LogExporter, "logs"),
        }
    }

    fn grpc(endpoint: &str) -> Self {
        Self {
            spans: SpanExporter::builder().with_tonic().with_endpoint(endpoint).build().unwrap(),
            metrics: MetricExporter::builder()
                .with_tonic()
                .with_endpoint(endpoint)
                .build()
                .unwrap(),
            logs: LogExporter::builder().with_tonic().with_endpoint(endpoint).build().unwrap(),
        }
    }
}

/// The exporter makes the request; a plain socket carries it.
#[derive(Debug)]
struct Socket;

#[async_trait::async_trait]
impl HttpClient for Socket {
    async fn send_bytes(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<bytes::Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let headers: Vec<(&str, &str)> = head
            .headers
            .iter()
            .filter(|(name, _)| *name != http::header::CONTENT_LENGTH)
            .map(|(name, value)| Ok((name.as_str(), value.to_str()?)))
            .collect::<Result<_, http::header::ToStrError>>()?;
        let answer = tests::send(head.method.as_str(), &head.uri.to_string(), &headers, &body)?;
        Ok(http::Response::builder().status(answer.status).body(answer.body.into())?)
    }
}

/// Sends and gives the ids. Within a runtime, which the exporter over gRPC needs.
pub(super) fn send(speech: Speech, endpoint: &str, service: &str) -> Sent {
    let exporters = Exporters::new(speech, endpoint);
    let resource = Resource::builder_empty()
        .with_service_name(service.to_owned())
        .with_attribute(KeyValue::new("service.version", "1.2.3"))
        .with_attribute(KeyValue::new("service.instance.id", "one"))
        .build();
    let meters = SdkMeterProvider::builder()
        .with_resource(resource.clone())
        .with_periodic_exporter(exporters.metrics)
        .build();
    record(&meters);
    meters.shutdown().unwrap();
    let tracers = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_batch_exporter(exporters.spans)
        .build();
    let loggers = SdkLoggerProvider::builder()
        .with_resource(resource)
        .with_batch_exporter(exporters.logs)
        .build();
    let sent = trace(&tracers, &loggers);
    tracers.shutdown().unwrap();
    loggers.shutdown().unwrap();
    sent
}

fn record(meters: &SdkMeterProvider) {
    let meter = meters.meter("shop");
    let orders =
        meter.u64_counter("shop.orders").with_unit("{order}").with_description("Orders taken.");
    let orders = orders.build();
    orders.add(3, &[KeyValue::new("page", "home")]);
    orders.add(4, &[KeyValue::new("page", "cart")]);
    let queue = meter.i64_up_down_counter("shop.queue").build();
    queue.add(5, &[]);
    queue.add(-2, &[]);
    meter.f64_gauge("shop.heat").with_unit("Cel").build().record(21.5, &[]);
    let wait = meter.f64_histogram("shop.wait").with_unit("s").with_boundaries(vec![0.1, 0.5, 1.0]);
    let wait = wait.build();
    for seconds in [0.05, 0.3, 0.3, 2.0] {
        wait.record(seconds, &[KeyValue::new("route", "/checkout")]);
    }
}

fn trace(tracers: &SdkTracerProvider, loggers: &SdkLoggerProvider) -> Sent {
    let scope = InstrumentationScope::builder("shop").with_version("7").build();
    let tracer = tracers.tracer_with_scope(scope);
    let earlier = SpanContext::new(
        TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").unwrap(),
        SpanId::from_hex("00f067aa0ba902b7").unwrap(),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    let server = tracer
        .span_builder("POST /checkout")
        .with_kind(SpanKind::Server)
        .with_links(vec![Link::with_context(earlier)])
        .with_attributes([
            KeyValue::new("http.request.method", "POST"),
            KeyValue::new("http.response.status_code", 500),
            KeyValue::new("cart.total", 12.5),
            KeyValue::new("vip", true),
        ])
        .with_events(vec![Event::new(
            "card refused",
            SystemTime::now(),
            vec![KeyValue::new("reason", "limit")],
            0,
        )])
        .start(&tracer);
    let in_server = Context::new().with_span(server);
    let client = tracer
        .span_builder("charge")
        .with_kind(SpanKind::Client)
        .with_attributes([KeyValue::new("server.address", "bank")]);
    let mut client = client.start_with_context(&tracer, &in_server);
    let ids = client.span_context().clone();
    let logger = loggers.logger("shop");
    let mut record = logger.create_log_record();
    record.set_severity_number(Severity::Error);
    record.set_severity_text("ERROR");
    record.set_body(AnyValue::from("card 4711 refused"));
    record.add_attribute("http.route", "/checkout");
    record.set_trace_context(ids.trace_id(), ids.span_id(), Some(ids.trace_flags()));
    logger.emit(record);
    client.end();
    let server = in_server.span();
    server.set_status(Status::error("no money"));
    server.end();
    Sent {
        trace: ids.trace_id().to_string(),
        server: server.span_context().span_id().to_string(),
        client: ids.span_id().to_string(),
    }
}
