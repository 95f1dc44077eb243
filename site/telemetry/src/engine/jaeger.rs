//! Jaeger's query API, version 3, asked.

use super::http::{Query, Remote};
use super::{AskError, Condition, RemoteOptions, TracesEngine, otlp};
use crate::Clock;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use traces::{AttributeFilter, Search, Span, Trace, TraceId, TraceSummary};
use ureq::http::StatusCode;

/// How far back a search without a beginning looks: a day.
const USUAL_LOOKBACK_MS: i64 = 24 * 60 * 60 * 1000;
/// Jaeger finds the traces of one service at a time; a search for all asks for so many of them.
const MAX_SERVICES: usize = 30;
/// Newest traces of a service that are fetched at a time for the map.
const RECENT_OF_SERVICE: usize = 20;

/// An engine that speaks Jaeger's query API.
#[derive(Debug)]
pub struct Jaeger {
    remote: Remote,
}

#[derive(Debug, Deserialize)]
struct Services {
    #[serde(default)]
    services: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Operations {
    #[serde(default)]
    operations: Vec<Operation>,
}

#[derive(Debug, Deserialize)]
struct Operation {
    name: String,
}

/// What stands around an error.
#[derive(Debug, Deserialize)]
struct Refusal {
    error: Words,
}

#[derive(Debug, Deserialize)]
struct Words {
    message: String,
}

impl Jaeger {
    /// An engine at an address; nothing is asked yet. Fails when the file of authorities cannot be read.
    pub fn new(options: RemoteOptions, clock: Clock) -> Result<Self, AskError> {
        Ok(Self { remote: Remote::new(options, clock)? })
    }

    /// The body of an answer; `None` when it says that there is nothing.
    fn ask(&self, path: &str, query: &Query<'_>) -> Result<Option<Vec<u8>>, AskError> {
        let reply = self.remote.ask(path, query, "application/json")?;
        if reply.status.is_success() {
            return Ok(Some(reply.body));
        }
        let refusal: Option<Refusal> = serde_json::from_slice(&reply.body).ok();
        match refusal {
            Some(_) if reply.status == StatusCode::NOT_FOUND => Ok(None),
            refusal => {
                let said = refusal.map(|refusal| refusal.error.message);
                Err(self.remote.refused(&reply, said.as_deref()))
            }
        }
    }

    fn spans(&self, path: &str, query: &Query<'_>) -> Result<Vec<Span>, AskError> {
        let Some(body) = self.ask(path, query)? else { return Ok(Vec::new()) };
        otlp::from_json(&body).map_err(|why| self.remote.strange(&why))
    }

    fn read<T: serde::de::DeserializeOwned>(&self, body: &[u8]) -> Result<T, AskError> {
        serde_json::from_slice(body).map_err(|error| self.remote.strange(&error.to_string()))
    }

    /// Older versions know the names with underscores, newer ones those without.
    fn parameters(&self, search: &Search, service: &str) -> Query<'static> {
        let to_ms = search.to_ms.unwrap_or_else(|| self.remote.now_ms());
        let from_ms = search.from_ms.unwrap_or(to_ms - USUAL_LOOKBACK_MS);
        let mut query = Query::new();
        let mut add = |names: [&'static str; 2], value: String| {
            query.extend(names.map(|name| (name, value.clone())));
        };
        add(["query.service_name", "query.serviceName"], service.to_owned());
        if let Some(operation) = &search.operation {
            add(["query.operation_name", "query.operationName"], operation.clone());
        }
        add(["query.start_time_min", "query.startTimeMin"], time(from_ms));
        add(["query.start_time_max", "query.startTimeMax"], time(to_ms));
        add(["query.num_traces", "query.searchDepth"], search.limit.to_string());
        if let Some(ns) = search.min_duration_ns {
            add(["query.duration_min", "query.durationMin"], format!("{ns}ns"));
        }
        if let Some(ns) = search.max_duration_ns {
            add(["query.duration_max", "query.durationMax"], format!("{ns}ns"));
        }
        let mut wanted: BTreeMap<&str, &str> = BTreeMap::new();
        for filter in &search.attributes {
            if let AttributeFilter::Equals(key, value) = filter {
                wanted.insert(key, value);
            }
        }
        if search.errors_only {
            wanted.insert("error", "true");
        }
        if !wanted.is_empty() {
            query.push(("query.attributes", serde_json::json!(wanted).to_string()));
        }
        query
    }

    fn found(&self, search: &Search) -> Result<Vec<Span>, AskError> {
        let services = match &search.service {
            Some(service) => vec![service.clone()],
            None => self.services()?.into_iter().take(MAX_SERVICES).collect(),
        };
        let mut spans = Vec::new();
        for service in services {
            spans.extend(self.spans("/api/v3/traces", &self.parameters(search, &service))?);
        }
        Ok(spans)
    }
}

fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

impl TracesEngine for Jaeger {
    fn condition(&self) -> Condition {
        self.remote.condition()
    }

    fn services(&self) -> Result<Vec<String>, AskError> {
        let body = self.ask("/api/v3/services", &Query::new())?.unwrap_or_else(|| b"{}".to_vec());
        let mut services = self.read::<Services>(&body)?.services;
        services.sort_unstable();
        Ok(services)
    }

    fn operations(&self, service: &str) -> Result<Vec<String>, AskError> {
        let query = vec![("service", service.to_owned())];
        let body = self.ask("/api/v3/operations", &query)?.unwrap_or_else(|| b"{}".to_vec());
        let operations = self.read::<Operations>(&body)?.operations;
        let mut names: Vec<String> =
            operations.into_iter().map(|operation| operation.name).collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn search(&self, search: &Search) -> Result<Vec<TraceSummary>, AskError> {
        Ok(otlp::fitting(self.found(search)?, search))
    }

    fn trace(&self, id: &TraceId) -> Result<Option<Trace>, AskError> {
        let spans = self.spans(&format!("/api/v3/traces/{id}"), &Query::new())?;
        Ok(otlp::whole(spans, id))
    }

    fn recent(
        &self,
        from_ms: i64,
        to_ms: i64,
        _known: &dyn Fn(&TraceId) -> bool,
    ) -> Result<Vec<Span>, AskError> {
        self.found(&Search {
            from_ms: Some(from_ms),
            to_ms: Some(to_ms),
            limit: RECENT_OF_SERVICE,
            ..Search::default()
        })
    }
}
