//! The service graph under the book's names: who was seen calling whom. `overlay` reads the last
//! moments from it, `drift` the last minutes.

use crate::binding::bound_of;
use crate::figures::number;
use crate::services::{DEGRADED_ERROR_SHARE, DOWN_ERROR_SHARE, JUDGED_REQUESTS_MIN};
use crate::walk::Walk;
use crate::{Bound, EdgeState, Figure, Health};
use document::Config;
use std::collections::{BTreeMap, BTreeSet};
use traces::{GraphEdge, ServiceGraph};

/// The service graph with both ends of each edge under the book's names.
pub(crate) struct Calls<'a> {
    edges: Vec<(Bound, Bound, &'a GraphEdge)>,
}

/// Calls between two shown ends that no drawn way stands for.
pub(crate) struct Missing<'a> {
    pub(crate) from: &'a Bound,
    pub(crate) to: &'a Bound,
    /// A queue between them that the diagram does not show.
    pub(crate) queue: Option<&'a Bound>,
    pub(crate) flow: Flow<'a>,
}

impl<'a> Calls<'a> {
    pub(crate) fn new(graph: &'a ServiceGraph, config: &Config) -> Self {
        let named =
            |edge: &'a GraphEdge| (bound_of(&edge.from, config), bound_of(&edge.to, config), edge);
        Self { edges: graph.edges.iter().map(named).collect() }
    }

    /// All calls to one, or from it where it only calls, as the users do.
    pub(crate) fn of(&self, end: &Bound) -> Flow<'a> {
        let incoming = self.to(end);
        match incoming.latest {
            None => Flow::of(self.edges.iter().filter(|(from, ..)| same(from, end))),
            Some(_) => incoming,
        }
    }

    /// All calls to one.
    pub(crate) fn to(&self, end: &Bound) -> Flow<'a> {
        Flow::of(self.edges.iter().filter(|(_, to, _)| same(to, end)))
    }

    /// The calls from one to the other; where there are none, the messages through a queue.
    pub(crate) fn between(&self, from: &Bound, to: &Bound) -> Flow<'a> {
        let direct = self.direct(from, to);
        if direct.latest.is_some() { direct } else { self.through_queue(from, to) }
    }

    fn direct(&self, from: &Bound, to: &Bound) -> Flow<'a> {
        Flow::of(self.edges.iter().filter(|(f, t, _)| same(f, from) && same(t, to)))
    }

    /// Of both ways, to the queue and from it, the one that says less.
    fn through_queue(&self, from: &Bound, to: &Bound) -> Flow<'a> {
        let sent = self.edges.iter().filter(|(f, queue, _)| is_queue(queue) && same(f, from));
        sent.filter_map(|(_, queue, _)| {
            let taken = self.direct(queue, to);
            taken.latest.is_some().then(|| self.direct(from, queue).weaker(taken))
        })
        .max_by_key(Flow::weight)
        .unwrap_or_default()
    }

    /// Whether a call between the two would be seen if there were one: who calls must send spans, or
    /// be known to whoever is called.
    pub(crate) fn would_show(&self, from: &Bound, to: &Bound) -> bool {
        let sends = |end: &Bound| self.edges.iter().any(|(f, t, _)| f == end || t == end);
        match from {
            Bound::Service(_) => sends(from),
            Bound::Queue(_) | Bound::Database(_) => sends(to),
            Bound::External(name) => name == crate::binding::USER && sends(to),
        }
    }

    /// Calls seen in the window between what the diagram shows, without a drawn way.
    pub(crate) fn missing<'b>(
        &'b self,
        shown: &BTreeMap<String, Bound>,
        walk: &Walk<'_>,
    ) -> Vec<Missing<'b>> {
        let is_shown = |end: &Bound| shown.values().any(|bound| same(bound, end));
        let pairs = walk.pairs();
        let is_drawn =
            |from: &Bound, to: &Bound| pairs.iter().any(|(f, t)| same(f, from) && same(t, to));
        let mut told = BTreeSet::new();
        let direct = self.edges.iter().map(|(from, to, _)| (from, to, None));
        let mut missing: Vec<Missing<'b>> = direct
            .chain(
                self.messages()
                    .filter(|(.., queue)| !is_shown(queue))
                    .map(|(from, to, queue)| (from, to, Some(queue))),
            )
            .filter(|(from, to, _)| {
                !same(from, to) && is_shown(from) && is_shown(to) && !is_drawn(from, to)
            })
            .filter(|(from, to, _)| told.insert((from.name(), to.name())))
            .map(|(from, to, queue)| Missing { from, to, queue, flow: self.between(from, to) })
            .filter(|missing| missing.flow.calls > 0 && missing.flow.rate.is_finite())
            .collect();
        missing.sort_by_key(|missing| (missing.from.name(), missing.to.name()));
        missing
    }

    /// Sender, receiver and queue of messages. With several senders it is not known whose messages a
    /// receiver took, so nothing is said.
    fn messages(&self) -> impl Iterator<Item = (&Bound, &Bound, &Bound)> {
        let alone = |queue: &Bound| self.edges.iter().filter(|(_, q, _)| q == queue).count() == 1;
        let sent = self.edges.iter().filter(move |(_, queue, _)| is_queue(queue) && alone(queue));
        sent.flat_map(|(from, queue, _)| {
            let taken = self.edges.iter().filter(move |(q, ..)| q == queue);
            taken.map(move |(_, to, _)| (from, to, queue))
        })
    }
}

