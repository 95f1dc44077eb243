//! The service graph: who called whom, how often, how long, how many failed.
//!
//! Fed by the store with every new span, read by `evidence`. Calls are counted in slots of one second
//! by the time at which they became known, so that spans of clocks that disagree and spans that were
//! batched count alike. Edges outlive the window: they say when they were last seen.

use crate::histogram::Durations;
use crate::pairing::{Call, Pairing};
use crate::{Span, Tally, TraceId};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Seconds for which calls are counted: the longest window.
const MAX_WINDOW_S: i64 = 15 * 60;
/// Edges that are remembered; beyond, the one not seen for longest goes.
const MAX_EDGES: usize = 2000;
/// How far what was counted may lie ahead of the present: what threads that ask the clock side by side
/// differ by. Further ahead, the clock was set back.
const MAX_AHEAD_S: i64 = 2;
/// Services that are told from externals by their name.
const MAX_SERVICES: usize = 1000;
/// How far the first span's start may lie before its arrival and still say when counting began: what
/// exporters batch. A span from long ago says nothing about it.
const MAX_BATCH_MS: i64 = 10_000;

/// What a node of the graph stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// Sends spans (or is named by a caller and has sent spans before).
    Service,
    /// A database, known from its clients.
    Database,
    /// A queue or topic, known from its senders and receivers.
    Queue,
    /// Something that sends no spans, known from the other side's attributes.
    External,
    /// Whoever starts traces without sending spans.
    User,
}

/// An end of an edge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct GraphNode {
    /// `service.name`, the database's, queue's or peer's name, or `user`.
    pub name: Arc<str>,
    /// What it stands for.
    pub kind: NodeKind,
}

impl GraphNode {
    pub(crate) fn service(name: &Arc<str>) -> Self {
        Self { name: name.clone(), kind: NodeKind::Service }
    }

    pub(crate) fn queue(name: &Arc<str>) -> Self {
        Self { name: name.clone(), kind: NodeKind::Queue }
    }
}

/// How the two ends are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connection {
    /// A request that both sides sent spans of.
    Call,
    /// A message.
    Messaging,
    /// A database call.
    Database,
    /// A call of which only one side sent a span. Callees that are named by their caller become known
    /// 10 s after the call, when nobody else can have answered it.
    Virtual,
}

/// Calls from one node to another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GraphEdge {
    /// Who calls.
    pub from: GraphNode,
    /// Who is called.
    pub to: GraphNode,
    /// How, most recently.
    pub connection: Connection,
    /// Calls in the window; 0 for an edge that is idle.
    pub calls: u64,
    /// Calls a second; see [`ServiceGraph::covered_s`].
    pub rate: f64,
    /// Calls in the window of which either side failed.
    pub failed: u64,
    /// Share of the calls that failed, 0 to 1; `None` without calls.
    pub error_ratio: Option<f64>,
    /// Median duration in seconds, as the caller saw it when the caller sends spans; `None` without
    /// calls. Quantiles are within 2.2 %.
    pub p50_s: Option<f64>,
    /// 95th percentile likewise.
    pub p95_s: Option<f64>,
    /// When it was first seen, milliseconds since 1970.
    pub first_seen_ms: i64,
    /// When it was last seen, milliseconds since 1970, in the window or before.
    pub last_seen_ms: i64,
    /// The most recent trace with such a call.
    pub example_trace: TraceId,
    /// The most recent trace in which such a call failed, in the window or before.
    pub failed_trace: Option<TraceId>,
}

/// Who called whom in a window of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceGraph {
    /// The window that was asked for, seconds, as far as calls are counted (15 minutes).
    pub window_s: f64,
    /// Seconds of the window since the first span was seen, at least 1: what rates are divided by, so
    /// that they are true right after the start too.
    pub covered_s: f64,
    /// Every edge that was ever seen and is remembered, by the names of its ends.
    pub edges: Vec<GraphEdge>,
    /// Sides of calls in the window whose other side neither came within 10 s nor has a name.
    pub expired: u64,
    /// Traces that began to arrive in the window.
    pub traces: u64,
}

