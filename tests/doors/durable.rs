//! Telemetry in a data folder: what `loggia serve` took is there after `kill -9`, where the folder is, and what is said when
//! it cannot be used.

use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::{Program, binary, free_port, get, run_to_end, send, within};

const SOON: Duration = Duration::from_secs(60);
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PAGE: &str = "# Shop\n\n```kpi-grid\n[{\"label\": \"Orders\", \"value\": \"< 100\", \
                    \"query\": \"shop_orders\"}]\n```\n";

struct Served {
    program: Program,
    url: String,
}

/// Starts a server by a command to which its ports are added.
fn start(command: &mut Command, ready: &str) -> Served {
    let port = free_port();
    command.args(["--port", &port.to_string(), "--otlp-grpc-port", "0", "--otlp-http-port", "0"]);
    let mut program = Program::start(command).unwrap();
    program.wait_for(ready, SOON).unwrap();
    Served { program, url: format!("http://127.0.0.1:{port}") }
}

fn serve(book: &Path, more: &[&str]) -> Served {
    start(Command::new(binary("loggia")).arg("serve").arg(book).args(more), "Ctrl-C")
}

impl Served {
    fn text(&self, path: &str) -> String {
        get(&format!("{}{path}", self.url)).unwrap().text()
    }

    fn json(&self, path: &str) -> serde_json::Value {
        get(&format!("{}{path}", self.url)).unwrap().json().unwrap()
    }

    fn post(&self, kind: &str, body: &serde_json::Value) -> serde_json::Value {
        let headers = [("content-type", "application/json")];
        let url = format!("{}/otlp/v1/{kind}", self.url);
        let answer = send("POST", &url, &headers, body.to_string().as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json().unwrap()
    }

    fn kill(&mut self) {
        self.program.stop(Signal::KILL).unwrap();
    }
}

fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn now_ns() -> String {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().to_string()
}

fn book(toml: Option<&str>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.md"), PAGE).unwrap();
    if let Some(toml) = toml {
        let toml = format!("[book]\nsrc = \".\"\n[output.loggia]\n{toml}\n");
        fs::write(dir.path().join("book.toml"), toml).unwrap();
    }
    dir
}

/// Answers every request with the same Prometheus text until the test ends.
fn scraped(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{text}",
                text.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

fn resource() -> serde_json::Value {
    json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]})
}

fn send_everything(served: &Served) {
    let now = now_ns();
    let span = |id: &str, parent: &str, name: &str| {
        json!({"traceId": TRACE, "spanId": id, "parentSpanId": parent, "name": name, "kind": 2,
            "startTimeUnixNano": now, "endTimeUnixNano": now})
    };
    let spans =
        [span("00f067aa0ba902b7", "", "buy"), span("00f067aa0ba902b8", "00f067aa0ba902b7", "pay")];
    served.post(
        "traces",
        &json!({"resourceSpans": [{"resource": resource(), "scopeSpans": [{"spans": spans}]}]}),
    );
    served.post(
        "logs",
        &json!({"resourceLogs": [{"resource": resource(), "scopeLogs": [{"logRecords": [
        {"timeUnixNano": now, "severityNumber": 17, "traceId": TRACE, "spanId": "00f067aa0ba902b8",
         "body": {"stringValue": "the card was refused"}}]}]}]}),
    );
    let point = json!({"asDouble": 42.0, "timeUnixNano": now});
    served.post(
        "metrics",
        &json!({"resourceMetrics": [{"resource": resource(), "scopeMetrics": [
        {"metrics": [{"name": "shop_orders", "gauge": {"dataPoints": [point]}}]}]}]}),
    );
}

/// What the server answers about the past: instants, ranges, the series, the trace and a search.
fn answers(served: &Served, at: f64) -> Vec<serde_json::Value> {
    let (from, to) = (at - 60.0, at + 1.0);
    let range = |query: &str| {
        format!("/prometheus/api/v1/query_range?query={query}&start={from}&end={to}&step=1")
    };
    vec![
        served.json(&format!("/prometheus/api/v1/query?query=shop_orders&time={at}")),
        served.json(&format!("/prometheus/api/v1/query?query=shop_visits_total&time={at}")),
        served.json(&range("shop_visits_total")),
        served.json(&range("up")),
        served.json(&format!(
            "/prometheus/api/v1/series?match[]=shop_visits_total&start={from}&end={to}"
        )),
        served.json(&format!("/api/live/traces/{TRACE}")),
        served.json("/api/live/traces?service=shop"),
        served.json("/api/live/logs?q=card"),
    ]
}

