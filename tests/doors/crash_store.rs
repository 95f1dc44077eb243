//! A backend on disk is killed at random moments, again and again, on the same folder; nothing that was acknowledged may be
//! missing, changed or there twice.
//!
//! What `kill -9` tries is everything that the process itself could lose: half-written batches, blocks and logs that replace
//! one another, an end while opening. The kernel keeps what was written, so whether the journal was synced in time is *not*
//! tried here; only a power cut would.
//!
//! `LOGGIA_TEST_SEED` repeats a run's kills, `LOGGIA_TEST_KILLS` changes their number.

use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use telemetry::Backend;
use tests::{FastClock, binary, send};
use traces::{LogSearch, TraceId};

/// Kills unless `LOGGIA_TEST_KILLS` says otherwise; `tests/run` asks for 200.
const KILLS: usize = 20;
/// Kills of one store; then the next one begins, since each opening takes longer than the one before.
const KILLS_OF_ONE: usize = 25;
/// Characters of noise with each trace, so that files of the database fill and are merged while it is killed.
const NOISE: usize = 2_000;
/// The planted fault: every so manieth request is acknowledged and not written down.
const LOSE_EVERY: u64 = 5;
/// Series, each with one sample a request.
const SERIES: usize = 5;
/// A sample is late by less than this, ms of the fast clock; ten minutes are allowed.
const LATE_MS: u64 = 300_000;

/// Numbers that the seed decides (SplitMix64).
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// What was sent, and whether it was acknowledged.
#[derive(Default)]
struct Sent {
    samples: BTreeMap<(String, i64), (u64, bool)>,
    /// By trace: names of spans.
    traces: BTreeMap<String, (BTreeSet<String>, bool)>,
    logs: BTreeMap<String, bool>,
}

/// What a check found.
#[derive(Debug, Default)]
struct Faults(Vec<String>);

impl Faults {
    fn unless(&mut self, sound: bool, what: impl FnOnce() -> String) {
        if !sound {
            self.0.push(what());
        }
    }
}

fn start(folder: &Path, fast: FastClock, lose: u64) -> Child {
    let mut command = Command::new(binary("store-child"));
    command.arg(folder).arg(fast.since_ms.to_string()).arg(lose.to_string()).stdout(Stdio::piped());
    command.spawn().expect("it is built")
}

fn port(child: &mut Child) -> u16 {
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("readable");
    line.trim().parse().expect("the child prints its port, so the store opened")
}

/// Posts; `None` when the child has gone, else whether all of it was taken.
fn post(port: u16, path: &str, body: &serde_json::Value) -> Option<bool> {
    let url = format!("http://127.0.0.1:{port}/v1/{path}");
    let headers = [("content-type", "application/json")];
    let answer = send("POST", &url, &headers, body.to_string().as_bytes()).ok()?;
    let whole = answer.json().ok()?;
    Some(answer.status == 200 && whole.get("partialSuccess").is_none())
}

fn resource() -> serde_json::Value {
    json!({"attributes": [{"key": "service.name", "value": {"stringValue": "crash"}}]})
}

fn send_samples(port: u16, fast: FastClock, sent: &Mutex<Sent>, dice: &mut Dice) -> bool {
    let now = fast.now_ms();
    let mut metrics = Vec::new();
    let mut keys = Vec::new();
    for number in 0..SERIES {
        let name = format!("crash_{number}");
        let late = if dice.below(10) == 0 { dice.below(LATE_MS) as i64 } else { 0 };
        let mut key = (name.clone(), now - late);
        let value = dice.next() >> dice.below(60);
        let mut sent = sent.lock().unwrap();
        while sent.samples.contains_key(&key) {
            key.1 += 1;
        }
        let bits = (value as f64).to_bits();
        metrics.push(json!({"name": name, "gauge": {"dataPoints": [
            {"asDouble": value as f64, "timeUnixNano": (key.1 * 1_000_000).to_string()}]}}));
        sent.samples.insert(key.clone(), (bits, false));
        keys.push(key);
    }
    let body = json!({"resourceMetrics": [{"resource": resource(), "scopeMetrics": [{"metrics": metrics}]}]});
    let taken = post(port, "metrics", &body);
    if taken == Some(true) {
        let mut sent = sent.lock().unwrap();
        for key in keys {
            sent.samples.get_mut(&key).unwrap().1 = true;
        }
    }
    taken.is_some()
}