#[derive(Debug, Default)]
struct Counts {
    calls: u64,
    failed: u64,
    durations: Durations,
}

/// What happened in each second, oldest first; seconds without anything are left out.
#[derive(Debug)]
struct Slots<T>(VecDeque<(i64, T)>);

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Default> Slots<T> {
    fn at(&mut self, now_s: i64) -> &mut T {
        while self.0.front().is_some_and(|(second, _)| *second <= now_s - MAX_WINDOW_S) {
            self.0.pop_front();
        }
        self.drop_ahead(now_s);
        if self.0.back().is_none_or(|(second, _)| *second < now_s) {
            self.0.push_back((now_s, T::default()));
        }
        &mut self.0.back_mut().expect("there is a slot, pushed above if need be").1
    }

    /// Drops what was counted while the clock was ahead.
    fn drop_ahead(&mut self, now_s: i64) {
        while self.0.back().is_some_and(|(second, _)| *second > now_s + MAX_AHEAD_S) {
            self.0.pop_back();
        }
    }

    fn since(&self, second: i64) -> impl Iterator<Item = &T> {
        self.0.iter().rev().take_while(move |(at, _)| *at >= second).map(|(_, slot)| slot)
    }
}

#[derive(Debug)]
struct Edge {
    connection: Connection,
    slots: Slots<Counts>,
    first_seen_ms: i64,
    last_seen_ms: i64,
    example_trace: TraceId,
    failed_trace: Option<TraceId>,
}

/// Everything behind the graph.
#[derive(Debug, Default)]
pub(crate) struct GraphState {
    pairing: Pairing,
    /// Counted from the beginning on.
    pub(crate) tally: Tally,
    services: HashSet<Arc<str>>,
    edges: HashMap<(GraphNode, GraphNode), Edge>,
    expired: Slots<u64>,
    traces: Slots<u64>,
    since_ms: Option<i64>,
}

impl GraphState {
    /// Counts a trace of which the first span arrived.
    pub(crate) fn count_trace(&mut self, now_ms: i64) {
        *self.traces.at(second(now_ms)) += 1;
    }

    /// Takes a span that arrived.
    pub(crate) fn observe(&mut self, span: &Span, now_ms: i64) {
        let start_ms = span.start_ns.div_euclid(1_000_000);
        self.since_ms.get_or_insert(start_ms.clamp(now_ms - MAX_BATCH_MS, now_ms));
        self.learn(&span.resource.service);
        self.pairing.observe(span, now_ms);
        self.collect(now_ms);
    }

    /// Gives up on sides of calls that waited long enough, and on times that lie ahead.
    pub(crate) fn expire(&mut self, now_ms: i64) {
        let now_s = second(now_ms);
        if self.since_ms.is_some_and(|since_ms| second(since_ms) > now_s + MAX_AHEAD_S) {
            self.since_ms = Some(now_ms);
        }
        for edge in self.edges.values_mut() {
            edge.slots.drop_ahead(now_s);
            edge.last_seen_ms = edge.last_seen_ms.min(now_ms.saturating_add(MAX_AHEAD_S * 1000));
        }
        self.expired.drop_ahead(now_s);
        self.traces.drop_ahead(now_s);
        self.pairing.expire(now_ms, &self.services);
        self.collect(now_ms);
    }

    /// The graph over the last `window_ms`; `timed` says whether quantiles are worked out.
    pub(crate) fn read(&self, window_ms: i64, now_ms: i64, timed: bool) -> ServiceGraph {
        let window_ms = window_ms.clamp(1000, MAX_WINDOW_S * 1000);
        let first = second(now_ms - window_ms) + 1;
        let counted_since = self.since_ms.unwrap_or(now_ms).max(first * 1000);
        let covered_s = ((now_ms - counted_since) as f64 / 1000.0).max(1.0);
        let mut edges: Vec<_> = self
            .edges
            .iter()
            .map(|((from, to), edge)| edge.read(from, to, first, covered_s, timed))
            .collect();
        edges.sort_by(|a, b| (&a.from, &a.to).cmp(&(&b.from, &b.to)));
        ServiceGraph {
            window_s: window_ms as f64 / 1000.0,
            covered_s,
            edges,
            expired: self.expired.since(first).sum(),
            traces: self.traces.since(first).sum(),
        }
    }

