//! Live values above a diagram. The service graph says who calls whom, `binding` what boxes stand
//! for, `walk` which pair of them a drawn edge stands for; `pages` shows the values.

use crate::binding::bound_of;
use crate::figures::number;
use crate::services::{DEGRADED_ERROR_SHARE, DOWN_ERROR_SHARE, JUDGED_REQUESTS_MIN};
use crate::walk::{Walk, replies};
use crate::{Bound, DiagramEvidence, EdgeEvidence, EdgeState, Figure, Health};
use crate::{NodeEvidence, ServiceEvidence};
use document::{Config, DiagramBlock};
use std::collections::BTreeMap;
use traces::{GraphEdge, ServiceGraph};

/// Sequence diagrams show one scenario: each message is a call of its own.
const SEQUENCE: &str = "sequence";

/// The service graph with both ends of each edge under the book's names.
pub(crate) struct Calls<'a> {
    edges: Vec<(Bound, Bound, &'a GraphEdge)>,
}

impl<'a> Calls<'a> {
    pub(crate) fn new(graph: &'a ServiceGraph, config: &Config) -> Self {
        let named = |edge| {
            let edge: &GraphEdge = edge;
            (bound_of(&edge.from, config), bound_of(&edge.to, config))
        };
        let edges = graph.edges.iter().map(|edge| {
            let (from, to) = named(edge);
            (from, to, edge)
        });
        Self { edges: edges.collect() }
    }

    /// The live values of one diagram, whose nodes stand for `bound`.
    pub(crate) fn diagram(
        &self,
        block: &DiagramBlock,
        bound: &BTreeMap<String, Bound>,
        services: &[ServiceEvidence],
    ) -> DiagramEvidence {
        let nodes = bound.iter().map(|(id, bound)| (id.clone(), self.node(bound, services)));
        let scenario = block.drawing.kind == SEQUENCE;
        let walk = Walk::new(&block.drawing, bound);
        let edges = if scenario { self.messages(block, bound) } else { self.edges(block, &walk) };
        // A scenario leaves out most of what its participants do: nothing is missing there.
        let undocumented = if scenario { Vec::new() } else { self.undocumented(bound, &walk) };
        DiagramEvidence { nodes: nodes.collect(), edges, undocumented }
    }

    fn node(&self, bound: &Bound, services: &[ServiceEvidence]) -> NodeEvidence {
        if let Bound::Service(id) = bound
            && let Some(service) = services.iter().find(|service| service.id == *id)
        {
            return NodeEvidence {
                bound: bound.clone(),
                health: service.health,
                rate: service.rate.clone(),
                p95: service.p95.clone(),
                errors: service.errors.clone(),
            };
        }
        let incoming = Flow::of(self.edges.iter().filter(|(_, to, _)| same(to, bound)));
        let flow = match incoming.seen {
            // Whoever only calls, such as the users, is known by what it calls.
            false => Flow::of(self.edges.iter().filter(|(from, ..)| same(from, bound))),
            true => incoming,
        };
        NodeEvidence {
            bound: bound.clone(),
            health: flow.health(),
            rate: flow.rate(),
            p95: flow.p95(),
            errors: flow.errors(),
        }
    }

    fn edges(&self, block: &DiagramBlock, walk: &Walk<'_>) -> BTreeMap<String, EdgeEvidence> {
        let drawn = block.drawing.edges.iter();
        drawn
            .filter_map(|edge| {
                let (from, to) = walk.ends(edge)?;
                Some((edge.id.clone(), self.between(from, to)))
            })
            .collect()
    }

    fn messages(
        &self,
        block: &DiagramBlock,
        bound: &BTreeMap<String, Bound>,
    ) -> BTreeMap<String, EdgeEvidence> {
        let edges = &block.drawing.edges;
        let calls = edges.iter().zip(replies(&block.source, edges)).filter(|(_, reply)| !reply);
        calls
            .filter_map(|(edge, _)| {
                let (from, to) = (bound.get(&edge.from)?, bound.get(&edge.to)?);
                // What a service does by itself is no call.
                let inner = edge.from == edge.to || same(from, to);
                (!inner).then(|| (edge.id.clone(), self.between(from, to)))
            })
            .collect()
    }

