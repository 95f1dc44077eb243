//! The store: joining, limits, search and the service graph over time.

mod spans;

use spans::{START_MS, With as _, span, trace_id};
use std::collections::HashMap;
use std::sync::Arc;
use traces::Kind::{Client, Consumer, Producer, Server};
use traces::{Attribute, LogLimits, LogRecord, LogSearch, LogStore};
use traces::{Resource, Search, Span, Status, StoreLimits, TraceStore, Value};

fn store() -> TraceStore {
    TraceStore::new(StoreLimits::default())
}

#[test]
fn spans_of_a_trace_join_in_any_order() {
    let store = store();
    store.append(vec![span(2, 1, "orders", Server, 10, 20)], START_MS + 30);
    let summary = &store.search(&Search::default())[0];
    assert_eq!((summary.has_root, &*summary.root_operation), (false, "op-2"));
    store.append(vec![span(1, 0, "gateway", Server, 0, 40).failed()], START_MS + 60);
    store.append(vec![span(2, 1, "orders", Server, 10, 20)], START_MS + 90);

    let summary = &store.search(&Search::default())[0];
    assert_eq!((&*summary.root_service, summary.span_count, summary.errors), ("gateway", 2, 1));
    assert_eq!((summary.start_ms(), summary.duration_s()), (START_MS, 0.04));
    assert_eq!(store.trace(&trace_id(1)).map(|trace| trace.missing_parents), Some(0));
    assert!(store.trace(&trace_id(2)).is_none());
    assert_eq!((store.stats().duplicates, store.stats().spans), (1, 2));
    assert_eq!(
        store.services().iter().map(|name| name.to_string()).collect::<Vec<_>>(),
        ["gateway", "orders"]
    );
    assert_eq!(store.operations("orders").len(), 1);
    assert!(store.operations("nobody").is_empty());
}

#[test]
fn the_oldest_traces_go_as_a_whole() {
    let filled = |limits: StoreLimits| {
        let store = TraceStore::new(limits);
        for number in 1..=10 {
            let spans =
                (1..=10).map(|id| span(id, id - 1, "a", Server, 0, 1).of_trace(number)).collect();
            store.append(spans, START_MS);
        }
        store
    };
    let check = |limits: StoreLimits, traces: usize, dropped: u64| {
        let store = filled(limits);
        let stats = store.stats();
        assert_eq!((stats.traces, stats.dropped), (traces, dropped));
        assert!(stats.spans <= limits.spans && stats.bytes <= limits.bytes);
        assert!(store.trace(&trace_id(10)).is_some(), "the newest is there");
        assert_eq!(store.trace(&trace_id(1)).is_some(), traces == 10);
    };
    check(StoreLimits::default(), 10, 0);
    check(StoreLimits { spans: 35, ..StoreLimits::default() }, 3, 0);
    let half = filled(StoreLimits::default()).stats().bytes / 2;
    // What all share stays, so less than half of the traces fit.
    check(StoreLimits { bytes: half, ..StoreLimits::default() }, 4, 0);
    check(StoreLimits { spans_per_trace: 4, ..StoreLimits::default() }, 10, 60);
}

/// Bytes of every text that the kept spans hold, each allocation once.
fn held_bytes(store: &TraceStore) -> usize {
    let mut texts = HashMap::new();
    let mut hold = |text: &Arc<str>| texts.insert(text.as_ptr(), text.len());
    let found = store.search(&Search { limit: usize::MAX, ..Search::default() });
    let traces = found.iter().filter_map(|trace| store.trace(&trace.id));
    let spans: Vec<_> = traces.flat_map(|trace| trace.rows).map(|row| row.span).collect();
    for span in &spans {
        hold(&span.name);
        if let Status::Error(message) = &span.status {
            hold(message);
        }
        let lists = [&span.attributes, &span.resource.attributes, &span.scope.attributes];
        for attribute in lists.into_iter().flatten() {
            hold(&attribute.key);
            if let Value::Text(text) = &attribute.value {
                hold(text);
            }
        }
    }
    texts.values().sum::<usize>() + spans.len() * size_of::<Span>()
}

