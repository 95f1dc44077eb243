//! OTLP metrics to series, named as the OpenTelemetry specification says for Prometheus.
//!
//! `http.server.request.duration` in `s` becomes `http_server_request_duration_seconds`, a monotonic
//! sum gets `_total`, the resource becomes `job`, `instance` and one `target_info` series. Differences
//! (delta temporality) are added up, because series hold totals. Exponential histograms are refused:
//! the store has classic histograms only.

use crate::{Exemplar, MetricKind, MetricMeta};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, Exemplar as Sent, HistogramDataPoint, Metric,
    NumberDataPoint, SummaryDataPoint, exemplar, metric::Data, number_data_point,
};
use series::{BUCKET_LABEL, Labels, METRIC_NAME, Sample, stale_marker};
use std::collections::{BTreeMap, HashMap};
use traces::{Attribute, Resource, SpanId, TraceId};

/// Running totals of delta sums; beyond, new ones are refused.
const MAX_TOTALS: usize = 50_000;
/// Buckets of one histogram point.
const MAX_BUCKETS: usize = 512;
/// How long a running total is kept for a sender that is silent, milliseconds: a sender that comes back
/// later begins at zero again, as after a restart.
const MAX_SILENCE_MS: i64 = 60 * 60 * 1000;

/// Running totals of sums that arrive as differences.
#[derive(Debug, Default)]
pub(crate) struct DeltaSums(HashMap<Labels, Total>);

/// What the differences of one series add up to.
#[derive(Debug, Default)]
struct Total {
    value: f64,
    /// When the last difference came, milliseconds since 1970.
    used_ms: i64,
}

/// A request as series.
#[derive(Debug, Default)]
pub(crate) struct Converted {
    /// For each point its samples: several for a histogram.
    pub(crate) points: Vec<Vec<(Labels, Sample)>>,
    /// One `target_info` for each sender that says more of itself than its name.
    pub(crate) senders: Vec<(Labels, Sample)>,
    /// The traces that points counted, each with the series of its point or bucket.
    pub(crate) exemplars: Vec<(Labels, Exemplar)>,
    pub(crate) metadata: BTreeMap<String, MetricMeta>,
    pub(crate) rejected: u64,
    pub(crate) message: String,
}

/// Turns a request that arrived at `now_ms` into series. A point may lie `ahead_ms` ahead of that.
pub(crate) fn convert(
    request: ExportMetricsServiceRequest,
    deltas: &mut DeltaSums,
    now_ms: i64,
    ahead_ms: i64,
) -> Converted {
    let mut out = Converted::default();
    for group in request.resource_metrics {
        let resource = Resource::new(traces::attributes_of(
            group.resource.map(|resource| resource.attributes).unwrap_or_default(),
        ));
        let target = target_labels(&resource);
        for metric in group.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
            Conversion { target: &target, deltas, now_ms, ahead_ms, out: &mut out }.metric(metric);
        }
        out.senders.extend(target_info(&resource, &target, now_ms));
    }
    out
}

/// What one metric is converted with.
struct Conversion<'a> {
    target: &'a [(String, String)],
    deltas: &'a mut DeltaSums,
    now_ms: i64,
    ahead_ms: i64,
    out: &'a mut Converted,
}

/// The name of one metric, and whether its points are differences.
struct Named {
    name: String,
    delta: bool,
}

