//! `/live/explore`: asks the engine of the metrics what somebody typed. `pages` renders the answer.

use super::App;
use super::seen::Seen;
use super::views::problem_page;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use pages::{Chart, ChartSeries, ExploreFault, ExploreView, Explored};
use promql::{AGGREGATIONS, FUNCTIONS, Value};
use serde::Deserialize;
use series::{Labels, METRIC_NAME};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use telemetry::{AskError, StepRange};

/// Steps of the chart.
const STEPS: i64 = 240;
/// The range when none is chosen, seconds.
const USUAL_RANGE_S: u32 = 900;
/// Lines of the chart; of more series those with the largest values now are drawn.
const LINES_MAX: usize = 8;
/// A question that has to wait longer for its turn is refused.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions that are worked on at a time; others wait.
pub(super) const EXPLORERS_MAX: usize = 4;
/// Characters of an answer that is text.
const TEXT_MAX: usize = 20_000;

/// The state of the page as it stands in its address.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    query: String,
    #[serde(default)]
    range: Option<u32>,
    #[serde(default)]
    format: String,
}

/// `GET /live/explore`, and with `format=csv` every series and its value as a table.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    asked: Result<Query<Asked>, QueryRejection>,
    seen: Seen,
) -> Response {
    let Ok(Query(asked)) = asked else {
        return problem_page(
            &app,
            StatusCode::BAD_REQUEST,
            "This question cannot be understood",
            "`query` is PromQL, `range` a number of seconds; each may stand in the address once.",
        );
    };
    let range_s = asked.range.filter(|seconds| pages::EXPLORE_RANGES_S.contains(seconds));
    let range_s = range_s.unwrap_or(USUAL_RANGE_S);
    let query = asked.query.trim().to_owned();
    let answer = match query.is_empty() {
        true => None,
        false => {
            let place = tokio::time::timeout(PATIENCE, app.exploring.acquire()).await;
            let Ok(Ok(_place)) = place else {
                return problem_page(
                    &app,
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Too many questions are being answered",
                    "Ask again in a moment, or over a shorter range.",
                );
            };
            let (asking, text) = (Arc::clone(&app), query.clone());
            let now = seen.at().unwrap_or_else(super::tick::now_ms);
            let work = tokio::task::spawn_blocking(move || explore(&asking, &text, range_s, now));
            Some(work.await.unwrap_or_else(|error| {
                tracing::error!(%error, "exploring failed");
                Err((StatusCode::INTERNAL_SERVER_ERROR, fault("the query could not be evaluated")))
            }))
        }
    };
    if let (Some(Ok(found)), "csv") = (&answer, asked.format.as_str()) {
        return csv(found);
    }
    let status = match &answer {
        Some(Err((status, _))) => *status,
        _ => StatusCode::OK,
    };
    let view = ExploreView {
        query,
        range_s,
        answer: answer.map(|answer| answer.map_err(|(_, fault)| fault)),
        functions: AGGREGATIONS.iter().chain(FUNCTIONS).copied().collect(),
    };
    let shown = app.shown();
    let page = pages::render_explore(&seen.site(&app, &shown), &view, Some(&seen.evidence));
    (status, seen.html(page)).into_response()
}

fn fault(message: impl Into<String>) -> ExploreFault {
    ExploreFault { message: message.into(), at: None }
}

