//! The figures of a service, and their Prometheus text. The layers of the
//! chassis observe requests, calls and queries here; services add counters of
//! their own business. `GET /metrics` hands the text to whoever scrapes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::trace::SpanContext;
use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::config::Config;
use crate::exemplars::Exemplars;
use crate::store::Pool;
use crate::telemetry::NAMESPACE;

/// Upper bounds of the duration histograms, in seconds: those of the
/// OpenTelemetry conventions, and 0.2 because objectives are set there.
pub const DURATION_BUCKETS_S: [f64; 15] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Every metric of one service. Clones share their values.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    pub(crate) http_server: HistogramVec,
    exemplars: Exemplars,
    pub(crate) http_server_active: IntGauge,
    pub(crate) http_server_cancelled: IntCounterVec,
    pub(crate) http_client: HistogramVec,
    pub(crate) database: HistogramVec,
    shared: Arc<Mutex<Shared>>,
}

/// Metrics that several parts count in, by name.
#[derive(Debug, Default)]
struct Shared {
    counters: HashMap<String, IntCounterVec>,
    durations: HashMap<String, HistogramVec>,
}

impl Metrics {
    /// The metrics that every service has.
    pub fn new(config: &Config) -> Self {
        let registry = Registry::new();
        let metrics = Self {
            http_server: durations(
                "http_server_request_duration_seconds",
                "Duration of requests that this service answered.",
                &["http_request_method", "http_route", "http_response_status_code", "error_type"],
            ),
            exemplars: Exemplars::default(),
            http_server_active: IntGauge::new(
                "http_server_active_requests",
                "Requests that this service is answering now.",
            )
            .expect("the name is valid"),
            http_server_cancelled: IntCounterVec::new(
                Opts::new(
                    "http_server_cancelled_requests_total",
                    "Requests whose client went away before the answer.",
                ),
                &["http_request_method", "http_route"],
            )
            .expect("the name and labels are valid"),
            http_client: durations(
                "http_client_request_duration_seconds",
                "Duration of calls that this service made to others.",
                &[
                    "http_request_method",
                    "service_peer_name",
                    "http_response_status_code",
                    "error_type",
                ],
            ),
            database: durations(
                "db_client_operation_duration_seconds",
                "Duration of database operations.",
                &[
                    "db_system_name",
                    "db_namespace",
                    "db_operation_name",
                    "db_collection_name",
                    "error_type",
                ],
            ),
            registry,
            shared: Arc::default(),
        };
        metrics.register(metrics.http_server.clone());
        metrics.register(metrics.http_server_active.clone());
        metrics.register(metrics.http_server_cancelled.clone());
        metrics.register(metrics.http_client.clone());
        metrics.register(metrics.database.clone());
        metrics.register(ProcessCollector::for_self());
        metrics.describe(config);
        metrics
    }

    /// A counter of the service's own business. Ids are no labels: `labels`
    /// have few values each.
    pub fn counter(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        let counter = IntCounterVec::new(Opts::new(name, help), labels)
            .expect("the name and labels are valid");
        self.register(counter.clone());
        counter
    }

