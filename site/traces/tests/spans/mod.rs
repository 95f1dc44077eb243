//! Spans in one line each, for tests of the store, the tree and the graph.

#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;
use traces::{Attribute, Kind, Link, Resource, Scope, Span, SpanId, Status, TraceId};

/// When traces begin, milliseconds since 1970.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

pub(crate) fn trace_id(number: u64) -> TraceId {
    format!("{number:032x}").parse().expect("32 digits, not zero")
}

pub(crate) fn span_id(number: u64) -> SpanId {
    format!("{number:016x}").parse().expect("16 digits, not zero")
}

/// A span of trace 1. `parent` 0 means none; times are milliseconds from the start.
pub(crate) fn span(
    id: u64,
    parent: u64,
    service: &str,
    kind: Kind,
    from_ms: i64,
    to_ms: i64,
) -> Span {
    Span {
        trace_id: trace_id(1),
        span_id: span_id(id),
        parent_id: (parent > 0).then(|| span_id(parent)),
        name: format!("op-{id}").into(),
        kind,
        start_ns: (START_MS + from_ms) * 1_000_000,
        end_ns: (START_MS + to_ms) * 1_000_000,
        status: Status::Unset,
        attributes: Box::default(),
        events: Box::default(),
        links: Box::default(),
        scope: Arc::new(Scope::default()),
        resource: Arc::new(Resource::new(vec![Attribute::new("service.name", service)])),
    }
}

/// Changes that read in one line.
pub(crate) trait With: Sized {
    fn of_trace(self, number: u64) -> Self;
    fn with(self, key: &str, value: &str) -> Self;
    fn failed(self) -> Self;
    fn linked(self, trace: u64, span: u64) -> Self;
}

impl With for Span {
    fn of_trace(mut self, number: u64) -> Self {
        self.trace_id = trace_id(number);
        self
    }

    fn with(mut self, key: &str, value: &str) -> Self {
        let added = Attribute::new(key, value);
        self.attributes = self.attributes.into_iter().chain([added]).collect();
        self
    }

    fn failed(mut self) -> Self {
        self.status = Status::Error("".into());
        self
    }

    fn linked(mut self, trace: u64, span: u64) -> Self {
        let added =
            Link { trace_id: trace_id(trace), span_id: span_id(span), attributes: Box::default() };
        self.links = self.links.into_iter().chain([added]).collect();
        self
    }
}
