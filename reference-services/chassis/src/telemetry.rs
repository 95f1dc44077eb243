//! Spans and log lines of a process: where `tracing` hands them, and how they
//! leave. Spans with the target [`SPANS`] go to an OTLP collector in batches;
//! events go to standard error, one line each, with the ids of their trace.
//! [`crate::run`] installs this once.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanLimits,
};
use serde_json::{Map, Value};
use tracing::{Event, Subscriber, field};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Config, LogFormat};

/// Target of the spans that are exported. Every other span of the process
/// (those of the exporter's own libraries too) stays inside.
pub const SPANS: &str = "cloudscale";

/// Resource attribute `service.namespace` of every service.
pub const NAMESPACE: &str = "cloudscale";

/// Longest time that an ended span waits for others to travel with.
pub const EXPORT_DELAY: Duration = Duration::from_millis(300);

/// Most ended spans that wait; further ones are dropped.
pub const MAX_WAITING_SPANS: usize = 4096;

/// Most spans in one export.
pub const MAX_SPANS_PER_EXPORT: usize = 512;

/// Most attributes of a span.
pub const MAX_SPAN_ATTRIBUTES: u32 = 64;

/// Time that one export may take.
pub const EXPORT_TIMEOUT: Duration = Duration::from_secs(2);

/// Keeps the exporter; [`Telemetry::shutdown`] sends what still waits.
#[derive(Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Installs spans and logs for this process. Needs a tokio runtime. A
    /// collector that is away costs the spans and nothing else.
    pub fn install(config: &Config) -> anyhow::Result<Self> {
        let provider =
            config.otlp_endpoint.as_deref().map(|to| exporter(config, to)).transpose()?;
        let spans = provider.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer(SPANS))
                .with_location(false)
                .with_threads(false)
                .with_level(false)
                .with_target(false)
                .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == SPANS))
        });
        let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let logs = match config.log_format {
            LogFormat::Json => logs.event_format(JsonLines::of(config)).boxed(),
            LogFormat::Text => logs.compact().boxed(),
        };
        let filter = EnvFilter::try_new(&config.log_filter)
            .with_context(|| format!("`{}` is not a log filter", config.log_filter))?;
        tracing_subscriber::registry()
            .with(spans)
            .with(logs.with_filter(filter))
            .try_init()
            .context("telemetry is already installed in this process")?;
        Ok(Self { provider })
    }

    /// Sends the spans that wait, within [`EXPORT_TIMEOUT`].
    pub async fn shutdown(self) {
        let Some(provider) = self.provider else { return };
        // Blocks on the exporter's own thread, which needs this runtime's workers.
        let flushed =
            tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(EXPORT_TIMEOUT));
        if let Ok(Err(error)) = flushed.await {
            tracing::debug!(%error, "the last spans were not exported");
        }
    }
}

fn exporter(config: &Config, endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .with_context(|| format!("`{endpoint}` is not an address for spans"))?;
    let batches = BatchConfigBuilder::default()
        .with_scheduled_delay(EXPORT_DELAY)
        .with_max_queue_size(MAX_WAITING_SPANS)
        .with_max_export_batch_size(MAX_SPANS_PER_EXPORT)
        .build();
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
    let limits =
        SpanLimits { max_attributes_per_span: MAX_SPAN_ATTRIBUTES, ..SpanLimits::default() };
    Ok(SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_span_limits(limits)
        .with_resource(resource(config))
        .build())
}

fn resource(config: &Config) -> Resource {
    Resource::builder()
        .with_service_name(config.service.clone())
        .with_attributes([
            KeyValue::new("service.namespace", NAMESPACE),
            KeyValue::new("service.version", config.version.clone()),
            KeyValue::new("service.instance.id", config.instance.clone()),
        ])
        .build()
}

/// Notes on the current span that something happened, with what is to say about it.
pub fn note(name: &'static str, attributes: &[(&'static str, &'static str)]) {
    let span = tracing::Span::current();
    if span.is_none() {
        return;
    }
    let attributes = attributes.iter().map(|&(key, value)| KeyValue::new(key, value));
    span.add_event(name, attributes.collect());
}

/// The current trace's id in hexadecimal, when there is one.
pub fn current_trace_id() -> Option<String> {
    let context = Context::current();
    let span = context.span().span_context().clone();
    span.is_valid().then(|| span.trace_id().to_string())
}

/// Writes an event as one JSON object.
struct JsonLines {
    service: String,
    instance: String,
}

impl JsonLines {
    fn of(config: &Config) -> Self {
        Self { service: config.service.clone(), instance: config.instance.clone() }
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Map::new();
        line.insert("timestamp_ms".to_owned(), crate::clock::now_ms().into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("target".to_owned(), event.metadata().target().into());
        line.insert("service".to_owned(), self.service.as_str().into());
        line.insert("instance".to_owned(), self.instance.as_str().into());
        let context = Context::current();
        let span = context.span().span_context().clone();
        if span.is_valid() {
            line.insert("trace_id".to_owned(), span.trace_id().to_string().into());
            line.insert("span_id".to_owned(), span.span_id().to_string().into());
        }
        event.record(&mut Fields(&mut line));
        writeln!(writer, "{}", Value::Object(line))
    }
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl field::Visit for Fields<'_> {
    fn record_debug(&mut self, field: &field::Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &field::Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &field::Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &field::Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &field::Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
