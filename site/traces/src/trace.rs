//! One trace as a tree in display order.
//!
//! Built from the store's spans when a trace is asked for; `pages` draws the waterfall from it. A
//! trace may be partial: a span whose parent has not arrived (or was never sent) is a root of its own
//! that says which parent it misses.

use crate::critical::{self, Segment};
use crate::{Span, SpanId, TraceId};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Where a row hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind", content = "of")]
pub enum Parent {
    /// Nowhere: it began the trace.
    Root,
    /// Below the row with this index.
    Row(usize),
    /// Below a span that is not there; also one of a ring of spans that call each other their parent.
    Missing(SpanId),
}

/// A span in the tree.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The span.
    pub span: Arc<Span>,
    /// 0 for a root.
    pub depth: usize,
    /// What it hangs on.
    pub parent: Parent,
    /// Direct children.
    pub children: usize,
    /// Rows below it: they follow this one.
    pub descendants: usize,
    /// Nanoseconds in which none of its children ran.
    pub self_ns: i64,
    /// Nanoseconds for which it is on the critical path.
    pub critical_ns: i64,
    /// It begins before its parent, which only clocks that disagree can do.
    pub skewed: bool,
}

/// A trace as far as it arrived.
#[derive(Debug, Clone, Serialize)]
pub struct Trace {
    /// Its id.
    pub id: TraceId,
    /// The spans, each before its children, children by start.
    pub rows: Vec<Row>,
    /// The earliest start, nanoseconds since 1970.
    pub start_ns: i64,
    /// The latest end, nanoseconds since 1970.
    pub end_ns: i64,
    /// Which spans the answer waited for, oldest first: sections of the first root's time.
    pub critical_path: Vec<Segment>,
    /// Spans of each service.
    pub services: BTreeMap<Arc<str>, usize>,
    /// Spans that failed.
    pub errors: usize,
    /// Spans whose parent is missing.
    pub missing_parents: usize,
}

impl Trace {
    /// Builds the tree. `spans` may be in any order; without any there is no trace.
    pub fn new(id: TraceId, spans: impl IntoIterator<Item = Arc<Span>>) -> Option<Self> {
        let mut spans: Vec<_> = spans.into_iter().collect();
        spans.sort_by(|a, b| {
            (a.start_ns, a.end_ns, a.span_id).cmp(&(b.start_ns, b.end_ns, b.span_id))
        });
        let start_ns = spans.first()?.start_ns;
        let end_ns = spans.iter().map(|span| span.end_ns).max()?.max(start_ns);
        let mut rows = Planted::new(spans).rows();
        measure(&mut rows);
        let critical_path = critical::path(&rows);
        for segment in &critical_path {
            rows[segment.row].critical_ns += segment.end_ns - segment.start_ns;
        }
        let mut services = BTreeMap::new();
        for row in &rows {
            *services.entry(row.span.resource.service.clone()).or_default() += 1;
        }
        Some(Self {
            id,
            start_ns,
            end_ns,
            critical_path,
            services,
            errors: rows.iter().filter(|row| row.span.is_error()).count(),
            missing_parents: rows
                .iter()
                .filter(|row| matches!(row.parent, Parent::Missing(_)))
                .count(),
            rows,
        })
    }

    /// The row that stands for the whole trace: the earliest root, or else the earliest span that
    /// misses its parent.
    pub fn root(&self) -> &Row {
        self.rows
            .iter()
            .find(|row| row.parent == Parent::Root)
            .or(self.rows.first())
            .expect("a trace has at least one span")
    }

    /// Nanoseconds from the earliest start to the latest end.
    pub fn duration_ns(&self) -> i64 {
        self.end_ns - self.start_ns
    }
}

/// Spans with the links that make them trees.
struct Planted {
    spans: Vec<Arc<Span>>,
    parents: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
}

impl Planted {
    fn new(spans: Vec<Arc<Span>>) -> Self {
        let mut by_id = HashMap::with_capacity(spans.len());
        for (index, span) in spans.iter().enumerate() {
            by_id.entry(span.span_id).or_insert(index);
        }
        let parents: Vec<_> = spans
            .iter()
            .enumerate()
            .map(|(index, span)| {
                by_id.get(&span.parent_id?).copied().filter(|parent| *parent != index)
            })
            .collect();
        let mut children = vec![Vec::new(); spans.len()];
        for (index, parent) in parents.iter().enumerate() {
            if let Some(parent) = parent {
                children[*parent].push(index);
            }
        }
        Self { spans, parents, children }
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::with_capacity(self.spans.len());
        let mut seen = vec![false; self.spans.len()];
        for index in (0..self.spans.len()).filter(|index| self.parents[*index].is_none()) {
            self.plant(index, &mut rows, &mut seen);
        }
        // What no root leads to are rings; their earliest span begins each.
        for index in 0..self.spans.len() {
            self.plant(index, &mut rows, &mut seen);
        }
        rows
    }

    fn plant(&self, root: usize, rows: &mut Vec<Row>, seen: &mut [bool]) {
        let mut waiting = vec![(root, None)];
        while let Some((index, parent_row)) = waiting.pop() {
            if std::mem::replace(&mut seen[index], true) {
                continue;
            }
            let row = rows.len();
            rows.push(self.row(index, parent_row, rows));
            let children = self.children[index].iter().rev().filter(|child| !seen[**child]);
            waiting.extend(children.map(|child| (*child, Some(row))));
        }
    }

    fn row(&self, index: usize, parent_row: Option<usize>, rows: &[Row]) -> Row {
        let span = self.spans[index].clone();
        let parent = match (parent_row, span.parent_id) {
            (Some(row), _) => Parent::Row(row),
            (None, Some(missing)) => Parent::Missing(missing),
            (None, None) => Parent::Root,
        };
        let above = parent_row.map(|row| &rows[row]);
        Row {
            depth: above.map_or(0, |row| row.depth + 1),
            skewed: above.is_some_and(|row| span.start_ns < row.span.start_ns),
            span,
            parent,
            children: 0,
            descendants: 0,
            self_ns: 0,
            critical_ns: 0,
        }
    }
}

/// Fills in what a row knows of those below it. Children of a row come in the order of their start,
/// so the time that they cover grows at one end only.
fn measure(rows: &mut [Row]) {
    let mut covered_until: Vec<i64> = rows.iter().map(|row| row.span.start_ns).collect();
    let mut self_ns: Vec<i64> = rows.iter().map(|row| row.span.duration_ns()).collect();
    for index in 0..rows.len() {
        let Parent::Row(parent) = rows[index].parent else { continue };
        let (child, above) = (&rows[index].span, &rows[parent].span);
        let end = child.end_ns.min(above.end_ns);
        let fresh = end - child.start_ns.max(covered_until[parent]);
        if fresh > 0 {
            self_ns[parent] -= fresh;
            covered_until[parent] = end;
        }
        rows[parent].children += 1;
    }
    for index in (0..rows.len()).rev() {
        rows[index].self_ns = self_ns[index];
        if let Parent::Row(parent) = rows[index].parent {
            rows[parent].descendants += rows[index].descendants + 1;
        }
    }
}
