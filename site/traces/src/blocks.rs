//! Traces in blocks by arrival, each with a few words on what is in it, so that a search looks only where it may find.
//!
//! The store keeps it in step with its traces and asks it where to look. What a block says may be too much, never too
//! little: spans that went are still counted in.

use crate::{Search, Span, TraceId};
use std::collections::VecDeque;
use std::sync::Arc;

/// Traces of one block.
const TRACES_PER_BLOCK: usize = 64;

/// What the spans of one service in one block come to.
#[derive(Debug)]
struct OfService {
    service: Arc<str>,
    shortest_ns: i64,
    longest_ns: i64,
    failed: bool,
}

/// Traces that came one after the other.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Those that are still there are the last ones.
    traces: VecDeque<TraceId>,
    services: Vec<OfService>,
    /// The earliest and the latest start of a span, nanoseconds since 1970.
    starts_ns: Option<(i64, i64)>,
}

/// All blocks, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    blocks: VecDeque<Block>,
    /// The number of the first.
    first: u64,
}

impl Blocks {
    /// Takes a trace that is new; gives the number of its block.
    pub(crate) fn add(&mut self, id: TraceId) -> u64 {
        if self.blocks.back().is_none_or(|block| block.traces.len() >= TRACES_PER_BLOCK) {
            self.blocks.push_back(Block::default());
        }
        let last = self.blocks.len() - 1;
        self.blocks[last].traces.push_back(id);
        self.first + last as u64
    }

    /// Takes a span of a trace of a block.
    pub(crate) fn learn(&mut self, block: u64, span: &Span) {
        let at = block.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some(block) = at.and_then(|at| self.blocks.get_mut(at)) {
            block.learn(span);
        }
    }

    /// Takes out the trace that came first.
    pub(crate) fn pop(&mut self) -> Option<TraceId> {
        let block = self.blocks.front_mut()?;
        let id = block.traces.pop_front();
        if block.traces.is_empty() {
            self.blocks.pop_front();
            self.first += 1;
        }
        id
    }

    /// The blocks in which the search may find something, those with the latest start first.
    pub(crate) fn may_hold(&self, search: &Search) -> Vec<&Block> {
        let mut found: Vec<&Block> =
            self.blocks.iter().rev().filter(|block| block.may_hold(search)).collect();
        found.sort_by_key(|block| std::cmp::Reverse(block.latest_ns()));
        found
    }
}

impl Block {
    /// Its traces.
    pub(crate) fn traces(&self) -> impl Iterator<Item = &TraceId> {
        self.traces.iter()
    }

    /// No trace in it begins after this.
    pub(crate) fn latest_ns(&self) -> i64 {
        self.starts_ns.map_or(i64::MIN, |(_, latest)| latest)
    }

    fn learn(&mut self, span: &Span) {
        let (earliest, latest) = self.starts_ns.unwrap_or((span.start_ns, span.start_ns));
        self.starts_ns = Some((earliest.min(span.start_ns), latest.max(span.start_ns)));
        let duration = span.duration_ns();
        let same = |of: &&mut OfService| {
            Arc::ptr_eq(&of.service, &span.resource.service) || *of.service == *span.service()
        };
        match self.services.iter_mut().find(same) {
            Some(of) => {
                of.shortest_ns = of.shortest_ns.min(duration);
                of.longest_ns = of.longest_ns.max(duration);
                of.failed |= span.is_error();
            }
            None => self.services.push(OfService {
                service: span.resource.service.clone(),
                shortest_ns: duration,
                longest_ns: duration,
                failed: span.is_error(),
            }),
        }
    }

    fn may_hold(&self, search: &Search) -> bool {
        let Some((earliest, latest)) = self.starts_ns else { return false };
        search.from_ms.is_none_or(|from| latest.div_euclid(1_000_000) >= from)
            && search.to_ms.is_none_or(|to| earliest.div_euclid(1_000_000) <= to)
            && self.services.iter().any(|of| of.may_hold(search))
    }
}

impl OfService {
    fn may_hold(&self, search: &Search) -> bool {
        search.service.as_deref().is_none_or(|service| service == &*self.service)
            && search.min_duration_ns.is_none_or(|min| self.longest_ns >= min)
            && search.max_duration_ns.is_none_or(|max| self.shortest_ns <= max)
            && (!search.errors_only || self.failed)
    }
}
