//! The functions of templates: Go's own, and those that Prometheus adds for rules.
//!
//! `eval` calls them with values; `humanize` holds the ones that make numbers readable.

use super::Surroundings;
use super::go_format::printf;
use super::humanize;
use super::value::{QuerySample, Value};
use crate::rules::durations::parse_duration;
use regex::Regex;
use std::cmp::Ordering;
use std::sync::Arc;

/// Bytes that the automaton of a pattern may take.
const PATTERN_BYTES: usize = 1024 * 1024;

const FUNCTIONS: &[&str] = &[
    "and",
    "args",
    "eq",
    "externalURL",
    "first",
    "ge",
    "gt",
    "html",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "index",
    "label",
    "le",
    "len",
    "lt",
    "match",
    "ne",
    "not",
    "now",
    "or",
    "parseDuration",
    "pathPrefix",
    "print",
    "printf",
    "println",
    "query",
    "reReplaceAll",
    "safeHtml",
    "slice",
    "sortByLabel",
    "stripDomain",
    "stripPort",
    "strvalue",
    "title",
    "toLower",
    "toUpper",
    "urlquery",
    "value",
];

pub(super) fn is_function(name: &str) -> bool {
    FUNCTIONS.contains(&name)
}

type Answered = Result<Value, String>;

/// Calls a function.
pub(super) fn call(name: &str, arguments: &[Value], around: &Surroundings<'_>) -> Answered {
    let text = |found: String| Ok(Value::text(found));
    match (name, arguments) {
        ("query", [q]) => Ok(Value::List(Arc::new(
            (around.query)(string(q)?)?
                .into_iter()
                .map(|sample| Value::Sample(Arc::new(sample)))
                .collect(),
        ))),
        ("first", [list]) => self::list(list)?
            .first()
            .cloned()
            .ok_or_else(|| "first() called on vector with no elements".to_owned()),
        ("label", [name, sample]) => {
            Ok(Value::text(self::sample(sample)?.labels.value(string(name)?)))
        }
        ("value", [sample]) => Ok(Value::Float(self::sample(sample)?.value)),
        ("strvalue", [sample]) => Ok(Value::text(self::sample(sample)?.labels.value("__value__"))),
        ("sortByLabel", [name, list]) => sorted(string(name)?, self::list(list)?),
        ("args", values) => {
            let named =
                values.iter().enumerate().map(|(i, value)| (format!("arg{i}"), value.clone()));
            Ok(Value::Args(Arc::new(named.collect())))
        }
        ("reReplaceAll", [pattern, with, in_text]) => {
            let with = go_replacement(string(with)?);
            text(self::pattern(pattern)?.replace_all(string(in_text)?, with.as_str()).into_owned())
        }
        ("match", [pattern, in_text]) => {
            Ok(Value::Bool(self::pattern(pattern)?.is_match(string(in_text)?)))
        }
        ("title", [of]) => text(title(string(of)?)),
        ("toUpper", [of]) => text(string(of)?.to_uppercase()),
        ("toLower", [of]) => text(string(of)?.to_lowercase()),
        ("safeHtml", [of]) => text(string(of)?.to_owned()),
        ("stripPort", [of]) => {
            text(host_and_port(string(of)?).map_or(string(of)?, |(host, _)| host).to_owned())
        }
        ("stripDomain", [of]) => text(without_domain(string(of)?)),
        ("humanize", [v]) => text(humanize::decimal(float(v)?)),
        ("humanize1024", [v]) => text(humanize::binary(float(v)?)),
        ("humanizeDuration", [v]) => text(humanize::duration(float(v)?)),
        ("humanizePercentage", [v]) => text(humanize::percentage(float(v)?)),
        ("humanizeTimestamp", [v]) => text(humanize::timestamp(float(v)?)?),
        ("parseDuration", [of]) => Ok(Value::Float(parse_duration(string(of)?)? as f64 / 1000.0)),
        ("now", []) => Ok(Value::Float(around.now_ms as f64 / 1000.0)),
        ("externalURL", []) => Ok(Value::Text(around.alert.external_url.clone())),
        ("pathPrefix", []) => text(path_of(&around.alert.external_url).to_owned()),
        ("printf", [format, rest @ ..]) => text(printf(string(format)?, rest)?),
        ("print", values) => text(printed(values, false)),
        ("println", values) => text(printed(values, true) + "\n"),
        ("html", values) => text(escaped(&printed(values, false))),
        ("urlquery", values) => text(query_escaped(&printed(values, false))),
        ("not", [of]) => Ok(Value::Bool(!of.truth())),
        ("eq", [first, rest @ ..]) if !rest.is_empty() => {
            for other in rest {
                if equal(first, other)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        ("ne", [a, b]) => Ok(Value::Bool(!equal(a, b)?)),
        ("lt", [a, b]) => Ok(Value::Bool(order(a, b)? == Some(Ordering::Less))),
        ("le", [a, b]) => {
            Ok(Value::Bool(matches!(order(a, b)?, Some(Ordering::Less | Ordering::Equal))))
        }
        ("gt", [a, b]) => Ok(Value::Bool(order(a, b)? == Some(Ordering::Greater))),
        ("ge", [a, b]) => {
            Ok(Value::Bool(matches!(order(a, b)?, Some(Ordering::Greater | Ordering::Equal))))
        }
        ("len", [of]) => length(of).map(Value::Int),
        ("index", [of, keys @ ..]) => {
            keys.iter().try_fold(of.clone(), |value, key| item(&value, key))
        }
        ("slice", [of, bounds @ ..]) if bounds.len() <= 2 => slice(of, bounds),
        (name, given) => Err(format!("wrong number of args for {name}: got {}", given.len())),
    }
}

fn string(value: &Value) -> Result<&str, String> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(format!("wrong type for value; expected string; got {}", other.kind())),
    }
}

