//! `/live/logs` and `/api/live/logs`: search over log records, what they have in common, and those that come after a look.
//!
//! `routes` calls it with what stands in the address; the whole state of the page is there.

use super::App;
use super::moment::time;
use super::seen::Seen;
use super::tick::now_ms;
use super::traces::without_ends;
use ::traces::{LogCounts, LogRecord, LogSearch, LogText, SpanId, TraceId};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use pages::{LogFilters, LogSearchView, Problems};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// Records listed when the reader names no number.
const LOGS_SHOWN: usize = 100;
/// Most records that are listed.
const LOGS_MAX: usize = 1000;
/// Records that are counted for the histogram and the values to choose from.
const COUNTED_MAX: usize = 5000;
/// Names of severities and the lowest number of each.
const SEVERITIES: [(&str, u8); 6] =
    [("trace", 1), ("debug", 5), ("info", 9), ("warn", 13), ("error", 17), ("fatal", 21)];

/// `GET /live/logs`, as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LogQuery {
    q: String,
    service: String,
    severity: String,
    trace: String,
    span: String,
    from: String,
    to: String,
    limit: String,
    at: String,
    tail: String,
    after: String,
    rows: String,
}

impl LogQuery {
    /// The search, and what of it cannot be understood, by the field's name.
    fn read(&self, now: i64) -> (LogSearch, Problems) {
        let mut problems = Problems::new();
        let limit = field(&mut problems, "limit", &self.limit, |text| {
            let number = text.parse::<usize>().ok().filter(|n| (1..=LOGS_MAX).contains(n));
            number.ok_or_else(|| format!("`{text}` is no number from 1 to {LOGS_MAX}"))
        });
        let what = "trace id of 32 hexadecimal digits";
        let trace_id = field(&mut problems, "trace", &self.trace, |text| id::<TraceId>(text, what));
        let what = "span id of 16 hexadecimal digits";
        let span_id = field(&mut problems, "span", &self.span, |text| id::<SpanId>(text, what));
        let at = field(&mut problems, "at", &self.at, |text| time(text, now));
        // What is said relative to now is so to the moment that is shown.
        let shown = at.unwrap_or(now);
        let from_ms = field(&mut problems, "from", &self.from, |text| time(text, shown));
        let to_ms = field(&mut problems, "to", &self.to, |text| time(text, shown));
        let to_ms = to_ms.into_iter().chain(at).min();
        if let (Some(from), Some(to)) = (from_ms, to_ms)
            && from >= to
        {
            problems.insert("to", "the end is not after the beginning".to_owned());
        }
        let severity = field(&mut problems, "severity", &self.severity, severity);
        let search = LogSearch {
            service: given(&self.service),
            trace_id,
            span_id,
            severity: severity.unwrap_or(0),
            text: LogText::parse(&self.q),
            from_ms,
            to_ms,
            limit: Some(limit.unwrap_or(LOGS_SHOWN)),
        };
        (search, problems)
    }

    fn filters(&self) -> LogFilters {
        LogFilters {
            text: self.q.clone(),
            service: given(&self.service),
            severity: given(&self.severity),
            trace: given(&self.trace),
            span: given(&self.span),
            from: given(&self.from),
            to: given(&self.to),
            limit: self.limit.trim().parse().unwrap_or(LOGS_SHOWN),
            tail: self.tail == "1",
        }
    }
}

fn given(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}

/// Reads a field, and writes down what is wrong with it.
fn field<T>(
    problems: &mut Problems,
    name: &'static str,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    match parse(&given(text)?) {
        Ok(value) => Some(value),
        Err(words) => {
            problems.insert(name, words);
            None
        }
    }
}

fn id<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no {what}"))
}

fn severity(text: &str) -> Result<u8, String> {
    let named = SEVERITIES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    named.map(|(_, number)| *number).ok_or_else(|| {
        format!("`{text}` is no severity: one of trace, debug, info, warn, error, fatal")
    })
}

