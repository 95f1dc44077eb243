//! The live views: services, one service, traces, one trace, drift. Routes call them; `pages` renders.

use super::App;
use super::charts::charts;
use super::engines::waiting;
use super::events::View;
use super::seen::Seen;
use super::shown::Shown;
use super::tick::now_ms;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use document::Book;
use evidence::{Evidence, Figure, ServiceEvidence};
use pages::{Call, Cells, Documented, ServiceView, Site, TraceFilters};
use serde::Deserialize;
use std::sync::Arc;
use traces::{GraphEdge, NodeKind, Search, ServiceGraph, Trace, TraceId, TraceSummary};

/// A trace younger than this may still lack the spans of other services.
const ARRIVAL_MS: i64 = 2000;
/// Traces listed on a service page.
const RECENT_TRACES: usize = 12;
/// Traces listed when the reader names no number.
const TRACES_SHOWN: usize = 50;
/// Most traces that are listed.
const TRACES_MAX: usize = 500;

/// What pages need to know besides their content. The server answers at the root.
pub(super) fn site<'a>(app: &App, shown: &'a Shown) -> Site<'a> {
    Site {
        book: &shown.book,
        navigation: &shown.navigation,
        assets: &shown.assets,
        live: true,
        version: app.options.watch.then_some(shown.version),
        base: "/".to_owned(),
        url: None,
        now_ms: now_ms(),
        at: None,
        kept: super::seen::kept(app),
        asked: &[],
    }
}

/// The live values of a view, or `None` when there is no such.
pub(super) fn cells(app: &App, view: &View, evidence: &Evidence) -> Option<Cells> {
    let shown = app.shown();
    cells_of(app, &site(app, &shown), &shown, view, (evidence, None))
}

/// The same at the moment of an address.
pub(super) fn cells_seen(app: &App, view: &View, seen: &Seen) -> Option<Cells> {
    let shown = app.shown();
    let site = seen.site(app, &shown);
    let cells = cells_of(app, &site, &shown, view, (&seen.evidence, seen.graph()))?;
    Some(match seen.at() {
        Some(at) => pages::cells_at(cells, at),
        None => cells,
    })
}

/// `graph` is the one of a moment of the past.
fn cells_of(
    app: &App,
    site: &Site,
    shown: &Shown,
    view: &View,
    (evidence, graph): (&Evidence, Option<&ServiceGraph>),
) -> Option<Cells> {
    if let Some(page) = shown.book.page(&view.page) {
        return Some(pages::cells_for_page(site, page, evidence));
    }
    if view.page == "live/map" {
        return Some(pages::cells_for_map(site, evidence));
    }
    if view.page == "live/objectives" {
        return Some(pages::cells_for_objectives(site, evidence));
    }
    if let Some(id) = view.page.strip_prefix("live/objectives/") {
        return pages::cells_for_objective(site, evidence, id);
    }
    if view.page == "live/alerts" {
        return Some(pages::cells_for_alerts(site, evidence));
    }
    if view.page == "live/drift" {
        return Some(pages::cells_for_drift(site, evidence));
    }
    let Some(name) = view.page.strip_prefix("live/services/") else {
        return view.page.starts_with("live/").then(|| pages::cells_for_services(site, evidence));
    };
    let service = evidence.services.iter().find(|service| service.id.0 == name)?;
    let range_s = view.range_s.unwrap_or_else(|| usual_range(app, evidence.at));
    let view = service_view(app, &shown.book, service, (evidence, graph), range_s);
    Some(pages::cells_for_service(site, &view, evidence))
}

/// `?show=violated`: which objectives are listed.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Listed {
    #[serde(default)]
    show: String,
}

/// `GET /live/objectives`.
pub(super) async fn objectives(
    State(app): State<Arc<App>>,
    Query(listed): Query<Listed>,
    seen: Seen,
) -> Response {
    let shown = app.shown();
    let site = seen.site(&app, &shown);
    seen.html(pages::render_objectives(&site, &seen.evidence, &listed.show))
}

