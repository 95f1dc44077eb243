//! Telemetry on disk: what comes back, what goes, and what happens when the files are not what was written.

#![allow(clippy::unwrap_used)]

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use serde_json::json;
use series::{Matcher, Storage as _};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use telemetry::{Backend, Clock, DiskOptions, Limits, OpenError};
use traces::{AttributeFilter, LogSearch, Search, TraceId};

const HOUR_MS: i64 = 60 * 60 * 1000;
const START_MS: i64 = 500_000 * HOUR_MS;

/// A folder, and a clock that the test sets.
struct World {
    folder: PathBuf,
    now_ms: Arc<AtomicI64>,
    options: DiskOptions,
}

impl World {
    fn new(folder: &Path) -> Self {
        let options = DiskOptions {
            retention_ms: 16 * HOUR_MS,
            retention_bytes: DiskOptions::LEAST_BYTES,
            ..DiskOptions::new(folder)
        };
        Self { folder: folder.to_owned(), now_ms: Arc::new(AtomicI64::new(START_MS)), options }
    }

    fn at(&self, folder: &Path) -> Self {
        let options = DiskOptions { folder: folder.to_owned(), ..self.options.clone() };
        Self { folder: folder.to_owned(), now_ms: self.now_ms.clone(), options }
    }

    fn open(&self) -> Result<Backend, OpenError> {
        let now_ms = self.now_ms.clone();
        let clock = Clock::from_fn(move || now_ms.load(SeqCst));
        Backend::open(Limits::default(), clock, self.options.clone(), &mut |_| {})
    }

    fn now(&self) -> i64 {
        self.now_ms.load(SeqCst)
    }

    fn pass(&self, ms: i64) {
        self.now_ms.fetch_add(ms, SeqCst);
    }
}

fn resource() -> serde_json::Value {
    json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]})
}

fn ns(ms: i64) -> String {
    (ms * 1_000_000).to_string()
}

/// Text that does not compress to nothing.
fn noise(seed: u64, length: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + (state % 26) as u8)
    };
    (0..length).map(next).collect()
}

fn send_sample(backend: &Backend, name: &str, t: i64, v: f64) {
    let metrics: ExportMetricsServiceRequest = serde_json::from_value(json!({"resourceMetrics": [{
        "resource": resource(), "scopeMetrics": [{"metrics": [{"name": name, "gauge": {"dataPoints": [
            {"asDouble": v, "timeUnixNano": ns(t)}]}}]}]}]}))
    .unwrap();
    let refused = backend.accept_metrics(metrics);
    assert!(refused.as_ref().is_none_or(|refused| refused.count == 0), "{refused:?}");
}

fn send_trace(backend: &Backend, number: u64, t: i64, length: usize) -> TraceId {
    let id = format!("{:032x}", number + 1);
    let spans: ExportTraceServiceRequest = serde_json::from_value(json!({"resourceSpans": [{
        "resource": resource(), "scopeSpans": [{"spans": [{"traceId": id, "spanId": format!("{:016x}", number + 1),
            "name": "buy", "kind": 2, "startTimeUnixNano": ns(t), "endTimeUnixNano": ns(t + 5),
            "attributes": [{"key": "note", "value": {"stringValue": noise(number, length)}}]}]}]}]}))
    .unwrap();
    backend.accept_traces(spans);
    id.parse().unwrap()
}

fn send_log(backend: &Backend, body: &str, t: i64) {
    let logs: ExportLogsServiceRequest = serde_json::from_value(json!({"resourceLogs": [{
        "resource": resource(), "scopeLogs": [{"logRecords": [
            {"timeUnixNano": ns(t), "body": {"stringValue": body}}]}]}]}))
    .unwrap();
    backend.accept_logs(logs);
}

