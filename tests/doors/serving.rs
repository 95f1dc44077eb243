//! `loggia serve` over HTTP: pages, hot reload, bad requests, the OTLP ports.

use rustix::process::Signal;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::{Program, binary, free_port, get, send, until, within};

const SOON: Duration = Duration::from_secs(30);

struct Served {
    program: Program,
    url: String,
    grpc: u16,
    http: u16,
}

fn serve(dir: &Path) -> Served {
    let (port, grpc, http) = (free_port(), free_port(), free_port());
    let mut program = Program::start(
        Command::new(binary("loggia"))
            .arg("serve")
            .arg(dir)
            .args(["--port", &port.to_string()])
            .args(["--otlp-grpc-port", &grpc.to_string(), "--otlp-http-port", &http.to_string()]),
    )
    .unwrap();
    program.wait_for("Ctrl-C", SOON).unwrap();
    Served { program, url: format!("http://127.0.0.1:{port}"), grpc, http }
}

fn small_book() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.md"), "# First\n\nSome text.\n").unwrap();
    fs::create_dir(dir.path().join("guide")).unwrap();
    fs::write(dir.path().join("guide/intro.md"), "# Intro\n\n[back](../index.md)\n").unwrap();
    fs::write(dir.path().join("notes.txt"), "plain").unwrap();
    fs::write(dir.path().join(".secret"), "hidden").unwrap();
    dir
}

#[test]
fn addresses_answer_with_a_status_in_words() {
    let dir = small_book();
    let served = serve(dir.path());
    let url = &served.url;
    for (path, status, words) in [
        ("/", 200, "Some text."),
        ("/index.html", 200, "Some text."),
        ("/guide/intro.html", 200, "Intro"),
        ("/guide/intro", 307, ""),
        ("/notes.txt", 200, "plain"),
        ("/.secret", 404, "no such page"),
        ("/../Cargo.toml", 404, ""),
        ("/%2e%2e/%2e%2e/etc/passwd", 404, ""),
        ("/nowhere.html", 404, "no such page"),
        ("/live/services", 200, "</html>"),
        ("/jaeger/api/services", 200, "\"data\":[]"),
        ("/jaeger/api/v3/services", 200, "\"services\":[]"),
        ("/live/services/ghost", 404, "no service"),
        ("/live/services/%3Cscript%3Ealert(1)%3C/script%3E", 404, ""),
        ("/live/services/x?from=7w", 400, "`7w` is no time"),
        ("/live/traces", 200, "</html>"),
        ("/live", 307, ""),
        ("/assets/loggia.00000000.css", 200, "@layer"),
        ("/assets/loggia.css", 404, "no such file"),
        ("/assets/nothing.00000000.css", 404, "no such file"),
        ("/live/traces?service=a&service=b", 400, "cannot be understood"),
        ("/live/traces?min=fast", 400, "no duration"),
        ("/live/traces?limit=0", 400, "no number"),
        ("/live/traces/xyz", 400, "no trace id"),
        ("/live/traces/0123456789abcdef0123456789abcdef", 404, "not kept"),
        ("/api/live/snapshot?page=index", 200, "cells"),
        ("/api/live/snapshot?page=ghost", 404, "no page"),
        ("/api/live/services", 200, "services"),
        ("/api/live/traces", 200, "traces"),
        ("/api/live/traces/xyz", 400, "no trace id"),
        ("/api/ghost", 404, "no such address"),
        ("/prometheus/api/v1/query?query=vector(1)", 200, "success"),
        ("/prometheus/api/v1/query?query=sum(", 400, "bad_data"),
        ("/metrics", 200, "loggia_uptime_seconds"),
        ("/healthz", 200, "ok"),
        ("/readyz", 200, "ready"),
    ] {
        let answer = get(&format!("{url}{path}")).unwrap();
        let text = answer.text();
        assert_eq!(answer.status, status, "{path}: {text}");
        assert!(text.contains(words), "{path}: {text}");
        assert!(!text.contains("<script>alert"), "{path}: {text}");
        assert!(answer.headers.contains("content-security-policy"), "{path}: {}", answer.headers);
    }
    let wrong = send("POST", &format!("{url}/index.html"), &[], b"x").unwrap();
    assert_eq!(wrong.status, 405);
    assert!(wrong.text().contains("pages answer to GET"), "{}", wrong.text());
    assert_eq!(
        send("DELETE", &format!("{url}/prometheus/api/v1/ghost"), &[], b"").unwrap().status,
        405
    );
}

