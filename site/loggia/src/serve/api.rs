//! JSON answers, Loggia's own metrics, and problems in words.

use super::seen::Seen;
use super::{App, events, past_alerts, views};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;

/// A problem as JSON: what happened and what to do.
pub(super) fn problem(status: StatusCode, title: &str, help: &str) -> Response {
    (status, Json(json!({ "status": status.as_u16(), "title": title, "help": help })))
        .into_response()
}

/// Addresses below `/api/` that lead nowhere.
pub(super) async fn unknown() -> Response {
    problem(StatusCode::NOT_FOUND, "there is no such address", "see /api/live/snapshot?page=index")
}

/// `?page=`, and the seconds that the charts of a service reach back.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    page: String,
}

/// `GET /api/live/snapshot?page=ID`: the typed evidence of a page and its formatted cells.
pub(super) async fn snapshot(
    State(app): State<Arc<App>>,
    Query(which): Query<Which>,
    seen: Seen,
) -> Response {
    let evidence = &seen.evidence;
    let span = events::span_of(&app, seen.moment);
    let view = events::View { page: which.page.clone(), span };
    let Some(cells) = super::engines::waiting(|| views::cells_seen(&app, &view, &seen)) else {
        return problem(
            StatusCode::NOT_FOUND,
            &format!("there is no page `{}`", which.page),
            "`page` is a page's path without its ending, for instance `index`",
        );
    };
    Json(json!({
        "at": evidence.at,
        "window": evidence.window,
        "page": evidence.pages.get(&which.page),
        "cells": cells,
    }))
    .into_response()
}

/// `GET /api/live/evidence`: all that is known, for `loggia build --snapshot`.
pub(super) async fn evidence(seen: Seen) -> Response {
    Json(&*seen.evidence).into_response()
}

/// `GET /api/live/services`.
pub(super) async fn services(seen: Seen) -> Response {
    let evidence = seen.evidence;
    Json(json!({ "at": evidence.at, "window": evidence.window, "services": evidence.services }))
        .into_response()
}

/// `GET /api/live/objectives`: attainment, budgets and burn rates.
pub(super) async fn objectives(seen: Seen) -> Response {
    let evidence = seen.evidence;
    Json(json!({ "at": evidence.at, "objectives": evidence.objectives })).into_response()
}

/// `GET /api/live/objectives/rules.yml`: for a Prometheus that is to raise the same alerts.
pub(super) async fn objective_rules(State(app): State<Arc<App>>) -> Response {
    let rules = evidence::objective_rules(&app.shown().book);
    ([(header::CONTENT_TYPE, "application/yaml; charset=utf-8")], rules).into_response()
}

/// `GET /api/live/moments`: since when telemetry is kept, and when alerts fired; for the bar that leads to other moments.
pub(super) async fn moments(State(app): State<Arc<App>>) -> Response {
    let Some((since, until)) = super::seen::kept(&app) else {
        return Json(json!({ "since": null, "until": null, "fired": [] })).into_response();
    };
    let asking = Arc::clone(&app);
    let found = tokio::task::spawn_blocking(move || past_alerts::fired(&asking, since, until));
    let fired = found.await.unwrap_or_default();
    let fired: Vec<_> = fired
        .iter()
        .map(|(name, from, to)| json!({ "alert": name, "from": from, "to": to }))
        .collect();
    Json(json!({ "since": since, "until": until, "fired": fired })).into_response()
}

/// `GET /api/live/drift`: what the diagrams draw against what the traces show.
pub(super) async fn drift(seen: Seen) -> Response {
    let evidence = seen.evidence;
    Json(json!({ "at": evidence.at, "drift": evidence.drift })).into_response()
}