#[test]
fn logs_are_found_beyond_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let open = || {
        let (now_ms, mut limits) = (world.now_ms.clone(), Limits::default());
        limits.logs.records = 10;
        // As little as one batch: memory is filled with the newest only.
        limits.logs.bytes = 3_000;
        let clock = Clock::from_fn(move || now_ms.load(SeqCst));
        Backend::open(limits, clock, world.options.clone(), &mut |_| {}).unwrap()
    };
    let backend = open();
    for number in 0..60 {
        send_log(&backend, &format!("line {number} of the day"), world.now());
        // The same twice is two records.
        if number == 3 {
            send_log(&backend, "line 3 of the day", world.now());
        }
        world.pass(60_000);
    }
    let check = |backend: &Backend, text: &str, from_ms: Option<i64>, limit, expected: &[&str]| {
        let text = traces::LogText::parse(text);
        let search = LogSearch { text, from_ms, limit: Some(limit), ..LogSearch::default() };
        let found = backend.search_logs(&search);
        let bodies: Vec<&str> = found.iter().map(|record| &*record.body).collect();
        assert_eq!(bodies, expected);
    };
    let check_all = |backend: &Backend| {
        assert!(backend.logs.len() <= 10);
        check(backend, "\"line 59 \"", None, 5, &["line 59 of the day"]);
        check(backend, "\"line 3 \"", None, 5, &["line 3 of the day", "line 3 of the day"]);
        check(backend, "day", None, 2, &["line 59 of the day", "line 58 of the day"]);
        check(backend, "\"line 0 \"", Some(world.now() - 30 * 60_000), 5, &[]);
        let all = LogSearch { limit: Some(1_000), ..LogSearch::default() };
        assert_eq!(backend.search_logs(&all).len(), 61, "each once");
    };
    check_all(&backend);
    drop(backend);
    check_all(&open());
}

#[test]
fn traces_are_found_beyond_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let open = || {
        let (now_ms, mut limits) = (world.now_ms.clone(), Limits::default());
        (limits.traces.spans, limits.traces.bytes) = (10, 3_000);
        let clock = Clock::from_fn(move || now_ms.load(SeqCst));
        Backend::open(limits, clock, world.options.clone(), &mut |_| {}).unwrap()
    };
    let backend = open();
    let mut sent = Vec::new();
    for number in 0..60 {
        sent.push(send_trace(&backend, number, world.now(), 20));
        world.pass(60_000);
    }
    let note = |number: u64| AttributeFilter::Equals("note".to_owned(), noise(number, 20));
    let at = |number: i64| Some(START_MS + number * 60_000);
    let all = Search { limit: 100, ..Search::default() };
    let every: Vec<usize> = (0..60).rev().collect();
    let cases = [
        (Search { limit: 3, ..all.clone() }, &[59, 58, 57][..]),
        (Search { limit: 12, ..all.clone() }, &every[..12]),
        (all.clone(), &every),
        (Search { attributes: vec![note(7)], ..all.clone() }, &[7]),
        (Search { service: Some("shop".to_owned()), to_ms: at(2), ..all.clone() }, &[2, 1, 0]),
        (Search { service: Some("inn".to_owned()), ..all.clone() }, &[]),
        (Search { from_ms: at(20), to_ms: at(22), ..all.clone() }, &[22, 21, 20]),
        (Search { min_duration_ns: Some(6_000_000), ..all.clone() }, &[]),
        (Search { to: Some("bank".to_owned()), ..all.clone() }, &[]),
    ];
    let check_all = |backend: &Backend| {
        assert!(backend.traces.stats().traces <= 10);
        for (search, expected) in &cases {
            let found = backend.search_traces(search);
            let ids: Vec<TraceId> = found.iter().map(|summary| summary.id).collect();
            let expected: Vec<TraceId> = expected.iter().map(|number| sent[*number]).collect();
            assert_eq!(ids, expected, "{search:?}");
        }
    };
    check_all(&backend);
    drop(backend);
    check_all(&open());
}

