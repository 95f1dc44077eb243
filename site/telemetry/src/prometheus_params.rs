//! Parameters of the Prometheus HTTP API: from the URL and from a form, in Prometheus's words when they
//! are wrong.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{StatusCode, header};
use jiff::Timestamp;

use crate::prometheus::Failure;

/// Bytes of a form.
const MAX_FORM_BYTES: usize = 1024 * 1024;
/// Milliseconds of a time that stands for "as early" or "as late as there is".
const FAR_MS: f64 = 9.2e15;

/// The parameters of a request, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let mut params = decode(request.uri().query().unwrap_or("").as_bytes());
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let is_form = content_type
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        if request.method() == http::Method::POST && is_form {
            let body: Bytes =
                axum::body::to_bytes(request.into_body(), MAX_FORM_BYTES).await.map_err(|_| {
                    let message = format!(
                        "error parsing form values: the body is larger than {MAX_FORM_BYTES} bytes"
                    );
                    Failure { status: StatusCode::PAYLOAD_TOO_LARGE, kind: "bad_data", message }
                })?;
            params.extend(decode(&body));
        }
        Ok(Self(params))
    }
}

impl Params {
    /// All of them, in order.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The same with `query.startTimeMin` written as `query.start_time_min`.
    pub(crate) fn with_underscores(&self) -> Self {
        let underscored = |name: &String| {
            name.chars().fold(String::with_capacity(name.len() + 4), |mut out, c| {
                if c.is_ascii_uppercase() {
                    out.push('_');
                }
                out.push(c.to_ascii_lowercase());
                out
            })
        };
        Self(self.0.iter().map(|(name, value)| (underscored(name), value.clone())).collect())
    }

    /// The first value of a parameter, or ``.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Every value of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A time in milliseconds since 1970, from seconds or RFC 3339.
    pub(crate) fn time(&self, name: &str) -> Result<Option<i64>, Failure> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        let parsed = time(text);
        parsed.map(Some).ok_or_else(|| {
            Failure::parameter(name, &format!("cannot parse {text:?} to a valid timestamp"))
        })
    }

    /// A time that must be there.
    pub(crate) fn needed_time(&self, name: &str) -> Result<i64, Failure> {
        let missing = || Failure::parameter(name, "cannot parse \"\" to a valid timestamp");
        self.time(name)?.ok_or_else(missing)
    }

    /// A duration in milliseconds, from seconds or Prometheus's notation (`1m30s`).
    pub(crate) fn duration(&self, name: &str) -> Result<Option<i64>, Failure> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        let parsed = duration(text);
        parsed.map(Some).ok_or_else(|| {
            Failure::parameter(name, &format!("cannot parse {text:?} to a valid duration"))
        })
    }

    /// How many items are wanted at most; 0 and nothing mean all.
    pub(crate) fn limit(&self) -> Result<usize, Failure> {
        match self.get("limit") {
            "" | "0" => Ok(usize::MAX),
            text => text
                .parse()
                .map_err(|_| Failure::parameter("limit", "limit must be a non-negative number")),
        }
    }
}

fn decode(encoded: &[u8]) -> Vec<(String, String)> {
    let pairs = encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            (unquote(&pair[..at]), unquote(pair.get(at + 1..).unwrap_or_default()))
        })
        .collect()
}

/// `%41+b` to `A b`. What is no escape stays as it is.
fn unquote(text: &[u8]) -> String {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            (byte, ..) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn time(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ms = (seconds * 1000.0).round();
        return (ms.abs() <= FAR_MS).then_some(ms as i64);
    }
    text.parse::<Timestamp>().ok().map(|time| time.as_millisecond())
}

fn duration(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ms = (seconds * 1000.0).round();
        return (ms.abs() <= FAR_MS).then_some(ms as i64);
    }
    let (mut rest, mut total, mut last) = (text, 0i64, i64::MAX);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match &rest[digits..digits + letters] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            "y" => 365 * 86_400_000,
            _ => return None,
        };
        if unit >= last {
            return None;
        }
        total = total.checked_add(rest[..digits].parse::<i64>().ok()?.checked_mul(unit)?)?;
        (rest, last) = (&rest[digits + letters..], unit);
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_are_read() {
        let check = |found: Option<i64>, expected: Option<i64>| assert_eq!(found, expected);
        check(time("1435781451.781"), Some(1_435_781_451_781));
        check(time("2015-07-01T20:10:51.781Z"), Some(1_435_781_451_781));
        check(time("2015-07-01T22:10:51.781+02:00"), Some(1_435_781_451_781));
        check(time("now"), None);
        check(time("NaN"), None);
        check(time("1e300"), None);
        check(duration("15"), Some(15_000));
        check(duration("1m30s"), Some(90_000));
        check(duration("100ms"), Some(100));
        check(duration("1s1m"), None);
        check(duration("s"), None);
        check(duration("5"), Some(5_000));
        check(duration("-5"), Some(-5_000));
        check(duration("99999999999999999999y"), None);
        check(duration("1ä"), None);
    }

    #[test]
    fn forms_are_decoded() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let expected: Vec<_> =
                expected.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            assert_eq!(decode(text.as_bytes()), expected);
        };
        check("", &[]);
        check("query=sum(up)+%2B+1&a", &[("query", "sum(up) + 1"), ("a", "")]);
        check("match%5B%5D=a&match[]=b=c", &[("match[]", "a"), ("match[]", "b=c")]);
        check("a=%&b=%4&c=%zz&d=%ff", &[("a", "%"), ("b", "%4"), ("c", "%zz"), ("d", "\u{fffd}")]);
    }
}
