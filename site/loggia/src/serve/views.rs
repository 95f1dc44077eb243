//! The live views: services, one service, objectives, drift. Routes call them; `pages` renders.

use super::App;
use super::charts::{self, Span};
use super::engines::waiting;
use super::events::View;
use super::figures;
use super::moment::Moment;
use super::places;
use super::seen::Seen;
use super::shown::Shown;
use super::tick::now_ms;
use super::traces::ARRIVAL_MS;
use ::traces::{GraphEdge, GraphNode, NodeKind, Search, ServiceGraph};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use document::Book;
use evidence::{Evidence, Figure, ServiceEvidence};
use pages::{Call, Cells, ChartKind, Documented, ServiceView, Site};
use serde::Deserialize;
use std::sync::Arc;

/// Traces listed on a service page.
const RECENT_TRACES: usize = 10;
/// Log records listed there.
const LOG_TAIL: usize = 10;
/// Traces of which the slowest are listed.
const LOOKED_AT: usize = 500;

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
        charts: &[],
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
        let drawn = waiting(|| charts::of_page(app, page, view.span, site.at));
        let site = Site { charts: &drawn, ..site.clone() };
        return Some(pages::cells_for_page(&site, page, evidence));
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
    if view.page == "live/figures" {
        return Some(pages::cells_for_figures(site, evidence));
    }
    if let Some(id) = view.page.strip_prefix("live/figures/") {
        let figure = figures::find(app, evidence, id)?;
        let moment = Moment { at: site.at, ..Moment::default() };
        let view = figures::live_view(app, figure, (view.span, moment), evidence.at);
        return Some(pages::cells_for_figure(site, &view, evidence));
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
    let moment = Moment { at: site.at, ..Moment::default() };
    let usual = || Span::of(moment, usual_range_ms(app, evidence.at), now_ms());
    let span = view.span.unwrap_or_else(usual);
    let view = service_view(app, &shown.book, service, (evidence, graph), span);
    Some(pages::cells_for_service(site, &view, evidence))
}

/// `?show=violated`: which objectives are listed.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Listed {
    #[serde(default)]
    pub(super) show: String,
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

/// `GET /live/services/NAME`.
pub(super) async fn service(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
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
    let Some(_place) = places::exploring(&app).await else {
        return problem_page(
            &app,
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many views are being drawn",
            "Reload in a moment, or look at a shorter time.",
        );
    };
    let shown = app.shown();
    let span = Span::of(seen.moment, usual_range_ms(&app, evidence.at), now_ms());
    let view = service_view(&app, &shown.book, service, (&evidence, seen.graph()), span);
    seen.html(pages::render_service(&seen.site(&app, &shown), &view, &evidence))
}

/// How far charts reach back unless the reader chooses: 15 minutes, or 5 while there is no more.
pub(super) fn usual_range_ms(app: &App, now: i64) -> i64 {
    let oldest = app.sources.metrics().oldest_ms().unwrap_or(now);
    if now - oldest < 300_000 { 300_000 } else { 900_000 }
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
    span: Span,
) -> ServiceView {
    let name = service.id.0.as_str();
    let (calls_in, calls_out) = match past {
        Some(graph) => calls(graph, name),
        None => {
            let window_ms = i64::from(evidence.window) * 1000;
            calls(&app.backend.traces.graph(window_ms, evidence.at), name)
        }
    };
    let now = evidence.at;
    let ends = span.at(now, ChartKind::Line);
    let recent = Search {
        service: Some(name.to_owned()),
        to_ms: Some((now - ARRIVAL_MS).min(ends.to)),
        limit: RECENT_TRACES,
        ..Search::default()
    };
    let within = Search { from_ms: Some(ends.from), limit: LOOKED_AT, ..recent.clone() };
    let find = |search: &Search| match ends.live {
        true => app.backend.traces.search(search),
        // The traces of then may be on disk alone.
        false => app.backend.search_traces(search),
    };
    waiting(|| {
        let (saturation, unmeasured) = charts::saturation(app, name, span, now);
        let marks = charts::marks(app, name, ends);
        let mut slowest = find(&within);
        slowest.sort_by_key(|trace| std::cmp::Reverse(trace.duration_ns));
        slowest.truncate(RECENT_TRACES);
        ServiceView {
            service: service.clone(),
            charts: charts::charts(app, name, span, evidence, now),
            saturation,
            unmeasured,
            instances: charts::instances(app, name, evidence),
            routes: charts::routes(app, name, evidence),
            changes: charts::compared(app, name, &marks, now),
            traces: find(&recent),
            slowest,
            logs: super::logs::newest(app, name, ends.to, LOG_TAIL),
            calls_in,
            calls_out,
            documented: headings(book, documented(book, evidence, name)),
            span: ends,
        }
    })
}

fn calls(graph: &ServiceGraph, name: &str) -> (Vec<Call>, Vec<Call>) {
    let call = |edge: &GraphEdge, peer: &GraphNode| {
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

/// The places without those below their page's own heading where that is one of them, and with
/// that heading where it is not: in a book of several pages the titles of sections alone would
/// not say what they are about.
fn headings(book: &Book, places: Vec<Documented>) -> Vec<Documented> {
    if book.pages.len() < 2 {
        return places;
    }
    let mut below: Option<String> = None;
    let mut kept = Vec::new();
    for place in places {
        let page =
            book.pages.iter().find(|page| place.href.starts_with(&format!("{}#", page.path)));
        let page = page.map(|page| (page, &place.href[page.path.len() + 1..]));
        let Some((page, section)) = page else { continue };
        if below.as_ref() == Some(&page.path) {
            continue;
        }
        let title = match page.sections.iter().find(|one| one.level == 1) {
            Some(top) if top.id == section => {
                below = Some(page.path.clone());
                place.title
            }
            Some(top) => format!("{}: {}", top.title, place.title),
            None => place.title,
        };
        kept.push(Documented { title, href: place.href });
    }
    kept
}

/// Sections whose strip or diagram shows the service.
pub(super) fn documented(book: &Book, evidence: &Evidence, name: &str) -> Vec<Documented> {
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