#[test]
fn what_was_taken_is_there_after_kill_9() {
    let (book, data) = (book(None), tempfile::tempdir().unwrap());
    let target = scraped("# TYPE shop_visits_total counter\nshop_visits_total{page=\"home\"} 7\n");
    let folder = data.path().to_str().unwrap();
    let scrape = format!("shop={target}");
    let mut first = serve(book.path(), &["--data-dir", folder, "--scrape", &scrape]);
    within("the target is scraped", SOON, || {
        first.text("/prometheus/api/v1/query?query=shop_visits_total").contains("\"7\"")
    });
    send_everything(&first);
    let at = now_s();
    let before = answers(&first, at);
    for part in &before {
        let words = part.to_string();
        assert!(words.contains("shop"), "an empty answer: {words}");
    }
    first.kill();

    // Nothing is scraped now: all of it comes from the folder.
    let second = serve(book.path(), &["--data-dir", folder]);
    assert_eq!(answers(&second, at), before);
    within("the figure is on the page", SOON, || {
        second.json("/api/live/claims")["claims"][0].to_string().contains("42")
    });
    let metrics = second.text("/metrics");
    for line in ["loggia_disk_errors_total 0", "loggia_disk_unreadable_total 0"] {
        assert!(metrics.contains(line), "{metrics}");
    }
    assert_eq!(second.text("/readyz"), "ready\n");
}

