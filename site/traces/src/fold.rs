//! Repeated siblings of a trace, folded: "12 × SELECT order_items" instead of twelve rows.
//!
//! `pages` draws the waterfall from it. What failed, or holds something that failed, is never folded away.

use crate::trace::{Parent, Trace};
use std::collections::HashMap;

/// Siblings that are alike are folded from this number on.
const ALIKE_MIN: usize = 4;

/// A line of a waterfall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The row with this index.
    Row(usize),
    /// Siblings that are alike.
    Fold(Fold),
}

/// Siblings with the same service, name and kind, without a failure in or below them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// The rows of the siblings, by start.
    pub members: Vec<usize>,
    /// The members and what is below them, as lines.
    pub lines: Vec<Line>,
    /// How many rows these are.
    pub rows: usize,
    /// The earliest start of a member, nanoseconds since 1970.
    pub start_ns: i64,
    /// The latest end of a member, nanoseconds since 1970.
    pub end_ns: i64,
    /// The members' durations together, nanoseconds.
    pub total_ns: i64,
    /// The longest member's duration, nanoseconds.
    pub longest_ns: i64,
}

impl Trace {
    /// The rows in display order with repeated siblings folded; a fold stands where its first member would.
    pub fn folded(&self) -> Vec<Line> {
        let mut children = vec![Vec::new(); self.rows.len()];
        let mut roots = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            match row.parent {
                Parent::Row(parent) => children[parent].push(index),
                Parent::Root | Parent::Missing(_) => roots.push(index),
            }
        }
        let folding = Folding { trace: self, failed: failing(self), children };
        folding.lines(roots.into_iter().map(Entry::One).collect())
    }

    /// The rows in display order, each for itself.
    pub fn unfolded(&self) -> Vec<Line> {
        (0..self.rows.len()).map(Line::Row).collect()
    }
}

/// Whether a row or one below it failed.
fn failing(trace: &Trace) -> Vec<bool> {
    let mut failed: Vec<bool> = trace.rows.iter().map(|row| row.span.is_error()).collect();
    for index in (0..trace.rows.len()).rev() {
        if let (true, Parent::Row(parent)) = (failed[index], trace.rows[index].parent) {
            failed[parent] = true;
        }
    }
    failed
}

struct Folding<'a> {
    trace: &'a Trace,
    failed: Vec<bool>,
    children: Vec<Vec<usize>>,
}

enum Entry {
    One(usize),
    Alike(Vec<usize>),
}

impl Folding<'_> {
    /// Calls itself for folds alone. Each holds several members, so that the depth is the logarithm of the number of rows.
    fn lines(&self, first: Vec<Entry>) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut waiting: Vec<Entry> = first.into_iter().rev().collect();
        while let Some(entry) = waiting.pop() {
            match entry {
                Entry::One(index) => {
                    lines.push(Line::Row(index));
                    waiting.extend(self.entries(&self.children[index]).into_iter().rev());
                }
                Entry::Alike(members) => lines.push(Line::Fold(self.fold(members))),
            }
        }
        lines
    }

    fn entries(&self, siblings: &[usize]) -> Vec<Entry> {
        let mut alike: HashMap<_, Vec<usize>> = HashMap::new();
        for index in siblings.iter().filter(|index| !self.failed[**index]) {
            alike.entry(self.key(*index)).or_default().push(*index);
        }
        let entry = |index: &usize| {
            let group = if self.failed[*index] { None } else { alike.get(&self.key(*index)) };
            match group.filter(|group| group.len() >= ALIKE_MIN) {
                Some(group) if group[0] == *index => Some(Entry::Alike(group.clone())),
                Some(_) => None,
                None => Some(Entry::One(*index)),
            }
        };
        siblings.iter().filter_map(entry).collect()
    }

    fn key(&self, index: usize) -> (&str, &str, crate::Kind) {
        let span = &self.trace.rows[index].span;
        (span.service(), &span.name, span.kind)
    }

    fn fold(&self, members: Vec<usize>) -> Fold {
        let spans = || members.iter().map(|index| &self.trace.rows[*index].span);
        let length = |ends: Option<i64>| ends.unwrap_or(0);
        Fold {
            rows: members.iter().map(|index| self.trace.rows[*index].descendants + 1).sum(),
            start_ns: length(spans().map(|span| span.start_ns).min()),
            end_ns: length(spans().map(|span| span.end_ns).max()),
            total_ns: spans().map(|span| span.duration_ns()).sum(),
            longest_ns: length(spans().map(|span| span.duration_ns()).max()),
            lines: self.lines(members.iter().map(|index| Entry::One(*index)).collect()),
            members,
        }
    }
}