impl Conversion<'_> {
    fn metric(&mut self, metric: Metric) {
        let (kind, temporality, ratio) = match &metric.data {
            None => return,
            Some(Data::Gauge(_)) => (MetricKind::Gauge, 2, true),
            Some(Data::Sum(sum)) if sum.is_monotonic => {
                (MetricKind::Counter, sum.aggregation_temporality, false)
            }
            Some(Data::Sum(sum)) => (MetricKind::Gauge, sum.aggregation_temporality, false),
            Some(Data::Histogram(histogram)) => {
                (MetricKind::Histogram, histogram.aggregation_temporality, false)
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                let message =
                    format!("metric `{}`: exponential histograms are not stored", metric.name);
                return self.reject(histogram.data_points.len(), message);
            }
            Some(Data::Summary(_)) => (MetricKind::Summary, 2, false),
        };
        let name = metric_name(&metric.name, &metric.unit, kind, ratio);
        if name.is_empty() {
            return self.reject(1, "a metric without a name".to_owned());
        }
        let meta = MetricMeta::new(kind, metric.description, unit_suffix(&metric.unit, ratio));
        self.out.metadata.insert(name.clone(), meta);
        let named = Named { name, delta: temporality == AggregationTemporality::Delta as i32 };
        match metric.data {
            Some(Data::Gauge(gauge)) => self.numbers(&named, gauge.data_points),
            Some(Data::Sum(sum)) => self.numbers(&named, sum.data_points),
            Some(Data::Histogram(histogram)) => {
                histogram.data_points.into_iter().for_each(|point| self.histogram(&named, point));
            }
            Some(Data::Summary(summary)) => {
                summary.data_points.into_iter().for_each(|point| self.summary(&named, point));
            }
            _ => {}
        }
    }

    fn numbers(&mut self, named: &Named, points: Vec<NumberDataPoint>) {
        for point in points {
            let value = match point.value {
                Some(number_data_point::Value::AsDouble(float)) => float,
                Some(number_data_point::Value::AsInt(int)) => int as f64,
                None if no_value(point.flags) => 0.0,
                None => {
                    self.reject(1, format!("metric `{}` has a point without a value", named.name));
                    continue;
                }
            };
            let series = self.labels(point.attributes).named(&named.name, &[]);
            let taken =
                self.point(named, point.time_unix_nano, point.flags, vec![(series.clone(), value)]);
            if taken {
                self.exemplars(point.exemplars, |_| series.clone());
            }
        }
    }

    fn histogram(&mut self, named: &Named, point: HistogramDataPoint) {
        let (counts, bounds) = (&point.bucket_counts, &point.explicit_bounds);
        if !(counts.is_empty() || counts.len() == bounds.len() + 1) || counts.len() > MAX_BUCKETS {
            let message = format!(
                "metric `{}` has `{}` counts for `{}` bounds",
                named.name,
                counts.len(),
                bounds.len()
            );
            return self.reject(1, message);
        }
        let labels = self.labels(point.attributes);
        let name = |suffix: &str| format!("{}{suffix}", named.name);
        let mut samples = Vec::with_capacity(counts.len() + 2);
        let mut below = 0u64;
        for (bound, count) in bounds.iter().zip(counts) {
            below = below.saturating_add(*count);
            samples.push((
                labels.named(&name("_bucket"), &[(BUCKET_LABEL, bound.to_string())]),
                below as f64,
            ));
        }
        let all = [(BUCKET_LABEL, "+Inf".to_owned())];
        samples.push((labels.named(&name("_bucket"), &all), point.count as f64));
        samples.push((labels.named(&name("_count"), &[]), point.count as f64));
        samples.extend(point.sum.map(|sum| (labels.named(&name("_sum"), &[]), sum)));
        if self.point(named, point.time_unix_nano, point.flags, samples) {
            let bound = |value: f64| bounds.iter().find(|bound| value <= **bound);
            self.exemplars(point.exemplars, |value| {
                let le = bound(value).map_or("+Inf".to_owned(), f64::to_string);
                labels.named(&name("_bucket"), &[(BUCKET_LABEL, le)])
            });
        }
    }

    /// Keeps exemplars that lead to a trace, with the series that `series_of` finds for their value.
    fn exemplars(&mut self, sent: Vec<Sent>, series_of: impl Fn(f64) -> Labels) {
        for exemplar in sent {
            let value = match exemplar.value {
                Some(exemplar::Value::AsDouble(float)) => float,
                Some(exemplar::Value::AsInt(int)) => int as f64,
                None => continue,
            };
            let Ok(trace) = TraceId::from_bytes(&exemplar.trace_id) else { continue };
            let span = SpanId::from_bytes(&exemplar.span_id).ok();
            let mut labels = vec![("trace_id".to_owned(), trace.to_string())];
            labels.extend(span.map(|id| ("span_id".to_owned(), id.to_string())));
            let said_ms = (exemplar.time_unix_nano / 1_000_000) as i64;
            let timestamp_ms = (said_ms > 0).then_some(said_ms);
            self.out.exemplars.push((series_of(value), Exemplar { labels, value, timestamp_ms }));
        }
    }

    fn summary(&mut self, named: &Named, point: SummaryDataPoint) {
        let labels = self.labels(point.attributes);
        let quantiles = point.quantile_values.iter().take(MAX_BUCKETS);
        let mut samples: Vec<_> = quantiles
            .map(|at| {
                (labels.named(&named.name, &[("quantile", at.quantile.to_string())]), at.value)
            })
            .collect();
        samples.push((labels.named(&format!("{}_count", named.name), &[]), point.count as f64));
        samples.push((labels.named(&format!("{}_sum", named.name), &[]), point.sum));
        let _ = self.point(named, point.time_unix_nano, point.flags, samples);
    }

    /// Keeps the samples of one point, at the point's time; `false` when it is refused.
    #[must_use]
    fn point(
        &mut self,
        named: &Named,
        time_ns: u64,
        flags: u32,
        mut samples: Vec<(Labels, f64)>,
    ) -> bool {
        let t = if time_ns == 0 { self.now_ms } else { (time_ns / 1_000_000) as i64 };
        if t > self.now_ms.saturating_add(self.ahead_ms) {
            self.reject(1, format!("metric `{}` has a point of the future", named.name));
            return false;
        }
        if named.delta && !self.deltas.add_up(&mut samples, self.now_ms) {
            self.reject(1, format!("more than {MAX_TOTALS} series of differences"));
            return false;
        }
        let over = no_value(flags);
        let sample = |(labels, v)| (labels, Sample { t, v: if over { stale_marker() } else { v } });
        self.out.points.push(samples.into_iter().map(sample).collect());
        true
    }

    fn labels(&self, attributes: Vec<KeyValue>) -> PointLabels {
        let mut pairs = label_pairs(&traces::attributes_of(attributes));
        // Who sent a point is said by its resource alone.
        pairs.extend_from_slice(self.target);
        PointLabels(pairs)
    }

    fn reject(&mut self, points: usize, message: String) {
        if self.out.rejected == 0 {
            self.out.message = message;
        }
        self.out.rejected += points as u64;
    }
}

