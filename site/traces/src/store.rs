//! The bounded store of traces.
//!
//! The OTLP receiver appends; pages ask for a trace, a search or the service graph. Spans of a trace
//! may come in any order and from any number of requests. When a limit is reached the traces that
//! came first go, each as a whole.

use crate::graph::GraphState;
use crate::intern::Interner;
use crate::{Attribute, Search, ServiceGraph, Span, Trace, TraceId, TraceSummary, Value};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Services whose operations are remembered.
const MAX_SERVICES: usize = 1000;
/// Operations remembered for one service.
const MAX_OPERATIONS: usize = 1000;

/// How much a [`TraceStore`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// Estimated bytes of all spans.
    pub bytes: usize,
    /// Spans over all traces.
    pub spans: usize,
    /// Spans of one trace; more are dropped and counted.
    pub spans_per_trace: usize,
}

impl StoreLimits {
    /// Bytes unless configured otherwise.
    pub const BYTES: usize = 48 * 1024 * 1024;
    /// Spans unless configured otherwise.
    pub const SPANS: usize = 100_000;
    /// Spans of one trace unless configured otherwise.
    pub const SPANS_PER_TRACE: usize = 10_000;
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self { bytes: Self::BYTES, spans: Self::SPANS, spans_per_trace: Self::SPANS_PER_TRACE }
    }
}

/// What a store holds and what it let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct StoreStats {
    /// Traces that are kept.
    pub traces: usize,
    /// Spans that are kept.
    pub spans: usize,
    /// Their estimated bytes.
    pub bytes: usize,
    /// Spans that were appended since the start, duplicates not counted.
    pub appended: u64,
    /// Spans that had come before.
    pub duplicates: u64,
    /// Spans beyond [`StoreLimits::spans_per_trace`].
    pub dropped: u64,
    /// Traces that went to make room.
    pub evicted_traces: u64,
}

#[derive(Debug, Default)]
struct Stored {
    spans: Vec<Arc<Span>>,
    bytes: usize,
    start_ns: i64,
}

#[derive(Debug, Default)]
struct Inner {
    traces: HashMap<TraceId, Stored>,
    arrival: VecDeque<TraceId>,
    operations: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    interner: Interner,
    graph: GraphState,
    stats: StoreStats,
}

/// Traces in memory, shared between threads.
#[derive(Debug, Default)]
pub struct TraceStore {
    limits: StoreLimits,
    inner: RwLock<Inner>,
}

impl TraceStore {
    /// An empty store.
    pub fn new(limits: StoreLimits) -> Self {
        Self { limits, inner: RwLock::default() }
    }

    /// Adds spans that arrived at `now_ms`. A span that is equal to one that is kept (an exporter that
    /// tried again) changes nothing.
    pub fn append(&self, spans: Vec<Span>, now_ms: i64) {
        let mut inner = self.write();
        for span in spans {
            inner.append(span, now_ms, self.limits.spans_per_trace);
        }
        inner.graph.expire(now_ms);
        inner.evict(&self.limits);
    }

    /// A trace as far as it arrived and is kept.
    pub fn trace(&self, id: &TraceId) -> Option<Trace> {
        let spans = self.read().traces.get(id)?.spans.clone();
        Trace::new(*id, spans)
    }

    /// The traces that fit, newest start first.
    pub fn search(&self, search: &Search) -> Vec<TraceSummary> {
        let inner = self.read();
        let mut newest: Vec<_> = inner.traces.iter().collect();
        newest.sort_unstable_by_key(|(id, stored)| std::cmp::Reverse((stored.start_ns, **id)));
        newest
            .into_iter()
            .filter(|(_, stored)| stored.spans.iter().any(|span| search.fits(span)))
            .filter_map(|(id, stored)| TraceSummary::new(*id, &stored.spans))
            .take(search.limit)
            .collect()
    }

    /// The services that sent spans, by name.
    pub fn services(&self) -> Vec<Arc<str>> {
        self.read().operations.keys().cloned().collect()
    }

