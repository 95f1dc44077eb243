//! Tempo's HTTP API, asked: TraceQL finds ids, each trace is then fetched.

use super::http::{Query, Remote, quoted};
use super::{AskError, Condition, RemoteOptions, TracesEngine, otlp};
use crate::Clock;
use serde::Deserialize;
use traces::{AttributeFilter, Search, Span, Trace, TraceId, TraceSummary};
use ureq::http::StatusCode;

/// How far back a search without a beginning looks: an hour, as much as is in memory there.
const USUAL_LOOKBACK_MS: i64 = 60 * 60 * 1000;
/// Traces that are fetched for one search at most.
const MAX_FETCHED: usize = 100;
/// Newest traces that are fetched at a time for the map.
const RECENT: usize = 50;
const PROTOBUF: &str = "application/protobuf";
const JSON: &str = "application/json";

/// An engine that speaks Tempo's HTTP API.
#[derive(Debug)]
pub struct Tempo {
    remote: Remote,
}

#[derive(Debug, Deserialize)]
struct Found {
    #[serde(default)]
    traces: Vec<FoundTrace>,
}

#[derive(Debug, Deserialize)]
struct FoundTrace {
    #[serde(rename = "traceID")]
    id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Values {
    #[serde(default)]
    tag_values: Vec<TagValue>,
}

/// A value in words, or with its type beside it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum TagValue {
    Plain(String),
    Typed { value: String },
}

impl Tempo {
    /// An engine at an address; nothing is asked yet. Fails when the file of authorities cannot be read.
    pub fn new(options: RemoteOptions, clock: Clock) -> Result<Self, AskError> {
        Ok(Self { remote: Remote::new(options, clock)? })
    }

    fn json<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: &Query<'_>,
    ) -> Result<T, AskError> {
        let reply = self.remote.ask(path, query, JSON)?;
        if !reply.status.is_success() {
            // Tempo says what is wrong with a question in plain words.
            let words = String::from_utf8_lossy(&reply.body).into_owned();
            let said = (reply.status == StatusCode::BAD_REQUEST).then_some(words.as_str());
            return Err(self.remote.refused(&reply, said));
        }
        serde_json::from_slice(&reply.body).map_err(|error| self.remote.strange(&error.to_string()))
    }

    fn values(&self, tag: &str, query: &Query<'_>) -> Result<Vec<String>, AskError> {
        let path = format!("/api/v2/search/tag/{}/values", quoted(tag));
        let found: Values = self.json(&path, query)?;
        let mut values: Vec<String> = found
            .tag_values
            .into_iter()
            .map(|value| match value {
                TagValue::Plain(value) | TagValue::Typed { value } => value,
            })
            .collect();
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    fn ids(&self, search: &Search) -> Result<Vec<TraceId>, AskError> {
        let to_ms = search.to_ms.unwrap_or_else(|| self.remote.now_ms());
        let from_ms = search.from_ms.unwrap_or(to_ms - USUAL_LOOKBACK_MS);
        let query = vec![
            ("q", trace_ql(search)),
            ("start", from_ms.div_euclid(1000).to_string()),
            // Whole seconds, of which the last does not count.
            ("end", (to_ms.div_euclid(1000) + 1).to_string()),
            ("limit", search.limit.min(MAX_FETCHED).to_string()),
        ];
        let found: Found = self.json("/api/search", &query)?;
        // Zeros in front of an id are left out there.
        let id = |found: &FoundTrace| format!("{:0>32}", found.id).parse().ok();
        Ok(found.traces.iter().filter_map(id).take(MAX_FETCHED).collect())
    }

    fn spans_of(&self, id: &TraceId) -> Result<Vec<Span>, AskError> {
        let path = format!("/api/traces/{id}");
        let reply = self.remote.ask(&path, &Query::new(), PROTOBUF)?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(Vec::new());
        }
        if !reply.status.is_success() {
            return Err(self.remote.refused(&reply, None));
        }
        let read = match reply.body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => otlp::from_json(&reply.body),
            _ => otlp::from_protobuf(&reply.body),
        };
        read.map_err(|why| self.remote.strange(&why))
    }
}

/// The question in TraceQL; what it cannot say is sorted out afterwards.
fn trace_ql(search: &Search) -> String {
    let mut all = Vec::new();
    if let Some(service) = &search.service {
        all.push(format!("resource.service.name = {}", text(service)));
    }
    if let Some(operation) = &search.operation {
        all.push(format!("name = {}", text(operation)));
    }
    if search.errors_only {
        all.push("status = error".to_owned());
    }
    all.extend(search.min_duration_ns.map(|ns| format!("duration >= {ns}ns")));
    all.extend(search.max_duration_ns.map(|ns| format!("duration <= {ns}ns")));
    for filter in &search.attributes {
        if let AttributeFilter::Equals(key, value) = filter
            && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'))
        {
            let typed = value.parse::<f64>().is_ok_and(f64::is_finite)
                || value == "true"
                || value == "false";
            let other = if typed { format!(" || .{key} = {value}") } else { String::new() };
            all.push(format!("(.{key} = {}{other})", text(value)));
        }
    }
    if all.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", all.join(" && ")) }
}

fn text(words: &str) -> String {
    serde_json::Value::from(words).to_string()
}

impl TracesEngine for Tempo {
    fn condition(&self) -> Condition {
        self.remote.condition()
    }

    fn services(&self) -> Result<Vec<String>, AskError> {
        self.values("resource.service.name", &Query::new())
    }

    fn operations(&self, service: &str) -> Result<Vec<String>, AskError> {
        let of_service = Search { service: Some(service.to_owned()), ..Search::default() };
        self.values("name", &vec![("q", trace_ql(&of_service))])
    }

    fn search(&self, search: &Search) -> Result<Vec<TraceSummary>, AskError> {
        let mut spans = Vec::new();
        for id in self.ids(search)? {
            spans.extend(self.spans_of(&id)?);
        }
        Ok(otlp::fitting(spans, search))
    }

    fn trace(&self, id: &TraceId) -> Result<Option<Trace>, AskError> {
        Ok(otlp::whole(self.spans_of(id)?, id))
    }

    fn recent(
        &self,
        from_ms: i64,
        to_ms: i64,
        known: &dyn Fn(&TraceId) -> bool,
    ) -> Result<Vec<Span>, AskError> {
        let newest = Search {
            from_ms: Some(from_ms),
            to_ms: Some(to_ms),
            limit: RECENT,
            ..Search::default()
        };
        let mut spans = Vec::new();
        for id in self.ids(&newest)?.iter().filter(|id| !known(id)) {
            spans.extend(self.spans_of(id)?);
        }
        Ok(spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_are_written_in_trace_ql() {
        let check = |search: Search, expected: &str| assert_eq!(trace_ql(&search), expected);
        check(Search::default(), "{}");
        check(
            Search {
                service: Some("a \"b\"".to_owned()),
                operation: Some("GET /".to_owned()),
                errors_only: true,
                min_duration_ns: Some(250_000_000),
                attributes: vec![
                    AttributeFilter::Equals("http.status".to_owned(), "500".to_owned()),
                    AttributeFilter::Equals("user".to_owned(), "x".to_owned()),
                    AttributeFilter::Equals("bad} key".to_owned(), "x".to_owned()),
                ],
                ..Search::default()
            },
            "{ resource.service.name = \"a \\\"b\\\"\" && name = \"GET /\" && status = error && duration >= 250000000ns \
             && (.http.status = \"500\" || .http.status = 500) && (.user = \"x\") }",
        );
    }
}