fn explore(
    app: &App,
    query: &str,
    range_s: u32,
    now: i64,
) -> Result<Explored, (StatusCode, ExploreFault)> {
    let engine = app.sources.metrics();
    let started = Instant::now();
    let refused = |error: AskError| match error {
        AskError::Refused(message) => {
            // Another engine may know more of the language; where it stumbles too, ours says where.
            let place = promql::Query::parse(query).err();
            let at = place.as_ref().map(|error| error.offset);
            let message = place.map_or(message, |error| error.message);
            (StatusCode::BAD_REQUEST, ExploreFault { message, at })
        }
        AskError::Down(message) => (StatusCode::BAD_GATEWAY, fault(message)),
    };
    let answer = engine.instant(query, now).map_err(refused)?;
    let mut notes: Vec<String> = answer.warnings.iter().chain(&answer.infos).cloned().collect();
    let (vector, text) = match answer.value {
        Value::Scalar { v, .. } => (vec![(Labels::default(), v)], None),
        Value::Vector(vector) => (vector.into_iter().map(|s| (s.labels, s.v)).collect(), None),
        Value::String { text, .. } => (Vec::new(), Some(text)),
        Value::Matrix(matrix) => (Vec::new(), Some(samples_text(&matrix))),
    };
    let chart = match text {
        Some(_) => None,
        None => {
            let step = (i64::from(range_s) * 1000 / STEPS).max(1000);
            let end = now - now.rem_euclid(step);
            let steps =
                StepRange { start_ms: end - i64::from(range_s) * 1000, end_ms: end, step_ms: step };
            match engine.range(query, steps) {
                Ok(answer) => chart(answer.value, &vector, &mut notes),
                Err(error) => {
                    notes.push(format!("no chart: {error}"));
                    None
                }
            }
        }
    };
    let mut now: Vec<(String, f64)> =
        vector.iter().map(|(labels, v)| (name_of(labels, &[]), *v)).collect();
    // Who asked for an order has it; else the largest come first.
    if !query.starts_with("sort") && !query.starts_with("bottomk") {
        let size = |v: f64| if v.is_nan() { f64::NEG_INFINITY } else { v };
        now.sort_by(|a, b| size(b.1).total_cmp(&size(a.1)).then_with(|| a.0.cmp(&b.0)));
    }
    Ok(Explored { now, text, chart, notes, took_s: started.elapsed().as_secs_f64() })
}

/// The lines with the largest values now; which labels all have in common is not repeated in the legend.
fn chart(value: Value, now: &[(Labels, f64)], notes: &mut Vec<String>) -> Option<Chart> {
    let Value::Matrix(mut matrix) = value else { return None };
    if matrix.is_empty() {
        return None;
    }
    let now: BTreeMap<&Labels, f64> = now.iter().map(|(labels, v)| (labels, *v)).collect();
    let size = |labels: &Labels| now.get(labels).copied().filter(|v| !v.is_nan());
    let total = matrix.len();
    if total > LINES_MAX {
        let order = |line: &promql::MatrixSeries| size(&line.labels).map_or(-1.0, f64::abs);
        matrix.sort_by(|a, b| order(b).total_cmp(&order(a)));
        matrix.truncate(LINES_MAX);
        notes
            .push(format!("{total} series; the {LINES_MAX} with the largest values now are drawn"));
    }
    let common: Vec<String> = match matrix.as_slice() {
        [first, _, ..] => first
            .labels
            .iter()
            .filter(|(name, value)| matrix.iter().all(|other| other.labels.value(name) == *value))
            .map(|(name, _)| name.to_owned())
            .collect(),
        _ => Vec::new(),
    };
    let series = matrix.iter().map(|line| ChartSeries {
        name: name_of(&line.labels, &common),
        points: line.samples.iter().map(|s| (s.t, Some(s.v).filter(|v| v.is_finite()))).collect(),
    });
    Some(Chart {
        title: "Answer".to_owned(),
        unit: String::new(),
        series: series.collect(),
        threshold: None,
        exemplars: Vec::new(),
    })
}

/// `name{label="value"}` without some labels.
fn name_of(labels: &Labels, without: &[String]) -> String {
    let left_out = |name: &str| without.iter().any(|other| other == name);
    let mut text = match left_out(METRIC_NAME) {
        true => String::new(),
        false => labels.value(METRIC_NAME).to_owned(),
    };
    let pairs = labels.iter().filter(|(name, _)| *name != METRIC_NAME && !left_out(name));
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value:?}")).collect();
    if !pairs.is_empty() || text.is_empty() {
        let _ = write!(text, "{{{}}}", pairs.join(", "));
    }
    text
}

fn samples_text(matrix: &[promql::MatrixSeries]) -> String {
    let mut text = String::new();
    for series in matrix {
        let _ = writeln!(text, "{}", name_of(&series.labels, &[]));
        for sample in &series.samples {
            let _ = writeln!(text, "  {} @{}", sample.v, sample.t as f64 / 1000.0);
        }
        if text.len() > TEXT_MAX {
            let _ = writeln!(text, "… and more");
            break;
        }
    }
    text
}

fn csv(found: &Explored) -> Response {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut table = String::from("series,value\n");
    for (name, value) in &found.now {
        let _ = writeln!(table, "{},{value}", quoted(name));
    }
    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], table).into_response()
}
