//! The critical path: which span the answer waited for at each moment.
//!
//! The algorithm is Jaeger UI's. Messages do not hold up their sender, so consumers below producers
//! are left out; what runs beyond its parent is cut to it. Then, from the end of the root backwards,
//! the path goes down into the child that finished last, and at that child's start it goes on in the
//! parent with the child that had finished by then.

use crate::Kind;
use crate::trace::{Parent, Row};
use serde::Serialize;

/// A section of the critical path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// The index of the row that was waited for.
    pub row: usize,
    /// From, nanoseconds since 1970.
    pub start_ns: i64,
    /// To, nanoseconds since 1970.
    pub end_ns: i64,
}

/// A span's time as far as it lies within its parent's.
#[derive(Clone, Copy)]
struct Cut {
    start: i64,
    end: i64,
}

/// The critical path of the first root (or, without one, of the first row), oldest section first.
pub(crate) fn path(rows: &[Row]) -> Vec<Segment> {
    let Some(root) =
        rows.iter().position(|row| row.parent == Parent::Root).or((!rows.is_empty()).then_some(0))
    else {
        return Vec::new();
    };
    let cuts = cut_to_parents(rows);
    let mut last_first = finishing_last_first(rows, &cuts);
    let cut = |row: usize| cuts[row].expect("only rows that were not left out are walked");

    let mut segments = Vec::new();
    let (mut row, mut until) = (root, cut(root).end);
    loop {
        // A child is popped once: one of no length, which ends where it starts, cannot come again.
        let next =
            std::iter::from_fn(|| last_first[row].pop()).find(|child| cut(*child).end <= until);
        let from = next.map_or(cut(row).start, |child| cut(child).end);
        if from < until {
            segments.push(Segment { row, start_ns: from, end_ns: until });
        }
        until = from;
        match (next, rows[row].parent) {
            (Some(child), _) => row = child,
            (None, Parent::Row(parent)) if row != root => row = parent,
            (None, _) => break,
        }
    }
    segments.reverse();
    segments
}

/// Rows in display order have their parent before them, so one pass settles all.
fn cut_to_parents(rows: &[Row]) -> Vec<Option<Cut>> {
    let mut cuts: Vec<Option<Cut>> = Vec::with_capacity(rows.len());
    for row in rows {
        let span = &row.span;
        let own = Cut { start: span.start_ns, end: span.end_ns.max(span.start_ns) };
        let cut = match row.parent {
            Parent::Row(parent) => cuts[parent].and_then(|outer| {
                let message =
                    rows[parent].span.kind == Kind::Producer && span.kind == Kind::Consumer;
                let outside = own.start > outer.end || own.end < outer.start;
                (!message && !outside)
                    .then(|| Cut { start: own.start.max(outer.start), end: own.end.min(outer.end) })
            }),
            _ => Some(own),
        };
        cuts.push(cut);
    }
    cuts
}

/// For each row its children, the one that finishes last at the end.
fn finishing_last_first(rows: &[Row], cuts: &[Option<Cut>]) -> Vec<Vec<usize>> {
    let mut children = vec![Vec::new(); rows.len()];
    for (index, row) in rows.iter().enumerate() {
        if let (Parent::Row(parent), Some(_)) = (row.parent, cuts[index]) {
            children[parent].push(index);
        }
    }
    for list in &mut children {
        list.sort_by_key(|child| cuts[*child].map(|cut| (cut.end, cut.start)));
    }
    children
}
