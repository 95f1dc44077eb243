//! OTLP over HTTP.

use crate::Backend;
use axum::Router;
use std::sync::Arc;

/// `POST /v1/{traces,metrics,logs}`: mount at `/` of port 4318 and at `/otlp` of the site.
pub fn otlp_http_router(backend: Arc<Backend>) -> Router {
    let _ = backend;
    Router::new()
}