impl DeltaSums {
    /// Replaces differences by totals; `false` when there is no room for a new total.
    fn add_up(&mut self, samples: &mut [(Labels, f64)], now_ms: i64) -> bool {
        let fresh = samples.iter().filter(|(labels, _)| !self.0.contains_key(labels)).count();
        if self.0.len() + fresh > MAX_TOTALS {
            return false;
        }
        for (labels, value) in samples {
            let total = self.0.entry(labels.clone()).or_default();
            total.value += *value;
            total.used_ms = now_ms;
            *value = total.value;
        }
        true
    }

    /// Forgets the totals of senders that have been silent for too long.
    pub(crate) fn expire(&mut self, now_ms: i64) {
        self.0.retain(|_, total| {
            // The clock may have been set back since.
            total.used_ms = total.used_ms.min(now_ms);
            now_ms - total.used_ms <= MAX_SILENCE_MS
        });
    }
}

/// The labels of one point, of which its series differ in a few.
struct PointLabels(Vec<(String, String)>);

impl PointLabels {
    fn named(&self, name: &str, more: &[(&str, String)]) -> Labels {
        let own = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let more = more.iter().map(|(name, value)| (*name, value.as_str()));
        Labels::from_pairs(own.chain(more).chain([(METRIC_NAME, name)]))
    }
}

