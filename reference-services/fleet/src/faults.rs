//! What goes wrong on purpose: a replica is killed (and started again, as after
//! any death), paused, or told to answer late or with failures. [`crate::control`]
//! asks for it. Every fault ends by itself, after a time that has a limit, with
//! the process that has it, and with the fleet.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use contracts::faults as wire;
use http::Method;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::board::Happening;
use crate::crew::Crew;
use crate::limits::{FAULT_ANSWER, FAULT_LONGEST, MAX_FAULTS, PAUSE_LONGEST};
use crate::probe::Probe;
use crate::process::Handle;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The process dies at once, as with `kill -9`.
    Kill,
    /// The process stands still.
    Pause,
    /// Requests are answered late.
    Latency,
    /// Requests are answered with failures.
    Error,
}

/// A fault as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// What goes wrong.
    pub kind: Kind,
    /// With whom: a service (each of its replicas), or `SERVICE/REPLICA`, where the
    /// replica is a number or a name.
    pub target: String,
    /// How long, in milliseconds. A kill takes no time.
    #[serde(default)]
    pub for_ms: u64,
    /// How much later answers come, in milliseconds.
    #[serde(default)]
    pub ms: u64,
    /// With so many of a hundred requests.
    #[serde(default)]
    pub percent: u8,
}

/// A fault that a replica has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lasting {
    /// The replica.
    pub instance: String,
    /// What goes wrong.
    pub kind: Kind,
    /// The same in words.
    pub fault: String,
    /// When it ends by itself, in milliseconds from now; 0: it is over already.
    pub ends_in_ms: u64,
}

/// Why a fault does not come.
#[derive(Debug, Error)]
pub enum FaultError {
    /// Nobody is called so.
    #[error("no service or replica is called `{target}`\nhelp: there are {known}")]
    Unknown {
        /// What was asked for.
        target: String,
        /// The replicas.
        known: String,
    },
    /// It does not run now.
    #[error("`{0}` does not run now\nhelp: `cloudscale status` tells when it is back")]
    Away(String),
    /// It would last too long, or do nothing.
    #[error("{0}")]
    Senseless(String),
    /// There are many.
    #[error("there are {MAX_FAULTS} faults already\nhelp: `cloudscale fault clear` ends them")]
    Many,
    /// The replica did not take it.
    #[error("`{instance}` did not take the fault: {why}")]
    Refused {
        /// The replica.
        instance: String,
        /// Why.
        why: String,
    },
}

/// The faults that there are.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    lasting: Mutex<Vec<Entry>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    kind: Kind,
    fault: String,
    whom: Whom,
    until: Instant,
    /// Ends it before its time.
    over: CancellationToken,
}

/// A replica with a process.
#[derive(Debug, Clone)]
struct Whom {
    place: usize,
    instance: String,
    process: Handle,
    listens: Option<std::net::SocketAddr>,
}

impl Faults {
    fn lasting(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.lasting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all of them at once; processes go on before they are told to stop.
    pub(crate) fn forget_all(&self) {
        for entry in self.lasting().drain(..) {
            if entry.kind == Kind::Pause {
                entry.whom.process.resume();
            }
            entry.over.cancel();
        }
    }
}

impl Crew {
    /// Lets something go wrong. Answers with whom.
    pub(crate) async fn hurt(self: &Arc<Self>, wish: &Wish) -> Result<Vec<Lasting>, FaultError> {
        check(wish)?;
        let whom = self.targets(&wish.target)?;
        if self.faults.lasting().len() + whom.len() > MAX_FAULTS {
            return Err(FaultError::Many);
        }
        let mut hurt = Vec::new();
        for whom in whom {
            match wish.kind {
                Kind::Kill => whom.process.kill(),
                Kind::Pause => whom.process.pause(),
                Kind::Latency | Kind::Error => self.tell(&whom, wish).await?,
            }
            let fault = words(wish);
            hurt.push(Lasting {
                instance: whom.instance.clone(),
                kind: wish.kind,
                fault: fault.clone(),
                ends_in_ms: wish.for_ms,
            });
            self.board.record(whom.place, Happening::Faulted { fault: fault.clone() });
            if wish.kind != Kind::Kill {
                self.remember(whom, wish, fault);
            }
        }
        Ok(hurt)
    }