fn is_queue(bound: &Bound) -> bool {
    matches!(bound, Bound::Queue(_))
}

/// Whether two names mean the same. What a caller names is "external" until it sends spans of its
/// own, so that kind is compatible with every other.
pub(crate) fn same(a: &Bound, b: &Bound) -> bool {
    let either_external = matches!(a, Bound::External(_)) || matches!(b, Bound::External(_));
    a.name() == b.name()
        && (either_external || std::mem::discriminant(a) == std::mem::discriminant(b))
}

/// Calls of several edges taken together.
#[derive(Default)]
pub(crate) struct Flow<'a> {
    pub(crate) calls: u64,
    failed: u64,
    pub(crate) rate: f64,
    p95: Option<f64>,
    pub(crate) first_seen_ms: i64,
    /// The edge seen last; `None` when there is no call at all.
    pub(crate) latest: Option<&'a GraphEdge>,
}

impl<'a> Flow<'a> {
    fn of<'b>(edges: impl Iterator<Item = &'b (Bound, Bound, &'a GraphEdge)>) -> Self
    where
        'a: 'b,
    {
        Self::of_edges(edges.map(|(_, _, edge)| *edge))
    }

    pub(crate) fn of_edges(edges: impl Iterator<Item = &'a GraphEdge>) -> Self {
        edges.fold(Self::default(), |mut flow, edge| {
            let first = if flow.latest.is_some() { flow.first_seen_ms } else { i64::MAX };
            flow.first_seen_ms = first.min(edge.first_seen_ms);
            flow.calls = flow.calls.saturating_add(edge.calls);
            flow.failed = flow.failed.saturating_add(edge.failed);
            flow.rate += edge.rate;
            flow.p95 = [flow.p95, edge.p95_s].into_iter().flatten().reduce(f64::max);
            let newer = flow.latest.is_none_or(|latest| latest.last_seen_ms < edge.last_seen_ms);
            flow.latest = if newer { Some(edge) } else { flow.latest };
            flow
        })
    }

    /// How much it says: calls, then when the last one was seen.
    pub(crate) fn weight(&self) -> (u64, Option<i64>) {
        (self.calls, self.latest.map(|edge| edge.last_seen_ms))
    }

    fn weaker(self, other: Self) -> Self {
        if self.weight() < other.weight() { self } else { other }
    }

    pub(crate) fn state(&self) -> EdgeState {
        match (self.latest, self.calls) {
            (None, _) => EdgeState::NeverSeen,
            (Some(_), 0) => EdgeState::Idle,
            (Some(_), _) => EdgeState::Confirmed,
        }
    }

    pub(crate) fn rate(&self) -> Figure {
        if self.latest.is_some() { number(self.rate) } else { Figure::NoData }
    }

    pub(crate) fn p95(&self) -> Figure {
        match self.state() {
            EdgeState::NeverSeen => Figure::NoData,
            EdgeState::Idle => Figure::NoTraffic,
            EdgeState::Confirmed => self.p95.map_or(Figure::NoData, number),
        }
    }

    pub(crate) fn errors(&self) -> Figure {
        match self.state() {
            EdgeState::NeverSeen => Figure::NoData,
            EdgeState::Idle => Figure::NoTraffic,
            EdgeState::Confirmed => {
                number((self.failed as f64 / self.calls as f64).clamp(0.0, 1.0))
            }
        }
    }

    pub(crate) fn health(&self) -> Health {
        let judged = self.calls as f64 >= JUDGED_REQUESTS_MIN;
        match self.errors() {
            Figure::Value(share) if judged && share >= DOWN_ERROR_SHARE => Health::Down,
            Figure::Value(share) if judged && share >= DEGRADED_ERROR_SHARE => Health::Degraded,
            Figure::Value(_) => Health::Healthy,
            _ => Health::NoData,
        }
    }
}
