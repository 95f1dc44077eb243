//! Drift and claims of a running `loggia serve`, fed over OTLP: the page, the JSON, and the exit code of
//! `loggia check --live`.

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::{binary, free_port, get, run_to_end, send, serve, within};

const SOON: Duration = Duration::from_secs(30);
const TOML: &str = "[book]\nsrc = \".\"\n[output.loggia]\n[output.loggia.services.gateway]\n\
                    [output.loggia.services.orders]\n[output.loggia.services.payments]\n";
const PAGE: &str = "# Shop\n\n```mermaid\ngraph LR\n  gateway[Gateway] --> orders[Orders]\n  \
                    gateway --> payments[Payments]\n```\n\n```kpi-grid\n\
                    [{\"label\": \"Lanes\", \"value\": \"< 5\", \"query\": \"vector(3)\"}]\n```\n";

/// `loggia check --live`, judging what the server has seen so far.
fn check(dir: &Path, url: &str, more: &[&str]) -> Output {
    let mut command = Command::new(binary("loggia"));
    command.args(["check", ".", "--observe", "0", "--live", url]).args(more);
    run_to_end(command.current_dir(dir).env("NO_COLOR", "1"))
}

fn words(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    texts.concat()
}

/// One trace: the calls of a chain of services, each through a client span to a server span.
fn trace(number: u64, chain: &[&str]) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let span = |id: u64, parent: u64, kind: u64| {
        json!({
            "traceId": format!("{number:032x}"),
            "spanId": format!("{id:016x}"),
            "parentSpanId": if parent == 0 { String::new() } else { format!("{parent:016x}") },
            "name": "call",
            "kind": kind,
            "startTimeUnixNano": now.to_string(),
            "endTimeUnixNano": (now + 2_000_000).to_string(),
        })
    };
    let services = chain.iter().enumerate().map(|(at, service)| {
        let (server, client) = (2 * at as u64 + 1, 2 * at as u64 + 2);
        let mut spans = vec![span(server, server - 1, 2)];
        if at + 1 < chain.len() {
            spans.push(span(client, server, 3));
        }
        json!({
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"spans": spans}],
        })
    });
    json!({ "resourceSpans": services.collect::<Vec<_>>() })
}

