//! `/live/map`: spans in, a map out, also for hostile names and for more than can be shown.

use crate::browser;
use std::fs;
use std::process::Command;
use std::time::Duration;
use tests::{Program, binary, free_port, get, send, serve, until};

const SOON: Duration = Duration::from_secs(30);

/// One trace: `user` calls the first name, each name the next one.
fn chain(trace: usize, names: &[String]) -> String {
    let span = |nth: usize, kind: u8, id: usize, parent: usize| {
        let parent = if parent == 0 { String::new() } else { format!("{parent:016x}") };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let start = now.as_nanos() + nth as u128;
        serde_json::json!({
            "traceId": format!("{:032x}", trace + 1), "spanId": format!("{id:016x}"),
            "parentSpanId": parent, "name": "GET /", "kind": kind,
            "startTimeUnixNano": start.to_string(),
            "endTimeUnixNano": (start + 5_000_000).to_string()
        })
    };
    let resource = |nth: usize, name: &String| {
        let mut spans = vec![span(nth, 2, 2 * nth + 1, 2 * nth)];
        if nth + 1 < names.len() {
            spans.push(span(nth, 3, 2 * nth + 2, 2 * nth + 1));
        }
        serde_json::json!({
            "resource": { "attributes": [
                { "key": "service.name", "value": { "stringValue": name } }
            ] },
            "scopeSpans": [{ "spans": spans }]
        })
    };
    let all: Vec<_> = names.iter().enumerate().map(|(nth, name)| resource(nth, name)).collect();
    serde_json::json!({ "resourceSpans": all }).to_string()
}

#[test]
fn what_was_seen_is_on_the_map() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.md"), "# Seen\n\n```service-map\nfocus: b\n```\n").unwrap();
    let (port, grpc, http) = (free_port(), free_port(), free_port());
    let mut program = Program::start(
        Command::new(binary("loggia"))
            .arg("serve")
            .arg(dir.path())
            .args(["--port", &port.to_string()])
            .args(["--otlp-grpc-port", &grpc.to_string(), "--otlp-http-port", &http.to_string()]),
    )
    .unwrap();
    program.wait_for("Ctrl-C", SOON).unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let page = |path: &str| {
        let answer = get(&format!("{url}{path}")).unwrap();
        assert_eq!(answer.status, 200, "{path}");
        answer.text()
    };
    assert!(page("/live/map").contains("Nothing is known yet"));
    let post = |body: String| {
        let json = ("content-type", "application/json");
        let answer =
            send("POST", &format!("{url}/otlp/v1/traces"), &[json], body.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    let named = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    post(chain(0, &named(&["a", "b", "c", "<script>alert(1)</script>"])));
    post(chain(1, &named(&["b", "a"])));
    until("the calls are on the map", SOON, || {
        let html = page("/live/map");
        (html.contains("data-cell=\"map.e.a.b.rate\"") && html.contains("map.e.b.a.rate"))
            .then_some(())
    });
    for (path, nodes, words) in [
        ("/live/map", 5, "As a table"),
        ("/live/map?focus=c", 3, "Around c"),
        ("/live/map?focus=ghost", 5, "Nothing called “ghost” was seen"),
        ("/live/map?q=B", 5, "One is called “B”"),
        ("/live/map?groups=owner&direction=down", 5, "no groups"),
        ("/live/map?q=%3Cscript%3E&focus=%22%3E%3Cb%3E", 5, "One is called"),
        ("/index.html", 4, "<b>Seen</b>"),
    ] {
        let html = page(path);
        assert_eq!(html.matches("class=\"node ").count(), nodes, "{path}");
        assert!(html.contains(words), "{path}");
        assert!(!html.contains("<script>alert"), "{path}");
    }
    let snapshot = page("/api/live/snapshot?page=live/map");
    assert!(snapshot.contains("map.n.b.rate") && snapshot.contains("map.e.b.c.p95"), "{snapshot}");

    for trace in 0..30 {
        let names: Vec<String> = (0..10).map(|n| format!("s{:03}", trace * 10 + n)).collect();
        post(chain(10 + trace, &names));
    }
    let crowded = until("the map says what it leaves out", SOON, || {
        Some(page("/live/map")).filter(|html| html.contains("Left out: "))
    });
    assert_eq!(crowded.matches("class=\"node ").count(), 200);
}

#[test]
fn many_services_keep_their_places_in_the_browser() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.md"), "# Many\n").unwrap();
    let services: String = (0..180)
        .filter(|nth| nth % 9 != 0)
        .map(|nth| {
            let (owner, layer) = (["shop", "pay", "ship"][nth % 3], ["edge", "core"][nth % 2]);
            format!(
                "[output.loggia.services.svc-{nth:03}]\nowner = \"{owner}\"\nlayer = \"{layer}\"\n"
            )
        })
        .collect();
    fs::write(
        dir.path().join("book.toml"),
        format!("[book]\nsrc = \".\"\n[output.loggia]\noptional = true\n{services}"),
    )
    .unwrap();
    let (_program, url) = serve(dir.path());
    browser::run("map.mjs", &[&format!("{url}/")]);
}
