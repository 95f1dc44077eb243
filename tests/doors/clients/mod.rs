//! Clients that others wrote: what their SDKs send is read back at every door, and what their query tools read is right.
//!
//! The data is the same in each language (`tests/clients/*/send.*`, `rust.rs`).

mod ask;
mod rust;

use rust::Speech;
use serde::Deserialize;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;
use tests::{Program, binary, client, free_port, get, run_to_end, within};

const SOON: Duration = Duration::from_secs(60);

/// The ids of what was sent.
#[derive(Debug, Clone, Deserialize)]
struct Sent {
    trace: String,
    server: String,
    client: String,
}

/// A server with ports for OTLP.
struct Served {
    url: String,
    grpc: String,
    http: String,
    _program: Program,
}

impl Served {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("index.md"), "# Shop\n").unwrap();
        let [site, grpc, http] = [free_port(), free_port(), free_port()];
        let mut command = Command::new(binary("loggia"));
        command.arg("serve").arg(dir.path()).arg("--no-watch");
        for (option, port) in
            [("--port", site), ("--otlp-grpc-port", grpc), ("--otlp-http-port", http)]
        {
            command.arg(option).arg(port.to_string());
        }
        let mut program = Program::start(&mut command).unwrap();
        program.wait_for("Ctrl-C", SOON).unwrap();
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        Self { url: at(site), grpc: at(grpc), http: at(http), _program: program }
    }

    fn text(&self, path: &str) -> String {
        let answer = get(&format!("{}{path}", self.url)).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path)).unwrap()
    }

    /// The numbers that a query finds, by the value of one label.
    fn numbers(&self, query: &str, label: &str) -> Vec<(String, f64)> {
        let query: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = self.json(&format!("/prometheus/api/v1/query?query={query}"));
        let list = answer["data"]["result"].as_array().unwrap();
        let one = |sample: &Value| {
            let name = sample["metric"][label].as_str().unwrap_or_default().to_owned();
            (name, sample["value"][1].as_str().unwrap().parse().unwrap())
        };
        let mut numbers: Vec<_> = list.iter().map(one).collect();
        numbers.sort_by(|a: &(String, f64), b| a.0.cmp(&b.0));
        numbers
    }

    /// Sends with a script of another language.
    fn send(&self, script: &str, speech: &str, service: &str) -> Option<Sent> {
        let endpoint = if speech == "grpc" { &self.grpc } else { &self.http };
        let output = run_to_end(client(script)?.args([speech, endpoint, service]));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script} {speech}: {said}");
        // An exporter that is refused says so there and carries on.
        assert!(
            !["Failed to export", "Transient error", "ExportError"]
                .iter()
                .any(|word| said.contains(word)),
            "{script} {speech}: {said}"
        );
        Some(serde_json::from_slice(&output.stdout).unwrap())
    }
}

/// What was sent under a service's name is at every door as it was sent.
fn check(served: &Served, service: &str, sent: &Sent, has_exemplars: bool) {
    check_trace(served, service, sent);
    check_log(served, service, sent);
    check_metrics(served, service);
    check_exemplars(served, service, sent, has_exemplars);
}

fn check_trace(served: &Served, service: &str, sent: &Sent) {
    let found = served.json(&format!("/api/live/traces?service={service}&to=&errors=on"));
    let ids: Vec<&Value> =
        found["traces"].as_array().unwrap().iter().map(|trace| &trace["id"]).collect();
    assert_eq!(ids, [&json!(sent.trace)], "{service}");
    let trace = served.json(&format!("/api/live/traces/{}", sent.trace));
    let spans = [&trace["rows"][0]["span"], &trace["rows"][1]["span"]];
    let plain = |span: &Value| {
        let mut attributes = span["attributes"].as_array().unwrap().clone();
        attributes.sort_by_key(|attribute| attribute["key"].to_string());
        let events = span["events"].as_array().unwrap().iter();
        let events: Vec<_> =
            events.map(|event| json!([event["name"], event["attributes"]])).collect();
        let links = span["links"].as_array().unwrap().iter();
        let links: Vec<_> = links.map(|link| json!([link["trace_id"], link["span_id"]])).collect();
        json!([
            span["span_id"],
            span["parent_id"],
            span["name"],
            span["kind"],
            span["status"],
            attributes,
            events,
            links
        ])
    };
    assert_eq!(
        spans.map(plain),
        [
            json!([sent.server, null, "POST /checkout", "server",
                {"code": "error", "message": "no money"},
                [{"key": "cart.total", "value": 12.5}, {"key": "http.request.method", "value": "POST"},
                    {"key": "http.response.status_code", "value": 500}, {"key": "vip", "value": true}],
                [["card refused", [{"key": "reason", "value": "limit"}]]],
                [["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"]]]),
            json!([sent.client, sent.server, "charge", "client", {"code": "unset"},
                [{"key": "server.address", "value": "bank"}], [], []]),
        ],
        "{service}"
    );
    for span in spans {
        let resource = &span["resource"];
        let who = [&resource["service"], &resource["instance"], &resource["version"]];
        assert_eq!(who, [service, "one", "1.2.3"]);
        assert_eq!([&span["scope"]["name"], &span["scope"]["version"]], ["shop", "7"]);
        assert!(span["end_ns"].as_i64() >= span["start_ns"].as_i64());
    }
    let page = served.text(&format!("/live/traces/{}", sent.trace));
    for words in ["POST /checkout", "charge", "card refused", "no money", "card 4711 refused"] {
        assert!(page.contains(words), "{service}: no `{words}` on the page of the trace");
    }
}

