//! `/live/traces` and `/api/live/traces`: searches over traces. `routes` calls with what stands in the address, where the
//! whole state of the page is; `pages` renders.

use super::App;
use super::moment::time;
use super::seen::Seen;
use super::tick::now_ms;
use super::views::problem_page;
use ::traces::{AttributeFilter, Search, Trace, TraceId, TraceSummary};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use pages::{Problems, TraceFilters, TraceSearchView};
use serde::Deserialize;
use serde_json::json;
use std::cmp::Reverse;
use std::sync::Arc;

/// A trace younger than this may still lack the spans of other services.
pub(super) const ARRIVAL_MS: i64 = 2000;
/// Traces listed when the reader names no number.
const SHOWN: usize = 50;
/// Most traces that are listed.
const SHOWN_MAX: usize = 500;
/// Traces that the plot shows, and of which the slowest are listed; asked of an engine elsewhere it is the smaller number.
const LOOKED_AT: usize = 500;
const LOOKED_AT_ELSEWHERE: usize = 200;
/// Attributes that one search may ask for.
const ATTRIBUTES_MAX: usize = 16;

/// What stands in the address, as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TraceQuery {
    service: String,
    operation: String,
    calls: String,
    attributes: String,
    min: String,
    max: String,
    errors: Option<String>,
    from: String,
    to: String,
    at: String,
    sort: String,
    limit: String,
}

impl TraceQuery {
    /// The search, and what of it cannot be understood, by the field's name.
    fn read(&self, now: i64) -> (Search, Problems) {
        let mut problems = Problems::new();
        let mut field = Fields { problems: &mut problems };
        let limit = field.read("limit", &self.limit, |text| {
            let number = text.parse::<usize>().ok().filter(|n| (1..=SHOWN_MAX).contains(n));
            number.ok_or_else(|| format!("`{text}` is no number from 1 to {SHOWN_MAX}"))
        });
        let min = field.read("min", &self.min, duration_ns);
        let max = field.read("max", &self.max, duration_ns);
        let at = field.read("at", &self.at, |text| time(text, now));
        // What is said relative to now is so to the moment that is shown.
        let shown = at.unwrap_or(now);
        let from = field.read("from", &self.from, |text| time(text, shown));
        let to = field.read("to", &self.to, |text| {
            time(text, shown).map_err(|words| format!("{words}; whom a span calls is `calls`"))
        });
        let attributes = field.read("attributes", &self.attributes, attributes);
        field.read("sort", &self.sort, |text| match text {
            "newest" | "slowest" => Ok(()),
            _ => Err(format!("`{text}` is no order: newest or slowest")),
        });
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            problems.insert("max", "the longest is shorter than the shortest".to_owned());
        }
        if let (Some(from), Some(to)) = (from, to.into_iter().chain(at).min())
            && from >= to
        {
            problems.insert("to", "the end is not after the beginning".to_owned());
        }
        if from.is_some_and(|from| from > now) {
            problems.insert("from", "it is in the future".to_owned());
        }
        let search = Search {
            service: given(&self.service),
            operation: given(&self.operation),
            to: given(&self.calls),
            attributes: attributes.unwrap_or_default(),
            min_duration_ns: min,
            max_duration_ns: max,
            errors_only: self.errors.is_some(),
            from_ms: from,
            to_ms: to.into_iter().chain(at).min(),
            limit: limit.unwrap_or(SHOWN),
        };
        (search, problems)
    }

    fn filters(&self) -> TraceFilters {
        TraceFilters {
            service: given(&self.service),
            operation: given(&self.operation),
            calls: given(&self.calls),
            attributes: given(&self.attributes),
            min_duration: given(&self.min),
            max_duration: given(&self.max),
            errors_only: self.errors.is_some(),
            from: given(&self.from),
            to: given(&self.to),
            slowest_first: self.sort == "slowest",
            limit: self.limit.trim().parse().unwrap_or(SHOWN),
        }
    }
}

/// Reads fields, and writes down what is wrong with each.
struct Fields<'a> {
    problems: &'a mut Problems,
}

impl Fields<'_> {
    fn read<T>(
        &mut self,
        name: &'static str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match given(text).map(|text| parse(&text))? {
            Ok(value) => Some(value),
            Err(words) => {
                self.problems.insert(name, words);
                None
            }
        }
    }
}

fn given(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}

/// `250ms`, `1.5s`, `900us`, `2m`; a bare number is milliseconds.
fn duration_ns(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no duration such as 250ms or 1.5s");
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic() || c == ' ' || c == 'µ');
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let unit = match text[digits.len()..].trim() {
        "" | "ms" => 1e6,
        "m" | "min" => 60e9,
        "s" => 1e9,
        "us" | "µs" => 1e3,
        "ns" => 1.0,
        _ => return Err(wrong()),
    };
    let ns = number * unit;
    (0.0..1e18).contains(&ns).then_some(ns as i64).ok_or_else(wrong)
}

