//! `cloudscale up`: everything of it, as a new user meets it. One test, because all of its steps look
//! at the same running system.

use crate::browser;
use rustix::process::Signal;
use serde_json::Value;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::{Program, binary, free_port, get, repository, run_to_end, send, until, within};

/// Start, traffic and the first window of rates together take seconds; this is the bound.
const SOON: Duration = Duration::from_secs(30);

struct Up {
    program: Program,
    ports: [u16; 4],
    data: tempfile::TempDir,
}

impl Up {
    fn start() -> Self {
        let ports = [free_port(), free_port(), free_port(), free_port()];
        let data = tempfile::tempdir().unwrap();
        let mut program = Program::start(&mut command(&ports, data.path())).unwrap();
        program.wait_for("Ctrl-C", SOON).unwrap();
        Self { program, ports, data }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    fn gateway(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    /// `cloudscale status --json`.
    fn status(&self) -> Vec<Value> {
        let output = run_to_end(
            Command::new(binary("cloudscale"))
                .args(["status", "--json", "--data-dir"])
                .arg(self.data.path()),
        );
        let words = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).expect(&words)
    }

    fn pid(&self, service: &str) -> u64 {
        let status = self.status();
        let process = status.iter().find(|process| process["name"] == service);
        process.and_then(|process| process["pid"].as_u64()).expect("the service has a process")
    }
}

fn command(ports: &[u16; 4], data: &Path) -> Command {
    let mut command = Command::new(binary("cloudscale"));
    command.arg("up").arg("--data-dir").arg(data).current_dir(repository()).env("NO_COLOR", "1");
    for (option, port) in
        ["--port", "--gateway-port", "--otlp-grpc-port", "--otlp-http-port"].iter().zip(ports)
    {
        command.arg(option).arg(port.to_string());
    }
    command
}

/// Draws less than happens: that the gateway asks payments too is left out.
const DRAWN: &str = "# Shop\n\n```mermaid\ngraph LR\n    gateway --> orders\n    \
                     orders --> payments\n```\n";
const DRAWN_TOML: &str = "[book]\nsrc = \"src\"\n[output.loggia.services.gateway]\n\
                          [output.loggia.services.orders]\n[output.loggia.services.payments]\n";

/// No traffic but the browser script's own, so that the undocumented call happens when it says so.
#[test]
fn an_undocumented_call_of_cloudscale_is_seen_and_mended() {
    if !browser::is_there() {
        return;
    }
    let book = tempfile::tempdir().unwrap();
    let file = book.path().join("src/index.md");
    std::fs::create_dir(book.path().join("src")).unwrap();
    std::fs::write(book.path().join("book.toml"), DRAWN_TOML).unwrap();
    std::fs::write(&file, DRAWN).unwrap();
    let ports = [free_port(), free_port(), free_port(), free_port()];
    let data = tempfile::tempdir().unwrap();
    let mut command = command(&ports, data.path());
    command.args(["--traffic", "0", "--book"]).arg(book.path());
    let mut program = Program::start(&mut command).unwrap();
    program.wait_for("Ctrl-C", SOON).unwrap();
    let [site, gateway] = [0, 1].map(|at: usize| format!("http://127.0.0.1:{}", ports[at]));
    browser::run("drift.mjs", &[&format!("{site}/"), &gateway, file.to_str().unwrap()]);
    assert_eq!(program.stop(Signal::INT).unwrap(), Some(0), "{}", program.printed());
}

#[test]
fn one_command_shows_cloudscale_live() {
    let mut up = Up::start();
    let url = up.url();

    the_page_has_figures(&url);
    the_gateway_answers(&up.gateway());
    one_trace_crosses_the_services(&url);
    the_services_tell_what_they_do(&url);
    taken_ports_and_folders_are_named(&up);
    if browser::is_there() {
        browser::run("walk.mjs", &[&url]);
        browser::run("without-script.mjs", &[&url]);
        browser::run("crash.mjs", &[&url, &up.pid("payments").to_string()]);
    }
    garbage_does_not_hurt(&up);

    let children: Vec<u64> =
        up.status().iter().filter_map(|process| process["pid"].as_u64()).collect();
    assert!(children.len() >= 4, "{children:?}");
    assert_eq!(up.program.stop(Signal::INT).unwrap(), Some(0), "{}", up.program.printed());
    for pid in children {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "process {pid} is left");
    }
    for port in up.ports {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "port {port} is left");
    }
    assert!(!up.program.printed().contains("panicked"), "{}", up.program.printed());
}

fn snapshot(url: &str) -> Value {
    get(&format!("{url}/api/live/snapshot?page=index")).unwrap().json().unwrap()
}

