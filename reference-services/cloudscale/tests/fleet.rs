//! A fleet that is changed while it runs: replicas that come and go under
//! traffic, and faults that come and end.
#![allow(clippy::unwrap_used, missing_docs)]

mod running;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fleet::State;
use running::{
    Answer, Up, address, book, customer, done, get, metric, refused, send, status, until,
};
use rustix::process::Signal;
use serde_json::Value;

/// Pause between two requests of one customer: below what the gateway lets one do.
const PACE: Duration = Duration::from_millis(30);

/// Sends what customers send until it is told to stop; what went wrong is kept.
struct Customers {
    stop: AtomicBool,
    wrong: Mutex<Vec<String>>,
}

impl Customers {
    fn shop(&self, gateway: &str, number: usize, token: &str) {
        let bearer = format!("Bearer {token}");
        let mut sent = 0;
        while !self.stop.load(Ordering::Relaxed) {
            sent += 1;
            let key = format!("c{number}-{sent}");
            let headers = [
                ("authorization", bearer.as_str()),
                ("content-type", "application/json"),
                ("idempotency-key", key.as_str()),
            ];
            let order = r#"{"lines":[{"sku":"tea","quantity":1,"unit_price_minor":450}],
                            "currency":"EUR"}"#;
            let answer = match sent % 5 {
                0 => send("POST", gateway, "/v1/orders", &headers, order),
                _ => send("GET", gateway, "/v1/orders?limit=3", &headers[..1], ""),
            };
            match answer {
                // A card was declined, or a van was full.
                Ok(Answer { status: 200..=299 | 402 | 409, .. }) => {}
                Ok(Answer { status: 429, .. }) => std::thread::sleep(PACE * 10),
                other => self.wrong.lock().unwrap().push(format!("{key}: {other:?}")),
            }
            std::thread::sleep(PACE);
        }
    }
}