fn no_value(flags: u32) -> bool {
    flags & DataPointFlags::NoRecordedValueMask as u32 != 0
}

fn target_labels(resource: &Resource) -> Vec<(String, String)> {
    let instance =
        resource.instance.iter().map(|instance| ("instance".to_owned(), instance.to_string()));
    instance.chain([("job".to_owned(), resource.service.to_string())]).collect()
}

/// One series that says who the sender is, unless there is nothing to say beyond `job` and `instance`.
fn target_info(
    resource: &Resource,
    target: &[(String, String)],
    now_ms: i64,
) -> Option<(Labels, Sample)> {
    let said = |key: &str| matches!(key, "service.name" | "service.instance.id");
    let more: Vec<_> =
        resource.attributes.iter().filter(|attribute| !said(&attribute.key)).cloned().collect();
    let mut pairs = label_pairs(&more);
    if pairs.is_empty() {
        return None;
    }
    pairs.extend_from_slice(target);
    Some((PointLabels(pairs).named("target_info", &[]), Sample { t: now_ms, v: 1.0 }))
}

/// Attributes as labels. Of keys that become the same label the values are joined, as the specification
/// says.
fn label_pairs(attributes: &[Attribute]) -> Vec<(String, String)> {
    let mut pairs: BTreeMap<String, String> = BTreeMap::new();
    for attribute in attributes {
        let value = attribute.value.text();
        match pairs.entry(label_name(&attribute.key)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(value.into_owned());
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                entry.get_mut().push(';');
                entry.get_mut().push_str(&value);
            }
        }
    }
    pairs.into_iter().collect()
}

fn label_name(key: &str) -> String {
    let name = underscored(key, |c| c.is_ascii_alphanumeric());
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("key_{name}") } else { name }
}

fn metric_name(name: &str, unit: &str, kind: MetricKind, ratio: bool) -> String {
    let mut full = underscored(name, |c| c.is_ascii_alphanumeric() || c == ':');
    if full.starts_with(|c: char| c.is_ascii_digit()) {
        full.insert(0, '_');
    }
    let total = kind == MetricKind::Counter;
    if total && full.ends_with("_total") {
        full.truncate(full.len() - "_total".len());
    }
    let unit = unit_suffix(unit, ratio);
    if !unit.is_empty() && !full.is_empty() && !full.ends_with(&format!("_{unit}")) {
        full = format!("{full}_{unit}");
    }
    if total { format!("{full}_total") } else { full }
}

/// The text with everything else as one underscore.
fn underscored(text: &str, allowed: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if allowed(c) {
            out.push(c);
        } else if c == '_' || !out.ends_with('_') {
            out.push('_');
        }
    }
    out
}

/// A UCUM unit as the end of a name: `s` is `seconds`, `By/s` is `bytes_per_second`, `{request}` is
/// nothing.
fn unit_suffix(unit: &str, ratio: bool) -> String {
    if unit == "1" {
        return if ratio { "ratio".to_owned() } else { String::new() };
    }
    let (of, per) = unit.split_once('/').unwrap_or((unit, ""));
    let of = unit_word(of, false);
    let per = unit_word(per, true);
    match (of.is_empty(), per.is_empty()) {
        (_, true) => of,
        (true, false) => format!("per_{per}"),
        (false, false) => format!("{of}_per_{per}"),
    }
}

