//! `/live/figures` and `/live/figures/ID`: the history and the traces of what the book states. `pages` shows them.

use super::App;
use super::charts::{Asked, Line, Span};
use super::engines::waiting;
use super::moment::Moment;
use super::seen::Seen;
use super::tick::now_ms;
use super::views::{self, Listed};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use evidence::{Evidence, StatedFigure, stated_figures};
use pages::{Chart, ChartKind, FigureView};
use std::sync::Arc;
use traces::{Search, TraceSummary};

/// What the chart reaches back unless the address says otherwise, milliseconds.
const USUAL_MS: i64 = 900_000;
/// Traces that are listed, the slowest.
const TRACES_SHOWN: usize = 10;
/// Traces that these are chosen from, the newest.
const TRACES_SOUGHT: usize = 200;
/// A trace younger than this may still lack spans.
const ARRIVAL_MS: i64 = 2_000;

/// `GET /live/figures`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Query(listed): Query<Listed>,
    seen: Seen,
) -> Response {
    let shown = app.shown();
    seen.html(pages::render_figures(&seen.site(&app, &shown), &seen.evidence, &listed.show))
}

/// `GET /live/figures/ID`.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    seen: Seen,
) -> Response {
    let shown = app.shown();
    let Some(figure) = find(&app, &seen.evidence, &id) else {
        let ways = [("All figures", "/live/figures".to_owned())];
        return views::leading_page(
            &app,
            StatusCode::NOT_FOUND,
            &format!("The book states no figure `{id}`"),
            "It may have been renamed or taken out of the book. The list has all that there are.",
            &ways,
        );
    };
    let asking = Arc::clone(&app);
    let moment = seen.moment;
    let made = tokio::task::spawn_blocking(move || view(&asking, figure, moment)).await;
    match made {
        Ok(view) => {
            seen.html(pages::render_figure(&seen.site(&app, &shown), &view, &seen.evidence))
        }
        Err(error) => {
            tracing::error!(%error, id, "the page of a figure cannot be made");
            let (status, title) = (StatusCode::INTERNAL_SERVER_ERROR, "This page cannot be made");
            views::problem_page(&app, status, title, "The log of the server says more.")
        }
    }
}

/// The figure with this id.
pub(super) fn find(app: &App, evidence: &Evidence, id: &str) -> Option<StatedFigure> {
    let book = &app.shown().book;
    stated_figures(book, evidence.window).into_iter().find(|figure| figure.id == id)
}

/// Its live values; `span` is what the address says of the chart.
pub(super) fn live_view(
    app: &App,
    figure: StatedFigure,
    (span, moment): (Option<Span>, Moment),
    now: i64,
) -> FigureView {
    let span = span.unwrap_or_else(|| Span::of(moment, USUAL_MS, now));
    let chart = waiting(|| history(app, &figure, span, now));
    FigureView { figure, chart, traces: Vec::new() }
}

fn view(app: &App, figure: StatedFigure, moment: Moment) -> FigureView {
    let now = now_ms();
    let span = Span::of(moment, USUAL_MS, now);
    let ends = span.at(now, ChartKind::Line);
    let chart = history(app, &figure, span, now);
    let traces = slowest(app, &figure, (ends.from, ends.to), now);
    FigureView { figure, chart, traces }
}

/// The chart of what measures it.
fn history(app: &App, figure: &StatedFigure, span: Span, now: i64) -> Option<Chart> {
    let query = figure.query.as_ref()?;
    let scaled = match figure.factor {
        1.0 => query.clone(),
        factor => format!("({query}) * {factor}"),
    };
    let bound = figure.statements.iter().find_map(|told| told.claim.as_ref());
    let asked = Asked {
        title: figure.label.clone(),
        note: "measured, against the claim".to_owned(),
        unit: figure.unit.clone(),
        threshold: bound.filter(|claim| claim.unit == figure.unit).map(|claim| claim.bound),
        lines: vec![Line { name: "measured".to_owned(), query: scaled }],
        // Exemplars say durations, so only durations have any.
        exemplars: (figure.unit == "s").then(|| query.clone()),
        service: figure.services.first().map(|service| service.0.clone()),
        ..Asked::default()
    };
    Some(asked.chart(app, span, now, false))
}

/// The slowest of the newest traces of its services in the span.
fn slowest(
    app: &App,
    figure: &StatedFigure,
    (from, to): (i64, i64),
    now: i64,
) -> Vec<TraceSummary> {
    let mut found: Vec<TraceSummary> = Vec::new();
    for service in &figure.services {
        let search = Search {
            service: Some(service.0.clone()),
            from_ms: Some(from),
            to_ms: Some(to.min(now - ARRIVAL_MS)),
            limit: TRACES_SOUGHT,
            ..Search::default()
        };
        found.extend(app.sources.traces().search(&search).unwrap_or_default());
    }
    found.sort_by_key(|trace| (std::cmp::Reverse(trace.duration_ns), trace.id));
    found.dedup_by_key(|trace| trace.id);
    found.truncate(TRACES_SHOWN);
    found
}