#[test]
fn exemplars_and_metadata_are_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let trace = format!("{:032x}", 7);
    let exemplar = |value: f64| {
        json!({"asDouble": value, "traceId": trace, "timeUnixNano": ns(START_MS - 5),
        "spanId": format!("{:016x}", 9)})
    };
    let metrics: ExportMetricsServiceRequest = serde_json::from_value(json!({"resourceMetrics": [{
        "resource": resource(), "scopeMetrics": [{"metrics": [
            {"name": "took", "unit": "s", "description": "How long it took.", "histogram": {"aggregationTemporality": 2,
                "dataPoints": [{"count": "3", "sum": 9.0, "bucketCounts": ["1", "1", "1"], "explicitBounds": [0.5, 1],
                    "timeUnixNano": ns(START_MS), "exemplars": [exemplar(0.5), exemplar(7.0)]}]}},
            {"name": "sold", "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [
                {"asInt": "5", "timeUnixNano": ns(START_MS), "exemplars": [exemplar(1.0),
                    {"asDouble": 2.0, "timeUnixNano": ns(START_MS)}]}]}}]}]}]}))
    .unwrap();
    let backend = world.open().unwrap();
    backend.accept_metrics(metrics.clone());
    let check = |backend: &Backend| {
        let found = backend.exemplars.select(&[Matcher::equal("job", "shop")], 0, i64::MAX);
        let each = found.iter().flat_map(|(labels, exemplars)| {
            let series = format!("{}{}", labels.value("__name__"), labels.value("le"));
            exemplars
                .iter()
                .map(move |one| (series.clone(), one.value, one.timestamp_ms, one.labels.clone()))
        });
        let ids = vec![
            ("span_id".to_owned(), format!("{:016x}", 9)),
            ("trace_id".to_owned(), trace.clone()),
        ];
        let at = Some(START_MS - 5);
        let expected = [
            ("sold_total", 1.0),
            ("took_seconds_bucket+Inf", 7.0),
            ("took_seconds_bucket0.5", 0.5),
        ];
        let expected = expected.map(|(series, value)| (series.to_owned(), value, at, ids.clone()));
        let mut each: Vec<_> = each.collect();
        each.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(each, expected);
        assert_eq!(backend.metadata()["took_seconds"].help, "How long it took.");
    };
    check(&backend);
    drop(backend);
    let backend = world.open().unwrap();
    check(&backend);
    backend.accept_metrics(metrics);
    check(&backend);
}

type Samples = BTreeMap<(String, i64), u64>;

fn samples(backend: &Backend) -> Samples {
    let (from, to) = (0, i64::MAX / 2);
    let found = backend.metrics.select(&[Matcher::equal("job", "shop")], from, to);
    let each = found.iter().flat_map(|data| {
        let name = data.labels.value("__name__").to_owned();
        data.samples(from, to).into_iter().map(move |s| ((name.clone(), s.t), s.v.to_bits()))
    });
    each.collect()
}

/// Everything that can be asked: samples, lengths of traces by number, bodies of log records.
fn everything(backend: &Backend, traces: u64) -> (Samples, Vec<usize>, Vec<String>) {
    let length = |number: u64| {
        let id: TraceId = format!("{:032x}", number + 1).parse().unwrap();
        backend.trace(&id).map_or(0, |trace| trace.rows.len())
    };
    let logs = backend.logs.search(&LogSearch::default());
    let mut bodies: Vec<String> = logs.iter().map(|record| record.body.to_string()).collect();
    bodies.sort();
    (samples(backend), (0..traces).map(length).collect(), bodies)
}

/// Five hours of everything, the first of them in blocks; the large traces fill files of their own.
fn fill(world: &World, backend: &Backend) -> u64 {
    const TRACES: u64 = 60;
    for step in 0..TRACES {
        send_trace(backend, step, world.now(), 60_000);
        send_log(backend, &format!("step {step} {}", noise(step, 40_000)), world.now());
        for _ in 0..4 {
            for series in 0..5 {
                let value = (step * series) as f64;
                send_sample(backend, &format!("metric_{series}"), world.now(), value);
            }
            world.pass(HOUR_MS / 48);
        }
        backend.tidy();
    }
    TRACES
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn what_was_taken_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let backend = world.open().unwrap();
    let traces = fill(&world, &backend);
    let before = everything(&backend, traces);
    assert_eq!((before.0.len(), before.2.len()), (1_200, 60));
    assert!(before.1.iter().all(|rows| *rows == 1));
    let all = backend.metrics.select(&[], 0, i64::MAX / 2);
    let all: usize = all.iter().map(|data| data.samples(0, i64::MAX / 2).len()).sum();
    assert!(backend.metrics.stats().samples < all, "the oldest are read from the disk");
    drop(backend);
    let mut reports = Vec::new();
    let clock = Clock::from_fn(|| START_MS);
    let mut report = |progress| reports.push(progress);
    let again =
        Backend::open(Limits::default(), clock, world.options.clone(), &mut report).unwrap();
    assert_eq!(everything(&again, traces), before);
    assert_eq!((again.disk_failure(), again.disk_unreadable()), (None, 0));
    assert!(again.disk_mended().is_empty(), "{:?}", again.disk_mended());
    let [metrics, spans, logs, _] = again.disk_bytes().unwrap();
    assert!(metrics > 0 && spans > 0 && logs > 0, "{:?}", again.disk_bytes());
    for what in ["metrics", "traces", "logs"] {
        let of_this: Vec<_> = reports.iter().filter(|p| p.what == what).collect();
        assert!(!of_this.is_empty() && of_this.iter().all(|p| p.done <= p.total), "{reports:?}");
    }
}