/// `GET /live/objectives/ID`.
pub(super) async fn objective(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    seen: Seen,
) -> Response {
    let shown = app.shown();
    match pages::render_objective(&seen.site(&app, &shown), &seen.evidence, &id) {
        Some(page) => seen.html(page),
        None => not_found(
            &app,
            "There is no such objective",
            "It may have been renamed: /live/objectives lists them all.",
        ),
    }
}

/// `GET /live/drift`.
pub(super) async fn drift(State(app): State<Arc<App>>, seen: Seen) -> Response {
    let shown = app.shown();
    seen.html(pages::render_drift(&seen.site(&app, &shown), &seen.evidence))
}

/// `GET /live/services`.
pub(super) async fn services(State(app): State<Arc<App>>, seen: Seen) -> Response {
    let shown = app.shown();
    seen.html(pages::render_services(&seen.site(&app, &shown), &seen.evidence))
}

/// `?range=15m`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Range {
    #[serde(default)]
    range: Option<String>,
}

/// `GET /live/services/NAME`.
pub(super) async fn service(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(range): Query<Range>,
    seen: Seen,
) -> Response {
    let evidence = Arc::clone(&seen.evidence);
    let Some(service) = evidence.services.iter().find(|service| service.id.0 == name) else {
        return not_found(
            &app,
            &format!("There is no service `{name}`"),
            "Neither the book nor the telemetry names it. The services that are known are in the sidebar.",
        );
    };
    let Some(range_s) = seconds_of(range.range.as_deref(), &app, evidence.at) else {
        return problem_page(
            &app,
            StatusCode::BAD_REQUEST,
            "There is no such range",
            "Choose one of 5m, 15m, 1h and 6h.",
        );
    };
    let shown = app.shown();
    let view = service_view(&app, &shown.book, service, (&evidence, seen.graph()), range_s);
    seen.html(pages::render_service(&seen.site(&app, &shown), &view, &evidence))
}

/// The range as typed (`900` or `15m`), or the usual one; `None` for one that is not offered.
fn seconds_of(typed: Option<&str>, app: &App, now: i64) -> Option<u32> {
    let Some(typed) = typed.filter(|typed| !typed.is_empty()) else {
        return Some(usual_range(app, now));
    };
    let (digits, unit) = typed.split_at(typed.trim_end_matches(['s', 'm', 'h']).len());
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let seconds = digits.parse::<u32>().ok()?.checked_mul(factor)?;
    pages::RANGES_S.contains(&seconds).then_some(seconds)
}

/// Seconds that charts reach back unless the reader chooses: 15 minutes, or 5 while there is no more.
fn usual_range(app: &App, now: i64) -> u32 {
    let oldest = app.sources.metrics().oldest_ms().unwrap_or(now);
    if now - oldest < 300_000 { 300 } else { 900 }
}

/// `GET /live/traces`, as typed.
#[derive(Debug, Default, Deserialize)]
pub(super) struct TraceQuery {
    #[serde(default)]
    service: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    min: String,
    #[serde(default)]
    errors: Option<String>,
    #[serde(default)]
    limit: String,
}

impl TraceQuery {
    /// The search, or what cannot be understood.
    pub(super) fn search(&self) -> Result<Search, String> {
        let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        let limit = match given(&self.limit) {
            None => TRACES_SHOWN,
            Some(text) => text
                .parse::<usize>()
                .ok()
                .filter(|n| (1..=TRACES_MAX).contains(n))
                .ok_or_else(|| format!("`{text}` is no number from 1 to {TRACES_MAX}"))?,
        };
        Ok(Search {
            service: given(&self.service),
            operation: given(&self.operation),
            to: given(&self.to),
            min_duration_ns: given(&self.min).map(|text| duration_ns(&text)).transpose()?,
            errors_only: self.errors.is_some(),
            limit,
            ..Search::default()
        })
    }