/// `GET /api/live/claims`: every figure that the book states, with its verdict.
pub(super) async fn claims(State(app): State<Arc<App>>, seen: Seen) -> Response {
    let evidence = &seen.evidence;
    let shown = app.shown();
    let mut claims = Vec::new();
    for figure in evidence::stated_figures(&shown.book, evidence.window) {
        for told in &figure.statements {
            let page = shown.book.page(&told.page);
            let Some(measured) = told.measured(evidence) else { continue };
            claims.push(json!({
                "page": told.page,
                "source": page.map(|page| &page.source),
                "section": told.section,
                "figure": figure.id,
                "label": figure.label,
                "claim": told.words,
                "understood": told.claim,
                "query": figure.query,
                "services": figure.services,
                "measured": measured,
            }));
        }
    }
    Json(json!({ "at": evidence.at, "window": evidence.window, "claims": claims })).into_response()
}

/// `GET /api/live/traces/ID`.
pub(super) async fn trace(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    let Ok(parsed) = id.parse::<::traces::TraceId>() else {
        return problem(
            StatusCode::BAD_REQUEST,
            &format!("`{id}` is no trace id"),
            "a trace id has 32 hexadecimal digits",
        );
    };
    match super::traces::find_trace(&app, parsed).await {
        Ok(Some(trace)) => Json(trace).into_response(),
        Err(words) => problem(StatusCode::BAD_GATEWAY, &words, "ask again once the engine answers"),
        Ok(None) => problem(
            StatusCode::NOT_FOUND,
            &format!("trace `{id}` is not kept"),
            "it may have been dropped to make room, or never have arrived",
        ),
    }
}

/// `GET /metrics`: Loggia's own figures as Prometheus text.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let mut text = String::new();
    let evidence = app.evidence();
    let (series, spans) = (app.backend.metrics.stats(), app.backend.traces.stats());
    let figures: [(&str, &str, &str, f64); 10] = [
        (
            "loggia_uptime_seconds",
            "gauge",
            "Seconds since the server started.",
            app.started.elapsed().as_secs_f64(),
        ),
        ("loggia_pages", "gauge", "Pages of the book.", app.shown().book.pages.len() as f64),
        ("loggia_services", "gauge", "Services known.", evidence.services.len() as f64),
        ("loggia_streams", "gauge", "Open server-sent streams.", app.events.open_streams() as f64),
        ("loggia_series", "gauge", "Series in the metrics store.", series.series as f64),
        ("loggia_samples", "gauge", "Samples of series that are in memory.", series.samples as f64),
        (
            "loggia_series_bytes",
            "gauge",
            "Bytes of labels and samples in memory, estimated.",
            series.bytes as f64,
        ),
        ("loggia_traces", "gauge", "Traces in the trace store.", spans.traces as f64),
        ("loggia_spans", "gauge", "Spans in the trace store.", spans.spans as f64),
        ("loggia_span_bytes", "gauge", "Bytes of spans in memory, estimated.", spans.bytes as f64),
    ];
    for (name, kind, help, value) in figures {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    }
    let came_in = &app.backend.counters;
    for (what, accepted, refused) in [
        ("spans", &came_in.spans, &came_in.spans_rejected),
        ("logs", &came_in.logs, &came_in.logs_rejected),
        ("points", &came_in.points, &came_in.points_rejected),
        ("otlp_requests", &came_in.requests, &came_in.requests_rejected),
        ("scrapes", &came_in.scrapes, &came_in.scrapes_failed),
        ("samples", &came_in.samples, &came_in.samples_rejected),
        ("remote_writes", &came_in.remote_writes, &came_in.remote_writes_rejected),
        ("remote_samples", &came_in.remote_samples, &came_in.remote_samples_rejected),
    ] {
        let name = format!("loggia_{what}_total");
        let _ =
            writeln!(text, "# HELP {name} What came in since the start.\n# TYPE {name} counter");
        for (outcome, counter) in [("accepted", accepted), ("refused", refused)] {
            let _ = writeln!(text, "{name}{{outcome=\"{outcome}\"}} {}", counter.get());
        }
    }
    super::store::write_metrics(&app.backend, &mut text);
    super::alerts::write_metrics(&app, &mut text);
    app.sources.write_metrics(&mut text);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
