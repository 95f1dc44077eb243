//! The life of one replica: start, wait until it is ready, keep looking, start
//! it again when it dies, drain it when the fleet stops. One task each, which
//! `fleet` starts and ends; what happens is recorded on the [`Board`].

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::board::{Board, Happening};
use crate::limits::Limits;
use crate::output::Output;
use crate::port::Port;
use crate::probe::Probe;
use crate::process::{Process, Reins};

/// A replica, and all that its life needs.
#[derive(Debug)]
pub struct Replica {
    /// Name of the replica.
    pub instance: String,
    /// Its place on the board.
    pub place: usize,
    /// The program.
    pub program: PathBuf,
    /// The program's arguments.
    pub args: Vec<OsString>,
    /// The variables of the contract and the service's own.
    pub env: Vec<(String, String)>,
    /// Where it listens, if it does.
    pub port: Option<Arc<Port>>,
    /// What it writes.
    pub output: Arc<Output>,
    /// Where others take hold of its process.
    pub reins: Reins,
    /// Where its life is recorded.
    pub board: Arc<Board>,
    /// Looks at its health.
    pub probe: Probe,
    /// The times that bound its life.
    pub limits: Limits,
    /// Drains and ends it.
    pub stop: CancellationToken,
    /// Ends it at once.
    pub kill: CancellationToken,
}

/// How one life ended.
enum End {
    /// The fleet wanted it.
    Stopped,
    /// By itself, after it had been healthy for this long.
    Died(Duration),
}

/// What a look at a replica showed.
enum Look {
    Ready,
    Unready,
    Deaf,
}

impl Replica {
    /// Runs the replica until `stop`.
    pub async fn supervise(self) {
        let mut backoff = Backoff::new(&self.limits);
        while !self.stop.is_cancelled() {
            let End::Died(healthy) = self.live().await else { return };
            let wait = backoff.after(healthy);
            let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            self.record(Happening::Restarting { wait: millis });
            tokio::select! {
                () = sleep(wait) => {}
                () = self.stop.cancelled() => {}
            }
        }
        self.record(Happening::Stopped { killed: false });
    }

    async fn live(&self) -> End {
        let mut process = match self.start() {
            Ok(process) => process,
            Err(error) => {
                self.record(Happening::Exited { how: format!("{error:#}") });
                return End::Died(Duration::ZERO);
            }
        };
        self.reins.hold(Some(process.handle.clone()));
        self.record(Happening::Started { pid: process.handle.pid() });
        let mut ready_since = None;
        let how = tokio::select! {
            how = process.exit() => how,
            () = self.stop.cancelled() => {
                self.drain(process).await;
                return End::Stopped;
            }
            why = self.watch(&mut ready_since) => {
                self.record(Happening::Deaf { why: why.clone() });
                process.handle.kill();
                process.exit().await;
                why
            }
        };
        self.reins.hold(None);
        self.record(Happening::Exited { how });
        End::Died(ready_since.map_or(Duration::ZERO, |since: Instant| since.elapsed()))
    }

    fn start(&self) -> anyhow::Result<Process> {
        let socket = match &self.port {
            Some(port) => Some(port.listen()?),
            None => None,
        };
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(self.env.iter().map(|(name, value)| (name, value)));
        Ok(Process::start(&self.instance, command, socket, &self.output)?)
    }

    /// Looks again and again, and answers only when the replica has to die.
    async fn watch(&self, ready_since: &mut Option<Instant>) -> String {
        let started = Instant::now();
        let mut takes_requests = false;
        let (mut missed, mut deaf) = (0, 0);
        loop {
            let look = self.look().await;
            missed = if matches!(look, Look::Ready) { 0 } else { missed + 1 };
            deaf = if matches!(look, Look::Deaf) { deaf + 1 } else { 0 };
            if missed == 0 && !takes_requests {
                self.record(Happening::Ready);
                takes_requests = true;
                ready_since.get_or_insert_with(Instant::now);
            } else if missed >= self.limits.unready && takes_requests {
                self.record(Happening::Unready);
                takes_requests = false;
            }
            match ready_since {
                Some(_) if deaf >= self.limits.deaf => return "answers no more".to_owned(),
                Some(_) => sleep(self.limits.probe_steady).await,
                None if started.elapsed() >= self.limits.start => {
                    return format!("was not ready after {:?}", self.limits.start);
                }
                None => sleep(self.limits.probe_starting).await,
            }
        }
    }

    async fn look(&self) -> Look {
        let Some(port) = &self.port else { return Look::Ready };
        if self.probe.ready(port.address()).await {
            return Look::Ready;
        }
        match self.probe.live(port.address()).await {
            true => Look::Unready,
            false => Look::Deaf,
        }
    }

    async fn drain(&self, mut process: Process) {
        self.board.stopping(self.place);
        process.handle.terminate();
        let killed = tokio::select! {
            _ = process.exit() => false,
            () = sleep(self.limits.drain) => true,
            () = self.kill.cancelled() => true,
        };
        if killed {
            process.handle.kill();
            process.exit().await;
        }
        self.record(Happening::Stopped { killed });
    }

    fn record(&self, happening: Happening) {
        self.board.record(self.place, happening);
    }
}
