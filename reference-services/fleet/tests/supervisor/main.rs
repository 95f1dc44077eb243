//! The supervisor with real children: this test binary, started again as a
//! small service. `child` holds what it does then; the cases are below.
#![allow(clippy::unwrap_used, missing_docs)]

mod child;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use fleet::{Fleet, Limits, Plan, Service, StartError, State, Status};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long a case waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the test runner calls when this binary is started as a child.
#[test]
fn as_child() {
    child::main();
}

fn limits() -> Limits {
    Limits {
        backoff_first: Duration::from_millis(100),
        backoff_longest: Duration::from_millis(400),
        probe_steady: Duration::from_millis(50),
        probe: Duration::from_millis(200),
        ..Limits::default()
    }
}

fn service(name: &str, role: &str) -> Service {
    let program = std::env::current_exe().unwrap();
    let mut service = Service::new(name, program, &["--exact", "as_child", "--nocapture"]);
    service.env = vec![(child::ROLE.to_owned(), role.to_owned())];
    service
}

fn plan(data_dir: &Path, services: Vec<Service>) -> Plan {
    Plan {
        services,
        data_dir: data_dir.to_owned(),
        version: "1.2.3".to_owned(),
        log: "info".to_owned(),
        control: None,
    }
}

/// A fleet of one service, ready.
async fn run(folder: &Path, role: &str, limits: Limits) -> Fleet {
    let mut fleet = Fleet::open(plan(folder, vec![service("orders", role)]), limits).await.unwrap();
    fleet.launch(Some("http://127.0.0.1:4317"));
    fleet.ready().await.unwrap();
    fleet
}

fn only(fleet: &Fleet) -> Status {
    fleet.status().remove(0)
}