#[test]
fn bytes_are_bounded_whoever_holds_them() {
    let limits = StoreLimits { bytes: 300_000, ..StoreLimits::default() };
    let check = |what: &str, change: &dyn Fn(Span, u64) -> Span| {
        let store = TraceStore::new(limits);
        for number in 1..=3_000 {
            let spans = (1..=3).map(|id| {
                change(span(id, id - 1, "a", Server, 0, 1).of_trace(number), number * 10 + id)
            });
            store.append(spans.collect(), START_MS);
            let stats = store.stats();
            assert!(stats.bytes <= limits.bytes, "{what}: {stats:?}");
            if number % 500 == 0 {
                let held = held_bytes(&store);
                assert!(held <= stats.bytes, "{what}: {held} are held, {stats:?}");
                assert!(stats.spans > 50, "{what}: {stats:?}");
            }
        }
    };
    let text = |number: u64, length: usize| format!("{number:0length$}");
    let resource = |number: u64, length: usize| {
        let id = Attribute::new("id", &*text(number, length));
        Arc::new(Resource::new(vec![Attribute::new("service.name", "a"), id]))
    };
    check("the same for all", &|span, _| span.with("k", &text(1, 90)));
    check("a text of its own", &|span, number| span.with("k", &text(number, 90)));
    check("a long one", &|span, number| span.with("k", &text(number, 900)));
    check("shared by a few", &|span, number| span.with("k", &text(number / 100, 90)));
    check("shared by those far apart", &|span, number| span.with("k", &text(number % 700, 90)));
    check("messages", &|span, number| Span {
        status: Status::Error(text(number, 900).into()),
        ..span
    });
    check("names", &|span, number| Span { name: text(number, 900).into(), ..span });
    check("senders", &|span, number| Span { resource: resource(number, 900), ..span });
    check("few senders", &|span, number| Span { resource: resource(number % 9, 900), ..span });
}

#[test]
fn spans_of_one_id_are_told_apart() {
    let store = TraceStore::new(StoreLimits { spans_per_trace: 10, ..StoreLimits::default() });
    let differing: Vec<_> = (1..=6).map(|end| span(1, 0, "a", Server, 0, end)).collect();
    store.append(differing.clone(), START_MS);
    assert_eq!((store.stats().spans, store.stats().dropped), (4, 2));
    store.append(differing[..4].to_vec(), START_MS);
    assert_eq!((store.stats().spans, store.stats().duplicates), (4, 4));
    store.append((2..=9).map(|id| span(id, 1, "a", Server, 0, 1)).collect(), START_MS);
    assert_eq!((store.stats().spans, store.stats().dropped), (10, 4));
}

#[test]
fn texts_of_a_sender_are_cut() {
    let long = "ä".repeat(10_000);
    let given = ["service.name", "service.version", "service.instance.id", "other"];
    let cut = Resource::new(given.map(|key| Attribute::new(key, &*long)).to_vec());
    assert_eq!(cut.service.chars().count(), 128);
    assert_eq!(cut.instance.as_deref().map(str::len), Some(256));
    assert_eq!(cut.version.as_deref().map(str::len), Some(256));
    let lengths: Vec<_> = cut.attributes.iter().map(|a| a.value.text().len()).collect();
    assert_eq!(lengths, [256, 256, 256, 4096]);
    // A peer's name comes from an attribute of the span.
    let store = store();
    store.append(vec![span(1, 0, "a", Client, 0, 1).with("peer.service", &long)], START_MS);
    assert_eq!(store.graph(60_000, START_MS + 10_000).edges[0].to.name.len(), 256);
}