/// `http.route=/pay error=true note="two words" db.name=~orders.*`.
fn attributes(text: &str) -> Result<Vec<AttributeFilter>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let Some(after) = after.strip_prefix('=').filter(|_| !key.is_empty()) else {
            return Err(format!("`{key}` has no value: write key=value"));
        };
        let (is_pattern, after) =
            after.strip_prefix('~').map_or((false, after), |rest| (true, rest));
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted
                .split_once('"')
                .ok_or_else(|| format!("the quotes after `{key}=` are not closed"))?,
            None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
        };
        found.push(match is_pattern {
            false => AttributeFilter::Equals(key.to_owned(), value.to_owned()),
            true => AttributeFilter::matching(key, value)
                .map_err(|_| format!("`{value}` is no regular expression"))?,
        });
        rest = next.trim_start();
    }
    if found.len() > ATTRIBUTES_MAX {
        return Err(format!("no more than {ATTRIBUTES_MAX} attributes at a time"));
    }
    Ok(found)
}

/// `GET /api/live/traces`: takes the same filters as the page.
pub(super) async fn api(
    State(app): State<Arc<App>>,
    query: Result<Query<TraceQuery>, QueryRejection>,
) -> Response {
    let wrong = |words: &str| {
        super::api::problem(StatusCode::BAD_REQUEST, words, "for instance `min=250ms&sort=slowest`")
    };
    let Ok(Query(query)) = query else {
        return wrong("each filter may stand in the address once");
    };
    let (search, problems) = query.read(now_ms());
    if let Some((name, words)) = problems.iter().next() {
        return wrong(&format!("`{name}`: {words}"));
    }
    let (found, down) = ordered(&app, search, query.sort == "slowest").await;
    match down {
        None => Json(json!({ "traces": found.listed })).into_response(),
        Some(words) => {
            let help = "ask again once the engine answers";
            super::api::problem(StatusCode::BAD_GATEWAY, &words, help)
        }
    }
}

/// `GET /live/traces`. Input that cannot be understood is answered with the form as it was filled in.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    uri: Uri,
    query: Result<Query<TraceQuery>, QueryRejection>,
) -> Response {
    // The ends of the search are read here, where what is wrong with them can be said at their fields.
    let seen = match Seen::read(&app, &without_ends(&uri)).await {
        Ok(seen) => seen,
        Err(answer) => return answer,
    };
    let Ok(Query(query)) = query else {
        return problem_page(
            &app,
            StatusCode::BAD_REQUEST,
            "This search cannot be understood",
            "Each filter may stand in the address once. The form makes a new one.",
        );
    };
    let now = now_ms();
    let (search, problems) = query.read(now);
    let (from_ms, to_ms) = (search.from_ms, search.to_ms);
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let filters = query.filters();
    let (found, down) = match problems.is_empty() {
        true => ordered(&app, arrived(search, now), filters.slowest_first).await,
        false => (Found::default(), None),
    };
    let shown = app.shown();
    let asking = (Arc::clone(&app), filters.service.clone());
    let names = tokio::task::spawn_blocking(move || names(&asking.0, asking.1.as_deref())).await;
    let (services, operations) = names.unwrap_or_default();
    let view = TraceSearchView {
        filters,
        results: found.listed,
        plotted: found.all,
        more_than: found.more_than,
        from_ms,
        to_ms,
        services,
        operations,
        problems,
        problem: down,
    };
    let page = pages::render_traces(&seen.site(&app, &shown), &view, Some(&seen.evidence));
    (status, seen.html(page)).into_response()
}

/// The address without `from` and `to`.
pub(super) fn without_ends(uri: &Uri) -> Uri {
    let is_end = |part: &&str| part.starts_with("from=") || part.starts_with("to=");
    let kept: Vec<&str> =
        uri.query().unwrap_or_default().split('&').filter(|part| !is_end(part)).collect();
    let shorter = format!("{}?{}", uri.path(), kept.join("&"));
    shorter.parse().unwrap_or_else(|_| uri.clone())
}

/// What a search gave.
#[derive(Debug, Default)]
struct Found {
    /// As many as were asked for, in the order that was asked for.
    listed: Vec<TraceSummary>,
    /// All that were looked at, newest start first.
    all: Vec<TraceSummary>,
    /// There may be more than were looked at: how many these are.
    more_than: Option<usize>,
}

