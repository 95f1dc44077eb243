//! What the fleet knows about its replicas, and what happened to them.
//! `supervise` writes; `discovery`, `fleet` and the terminal read.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, watch};

use crate::limits::{EVENT_BACKLOG, EVENT_LIMIT};

/// Where a replica stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not started yet.
    Waiting,
    /// Runs, but has not been ready in this life.
    Starting,
    /// Takes requests.
    Ready,
    /// Was ready, runs, and takes no requests now.
    Unready,
    /// Has died and is started again after a wait.
    Restarting,
    /// Was told to end and finishes what is open.
    Stopping,
    /// Ended on purpose.
    Stopped,
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Unready => "unready",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}

/// A replica, as `GET /status` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Name of the service.
    pub name: String,
    /// Name of the replica.
    pub instance: String,
    /// Version that the replica was started as.
    pub version: String,
    /// The process, while there is one.
    pub pid: Option<u32>,
    /// Where it listens, if it does.
    pub address: Option<SocketAddr>,
    /// Where it stands.
    pub state: State,
    /// How often it was started again.
    pub restarts: u32,
    /// Since when it stands there, in milliseconds since 1970.
    pub since: i64,
    /// Whether it was ever ready.
    pub was_ready: bool,
    /// How its last life ended, for example `signal 9`.
    pub last_exit: Option<String>,
    /// Its version is on trial with so many percent of the customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary_percent: Option<u8>,
}

/// Something that happened to a replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Name of the replica.
    pub instance: String,
    /// What.
    #[serde(flatten)]
    pub happening: Happening,
}

/// What can happen to a replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Happening {
    /// A process was started.
    Started {
        /// Its number.
        pid: u32,
    },
    /// It takes requests for the first time in this life, or again.
    Ready,
    /// It answers, but takes no requests.
    Unready,
    /// It has to be killed.
    Deaf {
        /// Why.
        why: String,
    },
    /// It ended without being told to, or could not be started.
    Exited {
        /// How, for example `signal 9`.
        how: String,
    },
    /// It will be started again.
    Restarting {
        /// After this wait, in milliseconds.
        wait: u64,
    },
    /// It was told to end and has ended.
    Stopped {
        /// Whether it had to be killed.
        killed: bool,
    },
    /// A fault was asked for, and it has it now.
    Faulted {
        /// Which, in words.
        fault: String,
    },
    /// A fault has ended.
    Healed {
        /// Which, in words.
        fault: String,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.instance;
        match &self.happening {
            Happening::Started { pid } => write!(out, "{name} started (pid {pid})"),
            Happening::Ready => write!(out, "{name} is ready"),
            Happening::Unready => write!(out, "{name} takes no requests"),
            Happening::Deaf { why } => write!(out, "{name} {why}, it is killed"),
            Happening::Exited { how } => write!(out, "{name} ended with {how}"),
            Happening::Restarting { wait } => {
                write!(out, "{name} starts again in {:.1} s", *wait as f64 / 1e3)
            }
            Happening::Stopped { killed: false } => write!(out, "{name} stopped"),
            Happening::Stopped { killed: true } => {
                write!(out, "{name} did not finish in time and was killed")
            }
            Happening::Faulted { fault } => write!(out, "{name} has a fault: {fault}"),
            Happening::Healed { fault } => write!(out, "{name} is healed: {fault}"),
        }
    }
}

/// The fleet's knowledge, shared by its tasks.
#[derive(Debug)]
pub struct Board {
    inner: Mutex<Inner>,
    changes: watch::Sender<()>,
    listeners: broadcast::Sender<Event>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By place, which no two replicas ever share.
    replicas: BTreeMap<usize, Status>,
    next: usize,
    events: VecDeque<Event>,
}

impl Default for Board {
    fn default() -> Self {
        let (listeners, _) = broadcast::channel(EVENT_BACKLOG);
        Self { inner: Mutex::default(), changes: watch::Sender::new(()), listeners }
    }
}