fn address(fleet: &Fleet) -> SocketAddr {
    only(fleet).address.unwrap()
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

fn lives(number: u32) -> bool {
    // A process that is dead and not yet reaped by init does not count.
    std::fs::read_to_string(format!("/proc/{number}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}

fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

async fn ask(address: SocketAddr, path: &'static str) -> String {
    tokio::task::spawn_blocking(move || get(address, path)).await.unwrap().unwrap()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discovery_and_status_name_every_replica() {
    let folder = tempfile::tempdir().unwrap();
    let services = ["auth", "payments", "orders"].map(|name| service(name, "serve")).to_vec();
    let mut fleet = Fleet::open(plan(folder.path(), services), limits()).await.unwrap();
    let own: SocketAddr = fleet.url().trim_start_matches("http://").parse().unwrap();
    let before: Value = serde_json::from_str(&ask(own, "/discovery").await).unwrap();
    fleet.launch(None);
    fleet.ready().await.unwrap();
    let targets: Value = serde_json::from_str(&ask(own, "/discovery").await).unwrap();
    assert_eq!(before, targets, "a target is known before it runs");
    let instances: Vec<_> =
        targets.as_array().unwrap().iter().map(|target| &target["labels"]["instance"]).collect();
    assert_eq!(instances, ["auth-1", "payments-1", "orders-1"]);
    let labels = &targets[2]["labels"];
    assert_eq!(
        (&labels["job"], &labels["__metrics_path__"], &labels["version"]),
        (&"orders".into(), &"/metrics".into(), &"1.2.3".into())
    );
    let status: Vec<Status> = serde_json::from_str(&ask(own, "/status").await).unwrap();
    assert_eq!(status, fleet.status());
    assert!(status.iter().all(|replica| replica.state == State::Ready));
    assert_eq!(targets[2]["targets"][0], status[2].address.unwrap().to_string());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_finds_the_contract_in_its_environment() {
    let folder = tempfile::tempdir().unwrap();
    let mut fleet = run(folder.path(), "serve", limits()).await;
    let here = address(&fleet);
    let env: Value = serde_json::from_str(&ask(here, "/env").await).unwrap();
    let expected = [
        ("CLOUDSCALE_LISTEN", here.to_string()),
        ("CLOUDSCALE_INSTANCE", "orders-1".to_owned()),
        ("CLOUDSCALE_DATA_DIR", folder.path().join("orders").display().to_string()),
        ("CLOUDSCALE_PEERS", format!("orders={here}")),
        ("CLOUDSCALE_VERSION", "1.2.3".to_owned()),
        ("CLOUDSCALE_LOG", "info".to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317".to_owned()),
    ];
    for (name, value) in expected {
        assert_eq!(env[name], value, "{name}");
    }
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_child_refuses_at_once_and_comes_back_on_its_port() {
    let folder = tempfile::tempdir().unwrap();
    let slow = Limits { backoff_first: Duration::from_secs(1), ..limits() };
    let mut fleet = run(folder.path(), "serve", slow).await;
    let before = only(&fleet);
    let mut events = fleet.subscribe();
    kill_process(pid(before.pid.unwrap()), Signal::KILL).unwrap();
    until("the exit", || only(&fleet).state == State::Restarting).await;
    let refused = TcpStream::connect(address(&fleet)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    until("the restart", || only(&fleet).state == State::Ready).await;
    let after = only(&fleet);
    assert_ne!(after.pid, before.pid);
    assert_eq!((after.address, after.restarts), (before.address, 1));
    assert_eq!(after.last_exit.as_deref(), Some("signal 9"));
    assert_eq!(ask(address(&fleet), "/pid").await, after.pid.unwrap().to_string());
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        told.push(event.to_string());
    }
    let expected = [
        "orders-1 ended with signal 9".to_owned(),
        "orders-1 starts again in 1.0 s".to_owned(),
        format!("orders-1 started (pid {})", after.pid.unwrap()),
        "orders-1 is ready".to_owned(),
    ];
    assert_eq!(told, expected);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_an_open_request_finish_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut fleet = run(folder.path(), "family", limits()).await;
    let (here, process) = (address(&fleet), only(&fleet).pid.unwrap());
    let own: SocketAddr = fleet.url().trim_start_matches("http://").parse().unwrap();
    let grandchild: u32 = ask(here, "/grandchild").await.parse().unwrap();
    assert!(lives(process) && lives(grandchild));
    let slow = tokio::task::spawn_blocking(move || get(here, "/slow"));
    until("the slow request", || get(here, "/open").unwrap() == "1").await;
    let mut events = fleet.subscribe();
    fleet.stop().await;
    assert_eq!(slow.await.unwrap().unwrap(), "done");
    assert_eq!(events.try_recv().unwrap().to_string(), "orders-1 stopped");
    assert!(!lives(process));
    until("the grandchild's end", || !lives(grandchild)).await;
    drop(fleet);
    TcpListener::bind(here).unwrap();
    until("the end of discovery", || TcpStream::connect(own).is_err()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_ignores_the_stop_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    for impatient in [false, true] {
        let drain = Duration::from_millis(if impatient { 600_000 } else { 200 });
        let mut fleet = run(folder.path(), "stubborn", Limits { drain, ..limits() }).await;
        let process = only(&fleet).pid.unwrap();
        let mut events = fleet.subscribe();
        if impatient {
            fleet.impatience().cancel();
        }
        fleet.stop().await;
        let last = events.try_recv().unwrap().to_string();
        assert_eq!(last, "orders-1 did not finish in time and was killed");
        assert!(!lives(process));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_start_shows_the_last_words() {
    let cases = [
        ("crash", "status 3", "the cellar is flooded"),
        ("never ready", "was not ready after 500ms", "waiting for godot"),
    ];
    for (role, expected, words) in cases {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { start: Duration::from_millis(500), ..limits() };
        let services = vec![service("auth", "serve"), service("orders", role)];
        let mut fleet = Fleet::open(plan(folder.path(), services), limits).await.unwrap();
        fleet.launch(None);
        let failure = fleet.ready().await.unwrap_err();
        let StartError::Replica { instance, how, tail, log } = failure else {
            panic!("{failure}");
        };
        assert_eq!((instance.as_str(), how.as_str()), ("orders-1", expected));
        assert!(tail.iter().any(|line| line.contains(words)), "{tail:?}");
        assert!(std::fs::read_to_string(log).unwrap().contains(words));
        fleet.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_and_a_foreign_address_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let somebody = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = somebody.local_addr().unwrap();
    let cases = [
        (taken, format!("port {} is taken, `gateway` cannot listen there", taken.port())),
        ("0.0.0.0:0".parse().unwrap(), "`0.0.0.0:0` is not a loopback address".to_owned()),
    ];
    for (listen, expected) in cases {
        let mut gateway = service("gateway", "serve");
        gateway.listen = Some(listen);
        let refused = Fleet::open(plan(folder.path(), vec![gateway]), limits()).await.unwrap_err();
        assert!(refused.to_string().contains(&expected), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_answers_no_more_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let mut fleet = run(folder.path(), "serve", Limits { deaf: 2, ..limits() }).await;
    let before = only(&fleet).pid.unwrap();
    kill_process(pid(before), Signal::STOP).unwrap();
    until("another process", || {
        let now = only(&fleet);
        now.state == State::Ready && now.pid != Some(before)
    })
    .await;
    assert_eq!(only(&fleet).last_exit.as_deref(), Some("answers no more"));
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_die_with_a_supervisor_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut supervisor = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "as_child", "--nocapture"])
        .env(child::ROLE, "supervisor")
        .env(child::FOLDER, folder.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let note = folder.path().join("pid");
    until("the child", || std::fs::read_to_string(&note).is_ok_and(|pid| !pid.is_empty())).await;
    let child: u32 = std::fs::read_to_string(&note).unwrap().parse().unwrap();
    assert!(lives(child));
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    until("the child's end", || !lives(child)).await;
}
