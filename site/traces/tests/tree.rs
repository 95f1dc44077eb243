//! A trace as a tree: order, depth, missing parents, self time and the critical path.

mod spans;

use spans::{START_MS, With as _, span, trace_id};
use std::sync::Arc;
use traces::Kind::{Client, Consumer, Internal, Producer, Server};
use traces::{Parent, Span, Trace};

fn trace(spans: Vec<Span>) -> Trace {
    Trace::new(trace_id(1), spans.into_iter().map(Arc::new)).expect("at least one span")
}

/// Rows as `name depth parent self critical`, times in milliseconds.
fn check(spans: Vec<Span>, expected: &[&str]) {
    for spans in [spans.clone(), spans.into_iter().rev().collect()] {
        let trace = trace(spans);
        let rows: Vec<_> = trace
            .rows
            .iter()
            .map(|row| {
                let parent = match row.parent {
                    Parent::Root => "root".to_owned(),
                    Parent::Row(parent) => trace.rows[parent].span.name.to_string(),
                    Parent::Missing(id) => format!("?{}", id.to_string().trim_start_matches('0')),
                };
                let (own, critical) = (row.self_ns / 1_000_000, row.critical_ns / 1_000_000);
                format!("{} {} {parent} {own} {critical}", row.span.name, row.depth)
            })
            .collect();
        assert_eq!(rows, expected);
    }
}

#[test]
fn spans_are_ordered_and_measured() {
    check(
        vec![
            span(1, 0, "gateway", Server, 0, 100),
            span(2, 1, "gateway", Client, 10, 60),
            span(3, 2, "orders", Server, 20, 50),
            span(4, 1, "gateway", Client, 40, 90),
        ],
        // The second call began before the first had ended, so nothing waited for the first.
        &["op-1 0 root 20 50", "op-2 1 op-1 20 0", "op-3 2 op-2 30 0", "op-4 1 op-1 50 50"],
    );
}

#[test]
fn one_after_the_other_is_all_critical() {
    check(
        vec![
            span(1, 0, "a", Server, 0, 100),
            span(2, 1, "a", Client, 10, 40),
            span(3, 1, "a", Client, 50, 90),
        ],
        &["op-1 0 root 30 30", "op-2 1 op-1 30 30", "op-3 1 op-1 40 40"],
    );
}

#[test]
fn what_is_missing_or_odd_is_shown() {
    // A parent that did not arrive.
    check(
        vec![
            span(1, 0, "a", Server, 0, 10),
            span(3, 2, "b", Server, 5, 8),
            span(4, 3, "b", Internal, 6, 7),
        ],
        &["op-1 0 root 10 10", "op-3 0 ?2 2 0", "op-4 1 op-3 1 0"],
    );
    // Two that call each other their parent, and one its own.
    check(
        vec![
            span(1, 2, "a", Internal, 0, 10),
            span(2, 1, "a", Internal, 2, 5),
            span(3, 3, "a", Internal, 4, 5),
        ],
        &["op-3 0 ?3 1 1", "op-1 0 ?2 7 0", "op-2 1 op-1 3 0"],
    );
    // Children beyond their parent, and one of no length at its end.
    check(
        vec![
            span(1, 0, "a", Server, 10, 20),
            span(2, 1, "a", Client, 5, 30),
            span(3, 1, "a", Client, 20, 20),
            span(4, 1, "a", Client, 25, 28),
        ],
        &["op-1 0 root 0 0", "op-2 1 op-1 25 10", "op-3 1 op-1 0 0", "op-4 1 op-1 3 0"],
    );
    // A message does not hold up its sender.
    check(
        vec![
            span(1, 0, "a", Server, 0, 20),
            span(2, 1, "a", Producer, 5, 20),
            span(3, 2, "b", Consumer, 6, 19),
        ],
        &["op-1 0 root 5 5", "op-2 1 op-1 2 15", "op-3 2 op-2 13 0"],
    );
}

#[test]
fn the_critical_path_is_without_gaps() {
    let spans = vec![
        span(1, 0, "a", Server, 0, 100),
        span(2, 1, "a", Client, 10, 40),
        span(3, 2, "b", Server, 15, 35).failed(),
        span(4, 1, "a", Client, 50, 90),
    ];
    let trace = trace(spans);
    let path = &trace.critical_path;
    assert!(path.windows(2).all(|two| two[0].end_ns == two[1].start_ns));
    assert_eq!(path.first().map(|first| first.start_ns), Some(START_MS * 1_000_000));
    assert_eq!(path.last().map(|last| last.end_ns), Some((START_MS + 100) * 1_000_000));
    assert_eq!((trace.errors, trace.duration_ns(), trace.root().descendants), (1, 100_000_000, 3));
}

#[test]
fn a_large_trace_takes_no_time_to_speak_of() {
    // A deep chain, a wide fan and many spans of no length: neither recursion nor quadratic loops.
    let chain = (1..5_000).map(|id| span(id, id - 1, "a", Internal, 0, 10));
    let fan = (5_000..10_000).map(|id| span(id, 1, "a", Internal, 10, 10));
    assert_eq!(trace(chain.chain(fan).collect()).rows.len(), 9_999);
}
