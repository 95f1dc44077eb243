//! Whether telemetry tells the truth while things go wrong: clients count what
//! they send and hear, and the services', the gateway's and the book's figures are
//! the same, over all replicas; and every order that was completed is one connected
//! trace, across the queue.
#![allow(clippy::unwrap_used, missing_docs)]

mod running;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use running::{Up, address, book, customer, done, get, send, status, until};
use rustix::process::Signal;
use serde_json::Value;

/// Requests by method, route and status.
type Counts = BTreeMap<(String, String, u16), i64>;

const DURATIONS: &str = "http_server_request_duration_seconds_count";

/// So many requests are sent at least.
const ENOUGH: u64 = 150;

const CALLS: &str = "http_client_request_duration_seconds_count";

/// Services whose spans the trace of a completed order has: the last three hear of
/// it over the queue, or of what follows.
const PARTS: [&str; 6] = ["gateway", "orders", "payments", "catalog", "shipping", "notifications"];

/// Numbers that follow from a seed (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn seed() -> u64 {
    let given = std::env::var("LOGGIA_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()) * 7919 + 1)
}

#[test]
fn figures_are_what_clients_count_and_each_order_is_one_trace() {
    let seed = seed();
    println!("seed {seed} (again with LOGGIA_TEST_SEED={seed})");
    let book = book();
    let mut up = Up::start(book.path(), &["--traffic=0", "--seed=3"]);
    let site = up.until("Open").trim().rsplit("http://").next().unwrap().to_owned();
    let gateway = address(book.path(), "gateway-1");
    let tokens: Vec<_> = (0..3).map(|n| customer(&gateway, &format!("counter{n}"))).collect();
    done(book.path(), &["scale", "orders", "2"]);
    done(book.path(), &["scale", "catalog", "2"]);
    let before = counts(&get(&gateway, "/metrics").body, DURATIONS);
    let (stop, total) = (AtomicBool::new(false), AtomicU64::new(0));
    let sent = std::thread::scope(|scope| {
        let clients: Vec<_> = tokens
            .iter()
            .zip(1..)
            .map(|(token, number)| {
                let (gateway, stop, total) = (&gateway, &stop, &total);
                let chance = Chance(seed ^ (number << 32));
                scope.spawn(move || shop(gateway, token, chance, stop, total))
            })
            .collect();
        hurt(book.path(), &mut Chance(seed));
        until("enough requests", || total.load(Ordering::Relaxed) > ENOUGH);
        stop.store(true, Ordering::Relaxed);
        let mut all = Counts::new();
        for (key, count) in clients.into_iter().flat_map(|client| client.join().unwrap()) {
            *all.entry(key).or_default() += count;
        }
        all
    });
    done(book.path(), &["fault", "clear"]);
    assert!(
        sent.keys().any(|(.., status)| *status >= 500),
        "seed {seed}: nothing failed: {sent:?}"
    );

    let mut after = counts(&get(&gateway, "/metrics").body, DURATIONS);
    for (key, count) in before {
        *after.entry(key).or_default() -= count;
    }
    after.retain(|_, count| *count != 0);
    assert_eq!(differences(&sent, &after), Vec::<String>::new(), "seed {seed}: the gateway");
    over_all_replicas(book.path(), &gateway, seed);
    in_the_book(&site, &gateway);

    let mut orders = Vec::new();
    for token in &tokens {
        orders.extend(completed(&gateway, token));
    }
    assert!(orders.len() > 10, "seed {seed}: only {} orders were completed", orders.len());
    for order in &orders {
        until(&format!("seed {seed}: one whole trace of order {order}"), || {
            let faults = trace_faults(&traces_of(&site, order));
            if !faults.is_empty() && std::env::var_os("LOGGIA_TEST_VERBOSE").is_some() {
                println!("{order}: {faults:?}");
            }
            faults.is_empty()
        });
    }
    println!("{} requests, {} completed orders", sent.values().sum::<i64>(), orders.len());
    up.signal(Signal::INT);
    up.until("stopped; no process and no port is left");
}

/// Sends requests until told to stop, and counts them by what was answered.
fn shop(
    gateway: &str,
    token: &str,
    mut chance: Chance,
    stop: &AtomicBool,
    total: &AtomicU64,
) -> Counts {
    let bearer = format!("Bearer {token}");
    let mut counts = Counts::new();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let key = format!("truth-{number}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", key.as_str()),
        ];
        let order =
            r#"{"lines":[{"sku":"tea","quantity":1,"unit_price_minor":450}],"currency":"EUR"}"#;
        let (method, path, route, body) = match chance.below(8) {
            0 | 1 => ("POST", "/v1/orders", "/v1/orders", order),
            2 => ("POST", "/v1/orders", "/v1/orders", "{}"),
            3 => ("GET", "/v1/orders/1", "/v1/orders/{id}", ""),
            4 => ("GET", "/v1/profile", "/v1/profile", ""),
            _ => ("GET", "/v1/orders?limit=2", "/v1/orders", ""),
        };
        let headers = if method == "GET" { &headers[..1] } else { &headers[..] };
        let answer =
            send(method, gateway, path, headers, body).expect("the gateway always answers");
        *counts.entry((method.to_owned(), route.to_owned(), answer.status)).or_default() += 1;
        total.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(20 + chance.below(40)));
    }
    counts
}