fn feed(url: &str, numbers: std::ops::Range<u64>, chain: &[&str]) {
    for number in numbers {
        let body = serde_json::to_vec(&trace(number, chain)).unwrap();
        let json = [("content-type", "application/json")];
        let answer = send("POST", &format!("{url}/otlp/v1/traces"), &json, &body).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

fn drift(url: &str) -> Value {
    get(&format!("{url}/api/live/drift")).unwrap().json().unwrap()["drift"].take()
}

fn book(page: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("book.toml"), TOML).unwrap();
    fs::write(dir.path().join("index.md"), page).unwrap();
    dir
}

#[test]
fn an_undocumented_call_shows_fails_the_check_and_is_mended() {
    let dir = book(PAGE);
    let (_program, url) = serve(dir.path());
    feed(&url, 1..10, &["gateway", "orders"]);
    feed(&url, 10..20, &["gateway", "payments"]);
    within("both drawn edges are confirmed", SOON, || drift(&url)["conformance"] == 1.0);
    let clean = check(dir.path(), &url, &[]);
    assert_eq!(clean.status.code(), Some(0), "{}", words(&clean));
    assert!(
        words(&clean).contains("100.0 % of the drawn edges are confirmed"),
        "{}",
        words(&clean)
    );

    feed(&url, 20..23, &["gateway", "orders", "payments"]);
    let diagram = || drift(&url)["pages"][0]["diagrams"][0].clone();
    within("the call is noticed", SOON, || diagram()["undocumented"][0]["seen"]["calls"] == 3);
    assert_eq!(diagram()["mend"], json!(["orders --> payments"]));
    let page = get(&format!("{url}/live/drift")).unwrap().text();
    let example = format!("live/traces/{:032x}", 22);
    for expected in ["not drawn", "orders --&#62; payments", "index.html#figure-0", &example] {
        assert!(page.contains(expected), "no `{expected}` in {page}");
    }
    let figure = get(&format!("{url}/")).unwrap().text();
    assert!(figure.contains("href=\"/live/drift#index.figure-0\""), "{figure}");

    let found = check(dir.path(), &url, &["--format", "json"]);
    assert_eq!(found.status.code(), Some(1), "{}", words(&found));
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    let places: Vec<_> =
        found.as_array().unwrap().iter().map(|f| (&f["code"], &f["line"])).collect();
    assert_eq!(places, [(&json!("L021"), &json!(4))], "{found}");
    assert!(found[0]["help"].as_str().unwrap().contains("`orders --> payments`"), "{found}");

    let mended =
        PAGE.replace("payments[Payments]\n", "payments[Payments]\n  orders --> payments\n");
    fs::write(dir.path().join("index.md"), mended).unwrap();
    within("the mended diagram is judged", SOON, || diagram()["judged"] == 3);
    assert_eq!(check(dir.path(), &url, &[]).status.code(), Some(0));
}

#[test]
fn what_is_never_seen_and_what_is_violated_fail_the_check() {
    let dir = book(&PAGE.replace("< 5", "< 2"));
    let (_program, url) = serve(dir.path());
    feed(&url, 1..12, &["gateway", "orders"]);
    within("a drawn edge is confirmed", SOON, || drift(&url)["conformance"] == 0.5);
    within("all traces are counted", SOON, || drift(&url)["observation"]["traces"] == 11);
    let claims = get(&format!("{url}/api/live/claims")).unwrap().json().unwrap();
    assert_eq!(claims["claims"][0]["measured"]["verdict"], "violated", "{claims}");
    assert_eq!(claims["claims"][0]["label"], "Lanes", "{claims}");
    let found = check(dir.path(), &url, &[]);
    let words = words(&found);
    assert_eq!(found.status.code(), Some(1), "{words}");
    for expected in [
        "error[L020]: `Lanes: < 2` is violated",
        "index.md:10:",
        "error[L022]: the diagram `Shop` draws `gateway` to `payments`, which no trace shows",
        "index.md:6:3",
        "which does not mean absent",
        "50.0 % of the drawn edges are confirmed by 11 traces",
    ] {
        assert!(words.contains(expected), "no `{expected}` in {words}");
    }
}

#[test]
fn a_server_that_cannot_be_asked_is_no_finding() {
    let dir = book(PAGE);
    let closed = format!("http://127.0.0.1:{}", free_port());
    for (url, expected) in
        [(closed.as_str(), "cannot ask"), ("ftp://127.0.0.1", "no URL that can be fetched")]
    {
        let output = check(dir.path(), url, &[]);
        assert_eq!(output.status.code(), Some(2), "{}", words(&output));
        assert!(words(&output).contains(expected), "{}", words(&output));
    }
}

#[test]
fn a_box_that_may_stand_for_a_service_is_a_note() {
    let dir = book("# Shop\n\n```mermaid\ngraph LR\n  P[Payments Gateway] --> orders\n```\n");
    let mut command = Command::new(binary("loggia"));
    let output = run_to_end(
        command.args(["check", "--strict"]).current_dir(dir.path()).env("NO_COLOR", "1"),
    );
    let words = words(&output);
    assert_eq!(output.status.code(), Some(0), "a note fails nothing: {words}");
    assert!(
        words.contains("note[L016]: `Payments Gateway` could stand for `gateway` or `payments`"),
        "{words}"
    );
    assert!(words.contains("index.md:5:3") && words.contains("%% bind: P = gateway"), "{words}");
}

#[test]
fn lines_that_bind_nothing_are_notes_with_suggestions() {
    let dir = book(
        "# Shop\n\n```mermaid\ngraph LR\n  A[Till] --> B[Web]\n  C[Elsewhere] --> B\n  \
         %% bind: A = paymnets\n  %% bind: D = gateway\n  %% bind: B = gateway\n  \
         %% bind: C = somebody-elses\n```\n",
    );
    let mut command = Command::new(binary("loggia"));
    let output = run_to_end(command.arg("check").current_dir(dir.path()).env("NO_COLOR", "1"));
    let words = words(&output);
    assert_eq!(words.matches("note[L016]").count(), 2, "{words}");
    for expected in [
        "note[L016]: nothing in book.toml is called `paymnets`",
        "index.md:7:3",
        "did you mean `payments`?",
        "note[L016]: the diagram has no box `D` to bind",
        "index.md:8:3",
    ] {
        assert!(words.contains(expected), "no `{expected}` in {words}");
    }
}
