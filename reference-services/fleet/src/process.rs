//! One life of a child process: started with its socket in a process group of
//! its own, signalled through that group, waited for in a thread of its own.
//!
//! The thread that starts a child is the parent whose death the kernel tells
//! the child about (`PR_SET_PDEATHSIG` watches the thread, not the process), so
//! it stays until the child is gone. It learns of the exit without reaping, so
//! that the number stays the child's until nobody can signal it any more.

use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use command_fds::{CommandFdExt, FdMapping};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::sync::oneshot;

use crate::limits::LAST_WORDS_LIMIT;
use crate::output::{Output, THREAD_STACK};
use crate::plan::{SOCKET_FD, variables};

/// A child that runs or ran.
#[derive(Debug)]
pub struct Process {
    /// What signals it; may be handed out.
    pub handle: Handle,
    exit: oneshot::Receiver<String>,
}

/// Signals a child for as long as it exists, and does nothing afterwards.
#[derive(Debug, Clone)]
pub struct Handle {
    pid: Pid,
    gone: Arc<Mutex<bool>>,
}

/// Where others than its supervisor take hold of a replica's process, whichever
/// one that is. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Reins(Arc<Mutex<Option<Handle>>>);

impl Reins {
    /// The process, while there is one.
    pub fn process(&self) -> Option<Handle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn hold(&self, process: Option<Handle>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = process;
    }
}

impl Process {
    /// Starts `command`. The socket and the pipe's writing end are closed here
    /// as soon as the child has them.
    pub fn start(
        instance: &str,
        mut command: Command,
        socket: Option<TcpListener>,
        output: &Arc<Output>,
    ) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
        command.env_remove(variables::LISTEN_PID).env_remove(variables::LISTEN_FDS);
        if let Some(socket) = socket {
            let mapping = FdMapping { parent_fd: socket.into(), child_fd: SOCKET_FD };
            command.fd_mappings(vec![mapping]).expect("one mapping cannot collide");
            command.env(variables::LISTEN_FDS, "1");
        }
        let written = output.follow(instance, reader)?;
        let (started, starts) = std::sync::mpsc::sync_channel(1);
        let (exited, exit) = oneshot::channel();
        let gone = Arc::new(Mutex::new(false));
        let flag = Arc::clone(&gone);
        let name = format!("run {instance}");
        thread::Builder::new().name(name).stack_size(THREAD_STACK).spawn(move || {
            let how = live(command, &started, &flag);
            // Its last words come before the news of its end.
            let _ = written.recv_timeout(LAST_WORDS_LIMIT);
            let _ = exited.send(how);
        })?;
        let pid = starts.recv().map_err(io::Error::other)??;
        Ok(Self { handle: Handle { pid, gone }, exit })
    }

    /// Waits for the exit and says how it came, for example `signal 9`. May be
    /// dropped and called again until it has answered.
    pub async fn exit(&mut self) -> String {
        (&mut self.exit).await.unwrap_or_else(|_| "its waiting thread died".to_owned())
    }
}

impl Handle {
    /// The child's process number.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Asks the whole group to end, also one that was paused.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
    }

    /// Stops the whole group in its tracks.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets the whole group go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends the whole group.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        if !*gone {
            // Only fails when the group has just died, which is what is wanted.
            let _ = kill_process_group(self.pid, signal);
        }
    }
}

type Started = std::sync::mpsc::SyncSender<io::Result<Pid>>;

fn live(mut command: Command, started: &Started, gone: &Mutex<bool>) -> String {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let how = error.to_string();
            let _ = started.send(Err(error));
            return how;
        }
    };
    drop(command);
    let pid = Pid::from_child(&child);
    let _ = started.send(Ok(pid));
    let watch_only = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(waitid(WaitId::Pid(pid), watch_only), Err(Errno::INTR)) {}
    let mut gone = gone.lock().unwrap_or_else(PoisonError::into_inner);
    // What the child started itself goes with it.
    let _ = kill_process_group(pid, Signal::KILL);
    *gone = true;
    child.wait().map_or_else(|error| error.to_string(), describe)
}

fn describe(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".to_owned(),
    }
}

/// Called by a child: ends it when the supervisor dies, however it dies. Does
/// nothing in a process that no supervisor started.
pub fn die_with_parent() -> io::Result<()> {
    let Ok(parent) = std::env::var(variables::PARENT) else { return Ok(()) };
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the line above took effect.
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().to_string());
    match now.as_deref() == Some(parent.as_str()) {
        true => Ok(()),
        false => Err(io::Error::other("the supervisor is gone")),
    }
}