/// The replicas of a service that the book's Prometheus has figures of now.
fn scraped(site: &str, service: &str) -> Vec<String> {
    let query = format!("/prometheus/api/v1/query?query=up%7Bjob%3D%22{service}%22%7D");
    let found = get(site, &query).json();
    let series = found["data"]["result"].as_array().unwrap().iter();
    let up = series.filter(|series| series["value"][1] == "1");
    let mut names: Vec<_> =
        up.map(|series| series["metric"]["instance"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn replicas(book: &Path, service: &str) -> Vec<String> {
    let all = status(book).into_iter().filter(|replica| replica.name == service);
    all.map(|replica| replica.instance).collect()
}

fn site(up: &mut Up) -> String {
    up.until("Open").trim().rsplit("http://").next().unwrap().to_owned()
}

#[test]
fn replicas_share_the_traffic_are_scraped_and_go_without_a_failed_request() {
    let book = book();
    let mut up = Up::start(book.path(), &["--traffic=0", "--seed=3"]);
    let site = site(&mut up);
    let gateway = address(book.path(), "gateway-1");
    let tokens: Vec<_> = (0..3).map(|n| customer(&gateway, &format!("shopper{n}"))).collect();
    let customers = Customers { stop: AtomicBool::new(false), wrong: Mutex::default() };
    std::thread::scope(|scope| {
        for (number, token) in tokens.iter().enumerate() {
            let (customers, gateway) = (&customers, &gateway);
            scope.spawn(move || customers.shop(gateway, number, token));
        }
        let names = ["orders-1", "orders-2", "orders-3"];
        for service in ["orders", "catalog"] {
            let said = done(book.path(), &["scale", service, "3"]);
            let expected = format!("{service} runs as {service}-1, {service}-2, {service}-3\n");
            assert_eq!(said, expected);
        }
        let served = |name: &&str| {
            let count = "http_server_request_duration_seconds_count";
            metric(&address(book.path(), name), count, "/v1/orders") > 20.0
        };
        until("a share of the requests for each", || names.iter().all(served));
        until("the scrape of each", || scraped(&site, "orders") == names);
        done(book.path(), &["scale", "orders", "1"]);
        done(book.path(), &["scale", "catalog", "2"]);
        assert_eq!(replicas(book.path(), "orders"), ["orders-1"]);
        assert_eq!(replicas(book.path(), "catalog"), ["catalog-1", "catalog-2"]);
        until("the end of their scrapes", || scraped(&site, "orders") == ["orders-1"]);
        // The others go on, and somebody who comes back has his old name.
        assert_eq!(
            done(book.path(), &["scale", "orders", "2"]),
            "orders runs as orders-1, orders-2\n"
        );
        until("a share for who came back", || served(&"orders-2"));
        customers.stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(customers.wrong.into_inner().unwrap(), Vec::<String>::new());
    for service in ["orders-1", "orders-2", "catalog-2", "payments-1", "shipping-1"] {
        let report = get(&address(book.path(), service), "/invariants").json();
        assert_eq!(report["holds"], true, "{report}");
    }
    for (args, words) in [
        (["scale", "orders", "0"], "1 to 8"),
        (["scale", "orders", "9"], "1 to 8"),
        (["scale", "gateway", "2"], "runs once only: "),
    ] {
        let message = refused(book.path(), &args);
        assert!(message.contains(words), "{message}");
    }
    up.signal(Signal::INT);
    up.until("stopped; no process and no port is left");
    assert_eq!(up.child.wait().unwrap().code(), Some(0));
}

#[test]
fn faults_come_do_what_they_say_and_end() {
    let book = book();
    let mut up = Up::start(book.path(), &["--traffic=0"]);
    up.until("Open");
    let of = |name: &str| {
        let found = status(book.path()).into_iter().find(|replica| replica.instance == name);
        found.unwrap()
    };
    let lasting = || -> Value {
        serde_json::from_str(&done(book.path(), &["fault", "list", "--json"])).unwrap()
    };
    assert_eq!(done(book.path(), &["fault", "kill", "payments"]), "payments-1: killed\n");
    until("its restart", || {
        of("payments-1").restarts == 1 && of("payments-1").state == State::Ready
    });
    assert_eq!(of("payments-1").last_exit.as_deref(), Some("signal 9"));

    let stands_still = |name: &str| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", of(name).pid.unwrap())).unwrap();
        stat.rsplit(')').next().unwrap().trim_start().starts_with('T')
    };
    done(book.path(), &["fault", "pause", "catalog/1", "--for", "1s"]);
    assert_eq!(lasting()[0]["instance"], "catalog-1");
    assert!(stands_still("catalog-1"));
    until("the end of the pause", || !stands_still("catalog-1"));
    until("its end on the list", || lasting() == Value::Array(Vec::new()));

    let shipping = address(book.path(), "shipping-1");
    let ask = || get(&shipping, "/v1/shipments/00000000-0000-7000-8000-000000000000");
    let usual = ask().status;
    let injected = |kind: &str| metric(&shipping, "faults_injected_total", kind);
    assert_eq!((injected("latency"), injected("error")), (0.0, 0.0));
    done(book.path(), &["fault", "latency", "shipping", "--ms", "300", "--for", "1m"]);
    assert_eq!((ask().status, injected("latency")), (usual, 1.0));
    done(book.path(), &["fault", "error", "shipping/1", "--percent", "100", "--for", "1m"]);
    let failed = ask();
    assert_eq!((failed.status, injected("error")), (500, 1.0));
    assert!(failed.body.contains("fault-injected"), "{failed:?}");
    assert_eq!(lasting().as_array().unwrap().len(), 2);
    assert!(done(book.path(), &["fault", "clear", "shipping"]).contains("is healed"));
    assert_eq!((ask().status, injected("error")), (usual, 1.0));
    done(book.path(), &["fault", "error", "shipping", "--percent", "100", "--for", "500ms"]);
    until("its end by itself", || ask().status == usual);
    until("its end on the list", || lasting() == Value::Array(Vec::new()));
    // One that dies is healed by that.
    done(book.path(), &["fault", "error", "shipping", "--percent", "100", "--for", "1m"]);
    done(book.path(), &["fault", "kill", "shipping"]);
    until("its restart", || {
        of("shipping-1").restarts == 1 && of("shipping-1").state == State::Ready
    });
    assert_eq!((ask().status, lasting()), (usual, Value::Array(Vec::new())));
    let log = fs::read_to_string(book.path().join(".cloudscale/logs/shipping-1.log")).unwrap();
    assert!(log.contains("a fault was asked for"), "{log}");

    nobody_else_may(book.path(), &shipping);
    // Nothing outlives `up`, and who stands still does not hold it up.
    done(book.path(), &["fault", "pause", "orders", "--for", "1m"]);
    up.signal(Signal::INT);
    up.until("stopped; no process and no port is left");
    assert_eq!(up.child.wait().unwrap().code(), Some(0));
}

/// Only who may read the owner's files may change what runs, and no page in a browser.
fn nobody_else_may(book: &Path, shipping: &str) {
    let note: Value =
        serde_json::from_slice(&fs::read(book.join(".cloudscale/fleet.json")).unwrap()).unwrap();
    let fleet = note["fleet"].as_str().unwrap().trim_start_matches("http://").to_owned();
    let token = fs::read_to_string(book.join(".cloudscale/control-token")).unwrap();
    let bearer = format!("Bearer {token}");
    let (right, wrong) = (("authorization", bearer.as_str()), ("authorization", "Bearer x"));
    let (json, origin) = (("content-type", "application/json"), ("origin", "http://127.0.0.1"));
    let scale = r#"{"service":"orders","replicas":1}"#;
    let fault = r#"{"kind":"error","percent":100,"for_ms":60000}"#;
    let gateway = address(book, "gateway-1");
    let cases = [
        ("POST", fleet.as_str(), "/control/scale", scale, vec![json], 401),
        ("POST", &fleet, "/control/scale", scale, vec![json, wrong], 401),
        ("POST", &fleet, "/control/scale", scale, vec![json, right, origin], 403),
        ("POST", &fleet, "/control/scale", scale, vec![json, right], 200),
        ("GET", &fleet, "/control/faults", "", vec![], 401),
        ("PUT", shipping, "/internal/faults", fault, vec![json], 401),
        ("PUT", shipping, "/internal/faults", fault, vec![json, wrong], 401),
        ("PUT", shipping, "/internal/faults", fault, vec![json, right, origin], 403),
        ("PUT", shipping, "/internal/faults", r#"{"kind":"no"}"#, vec![json, right], 422),
        ("PUT", &gateway, "/internal/faults", fault, vec![json], 401),
    ];
    for (method, to, path, body, headers, expected) in cases {
        let answer = send(method, to, path, &headers, body).unwrap();
        assert_eq!(answer.status, expected, "{method} {path} {headers:?}: {answer:?}");
    }
    for (args, words) in [
        (vec!["fault", "kill", "nobody"], "there are auth/1, "),
        (vec!["fault", "kill", "orders/7"], "no service or replica is called `orders/7`"),
        (vec!["fault", "pause", "orders", "--for", "5m"], "--for 60s"),
        (vec!["fault", "error", "traffic"], "no service or replica"),
    ] {
        let message = refused(book, &args);
        assert!(message.contains(words), "{message}");
    }
}