fn the_page_has_figures(url: &str) {
    for service in ["gateway", "auth", "orders", "payments", "catalog", "shipping"] {
        within(&format!("{service} is healthy with a rate"), SOON, || {
            let cells = &snapshot(url)["cells"];
            cells[format!("svc.{service}.health")]["s"] == "healthy"
                && cells[format!("svc.{service}.rate")]["t"]
                    .as_str()
                    .is_some_and(|t| t.contains("/s"))
        });
    }
    // What the server sends first holds the figures already.
    let html = get(&format!("{url}/")).unwrap().text();
    assert!(html.contains("data-cell=\"kpi.response-time.value\""));
    // The last of them come when the carrier has fetched and brought the first orders.
    within("every drawn call between services is seen", 2 * SOON, || {
        let page = &snapshot(url)["page"];
        let edges = page["diagrams"][0]["edges"].as_object().cloned().unwrap_or_default();
        edges.len() >= 18 && edges.values().all(|edge| edge["state"] == "confirmed")
    });
}

fn the_gateway_answers(gateway: &str) {
    let json = ("content-type", "application/json");
    for (method, path, headers, body, status) in [
        ("GET", "/health/ready", &[][..], &b""[..], 200),
        ("GET", "/v1/orders", &[], b"", 401),
        ("GET", "/v1/orders", &[("authorization", "Bearer nonsense")], b"", 401),
        ("GET", "/v1/nowhere", &[], b"", 404),
        ("POST", "/v1/login", &[json], b"not json", 400),
    ] {
        let answer = send(method, &format!("{gateway}{path}"), headers, body).unwrap();
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    }
}

/// Log records reach the site with the trace in which they were written.
fn the_services_tell_what_they_do(url: &str) {
    for (service, words) in [
        ("gateway", "a request was answered"),
        ("orders", "an order has come to its end"),
        ("payments", "a payment has moved on"),
    ] {
        within(&format!("`{words}` of {service} is read, with its trace"), SOON, || {
            let page = get(&format!("{url}/live/logs?service={service}")).unwrap().text();
            page.contains(words) && page.contains("/live/traces/")
        });
    }
}

fn one_trace_crosses_the_services(url: &str) {
    let names = |trace: &Value| -> Vec<String> {
        let services = trace["services"].as_array().into_iter().flatten();
        services.filter_map(|one| one["service"].as_str().map(str::to_owned)).collect()
    };
    // Each service sends its spans when it is ready to; an order may also be taken up again in a trace of its own.
    let id = until("a whole, connected trace over gateway, orders and payments", SOON, || {
        let found = format!("{url}/api/live/traces?service=payments&limit=100");
        let found = get(&found).ok()?.json().ok()?;
        let mut crossing = found["traces"].as_array()?.iter().filter(|trace| {
            let names = names(trace);
            ["gateway", "orders", "payments"].iter().all(|name| names.iter().any(|n| n == name))
        });
        let is_whole = |id: &str| {
            let trace = get(&format!("{url}/api/live/traces/{id}")).ok()?.json().ok()?;
            let spans = trace["rows"].to_string();
            let all = ["db.system.name", "http.route", "payment-provider"];
            (trace["missing_parents"] == 0 && all.iter().all(|words| spans.contains(words)))
                .then(|| id.to_owned())
        };
        crossing.find_map(|trace| is_whole(trace["id"].as_str()?))
    });
    let html = get(&format!("{url}/live/traces/{id}")).unwrap();
    assert_eq!(html.status, 200);
}

fn taken_ports_and_folders_are_named(up: &Up) {
    let free = || [free_port(), free_port(), free_port(), free_port()];
    for (index, option) in
        ["--port", "--gateway-port", "--otlp-grpc-port", "--otlp-http-port"].iter().enumerate()
    {
        let mut ports = free();
        ports[index] = up.ports[index];
        let other = tempfile::tempdir().unwrap();
        let output = run_to_end(&mut command(&ports, other.path()));
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(words.contains(&up.ports[index].to_string()) && words.contains(option), "{words}");
    }
    let output = run_to_end(&mut command(&free(), up.data.path()));
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("--data-dir"), "{words}");
}

fn garbage_does_not_hurt(up: &Up) {
    let port = up.ports[3];
    let header = [("content-type", "application/x-protobuf")];
    let answer =
        send("POST", &format!("http://127.0.0.1:{port}/v1/traces"), &header, b"\xff\xff\xff")
            .unwrap();
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    assert_eq!(get(&format!("{}/healthz", up.url())).unwrap().status, 200);
}