#[test]
fn what_is_too_old_or_too_much_goes() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let backend = world.open().unwrap();
    send_sample(&backend, "early", world.now(), 1.0);
    let first = send_trace(&backend, 0, world.now(), 10);
    let mut kept = 0;
    for hour in 0..20 {
        world.pass(HOUR_MS);
        send_sample(&backend, "late", world.now(), f64::from(hour));
        kept = hour as u64 + 1;
        send_trace(&backend, kept, world.now(), 10);
        backend.tidy();
    }
    let names = |backend: &Backend| {
        samples(backend)
            .into_keys()
            .map(|(name, _)| name)
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert!(
        !names(&backend).contains("early"),
        "beyond 16 hours and the part of 2 in which it was"
    );
    assert!(samples(&backend).len() >= 16, "{:?}", samples(&backend));
    drop(backend);
    let backend = world.open().unwrap();
    assert!(samples(&backend).len() >= 16 && !names(&backend).contains("early"));
    assert!(backend.trace(&first).is_none());

    // 35 % of 64 MB are for traces; what is beyond goes, the oldest first.
    let mut newest = kept;
    for number in 0..200_u64 {
        newest = kept + 1 + number;
        send_trace(&backend, newest, world.now(), 400_000);
        backend.tidy();
    }
    let [_, bytes, ..] = backend.disk_bytes().unwrap();
    assert!(bytes <= DiskOptions::LEAST_BYTES / 100 * 35, "{bytes}");
    drop(backend);
    let again = world.open().unwrap();
    let found = everything(&again, newest + 1).1;
    assert_eq!(found[newest as usize], 1);
    assert_eq!(found[kept as usize + 1], 0, "the first of the large ones went");
    assert!(found.iter().sum::<usize>() > 20, "{found:?}");
}

#[test]
fn a_folder_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let open = world.open().unwrap();
    let held = world.open().unwrap_err().to_string();
    assert!(held.contains("another process uses") && held.contains("--data-dir"), "{held}");
    drop(open);
    drop(world.open().unwrap());

    fs::write(folder.path().join("VERSION"), "loggia telemetry 9\n").unwrap();
    let newer = world.open().unwrap_err().to_string();
    assert!(newer.contains("layout 9") && newer.contains("newer version"), "{newer}");

    let file = tempfile::NamedTempFile::new().unwrap();
    let refused = world.at(&file.path().join("below")).open().unwrap_err().to_string();
    assert!(refused.contains("cannot be opened") && refused.contains("help:"), "{refused}");
}

#[test]
fn a_disk_with_little_room_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(folder.path());
    world.options.spare_bytes = u64::MAX;
    let full = world.open().unwrap();
    let why = full.disk_failure().unwrap();
    assert!(why.contains("MiB free") && why.contains("memory only"), "{why}");
    send_sample(&full, "one", world.now(), 1.0);
    let answer = full.accept_logs(serde_json::from_value(json!({"resourceLogs": []})).unwrap());
    assert!(answer.is_some_and(|a| a.count == 0 && a.message.contains("memory only")));
    full.tidy();
    assert_eq!((samples(&full).len(), full.disk_errors() > 0), (1, true));
    drop(full);
    world.options.spare_bytes = 0;
    let roomy = world.open().unwrap();
    assert_eq!((roomy.disk_failure(), samples(&roomy).len()), (None, 0), "it was not written");
}

