//! Spans and log records of a process: where `tracing` hands them, and how they
//! leave. Spans with the target [`SPANS`] go to an OTLP collector in batches,
//! and so do log records, which are also written to standard error, one line
//! each. Both carry the ids of their trace. [`crate::run`] installs this once.

use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{LogExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{
    BatchConfigBuilder as LogBatches, BatchLogProcessor, SdkLoggerProvider,
};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanLimits,
};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Config, LogFormat};

mod lines;

use lines::JsonLines;

/// Target of the spans that are exported. Every other span of the process
/// (those of the exporter's own libraries too) stays inside.
pub const SPANS: &str = "cloudscale";

/// Resource attribute `service.namespace` of every service.
pub const NAMESPACE: &str = "cloudscale";

/// Libraries that export what this process tells: were their own records exported, each export would make further ones.
const EXPORTERS: [&str; 5] = ["opentelemetry", "tonic", "h2", "hyper", "tower"];

/// Longest time that an ended span or a log record waits for others to travel with.
pub const EXPORT_DELAY: Duration = Duration::from_millis(300);

/// Most ended spans that wait; further ones are dropped.
pub const MAX_WAITING_SPANS: usize = 4096;

/// Most spans in one export.
pub const MAX_SPANS_PER_EXPORT: usize = 512;

/// Most log records that wait; further ones are dropped.
pub const MAX_WAITING_RECORDS: usize = 4096;

/// Most log records in one export.
pub const MAX_RECORDS_PER_EXPORT: usize = 512;

/// Most attributes of a span.
pub const MAX_SPAN_ATTRIBUTES: u32 = 64;

/// Time that one export may take.
pub const EXPORT_TIMEOUT: Duration = Duration::from_secs(2);

/// Keeps the exporters; [`Telemetry::shutdown`] sends what still waits.
#[derive(Debug)]
pub struct Telemetry {
    spans: Option<SdkTracerProvider>,
    records: Option<SdkLoggerProvider>,
}

impl Telemetry {
    /// Installs spans and logs for this process. Needs a tokio runtime. A
    /// collector that is away costs the spans and records and nothing else.
    pub fn install(config: &Config) -> anyhow::Result<Self> {
        let to = config.otlp_endpoint.as_deref();
        let spans = to.map(|to| span_exporter(config, to)).transpose()?;
        let records = to.map(|to| record_exporter(config, to)).transpose()?;
        let traced = spans.as_ref().map(|spans| {
            tracing_opentelemetry::layer()
                .with_tracer(spans.tracer(SPANS))
                .with_location(false)
                .with_threads(false)
                .with_level(false)
                .with_target(false)
                .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == SPANS))
        });
        let sent = records.as_ref().map(|records| {
            let ours = filter_fn(|metadata| {
                let library = metadata.target().split("::").next().unwrap_or_default();
                metadata.is_event() && !EXPORTERS.iter().any(|name| library.starts_with(name))
            });
            OpenTelemetryTracingBridge::new(records).with_filter(ours)
        });
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let lines = match config.log_format {
            LogFormat::Json => lines.event_format(JsonLines::of(config)).boxed(),
            LogFormat::Text => lines.compact().boxed(),
        };
        let filter = || {
            EnvFilter::try_new(&config.log_filter)
                .with_context(|| format!("`{}` is not a log filter", config.log_filter))
        };
        tracing_subscriber::registry()
            .with(traced)
            .with(sent.with_filter(filter()?))
            .with(lines.with_filter(filter()?))
            .try_init()
            .context("telemetry is already installed in this process")?;
        Ok(Self { spans, records })
    }

    /// Sends the spans and records that wait, within [`EXPORT_TIMEOUT`] each.
    pub async fn shutdown(self) {
        let Self { spans, records } = self;
        // Blocks on the exporters' own threads, which need this runtime's workers.
        let flushed = tokio::task::spawn_blocking(move || {
            let records =
                records.map_or(Ok(()), |records| records.shutdown_with_timeout(EXPORT_TIMEOUT));
            let spans = spans.map_or(Ok(()), |spans| spans.shutdown_with_timeout(EXPORT_TIMEOUT));
            records.and(spans)
        });
        if let Ok(Err(error)) = flushed.await {
            tracing::debug!(%error, "the last spans and records were not exported");
        }
    }
}

fn record_exporter(config: &Config, endpoint: &str) -> anyhow::Result<SdkLoggerProvider> {
    let exporter = LogExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .with_context(|| format!("`{endpoint}` is not an address for log records"))?;
    let batches = LogBatches::default()
        .with_scheduled_delay(EXPORT_DELAY)
        .with_max_queue_size(MAX_WAITING_RECORDS)
        .with_max_export_batch_size(MAX_RECORDS_PER_EXPORT)
        .build();
    let processor = BatchLogProcessor::builder(exporter).with_batch_config(batches).build();
    Ok(SdkLoggerProvider::builder()
        .with_log_processor(processor)
        .with_resource(resource(config))
        .build())
}

fn span_exporter(config: &Config, endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
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