impl Board {
    /// Adds a replica that waits for its start, and answers its place.
    pub fn add(
        &self,
        name: &str,
        instance: &str,
        version: &str,
        address: Option<SocketAddr>,
    ) -> usize {
        let mut inner = self.lock();
        let place = inner.next;
        inner.next += 1;
        let status = Status {
            name: name.to_owned(),
            instance: instance.to_owned(),
            version: version.to_owned(),
            pid: None,
            address,
            state: State::Waiting,
            restarts: 0,
            since: now(),
            was_ready: false,
            last_exit: None,
            canary_percent: None,
        };
        inner.replicas.insert(place, status);
        place
    }

    /// Says that the replica at `place` is on trial, or is no longer.
    pub fn on_trial(&self, place: usize, percent: Option<u8>) {
        if let Some(replica) = self.lock().replicas.get_mut(&place) {
            replica.canary_percent = percent;
        }
    }

    /// Forgets the replica at `place`: it has ended for good.
    pub fn remove(&self, place: usize) {
        self.lock().replicas.remove(&place);
        self.changes.send_replace(());
    }

    /// Records that the replica at `place` is told to end.
    pub fn stopping(&self, place: usize) {
        if let Some(replica) = self.lock().replicas.get_mut(&place) {
            self.turn(replica, State::Stopping);
        }
    }

    /// Records what happened to the replica at `place`.
    pub fn record(&self, place: usize, happening: Happening) {
        let mut inner = self.lock();
        let Some(replica) = inner.replicas.get_mut(&place) else { return };
        match &happening {
            Happening::Started { pid } => {
                replica.restarts += u32::from(replica.last_exit.is_some());
                replica.pid = Some(*pid);
                self.turn(replica, State::Starting);
            }
            Happening::Ready => {
                replica.was_ready = true;
                self.turn(replica, State::Ready);
            }
            Happening::Unready => self.turn(replica, State::Unready),
            Happening::Deaf { .. } | Happening::Faulted { .. } | Happening::Healed { .. } => {}
            Happening::Exited { how } => {
                replica.pid = None;
                replica.last_exit = Some(how.clone());
                self.turn(replica, State::Restarting);
            }
            Happening::Restarting { .. } => self.turn(replica, State::Restarting),
            Happening::Stopped { .. } => {
                replica.pid = None;
                self.turn(replica, State::Stopped);
            }
        }
        let event = Event { at: now(), instance: replica.instance.clone(), happening };
        if inner.events.len() == EVENT_LIMIT {
            inner.events.pop_front();
        }
        inner.events.push_back(event.clone());
        // Nobody may be listening.
        let _ = self.listeners.send(event);
    }

    fn turn(&self, replica: &mut Status, state: State) {
        // Who was told to end takes no requests any more, whatever he says.
        if replica.state == State::Stopping && state != State::Stopped {
            return;
        }
        if replica.state != state {
            replica.since = now();
        }
        replica.state = state;
        self.changes.send_replace(());
    }

    /// Every replica as it stands now, in the order of their start.
    pub fn replicas(&self) -> Vec<Status> {
        self.lock().replicas.values().cloned().collect()
    }

    /// The replica at `place`, unless it was removed.
    pub fn replica(&self, place: usize) -> Option<Status> {
        self.lock().replicas.get(&place).cloned()
    }

    /// What happened, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.iter().cloned().collect()
    }

    /// What happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.listeners.subscribe()
    }

    /// Wakes whenever a replica's state changes.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_counted_and_events_are_bounded() {
        let board = Board::default();
        let place = board.add("orders", "orders-1", "1", None);
        let lives = EVENT_LIMIT;
        for pid in 0..lives as u32 {
            board.record(place, Happening::Started { pid });
            board.record(place, Happening::Exited { how: "signal 9".to_owned() });
        }
        let status = &board.replicas()[place];
        assert_eq!(status.restarts as usize, lives - 1);
        assert_eq!((status.state, status.pid), (State::Restarting, None));
        assert_eq!(board.events().len(), EVENT_LIMIT);
    }
}