fn send_spans(port: u16, fast: FastClock, sent: &Mutex<Sent>, dice: &mut Dice) -> bool {
    let trace = format!("{:016x}{:016x}", dice.next() | 1, dice.next());
    let names: BTreeSet<String> = (0..3).map(|at| format!("step {at}.{}", dice.below(4))).collect();
    let start = fast.now_ms() * 1_000_000;
    let noise: String = (0..NOISE / 16).map(|_| format!("{:016x}", dice.next())).collect();
    let note = json!([{"key": "noise", "value": {"stringValue": noise}}]);
    let spans: Vec<_> = names.iter().map(|name| {
        json!({"traceId": trace, "spanId": format!("{:016x}", dice.next() | 1), "name": name, "kind": 2,
            "attributes": note, "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 1_000_000).to_string()})
    }).collect();
    sent.lock().unwrap().traces.insert(trace.clone(), (names, false));
    let body =
        json!({"resourceSpans": [{"resource": resource(), "scopeSpans": [{"spans": spans}]}]});
    let taken = post(port, "traces", &body);
    if taken == Some(true) {
        sent.lock().unwrap().traces.get_mut(&trace).unwrap().1 = true;
    }
    taken.is_some()
}

fn send_logs(port: u16, fast: FastClock, sent: &Mutex<Sent>, dice: &mut Dice) -> bool {
    let body = format!("line {:016x}", dice.next());
    sent.lock().unwrap().logs.insert(body.clone(), false);
    let message = json!({"resourceLogs": [{"resource": resource(), "scopeLogs": [{"logRecords": [
        {"timeUnixNano": (fast.now_ms() * 1_000_000).to_string(), "body": {"stringValue": body}}]}]}]});
    let taken = post(port, "logs", &message);
    if taken == Some(true) {
        sent.lock().unwrap().logs.insert(body, true);
    }
    taken.is_some()
}

/// Feeds a child until it is killed.
fn feed(port: u16, fast: FastClock, sent: &Mutex<Sent>, dice: &mut Dice) {
    type Send = fn(u16, FastClock, &Mutex<Sent>, &mut Dice) -> bool;
    let senders: [Send; 3] = [send_samples, send_spans, send_logs];
    std::thread::scope(|scope| {
        for sender in senders {
            let mut dice = Dice(dice.next());
            scope.spawn(move || {
                while sender(port, fast, sent, &mut dice) {
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
        }
    });
}

fn check_samples(backend: &Backend, sent: &Sent, faults: &mut Faults) {
    use series::{Matcher, Storage as _};
    let mut found = BTreeMap::new();
    let (from, to) = (i64::MIN / 2, i64::MAX / 2);
    for name in (0..SERIES).map(|number| format!("crash_{number}")) {
        for data in backend.metrics.select(&[Matcher::equal("__name__", &*name)], from, to) {
            for sample in data.samples(from, to) {
                let twice = found.insert((name.clone(), sample.t), sample.v.to_bits()).is_some();
                faults.unless(!twice, || format!("sample {name} at {} is there twice", sample.t));
            }
        }
    }
    for ((name, t), (bits, acknowledged)) in &sent.samples {
        let kept = found.remove(&(name.clone(), *t));
        let sound = kept == Some(*bits) || kept.is_none() && !acknowledged;
        faults.unless(sound, || format!("sample {name} at {t}: {bits:x} became {kept:x?}"));
    }
    faults.unless(found.is_empty(), || format!("never sent: {:?}", found.first_key_value()));
}

fn check_traces(
    backend: &Backend,
    sent: &Sent,
    newest: usize,
    dice: &mut Dice,
    faults: &mut Faults,
) {
    let some = sent.traces.iter().filter(|_| newest == usize::MAX || dice.below(10) == 0);
    for (id, (names, acknowledged)) in some {
        let parsed: TraceId = id.parse().expect("made of hexadecimal digits");
        let kept = backend.trace(&parsed).map(|trace| {
            trace.rows.iter().map(|row| row.span.name.to_string()).collect::<Vec<_>>()
        });
        let sound = match &kept {
            Some(kept) => kept.len() == names.len() && kept.iter().all(|name| names.contains(name)),
            None => !acknowledged,
        };
        faults.unless(sound, || format!("trace {id}: {names:?} became {kept:?}"));
    }
}

fn check_logs(backend: &Backend, sent: &Sent, faults: &mut Faults) {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for record in backend.logs.search(&LogSearch::default()) {
        *found.entry(record.body.to_string()).or_default() += 1;
    }
    for (body, acknowledged) in &sent.logs {
        let count = found.remove(body).unwrap_or(0);
        let sound = count == 1 || count == 0 && !acknowledged;
        faults.unless(sound, || format!("`{body}` is there {count} times"));
    }
    faults.unless(found.is_empty(), || format!("never sent: {:?}", found.first_key_value()));
}

/// Kills a store so many times; gives what was wrong after the first kill that showed something.
fn run(kills: usize, seed: u64, lose: u64) -> (Faults, String) {
    let folder = tempfile::tempdir().expect("a folder for tests");
    let fast = FastClock::start();
    let (mut dice, sent) = (Dice(seed), Mutex::new(Sent::default()));
    let mut summary = String::new();
    for kill in 0..kills {
        let mut child = start(folder.path(), fast, lose);
        // Every tenth is killed while it opens or begins.
        let early = kill % 10 == 9;
        let after = Duration::from_millis(dice.below(if early { 60 } else { 300 }));
        if early {
            std::thread::sleep(after);
        } else {
            let port = port(&mut child);
            std::thread::scope(|scope| {
                let mut feeding = dice.clone();
                let sent = &sent;
                scope.spawn(move || feed(port, fast, sent, &mut feeding));
                std::thread::sleep(after);
                child.kill().expect("it runs");
            });
            dice.next();
        }
        child.kill().expect("it was not waited for");
        child.wait().expect("it was killed");
        let mut faults = Faults::default();
        let sent = sent.lock().unwrap();
        match fast.open(folder.path()) {
            Err(error) => faults.0.push(format!("does not open: {error}")),
            Ok(backend) => {
                let newest = if kill + 1 == kills { usize::MAX } else { 0 };
                check_samples(&backend, &sent, &mut faults);
                check_traces(&backend, &sent, newest, &mut dice, &mut faults);
                check_logs(&backend, &sent, &mut faults);
                summary = format!(
                    "{} samples, {} traces, {} log records sent; on disk {:?}; in memory {:?}",
                    sent.samples.len(),
                    sent.traces.len(),
                    sent.logs.len(),
                    backend.disk_bytes(),
                    backend.metrics.stats(),
                );
            }
        }
        if !faults.0.is_empty() {
            return (faults, format!("after kill {kill}: {summary}"));
        }
    }
    (Faults::default(), summary)
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn seed() -> u64 {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let seed = setting("LOGGIA_TEST_SEED").unwrap_or_else(|| clock() as u64 % 1_000_000);
    eprintln!("LOGGIA_TEST_SEED={seed}");
    seed
}

#[test]
fn nothing_acknowledged_is_lost() {
    let kills = setting("LOGGIA_TEST_KILLS").map_or(KILLS, |kills| kills as usize);
    let (mut dice, mut left) = (Dice(seed()), kills);
    while left > 0 {
        let round = left.min(KILLS_OF_ONE);
        let (faults, summary) = run(round, dice.next(), 0);
        let shown = &faults.0[..faults.0.len().min(5)];
        assert!(faults.0.is_empty(), "{summary}: {} faults, {shown:#?}", faults.0.len());
        left -= round;
        // Also where the output of a test that passes is held back.
        std::io::stderr()
            .write_all(format!("{} of {kills} kills: {summary}\n", kills - left).as_bytes())
            .expect("standard error can be written to");
    }
}

#[test]
fn the_check_finds_what_is_lost() {
    let (faults, summary) = run(20, seed(), LOSE_EVERY);
    assert!(!faults.0.is_empty(), "a planted fault was not found: {summary}");
    eprintln!("found {summary}: {}", faults.0[0]);
}