fn list(value: &Value) -> Result<&[Value], String> {
    match value {
        Value::List(list) => Ok(list),
        other => {
            Err(format!("wrong type for value; expected a query's result; got {}", other.kind()))
        }
    }
}

fn sample(value: &Value) -> Result<&QuerySample, String> {
    match value {
        Value::Sample(sample) => Ok(sample),
        other => Err(format!("wrong type for value; expected a sample; got {}", other.kind())),
    }
}

/// Numbers, and texts that are numbers.
fn float(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(v) => Ok(*v),
        Value::Int(v) => Ok(*v as f64),
        Value::Text(text) => {
            let trimmed = text.strip_prefix('+').unwrap_or(text);
            trimmed
                .parse()
                .map_err(|_| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"))
        }
        other => Err(format!("can't convert {} to float", other.kind())),
    }
}

fn sorted(name: &str, values: &[Value]) -> Answered {
    let mut values = values.to_vec();
    for value in &values {
        sample(value)?;
    }
    let label = |value: &Value| {
        sample(value).map(|sample| sample.labels.value(name).to_owned()).unwrap_or_default()
    };
    values.sort_by_cached_key(label);
    Ok(Value::List(Arc::new(values)))
}

fn pattern(value: &Value) -> Result<Regex, String> {
    let text = string(value)?;
    let built = regex::RegexBuilder::new(text).size_limit(PATTERN_BYTES).build();
    built.map_err(|_| format!("`{text}` is no regular expression"))
}

/// Go ends a name after `$` where letters, digits and `_` end, as Rust does; a lone `$` is kept.
fn go_replacement(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '{') {
            out.push('$');
        }
    }
    out + rest
}

fn title(text: &str) -> String {
    let mut out = String::new();
    let mut begins = true;
    for c in text.chars() {
        if begins {
            out.extend(c.to_uppercase())
        } else {
            out.push(c)
        }
        begins = !(c.is_alphanumeric() || c == '_' || c == '\'');
    }
    out
}

/// `host:port` or `[address]:port`.
fn host_and_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    match host.strip_prefix('[') {
        Some(inner) => Some((inner.strip_suffix(']')?, port)),
        None if host.contains(':') => None,
        None => Some((host, port)),
    }
}

fn without_domain(text: &str) -> String {
    let (host, port) = host_and_port(text).unwrap_or((text, ""));
    if host.parse::<std::net::IpAddr>().is_ok() {
        return text.to_owned();
    }
    let name = host.split('.').next().unwrap_or(host);
    if port.is_empty() { name.to_owned() } else { format!("{name}:{port}") }
}

fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or(path)
}

/// As Go's `Sprint`: a blank between two values neither of which is a text; `println` always.
fn printed(values: &[Value], always: bool) -> String {
    let mut out = String::new();
    for (i, value) in values.iter().enumerate() {
        let is_text = |value: &Value| matches!(value, Value::Text(_));
        if i > 0 && (always || !is_text(value) && !is_text(&values[i - 1])) {
            out.push(' ');
        }
        out.push_str(&value.shown());
    }
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// As Go's `url.QueryEscape`.
pub(crate) fn query_escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte))
            }
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Kinds of numbers are not mixed, as in Go: `gt $value 5` is a mistake, `gt $value 5.0` is not.
fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    Ok(match (a, b) {
        (Value::Nothing, Value::Nothing) => true,
        (Value::Nothing, _) | (_, Value::Nothing) => false,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        _ => return Err("incompatible types for comparison".to_owned()),
    })
}

fn order(a: &Value, b: &Value) -> Result<Option<Ordering>, String> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Ok(Some(a.cmp(b))),
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b)),
        (Value::Text(a), Value::Text(b)) => Ok(Some(a.cmp(b))),
        _ => Err("incompatible types for comparison".to_owned()),
    }
}

fn length(value: &Value) -> Result<i64, String> {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Labels(labels) => labels.len(),
        Value::Args(args) => args.len(),
        other => return Err(format!("len of type {}", other.kind())),
    };
    Ok(i64::try_from(length).unwrap_or(i64::MAX))
}

fn item(value: &Value, key: &Value) -> Answered {
    match (value, key) {
        (Value::List(list), Value::Int(at)) => {
            let found = usize::try_from(*at).ok().and_then(|at| list.get(at)).cloned();
            found.ok_or_else(|| format!("index out of range: {at}"))
        }
        (Value::Labels(_) | Value::Args(_), Value::Text(name)) => value.field(name),
        (value, _) => Err(format!("can't index item of type {}", value.kind())),
    }
}

fn slice(value: &Value, bounds: &[Value]) -> Answered {
    let whole = usize::try_from(length(value)?).unwrap_or(0);
    let bound = |at: usize, usual: usize| match bounds.get(at) {
        None => Ok(usual),
        Some(Value::Int(at)) if (0..=whole as i64).contains(at) => {
            Ok(usize::try_from(*at).unwrap_or(usual))
        }
        Some(other) => Err(format!("index out of range: {}", other.shown())),
    };
    let (from, to) = (bound(0, 0)?, bound(1, whole)?);
    let wrong = || format!("invalid slice index: {from} > {to}");
    match value {
        Value::Text(text) => text.get(from..to).map(Value::text).ok_or_else(wrong),
        Value::List(list) => {
            list.get(from..to).map(|part| Value::List(Arc::new(part.to_vec()))).ok_or_else(wrong)
        }
        other => Err(format!("can't slice item of type {}", other.kind())),
    }
}