    /// The span names that a service used, by name.
    pub fn operations(&self, service: &str) -> Vec<Arc<str>> {
        self.read().operations.get(service).into_iter().flatten().cloned().collect()
    }

    /// Who called whom in the last `window_ms` before `now_ms`; see [`ServiceGraph`].
    pub fn graph(&self, window_ms: i64, now_ms: i64) -> ServiceGraph {
        let mut inner = self.write();
        inner.graph.expire(now_ms);
        inner.graph.read(window_ms, now_ms, true)
    }

    /// As [`TraceStore::graph`] without quantiles, which cost most over a long window.
    pub fn calls(&self, window_ms: i64, now_ms: i64) -> ServiceGraph {
        let mut inner = self.write();
        inner.graph.expire(now_ms);
        inner.graph.read(window_ms, now_ms, false)
    }

    /// What is held and what was let go.
    pub fn stats(&self) -> StoreStats {
        let inner = self.read();
        StoreStats { traces: inner.traces.len(), ..inner.stats }
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn append(&mut self, mut span: Span, now_ms: i64, spans_per_trace: usize) {
        let new_trace = !self.traces.contains_key(&span.trace_id);
        let stored = self.traces.entry(span.trace_id).or_default();
        if stored.spans.iter().any(|kept| kept.span_id == span.span_id && **kept == span) {
            self.stats.duplicates += 1;
            return;
        }
        if stored.spans.len() >= spans_per_trace {
            self.stats.dropped += 1;
            return;
        }
        self.interner.intern(&mut span);
        let bytes = bytes_of(&span);
        stored.start_ns =
            if new_trace { span.start_ns } else { stored.start_ns.min(span.start_ns) };
        stored.bytes += bytes;
        if new_trace {
            self.arrival.push_back(span.trace_id);
            self.graph.count_trace(now_ms);
        }
        self.stats.bytes += bytes;
        self.stats.spans += 1;
        self.stats.appended += 1;
        self.graph.observe(&span, now_ms);
        remember(&mut self.operations, &span);
        stored.spans.push(Arc::new(span));
    }

    fn evict(&mut self, limits: &StoreLimits) {
        while self.stats.spans > limits.spans || self.stats.bytes > limits.bytes {
            let Some(oldest) = self.arrival.pop_front().and_then(|id| self.traces.remove(&id))
            else {
                break;
            };
            self.stats.spans -= oldest.spans.len();
            self.stats.bytes -= oldest.bytes;
            self.stats.evicted_traces += 1;
        }
    }
}

fn remember(services: &mut BTreeMap<Arc<str>, BTreeSet<Arc<str>>>, span: &Span) {
    if !services.contains_key(span.service()) && services.len() >= MAX_SERVICES {
        return;
    }
    let operations = services.entry(span.resource.service.clone()).or_default();
    if operations.len() < MAX_OPERATIONS {
        operations.insert(span.name.clone());
    }
}

/// An estimate: the span itself, its lists, and the texts of values that no other span has so far. Keys,
/// names, resources and scopes are shared and cost next to nothing a span.
fn bytes_of(span: &Span) -> usize {
    /// The counters and the allocation of a shared value.
    const SHARED: usize = 32;
    let text = |value: &Value| match value {
        // One owner is the span, another the pool of shared texts.
        Value::Text(text) if Arc::strong_count(text) <= 2 => text.len() + SHARED,
        _ => 0,
    };
    let list = |attributes: &[Attribute]| -> usize {
        size_of_val(attributes)
            + attributes.iter().map(|attribute| text(&attribute.value)).sum::<usize>()
    };
    let events: usize =
        span.events.iter().map(|event| size_of_val(event) + list(&event.attributes)).sum();
    let links: usize =
        span.links.iter().map(|link| size_of_val(link) + list(&link.attributes)).sum();
    size_of::<Span>() + SHARED + list(&span.attributes) + events + links
}
