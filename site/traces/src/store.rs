//! The bounded store of traces.
//!
//! The OTLP receiver appends; pages ask for a trace, a search or the service graph. Spans of a trace
//! may come in any order and from any number of requests. When a limit is reached the traces that
//! came first go, each as a whole.

use crate::blocks::Blocks;
use crate::graph::GraphState;
use crate::intern::{Interner, own_bytes};
use crate::{Kind, Search, ServiceGraph, Span, SpanId, Tally, Trace, TraceId, TraceSummary};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Services whose operations are remembered.
const MAX_SERVICES: usize = 1000;
/// Operations remembered for one service.
const MAX_OPERATIONS: usize = 1000;
/// Operations remembered over all services.
const MAX_ALL_OPERATIONS: usize = 20_000;
/// Spans that go in at a time: readers have their turn between.
const BATCH: usize = 1000;
/// Spans of one trace that may have the same id and differ: a call whose two sides are one span.
const MAX_SAME_ID: u8 = 4;
/// What a trace takes beside its spans, and a span beside what it holds: places in lists and maps.
/// Estimated.
const TRACE_BYTES: usize = 320;
const PLACE_BYTES: usize = 48;
/// How many copies of texts are looked through for one span that went; see [`Interner::sweep`].
const SWEPT_PER_SPAN: usize = 32;

/// How much a [`TraceStore`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// Estimated bytes of all spans, with the texts that they share.
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
    /// Their estimated bytes, with the texts that they share.
    pub bytes: usize,
    /// Spans that were appended since the start, duplicates not counted.
    pub appended: u64,
    /// Spans that had come before.
    pub duplicates: u64,
    /// Spans beyond [`StoreLimits::spans_per_trace`], and those of an id that too many others have.
    pub dropped: u64,
    /// Traces that went to make room.
    pub evicted_traces: u64,
}

#[derive(Debug, Default)]
struct Stored {
    spans: Vec<Arc<Span>>,
    /// Where the first, second and so on span of an id stands.
    places: HashMap<(SpanId, u8), u32>,
    /// Beside what is shared with other traces.
    bytes: usize,
    start_ns: i64,
    /// Its block among [`Blocks`].
    block: u64,
}

#[derive(Debug, Default)]
struct Inner {
    traces: HashMap<TraceId, Stored>,
    /// The traces by arrival.
    blocks: Blocks,
    operations: Operations,
    interner: Interner,
    graph: GraphState,
    /// Its bytes are those of spans alone.
    stats: StoreStats,
    /// Spans that went since shared texts were looked through.
    gone: usize,
}

/// What services do, by their names.
#[derive(Debug, Default)]
struct Operations {
    of: BTreeMap<Arc<str>, BTreeSet<(Arc<str>, Kind)>>,
    count: usize,
}