    fn collect(&mut self, now_ms: i64) {
        let (calls, expired) = self.pairing.take();
        if expired > 0 {
            *self.expired.at(second(now_ms)) += expired;
            self.tally.unpaired += expired;
        }
        calls.into_iter().for_each(|call| self.count(call, now_ms));
    }

    fn count(&mut self, call: Call, now_ms: i64) {
        self.tally.call(&call, now_ms);
        let key = (self.known(call.from), self.known(call.to));
        if !self.edges.contains_key(&key) && self.edges.len() >= MAX_EDGES {
            self.forget_oldest();
        }
        let edge = self.edges.entry(key).or_insert_with(|| Edge {
            connection: call.connection,
            slots: Slots::default(),
            first_seen_ms: call.seen_ms,
            last_seen_ms: call.seen_ms,
            example_trace: call.trace_id,
            failed_trace: None,
        });
        edge.connection = call.connection;
        edge.first_seen_ms = edge.first_seen_ms.min(call.seen_ms);
        edge.last_seen_ms = edge.last_seen_ms.max(call.seen_ms);
        edge.example_trace = call.trace_id;
        let counts = edge.slots.at(second(now_ms));
        counts.calls += u64::from(call.count);
        counts.durations.add(call.seconds);
        if call.failed {
            counts.failed += u64::from(call.count);
            edge.failed_trace = Some(call.trace_id);
        }
    }

    /// A peer that turns out to send spans is a service from then on, in edges of the past too.
    fn learn(&mut self, service: &Arc<str>) {
        if self.services.contains(service) || self.services.len() >= MAX_SERVICES {
            return;
        }
        self.services.insert(service.clone());
        let external = GraphNode { name: service.clone(), kind: NodeKind::External };
        let stale: Vec<_> = self
            .edges
            .keys()
            .filter(|(from, to)| *from == external || *to == external)
            .cloned()
            .collect();
        for key in stale {
            let edge = self.edges.remove(&key).expect("the key was just read");
            self.edges.insert((self.known(key.0), self.known(key.1)), edge);
        }
    }

    fn known(&self, mut node: GraphNode) -> GraphNode {
        if node.kind == NodeKind::External && self.services.contains(&node.name) {
            node.kind = NodeKind::Service;
        }
        node
    }

    fn forget_oldest(&mut self) {
        let oldest =
            self.edges.iter().min_by_key(|(_, edge)| edge.last_seen_ms).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            self.edges.remove(&key);
        }
    }
}

impl Edge {
    fn read(
        &self,
        from: &GraphNode,
        to: &GraphNode,
        first: i64,
        covered_s: f64,
        timed: bool,
    ) -> GraphEdge {
        let mut sum = Counts::default();
        for slot in self.slots.since(first) {
            sum.calls += slot.calls;
            sum.failed += slot.failed;
            if timed {
                sum.durations.merge(&slot.durations);
            }
        }
        GraphEdge {
            from: from.clone(),
            to: to.clone(),
            connection: self.connection,
            calls: sum.calls,
            rate: sum.calls as f64 / covered_s,
            failed: sum.failed,
            error_ratio: (sum.calls > 0).then(|| sum.failed as f64 / sum.calls as f64),
            p50_s: sum.durations.quantile(0.5),
            p95_s: sum.durations.quantile(0.95),
            first_seen_ms: self.first_seen_ms,
            last_seen_ms: self.last_seen_ms,
            example_trace: self.example_trace,
            failed_trace: self.failed_trace,
        }
    }
}

fn second(ms: i64) -> i64 {
    ms.div_euclid(1000)
}
