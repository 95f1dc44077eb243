//! The charts of a service: their queries and their points. `views` asks for them.

use super::App;
use evidence::Evidence;
use pages::{Chart, ChartExemplar, ChartSeries};
use promql::Value;
use telemetry::{AskError, StepRange};
use traces::TraceId;

/// Steps of a chart; more than it has pixels would show nothing more.
const CHART_STEPS: i64 = 120;

/// Rate by route, share of errors and duration, each over `range_s`.
pub(super) fn charts(app: &App, service: &str, range_s: u32, evidence: &Evidence) -> Vec<Chart> {
    let job = serde_json::to_string(service).expect("a string serializes");
    let range = i64::from(range_s) * 1000;
    let step = (range / CHART_STEPS).max(1000);
    let window = format!("{}s", (2 * step / 1000).max(i64::from(evidence.window.clamp(5, 30))));
    let requests = |more: &str| {
        format!("rate(http_server_request_duration_seconds_count{{job={job}{more}}}[{window}])")
    };
    let quantile = |q: &str| {
        format!(
            "histogram_quantile({q}, sum by (le) (rate(http_server_request_duration_seconds_bucket{{job={job}}}[{window}])))"
        )
    };
    let line = |name: &str, query: String| ChartSeries {
        name: name.to_owned(),
        points: lines(app, &query, range, step, evidence.at)
            .into_iter()
            .next()
            .map(|(_, points)| points)
            .unwrap_or_default(),
    };
    let by_route = format!("sum by (http_request_method, http_route) ({})", requests(""));
    vec![
        Chart {
            title: "Rate".to_owned(),
            unit: "1/s".to_owned(),
            series: lines(app, &by_route, range, step, evidence.at)
                .into_iter()
                .map(|(name, points)| ChartSeries { name, points })
                .collect(),
            threshold: None,
            exemplars: Vec::new(),
        },
        Chart {
            title: "Errors".to_owned(),
            unit: "ratio".to_owned(),
            series: vec![line(
                "failed",
                format!(
                    "(sum({}) or 0 * sum({})) / sum({})",
                    evidence::failed_rate(&format!("job={job}"), &window),
                    requests(""),
                    requests("")
                ),
            )],
            threshold: None,
            exemplars: Vec::new(),
        },
        Chart {
            title: "Duration".to_owned(),
            unit: "s".to_owned(),
            series: [("p50", "0.5"), ("p95", "0.95"), ("p99", "0.99")]
                .map(|(name, q)| line(name, quantile(q)))
                .into(),
            threshold: None,
            exemplars: exemplars(app, service, evidence.at - range, evidence.at),
        },
    ]
}

/// The traces that the service's durations counted, oldest first.
fn exemplars(app: &App, service: &str, start: i64, end: i64) -> Vec<ChartExemplar> {
    let job = serde_json::to_string(service).expect("a string serializes");
    let query = format!("http_server_request_duration_seconds_bucket{{job={job}}}");
    let found = app.sources.metrics().exemplars(&query, start, end).unwrap_or_default();
    let each = found.into_iter().flat_map(|(_, exemplars)| exemplars).filter_map(|exemplar| {
        let (_, trace_id) = exemplar.labels.iter().find(|(name, _)| name == "trace_id")?;
        // A sender may write anything, and it becomes an address.
        trace_id.parse::<TraceId>().ok()?;
        Some(ChartExemplar {
            at: exemplar.timestamp_ms?,
            value: exemplar.value,
            trace_id: trace_id.clone(),
        })
    });
    let mut each: Vec<ChartExemplar> = each.filter(|one| one.value.is_finite()).collect();
    each.sort_by_key(|one| one.at);
    each
}

type Points = Vec<(i64, Option<f64>)>;

/// The lines of a range query: the values of a line's labels as its name, gaps as `None`.
fn lines(app: &App, query: &str, range: i64, step: i64, now: i64) -> Vec<(String, Points)> {
    let end = now - now.rem_euclid(step);
    let start = end - range;
    let steps = StepRange { start_ms: start, end_ms: end, step_ms: step };
    let answer = match app.sources.metrics().range(query, steps) {
        Ok(answer) => answer.value,
        // Every page says it already.
        Err(AskError::Down(_)) => return Vec::new(),
        // A service's name may make a query too long to parse.
        Err(AskError::Refused(why)) => {
            tracing::warn!(why, "a chart's query failed");
            return Vec::new();
        }
    };
    let Value::Matrix(series) = answer else { return Vec::new() };
    series
        .into_iter()
        .map(|line| {
            let name: Vec<&str> = line.labels.iter().map(|(_, value)| value).collect();
            let mut points: Points = (0..=range / step).map(|i| (start + i * step, None)).collect();
            for sample in line.samples.iter().filter(|sample| sample.v.is_finite()) {
                if let Some(point) =
                    usize::try_from((sample.t - start) / step).ok().and_then(|i| points.get_mut(i))
                {
                    point.1 = Some(sample.v);
                }
            }
            (name.join(" "), points)
        })
        .collect()
}