/// Calls by the name of the caller and of the called service.
pub type Dependencies = BTreeMap<(Arc<str>, Arc<str>), u64>;

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

    /// The limits it was made with.
    pub fn limits(&self) -> StoreLimits {
        self.limits
    }

    /// Adds spans that arrived at `now_ms`. A span that is equal to one that is kept (an exporter that
    /// tried again) changes nothing.
    pub fn append(&self, spans: Vec<Span>, now_ms: i64) {
        let mut spans = spans.into_iter();
        while !spans.as_slice().is_empty() {
            let mut inner = self.write();
            for span in spans.by_ref().take(BATCH) {
                inner.append(span, now_ms, self.limits.spans_per_trace);
            }
            inner.graph.expire(now_ms);
            inner.evict(&self.limits);
        }
    }

    /// A trace as far as it arrived and is kept.
    pub fn trace(&self, id: &TraceId) -> Option<Trace> {
        let spans = self.read().traces.get(id)?.spans.clone();
        Trace::new(*id, spans)
    }

    /// The spans of the newest traces, as many as `limit`, that have one that began from `from_ms` to `to_ms`
    /// (milliseconds since 1970).
    pub fn spans_between(&self, from_ms: i64, to_ms: i64, limit: usize) -> Vec<Arc<Span>> {
        let times =
            Search { from_ms: Some(from_ms), to_ms: Some(to_ms), limit, ..Search::default() };
        let found = self.search(&times);
        let inner = self.read();
        let stored = found.iter().filter_map(|summary| inner.traces.get(&summary.id));
        stored.flat_map(|stored| stored.spans.iter().cloned()).collect()
    }

    /// The traces that fit, newest start first.
    pub fn search(&self, search: &Search) -> Vec<TraceSummary> {
        let Some(last) = search.limit.checked_sub(1) else { return Vec::new() };
        let inner = self.read();
        let mut found: Vec<(i64, TraceId, &Stored)> = Vec::new();
        for block in inner.blocks.may_hold(search) {
            if found.get(last).is_some_and(|(start_ns, ..)| *start_ns > block.latest_ns()) {
                break;
            }
            let traces = block.traces().filter_map(|id| Some((id, inner.traces.get(id)?)));
            let fitting = traces.filter(|(_, stored)| search.finds(&stored.spans));
            found.extend(fitting.map(|(id, stored)| (stored.start_ns, *id, stored)));
            found.sort_unstable_by_key(|(start_ns, id, _)| std::cmp::Reverse((*start_ns, *id)));
            found.truncate(search.limit);
        }
        let summary =
            |(_, id, stored): (i64, TraceId, &Stored)| TraceSummary::new(id, &stored.spans);
        found.into_iter().filter_map(summary).collect()
    }

    /// The services that sent spans, by name.
    pub fn services(&self) -> Vec<Arc<str>> {
        self.read().operations.of.keys().cloned().collect()
    }

    /// The span names that a service used, by name.
    pub fn operations(&self, service: &str) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> =
            self.operation_kinds(service).into_iter().map(|(name, _)| name).collect();
        names.dedup();
        names
    }

    /// The span names that a service used, each with the kinds of spans that had it.
    pub fn operation_kinds(&self, service: &str) -> Vec<(Arc<str>, Kind)> {
        self.read().operations.of.get(service).into_iter().flatten().cloned().collect()
    }

    /// How often spans of one service had a child of another, by the services' names, in the traces that are kept and began
    /// from `from_ms` to `to_ms` (milliseconds since 1970).
    pub fn dependencies(&self, from_ms: i64, to_ms: i64) -> Dependencies {
        let inner = self.read();
        let mut found = Dependencies::new();
        for stored in inner.traces.values() {
            if (from_ms..=to_ms).contains(&stored.start_ns.div_euclid(1_000_000)) {
                stored.count_dependencies(&mut found);
            }
        }
        found
    }

    /// Who called whom in the last `window_ms` before `now_ms`; see [`ServiceGraph`].
    pub fn graph(&self, window_ms: i64, now_ms: i64) -> ServiceGraph {
        self.write().graph.expire(now_ms);
        self.read().graph.read(window_ms, now_ms, true)
    }

    /// As [`TraceStore::graph`] without quantiles, which cost most over a long window.
    pub fn calls(&self, window_ms: i64, now_ms: i64) -> ServiceGraph {
        self.write().graph.expire(now_ms);
        self.read().graph.read(window_ms, now_ms, false)
    }

    /// What was counted up to `now_ms` since the store was made or the tally forgotten. What was not seen for an hour is left
    /// out, and begins anew when it is seen again.
    pub fn tally(&self, now_ms: i64) -> Tally {
        let mut inner = self.write();
        inner.graph.expire(now_ms);
        inner.graph.tally.forget(now_ms);
        inner.graph.tally.clone()
    }

    /// Begins to count anew: what was appended up to now has been counted before.
    pub fn forget_tally(&self) {
        self.write().graph.tally = Tally::default();
    }

    /// What is held and what was let go.
    pub fn stats(&self) -> StoreStats {
        let inner = self.read();
        StoreStats { traces: inner.traces.len(), bytes: inner.bytes(), ..inner.stats }
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
        let kept = self.traces.get(&span.trace_id).map_or(0, |stored| stored.spans.len());
        if kept >= spans_per_trace {
            self.graph.tally.span(&span, now_ms);
            self.stats.dropped += 1;
            return;
        }
        let stored = self.traces.entry(span.trace_id).or_default();
        match stored.place(&span) {
            Place::Free(place) => {
                stored.places.insert(place, kept as u32);
            }
            Place::Duplicate => {
                self.stats.duplicates += 1;
                return;
            }
            Place::Taken => {
                self.stats.dropped += 1;
                return;
            }
        }
        let mut bytes = self.interner.intern(&mut span) + own_bytes(&span) + PLACE_BYTES;
        if kept == 0 {
            bytes += TRACE_BYTES;
            stored.start_ns = span.start_ns;
            stored.block = self.blocks.add(span.trace_id);
            self.graph.count_trace(now_ms);
        }
        stored.start_ns = stored.start_ns.min(span.start_ns);
        self.blocks.learn(stored.block, &span);
        stored.bytes += bytes;
        self.stats.bytes += bytes;
        self.stats.spans += 1;
        self.stats.appended += 1;
        self.graph.tally.span(&span, now_ms);
        self.graph.observe(&span, now_ms);
        self.operations.remember(&span);
        stored.spans.push(Arc::new(span));
    }

    fn bytes(&self) -> usize {
        self.stats.bytes + self.interner.bytes()
    }

    fn evict(&mut self, limits: &StoreLimits) {
        while self.stats.spans > limits.spans || self.bytes() > limits.bytes {
            let Some(oldest) = self.blocks.pop().and_then(|id| self.traces.remove(&id)) else {
                break;
            };
            self.stats.spans -= oldest.spans.len();
            self.stats.bytes -= oldest.bytes;
            self.stats.evicted_traces += 1;
            self.gone += oldest.spans.len();
            drop(oldest);
            if self.gone * SWEPT_PER_SPAN >= self.interner.len() {
                self.interner.sweep();
                self.gone = 0;
            }
        }
    }
}

/// Where a span belongs among those of its id.
enum Place {
    Free((SpanId, u8)),
    Duplicate,
    Taken,
}

impl Stored {
    fn count_dependencies(&self, found: &mut Dependencies) {
        for span in &self.spans {
            let place = span.parent_id.and_then(|id| self.places.get(&(id, 0)));
            let parent = place.map(|at| &self.spans[*at as usize]);
            if let Some(parent) = parent.filter(|parent| parent.service() != span.service()) {
                let key = (parent.resource.service.clone(), span.resource.service.clone());
                *found.entry(key).or_default() += 1;
            }
        }
    }

    fn place(&self, span: &Span) -> Place {
        for nth in 0..MAX_SAME_ID {
            match self.places.get(&(span.span_id, nth)) {
                None => return Place::Free((span.span_id, nth)),
                Some(at) if *self.spans[*at as usize] == *span => return Place::Duplicate,
                Some(_) => {}
            }
        }
        Place::Taken
    }
}

impl Operations {
    fn remember(&mut self, span: &Span) {
        if !self.of.contains_key(span.service()) && self.of.len() >= MAX_SERVICES {
            return;
        }
        let of_service = self.of.entry(span.resource.service.clone()).or_default();
        let room = of_service.len() < MAX_OPERATIONS && self.count < MAX_ALL_OPERATIONS;
        if room && of_service.insert((span.name.clone(), span.kind)) {
            self.count += 1;
        }
    }
}
