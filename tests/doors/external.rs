//! `loggia check --external` against a server of the test's own: which links are findings, how often
//! a server is asked, and which links nobody asks for.

use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::{binary, run_to_end};

/// Longer than the one second that the command waits here.
const TOO_LATE: Duration = Duration::from_secs(4);

type Asked = Arc<Mutex<Vec<String>>>;

/// What the server says to `METHOD /path`, asked for the nth time.
fn answer(method: &str, path: &str, nth: usize) -> (&'static str, &'static str) {
    match (method, path) {
        (_, "/moved") => ("301 Moved Permanently", "Location: /good\r\n"),
        (_, "/loop") => ("302 Found", "Location: /loop\r\n"),
        (_, "/to-gone") => ("301 Moved Permanently", "Location: /gone\r\n"),
        ("HEAD", "/get-only") => ("405 Method Not Allowed", ""),
        (_, "/gone") => ("404 Not Found", ""),
        (_, "/shaky") if nth == 0 => ("500 Internal Server Error", ""),
        (_, "/broken") => ("500 Internal Server Error", ""),
        (_, "/busy") if nth == 0 => ("429 Too Many Requests", "Retry-After: 1\r\n"),
        (_, "/full") => ("429 Too Many Requests", "Retry-After: 3600\r\n"),
        _ => ("200 OK", ""),
    }
}

fn serve(stream: TcpStream, asked: &Asked) {
    let mut stream = stream;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return };
    let line = format!("{method} {path}");
    let nth = {
        let mut asked = asked.lock().unwrap();
        asked.push(line);
        asked.iter().filter(|line| line.ends_with(&format!(" {path}"))).count() - 1
    };
    if path == "/slow" {
        std::thread::sleep(TOO_LATE);
    }
    let (status, header) = answer(method, path, nth);
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
}

/// Its address, and everything that it is asked for.
fn server() -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Asked::default();
    let all = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let asked = Arc::clone(&all);
            std::thread::spawn(move || serve(stream, &asked));
        }
    });
    (address, asked)
}

fn run(page: &str, toml: &str, arguments: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("src")).unwrap();
    fs::write(dir.path().join("book.toml"), format!("[book]\n{toml}\n")).unwrap();
    fs::write(dir.path().join("src/a.md"), page).unwrap();
    let mut command = Command::new(binary("loggia"));
    command.args(["check", "--external", "--external-timeout", "1"]).args(arguments);
    for proxy in ["http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(proxy).env_remove(proxy.to_uppercase());
    }
    run_to_end(command.current_dir(dir.path()).env("NO_COLOR", "1"))
}

/// Address to message of each finding, after all of them were looked at for place, code and severity.
fn findings(output: &Output) -> HashMap<String, String> {
    let words = String::from_utf8_lossy(&output.stderr);
    let found: Vec<Value> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{words}"));
    found
        .iter()
        .map(|f| {
            assert_eq!((&f["code"], &f["severity"]), (&"L041".into(), &"warning".into()), "{f}");
            assert!(f["line"].as_u64() > Some(1) && f["help"].is_string(), "{f}");
            let message = f["message"].as_str().unwrap().to_owned();
            (message.split('`').nth(1).unwrap().to_owned(), message)
        })
        .collect()
}

#[test]
fn servers_are_asked_and_findings_tell() {
    for (path, says, asked) in [
        ("/good", None, &["HEAD /good"][..]),
        ("/good#part", None, &["HEAD /good"]),
        ("/moved", None, &["HEAD /moved", "HEAD /good"]),
        ("/get-only", None, &["HEAD /get-only", "GET /get-only"]),
        ("/gone", Some("the server answers 404"), &["HEAD /gone", "GET /gone"]),
        (
            "/to-gone",
            Some("the server answers 404"),
            &["HEAD /to-gone", "HEAD /gone", "GET /to-gone", "GET /gone"],
        ),
        ("/shaky", None, &["HEAD /shaky", "GET /shaky"]),
        ("/broken", Some("the server answers 500"), &["HEAD /broken", "GET /broken"]),
        ("/slow", Some("no answer within 1 s"), &["HEAD /slow", "GET /slow"]),
        ("/busy", None, &["HEAD /busy", "GET /busy"]),
        ("/full", Some("429 and wants to be left alone for 3600 s"), &["HEAD /full"]),
        ("/ü b", None, &["HEAD /%C3%BC%20b"]),
    ] {
        let (server, seen) = server();
        let url = format!("{server}{path}");
        let output = run(&format!("# A\n\n[x](<{url}>)\n"), "", &["--format", "json"]);
        let found = findings(&output);
        assert_eq!(found.len(), usize::from(says.is_some()), "{path}: {found:?}");
        if let Some(says) = says {
            assert!(found[&url].contains(says), "{path}: {found:?}");
        }
        assert_eq!(*seen.lock().unwrap(), asked, "{path}");
        assert_eq!(output.status.code(), Some(0), "{path}");
    }
    let (server, seen) = server();
    let output = run(&format!("# A\n\n[x]({server}/loop)\n"), "", &["--format", "json"]);
    assert!(findings(&output)[&format!("{server}/loop")].contains("redirects"));
    assert!(seen.lock().unwrap().len() < 40, "redirects come to an end");
}

#[test]
fn hosts_that_are_silent_are_asked_no_more() {
    // Nobody listens on a port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let links: String = (0..6).map(|n| format!("[x](http://{free}/{n})\n")).collect();
    let output = run(&format!("# A\n\n{links}"), "", &["--format", "json"]);
    let found = findings(&output);
    assert_eq!(found.len(), 6, "{found:?}");
    let not_asked = found.values().filter(|message| message.contains("was not asked")).count();
    assert_eq!(not_asked, 3, "{found:?}");
    assert!(found.values().all(|message| message.contains("refused")), "{found:?}");

    let (server, seen) = server();
    let output = run(
        &format!("# A\n\n[x]({server}/full) [y]({server}/good)\n"),
        "",
        &["--format", "json", "--strict"],
    );
    assert_eq!(findings(&output).len(), 2);
    assert_eq!(*seen.lock().unwrap(), ["HEAD /full"], "a busy server is left alone");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn each_address_once_and_only_those_that_are_wanted() {
    let (server, seen) = server();
    let page = format!(
        "# A\n\n[a]({server}/one) [b]({server}/one#x) <a href=\"{server}/two?a=1&amp;b=2\">c</a>\n\n\
         <!-- loggia-ignore L041 -->\n[d]({server}/gone)\n\n\
         [e]({server}/by-command/1) [f]({server}/by-book/1) ![g]({server}/three)\n\n\
         [h](https://example.com/nothing) [i](https://shop.example/) [j](mailto:a@b.de)\n"
    );
    let output = run(
        &page,
        "[output.loggia.check]\nexternal-allow = [\"*/by-book/*\"]",
        &["--external-allow", "*/by-command/*"],
    );
    let mut asked = seen.lock().unwrap().clone();
    asked.sort();
    assert_eq!(asked, ["HEAD /one", "HEAD /three", "HEAD /two?a=1&b=2"]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("asked for 3 addresses at 1 host: 0 without"), "{words}");
    assert!(!words.contains("loggia check --explain"), "nothing to explain: {words}");
    assert_eq!(output.status.code(), Some(0), "{words}");

    let without = Command::new(binary("loggia"))
        .args(["check", "--external-allow", "x"])
        .current_dir(tempfile::tempdir().unwrap().path())
        .output()
        .unwrap();
    assert_eq!(without.status.code(), Some(2), "a pattern without --external is a mistake");
}
