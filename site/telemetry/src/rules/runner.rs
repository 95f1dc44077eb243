//! The groups that run: a task for each, which evaluates at times that stand on multiples of its interval.
//!
//! `loggia` hands in groups, again whenever a rule file changed; groups that stayed the same go on
//! undisturbed, changed ones go on with what their rules knew.

use super::file::RuleGroup;
use super::group::{GroupState, World};
use super::notice::Hears;
use super::status::{GroupStatus, status};
use super::{RuleCounters, RuleSettings};
use crate::{Backend, task};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The longest sleep, so that a clock that is set is noticed.
const LONGEST_SLEEP_MS: i64 = 5_000;

/// All rules of a server.
pub struct Rules {
    backend: Arc<Backend>,
    hears: Arc<dyn Hears>,
    cancel: CancellationToken,
    running: Mutex<Vec<Arc<Running>>>,
    /// Held while groups change, so that `running` is held for a moment only.
    loading: Mutex<()>,
    /// What was done since the start.
    pub counters: RuleCounters,
}

struct Running {
    definition: String,
    settings: RuleSettings,
    stop: CancellationToken,
    /// `None` once another group has taken what it knew.
    state: Mutex<Option<GroupState>>,
    status: RwLock<Arc<GroupStatus>>,
}

impl Rules {
    pub(crate) fn with(
        backend: Arc<Backend>,
        hears: Arc<dyn Hears>,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            backend,
            hears,
            cancel,
            running: Mutex::default(),
            loading: Mutex::default(),
            counters: RuleCounters::default(),
        }
    }

    /// No rules yet; `notifier` hears of alerts. Everything ends on `cancel`.
    pub fn new(
        backend: Arc<Backend>,
        notifier: Arc<crate::Notifier>,
        cancel: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self::with(backend, notifier, cancel))
    }

    /// Runs exactly these groups from now on. To be called within the runtime, on a thread that may wait.
    pub fn load(self: &Arc<Self>, settings: &RuleSettings, groups: Vec<RuleGroup>) {
        let _alone = lock(&self.loading);
        let (mut before, mut running) = (lock(&self.running).clone(), Vec::new());
        for group in groups {
            let definition = group.definition();
            let is_same =
                |old: &Arc<Running>| old.definition == definition && old.settings == *settings;
            if let Some(at) = before.iter().position(is_same) {
                running.push(before.remove(at));
                continue;
            }
            let named = |old: &Arc<Running>| {
                let known = old.status();
                known.name == group.name && known.file == group.file
            };
            let old = before.iter().position(named).map(|at| before.remove(at));
            let state = GroupState::new(group, old.and_then(|old| old.take()));
            let one = Arc::new(Running {
                definition,
                settings: settings.clone(),
                stop: self.cancel.child_token(),
                status: RwLock::new(Arc::new(status(&state, settings))),
                state: Mutex::new(Some(state)),
            });
            task::spawn("rules", one.stop.clone(), run(Arc::clone(self), Arc::clone(&one)));
            running.push(one);
        }
        *lock(&self.running) = running;
        let now_ms = self.backend.now_ms();
        for gone in before {
            if let Some(state) = gone.take() {
                state.end(&self.world(&gone.settings), now_ms);
            }
        }
    }

    /// How all groups are, in the order of the files.
    pub fn status(&self) -> Vec<Arc<GroupStatus>> {
        lock(&self.running).iter().map(|one| one.status()).collect()
    }

    fn world<'a>(&'a self, settings: &'a RuleSettings) -> World<'a> {
        World { backend: &self.backend, settings, counters: &self.counters, hears: &*self.hears }
    }

    /// Evaluates a group once.
    fn evaluate(&self, one: &Running, at_ms: i64) {
        let mut place = lock(&one.state);
        let Some(state) = place.as_mut().filter(|_| !one.stop.is_cancelled()) else { return };
        state.evaluate(&self.world(&one.settings), at_ms);
        let seen = Arc::new(status(state, &one.settings));
        *one.status.write().unwrap_or_else(PoisonError::into_inner) = seen;
    }
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl Running {
    fn status(&self) -> Arc<GroupStatus> {
        Arc::clone(&self.status.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stops it and gives what it knows, once an evaluation that is under way is done.
    fn take(&self) -> Option<GroupState> {
        self.stop.cancel();
        lock(&self.state).take()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn run(rules: Arc<Rules>, one: Arc<Running>) {
    let known = one.status();
    let (interval_ms, offset_ms) =
        (known.interval_ms, shift(&known.file, &known.name, known.interval_ms));
    let mut at_ms = next(rules.backend.now_ms(), interval_ms, offset_ms);
    loop {
        let left_ms = at_ms - rules.backend.now_ms();
        if left_ms > 0 {
            let sleep_ms = u64::try_from(left_ms.min(LONGEST_SLEEP_MS)).unwrap_or(1);
            tokio::time::sleep(Duration::from_millis(sleep_ms)).await;
            // A clock that was set back by much: wait for its next time, not for the old one.
            if at_ms - rules.backend.now_ms() > 2 * interval_ms {
                at_ms = next(rules.backend.now_ms(), interval_ms, offset_ms);
            }
            continue;
        }
        let (working, group) = (Arc::clone(&rules), Arc::clone(&one));
        let done = tokio::task::spawn_blocking(move || working.evaluate(&group, at_ms)).await;
        if done.is_err() {
            tracing::error!(group = known.name, "the evaluation of a group failed");
        }
        let following = next(rules.backend.now_ms().max(at_ms), interval_ms, offset_ms);
        let missed = (following - at_ms) / interval_ms - 1;
        rules.counters.missed.add(u64::try_from(missed).unwrap_or(0));
        at_ms = following;
    }
}

/// The first time after `now_ms` that stands on a multiple of the interval, moved by the offset.
fn next(now_ms: i64, interval_ms: i64, offset_ms: i64) -> i64 {
    let shifted = now_ms - offset_ms;
    shifted - shifted.rem_euclid(interval_ms) + interval_ms + offset_ms
}

/// Groups of one interval are spread over it, each always at the same place.
fn shift(file: &str, name: &str, interval_ms: i64) -> i64 {
    let hash = crate::notify::fnv(file.bytes().chain([0xff]).chain(name.bytes()));
    i64::try_from(hash % u64::try_from(interval_ms).unwrap_or(1).max(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_aligned() {
        for (now, offset, expected) in
            [(0, 0, 60), (59, 0, 60), (60, 0, 120), (61, 7, 67), (67, 7, 127), (3, 7, 7)]
        {
            assert_eq!(next(now, 60, offset), expected, "{now} {offset}");
        }
        let spread = shift("a.yml", "one", 60_000);
        assert!((0..60_000).contains(&spread) && spread == shift("a.yml", "one", 60_000));
        assert_ne!(spread, shift("a.yml", "two", 60_000));
    }
}
