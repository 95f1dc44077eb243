//! The last stage: what is worth it travels compressed, if the client can read
//! that (RFC 9110, 12.5.3).

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};

/// Smaller bodies fit into one packet anyway.
pub(crate) const LEAST_BYTES: usize = 1_024;

/// Fast: most of what can be saved, for a third of the time of the default.
const LEVEL: u32 = 2;

/// Whether the client takes gzip.
pub(crate) fn accepted(request: &HeaderMap) -> bool {
    let mut values = request.get_all(header::ACCEPT_ENCODING).iter();
    values.any(|value| value.to_str().is_ok_and(|value| value.split(',').any(takes_gzip)))
}

fn takes_gzip(coding: &str) -> bool {
    let (name, weight) = match coding.split_once(';') {
        Some((name, weight)) => (name.trim(), weight.trim()),
        None => (coding.trim(), ""),
    };
    let refused = weight.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0));
    matches!(name, "gzip" | "x-gzip" | "*") && !refused
}

/// Whether a body is worth it.
pub(crate) fn worth_it(headers: &HeaderMap, body: &[u8]) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let text = kind.starts_with(b"application/json")
        || kind.starts_with(b"application/problem+json")
        || kind.starts_with(b"text/");
    body.len() >= LEAST_BYTES && text
}

/// The body as gzip has it.
pub(crate) fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 3), Compression::new(LEVEL));
    encoder.write_all(body).expect("writing to memory succeeds");
    encoder.finish().expect("writing to memory succeeds").into()
}

/// Says that the body is compressed. A tag is that of the same content in
/// another form, so it is a weak one now.
pub(crate) fn describe(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let weak = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).and_then(|tag| {
        (!tag.starts_with("W/")).then(|| HeaderValue::try_from(format!("W/{tag}")).ok()).flatten()
    });
    if let Some(weak) = weak {
        headers.insert(header::ETAG, weak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_for_gzip_gets_it() {
        let cases = [
            ("gzip", true),
            ("br, gzip;q=0.5", true),
            ("*", true),
            ("", false),
            ("br", false),
            ("gzip;q=0", false),
            ("gzip; q=0.0, br", false),
            ("identity", false),
        ];
        for (value, gzip) in cases {
            let value = HeaderValue::from_static(value);
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)]);
            assert_eq!(accepted(&headers), gzip, "{headers:?}");
        }
        assert!(!accepted(&HeaderMap::new()));
    }
}
