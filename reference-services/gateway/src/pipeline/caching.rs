//! Stage 9, and the end of the way: whether the client has the answer already
//! (RFC 9110, 13.1.2), whether others may keep it, and where it came from (the
//! header `Cache-Status`, RFC 9211). Then stage 10, and it travels.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::compression;
use super::stages::{Stage, Trail};
use super::transformation::own_tag;
use crate::cache::Kept;
use crate::domain::{Caching, Guard, Route};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// An answer that was kept, given again.
pub(crate) fn again(request: &HeaderMap, kept: &Kept, trail: &mut Trail<'_>) -> Response {
    let mut headers = kept.headers.clone();
    headers.insert(CACHE_STATUS, HeaderValue::from_static("gateway; hit"));
    // Who keeps it asks each time whether it is still the same.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
    finish(request, kept, headers, true, trail)
}

/// An answer that has just come.
pub(crate) fn first(
    route: &Route,
    request: &HeaderMap,
    kept: &Kept,
    trail: &mut Trail<'_>,
) -> Response {
    let mut headers = kept.headers.clone();
    if route.cache != Caching::No {
        headers.insert(CACHE_STATUS, HeaderValue::from_static("gateway; fwd=miss"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
    } else if route.guard != Guard::Open {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    finish(request, kept, headers, own_tag(route), trail)
}

fn finish(
    request: &HeaderMap,
    kept: &Kept,
    mut headers: HeaderMap,
    tagged: bool,
    trail: &mut Trail<'_>,
) -> Response {
    let mut body = kept.body.clone();
    let compressible = compression::worth_it(&headers, &body);
    if compressible {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    if tagged && kept.status == StatusCode::OK && has_it(request, &headers) {
        trail.passed(Stage::Caching, "not_modified");
        headers.remove(header::CONTENT_TYPE);
        return response(StatusCode::NOT_MODIFIED, headers, Body::empty());
    }
    trail.passed(Stage::Caching, "passed");
    let gzip = compressible && compression::accepted(request);
    if gzip {
        body = kept.gzip.get_or_init(|| compression::gzip(&body)).clone();
        compression::describe(&mut headers);
    }
    trail.passed(Stage::Compression, if gzip { "gzip" } else { "as_it_is" });
    response(kept.status, headers, Body::from(body))
}

fn response(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    response
}

/// Whether the client names the answer's tag; weak tags are as good (RFC 9110, 8.8.3.2).
fn has_it(request: &HeaderMap, headers: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let Some(tag) = headers.get(header::ETAG).and_then(text) else { return false };
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let mut known = request.get_all(header::IF_NONE_MATCH).iter().filter_map(text);
    known.any(|tags| {
        tags.split(',').any(|known| known.trim() == "*" || strong(known) == strong(&tag))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_what_it_names() {
        let cases = [
            (r#""a""#, true),
            (r#"W/"a""#, true),
            (r#""x", W/"a""#, true),
            ("*", true),
            (r#""b""#, false),
            ("a", false),
        ];
        let headers = HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static(r#""a""#))]);
        for (value, has) in cases {
            let value = HeaderValue::from_static(value);
            let request = HeaderMap::from_iter([(header::IF_NONE_MATCH, value)]);
            assert_eq!(has_it(&request, &headers), has, "{request:?}");
        }
        assert!(!has_it(&HeaderMap::new(), &headers));
    }
}
