//! Questions of Jaeger's APIs, as what the store of traces is asked.
//!
//! `jaeger` hands parameters in. Whatever is wrong is said in words with the parameter's name.

use crate::prometheus_params::Params;
use jiff::Timestamp;
use std::collections::BTreeMap;
use traces::{AttributeFilter, Search, TraceId};

/// Traces in an answer at most.
pub(crate) const MAX_TRACES: usize = 1500;
/// Traces in an answer unless asked otherwise, as in Jaeger.
const USUAL_TRACES: usize = 100;
/// Attributes that one question may name.
const MAX_TAGS: usize = 32;
/// Digits of a trace id.
const ID_DIGITS: usize = 32;

/// Units of Go's durations, nanoseconds; those that end like others come first.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("\u{b5}s", 1e3),
    ("\u{3bc}s", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 6e10),
    ("h", 3.6e12),
];

/// What `/api/traces` asks for.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// These traces.
    Ids(Vec<TraceId>),
    /// Traces that fit.
    Found(Box<Search>),
}

/// `/api/traces`: times in microseconds, `tag=key:value` and `tags={"key":"value"}`.
pub(crate) fn parse(params: &Params) -> Result<Wanted, String> {
    let ids: Vec<&str> = params.all("traceID").collect();
    if !ids.is_empty() {
        let ids = ids.into_iter().take(MAX_TRACES).map(parse_id);
        return Ok(Wanted::Ids(ids.collect::<Result<_, _>>()?));
    }
    let mut tags = tags(params, "tags")?;
    for tag in params.all("tag") {
        let (key, value) = tag.split_once(':').ok_or_else(|| {
            format!("malformed parameter `tag`: expected `key:value`, not `{tag}`")
        })?;
        tags.insert(key.to_owned(), value.to_owned());
    }
    let micros = |name: &str| match params.get(name) {
        "" => Ok(None),
        text => match text.parse::<i64>() {
            Ok(us) => Ok(Some(us.div_euclid(1000))),
            Err(_) => Err(malformed(name, text, "microseconds since 1970")),
        },
    };
    Ok(Wanted::Found(Box::new(Search {
        service: text(params, "service"),
        operation: text(params, "operation").filter(|name| name != "all"),
        attributes: filters(tags)?,
        min_duration_ns: duration(params, "minDuration")?,
        max_duration_ns: duration(params, "maxDuration")?,
        errors_only: false,
        from_ms: micros("start")?,
        to_ms: micros("end")?,
        to: None,
        limit: count(params, &["limit"])?,
    })))
}

/// `/api/v3/traces`: times as RFC 3339, `query.attributes={"key":"value"}`. Newer versions of Jaeger write the names as
/// `query.serviceName`, older ones as `query.service_name`.
pub(crate) fn parse_v3(params: &Params) -> Result<Search, String> {
    let params = &params.with_underscores();
    let time = |name: &str| match params.get(name) {
        "" => Err("query.start_time_min and query.start_time_max are required".to_owned()),
        text => match text.parse::<Timestamp>() {
            Ok(time) => Ok(Some(time.as_millisecond())),
            Err(_) => Err(malformed(name, text, "a time as `2026-01-31T12:00:00Z`")),
        },
    };
    Ok(Search {
        service: text(params, "query.service_name"),
        operation: text(params, "query.operation_name"),
        attributes: filters(tags(params, "query.attributes")?)?,
        min_duration_ns: duration(params, "query.duration_min")?,
        max_duration_ns: duration(params, "query.duration_max")?,
        errors_only: false,
        from_ms: time("query.start_time_min")?,
        to_ms: time("query.start_time_max")?,
        to: None,
        limit: count(params, &["query.search_depth", "query.num_traces"])?,
    })
}

/// A trace id; zeros in front may be left out, as Jaeger does with ids of 64 bits.
pub(crate) fn parse_id(text: &str) -> Result<TraceId, String> {
    let padded = format!("{text:0>ID_DIGITS$}");
    padded.parse().map_err(|error| format!("`{text}` is no trace id: {error}"))
}

fn text(params: &Params, name: &str) -> Option<String> {
    Some(params.get(name)).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn malformed(name: &str, text: &str, expected: &str) -> String {
    format!("malformed parameter `{name}`: expected {expected}, not `{text}`")
}

fn count(params: &Params, names: &[&str]) -> Result<usize, String> {
    let given = names.iter().find(|name| !params.get(name).is_empty());
    let Some(name) = given else { return Ok(USUAL_TRACES) };
    let text = params.get(name);
    match text.parse::<usize>() {
        Ok(count) => Ok(count.min(MAX_TRACES)),
        Err(_) => Err(malformed(name, text, "a number of traces")),
    }
}

fn tags(params: &Params, name: &str) -> Result<BTreeMap<String, String>, String> {
    match params.get(name) {
        "" => Ok(BTreeMap::new()),
        text => serde_json::from_str(text)
            .map_err(|_| malformed(name, text, "JSON with a text for each key")),
    }
}

fn filters(tags: BTreeMap<String, String>) -> Result<Vec<AttributeFilter>, String> {
    if tags.len() > MAX_TAGS {
        return Err(format!("{} tags, of {MAX_TAGS} that a question may have", tags.len()));
    }
    Ok(tags.into_iter().map(|(key, value)| AttributeFilter::Equals(key, value)).collect())
}

fn duration(params: &Params, name: &str) -> Result<Option<i64>, String> {
    match params.get(name) {
        "" => Ok(None),
        text => match nanoseconds(text) {
            Some(ns) => Ok(Some(ns)),
            None => Err(malformed(name, text, "a duration as `1.5s`, `100ms` or `20us`")),
        },
    }
}

/// `1m30s`, `1.5ms`: a duration as Go writes it, not negative.
fn nanoseconds(text: &str) -> Option<i64> {
    let (mut rest, mut sum) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let number: f64 = rest[..digits].parse().ok()?;
        let of_unit = &rest[digits..];
        let length =
            of_unit.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(of_unit.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &of_unit[..length])?;
        sum += number * unit;
        rest = &of_unit[length..];
    }
    (!text.is_empty() && sum < i64::MAX as f64).then_some(sum.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_in_go() {
        for (text, expected) in [
            ("1s", Some(1_000_000_000)),
            ("1.5ms", Some(1_500_000)),
            ("1m30s", Some(90_000_000_000)),
            ("20us", Some(20_000)),
            ("20\u{b5}s", Some(20_000)),
            ("7ns", Some(7)),
            ("1h", Some(3_600_000_000_000)),
            ("", None),
            ("5", None),
            ("s", None),
            ("-1s", None),
            ("1.2.3s", None),
            ("1week", None),
            ("99999999999999h", None),
        ] {
            assert_eq!(nanoseconds(text), expected, "{text}");
        }
    }
}