#[test]
fn another_sites_name_that_points_here_reads_nothing() {
    let dir = small_book();
    let served = serve(dir.path());
    let port = served.url.rsplit(':').next().unwrap();
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        (format!("docs.localhost:{port}"), 200),
        (format!("evil.example:{port}"), 421),
        ("127.0.0.1.evil.example".to_owned(), 421),
    ] {
        let answer = get_as(&served.url, &host);
        assert_eq!(answer, status, "{host}");
    }
}

/// The status of `GET /` with a `Host` of its own.
fn get_as(url: &str, host: &str) -> u16 {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    String::from_utf8_lossy(&head[9..]).parse().unwrap()
}

/// Names from telemetry are anybody's text.
#[test]
fn a_hostile_service_name_hurts_nobody() {
    let dir = small_book();
    let served = serve(dir.path());
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    for (nth, name) in [
        "\"".repeat(16_384),
        "<script>alert(1)</script>".to_owned(),
        "../../etc".to_owned(),
        "\u{1}".repeat(4096),
    ]
    .into_iter()
    .enumerate()
    {
        let spans = serde_json::json!({ "resourceSpans": [{
            "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": name } }] },
            "scopeSpans": [{ "spans": [{
                "traceId": format!("{:032x}", nth + 1), "spanId": "00000000000000aa", "name": "<b>work</b>", "kind": 2,
                "startTimeUnixNano": (now - 1_000_000).to_string(), "endTimeUnixNano": now.to_string(),
            }] }],
        }] });
        let url = format!("http://127.0.0.1:{}/v1/traces", served.http);
        let body = serde_json::to_vec(&spans).unwrap();
        let answer = send("POST", &url, &[("content-type", "application/json")], &body).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let services = until("the services are known", SOON, || {
        let answer = get(&format!("{}/api/live/services", served.url)).ok()?.json().ok()?;
        let services = answer["services"].as_array()?.clone();
        (services.len() >= 4).then_some(services)
    });
    for service in &services {
        let name: String =
            service["id"].as_str().unwrap().bytes().map(|b| format!("%{b:02x}")).collect();
        // A name may be too long for an address; the answer is then one in words, too.
        let page = get(&format!("{}/live/services/{name}", served.url)).unwrap();
        assert!([200, 404, 414, 431].contains(&page.status), "{}", page.status);
        assert!(!page.text().contains("<script>alert"), "{name} as HTML");
        let json =
            get(&format!("{}/api/live/snapshot?page=live/services/{name}", served.url)).unwrap();
        assert!([200, 404, 414, 431].contains(&json.status), "{}", json.status);
    }
    for path in
        ["/", "/live/services", "/live/traces", "/live/traces/00000000000000000000000000000002"]
    {
        let answer = get(&format!("{}{path}", served.url)).unwrap();
        assert_eq!(answer.status, 200, "{path}");
        assert!(
            !answer.text().contains("<script>alert") && !answer.text().contains("<b>work"),
            "{path}"
        );
    }
    assert!(!served.program.printed().contains("panicked"), "{}", served.program.printed());
}

