//! Jaeger's storage tests: each query finds exactly the traces that it names.

#![allow(clippy::unwrap_used)]

mod suites;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use traces::{AttributeFilter, Search, StoreLimits, TraceId, TraceStore};

/// Everything of the suite in one store, so that a query could find too much.
fn filled(folder: &Path) -> TraceStore {
    let store = TraceStore::new(StoreLimits::default());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_str().unwrap().starts_with("queries") {
            store.append(suites::spans(path), 1_485_450_000_000);
        }
    }
    store
}

fn time(text: &str) -> i64 {
    // Seconds of the days that the suite is about, and the fraction.
    let (date, clock) = text.trim_end_matches('Z').split_once('T').unwrap();
    assert!(date.starts_with("2017-01-"), "{text}");
    let days = 1_483_228_800 / 86_400 + date[8..].parse::<i64>().unwrap() - 1;
    let parts: Vec<f64> = clock.split(':').map(|part| part.parse().unwrap()).collect();
    days * 86_400_000 + ((parts[0] * 3600.0 + parts[1] * 60.0 + parts[2]) * 1000.0) as i64
}

fn search(query: &Value, patterns: bool) -> Search {
    let text =
        |field: &str| query[field].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let duration = |field: &str| query[field].as_i64().filter(|ns| *ns > 0);
    let filter = |(key, value): (&String, &Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if patterns {
            AttributeFilter::matching(key, &value).unwrap()
        } else {
            AttributeFilter::Equals(key.clone(), value)
        }
    };
    Search {
        service: text("ServiceName"),
        operation: text("OperationName"),
        attributes: query["Tags"].as_object().into_iter().flatten().map(filter).collect(),
        min_duration_ns: duration("DurationMin"),
        max_duration_ns: duration("DurationMax"),
        errors_only: false,
        from_ms: Some(time(query["StartTimeMin"].as_str().unwrap())),
        to_ms: Some(time(query["StartTimeMax"].as_str().unwrap())),
        to: None,
        limit: query["NumTraces"].as_u64().unwrap() as usize,
    }
}

fn check(file: &str, patterns: bool) {
    let Some(folder) = suites::suite("jaeger") else { return };
    let store = filled(&folder);
    let queries: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap();
    assert!(!queries.is_empty());
    for query in &queries {
        let fixtures = query["ExpectedFixtures"].as_array().unwrap();
        let ids = fixtures.iter().map(|name| {
            suites::spans(folder.join(format!("{}.json", name.as_str().unwrap())))[0].trace_id
        });
        let expected: BTreeSet<TraceId> = ids.collect();
        let found = store.search(&search(&query["Query"], patterns));
        assert!(found.is_sorted_by(|a, b| a.start_ns >= b.start_ns), "newest first");
        let found: BTreeSet<TraceId> = found.into_iter().map(|trace| trace.id).collect();
        assert_eq!(found, expected, "{}", query["Caption"]);
    }
    std::io::stderr()
        .write_all(
            format!("{} queries of {file} find exactly their traces\n", queries.len()).as_bytes(),
        )
        .expect("standard error can be written to");
}

#[test]
fn queries_find_exactly_their_traces() {
    check("queries.json", false);
}

#[test]
fn patterns_find_exactly_their_traces() {
    check("queries_es.json", true);
}

#[test]
fn spans_come_back_as_they_were_sent() {
    let Some(folder) = suites::suite("jaeger") else { return };
    let store = filled(&folder);
    let sent = suites::spans(folder.join("example_trace.json"));
    let trace = store.trace(&sent[0].trace_id).unwrap();
    for span in &sent {
        assert!(trace.rows.iter().any(|row| *row.span == *span), "{span:?}");
    }
    // Also through the message that other programs get.
    let rows = trace.rows.iter().map(|row| &*row.span);
    let message = ExportTraceServiceRequest { resource_spans: traces::encode_spans(rows) };
    let json = serde_json::to_string(&message).unwrap();
    let again = traces::decode_spans(serde_json::from_str(&json).unwrap());
    assert_eq!((again.items.len(), again.rejected), (sent.len(), 0));
    assert!(sent.iter().all(|span| again.items.contains(span)));
}