/// Some faults that kill nobody: what a process has counted dies with it.
fn hurt(book: &std::path::Path, chance: &mut Chance) {
    done(book, &["fault", "error", "orders", "--percent", "15", "--for", "1m"]);
    for _ in 0..6 {
        let replica = 1 + chance.below(2);
        let (percent, ms) = (10 + chance.below(60), 50 + chance.below(400));
        let (percent, ms) = (percent.to_string(), ms.to_string());
        let (orders, catalog) = (format!("orders/{replica}"), format!("catalog/{replica}"));
        match chance.below(4) {
            0 => done(book, &["fault", "latency", "payments", "--ms", &ms, "--percent", &percent]),
            1 => done(book, &["fault", "pause", &orders, "--for", "600ms"]),
            2 => done(book, &["fault", "error", &catalog, "--percent", &percent, "--for", "2s"]),
            _ => done(book, &["fault", "latency", "shipping", "--ms", &ms, "--for", "2s"]),
        };
        std::thread::sleep(Duration::from_millis(500 + chance.below(500)));
    }
}

/// A metric's values by method, route (or peer) and status.
fn counts(text: &str, name: &str) -> Counts {
    let mut counts = Counts::new();
    let prefix = format!("{name}{{");
    for line in text.lines().filter(|line| line.starts_with(&prefix)) {
        let label = |name: &str| {
            let found = line.split_once(&format!("{name}=\"")).map(|(_, rest)| rest);
            found.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
        };
        let route = label("http_route") + &label("service_peer_name");
        let status = label("http_response_status_code").parse().unwrap_or(0);
        let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        *counts.entry((label("http_request_method"), route, status)).or_default() += value as i64;
    }
    counts
}

/// Where two counts of the same requests differ.
fn differences(one: &Counts, other: &Counts) -> Vec<String> {
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let both = keys.into_iter().map(|key| {
        let of = |counts: &Counts| counts.get(key).copied().unwrap_or(0);
        (key, of(one), of(other))
    });
    both.filter(|(_, one, other)| one != other)
        .map(|(key, one, other)| format!("{key:?}: {one} and {other}"))
        .collect()
}

/// What the gateway sent to `orders` is what its replicas together answered.
fn over_all_replicas(book: &std::path::Path, gateway: &str, seed: u64) {
    let by_status = |counts: Counts, route: &dyn Fn(&str) -> bool| {
        let mut by_status = Counts::new();
        for ((_, at, status), count) in counts.into_iter().filter(|((_, at, _), _)| route(at)) {
            let _ = at;
            *by_status.entry((String::new(), String::new(), status)).or_default() += count;
        }
        by_status
    };
    let sent = by_status(counts(&get(gateway, "/metrics").body, CALLS), &|peer| peer == "orders");
    let mut answered = Counts::new();
    let mut served = 0;
    for replica in status(book).into_iter().filter(|replica| replica.name == "orders") {
        let text = get(&replica.address.unwrap().to_string(), "/metrics").body;
        let own = by_status(counts(&text, DURATIONS), &|_| true);
        served += usize::from(own.values().sum::<i64>() > 0);
        for (key, count) in own {
            *answered.entry(key).or_default() += count;
        }
    }
    assert_eq!(served, 2, "seed {seed}: a replica had nothing to do");
    assert_eq!(differences(&sent, &answered), Vec::<String>::new(), "seed {seed}: the replicas");
}

/// The book comes to show the gateway's figures as they are.
fn in_the_book(site: &str, gateway: &str) {
    let query = format!("/prometheus/api/v1/query?query={DURATIONS}%7Bjob%3D%22gateway%22%7D");
    until("the gateway's figures in the book", || {
        let expected = counts(&get(gateway, "/metrics").body, DURATIONS);
        let found = get(site, &query).json();
        let mut shown = Counts::new();
        for series in found["data"]["result"].as_array().unwrap() {
            let label = |name: &str| series["metric"][name].as_str().unwrap_or_default().to_owned();
            let status = label("http_response_status_code").parse().unwrap_or(0);
            let value: f64 = series["value"][1].as_str().unwrap().parse().unwrap();
            let key = (label("http_request_method"), label("http_route"), status);
            *shown.entry(key).or_default() += value as i64;
        }
        differences(&expected, &shown).is_empty()
    });
}

/// The orders of a customer that are paid for.
fn completed(gateway: &str, token: &str) -> Vec<String> {
    let bearer = format!("Bearer {token}");
    let list = send("GET", gateway, "/v1/orders?limit=100", &[("authorization", &bearer)], "");
    let list = list.unwrap().json();
    let paid = list["orders"].as_array().unwrap().iter().filter(|order| order["state"] == "paid");
    paid.map(|order| order["id"].as_str().unwrap().to_owned()).collect()
}

