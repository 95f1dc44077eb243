//! Addresses of the site and the headers of every answer.

use super::seen::Seen;
use super::shown::Shown;
use super::{
    App, alerts, api, charts, engines, events, explore, figures, logs, map, search, store,
    timeline, trace, traces, views, watch,
};
use crate::build::extras;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use document::Page;
use std::any::Any;
use std::sync::Arc;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::services::ServeFile;

/// No script of the page's own, nothing from elsewhere. Styles may stand in attributes: a diagram's
/// author gives fills there.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data: https:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'";
/// The name of a theme's file holds its content's hash, so it never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// Everything that the site answers.
pub(super) fn router(app: Arc<App>) -> Router {
    let hosts = Hosts::of(&app.options.hostname);
    let prometheus = match &app.sources.prometheus {
        Some(engine) => telemetry::prometheus_proxy(Arc::clone(engine)),
        None => telemetry::prometheus_router(Arc::clone(&app.backend), telemetry::Clock::system())
            .merge(telemetry::rules_router(Arc::clone(&app.alerting.rules))),
    };
    let jaeger = telemetry::jaeger_router(Arc::clone(&app.backend));
    let otlp = telemetry::otlp_http_router(Arc::clone(&app.backend));
    Router::new()
        .route("/", get(index))
        .route("/live/map", get(map::show))
        .route("/live", get(|| async { Redirect::temporary("/live/services") }))
        .route("/live/", get(|| async { Redirect::temporary("/live/services") }))
        .route("/live/services", get(views::services))
        .route("/live/services/{name}", get(views::service))
        .route("/live/traces", get(traces::page))
        .route("/live/logs", get(logs::page))
        .route("/live/objectives", get(views::objectives))
        .route("/live/objectives/{id}", get(views::objective))
        .route("/live/figures", get(figures::list))
        .route("/live/figures/{id}", get(figures::page))
        .route("/live/alerts", get(alerts::page))
        .route("/live/explore", get(explore::page))
        .route("/live/drift", get(views::drift))
        .route("/live/traces/{id}", get(trace::page))
        .route("/live/traces/{id}/otlp.json", get(trace::otlp))
        .route("/live/traces/{id}/spans/{span}", get(trace::span))
        .route("/api/live/events", get(events::stream))
        .route("/api/live/snapshot", get(api::snapshot))
        .route("/api/live/moments", get(api::moments))
        .route("/api/live/evidence", get(api::evidence))
        .route("/api/live/services", get(api::services))
        .route("/api/live/objectives", get(api::objectives))
        .route("/api/live/objectives/rules.yml", get(api::objective_rules))
        .route("/api/live/drift", get(api::drift))
        .route("/api/live/claims", get(api::claims))
        .route("/api/live/chart", get(charts::json))
        .route("/api/live/chart.csv", get(charts::csv))
        .route("/api/live/logs", get(logs::api))
        .route("/api/live/timeline", get(timeline::api))
        .route("/api/live/traces", get(traces::api))
        .route("/api/live/traces/{id}", get(api::trace))
        .route("/api/{*rest}", get(api::unknown))
        .route("/metrics", get(api::metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(store::ready))
        .route("/assets/search/{name}", get(search::file))
        .route("/assets/{*path}", get(asset))
        .route("/{*path}", get(page_or_file))
        .with_state(Arc::clone(&app))
        // Some clients ask here whether anybody is there.
        .route("/prometheus/", get(|| async { Redirect::temporary("/prometheus") }))
        .nest("/prometheus", prometheus)
        .nest("/jaeger", jaeger)
        .nest("/otlp", otlp)
        .method_not_allowed_fallback(wrong_method)
        .fallback(wrong_method)
        .layer(CompressionLayer::new().gzip(true))
        .layer(middleware::from_fn_with_state(hosts, known_host))
        .layer(middleware::from_fn(headers))
        .layer(CatchPanicLayer::custom(after_panic))
}

async fn index(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let shown = app.shown();
    let page = shown.book.pages.iter().find(|page| page.path == "index.html");
    match page.or(shown.book.pages.first()) {
        Some(page) => show_page(&app, page, &uri).await,
        None => views::not_found(
            &app,
            "There is no page yet",
            "Save a Markdown file in the book's folder.",
        ),
    }
}

async fn page_or_file(
    State(app): State<Arc<App>>,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    let shown = app.shown();
    let book = &shown.book;
    let at = |path: &str| book.pages.iter().find(|page| page.path == path);
    if let Some(page) = at(&path) {
        return show_page(&app, page, request.uri()).await;
    }
    if path == pages::SEARCH_PATH && !book.config.search_off {
        return search::page(&app, request.uri().query()).await;
    }
    if let Some(moved) = book.redirects().iter().find(|redirect| redirect.path == path) {
        return lead_on(&app, &shown, moved);
    }
    let trimmed = path.trim_end_matches('/');
    if path == "index.html" {
        return index(State(app.clone()), request.uri().clone()).await;
    }
    // `/guide/intro` and `/guide/` are what people type. Not for good: tomorrow another book may be
    // served on this port.
    for guess in [format!("{trimmed}.html"), format!("{trimmed}/index.html")] {
        if at(&guess).is_some() {
            let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
            return Redirect::temporary(&format!("/{guess}{query}")).into_response();
        }
    }
    if path.starts_with("prometheus/") || path.starts_with("otlp/") {
        return api::unknown().await;
    }
    if let Some(answer) = file(&app, &path, request).await {
        return answer;
    }
    let site = views::site(&app, &shown);
    if let Some(text) = plain_text(&site, &path) {
        return ([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], text).into_response();
    }
    if let Some(html) = pages::render_extra(&site, &path, Some(&app.evidence())) {
        return views::html(html);
    }
    (StatusCode::NOT_FOUND, views::html(pages::render_lost(&site, Some(&path)))).into_response()
}

/// What `build` writes for programs that read: `llms.txt`, and the Markdown beside each page.
fn plain_text(site: &pages::Site, path: &str) -> Option<String> {
    if path == extras::LLMS {
        return Some(extras::llms(site));
    }
    let stem = path.strip_suffix(".md")?;
    let page = site.book.page_at(&format!("{stem}.html"))?;
    Some(page.file.text().to_owned())
}

/// Leads to where a page has moved. Fragments never reach the server: where some of them lead
/// elsewhere, the page itself sorts them out. Kept by no cache, since tomorrow another book may be
/// served on this port.
fn lead_on(app: &App, shown: &Shown, moved: &document::Redirect) -> Response {
    let fresh = (header::CACHE_CONTROL, "no-cache");
    match &moved.target {
        Some(target) if moved.fragments.is_empty() => {
            let target: String = target
                .bytes()
                .map(|byte| match byte {
                    b'!'..=b'~' => char::from(byte).to_string(),
                    byte => format!("%{byte:02X}"),
                })
                .collect();
            ([fresh], Redirect::permanent(&target)).into_response()
        }
        _ => {
            let html = pages::render_redirect(&views::site(app, shown), moved);
            ([fresh], Html(html)).into_response()
        }
    }
}

async fn wrong_method(request: Request) -> Response {
    api::problem(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("`{}` is not for `{}`", request.uri().path(), request.method()),
        "pages answer to GET; OTLP takes POST at /otlp/v1/traces",
    )
}

async fn show_page(app: &Arc<App>, page: &Arc<Page>, uri: &Uri) -> Response {
    let seen = match Seen::read(app, uri).await {
        Ok(seen) => seen,
        Err(answer) => return answer,
    };
    let shown = app.shown();
    let problems = shown.problems(&page.id);
    let (site, kept) = (seen.site(app, &shown), shown.is_kept(&page.id));
    let span = events::span_of(app, seen.moment);
    let drawn = engines::waiting(|| charts::of_page(app, page, span, seen.at()));
    let site = pages::Site { charts: &drawn, ..site };
    seen.html(pages::render_page(&site, page, Some(&seen.evidence), &problems, kept))
}

async fn asset(
    State(app): State<Arc<App>>,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    let path = format!("assets/{path}");
    let shown = app.shown();
    match shown.assets.get(&path) {
        Some(asset) => (
            [(header::CONTENT_TYPE, asset.mime), (header::CACHE_CONTROL, FOREVER)],
            asset.bytes.clone(),
        )
            .into_response(),
        None => match (file(&app, &path, request).await, shown.assets.newer(&path)) {
            (Some(answer), _) => answer,
            // A page that is a moment old is better off with today's style than with none.
            (None, Some(newer)) => (
                [(header::CONTENT_TYPE, newer.mime), (header::CACHE_CONTROL, "no-cache")],
                newer.bytes.clone(),
            )
                .into_response(),
            (None, None) => {
                views::not_found(&app, "There is no such file", "Reload the page that named it.")
            }
        },
    }
}

/// A file of the author's beside the Markdown: only what the last reading of the folder listed.
async fn file(app: &App, path: &str, request: Request) -> Option<Response> {
    let (folder, listed) = {
        let files = app.files.read().expect("no holder of this lock panics");
        let added = files.added.iter().any(|added| added == path);
        let folder = if added { &files.root } else { &files.pages_dir };
        (folder.clone(), added || files.assets.iter().any(|asset| asset == path))
    };
    if !listed {
        return None;
    }
    let target = folder.join(path);
    let checked = target.clone();
    let inside = tokio::task::spawn_blocking(move || watch::is_below(&checked, &folder));
    if !inside.await.unwrap_or(false) {
        return None;
    }
    let answer = ServeFile::new(target).oneshot(request).await.ok()?;
    (answer.status() != StatusCode::NOT_FOUND).then(|| answer.into_response())
}

/// Names under which this server may be asked. A page elsewhere could otherwise let its own name point
/// here and read everything (DNS rebinding).
#[derive(Debug, Clone)]
enum Hosts {
    /// Loopback names only, because that is where it listens.
    Loopback,
    /// Listening for others, it cannot know all its names.
    Any,
}

impl Hosts {
    fn of(hostname: &str) -> Self {
        let address: Option<std::net::IpAddr> = hostname.parse().ok();
        match address {
            Some(address) if !address.is_loopback() => Self::Any,
            None if hostname != "localhost" => Self::Any,
            _ => Self::Loopback,
        }
    }

    fn knows(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.trim_matches(['[', ']']);
        let address: Option<std::net::IpAddr> = name.parse().ok();
        matches!(self, Self::Any)
            || name.eq_ignore_ascii_case("localhost")
            || name.to_ascii_lowercase().ends_with(".localhost")
            || address.is_some_and(|address| address.is_loopback())
    }
}

async fn known_host(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    match host {
        Some(host) if !hosts.knows(host) => api::problem(
            StatusCode::MISDIRECTED_REQUEST,
            "this server answers to loopback names only",
            "open it as http://127.0.0.1 with its port, or listen for others with --hostname",
        ),
        _ => next.run(request).await,
    }
}

async fn headers(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    answer
}

fn after_panic(cause: Box<dyn Any + Send>) -> Response {
    let words = cause
        .downcast_ref::<&str>()
        .map(|words| (*words).to_owned())
        .or_else(|| cause.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    tracing::error!("a request failed inside: {words}");
    api::problem(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the request failed inside Loggia",
        "the log of the server says more; please report it",
    )
}
