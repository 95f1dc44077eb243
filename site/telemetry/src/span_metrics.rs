//! Series from spans, so that PromQL can ask for calls between services and for rate, errors and duration of operations.
//!
//! Housekeeping hands over what the store of traces counted, and appends the samples that come out. Names and labels are
//! those of Grafana Tempo's metrics generator.

use crate::prometheus_json::number;
use crate::{MetricKind, MetricMeta};
use series::{Labels, LabelsBuilder, METRIC_NAME, Sample, stale_marker};
use std::collections::{BTreeMap, HashSet};
use traces::{Connection, DURATION_BOUNDS_S, DurationCounts, Kind, Operation, Pair, Tally};

/// What the series say of themselves: name, kind, help.
const METADATA: [(&str, MetricKind, &str); 7] = [
    ("traces_service_graph_request_total", MetricKind::Counter, "Calls between two services."),
    (
        "traces_service_graph_request_failed_total",
        MetricKind::Counter,
        "Calls between two services that failed on either side.",
    ),
    (
        "traces_service_graph_request_server_seconds",
        MetricKind::Histogram,
        "Duration of calls as the called service saw it.",
    ),
    (
        "traces_service_graph_request_client_seconds",
        MetricKind::Histogram,
        "Duration of calls as the caller saw it.",
    ),
    (
        "traces_service_graph_unpaired_spans_total",
        MetricKind::Counter,
        "Sides of calls of which the other never came and has no name.",
    ),
    ("traces_spanmetrics_calls_total", MetricKind::Counter, "Spans by operation."),
    ("traces_spanmetrics_latency", MetricKind::Histogram, "Duration of spans, seconds."),
];

/// What was written before.
#[derive(Debug, Default)]
pub(crate) struct SpanMetrics {
    /// When the last round was; before, everything was zero that is new now.
    last_ms: Option<i64>,
    written: HashSet<Labels>,
}

/// Help, kind and unit of the series.
pub(crate) fn metadata() -> BTreeMap<String, MetricMeta> {
    let meta = |(name, kind, help): &(&str, MetricKind, &str)| {
        ((*name).to_owned(), MetricMeta::new(*kind, (*help).to_owned(), String::new()))
    };
    METADATA.iter().map(meta).collect()
}

impl SpanMetrics {
    /// The samples at `now_ms`. A series that is new begins with a zero at the last round, so that its first increase counts;
    /// one that is gone ends with the marker for that.
    pub(crate) fn samples(&mut self, tally: &Tally, now_ms: i64) -> Vec<(Labels, Sample)> {
        let values = series_of(tally);
        let mut samples = Vec::new();
        if let Some(t) = self.last_ms.filter(|last_ms| *last_ms < now_ms) {
            let fresh = values.iter().filter(|(labels, _)| !self.written.contains(labels));
            samples.extend(fresh.map(|(labels, _)| (labels.clone(), Sample { t, v: 0.0 })));
        }
        let now: HashSet<Labels> = values.iter().map(|(labels, _)| labels.clone()).collect();
        let over = self.written.difference(&now);
        samples
            .extend(over.map(|labels| (labels.clone(), Sample { t: now_ms, v: stale_marker() })));
        samples.extend(values.into_iter().map(|(labels, v)| (labels, Sample { t: now_ms, v })));
        self.written = now;
        self.last_ms = Some(now_ms);
        samples
    }
}

fn series_of(tally: &Tally) -> Vec<(Labels, f64)> {
    let mut out = Vec::new();
    for (pair, counts) in &tally.pairs {
        let base = pair_labels(pair);
        let name = |rest: &str| format!("traces_service_graph_request_{rest}");
        out.push((named(&base, &name("total")), counts.calls as f64));
        out.push((named(&base, &name("failed_total")), counts.failed as f64));
        histogram(&base, &name("server_seconds"), &counts.server, &mut out);
        histogram(&base, &name("client_seconds"), &counts.client, &mut out);
    }
    for (operation, counts) in &tally.operations {
        let base = operation_labels(operation);
        let spans = counts.durations.count() as f64;
        out.push((named(&base, "traces_spanmetrics_calls_total"), spans));
        histogram(&base, "traces_spanmetrics_latency", &counts.durations, &mut out);
    }
    if !tally.operations.is_empty() {
        let unpaired = named(&LabelsBuilder::new(), "traces_service_graph_unpaired_spans_total");
        out.push((unpaired, tally.unpaired as f64));
    }
    out
}

fn pair_labels(pair: &Pair) -> LabelsBuilder {
    let connection = match pair.connection {
        Connection::Call => "",
        Connection::Messaging => "messaging_system",
        Connection::Database => "database",
        Connection::Virtual => "virtual_node",
    };
    let mut labels = LabelsBuilder::new();
    labels.set("client", pair.client.clone()).set("server", pair.server.clone());
    labels.set("connection_type", connection);
    labels
}

fn operation_labels(operation: &Operation) -> LabelsBuilder {
    let kind = match operation.kind {
        Kind::Internal => "SPAN_KIND_INTERNAL",
        Kind::Server => "SPAN_KIND_SERVER",
        Kind::Client => "SPAN_KIND_CLIENT",
        Kind::Producer => "SPAN_KIND_PRODUCER",
        Kind::Consumer => "SPAN_KIND_CONSUMER",
    };
    let mut labels = LabelsBuilder::new();
    labels.set("service", operation.service.clone()).set("span_name", operation.name.clone());
    labels.set("span_kind", kind).set("status_code", operation.status);
    labels
}

fn named(base: &LabelsBuilder, name: &str) -> Labels {
    let mut labels = base.clone();
    labels.set(METRIC_NAME, name);
    labels.build()
}

/// Buckets, sum and count; nothing for a side of which nothing is known.
fn histogram(
    base: &LabelsBuilder,
    name: &str,
    counts: &DurationCounts,
    out: &mut Vec<(Labels, f64)>,
) {
    if counts.count() == 0 {
        return;
    }
    let (bucket, mut below) = (format!("{name}_bucket"), 0);
    let bounds = DURATION_BOUNDS_S.into_iter().chain([f64::INFINITY]);
    for (bound, count) in bounds.zip(counts.buckets) {
        below += count;
        let mut labels = base.clone();
        labels.set(METRIC_NAME, &*bucket).set(series::BUCKET_LABEL, number(bound));
        out.push((labels.build(), below as f64));
    }
    out.push((named(base, &format!("{name}_sum")), counts.sum_s));
    out.push((named(base, &format!("{name}_count")), below as f64));
}