#[test]
fn searches_filter_and_limit() {
    let store = store();
    for number in 1..=5 {
        let at = number as i64 * 1000;
        store.append(
            vec![span(1, 0, "a", Server, at, at + 10 * number as i64).of_trace(number)],
            START_MS,
        );
    }
    store.append(
        vec![span(1, 0, "b", Client, 9_000, 9_001).of_trace(6).failed().with("k", "v")],
        START_MS,
    );
    let check = |search: Search, expected: &[u64]| {
        let found: Vec<_> = store.search(&search).into_iter().map(|trace| trace.id).collect();
        assert_eq!(found, expected.iter().map(|number| trace_id(*number)).collect::<Vec<_>>());
    };
    let all = Search::default;
    check(all(), &[6, 5, 4, 3, 2, 1]);
    check(Search { limit: 2, ..all() }, &[6, 5]);
    check(Search { limit: 0, ..all() }, &[]);
    check(Search { service: Some("a".into()), limit: 1, ..all() }, &[5]);
    check(Search { errors_only: true, ..all() }, &[6]);
    check(Search { min_duration_ns: Some(40_000_000), ..all() }, &[5, 4]);
    check(
        Search { from_ms: Some(START_MS + 2000), to_ms: Some(START_MS + 3000), ..all() },
        &[3, 2],
    );
    let filter = |key: &str, value: &str| traces::AttributeFilter::Equals(key.into(), value.into());
    check(Search { attributes: vec![filter("k", "v"), filter("error", "true")], ..all() }, &[6]);
    check(Search { attributes: vec![filter("span.kind", "client")], ..all() }, &[6]);
    check(Search { attributes: vec![filter("k", "w")], ..all() }, &[]);
    // Whom it calls: a child's service, a database, a queue; its own service and a caller are not.
    let at = 500;
    let calls = |number: u64, more: Vec<Span>| {
        let spans = [span(1, 0, "x", Server, at, at + 9), span(2, 1, "x", Client, at, at + 8)];
        let all = spans.into_iter().chain(more).map(|span| span.of_trace(number));
        store.append(all.collect(), START_MS);
    };
    calls(7, vec![span(3, 2, "y", Server, at, at + 7)]);
    calls(8, vec![span(3, 2, "x", Client, at, at + 7).with("db.name", "Stock")]);
    calls(
        9,
        vec![span(3, 1, "x", Producer, at, at + 7).with("messaging.destination.name", "news")],
    );
    let to = |service: &str, to: &str| Search {
        service: Some(service.into()),
        to: Some(to.into()),
        ..all()
    };
    check(to("x", "y"), &[7]);
    check(to("x", "stock"), &[8]);
    check(to("x", "news"), &[9]);
    check(to("y", "x"), &[]);
    check(to("x", "x"), &[]);
    check(to("x", "nobody"), &[]);
    check(Search { errors_only: true, ..to("x", "y") }, &[]);
}

/// Edges as `from -> to kind failed/calls` of what was appended at once, after the wait.
fn check(spans: Vec<Span>, expected: &[&str], expired: u64) {
    for spans in [spans.clone(), spans.into_iter().rev().collect()] {
        let store = store();
        store.append(spans, START_MS);
        let graph = store.graph(60_000, START_MS + 10_000);
        let edges = graph.edges.iter().map(|edge| {
            let kind = format!("{:?}", edge.connection).to_lowercase();
            format!("{} -> {} {kind} {}/{}", edge.from.name, edge.to.name, edge.failed, edge.calls)
        });
        assert_eq!(edges.collect::<Vec<_>>(), expected);
        assert_eq!(graph.expired, expired);
    }
}

#[test]
fn sides_make_calls() {
    let call = |client: Span, server: Span| vec![client, server];
    check(
        call(span(1, 0, "a", Client, 0, 9), span(2, 1, "b", Server, 1, 8)),
        &["a -> b call 0/1"],
        0,
    );
    check(
        call(span(1, 0, "a", Client, 0, 9).failed(), span(2, 1, "b", Server, 1, 8)),
        &["a -> b call 1/1"],
        0,
    );
    // The other side of a call is named by one side only; a service that sends spans stays one.
    check(
        vec![
            span(1, 0, "a", Client, 0, 9).with("peer.service", "stripe"),
            span(2, 0, "a", Client, 0, 9).with("service.peer.name", "b").with("peer.service", "x"),
            span(3, 0, "b", Server, 0, 9),
            span(4, 0, "b", Server, 0, 9).with("peer.service", "partner"),
            span(5, 0, "a", Client, 0, 9).with("server.address", "10.0.0.1"),
        ],
        &[
            "a -> b virtual 0/1",
            "a -> stripe virtual 0/1",
            "partner -> b virtual 0/1",
            "user -> b virtual 0/1",
        ],
        1,
    );
}

