//! Clocks of hosts that disagree, set right for reading: what `pages` shows when a reader asks for it.
//!
//! The rule is Jaeger's: only between hosts, a child that does not lie within its parent is moved into its middle, which
//! takes the way there and the way back to be equally long; one that lasts longer than its parent is moved no further than
//! to its parent's start. Spans of one host keep their distances. A message may be taken long after it was sent, so a
//! consumer is moved only when it begins before its producer.

use crate::trace::{Parent, Row, Trace};
use crate::{Event, Kind, Span, find};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Attributes of a resource that name the host whose clock it reads, the best first. Containers read their host's.
const HOSTS: [&str; 4] = ["host.id", "host.name", "k8s.node.name", "ip"];

/// A trace with clocks set right.
#[derive(Debug, Clone)]
pub struct Adjusted {
    /// The trace with moved spans.
    pub trace: Trace,
    /// The largest move of a span of each service, nanoseconds; negative towards the past.
    pub moved_ns: BTreeMap<Arc<str>, i64>,
}

impl Trace {
    /// Moves spans so that they lie within their parents on other hosts; `None` when there is nothing to move, also because
    /// no resource says its host.
    pub fn adjusted(&self) -> Option<Adjusted> {
        let moves = moves(&self.rows);
        if moves.iter().all(|by| *by == 0) {
            return None;
        }
        let mut moved_ns: BTreeMap<Arc<str>, i64> = BTreeMap::new();
        for (row, by) in self.rows.iter().zip(&moves).filter(|(_, by)| **by != 0) {
            let most = moved_ns.entry(row.span.resource.service.clone()).or_default();
            if by.abs() > most.abs() {
                *most = *by;
            }
        }
        let spans = self.rows.iter().zip(&moves).map(|(row, by)| moved(&row.span, *by));
        Some(Adjusted { trace: Self::new(self.id, spans)?, moved_ns })
    }
}

/// By how much each row is moved. A row comes after its parent, so one pass settles all.
fn moves(rows: &[Row]) -> Vec<i64> {
    let hosts: Vec<Option<String>> = rows.iter().map(|row| host(&row.span)).collect();
    let mut moves: Vec<i64> = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let by = match row.parent {
            Parent::Row(parent) => {
                let apart = matches!((&hosts[index], &hosts[parent]), (Some(own), Some(other)) if own != other);
                if apart {
                    skew(&rows[parent].span, moves[parent], &row.span)
                } else {
                    moves[parent]
                }
            }
            Parent::Root | Parent::Missing(_) => 0,
        };
        moves.push(by);
    }
    moves
}

fn host(span: &Span) -> Option<String> {
    let text =
        |key: &&str| find(&span.resource.attributes, key).map(|value| value.text().into_owned());
    HOSTS.iter().find_map(text).filter(|host| !host.is_empty())
}

fn skew(parent: &Span, parent_moved: i64, child: &Span) -> i64 {
    let (start, end) = (parent.start_ns + parent_moved, parent.end_ns + parent_moved);
    let early = child.start_ns < start;
    let message = parent.kind == Kind::Producer && child.kind == Kind::Consumer;
    if message || child.duration_ns() > parent.duration_ns() {
        return if early { start - child.start_ns } else { 0 };
    }
    if !early && child.end_ns <= end {
        return 0;
    }
    start + (parent.duration_ns() - child.duration_ns()) / 2 - child.start_ns
}

fn moved(span: &Arc<Span>, by: i64) -> Arc<Span> {
    if by == 0 {
        return Arc::clone(span);
    }
    let event = |event: &Event| Event { time_ns: event.time_ns + by, ..event.clone() };
    Arc::new(Span {
        start_ns: span.start_ns + by,
        end_ns: span.end_ns + by,
        events: span.events.iter().map(event).collect(),
        ..Span::clone(span)
    })
}
