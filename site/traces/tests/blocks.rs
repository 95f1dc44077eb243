//! A search that skips blocks finds what a look at every span finds.

#![allow(clippy::unwrap_used)]

mod spans;

use spans::{START_MS, span, trace_id};
use std::sync::Arc;
use traces::{Kind, Search, Span, Status, StoreLimits, TraceStore};

/// Numbers below `below`, the same in each run.
fn dice() -> impl FnMut(u64) -> u64 {
    let mut seed = 11_u64;
    move |below| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    }
}

/// Spans of 600 traces that overlap, begin out of order, and of which some come in parts.
fn many() -> Vec<Span> {
    let mut dice = dice();
    let mut spans = Vec::new();
    for number in 1..=600_u64 {
        let begin = (number * 10 + dice(2000)) as i64;
        for id in 1..=3 + dice(3) {
            // Late spans belong to a trace of long ago, and may begin before what is there of it.
            let number = if dice(20) == 0 { 1 + dice(number) } else { number };
            let from = begin + dice(50) as i64 - 25;
            let to = from + (1 << dice(12));
            let service = ["orders", "auth", "payments", "rare"]
                [if dice(200) == 0 { 3 } else { dice(3) as usize }];
            let mut one = span(number * 100 + id, id - 1, service, Kind::Server, from, to);
            one.trace_id = trace_id(number);
            if dice(100) == 0 {
                one.status = Status::Error("".into());
            }
            spans.push(one);
        }
    }
    spans
}

/// What a search has to find, from all that the store holds.
fn expected(store: &TraceStore, search: &Search) -> Vec<String> {
    let fits = |span: &Arc<Span>| {
        let start_ms = span.start_ns.div_euclid(1_000_000);
        search.service.as_deref().is_none_or(|service| service == span.service())
            && search.min_duration_ns.is_none_or(|min| span.duration_ns() >= min)
            && search.max_duration_ns.is_none_or(|max| span.duration_ns() <= max)
            && (!search.errors_only || span.is_error())
            && search.from_ms.is_none_or(|from| start_ms >= from)
            && search.to_ms.is_none_or(|to| start_ms <= to)
    };
    let traces = (1..=600).filter_map(|number| store.trace(&trace_id(number)));
    let mut found: Vec<(i64, String)> = traces
        .filter(|trace| trace.rows.iter().any(|row| fits(&row.span)))
        .map(|trace| {
            let start = trace.rows.iter().map(|row| row.span.start_ns).min().unwrap();
            (start, trace.id.to_string())
        })
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, id)| id).take(search.limit).collect()
}

fn check(store: &TraceStore, search: Search) -> usize {
    let found: Vec<String> =
        store.search(&search).iter().map(|summary| summary.id.to_string()).collect();
    assert_eq!(found, expected(store, &search), "{search:?}");
    found.len()
}

#[test]
fn blocks_hide_nothing() {
    // All of them, and as many as are left after most went.
    for (most, some) in [(usize::MAX, true), (700, false)] {
        let store = TraceStore::new(StoreLimits { spans: most, ..StoreLimits::default() });
        store.append(many(), START_MS);
        for limit in [0, 1, 20, 1000] {
            for service in [None, Some("orders"), Some("rare"), Some("nobody")] {
                let of = || Search { service: service.map(Into::into), limit, ..Search::default() };
                check(&store, of());
                for ms in [0, 100, 2048, 5000] {
                    check(&store, Search { min_duration_ns: Some(ms * 1_000_000), ..of() });
                    check(&store, Search { max_duration_ns: Some(ms * 1_000_000), ..of() });
                    let from = Some(START_MS + 6000 - ms);
                    check(&store, Search { from_ms: from, errors_only: ms > 0, ..of() });
                    check(&store, Search { to_ms: Some(START_MS + 2000 + ms), ..of() });
                }
            }
        }
        let rare = Search { service: Some("rare".into()), ..Search::default() };
        assert!(!some || check(&store, rare) > 3);
        assert_eq!(check(&store, Search { limit: 1000, ..Search::default() }) > 500, some);
    }
}