    fn filters(&self) -> TraceFilters {
        let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        TraceFilters {
            service: given(&self.service),
            operation: given(&self.operation),
            to: given(&self.to),
            min_duration: given(&self.min),
            errors_only: self.errors.is_some(),
            limit: self.limit.trim().parse().unwrap_or(TRACES_SHOWN),
        }
    }
}

/// `250ms`, `1.5s`, `900us`; a bare number is milliseconds.
fn duration_ns(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no duration");
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic() || c == ' ' || c == 'µ');
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let unit = match text[digits.len()..].trim() {
        "" | "ms" => 1e6,
        "s" => 1e9,
        "us" | "µs" => 1e3,
        "ns" => 1.0,
        _ => return Err(wrong()),
    };
    let ns = number * unit;
    (0.0..1e18).contains(&ns).then_some(ns as i64).ok_or_else(wrong)
}

/// `GET /live/traces`. Input that cannot be understood is answered with the form as it was filled in.
pub(super) async fn traces(
    State(app): State<Arc<App>>,
    query: Result<Query<TraceQuery>, QueryRejection>,
    seen: Seen,
) -> Response {
    let Ok(Query(query)) = query else {
        return problem_page(
            &app,
            StatusCode::BAD_REQUEST,
            "This search cannot be understood",
            "Each filter may stand in the address once. The form makes a new one.",
        );
    };
    let (search, problem) = match query.search() {
        Ok(search) => (Some(search), None),
        Err(words) => (
            None,
            Some(format!("{words}. A duration is a number with a unit, such as 250ms or 1.5s.")),
        ),
    };
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let (results, down) = match search {
        Some(search) => find_traces(&app, arrived(search, seen.at())).await,
        None => (Vec::new(), None),
    };
    let shown = app.shown();
    let filters = query.filters();
    let asking = (Arc::clone(&app), filters.service.clone());
    let names = tokio::task::spawn_blocking(move || names(&asking.0, asking.1.as_deref())).await;
    let (services, operations) = names.unwrap_or_default();
    let problem = problem.or(down);
    let view = pages::TraceSearchView { filters, results, services, operations, problem };
    let page = pages::render_traces(&seen.site(&app, &shown), &view, Some(&seen.evidence));
    (status, seen.html(page)).into_response()
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
pub(super) async fn find_traces(
    app: &Arc<App>,
    search: Search,
) -> (Vec<TraceSummary>, Option<String>) {
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

/// Leaves out traces that are so young that spans of them may still be on their way, or of after the moment.
fn arrived(search: Search, at: Option<i64>) -> Search {
    let newest = now_ms() - ARRIVAL_MS;
    Search { to_ms: Some(at.map_or(newest, |at| at.min(newest))), ..search }
}

/// `GET /live/traces/ID`.
pub(super) async fn trace(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    seen: Seen,
) -> Response {
    let Ok(parsed) = id.parse::<TraceId>() else {
        return problem_page(
            &app,
            StatusCode::BAD_REQUEST,
            "This is no trace id",
            "A trace id has 32 hexadecimal digits.",
        );
    };
    let trace = match find_trace(&app, parsed).await {
        Ok(Some(trace)) => trace,
        Ok(None) => {
            return not_found(
                &app,
                "This trace is not kept",
                "It may have been dropped to make room for newer ones, or its spans have not arrived yet. Reload in a few seconds, or look at the newest traces.",
            );
        }
        Err(why) => {
            return problem_page(
                &app,
                StatusCode::BAD_GATEWAY,
                "This trace cannot be fetched",
                &format!("{why}. Reload once it answers again."),
            );
        }
    };
    let shown = app.shown();
    let evidence = Arc::clone(&seen.evidence);
    let documented = trace
        .services
        .keys()
        .flat_map(|service| documented(&shown.book, &evidence, service))
        .fold(Vec::new(), |mut all: Vec<Documented>, place| {
            if !all.contains(&place) {
                all.push(place);
            }
            all
        });
    let logs = super::logs::of_trace(&app, parsed);
    let site = seen.site(&app, &shown);
    seen.html(pages::render_trace(&site, &trace, &logs, &documented, Some(&evidence)))
}

/// A 404 page.
pub(super) fn not_found(app: &App, title: &str, what_to_do: &str) -> Response {
    problem_page(app, StatusCode::NOT_FOUND, title, what_to_do)
}

pub(super) fn problem_page(
    app: &App,
    status: StatusCode,
    title: &str,
    what_to_do: &str,
) -> Response {
    leading_page(app, status, title, what_to_do, &[])
}

/// The same with ways out: words and addresses.
pub(super) fn leading_page(
    app: &App,
    status: StatusCode,
    title: &str,
    what_to_do: &str,
    ways: &[(&str, String)],
) -> Response {
    let shown = app.shown();
    let page = pages::render_error(&site(app, &shown), status.as_u16(), title, what_to_do, ways);
    (status, html(page)).into_response()
}

pub(super) fn html(page: String) -> Response {
    ([(header::CACHE_CONTROL, "no-cache")], Html(page)).into_response()
}

fn service_view(
    app: &App,
    book: &Book,
    service: &ServiceEvidence,
    (evidence, past): (&Evidence, Option<&ServiceGraph>),
    range_s: u32,
) -> ServiceView {
    let name = service.id.0.as_str();
    let (calls_in, calls_out) = match past {
        Some(graph) => calls(graph, name),
        None => {
            let window_ms = i64::from(evidence.window) * 1000;
            calls(&app.backend.traces.graph(window_ms, evidence.at), name)
        }
    };
    let recent = Search {
        service: Some(name.to_owned()),
        to_ms: Some(evidence.at - ARRIVAL_MS),
        limit: RECENT_TRACES,
        ..Search::default()
    };
    ServiceView {
        service: service.clone(),
        charts: waiting(app, || charts(app, name, range_s, evidence)),
        traces: match past {
            // The traces of then may be on disk alone.
            Some(_) => waiting(app, || app.backend.search_traces(&recent)),
            None => app.backend.traces.search(&recent),
        },
        calls_in,
        calls_out,
        documented: documented(book, evidence, name),
        range_s,
    }
}

fn calls(graph: &ServiceGraph, name: &str) -> (Vec<Call>, Vec<Call>) {
    let call = |edge: &GraphEdge, peer: &traces::GraphNode| {
        let figure =
            |value: f64| if value.is_finite() { Figure::Value(value) } else { Figure::NoTraffic };
        Call {
            peer: peer.name.to_string(),
            kind: match peer.kind {
                NodeKind::Service => "service",
                NodeKind::Database => "database",
                NodeKind::Queue => "queue",
                NodeKind::External => "external",
                NodeKind::User => "user",
            }
            .to_owned(),
            rate: figure(edge.rate),
            p95: edge.p95_s.map_or(Figure::NoTraffic, figure),
            errors: edge.error_ratio.map_or(Figure::NoTraffic, figure),
        }
    };
    let is_it = |node: &traces::GraphNode| node.kind == NodeKind::Service && &*node.name == name;
    let calls_in =
        graph.edges.iter().filter(|edge| is_it(&edge.to)).map(|edge| call(edge, &edge.from));
    let calls_out =
        graph.edges.iter().filter(|edge| is_it(&edge.from)).map(|edge| call(edge, &edge.to));
    (calls_in.collect(), calls_out.collect())
}

/// Sections whose strip or diagram shows the service.
fn documented(book: &Book, evidence: &Evidence, name: &str) -> Vec<Documented> {
    let mut places = Vec::new();
    for page in &book.pages {
        let Some(seen) = evidence.pages.get(&page.id) else { continue };
        for section in &page.sections {
            let bound = seen
                .strips
                .get(&section.id)
                .is_some_and(|strip| strip.services.iter().any(|service| service.0 == name));
            if bound {
                places.push(Documented {
                    title: section.title.clone(),
                    href: format!("{}#{}", page.path, section.id),
                });
            }
        }
    }
    places
}
