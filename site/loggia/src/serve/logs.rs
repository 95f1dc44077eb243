//! Logs: the search over them as JSON and as a page.
//!
//! `routes` calls it with what stands in the address; the whole state of the page is there.

use super::App;
use super::moment::time;
use super::seen::Seen;
use super::tick::now_ms;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use pages::{LogFilters, LogSearchView};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use traces::{LogRecord, LogSearch, LogText, SpanId, TraceId};

/// Records listed when the reader names no number.
const LOGS_SHOWN: usize = 100;
/// Most records that are listed.
const LOGS_MAX: usize = 1000;
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
}

impl LogQuery {
    /// The search, or what cannot be understood.
    fn search(&self, now_ms: i64) -> Result<LogSearch, String> {
        let limit = match given(&self.limit) {
            None => LOGS_SHOWN,
            Some(text) => text
                .parse::<usize>()
                .ok()
                .filter(|n| (1..=LOGS_MAX).contains(n))
                .ok_or_else(|| format!("`{text}` is no number from 1 to {LOGS_MAX}"))?,
        };
        Ok(LogSearch {
            service: given(&self.service),
            trace_id: id::<TraceId>(&self.trace, "trace id of 32 hexadecimal digits")?,
            span_id: id::<SpanId>(&self.span, "span id of 16 hexadecimal digits")?,
            severity: given(&self.severity).map_or(Ok(0), |text| severity(&text))?,
            text: LogText::parse(&self.q),
            from_ms: given(&self.from).map(|text| time(&text, now_ms)).transpose()?,
            to_ms: given(&self.to).map(|text| time(&text, now_ms)).transpose()?,
            limit: Some(limit),
        })
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
        }
    }
}

fn given(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}

fn id<T: std::str::FromStr>(text: &str, what: &str) -> Result<Option<T>, String> {
    let parsed = given(text).map(|text| text.parse().map_err(|_| format!("`{text}` is no {what}")));
    parsed.transpose()
}

fn severity(text: &str) -> Result<u8, String> {
    let named = SEVERITIES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    named.map(|(_, number)| *number).ok_or_else(|| {
        format!("`{text}` is no severity: one of trace, debug, info, warn, error, fatal")
    })
}

/// `GET /api/live/logs`: takes the same filters as the page.
pub(super) async fn api(
    State(app): State<Arc<App>>,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Response {
    let help = "for instance `q=\"card refused\"&severity=error&from=now-15m`";
    let Ok(Query(query)) = query else {
        let words = "each filter may stand in the address once";
        return super::api::problem(StatusCode::BAD_REQUEST, words, help);
    };
    match query.search(now_ms()) {
        Ok(search) => Json(json!({ "logs": find(app, search).await })).into_response(),
        Err(words) => super::api::problem(StatusCode::BAD_REQUEST, &words, help),
    }
}

/// `GET /live/logs`. Input that cannot be understood is answered with the form as it was filled in.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    query: Result<Query<LogQuery>, QueryRejection>,
    seen: Result<Seen, Response>,
) -> Response {
    let (query, twice) = match query {
        Ok(Query(query)) => (query, None),
        Err(_) => {
            let words = "Each filter may stand in the address once".to_owned();
            (LogQuery::default(), Some(words))
        }
    };
    let now = seen.as_ref().ok().and_then(Seen::at).unwrap_or_else(now_ms);
    let search = twice.map_or_else(|| query.search(now), Err);
    let seen = match (seen, &search) {
        (Ok(seen), _) => seen,
        (Err(answer), Ok(_)) => return answer,
        (Err(_), Err(_)) => Seen::now(&app),
    };
    let (records, problem) = match search {
        Ok(search) if search.to_ms.is_none() => {
            let search = LogSearch { to_ms: seen.at(), ..search };
            (find(Arc::clone(&app), search).await, None)
        }
        Ok(search) => (find(Arc::clone(&app), search).await, None),
        Err(words) => (Vec::new(), Some(format!("{words}."))),
    };
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let view = LogSearchView {
        filters: query.filters(),
        records,
        services: app.backend.logs.services().iter().map(ToString::to_string).collect(),
        problem,
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
