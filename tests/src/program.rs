//! Programs of this workspace as processes.

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A book is served within this time, a hostile one on a busy machine too.
const SERVED: Duration = Duration::from_secs(120);
/// Ports that tests listen on.
const FIRST_PORT: u16 = 20_000;
const PORTS: u32 = 10_000;

/// A program gets this long to end by itself before it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the root").to_owned()
}

/// A folder of test data beside the repository, or `None` with a message when it is not there.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = repository().parent()?.join("shared").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: ../shared/{name} is not there");
    None
}

/// A program built beside this test: `tests/run` builds them first.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    let folder = test.parent().and_then(Path::parent).expect("tests lie in PROFILE/deps");
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "`{}` is not built: run `cargo build --release --bins`",
        path.display()
    );
    path
}

/// A port that is free and was not handed out before. It lies below those that the system gives to clients, so that nobody
/// takes it by chance before it is listened on.
pub fn free_port() -> u16 {
    static HANDED_OUT: AtomicU32 = AtomicU32::new(0);
    loop {
        let nth = HANDED_OUT.fetch_add(1, Ordering::Relaxed);
        let place = std::process::id().wrapping_mul(211).wrapping_add(nth) % PORTS;
        let port = FIRST_PORT + u16::try_from(place).expect("there are fewer ports than that");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
        assert!(nth < PORTS, "no port of {PORTS} is free");
    }
}

/// `loggia serve DIR` at free ports, and the address of its book, once it answers.
pub fn serve(dir: &Path) -> (Program, String) {
    let port = free_port();
    let mut command = Command::new(binary("loggia"));
    command.arg("serve").arg(dir).args(["--port", &port.to_string()]);
    command.args(["--otlp-grpc-port", "0", "--otlp-http-port", "0"]);
    let mut program = Program::start(&mut command).unwrap_or_else(|error| panic!("{error:#}"));
    program.wait_for("Ctrl-C", SERVED).unwrap_or_else(|error| panic!("{error:#}"));
    (program, format!("http://127.0.0.1:{port}"))
}

/// Runs a command that ends by itself.
pub fn run_to_end(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// A program that runs until it is stopped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Program {
    /// Starts it; everything it prints is kept.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let out = child.stdout.take().context("standard output is piped")?;
        let err = child.stderr.take().context("standard error is piped")?;
        keep(out, Arc::clone(&lines));
        keep(err, Arc::clone(&lines));
        Ok(Self { child, lines })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed up to now, both streams.
    pub fn printed(&self) -> String {
        self.lines.lock().expect("no holder of this lock panics").join("\n")
    }

    /// Waits until it has printed `text`; an error says what it printed instead.
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        while start.elapsed() < limit {
            if self.printed().contains(text) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status} before it printed `{text}`:\n{}", self.printed());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("it did not print `{text}` within {limit:?}:\n{}", self.printed())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        send_signal(self.pid(), signal)
    }

    /// Sends a signal and waits for the end; gives the exit code (`None` when a signal ended it).
    pub fn stop(&mut self, signal: Signal) -> anyhow::Result<Option<i32>> {
        self.signal(signal)?;
        let start = Instant::now();
        while start.elapsed() < STOP_WITHIN {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("it did not end within {STOP_WITHIN:?}:\n{}", self.printed())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) && self.stop(Signal::TERM).is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Sends a signal to a process by its id.
pub fn send_signal(pid: u32, signal: Signal) -> anyhow::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no process id")?;
    kill_process(pid, signal).with_context(|| format!("cannot signal {pid:?}"))
}

fn keep(stream: impl std::io::Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            lines.lock().expect("no holder of this lock panics").push(line);
        }
    });
}