#[test]
fn saving_shows_the_new_text_and_a_mistake_keeps_the_last_good_version() {
    let dir = small_book();
    let served = serve(dir.path());
    let page = || get(&format!("{}/", served.url)).unwrap().text();
    let save = |text: &str| fs::write(dir.path().join("index.md"), text).unwrap();

    save("# First\n\nSome newer text.\n");
    within("the new text is served", SOON, || page().contains("Some newer text."));

    save("# First\n\nHalf a thought.\n\n```mermaid\ngraph TD\n  A[Open --> B\n```\n");
    within("the mistake is shown", SOON, || page().contains("L003"));
    let text = page();
    assert!(text.contains("Some newer text."), "the last good version stays");
    assert!(text.contains("index.md:7") || text.contains("index.md:6"), "{text}");
    assert!(!text.contains("Half a thought."));

    save("# First\n\nA whole thought.\n\n```mermaid\ngraph TD\n  A[Closed] --> B\n```\n");
    within("the mended page is served", SOON, || page().contains("A whole thought."));
    assert!(!page().contains("L003"));

    fs::write(dir.path().join("index.md"), b"# First\n\n\xff\xfe\n").unwrap();
    within("a file that is no text is reported", SOON, || page().contains("L011"));
    assert!(page().contains("A whole thought."), "the last good version stays");
    save("# First\n\nText again.\n");
    within("the text is back", SOON, || page().contains("Text again."));
    assert!(!page().contains("L011"));

    fs::write(dir.path().join("new.md"), "# A new page\n").unwrap();
    within("a new page appears", SOON, || {
        get(&format!("{}/new.html", served.url)).unwrap().status == 200
    });
    fs::remove_file(dir.path().join("new.md")).unwrap();
    within("and goes", SOON, || get(&format!("{}/new.html", served.url)).unwrap().status == 404);
}

#[test]
fn an_open_stream_tells_of_a_save_and_does_not_hinder_the_end() {
    let dir = small_book();
    let mut served = serve(dir.path());
    let host = served.url.strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&host).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    write!(stream, "GET /api/live/events?page=index HTTP/1.1\r\nhost: {host}\r\n\r\n").unwrap();
    let mut seen = String::new();
    let mut read = |seen: &mut String| {
        let mut bytes = [0; 4096];
        if let Ok(n) = stream.read(&mut bytes) {
            seen.push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
    };
    within("cells come", SOON, || {
        read(&mut seen);
        seen.contains("event: cells")
    });
    fs::write(dir.path().join("index.md"), "# First\n\nChanged.\n").unwrap();
    within("the reload is told", SOON, || {
        read(&mut seen);
        seen.contains("event: reload")
    });
    assert_eq!(served.program.stop(Signal::TERM).unwrap(), Some(0), "{}", served.program.printed());
}

#[test]
fn garbage_on_the_otlp_ports_is_refused_in_words() {
    let dir = small_book();
    let served = serve(dir.path());
    let protobuf = ("content-type", "application/x-protobuf");
    let json = ("content-type", "application/json");
    for port in [served.http, served.url.rsplit(':').next().unwrap().parse().unwrap()] {
        let prefix = if port == served.http { "" } else { "/otlp" };
        for (path, header, body) in [
            ("/v1/traces", protobuf, &b"\xff\xff\xff garbage"[..]),
            ("/v1/traces", json, b"{\"resourceSpans\": 3}"),
            ("/v1/metrics", json, b"not json"),
            ("/v1/logs", protobuf, b"\x08"),
            ("/v1/traces", ("content-type", "text/plain"), b"hello"),
        ] {
            let url = format!("http://127.0.0.1:{port}{prefix}{path}");
            let answer = send("POST", &url, &[header], body).unwrap();
            assert!((400..500).contains(&answer.status), "{url} {header:?}: {}", answer.status);
        }
    }
    // Neither bytes that are no HTTP/2 nor frames that lie hurt the gRPC port.
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", served.grpc)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        stream.write_all(garbage).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
    }
    let alive = until("it still answers", SOON, || get(&format!("{}/healthz", served.url)).ok());
    assert_eq!(alive.status, 200);
    assert!(!served.program.printed().contains("panicked"), "{}", served.program.printed());
}
