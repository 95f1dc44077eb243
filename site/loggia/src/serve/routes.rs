//! Addresses of the site and the headers of every answer.

use super::{App, api, events, views, watch};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use document::Page;
use std::any::Any;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

/// No script of the page's own, nothing from elsewhere. Styles may stand in attributes: a diagram's
/// author gives fills there.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data: https:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'";
/// The name of a theme's file holds its content's hash, so it never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// Everything that the site answers.
pub(super) fn router(app: Arc<App>) -> Router {
    let prometheus =
        telemetry::prometheus_router(Arc::clone(&app.backend), telemetry::Clock::system());
    let otlp = telemetry::otlp_http_router(Arc::clone(&app.backend));
    Router::new()
        .route("/", get(index))
        .route("/live/services", get(views::services))
        .route("/live/services/{name}", get(views::service))
        .route("/live/traces", get(views::traces))
        .route("/live/traces/{id}", get(views::trace))
        .route("/api/live/events", get(events::stream))
        .route("/api/live/snapshot", get(api::snapshot))
        .route("/api/live/services", get(api::services))
        .route("/api/live/traces", get(api::traces))
        .route("/api/live/traces/{id}", get(api::trace))
        .route("/api/{*rest}", get(api::unknown))
        .route("/metrics", get(api::metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(|| async { "ready\n" }))
        .route("/assets/{*path}", get(asset))
        .route("/{*path}", get(page_or_file))
        .with_state(Arc::clone(&app))
        .nest("/prometheus", prometheus)
        .nest("/otlp", otlp)
        .fallback(nowhere)
        .layer(CompressionLayer::new().gzip(true))
        .layer(middleware::from_fn(headers))
        .layer(CatchPanicLayer::custom(after_panic))
}

async fn index(State(app): State<Arc<App>>) -> Response {
    let shown = app.shown();
    let page = shown.book.pages.iter().find(|page| page.path == "index.html");
    match page.or(shown.book.pages.first()) {
        Some(page) => show_page(&app, page),
        None => views::not_found(
            &app,
            "There is no page yet",
            "Save a Markdown file in the book's folder.",
        ),
    }
}

async fn page_or_file(State(app): State<Arc<App>>, Path(path): Path<String>) -> Response {
    let shown = app.shown();
    let book = &shown.book;
    let at = |path: &str| book.pages.iter().find(|page| page.path == path);
    if let Some(page) = at(&path) {
        return show_page(&app, page);
    }
    let trimmed = path.trim_end_matches('/');
    if path == "index.html" {
        return index(State(app.clone())).await;
    }
    // `/guide/intro` and `/guide/` are what people type.
    for guess in [format!("{trimmed}.html"), format!("{trimmed}/index.html")] {
        if at(&guess).is_some() {
            return Redirect::permanent(&format!("/{guess}")).into_response();
        }
    }
    if let Some(answer) = file(&app, &path).await {
        return answer;
    }
    views::not_found(
        &app,
        "There is no such page",
        "It may have been renamed. The pages of this book are in the sidebar.",
    )
}

async fn nowhere(request: Request) -> Response {
    api::problem(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("`{}` is not for `{}`", request.uri().path(), request.method()),
        "pages answer to GET; OTLP takes POST at /otlp/v1/traces",
    )
}

fn show_page(app: &App, page: &Arc<Page>) -> Response {
    let evidence = app.evidence();
    let shown = app.shown();
    let problems = shown.problems(&page.id);
    let site = views::site(app, &shown.book);
    let html = pages::render_page(&site, page, Some(&evidence), &problems, shown.is_kept(&page.id));
    ([(header::CACHE_CONTROL, "no-cache")], Html(html)).into_response()
}

async fn asset(State(app): State<Arc<App>>, Path(path): Path<String>) -> Response {
    let path = format!("assets/{path}");
    match app.assets.get(&path) {
        Some(asset) => (
            [(header::CONTENT_TYPE, asset.mime), (header::CACHE_CONTROL, FOREVER)],
            asset.bytes.clone(),
        )
            .into_response(),
        None => match file(&app, &path).await {
            Some(answer) => answer,
            None => {
                views::not_found(&app, "There is no such file", "Reload the page that named it.")
            }
        },
    }
}

/// A file of the author's beside the Markdown: only what the last reading of the folder listed.
async fn file(app: &App, path: &str) -> Option<Response> {
    let (folder, listed) = {
        let files = app.files.read().expect("no holder of this lock panics");
        (files.pages_dir.clone(), files.assets.iter().any(|asset| asset == path))
    };
    let target = folder.join(path);
    if !listed || !watch::is_below(&target, &folder) {
        return None;
    }
    let bytes = tokio::fs::read(&target).await.ok()?;
    let mime = mime_of(path);
    Some(
        ([(header::CONTENT_TYPE, mime), (header::CACHE_CONTROL, "no-cache")], bytes)
            .into_response(),
    )
}

fn mime_of(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "svg" => "image/svg+xml",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "txt" | "toml" | "yaml" | "yml" => "text/plain; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        _ => "application/octet-stream",
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