fn check_log(served: &Served, service: &str, sent: &Sent) {
    let found = served.json(&format!("/api/live/logs?service={service}&q=4711"));
    let records = found["logs"].as_array().unwrap();
    assert_eq!(records.len(), 1, "{service}: {found}");
    let record = &records[0];
    assert_eq!(record["body"], "card 4711 refused");
    assert_eq!([&record["trace_id"], &record["span_id"]], [&sent.trace, &sent.client]);
    let words = record.to_string();
    for part in ["/checkout", "http.route", "ERROR"] {
        assert!(words.contains(part), "{service}: no `{part}` in {words}");
    }
    assert!(served.text("/live/logs?q=4711&severity=error").contains(service));
}

fn check_metrics(served: &Served, service: &str) {
    let who = format!("job=\"{service}\",instance=\"one\"");
    let named = |list: &[(&str, f64)]| -> Vec<(String, f64)> {
        list.iter().map(|(name, v)| ((*name).to_owned(), *v)).collect()
    };
    for (query, label, expected) in [
        (format!("shop_orders_total{{{who}}}"), "page", &[("cart", 4.0), ("home", 3.0)][..]),
        (format!("shop_queue{{{who}}}"), "", &[("", 3.0)]),
        (format!("shop_heat_celsius{{{who}}}"), "", &[("", 21.5)]),
        (
            format!("shop_wait_seconds_bucket{{{who},route=\"/checkout\"}}"),
            "le",
            &[("+Inf", 4.0), ("0.1", 1.0), ("0.5", 3.0), ("1", 3.0)],
        ),
        (format!("shop_wait_seconds_sum{{{who}}}"), "", &[("", 2.65)]),
        (format!("shop_wait_seconds_count{{{who}}}"), "", &[("", 4.0)]),
        (format!("target_info{{{who}}}"), "service_version", &[("1.2.3", 1.0)]),
    ] {
        assert_eq!(served.numbers(&query, label), named(expected), "{query}");
    }
    let metadata = served.json("/prometheus/api/v1/metadata?metric=shop_orders_total");
    let expected = json!([{"type": "counter", "help": "Orders taken.", "unit": ""}]);
    assert_eq!(metadata["data"]["shop_orders_total"], expected);
    within("the service is listed", SOON, || served.text("/live/services").contains(service));
}

fn check_exemplars(served: &Served, service: &str, sent: &Sent, has_exemplars: bool) {
    let path = format!(
        "/prometheus/api/v1/query_exemplars?query=shop_wait_seconds_bucket%7Bjob%3D%22{service}%22%7D"
    );
    let found = served.json(&path);
    let mut exemplars = Vec::new();
    for series in found["data"].as_array().unwrap() {
        for exemplar in series["exemplars"].as_array().unwrap() {
            let (le, labels) = (&series["seriesLabels"]["le"], &exemplar["labels"]);
            assert_eq!([&labels["trace_id"], &labels["span_id"]], [&sent.trace, &sent.server]);
            exemplars.push(format!(
                "{} {}",
                le.as_str().unwrap(),
                exemplar["value"].as_str().unwrap()
            ));
        }
    }
    exemplars.sort();
    if has_exemplars {
        assert_eq!(exemplars, ["+Inf 2", "0.1 0.05", "0.5 0.3"], "{service}");
    } else {
        // A version that begins to send them should be tried with them.
        assert_eq!(exemplars, [""; 0], "{service} sends exemplars now: expect them");
    }
}

#[test]
fn what_the_sdk_of_python_sends_is_read_back() {
    let served = Served::start();
    for speech in ["grpc", "http"] {
        let service = format!("python-{speech}");
        let Some(sent) = served.send("python/send.py", speech, &service) else { return };
        check(&served, &service, &sent, true);
    }
}

#[test]
fn what_the_sdk_of_node_sends_is_read_back() {
    let served = Served::start();
    for speech in ["grpc", "proto", "json"] {
        let service = format!("node-{speech}");
        let Some(sent) = served.send("node/send.mjs", speech, &service) else { return };
        check(&served, &service, &sent, false);
    }
}

#[test]
fn what_the_sdk_of_rust_sends_is_read_back() {
    let served = Served::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    for (name, speech) in
        [("grpc", Speech::Grpc), ("protobuf", Speech::Protobuf), ("json", Speech::Json)]
    {
        let service = format!("rust-{name}");
        let endpoint = if name == "grpc" { &served.grpc } else { &served.http };
        let sent = rust::send(speech, endpoint, &service);
        check(&served, &service, &sent, false);
    }
}