#[test]
fn the_folder_is_where_it_was_asked_for() {
    let elsewhere = tempfile::tempdir().unwrap();
    let named = elsewhere.path().join("named");
    let named = named.to_str().unwrap();
    let toml = format!("data-dir = \"{named}\"\nretention = \"3d\"");
    // What stands in book.toml, what is typed, what the server says, which folder it uses.
    for (toml, typed, said, folder) in [
        (None, &[][..], "telemetry in memory only", None),
        (Some(""), &[], "15 d or 2000 MB in ", Some(".loggia")),
        (Some(""), &["--in-memory"], "telemetry in memory only", None),
        (Some("data-dir = false"), &[], "telemetry in memory only", None),
        (Some("data-dir = \"kept\""), &["--retention", "36h"], "36 h or 2000 MB in ", Some("kept")),
        (Some(&*toml), &["--retention-size", "1GB"], "3 d or 1000 MB in ", Some(named)),
        (Some("data-dir = false"), &["--data-dir", named], "15 d or 2000 MB in ", Some(named)),
        (None, &["--data-dir", named], "15 d or 2000 MB in ", Some(named)),
    ] {
        let case = format!("{toml:?} {typed:?}");
        let book = book(toml);
        let served = serve(book.path(), typed);
        assert!(served.program.printed().contains(said), "{case}: {}", served.program.printed());
        let used = folder.map(|folder| book.path().join(folder).join("telemetry/store"));
        assert!(used.is_none_or(|folder| folder.is_dir()), "{case}");
        let hidden = book.path().join(".loggia");
        assert_eq!(hidden.exists(), folder == Some(".loggia"), "{case}");
        if hidden.exists() {
            assert_eq!(fs::read_to_string(hidden.join(".gitignore")).unwrap(), "*\n");
        }
    }
    let help = run_to_end(Command::new(binary("loggia")).args(["serve", "--help"]));
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for words in
        ["--data-dir <DIR>", "--in-memory", "--retention <TIME>", "--retention-size <SIZE>"]
    {
        assert!(help.contains(words), "{help}");
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_refused_in_words() {
    let book = book(Some(""));
    let first = serve(book.path(), &[]);
    // Nobody named the folder, so the second does without it.
    let second = serve(book.path(), &[]);
    for words in ["another process uses the telemetry", "telemetry is kept in memory only"] {
        assert!(second.program.printed().contains(words), "{}", second.program.printed());
    }
    let data = book.path().join(".loggia");
    let file = book.path().join("index.md");
    for (folder, words) in [(&data, "another process uses"), (&file, "cannot be opened")] {
        let mut command = Command::new(binary("loggia"));
        command.arg("serve").arg(book.path()).arg("--data-dir").arg(folder);
        let refused = run_to_end(command.args([
            "--port",
            "0",
            "--otlp-grpc-port",
            "0",
            "--otlp-http-port",
            "0",
        ]));
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success(), "{said}");
        assert!(
            said.contains(words) && said.contains("help:") && said.contains("--data-dir"),
            "{said}"
        );
    }
    drop((first, second));
}

fn send_much(served: &Served, number: u64) -> serde_json::Value {
    // Text that does not compress to nothing.
    let noise: String = (0..40_000_u64)
        .map(|n| format!("{:x}", n.wrapping_mul(number * 2_654_435_761 + 97) % 1_000_003))
        .collect();
    served.post(
        "logs",
        &json!({"resourceLogs": [{"resource": resource(), "scopeLogs": [{"logRecords": [
        {"timeUnixNano": now_ns(), "body": {"stringValue": noise}}]}]}]}),
    )
}

/// The server lives, says why nothing is written, and still answers.
fn check_memory_only(served: &Served, words: &str) {
    let ready = served.text("/readyz");
    assert!(ready.starts_with("ready\ndegraded: ") && ready.contains(words), "{ready}");
    send_everything(served);
    let count = served.json("/prometheus/api/v1/query?query=shop_orders");
    assert!(count.to_string().contains("\"42\""), "{count}");
    assert!(!served.text("/metrics").contains("loggia_disk_errors_total 0\n"));
    let answer = send_much(served, 1_000);
    assert!(answer.to_string().contains("memory only"), "{answer}");
}

#[test]
fn a_write_that_fails_is_said_and_the_server_lives() {
    let (book, data) = (book(None), tempfile::tempdir().unwrap());
    let folder = data.path().to_str().unwrap();
    serve(book.path(), &["--data-dir", folder]).program.stop(Signal::TERM).unwrap();
    // No file may grow beyond 2,048 blocks of 512 bytes; the signal that says so is ignored, so the write fails.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$@\"", "sh"]);
    command.arg(binary("loggia")).arg("serve").arg(book.path()).args(["--data-dir", folder]);
    let mut served = start(&mut command, "Ctrl-C");
    let warned = (1..30).any(|number| send_much(&served, number).get("partialSuccess").is_some());
    assert!(warned, "30 messages of 200 KB fit into 1 MB");
    check_memory_only(&served, "fails");
    assert!(served.program.printed().contains("help: make room or mend the folder"));
    served.kill();
    let again = serve(book.path(), &["--data-dir", folder]);
    assert_eq!(again.text("/readyz"), "ready\n", "{}", again.program.printed());
}

#[test]
fn writing_goes_on_when_a_full_disk_has_room_again() {
    let book = book(None);
    let mount = "mount -t tmpfs -o size=160m tmpfs \"$0\" && exec \"$@\"";
    let disk = tempfile::tempdir().unwrap();
    let isolated = |then: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", then]).arg(disk.path());
        command
    };
    if !isolated("mount -t tmpfs tmpfs \"$0\"").status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: a small disk for the test cannot be mounted here (unshare)");
        return;
    }
    let mut command = isolated(mount);
    command.arg(binary("loggia")).arg("serve").arg(book.path()).arg("--data-dir").arg(disk.path());
    let served = start(&mut command, "Ctrl-C");
    assert_eq!(served.text("/readyz"), "ready\n", "{}", served.program.printed());
    // The mount is seen through the process that has it.
    let inside = format!("/proc/{}/root{}/filler", served.program.pid(), disk.path().display());
    fs::write(&inside, vec![1; 110_000_000]).unwrap();
    within("it says that there is no room", SOON, || served.text("/readyz").contains("MiB free"));
    check_memory_only(&served, "memory only");
    fs::remove_file(&inside).unwrap();
    within("it writes again", SOON, || served.text("/readyz") == "ready\n");
    let answer = send_much(&served, 2_000);
    assert!(answer.get("partialSuccess").is_none(), "{answer}");
}
