//! A running `cloudscale up` for tests: the real executable on ports that the
//! system chooses, killed when a test fails; and requests to whatever listens.
#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub)]

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use fleet::Status;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long a case waits for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Ports that the system chooses, so that tests run beside each other.
pub const FREE_PORTS: [&str; 4] =
    ["--port=0", "--gateway-port=0", "--otlp-grpc-port=0", "--otlp-http-port=0"];

pub fn cloudscale(book: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudscale"));
    command.current_dir(book).args(args);
    command
}

pub fn book() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("book.toml"), "[book]\ntitle = \"A book\"\nsrc = \"src\"\n")
        .unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/README.md"), "# A page\n\nText.\n").unwrap();
    folder
}

/// A running `up`, killed when a case fails.
pub struct Up {
    pub child: Child,
    lines: BufReader<ChildStdout>,
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Up {
    pub fn start(book: &Path, args: &[&str]) -> Self {
        let mut command = cloudscale(book, &["up"]);
        command.args(FREE_PORTS).args(args).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Reads on to a line that contains `words`, and answers it.
    pub fn until(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "`{words}` was never said");
            if line.contains(words) {
                return line;
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(pid(self.child.id()), signal).unwrap();
    }
}

pub fn status(book: &Path) -> Vec<Status> {
    let Output { status, stdout, stderr } =
        cloudscale(book, &["status", "--json"]).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).unwrap()
}

pub fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

pub fn lives(number: u32) -> bool {
    fs::read_to_string(format!("/proc/{number}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}

pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a command that must succeed prints.
pub fn done(book: &Path, args: &[&str]) -> String {
    let output = cloudscale(book, args).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {message}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command that is refused says.
pub fn refused(book: &Path, args: &[&str]) -> String {
    let output = cloudscale(book, args).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    message
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

/// Sends a request on a connection of its own.
pub fn send(
    method: &str,
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunked(body) } else { body.to_owned() };
    Ok(Answer { status: status.ok_or(io::ErrorKind::InvalidData)?, body })
}

/// A body that came in pieces, each after its length.
fn unchunked(mut rest: &str) -> String {
    let mut whole = String::new();
    while let Some((length, behind)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            break;
        }
        whole += &behind[..length];
        rest = &behind[length + 2..];
    }
    whole
}

pub fn get(address: &str, path: &str) -> Answer {
    send("GET", address, path, &[], "").unwrap()
}

/// Where a replica listens.
pub fn address(book: &Path, instance: &str) -> String {
    let all = status(book);
    let replica = all.iter().find(|replica| replica.instance == instance).unwrap();
    replica.address.unwrap().to_string()
}

/// The sum of a metric's values whose labels contain `labels`.
pub fn metric(address: &str, name: &str, labels: &str) -> f64 {
    let text = get(address, "/metrics").body;
    let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(labels));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// A customer's token.
pub fn customer(gateway: &str, name: &str) -> String {
    let body = format!(r#"{{"email":"{name}@example.org","password":"correct horse battery"}}"#);
    let json = [("content-type", "application/json")];
    let registered = send("POST", gateway, "/v1/register", &json, &body).unwrap();
    assert_eq!(registered.status, 201, "{registered:?}");
    let session = send("POST", gateway, "/v1/login", &json, &body).unwrap().json();
    session["access_token"].as_str().unwrap().to_owned()
}
