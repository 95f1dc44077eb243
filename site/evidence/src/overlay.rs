//! Live values above a diagram. `calls` says who calls whom, `binding` what boxes stand for, `walk`
//! which pair of them a drawn edge stands for; `pages` shows the values.

use crate::binding::says_calls;
use crate::calls::{Calls, same};
use crate::walk::{Walk, replies};
use crate::{Bound, DiagramEvidence, EdgeEvidence, Health, NodeEvidence, ServiceEvidence};
use diagram::Edge;
use document::DiagramBlock;
use std::collections::BTreeMap;

/// Sequence diagrams show one scenario: each message is a call of its own.
const SEQUENCE: &str = "sequence";

/// A diagram whose edges are read as calls.
pub(crate) struct Drawn<'a> {
    pub(crate) block: &'a DiagramBlock,
    /// Boxes at which calls can begin or end.
    pub(crate) ends: BTreeMap<String, Bound>,
}

impl<'a> Drawn<'a> {
    /// `bound` is what the boxes stand for.
    pub(crate) fn new(block: &'a DiagramBlock, bound: &BTreeMap<String, Bound>) -> Self {
        let drawing = &block.drawing;
        // Lines between entities, classes and states are relations, unless the author says by
        // explicit lines that both ends are things that run.
        let is_end = |id: &String| says_calls(&drawing.kind) || drawing.binds.contains_key(id);
        let ends = bound.iter().filter(|(id, _)| is_end(id));
        Self { block, ends: ends.map(|(id, bound)| (id.clone(), bound.clone())).collect() }
    }

    /// Whether it shows one scenario and leaves out most of what its participants do.
    pub(crate) fn is_scenario(&self) -> bool {
        self.block.drawing.kind == SEQUENCE
    }

    pub(crate) fn walk(&self) -> Walk<'_> {
        Walk::new(&self.block.drawing, &self.ends)
    }

    /// Every edge that stands for a call, with caller and callee. Where the line leaves open which is
    /// which, `seen` decides.
    pub(crate) fn calls<'b>(
        &'b self,
        walk: &Walk<'b>,
        seen: &Calls<'_>,
    ) -> Vec<(&'b Edge, &'b Bound, &'b Bound)> {
        let edges = &self.block.drawing.edges;
        if !self.is_scenario() {
            let ends = |edge: &&'b Edge| {
                let (from, to) = walk.ends(edge)?;
                let weight = |from, to| seen.between(from, to).weight();
                let turned = walk.is_open(edge) && weight(from, to) < weight(to, from);
                Some(if turned { (*edge, to, from) } else { (*edge, from, to) })
            };
            return walk.edges().iter().filter_map(ends).collect();
        }
        let asked = edges.iter().zip(replies(&self.block.source, edges));
        asked
            .filter(|(_, reply)| !reply)
            .filter_map(|(edge, _)| {
                let (from, to) = (self.ends.get(&edge.from)?, self.ends.get(&edge.to)?);
                // What a service does by itself is no call.
                let inner = edge.from == edge.to || same(from, to);
                (!inner).then_some((edge, from, to))
            })
            .collect()
    }
}

/// The live values of one diagram, whose boxes stand for `bound`.
pub(crate) fn diagram(
    block: &DiagramBlock,
    bound: &BTreeMap<String, Bound>,
    calls: &Calls<'_>,
    services: &[ServiceEvidence],
) -> DiagramEvidence {
    let drawn = Drawn::new(block, bound);
    let walk = drawn.walk();
    let nodes = bound.iter().map(|(id, bound)| (id.clone(), node(bound, calls, services)));
    let edges = drawn
        .calls(&walk, calls)
        .into_iter()
        .map(|(edge, from, to)| (edge.id.clone(), between(from, to, calls)));
    let undocumented = if drawn.is_scenario() {
        Vec::new()
    } else {
        let missing = calls.missing(&drawn.ends, &walk).into_iter();
        missing.map(|m| (m.from.name().into(), m.to.name().into(), m.flow.rate)).collect()
    };
    DiagramEvidence { nodes: nodes.collect(), edges: edges.collect(), undocumented }
}

/// A service that measures nothing itself shows what its callers saw of it.
fn node(bound: &Bound, calls: &Calls<'_>, services: &[ServiceEvidence]) -> NodeEvidence {
    if let Bound::Service(id) = bound
        && let Some(service) = services.iter().find(|service| service.id == *id)
        && !(service.health == Health::NoData && calls.of(bound).health() != Health::NoData)
    {
        return NodeEvidence {
            bound: bound.clone(),
            health: service.health,
            rate: service.rate.clone(),
            p95: service.p95.clone(),
            errors: service.errors.clone(),
        };
    }
    let flow = calls.of(bound);
    NodeEvidence {
        bound: bound.clone(),
        health: flow.health(),
        rate: flow.rate(),
        p95: flow.p95(),
        errors: flow.errors(),
    }
}

/// What is known of the calls from one to the other.
fn between(from: &Bound, to: &Bound, calls: &Calls<'_>) -> EdgeEvidence {
    let flow = calls.between(from, to);
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
