//! One trace: its waterfall, one of its spans by itself, and the whole as OTLP JSON. Routes call it; `pages` renders.

use super::App;
use super::seen::Seen;
use super::tick::now_ms;
use super::traces::find_trace;
use super::views::{documented, leading_page, not_found, problem_page};
use ::traces::{LogRecord, SpanId, Trace, TraceId};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use evidence::Evidence;
use pages::{Documented, TraceAsk, TraceView, Zoom};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Spans of a trace that ended longer ago than this have all arrived.
const ARRIVING_MS: i64 = 15_000;
/// Bytes of words to look for that are read.
const FIND_BYTES_MAX: usize = 200;

/// `GET /live/traces/ID`, as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AskQuery {
    span: String,
    find: String,
    zoom: String,
    fold: String,
    clocks: String,
    line: String,
}

impl AskQuery {
    /// What the reader wants; what cannot be understood is left out and said.
    fn ask(&self) -> TraceAsk {
        let mut problem = None;
        let mut wrong = |words: String| {
            problem.get_or_insert(words);
        };
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let span = given(&self.span).and_then(|text| match text.parse::<SpanId>() {
            Ok(id) => Some(id),
            Err(_) => {
                wrong(format!("`{text}` is no span id: it has 16 hexadecimal digits."));
                None
            }
        });
        let zoom = given(&self.zoom).and_then(|text| {
            let zoom = Zoom::parse(&text);
            if zoom.is_none() {
                wrong(format!("`{text}` is no part of a trace's time, such as 25-50 in percent."));
            }
            zoom
        });
        let line = given(&self.line).map_or(1, |text| {
            text.parse().ok().filter(|line| *line > 0).unwrap_or_else(|| {
                wrong(format!("`{text}` is no line: a number from 1."));
                1
            })
        });
        for (text, expected) in [(&self.fold, "off"), (&self.clocks, "set")] {
            if !text.is_empty() && text != expected {
                wrong(format!("`{text}` is not known here; there is `{expected}`."));
            }
        }
        let cut = self.find.floor_char_boundary(FIND_BYTES_MAX);
        TraceAsk {
            span,
            find: self.find[..cut].trim().to_owned(),
            zoom: zoom.filter(|zoom| *zoom != Zoom::WHOLE),
            unfolded: self.fold == "off",
            clocks: self.clocks == "set",
            first_line: line - 1,
            problem,
        }
    }
}

/// `GET /live/traces/ID`.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Result<Query<AskQuery>, QueryRejection>,
    seen: Seen,
) -> Response {
    let trace = match found(&app, &id).await {
        Ok(trace) => trace,
        Err(answer) => return *answer,
    };
    let mut ask = match query {
        Ok(Query(query)) => query.ask(),
        Err(_) => TraceAsk {
            problem: Some("Each part of the question may stand in the address once.".to_owned()),
            ..TraceAsk::default()
        },
    };
    let is_there = |id| trace.rows.iter().any(|row| row.span.span_id == id);
    if let Some(span) = ask.span.filter(|id| !is_there(*id)) {
        ask.problem.get_or_insert(format!(
            "This trace has no span `{span}`: it has not arrived yet, was sampled out, or is one of those beyond the limit."
        ));
    }
    let status = if ask.problem.is_some() && ask.span.is_none_or(is_there) {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    (status, show(&app, &seen, &trace, ask, None)).into_response()
}

/// `GET /live/traces/ID/spans/SPAN`.
pub(super) async fn span(
    State(app): State<Arc<App>>,
    Path((id, span)): Path<(String, String)>,
    seen: Seen,
) -> Response {
    let Ok(wanted) = span.parse::<SpanId>() else {
        let words = "A span id has 16 hexadecimal digits.";
        return problem_page(&app, StatusCode::BAD_REQUEST, "This is no span id", words);
    };
    let trace = match found(&app, &id).await {
        Ok(trace) => trace,
        Err(answer) => return *answer,
    };
    match trace.rows.iter().position(|row| row.span.span_id == wanted) {
        Some(index) => show(&app, &seen, &trace, TraceAsk::default(), Some(index)),
        None => not_found(
            &app,
            "This trace has no such span",
            "It has not arrived yet, was sampled out, or is one of those beyond the limit. The trace itself is kept.",
        ),
    }
}

/// `GET /live/traces/ID/otlp.json`: what any OTLP receiver takes again.
pub(super) async fn otlp(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    let trace = match found(&app, &id).await {
        Ok(trace) => trace,
        Err(answer) => return *answer,
    };
    let groups = ::traces::encode_spans(trace.rows.iter().map(|row| &*row.span));
    let name = format!("attachment; filename=\"trace-{}.json\"", trace.id);
    ([(header::CONTENT_DISPOSITION, name)], Json(json!({ "resourceSpans": groups })))
        .into_response()
}

/// The trace, or the page that says why there is none.
async fn found(app: &Arc<App>, id: &str) -> Result<Trace, Box<Response>> {
    let Ok(parsed) = id.parse::<TraceId>() else {
        let words = "A trace id has 32 hexadecimal digits.";
        return Err(Box::new(problem_page(
            app,
            StatusCode::BAD_REQUEST,
            "This is no trace id",
            words,
        )));
    };
    match find_trace(app, parsed).await {
        Ok(Some(trace)) => Ok(trace),
        Ok(None) => Err(Box::new(leading_page(
            app,
            StatusCode::NOT_FOUND,
            "This trace is not kept",
            "It may have been dropped to make room for newer ones, or its spans have not arrived yet. Look again in a few seconds, or among the newest traces and its logs.",
            &ways(parsed),
        ))),
        Err(why) => Err(Box::new(leading_page(
            app,
            StatusCode::BAD_GATEWAY,
            "This trace cannot be fetched",
            &format!("{why}. Look again once it answers."),
            &ways(parsed),
        ))),
    }
}

/// Where a reader may go on whose trace is not there.
fn ways(id: TraceId) -> [(&'static str, String); 3] {
    [
        ("Look again", format!("/live/traces/{id}")),
        ("The newest traces", "/live/traces".to_owned()),
        ("Its logs", format!("/live/logs?trace={id}")),
    ]
}

fn show(app: &App, seen: &Seen, trace: &Trace, ask: TraceAsk, one: Option<usize>) -> Response {
    let (shown, evidence) = (app.shown(), &seen.evidence);
    let logs: Vec<Arc<LogRecord>> = super::logs::of_trace(app, trace.id);
    let documented = places(&shown.book, evidence, trace);
    let adjusted = ask.clocks.then(|| trace.adjusted()).flatten();
    let arriving = now_ms() - trace.end_ns.div_euclid(1_000_000) < ARRIVING_MS;
    let (trace, moved_ns) = match &adjusted {
        Some(adjusted) => (&adjusted.trace, adjusted.moved_ns.clone()),
        None => (trace, BTreeMap::new()),
    };
    let view = TraceView { trace, logs: &logs, documented: &documented, moved_ns, arriving, ask };
    let site = seen.site(app, &shown);
    seen.html(match one {
        Some(index) => pages::render_span(&site, &view, index, Some(evidence)),
        None => pages::render_trace(&site, &view, Some(evidence)),
    })
}

/// Where the book speaks of each of the trace's services.
fn places(
    book: &document::Book,
    evidence: &Evidence,
    trace: &Trace,
) -> BTreeMap<String, Vec<Documented>> {
    let names = trace.services.keys();
    names.map(|name| (name.to_string(), documented(book, evidence, name))).collect()
}
