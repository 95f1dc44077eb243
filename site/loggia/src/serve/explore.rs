//! `/live/explore`: asks the engine of the metrics what somebody typed. `pages` renders the answer.

use super::charts::{self, Line, Span};
use super::seen::Seen;
use super::views::problem_page;
use super::{App, places};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use pages::{ChartKind, ExploreFault, ExploreView, Explored};
use promql::{AGGREGATIONS, FUNCTIONS, Value};
use serde::Deserialize;
use series::{Labels, METRIC_NAME};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;
use telemetry::AskError;

/// The range when none is chosen, milliseconds.
const USUAL_RANGE_MS: i64 = 900_000;
/// Characters of an answer that is text.
const TEXT_MAX: usize = 20_000;

/// The state of the page as it stands in its address.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    query: String,
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
            "`query` is PromQL; it may stand in the address once.",
        );
    };
    let now = super::tick::now_ms();
    let span = Span::of(seen.moment, USUAL_RANGE_MS, now);
    let query = asked.query.trim().to_owned();
    let answer = match query.is_empty() {
        true => None,
        false => {
            let Some(place) = places::exploring(&app).await else {
                return problem_page(
                    &app,
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Too many questions are being answered",
                    "Ask again in a moment, or over a shorter range.",
                );
            };
            let (asking, text) = (Arc::clone(&app), query.clone());
            let work = tokio::task::spawn_blocking(move || {
                let _place = place;
                explore(&asking, &text, span, now)
            });
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
        span: span.at(now, ChartKind::Line),
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
    span: Span,
    now: i64,
) -> Result<Explored, (StatusCode, ExploreFault)> {
    let engine = app.sources.metrics();
    let at = span.at(now, ChartKind::Line);
    let now = if at.live { now } else { at.to };
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
    // Queries of charts may come as they were written.
    let window = charts::window(at.step, app.evidence().window);
    let answer = engine.instant(&evidence::put_window(query, &window), now).map_err(refused)?;
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
            let asked = charts::Asked {
                title: "Answer".to_owned(),
                unit: unit_of(query).to_owned(),
                lines: vec![Line { name: String::new(), query: query.to_owned() }],
                ..charts::Asked::default()
            };
            let mut chart = asked.chart(app, span, now, false);
            if let Some(why) = chart.fault.take() {
                notes.push(format!("no chart: {why}"));
            }
            if chart.more > 0 {
                let (total, drawn) = (chart.more + chart.series.len(), chart.series.len());
                notes
                    .push(format!("{total} series; the {drawn} with the largest values are drawn"));
            }
            (!chart.series.is_empty()).then_some(chart)
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

/// The unit that the names of metrics tell, for queries that keep it.
fn unit_of(query: &str) -> &'static str {
    let Ok(parsed) = promql::Query::parse(query) else { return "" };
    let names = parsed.metric_names();
    let all = |ending: &str| !names.is_empty() && names.iter().all(|name| name.ends_with(ending));
    let picked = promql::Query::parse(&format!("{}[1m]", query.trim())).is_ok();
    let keeps = picked || ["max", "min", "avg", "sum"].iter().any(|f| query.trim().starts_with(f));
    match () {
        () if query.trim().starts_with("histogram_quantile") && all("_seconds_bucket") => "s",
        () if keeps && !query.contains('/') && all("_bytes") => "bytes",
        () if keeps && !query.contains('/') && all("_seconds") => "s",
        () if keeps && !query.contains('/') && all("_ratio") => "ratio",
        () => "",
    }
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