    /// A value of the service's own that goes up and down.
    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        let gauge = IntGauge::new(name, help).expect("the name is valid");
        self.register(gauge.clone());
        gauge
    }

    /// As [`Metrics::gauge`], one for each value of `labels`.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        let gauges =
            IntGaugeVec::new(Opts::new(name, help), labels).expect("the name and labels are valid");
        self.register(gauges.clone());
        gauges
    }

    /// As [`Metrics::gauges`], for durations in seconds.
    pub fn seconds(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        let gauges =
            GaugeVec::new(Opts::new(name, help), labels).expect("the name and labels are valid");
        self.register(gauges.clone());
        gauges
    }

    /// Durations in seconds that are far from those of requests: with upper bounds of their own.
    pub fn durations(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        bounds_s: &[f64],
    ) -> HistogramVec {
        let options = HistogramOpts::new(name, help).buckets(bounds_s.to_vec());
        let histogram =
            HistogramVec::new(options, labels).expect("the name, labels and bounds are valid");
        self.register(histogram.clone());
        histogram
    }

    /// As [`Metrics::counter`], for a metric that several parts of a service
    /// count in: whoever asks first registers it.
    pub(crate) fn shared_counter(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let found = shared.counters.entry(name.to_owned());
        found.or_insert_with(|| self.counter(name, help, labels)).clone()
    }

    /// As [`Metrics::shared_counter`], for durations in seconds.
    pub(crate) fn shared_durations(&self, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let found = shared.durations.entry(name.to_owned());
        let make = || {
            let histogram = durations(name, help, labels);
            self.register(histogram.clone());
            histogram
        };
        found.or_insert_with(make).clone()
    }

    /// Counts a request that was answered, and the trace that it was part of, if it has one.
    pub(crate) fn answered(&self, labels: &[&str; 4], seconds: f64, trace: Option<&SpanContext>) {
        self.http_server.with_label_values(labels).observe(seconds);
        let Some(trace) = trace.filter(|trace| trace.is_valid() && trace.is_sampled()) else {
            return;
        };
        let [method, route, code, error] = labels;
        let bound = DURATION_BUCKETS_S.iter().find(|bound| seconds <= **bound);
        let bound = bound.map_or_else(|| "+Inf".to_owned(), f64::to_string);
        // As the encoder writes it: by name, without those that are empty.
        let all = [
            ("error_type", *error),
            ("http_request_method", *method),
            ("http_response_status_code", *code),
            ("http_route", *route),
            ("le", bound.as_str()),
        ];
        let pairs = all.iter().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let line = format!("http_server_request_duration_seconds_bucket{{{}}}", pairs.join(","));
        let (trace_id, span_id) = (trace.trace_id().to_string(), trace.span_id().to_string());
        self.exemplars.note(line, seconds, trace_id, span_id);
    }

    /// Everything as OpenMetrics, durations with the traces that they counted last.
    pub fn open_metrics(&self) -> String {
        self.exemplars.open_metrics(&self.render())
    }

    /// Everything in the Prometheus text format.
    pub fn render(&self) -> String {
        let mut families = self.registry.gather();
        families.iter_mut().for_each(drop_empty_labels);
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text).expect("writing to memory succeeds");
        String::from_utf8(text).expect("the encoder writes UTF-8")
    }

    /// Shows how many connections a pool has, in use and idle, whenever it is asked.
    pub(crate) fn watch_pool(&self, name: &str, pool: Pool) {
        let options =
            Opts::new("db_client_connection_count", "Connections of a pool, by what they do now.")
                .const_label("db_client_connection_pool_name", name);
        let counts = IntGaugeVec::new(options, &["db_client_connection_state"])
            .expect("the name and labels are valid");
        if self.registry.register(Box::new(PoolCollector { counts, pool })).is_err() {
            tracing::debug!(name, "another pool of this name is watched already");
        }
    }

    fn register(&self, collector: impl Collector + 'static) {
        self.registry.register(Box::new(collector)).expect("each name is registered once");
    }

    fn describe(&self, config: &Config) {
        let labels =
            ["service_name", "service_namespace", "service_version", "service_instance_id"];
        let info = IntGaugeVec::new(Opts::new("target_info", "What this process is."), &labels)
            .expect("the name and labels are valid");
        let values = [&config.service, NAMESPACE, &config.version, &config.instance];
        info.with_label_values(&values).set(1);
        self.register(info);
    }
}

/// Asks a pool for its connections at each scrape.
struct PoolCollector {
    counts: IntGaugeVec,
    pool: Pool,
}

impl Collector for PoolCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.counts.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (open, idle) = self.pool.counts();
        let idle = i64::try_from(idle).unwrap_or(i64::MAX);
        let used = i64::from(open).saturating_sub(idle).max(0);
        for (state, count) in [("used", used), ("idle", idle)] {
            self.counts.with_label_values(&[state]).set(count);
        }
        self.counts.collect()
    }
}

fn durations(name: &str, help: &str, labels: &[&str]) -> HistogramVec {
    let options = HistogramOpts::new(name, help).buckets(DURATION_BUCKETS_S.to_vec());
    HistogramVec::new(options, labels).expect("the name, labels and buckets are valid")
}

/// A label without a value means the same as no label. The client library
/// wants every label filled, so those that do not apply are dropped here.
fn drop_empty_labels(family: &mut MetricFamily) {
    for metric in family.mut_metric() {
        let labels = metric.take_label();
        metric.set_label(labels.into_iter().filter(|label| !label.value().is_empty()).collect());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    #[test]
    fn labels_that_do_not_apply_are_absent() {
        let config = Config::read("orders", |_| None).unwrap();
        let metrics = Metrics::new(&config);
        metrics.http_server.with_label_values(&["GET", "/v1/orders", "200", ""]).observe(0.15);
        let text = metrics.render();
        let line = text.lines().find(|line| line.contains("le=\"0.2\"")).unwrap();
        let trace = SpanContext::new(
            TraceId::from(7),
            SpanId::from(9),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        );
        for (seconds, bound) in [(0.15, "0.2"), (70.0, "+Inf")] {
            metrics.answered(&["GET", "/v1/orders/{id}", "500", "500"], seconds, Some(&trace));
            let open = metrics.open_metrics();
            let label = format!("http_route=\"/v1/orders/{{id}}\",le=\"{bound}\"}}");
            let line = open.lines().find(|line| line.contains(&label)).unwrap();
            let trace =
                format!(" # {{trace_id=\"{:032x}\",span_id=\"{:016x}\"}} {seconds} 1", 7, 9);
            assert!(line.contains(&trace), "{line}");
        }
        assert_eq!(
            line,
            "http_server_request_duration_seconds_bucket{http_request_method=\"GET\",\
             http_response_status_code=\"200\",http_route=\"/v1/orders\",le=\"0.2\"} 1"
        );
        for name in ["process_start_time_seconds", "process_resident_memory_bytes", "target_info{"]
        {
            assert!(text.contains(name), "{name} is missing");
        }
    }
}