/// Each file of a store is damaged in each of these ways: the store opens all the same, takes what comes, keeps it, and
/// whatever is missing is told.
#[test]
fn damage_is_survived_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let sound = World::new(&folder.path().join("sound"));
    let backend = sound.open().unwrap();
    let traces = fill(&sound, &backend);
    let before = everything(&backend, traces);
    drop(backend);
    // Opened again so that its journal has no room left in it.
    drop(sound.open().unwrap());
    type Damage = fn(&Path);
    let kinds: [(&str, Damage); 4] = [
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("cut in half", |path| {
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }),
        ("one bit turned", |path| {
            let mut bytes = fs::read(path).unwrap();
            if let Some(byte) = {
                let middle = bytes.len() / 2;
                bytes.get_mut(middle)
            } {
                *byte ^= 0x10;
            }
            fs::write(path, bytes).unwrap();
        }),
        ("its end zeros", |path| {
            let mut bytes = fs::read(path).unwrap();
            let quarter = bytes.len() / 4 * 3;
            bytes[quarter..].fill(0);
            fs::write(path, bytes).unwrap();
        }),
    ];
    let (mut outcomes, mut faults): (BTreeMap<&str, usize>, Vec<String>) = Default::default();
    let mut turn = 0;
    for file in files(&sound.folder.join("store")) {
        let name = file.strip_prefix(&sound.folder).unwrap();
        // One of the four for each file, in turn.
        turn += 1;
        for (kind, damage) in kinds.into_iter().skip(turn % 4).step_by(4) {
            let at = folder.path().join("damaged");
            copy(&sound.folder, &at);
            damage(&at.join(name));
            let world = sound.at(&at);
            let what = format!("{} {kind}", name.display());
            let mut fault = |sound: bool, why: &str| {
                if !sound {
                    faults.push(format!("{what}: {why}"));
                }
            };
            let backend = world.open().unwrap_or_else(|error| panic!("{what}: {error}"));
            let after = everything(&backend, traces);
            let told = !backend.disk_mended().is_empty() || backend.disk_unreadable() > 0;
            fault(after == before || told, "something is missing and nobody says so");
            fault(backend.disk_failure().is_none(), "nothing is written any more");
            send_sample(&backend, "afterwards", world.now(), 1.0);
            send_log(&backend, "afterwards", world.now());
            drop(backend);
            let again = world.open().unwrap_or_else(|error| panic!("{what}, again: {error}"));
            let (samples, _, logs) = everything(&again, 0);
            fault(samples.keys().any(|(name, _)| name == "afterwards"), "a new sample is lost");
            fault(logs.iter().any(|body| body == "afterwards"), "a new log record is lost");
            *outcomes.entry(if after == before { "whole" } else { "told" }).or_default() += 1;
            drop(again);
            fs::remove_dir_all(&at).unwrap();
        }
    }
    assert!(faults.is_empty(), "{outcomes:?} {faults:#?}");
    assert!(outcomes["told"] > 10 && outcomes.values().sum::<usize>() > 25, "{outcomes:?}");
}

#[test]
fn who_sends_an_hour_after_the_fact_can_end_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let backend = world.open().unwrap();
    // Half an hour after the end of a block, which is long enough to write it.
    world.pass(HOUR_MS - world.now() % HOUR_MS + HOUR_MS / 2);
    let times: Vec<i64> = (1..=60).rev().map(|minute| world.now() - minute * 60_000).collect();
    for t in &times {
        send_sample(&backend, "backfilled", *t, 1.0);
        world.pass(10_000);
        backend.tidy();
        assert!(backend.metrics.floor() <= *t, "closed while it is filled");
    }
    backend.tidy();
    assert_eq!(backend.metrics.floor(), times[59] - times[59] % HOUR_MS, "closed when it is over");
    drop(backend);
    let backend = world.open().unwrap();
    let matchers = [Matcher::equal("__name__", "backfilled")];
    let found = backend.metrics.select(&matchers, times[0], world.now());
    assert_eq!(found[0].samples(times[0], world.now()).len(), times.len());
}

#[test]
fn who_is_always_late_does_not_keep_all_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let backend = world.open().unwrap();
    let late_ms = 90 * 60_000;
    for _ in 0..6 * 6 {
        // Refused once its block is closed.
        let metrics: ExportMetricsServiceRequest = serde_json::from_value(json!({"resourceMetrics": [{
            "resource": resource(), "scopeMetrics": [{"metrics": [{"name": "late", "gauge": {"dataPoints": [
                {"asDouble": 1.0, "timeUnixNano": ns(world.now() - late_ms)}]}}]}]}]}))
        .unwrap();
        backend.accept_metrics(metrics);
        send_sample(&backend, "timely", world.now(), 1.0);
        backend.tidy();
        world.pass(10 * 60_000);
    }
    assert!(backend.metrics.floor() > world.now() - 3 * HOUR_MS);
}
