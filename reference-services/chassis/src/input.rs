//! From an HTTP request to typed values, with problem details that name the
//! field when that fails. The `api` files of the services use these extractors.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::problem::{Failure, field};

/// Largest request body that a service reads, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// A JSON body: the value, and the bytes it came from.
#[derive(Debug)]
pub struct Posted<T> {
    /// What the body says.
    pub value: T,
    /// The body as it was sent.
    pub raw: Bytes,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Posted<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let media_type = request.headers().get(header::CONTENT_TYPE);
        if !media_type.is_some_and(|value| value.as_bytes().starts_with(b"application/json")) {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Failure::new(status, "media-type", "the body must be `application/json`"));
        }
        let raw = read(request, state).await?;
        Ok(Self { value: decode(&raw)?, raw })
    }
}

/// The body's bytes, up to the limit that the chassis sets.
pub async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Failure> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body is too large")
                .detail(format!("at most {MAX_BODY_BYTES} bytes are read"))
        }
        _ => Failure::malformed("the body ended early"),
    })
}

/// JSON to a value. Text that is no JSON is malformed; JSON of another shape
/// is invalid, and the field is named.
pub fn decode<T: DeserializeOwned>(raw: &[u8]) -> Result<T, Failure> {
    let not_json = |error| Failure::malformed(format!("the body is not JSON: {error}"));
    let mut json = serde_json::Deserializer::from_slice(raw);
    let error = match serde_path_to_error::deserialize(&mut json) {
        Ok(value) => return json.end().map(|()| value).map_err(not_json),
        Err(error) => error,
    };
    let path = error.path().to_string();
    let inner = error.into_inner();
    if !inner.is_data() {
        return Err(not_json(inner));
    }
    with_whole_numbers(raw).ok_or_else(|| {
        let message = inner.to_string();
        Failure::invalid(vec![field(whole_path(&path, &message), message)])
    })
}

/// The value when whole numbers are written like `3.0`, which JSON and JSON Schema do not tell from `3`.
fn with_whole_numbers<T: DeserializeOwned>(raw: &[u8]) -> Option<T> {
    let mut json = serde_json::from_slice(raw).ok()?;
    whole(&mut json);
    serde_json::from_value(json).ok()
}

fn whole(json: &mut Value) {
    /// Up to here every whole number has a float of its own.
    const EXACT: f64 = (1_u64 << 53) as f64;
    match json {
        Value::Array(items) => items.iter_mut().for_each(whole),
        Value::Object(fields) => fields.values_mut().for_each(whole),
        Value::Number(number) if number.is_f64() => {
            let whole = number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() <= EXACT);
            if let Some(whole) = whole {
                *json = Value::from(whole as i64);
            }
        }
        _ => {}
    }
}

/// The path of a field that is missing ends at its parent; its name is in the message.
fn whole_path(path: &str, message: &str) -> String {
    let parent = path.trim_start_matches('.');
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match (parent, missing) {
        ("", Some(name)) => name.to_owned(),
        (parent, Some(name)) => format!("{parent}.{name}"),
        ("", None) => ".".to_owned(),
        (parent, None) => parent.to_owned(),
    }
}

/// The id at the end of a path such as `/v1/orders/{id}`.
#[derive(Debug, Clone, Copy)]
pub struct Id(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await?;
        Uuid::parse_str(&text)
            .map(Self)
            .map_err(|_| Failure::invalid(vec![field("id", "must be a UUID")]))
    }
}

/// The header `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// Longest idempotency key, in bytes.
pub const MAX_KEY_BYTES: usize = 128;

impl IdempotencyKey {
    /// A key from its text: 1 to 128 printable ASCII characters without spaces.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=MAX_KEY_BYTES).contains(&text.len());
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let Some(value) = parts.headers.get(contracts::IDEMPOTENCY_KEY) else {
            return Err(Failure::malformed("the header `Idempotency-Key` is missing"));
        };
        value.to_str().ok().and_then(Self::parse).ok_or_else(|| {
            Failure::malformed(
                "the header `Idempotency-Key` must be 1 to 128 printable ASCII characters",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use contracts::orders::PlaceOrder;

    use super::*;

    #[test]
    fn a_wrong_body_names_its_field() {
        let cases = [
            ("{", 400, None),
            ("{} x", 422, Some("lines")),
            (r#"{"currency":"EUR"}"#, 422, Some("lines")),
            (r#"{"lines":[],"currency":"XXX"}"#, 422, Some("currency")),
            (
                r#"{"lines":[{"sku":"a","unit_price_minor":1}],"currency":"EUR"}"#,
                422,
                Some("lines[0].quantity"),
            ),
            (
                r#"{"lines":[{"sku":"a","quantity":-1,"unit_price_minor":1}]}"#,
                422,
                Some("lines[0].quantity"),
            ),
            (r#"{"lines":[],"currency":"EUR","x":1}"#, 422, Some("x")),
            (r#"{"lines":[],"currency":"EUR"} x"#, 400, None),
        ];
        for (body, status, field) in cases {
            let problem = decode::<PlaceOrder>(body.as_bytes()).unwrap_err().problem();
            assert_eq!(problem.status, status, "{body}");
            assert_eq!(problem.errors.first().map(|error| error.field.as_str()), field, "{body}");
        }
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let line = |quantity: &str| {
            format!(
                r#"{{"lines":[{{"sku":"a","quantity":{quantity},"unit_price_minor":1.0}}],"currency":"EUR"}}"#
            )
        };
        let placed = decode::<PlaceOrder>(line("2.0").as_bytes()).unwrap();
        assert_eq!((placed.lines[0].quantity, placed.lines[0].unit_price_minor), (2, 1));
        let problem = decode::<PlaceOrder>(line("2.5").as_bytes()).unwrap_err().problem();
        assert_eq!(problem.errors[0].field, "lines[0].quantity");
    }

    #[test]
    fn keys_are_short_and_printable() {
        let long = "x".repeat(MAX_KEY_BYTES + 1);
        let cases =
            [("a", true), ("", false), ("a b", false), ("ä", false), (long.as_str(), false)];
        for (text, good) in cases {
            assert_eq!(IdempotencyKey::parse(text).is_some(), good, "{text}");
        }
    }
}