async fn ordered(app: &Arc<App>, search: Search, slowest: bool) -> (Found, Option<String>) {
    let listed = search.limit;
    let remote = app.sources.remote_traces.is_some();
    let looked_at = listed.max(if remote { LOOKED_AT_ELSEWHERE } else { LOOKED_AT });
    let (all, down) = find_traces(app, Search { limit: looked_at, ..search }).await;
    let mut found = all.clone();
    if slowest {
        found.sort_by_key(|trace| Reverse(trace.duration_ns));
    }
    found.truncate(listed);
    let more_than = (all.len() >= looked_at).then_some(looked_at);
    (Found { listed: found, all, more_than }, down)
}

/// Services, and operations of one or all of them, for the form.
fn names(app: &App, service: Option<&str>) -> (Vec<String>, Vec<String>) {
    let engine = app.sources.traces();
    // The form does without suggestions when nobody can make them.
    let services = engine.services().unwrap_or_default();
    let of = |service: &str| engine.operations(service).unwrap_or_default();
    let mut operations: Vec<String> = match service {
        Some(service) => of(service),
        None if app.sources.remote_traces.is_some() => Vec::new(),
        None => services.iter().flat_map(|service| of(service)).collect(),
    };
    operations.sort_unstable();
    operations.dedup();
    (services, operations)
}

/// Asks the engine, and when it does not answer the traces that were fetched for the map; then it says so.
async fn find_traces(app: &Arc<App>, search: Search) -> (Vec<TraceSummary>, Option<String>) {
    let (engine, backend) = (Arc::clone(app.sources.traces()), Arc::clone(&app.backend));
    let work = move || match engine.search(&search) {
        Ok(found) => (found, None),
        Err(error) => {
            let name = engine.condition().name;
            let why = error.to_string();
            let why = why.lines().next().unwrap_or_default();
            let words = format!(
                "{name} gave no answer: {why}. These are the traces that were fetched before."
            );
            (backend.traces.search(&search), Some(words))
        }
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a search for traces ended early");
        (Vec::new(), None)
    })
}

/// A trace by its id; an engine's error only when the trace was not fetched before either.
pub(super) async fn find_trace(app: &Arc<App>, id: TraceId) -> Result<Option<Trace>, String> {
    let (engine, backend) = (Arc::clone(app.sources.traces()), Arc::clone(&app.backend));
    let work = move || match engine.trace(&id) {
        Ok(Some(trace)) => Ok(Some(trace)),
        Ok(None) => Ok(backend.trace(&id)),
        Err(error) => match backend.trace(&id) {
            Some(trace) => Ok(Some(trace)),
            None => Err(format!("{} gave no answer: {error}", engine.condition().name)),
        },
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()))
}

/// Leaves out traces that are so young that spans of them may still be on their way.
fn arrived(search: Search, now: i64) -> Search {
    let to_ms = search.to_ms.map_or(now - ARRIVAL_MS, |to| to.min(now - ARRIVAL_MS));
    Search { to_ms: Some(to_ms), ..search }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: TraceQuery, expected: &[&str]) {
        let (_, problems) = query.read(1_000_000_000_000);
        assert_eq!(
            problems.keys().copied().collect::<Vec<_>>(),
            expected,
            "{query:?} {problems:?}"
        );
    }

    #[test]
    fn what_is_wrong_is_said_at_its_field() {
        let with = |set: &dyn Fn(&mut TraceQuery)| {
            let mut query = TraceQuery::default();
            set(&mut query);
            query
        };
        check(TraceQuery::default(), &[]);
        check(with(&|q| q.min = "250ms".into()), &[]);
        check(with(&|q| q.min = "fast".into()), &["min"]);
        check(with(&|q| (q.min, q.max) = ("2s".into(), "1500".into())), &["max"]);
        check(with(&|q| (q.from, q.to) = ("now-5m".into(), "now-10m".into())), &["to"]);
        check(with(&|q| q.from = "tomorrow".into()), &["from"]);
        check(with(&|q| q.from = "2031-01-01T00:00:00Z".into()), &["from"]);
        check(with(&|q| q.to = "payments".into()), &["to"]);
        check(with(&|q| q.sort = "best".into()), &["sort"]);
        check(with(&|q| q.limit = "501".into()), &["limit"]);
        check(with(&|q| q.attributes = r#"a=1 b="two words" c=~x.*"#.into()), &[]);
        check(with(&|q| q.attributes = "a".into()), &["attributes"]);
        check(with(&|q| q.attributes = "=1".into()), &["attributes"]);
        check(with(&|q| q.attributes = "a=\"x".into()), &["attributes"]);
        check(with(&|q| q.attributes = "a=~(".into()), &["attributes"]);
        check(with(&|q| q.attributes = "a=1 ".repeat(17)), &["attributes"]);
        check(with(&|q| (q.min, q.limit) = ("x".into(), "0".into())), &["limit", "min"]);
    }
}