    /// What is known of the calls from one to the other.
    fn between(&self, from: &Bound, to: &Bound) -> EdgeEvidence {
        let flow = Flow::of(self.edges.iter().filter(|(f, t, _)| same(f, from) && same(t, to)));
        EdgeEvidence {
            from: from.name().to_owned(),
            to: to.name().to_owned(),
            state: flow.state(),
            rate: flow.rate(),
            p95: flow.p95(),
            errors: flow.errors(),
            last_seen: flow.latest.map(|edge| edge.last_seen_ms),
            example_trace: flow.latest.map(|edge| edge.example_trace.to_string()),
        }
    }

    /// Calls seen in the window between what the diagram shows, without a drawn way.
    fn undocumented(
        &self,
        bound: &BTreeMap<String, Bound>,
        walk: &Walk<'_>,
    ) -> Vec<(String, String, f64)> {
        let shown = |end: &Bound| bound.values().any(|bound| same(bound, end));
        let drawn = walk.pairs();
        let is_drawn =
            |from: &Bound, to: &Bound| drawn.iter().any(|(f, t)| same(f, from) && same(t, to));
        let mut found: Vec<(String, String, f64)> = self
            .edges
            .iter()
            .filter(|(from, to, edge)| {
                edge.calls > 0 && !same(from, to) && shown(from) && shown(to) && !is_drawn(from, to)
            })
            .filter(|(.., edge)| edge.rate.is_finite())
            .map(|(from, to, edge)| (from.name().to_owned(), to.name().to_owned(), edge.rate))
            .collect();
        found.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        found
    }
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
struct Flow<'a> {
    seen: bool,
    calls: u64,
    failed: u64,
    rate: f64,
    p95: Option<f64>,
    latest: Option<&'a GraphEdge>,
}

impl<'a> Flow<'a> {
    fn of<'b>(edges: impl Iterator<Item = &'b (Bound, Bound, &'a GraphEdge)>) -> Self
    where
        'a: 'b,
    {
        edges.fold(Self::default(), |mut flow, (_, _, edge)| {
            flow.seen = true;
            flow.calls = flow.calls.saturating_add(edge.calls);
            flow.failed = flow.failed.saturating_add(edge.failed);
            flow.rate += edge.rate;
            flow.p95 = [flow.p95, edge.p95_s].into_iter().flatten().reduce(f64::max);
            let newer = flow.latest.is_none_or(|latest| latest.last_seen_ms < edge.last_seen_ms);
            flow.latest = if newer { Some(edge) } else { flow.latest };
            flow
        })
    }

    fn state(&self) -> EdgeState {
        match (self.seen, self.calls) {
            (false, _) => EdgeState::NeverSeen,
            (true, 0) => EdgeState::Idle,
            (true, _) => EdgeState::Confirmed,
        }
    }

    fn rate(&self) -> Figure {
        if self.seen { number(self.rate) } else { Figure::NoData }
    }

    fn p95(&self) -> Figure {
        match self.state() {
            EdgeState::NeverSeen => Figure::NoData,
            EdgeState::Idle => Figure::NoTraffic,
            EdgeState::Confirmed => self.p95.map_or(Figure::NoData, number),
        }
    }

    fn errors(&self) -> Figure {
        match self.state() {
            EdgeState::NeverSeen => Figure::NoData,
            EdgeState::Idle => Figure::NoTraffic,
            EdgeState::Confirmed => {
                number((self.failed as f64 / self.calls as f64).clamp(0.0, 1.0))
            }
        }
    }

    fn health(&self) -> Health {
        let judged = self.calls as f64 >= JUDGED_REQUESTS_MIN;
        match self.errors() {
            Figure::Value(share) if judged && share >= DOWN_ERROR_SHARE => Health::Down,
            Figure::Value(share) if judged && share >= DEGRADED_ERROR_SHARE => Health::Degraded,
            Figure::Value(_) => Health::Healthy,
            _ => Health::NoData,
        }
    }
}
