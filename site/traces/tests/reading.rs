//! A trace made readable: repeated siblings folded, clocks set right, words found.

#![allow(clippy::unwrap_used)]

mod spans;
mod suites;

use spans::{START_MS, With as _, span, trace_id};
use std::sync::Arc;
use traces::Kind::{Client, Consumer, Internal, Producer, Server};
use traces::{Attribute, Event, Line, Resource, Span, Status, Trace};

fn trace(spans: Vec<Span>) -> Trace {
    Trace::new(trace_id(1), spans.into_iter().map(Arc::new)).unwrap()
}

fn named(name: &str, mut span: Span) -> Span {
    span.name = name.into();
    span
}

/// Lines as `name` or `number x name [lines]`.
fn words(trace: &Trace, lines: &[Line]) -> String {
    let word = |line: &Line| match line {
        Line::Row(index) => trace.rows[*index].span.name.to_string(),
        Line::Fold(fold) => {
            let name = &trace.rows[fold.members[0]].span.name;
            format!("{}x{name}[{}]", fold.members.len(), words(trace, &fold.lines))
        }
    };
    lines.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Each case: name, parent, failed, and what the waterfall shows. Spans of a name begin one after the other.
fn check_fold(spans: &[(&str, u64, bool)], expected: &str) {
    let spans = spans.iter().enumerate().map(|(nth, (name, parent, failed))| {
        let from = nth as i64;
        let one = named(name, span(nth as u64 + 1, *parent, "orders", Client, from, from + 1));
        if *failed { one.failed() } else { one }
    });
    let trace = trace(spans.collect());
    assert_eq!(words(&trace, &trace.folded()), expected);
    let plain: Vec<&str> = trace.rows.iter().map(|row| &*row.span.name).collect();
    assert_eq!(words(&trace, &trace.unfolded()), plain.join(" "));
}

#[test]
fn repeated_siblings_are_folded() {
    let q = |parent| ("q", parent, false);
    check_fold(&[("r", 0, false), q(1), q(1), q(1)], "r q q q");
    check_fold(&[("r", 0, false), q(1), q(1), q(1), q(1)], "r 4xq[q q q q]");
    check_fold(
        // Taking turns, as a loop with two queries does.
        &[
            ("r", 0, false),
            q(1),
            ("s", 1, false),
            q(1),
            ("s", 1, false),
            q(1),
            q(1),
            ("z", 1, false),
        ],
        "r 4xq[q q q q] s s z",
    );
    check_fold(
        // What failed stays for itself, and what holds a failure.
        &[("r", 0, false), q(1), q(1), q(1), q(1), ("q", 1, true), q(1), ("x", 7, true)],
        "r 4xq[q q q q] q q x",
    );
    check_fold(
        // What is below the siblings goes with them, folded in turn.
        &[
            ("r", 0, false),
            q(1),
            q(1),
            q(1),
            q(1),
            ("s", 2, false),
            ("s", 2, false),
            ("s", 2, false),
            ("s", 2, false),
            ("t", 3, false),
        ],
        "r 4xq[q 4xs[s s s s] q t q q]",
    );
    // Spans without their parents are trees of their own.
    check_fold(&[q(99), q(99), q(99), q(99)], "q q q q");
}

#[test]
fn a_fold_says_what_it_holds() {
    let mut spans = vec![span(1, 0, "orders", Server, 0, 100)];
    spans.extend((0..5).map(|n| {
        named("q", span(n + 2, 1, "orders", Client, 10 * n as i64, 10 * n as i64 + n as i64 + 1))
    }));
    let trace = trace(spans);
    let Some(Line::Fold(fold)) = trace.folded().pop() else { panic!("nothing was folded") };
    assert_eq!((fold.rows, fold.total_ns, fold.longest_ns), (5, 15_000_000, 5_000_000));
    let begin = START_MS * 1_000_000;
    assert_eq!((fold.start_ns - begin, fold.end_ns - begin), (0, 45_000_000));
}

#[test]
fn a_deep_and_a_wide_trace_are_folded_too() {
    let chain = (1..=9_000).map(|id| span(id, id - 1, "a", Internal, 0, 10)).collect();
    assert_eq!(trace(chain).folded().len(), 9_000);
    let wide = (1..=9_000).map(|id| named("q", span(id, u64::from(id > 1), "a", Client, 0, 10)));
    assert_eq!(trace(wide.collect()).folded().len(), 2);
}

fn on(host: &str, mut span: Span) -> Span {
    let mut attributes = span.resource.attributes.to_vec();
    attributes.push(Attribute::new("host.name", host));
    span.resource = Arc::new(Resource::new(attributes));
    span
}

/// Starts after setting the clocks, in milliseconds; `None` where nothing is moved.
fn check_skew(spans: Vec<Span>, expected: Option<&[i64]>) {
    let trace = trace(spans);
    let adjusted = trace.adjusted();
    let starts = |trace: &Trace| {
        let mut starts: Vec<_> = trace
            .rows
            .iter()
            .map(|row| (row.span.span_id, row.span.start_ns / 1_000_000 - START_MS))
            .collect();
        starts.sort_unstable();
        starts.into_iter().map(|(_, ms)| ms).collect::<Vec<_>>()
    };
    assert_eq!(adjusted.as_ref().map(|found| starts(&found.trace)).as_deref(), expected);
    if let Some(found) = adjusted {
        let longest =
            |trace: &Trace| trace.rows.iter().map(|row| row.span.duration_ns()).sum::<i64>();
        assert_eq!(longest(&found.trace), longest(&trace), "only places change");
    }
}

#[test]
fn clocks_are_set_between_hosts_alone() {
    let parent = || on("a", span(1, 0, "gateway", Client, 100, 200));
    // Too early by 50: into the middle, with 10 for each way; what hangs on it goes along.
    let early = || on("b", span(2, 1, "orders", Server, 50, 130));
    check_skew(vec![parent(), early()], Some(&[100, 110]));
    check_skew(
        vec![parent(), early(), on("b", span(3, 2, "orders", Client, 60, 70))],
        Some(&[100, 110, 120]),
    );
    // Too late.
    check_skew(vec![parent(), on("b", span(2, 1, "orders", Server, 150, 230))], Some(&[100, 110]));
    // On a third host: against its parent as it was moved.
    check_skew(
        vec![parent(), early(), on("c", span(3, 2, "stock", Server, 60, 80))],
        Some(&[100, 110, 140]),
    );
    // It fits; it is of the same host; nobody says the host.
    check_skew(vec![parent(), on("b", span(2, 1, "orders", Server, 110, 190))], None);
    check_skew(vec![parent(), on("a", span(2, 1, "orders", Server, 50, 130))], None);
    check_skew(vec![parent(), span(2, 1, "orders", Server, 50, 130)], None);
    // Longer than its parent: to the start and no further.
    check_skew(vec![parent(), on("b", span(2, 1, "orders", Server, 50, 250))], Some(&[100, 100]));
    check_skew(vec![parent(), on("b", span(2, 1, "orders", Server, 120, 320))], None);
    // A message is taken when it is taken, yet not before it was sent.
    let sent = || on("a", span(1, 0, "orders", Producer, 100, 105));
    check_skew(vec![sent(), on("b", span(2, 1, "mail", Consumer, 900, 903))], None);
    check_skew(vec![sent(), on("b", span(2, 1, "mail", Consumer, 40, 43))], Some(&[100, 100]));
}

#[test]
fn moves_are_told_and_events_go_along() {
    let mut early = on("b", span(2, 1, "orders", Server, 50, 130));
    early.events = [Event {
        time_ns: (START_MS + 60) * 1_000_000,
        name: "x".into(),
        attributes: Box::default(),
    }]
    .into();
    let found =
        trace(vec![on("a", span(1, 0, "gateway", Client, 100, 200)), early]).adjusted().unwrap();
    let moved: Vec<_> = found.moved_ns.iter().map(|(name, ns)| (&**name, *ns)).collect();
    assert_eq!(moved, [("orders", 60_000_000)]);
    assert_eq!(found.trace.rows[1].span.events[0].time_ns, (START_MS + 120) * 1_000_000);
    assert!(found.trace.rows.iter().all(|row| !row.skewed));
}

#[test]
fn words_are_found_in_all_that_a_span_holds() {
    let mut first = span(1, 0, "orders", Server, 0, 10).with("http.route", "/Pay");
    first.status = Status::Error("no Money".into());
    let trace = trace(vec![first, span(2, 1, "mail", Client, 1, 2).with("tries", "3")]);
    for (words, expected) in [
        ("", &[][..]),
        ("  ", &[]),
        ("orders", &[0]),
        ("OP-", &[0, 1]),
        ("http.route=/pay", &[0]),
        ("tries=3", &[1]),
        ("money", &[0]),
        ("0000000000000002", &[1]),
        ("service.name=mail", &[1]),
        ("nowhere", &[]),
    ] {
        assert_eq!(trace.find(words), expected, "{words}");
    }
}

#[test]
fn own_times_and_folds_add_up_in_traces_of_others() {
    let Some(folder) = suites::suite("jaeger") else { return };
    let mut traces = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("queries") {
            continue;
        }
        let spans = suites::spans(path.clone());
        let Some(first) = spans.first().map(|span| span.trace_id) else { continue };
        let of_first = spans.into_iter().filter(|span| span.trace_id == first).map(Arc::new);
        let trace = Trace::new(first, of_first).unwrap();
        for row in &trace.rows {
            assert!((0..=row.span.duration_ns()).contains(&row.self_ns), "{}", path.display());
        }
        let rows = |line: &Line| match line {
            Line::Row(_) => 1,
            Line::Fold(fold) => fold.rows,
        };
        let shown: usize = trace.folded().iter().map(rows).sum();
        assert_eq!(shown, trace.rows.len(), "{}", path.display());
        traces += 1;
    }
    assert!(traces > 20, "{traces}");
}