#[test]
fn messages_go_through_their_queue() {
    let queue = "messaging.destination.name";
    let edges = ["a -> q messaging 0/1", "q -> b messaging 0/1"];
    let sent = span(1, 0, "a", Producer, 0, 1);
    let taken = span(2, 0, "b", Consumer, 2, 3).of_trace(2).linked(1, 1);
    check(vec![sent.clone().with(queue, "q"), taken.clone().with(queue, "q")], &edges, 0);
    check(vec![sent.clone().with(queue, "q"), taken.clone()], &edges, 0);
    check(vec![sent.clone(), taken.clone().with(queue, "q")], &edges, 0);
    check(vec![sent.clone(), taken.clone()], &["a -> b messaging 0/1"], 0);
    check(vec![sent.clone()], &[], 1);
    // A batch of messages from several traces is as many calls.
    let batch = span(2, 0, "b", Consumer, 2, 3).of_trace(9).linked(1, 1).linked(2, 1).linked(3, 1);
    let senders = (1..=3).map(|number| sent.clone().of_trace(number).with(queue, "q"));
    check(
        senders.chain([batch.with(queue, "q")]).collect(),
        &["a -> q messaging 0/3", "q -> b messaging 0/3"],
        0,
    );
}

#[test]
fn figures_are_those_of_the_window() {
    let store = store();
    for second in 0..20 {
        let (number, at) = (second as u64 + 1, second * 1000);
        let mut server = span(1, 0, "a", Server, at, at + 100).of_trace(number);
        if second == 3 {
            server = server.failed();
        }
        store.append(vec![server], START_MS + at + 200);
    }
    let now = START_MS + 20_000;
    let check = |window_ms: i64, now_ms: i64, calls: u64, rate: f64, failed: u64| {
        let graph = store.graph(window_ms, now_ms);
        let edge = &graph.edges[0];
        assert_eq!((edge.calls, edge.failed), (calls, failed));
        assert!((edge.rate - rate).abs() < 0.06, "{} {rate}", edge.rate);
        assert_eq!(edge.p95_s.is_some(), calls > 0);
        assert_eq!(edge.error_ratio.is_some(), calls > 0);
        assert_eq!(graph.traces, calls);
        assert_eq!((edge.first_seen_ms, edge.last_seen_ms), (START_MS + 200, START_MS + 19_200));
        assert_eq!((edge.example_trace, edge.failed_trace), (trace_id(20), Some(trace_id(4))));
    };
    // Right after the start a long window is not diluted by the time before.
    check(300_000, now, 20, 1.0, 1);
    check(10_000, now, 9, 1.0, 0);
    check(60_000, now + 300_000, 0, 0.0, 0);
    assert_eq!(store.graph(300_000, now).covered_s, 20.0);
}

#[test]
fn figures_are_true_again_when_the_clock_is_put_right() {
    const AHEAD_MS: i64 = 600_000;
    let call = |number: u64| vec![span(1, 0, "a", Server, 0, 100).of_trace(number)];
    // 20 calls by a clock that is ahead, then 10 by the right one, one each second.
    for spans_before in [0, 20] {
        let store = store();
        for second in 0..spans_before {
            store.append(call(second as u64 + 1), START_MS + AHEAD_MS + second * 1000);
        }
        let named = span(1, 0, "a", Client, 0, 9).of_trace(99).with("peer.service", "b");
        store.append(vec![named], START_MS + AHEAD_MS);
        for second in 0..10 {
            store.append(call(second as u64 + 200), START_MS + second * 1000 + 200);
        }
        let graph = store.graph(60_000, START_MS + 10_000);
        let edge = graph.edges.iter().find(|edge| &*edge.from.name == "user").expect("it is there");
        assert_eq!((edge.calls, graph.traces), (10, 10));
        assert!(graph.covered_s > 9.0 && edge.rate < 1.2, "{graph:?}");
        assert!(edge.last_seen_ms < START_MS + 20_000);
        // The caller that waited by the wrong clock has not to wait until that time.
        assert!(graph.edges.iter().any(|edge| &*edge.to.name == "b"), "{graph:?}");
    }
}

#[test]
fn logs_are_bounded_with_their_senders() {
    let limits = LogLimits { bytes: 100_000, ..LogLimits::default() };
    let logs = LogStore::new(limits);
    for number in 0..100_u64 {
        let id = Attribute::new("id", &*format!("{number:04000}"));
        let record = LogRecord {
            time_ns: 1,
            observed_ns: 1,
            severity: 9,
            severity_text: "".into(),
            body: "x".into(),
            event: "".into(),
            attributes: Box::default(),
            trace_id: None,
            span_id: None,
            scope: Arc::default(),
            resource: Arc::new(Resource::new(vec![id])),
        };
        logs.append(vec![record.clone(), record]);
    }
    let kept = logs.search(&LogSearch::default());
    assert!((40..50).contains(&kept.len()), "{} of 4 kB for two", kept.len());
}
