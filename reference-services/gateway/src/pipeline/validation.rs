//! Stage 4: what cannot be right ends here and costs no service anything: an
//! address that is too long, a body that is too large or no JSON.

use axum::extract::Request;
use bytes::Bytes;
use chassis::Failure;
use chassis::input::read;
use http::{HeaderMap, StatusCode, header};

use super::State;
use crate::domain::{Route, Verb};

/// Longest path with its query, in bytes.
pub(crate) const MAX_TARGET_BYTES: usize = 2_048;

/// A request that may be right, as far as the gateway can tell.
#[derive(Debug)]
pub(crate) struct Inbound {
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) async fn check(
    state: &State,
    route: &Route,
    request: Request,
) -> Result<Inbound, Failure> {
    let checked = inbound(route, request).await;
    if checked.is_err() {
        state.refuse("validation");
    }
    checked
}

async fn inbound(route: &Route, request: Request) -> Result<Inbound, Failure> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    if target.len() > MAX_TARGET_BYTES {
        let title = "the address is too long";
        return Err(Failure::new(StatusCode::URI_TOO_LONG, "uri-too-long", title)
            .detail(format!("at most {MAX_TARGET_BYTES} bytes are read")));
    }
    let headers = request.headers().clone();
    if route.verb == Verb::Get {
        return Ok(Inbound { target, headers, body: Bytes::new() });
    }
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced
        .and_then(|length| length.parse().ok())
        .is_some_and(|length| route.max_body < length)
    {
        return Err(too_large(route));
    }
    let body = read(request, &()).await?;
    if body.len() > route.max_body {
        return Err(too_large(route));
    }
    let json = |value: &http::HeaderValue| value.as_bytes().starts_with(b"application/json");
    if !body.is_empty() && !headers.get(header::CONTENT_TYPE).is_some_and(json) {
        let title = "the body must be `application/json`";
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", title));
    }
    Ok(Inbound { target, headers, body })
}

fn too_large(route: &Route) -> Failure {
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body is too large")
        .detail(format!("at most {} bytes are read", route.max_body))
}