/// The spans of each trace in which an order's pieces were confirmed: their service,
/// kind, id and parent.
fn traces_of(site: &str, order: &str) -> Vec<Vec<Span>> {
    let wanted = format!("url.path%3D/v1/reservations/{order}/confirm");
    let found = get(site, &format!("/api/live/traces?limit=20&attributes={wanted}")).json();
    let ids = found["traces"].as_array().unwrap().iter().filter_map(|trace| trace["id"].as_str());
    ids.map(|id| spans(&get(site, &format!("/live/traces/{id}/otlp.json")).json())).collect()
}

#[derive(Debug, Clone)]
struct Span {
    service: String,
    consumes: bool,
    id: String,
    parent: String,
}

fn spans(trace: &Value) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource in trace["resourceSpans"].as_array().into_iter().flatten() {
        let attributes = resource["resource"]["attributes"].as_array().into_iter().flatten();
        let mut names = attributes.filter(|pair| pair["key"] == "service.name");
        let service = names.next().and_then(|pair| pair["value"]["stringValue"].as_str());
        let scopes = resource["scopeSpans"].as_array().into_iter().flatten();
        for span in scopes.flat_map(|scope| scope["spans"].as_array().into_iter().flatten()) {
            let text = |name: &str| span[name].as_str().unwrap_or_default().to_owned();
            spans.push(Span {
                service: service.unwrap_or_default().to_owned(),
                // SPAN_KIND_CONSUMER
                consumes: span["kind"] == 5 || span["kind"] == "SPAN_KIND_CONSUMER",
                id: text("spanId"),
                parent: text("parentSpanId"),
            });
        }
    }
    spans
}

/// Why an order is not one connected trace.
fn trace_faults(traces: &[Vec<Span>]) -> Vec<String> {
    let [spans] = traces else { return vec![format!("it is in {} traces", traces.len())] };
    let ids: BTreeSet<_> = spans.iter().map(|span| &span.id).collect();
    let roots = spans.iter().filter(|span| span.parent.is_empty()).count();
    let torn = spans.iter().filter(|span| !span.parent.is_empty() && !ids.contains(&span.parent));
    let mut faults: Vec<_> = torn
        .map(|span| format!("the parent of {} of {} is missing", span.id, span.service))
        .collect();
    if roots != 1 {
        faults.push(format!("it has {roots} roots"));
    }
    for part in PARTS {
        if spans.iter().all(|span| span.service != part) {
            faults.push(format!("it has no span of {part}"));
        }
    }
    if !spans.iter().any(|span| span.consumes && span.service == "shipping") {
        faults.push("it does not cross the queue".to_owned());
    }
    faults
}

#[test]
fn wrong_counts_and_torn_traces_are_noticed() {
    let key = |status| ("GET".to_owned(), "/v1/orders".to_owned(), status);
    let sent = Counts::from([(key(200), 7), (key(500), 2)]);
    assert!(differences(&sent, &sent.clone()).is_empty());
    for (planted, words) in [
        (Counts::from([(key(200), 6), (key(500), 2)]), "7 and 6"),
        (Counts::from([(key(200), 8), (key(500), 2)]), "7 and 8"),
        (Counts::from([(key(200), 7), (key(503), 2)]), "0 and 2"),
        (Counts::from([(key(200), 7)]), "2 and 0"),
    ] {
        let found = differences(&sent, &planted);
        assert!(found.iter().any(|difference| difference.contains(words)), "{words}: {found:?}");
    }
    let sound: Vec<Span> = PARTS
        .iter()
        .zip(0..)
        .map(|(part, number): (_, i32)| Span {
            service: (*part).to_owned(),
            consumes: *part == "shipping",
            id: number.to_string(),
            parent: if number == 0 { String::new() } else { (number - 1).to_string() },
        })
        .collect();
    assert_eq!(trace_faults(std::slice::from_ref(&sound)), Vec::<String>::new());
    type Plant = fn(&mut Vec<Span>);
    let plants: [(&str, Plant); 5] = [
        ("is missing", |spans| spans[2].parent = "lost".to_owned()),
        ("2 roots", |spans| spans[4].parent = String::new()),
        ("0 roots", |spans| spans[0].parent = "5".to_owned()),
        ("no span of catalog", |spans| spans[3].service = "payments".to_owned()),
        ("does not cross the queue", |spans| spans[4].consumes = false),
    ];
    for (words, plant) in plants {
        let mut spans = sound.clone();
        plant(&mut spans);
        let found = trace_faults(&[spans]);
        assert!(found.iter().any(|fault| fault.contains(words)), "{words}: {found:?}");
    }
    assert_eq!(trace_faults(&[sound.clone(), sound]), ["it is in 2 traces"]);
}