    /// The faults that there are now, those that end first first.
    pub(crate) fn hurting(&self) -> Vec<Lasting> {
        let now = Instant::now();
        // With its process a fault has ended too.
        let gone = |entry: &Entry| {
            let status = self.board.replica(entry.whom.place);
            status.and_then(|status| status.pid) != Some(entry.whom.process.pid())
        };
        let mut lasting: Vec<Lasting> = self
            .faults
            .lasting()
            .iter()
            .filter(|entry| !gone(entry))
            .map(|entry| Lasting {
                instance: entry.whom.instance.clone(),
                kind: entry.kind,
                fault: entry.fault.clone(),
                ends_in_ms: millis(entry.until.saturating_duration_since(now)),
            })
            .collect();
        lasting.sort_by_key(|lasting| lasting.ends_in_ms);
        lasting
    }

    /// Ends faults before their time: of a target, or all. Answers which.
    pub(crate) async fn heal(&self, target: Option<&str>) -> Result<Vec<Lasting>, FaultError> {
        let whom = target.map(|target| self.targets(target)).transpose()?;
        let meant = |instance: &str| {
            whom.as_ref().is_none_or(|whom| whom.iter().any(|whom| whom.instance == instance))
        };
        let healed: Vec<Lasting> =
            self.hurting().into_iter().filter(|lasting| meant(&lasting.instance)).collect();
        let ended: Vec<Entry> = {
            let mut lasting = self.faults.lasting();
            lasting.extract_if(.., |entry| meant(&entry.whom.instance)).collect()
        };
        for entry in ended {
            self.end_fault(&entry).await;
        }
        Ok(healed)
    }

    fn targets(&self, target: &str) -> Result<Vec<Whom>, FaultError> {
        let (service, replica) = match target.split_once('/') {
            Some((service, replica)) => (service, Some(replica)),
            None => (target, None),
        };
        let members = self.members();
        let meant = members.iter().filter(|member| {
            member.service.name == service
                && replica.is_none_or(|replica| {
                    replica == member.instance || replica == member.number.to_string()
                })
        });
        let meant: Vec<_> = meant.collect();
        if meant.is_empty() {
            let known: Vec<_> = members
                .iter()
                .map(|member| format!("{}/{}", member.service.name, member.number))
                .collect();
            let (target, known) = (target.to_owned(), known.join(", "));
            return Err(FaultError::Unknown { target, known });
        }
        let running: Vec<Whom> = meant
            .iter()
            .filter_map(|member| {
                Some(Whom {
                    place: member.place,
                    instance: member.instance.clone(),
                    process: member.reins.process()?,
                    listens: self.board.replica(member.place)?.address,
                })
            })
            .collect();
        match running.is_empty() {
            true => Err(FaultError::Away(target.to_owned())),
            false => Ok(running),
        }
    }

    /// Lets a service answer late or with failures; with no time, no more.
    async fn tell(&self, whom: &Whom, wish: &Wish) -> Result<(), FaultError> {
        let refused = |why: String| FaultError::Refused { instance: whom.instance.clone(), why };
        let kind = match wish.kind {
            Kind::Latency => wire::Kind::Latency,
            _ => wire::Kind::Error,
        };
        let (Some(address), Some(control)) = (whom.listens, &self.plan.control) else {
            return Err(refused("it takes no requests".to_owned()));
        };
        let fault = wire::Fault { kind, percent: wish.percent, ms: wish.ms, for_ms: wish.for_ms };
        let body = serde_json::to_vec(&fault).map_err(|error| refused(error.to_string()))?;
        let uri = format!("http://{address}{}", wire::PATH).parse();
        let uri = uri.map_err(|error| refused(format!("{error}")))?;
        let told = Probe::new(FAULT_ANSWER)
            .tell(Method::PUT, uri, control.token.expose(), body)
            .await
            .map_err(|error| refused(format!("{error:#}")))?;
        match told {
            (status, _) if status.is_success() => Ok(()),
            (status, body) => Err(refused(format!("{status} {}", String::from_utf8_lossy(&body)))),
        }
    }