/// `GET /api/live/logs`: takes the same filters as the page; with `after` the records that came after the answer with that
/// `cursor`, and with `rows=1` as the page shows them.
pub(super) async fn api(
    State(app): State<Arc<App>>,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Response {
    let wrong = |words: &str| {
        let help = "for instance `q=\"card refused\"&severity=error&from=now-15m`";
        super::api::problem(StatusCode::BAD_REQUEST, words, help)
    };
    let Ok(Query(query)) = query else {
        return wrong("each filter may stand in the address once");
    };
    let (search, problems) = query.read(now_ms());
    if let Some((name, words)) = problems.iter().next() {
        return wrong(&format!("`{name}`: {words}"));
    }
    let (cursor, missed, records) = match given(&query.after).map(|after| after.parse::<u64>()) {
        Some(Err(_)) => return wrong("`after` is no cursor of an earlier answer"),
        Some(Ok(after)) => {
            let working = Arc::clone(&app);
            let look = move || working.backend.logs.since(after, &search);
            let since = tokio::task::spawn_blocking(look).await.unwrap_or_default();
            (since.cursor, since.missed, since.records)
        }
        // The cursor first: what comes between is told twice rather than never.
        None => (app.backend.logs.cursor(), false, find(Arc::clone(&app), search).await),
    };
    if query.rows == "1" {
        let shown = app.shown();
        let rows = pages::render_log_rows(&super::views::site(&app, &shown), &records);
        let count = records.len();
        return Json(json!({ "rows": rows, "count": count, "cursor": cursor, "missed": missed }))
            .into_response();
    }
    Json(json!({ "logs": records, "cursor": cursor, "missed": missed })).into_response()
}

/// `GET /live/logs`. Input that cannot be understood is answered with the form as it was filled in.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    uri: Uri,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Response {
    // The ends of the search are read here, where what is wrong with them can be said at their fields.
    let seen = match Seen::read(&app, &without_ends(&uri)).await {
        Ok(seen) => seen,
        Err(answer) => return answer,
    };
    let (query, twice) = match query {
        Ok(Query(query)) => (query, false),
        Err(_) => (LogQuery::default(), true),
    };
    let (search, mut problems) = query.read(now_ms());
    if twice {
        problems.insert("q", "each filter may stand in the address once".to_owned());
    }
    let (from_ms, to_ms) = (search.from_ms, search.to_ms);
    let listed = search.limit.unwrap_or(LOGS_SHOWN);
    let cursor = app.backend.logs.cursor();
    let mut records = match problems.is_empty() {
        true => find(Arc::clone(&app), LogSearch { limit: Some(COUNTED_MAX), ..search }).await,
        false => Vec::new(),
    };
    let counted = records.clone();
    records.truncate(listed);
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let view = LogSearchView {
        filters: query.filters(),
        records,
        counts: LogCounts::of(&counted),
        more_than: (counted.len() >= COUNTED_MAX).then_some(COUNTED_MAX),
        counted,
        from_ms,
        to_ms,
        cursor,
        services: app.backend.logs.services().iter().map(ToString::to_string).collect(),
        problems,
    };
    let shown = app.shown();
    let page = pages::render_logs(&seen.site(&app, &shown), &view, Some(&seen.evidence));
    (status, seen.html(page)).into_response()
}

/// Looks through the records beside the network threads.
async fn find(app: Arc<App>, search: LogSearch) -> Vec<Arc<LogRecord>> {
    let found = tokio::task::spawn_blocking(move || app.backend.search_logs(&search)).await;
    found.unwrap_or_else(|error| {
        tracing::error!(%error, "a search over logs failed");
        Vec::new()
    })
}

/// What a service wrote last until a moment, newest first.
pub(super) fn newest(app: &App, service: &str, to_ms: i64, limit: usize) -> Vec<Arc<LogRecord>> {
    let search = LogSearch {
        service: Some(service.to_owned()),
        to_ms: Some(to_ms),
        limit: Some(limit),
        ..LogSearch::default()
    };
    app.backend.search_logs(&search)
}

/// The records of a trace, the first one first.
pub(super) fn of_trace(app: &App, id: TraceId) -> Vec<Arc<LogRecord>> {
    let search = LogSearch { trace_id: Some(id), limit: Some(LOGS_MAX), ..LogSearch::default() };
    let mut records = app.backend.search_logs(&search);
    records.sort_by_key(|record| record.moment_ns());
    records
}