fn unit_word(unit: &str, singular: bool) -> String {
    let word = match (unit, singular) {
        ("s", false) => "seconds",
        ("s", true) => "second",
        ("m", true) => "minute",
        ("h", true) => "hour",
        ("d", true) => "day",
        ("ms", _) => "milliseconds",
        ("us", _) => "microseconds",
        ("ns", _) => "nanoseconds",
        ("min", _) => "minutes",
        ("h", false) => "hours",
        ("d", false) => "days",
        ("By", _) => "bytes",
        ("KiBy", _) => "kibibytes",
        ("MiBy", _) => "mebibytes",
        ("GiBy", _) => "gibibytes",
        ("kBy", _) => "kilobytes",
        ("MBy", _) => "megabytes",
        ("GBy", _) => "gigabytes",
        ("m", false) => "meters",
        ("V", _) => "volts",
        ("A", _) => "amperes",
        ("J", _) => "joules",
        ("W", _) => "watts",
        ("g", _) => "grams",
        ("Cel", _) => "celsius",
        ("Hz", _) => "hertz",
        ("%", _) => "percent",
        (annotation, _) if annotation.starts_with('{') => "",
        (other, _) => {
            return underscored(other, |c| c.is_ascii_alphanumeric()).trim_matches('_').to_owned();
        }
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest as Request;

    fn read(metrics: &str, deltas: &mut DeltaSums) -> Vec<String> {
        let json = format!(
            r#"{{"resourceMetrics":[{{"resource":{{"attributes":[
                {{"key":"service.name","value":{{"stringValue":"orders"}}}},
                {{"key":"service.instance.id","value":{{"stringValue":"orders-1"}}}}]}},
                "scopeMetrics":[{{"metrics":[{metrics}]}}]}}]}}"#
        );
        let request: Request = serde_json::from_str(&json).expect("valid OTLP");
        let converted = convert(request, deltas, 5_000, 600_000);
        let samples = converted
            .points
            .iter()
            .flatten()
            .map(|(labels, s)| format!("{labels} {} @{}", s.v, s.t));
        let refused = (converted.rejected > 0)
            .then(|| format!("{}: {}", converted.rejected, converted.message));
        samples.chain(refused).collect()
    }

    #[test]
    fn points_become_series() {
        let check = |metric: &str, expected: &[&str]| {
            let expected: Vec<_> = expected
                .iter()
                .map(|line| line.replace("WHO", r#"instance="orders-1", job="orders""#))
                .collect();
            assert_eq!(read(metric, &mut DeltaSums::default()), expected);
        };
        check(
            r#"{"name":"a.b","unit":"By","gauge":{"dataPoints":[{"asInt":"7","timeUnixNano":"4000000000",
               "attributes":[{"key":"x.y","value":{"boolValue":true}}]}]}}"#,
            &[r#"a_b_bytes{WHO, x_y="true"} 7 @4000"#],
        );
        check(
            r#"{"name":"a","unit":"{request}","sum":{"isMonotonic":true,"aggregationTemporality":2,
               "dataPoints":[{"asDouble":1.5,"timeUnixNano":"4000000000"}]}}"#,
            &["a_total{WHO} 1.5 @4000"],
        );
        check(
            r#"{"name":"d","unit":"s","histogram":{"aggregationTemporality":2,"dataPoints":[{"count":"6","sum":9.5,
               "bucketCounts":["1","2","3"],"explicitBounds":[0.5,1],"timeUnixNano":"0"}]}}"#,
            &[
                r#"d_seconds_bucket{WHO, le="0.5"} 1 @5000"#,
                r#"d_seconds_bucket{WHO, le="1"} 3 @5000"#,
                r#"d_seconds_bucket{WHO, le="+Inf"} 6 @5000"#,
                "d_seconds_count{WHO} 6 @5000",
                "d_seconds_sum{WHO} 9.5 @5000",
            ],
        );
        check(
            r#"{"name":"d","histogram":{"dataPoints":[{"count":"6","bucketCounts":["1"],"explicitBounds":[1,2]}]}}"#,
            &["1: metric `d` has `1` counts for `2` bounds"],
        );
        check(
            r#"{"name":"e","exponentialHistogram":{"dataPoints":[{},{}]}}"#,
            &["2: metric `e`: exponential histograms are not stored"],
        );
        check(
            r#"{"name":"f","gauge":{"dataPoints":[{"asInt":"1","timeUnixNano":"9000000000000000000"}]}}"#,
            &["1: metric `f` has a point of the future"],
        );
        check(
            r#"{"name":"g","gauge":{"dataPoints":[{}]}}"#,
            &["1: metric `g` has a point without a value"],
        );
    }

    #[test]
    fn exemplars_stand_with_their_bucket() {
        let ids = r#""traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331""#;
        let json = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[
                {{"name":"d","histogram":{{"aggregationTemporality":2,"dataPoints":[{{"count":"2","sum":3,
                  "bucketCounts":["1","0","1"],"explicitBounds":[0.5,1],"timeUnixNano":"4000000000",
                  "exemplars":[{{"asDouble":0.5,"timeUnixNano":"3000000000",{ids}}},
                    {{"asInt":"2",{ids}}},{{"asDouble":0.1,"traceId":"00","spanId":""}},{{{ids}}}]}}]}}}},
                {{"name":"c","sum":{{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":[
                  {{"asInt":"1","exemplars":[{{"asInt":"1",{ids}}}]}}]}}}},
                {{"name":"late","gauge":{{"dataPoints":[
                  {{"asInt":"1","timeUnixNano":"9000000000000000000","exemplars":[{{"asInt":"1",{ids}}}]}}]}}}}
                ]}}]}}]}}"#
        );
        let request: Request = serde_json::from_str(&json).expect("valid OTLP");
        let converted = convert(request, &mut DeltaSums::default(), 5_000, 600_000);
        let found: Vec<_> = converted
            .exemplars
            .iter()
            .map(|(labels, exemplar)| {
                let (name, le) = (labels.value(METRIC_NAME), labels.value(BUCKET_LABEL));
                assert_eq!(exemplar.labels[0].1, "0af7651916cd43dd8448eb211c80319c");
                assert_eq!(exemplar.labels[1].1, "b7ad6b7169203331");
                format!("{name} {le} {} {:?}", exemplar.value, exemplar.timestamp_ms)
            })
            .collect();
        assert_eq!(
            found,
            ["d_bucket 0.5 0.5 Some(3000)", "d_bucket +Inf 2 None", "c_total  1 None"]
        );
    }

    #[test]
    fn differences_are_added_up() {
        let metric = r#"{"name":"a","sum":{"isMonotonic":true,"aggregationTemporality":1,
                        "dataPoints":[{"asInt":"2"}]}}"#;
        let mut deltas = DeltaSums::default();
        read(metric, &mut deltas);
        assert_eq!(
            read(metric, &mut deltas),
            [r#"a_total{instance="orders-1", job="orders"} 4 @5000"#]
        );
        let kept = |deltas: &mut DeltaSums, now_ms: i64| {
            deltas.expire(now_ms);
            deltas.0.len()
        };
        assert_eq!(kept(&mut deltas, 5_000 + MAX_SILENCE_MS), 1);
        // A clock that was set back counts from where it is.
        assert_eq!(kept(&mut deltas, 1_000), 1);
        assert_eq!(kept(&mut deltas, 5_000 + MAX_SILENCE_MS), 0);
        assert_eq!(
            read(metric, &mut deltas),
            [r#"a_total{instance="orders-1", job="orders"} 2 @5000"#]
        );
    }

    #[test]
    fn names_follow_the_specification() {
        let check = |name: &str, unit: &str, kind: MetricKind, expected: &str| {
            assert_eq!(metric_name(name, unit, kind, kind == MetricKind::Gauge), expected);
        };
        check(
            "http.server.request.duration",
            "s",
            MetricKind::Histogram,
            "http_server_request_duration_seconds",
        );
        check("requests", "{request}", MetricKind::Counter, "requests_total");
        check("requests_total", "1", MetricKind::Counter, "requests_total");
        check("io_bytes", "By", MetricKind::Counter, "io_bytes_total");
        check("load", "1", MetricKind::Gauge, "load_ratio");
        check("speed", "m/s", MetricKind::Gauge, "speed_meters_per_second");
        check("rate", "{packet}/s", MetricKind::Gauge, "rate_per_second");
        check("2xx..count", "", MetricKind::Gauge, "_2xx_count");
        check("", "s", MetricKind::Gauge, "");
    }
}