    /// Ends it when its time has come.
    fn remember(self: &Arc<Self>, whom: Whom, wish: &Wish, fault: String) {
        let lasts = Duration::from_millis(wish.for_ms);
        let id = self.faults.next.fetch_add(1, Ordering::Relaxed);
        let over = CancellationToken::new();
        let entry = Entry {
            id,
            kind: wish.kind,
            fault,
            whom,
            until: Instant::now() + lasts,
            over: over.clone(),
        };
        {
            let mut lasting = self.faults.lasting();
            // It takes the place of one that the replica has.
            let same = |other: &Entry| {
                other.kind == entry.kind && other.whom.instance == entry.whom.instance
            };
            lasting.extract_if(.., |other| same(other)).for_each(|other| other.over.cancel());
            lasting.push(entry);
        }
        let crew = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(lasts) => {}
                () = over.cancelled() => return,
            }
            let ended = {
                let mut lasting = crew.faults.lasting();
                let found = lasting.iter().position(|entry| entry.id == id);
                found.map(|index| lasting.remove(index))
            };
            if let Some(entry) = ended {
                crew.end_fault(&entry).await;
            }
        });
    }

    async fn end_fault(&self, entry: &Entry) {
        entry.over.cancel();
        let early = Instant::now() < entry.until;
        match entry.kind {
            Kind::Pause => entry.whom.process.resume(),
            // At its time the service ends it by itself.
            Kind::Latency | Kind::Error if early => {
                let (kind, target) = (entry.kind, entry.whom.instance.clone());
                let none = Wish { kind, target, for_ms: 0, ms: 0, percent: 0 };
                if let Err(error) = self.tell(&entry.whom, &none).await {
                    tracing::debug!(%error, "a fault ended with its process");
                }
            }
            _ => {}
        }
        self.board.record(entry.whom.place, Happening::Healed { fault: entry.fault.clone() });
    }
}

fn check(wish: &Wish) -> Result<(), FaultError> {
    let senseless = |words: String| Err(FaultError::Senseless(words));
    let longest = if wish.kind == Kind::Pause { PAUSE_LONGEST } else { FAULT_LONGEST };
    let lasts = Duration::from_millis(wish.for_ms);
    if wish.kind != Kind::Kill && (lasts.is_zero() || lasts > longest) {
        let longest = longest.as_secs();
        return senseless(format!(
            "the fault would last {:.1} s\nhelp: it can last up to {longest} s, as `--for {longest}s`",
            lasts.as_secs_f64()
        ));
    }
    let of_requests = matches!(wish.kind, Kind::Latency | Kind::Error);
    if of_requests && !(1..=100).contains(&wish.percent) {
        return senseless(format!(
            "{} % of the requests would meet it\nhelp: `--percent` is from 1 to 100",
            wish.percent
        ));
    }
    if wish.kind == Kind::Latency && !(1..=wire::MOST_LATE_MS).contains(&wish.ms) {
        return senseless(format!(
            "answers would come {} ms late\nhelp: `--ms` is from 1 to {}",
            wish.ms,
            wire::MOST_LATE_MS
        ));
    }
    Ok(())
}

fn words(wish: &Wish) -> String {
    let seconds = wish.for_ms as f64 / 1e3;
    match wish.kind {
        Kind::Kill => "killed".to_owned(),
        Kind::Pause => format!("paused for {seconds} s"),
        Kind::Latency => {
            format!("{} % of the answers come {} ms late for {seconds} s", wish.percent, wish.ms)
        }
        Kind::Error => {
            format!("{} % of the requests fail for {seconds} s", wish.percent)
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_would_last_too_long_or_do_nothing_is_refused_with_the_option() {
        let wish = |kind, for_ms, ms, percent| {
            check(&Wish { kind, target: "orders".to_owned(), for_ms, ms, percent })
        };
        for sound in [
            wish(Kind::Kill, 0, 0, 0),
            wish(Kind::Pause, 60_000, 0, 0),
            wish(Kind::Latency, 600_000, 10_000, 100),
            wish(Kind::Error, 1, 0, 1),
        ] {
            sound.unwrap();
        }
        for (wrong, option) in [
            (wish(Kind::Pause, 60_001, 0, 0), "--for"),
            (wish(Kind::Pause, 0, 0, 0), "--for"),
            (wish(Kind::Error, 600_001, 0, 1), "--for"),
            (wish(Kind::Error, 1, 0, 0), "--percent"),
            (wish(Kind::Error, 1, 0, 101), "--percent"),
            (wish(Kind::Latency, 1, 0, 1), "--ms"),
            (wish(Kind::Latency, 1, 10_001, 1), "--ms"),
        ] {
            let message = wrong.unwrap_err().to_string();
            assert!(message.contains(option) && message.contains("help:"), "{message}");
        }
    }
}
