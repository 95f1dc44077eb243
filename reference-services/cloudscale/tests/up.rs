//! `cloudscale` as a person meets it: the real executable, its real children.
#![allow(clippy::unwrap_used, missing_docs)]

mod running;

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use fleet::State;
use running::{FREE_PORTS, Up, book, cloudscale, lives, pid, status, until};
use rustix::process::{Signal, kill_process};

#[test]
fn up_runs_everything_mends_a_crash_and_leaves_nothing() {
    let book = book();
    let mut up = Up::start(book.path(), &["--traffic=20", "--seed=3"]);
    let open = up.until("Open");
    let site = open.trim().rsplit("http://").next().unwrap().to_owned();
    let before = status(book.path());
    let names: Vec<_> = before.iter().map(|replica| replica.instance.as_str()).collect();
    let services = [
        "auth",
        "payments",
        "catalog",
        "shipping",
        "orders",
        "users",
        "notifications",
        "analytics",
        "gateway",
    ];
    let expected: Vec<_> =
        services.iter().chain(&["traffic"]).map(|name| format!("{name}-1")).collect();
    assert_eq!(names, expected);
    TcpStream::connect(&site).unwrap();

    let payments = before[1].pid.unwrap();
    kill_process(pid(payments), Signal::KILL).unwrap();
    until("the restart of payments", || {
        let now = status(book.path()).remove(1);
        now.state == State::Ready && now.restarts == 1 && now.address == before[1].address
    });
    up.until("payments-1 is ready");
    let second = cloudscale(book.path(), &["up"]).args(FREE_PORTS).output().unwrap();
    let message = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(2), "{message}");
    assert!(message.contains("another `cloudscale up`"), "{message}");

    let after = status(book.path());
    up.signal(Signal::INT);
    up.until("stopped; no process and no port is left");
    assert_eq!(up.child.wait().unwrap().code(), Some(0));
    for replica in &after {
        assert!(!lives(replica.pid.unwrap()), "{} lives on", replica.instance);
        if let Some(address) = replica.address {
            TcpListener::bind(address).unwrap();
        }
    }
    TcpListener::bind(&site).unwrap();
    let report = fs::read_to_string(book.path().join(".cloudscale/logs/traffic-1.log")).unwrap();
    assert!(report.contains("seed 3: "), "{report}");
    let nothing = cloudscale(book.path(), &["status"]).output().unwrap();
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("nothing runs on"));
}

#[test]
fn children_do_not_outlive_a_killed_up() {
    let book = book();
    let mut up = Up::start(book.path(), &["--traffic=5"]);
    up.until("Open");
    let replicas = status(book.path());
    up.signal(Signal::KILL);
    up.child.wait().unwrap();
    for replica in replicas {
        until("the end of a child", || !lives(replica.pid.unwrap()));
    }
    let mut again = Up::start(book.path(), &["--traffic=0"]);
    again.until("Open");
    again.signal(Signal::TERM);
    again.until("stopped");
    assert_eq!(again.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_service_that_cannot_start_is_shown_with_its_last_words() {
    let book = book();
    // Where a service wants its folder, there is a file.
    fs::create_dir(book.path().join(".cloudscale")).unwrap();
    fs::write(book.path().join(".cloudscale/orders"), "").unwrap();
    let mut up = cloudscale(book.path(), &["up"]);
    let output = up.args(FREE_PORTS).stderr(Stdio::piped()).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("`orders-1` did not start"), "{message}");
    assert!(message.contains("  | "), "{message}");
    assert!(message.contains("orders-1.log"), "{message}");
}

#[test]
fn what_cannot_be_had_is_refused_with_the_option_that_helps() {
    let (with_book, without) = (book(), tempfile::tempdir().unwrap());
    let somebody = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = somebody.local_addr().unwrap().port();
    let option = |name: &str| format!("--{name}={taken}");
    let holder = format!("port {taken} is taken by pid {}", std::process::id());
    let cases = [
        (with_book.path(), option("port"), [holder.as_str(), "--port"]),
        (with_book.path(), option("gateway-port"), [&holder, "--gateway-port"]),
        (with_book.path(), option("otlp-grpc-port"), [&holder, "--otlp-grpc-port"]),
        (with_book.path(), option("otlp-http-port"), [&holder, "--otlp-http-port"]),
        (with_book.path(), "--book=nowhere".to_owned(), ["`nowhere` is not a folder", ""]),
        (without.path(), "--quiet".to_owned(), ["there is no `book.toml`", "--book"]),
    ];
    for (folder, asked, expected) in cases {
        let name = asked.split('=').next().unwrap();
        let others = FREE_PORTS.iter().filter(|option| !option.starts_with(&format!("{name}=")));
        let output = cloudscale(folder, &["up"]).args(others).arg(&asked).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{asked}: {message}");
        assert!(expected.iter().all(|words| message.contains(words)), "{asked}: {message}");
    }
}

#[test]
fn traffic_prints_what_came_of_it() {
    // Nobody listens there any more.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut traffic = Command::new(env!("CARGO_BIN_EXE_cloudscale"));
    traffic.args(["traffic", "--rps=100", "--seed=1", "--duration=0.5"]);
    let mut child =
        traffic.arg(format!("--target={nobody}")).stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut report = String::new();
    child.stdout.take().unwrap().read_to_string(&mut report).unwrap();
    assert!(report.starts_with("seed 1: ") && report.contains("unanswered"), "{report}");
}
