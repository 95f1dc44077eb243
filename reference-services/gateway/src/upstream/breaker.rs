//! A circuit breaker: while a peer fails, calls to it end here and at once. It
//! is a machine of three states that is told the time:
//!
//! - *closed*: calls pass. When enough of them failed lately, it opens.
//! - *open*: no call passes, for a while that doubles each time in a row.
//! - *half-open*: a few probes pass at a time. One that fails opens it again;
//!   enough that succeed close it.
//!
//! `peer` asks before each call. Every transition is written down, and
//! [`illegal`] says which of them the picture above does not have: that check
//! knows nothing of the machine.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most transitions that are remembered.
pub const MAX_JOURNAL: usize = 256;

/// Parts that the window of the last calls is made of.
const SLICES: usize = 10;

/// When to open, and when to close again.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// How far back calls count.
    pub window: Duration,
    /// Fewer calls than this say nothing.
    pub least_calls: u32,
    /// Open from this share of failed calls on.
    pub failed_share: f64,
    /// How long it stays open the first time.
    pub open_for: Duration,
    /// How long it stays open at most.
    pub open_at_most: Duration,
    /// Probes that may be under way at once.
    pub probes: u32,
    /// Probes that have to succeed before it closes.
    pub successes: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            least_calls: 20,
            failed_share: 0.5,
            open_for: Duration::from_secs(1),
            open_at_most: Duration::from_secs(15),
            probes: 3,
            successes: 3,
        }
    }
}

/// What a breaker does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Calls pass.
    Closed,
    /// No call passes.
    Open,
    /// Probes pass.
    HalfOpen,
}

impl State {
    /// Its name, a label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// From what.
    pub from: State,
    /// To what.
    pub to: State,
}

/// What has become of a breaker.
#[derive(Debug, Clone)]
pub struct Record {
    /// What it does now.
    pub state: State,
    /// Its last transitions, the oldest first.
    pub journal: Vec<Transition>,
    /// Most probes that were ever under way at once.
    pub most_probes: u32,
}

/// Transitions that a breaker must not make, or that do not follow from the one before.
pub fn illegal(journal: &[Transition]) -> usize {
    use State::{Closed, HalfOpen, Open};
    let known = [(Closed, Open), (Open, HalfOpen), (HalfOpen, Open), (HalfOpen, Closed)];
    let strange = journal.iter().filter(|step| !known.contains(&(step.from, step.to)));
    let torn = journal.windows(2).filter(|pair| pair[0].to != pair[1].from);
    strange.count() + torn.count()
}

/// The breaker of one peer.
#[derive(Debug)]
pub struct Breaker {
    policy: Policy,
    machine: Mutex<Machine>,
}

#[derive(Debug)]
struct Machine {
    state: State,
    /// Counts the transitions: a call that began before the last one says nothing.
    round: u64,
    slices: [Slice; SLICES],
    start: Instant,
    opened: Instant,
    opened_in_a_row: u32,
    probes: u32,
    most_probes: u32,
    successes: u32,
    journal: VecDeque<Transition>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    number: u64,
    calls: u32,
    failed: u32,
}

/// Leave to make one call. Dropped unsettled, the call counts for nothing.
#[derive(Debug)]
#[must_use]
pub struct Pass<'a> {
    breaker: &'a Breaker,
    round: u64,
    probe: bool,
    settled: bool,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(policy: Policy, now: Instant) -> Self {
        let machine = Machine {
            state: State::Closed,
            round: 0,
            slices: [Slice::default(); SLICES],
            start: now,
            opened: now,
            opened_in_a_row: 0,
            probes: 0,
            most_probes: 0,
            successes: 0,
            journal: VecDeque::new(),
        };
        Self { policy, machine: Mutex::new(machine) }
    }

    /// Whether a call may pass now; if not, after how long to ask again.
    pub fn admit(&self, now: Instant) -> Result<Pass<'_>, Duration> {
        let mut machine = self.machine();
        if machine.state == State::Open {
            let left = machine.open_for(&self.policy).saturating_sub(now - machine.opened);
            if !left.is_zero() {
                return Err(left);
            }
            machine.turn(State::HalfOpen);
        }
        let probe = machine.state == State::HalfOpen;
        if probe {
            if machine.probes >= self.policy.probes {
                return Err(self.policy.open_for);
            }
            machine.probes += 1;
            machine.most_probes = machine.most_probes.max(machine.probes);
        }
        Ok(Pass { breaker: self, round: machine.round, probe, settled: false })
    }

    /// What has become of it.
    pub fn record(&self) -> Record {
        let machine = self.machine();
        Record {
            state: machine.state,
            journal: machine.journal.iter().copied().collect(),
            most_probes: machine.most_probes,
        }
    }

    /// What it does now.
    pub fn state(&self) -> State {
        self.machine().state
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Says how the call ended. Answers the state that the breaker took on because of it.
    pub fn settle(mut self, succeeded: bool, now: Instant) -> Option<Transition> {
        self.settled = true;
        let policy = &self.breaker.policy;
        let mut machine = self.breaker.machine();
        if machine.round != self.round {
            return None;
        }
        if self.probe {
            machine.probes -= 1;
        }
        match (machine.state, succeeded) {
            (State::Closed, _) => {
                machine.count(policy, succeeded, now);
                machine.has_failed(policy, now).then(|| machine.open(now))
            }
            (State::HalfOpen, false) => Some(machine.open(now)),
            (State::HalfOpen, true) => {
                machine.successes += 1;
                (machine.successes >= policy.successes).then(|| machine.close())
            }
            (State::Open, _) => None,
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.settled || !self.probe {
            return;
        }
        let mut machine = self.breaker.machine();
        if machine.round == self.round {
            machine.probes -= 1;
        }
    }
}

impl Machine {
    fn open_for(&self, policy: &Policy) -> Duration {
        let doublings = self.opened_in_a_row.saturating_sub(1).min(16);
        policy.open_for.saturating_mul(1 << doublings).min(policy.open_at_most)
    }

    fn open(&mut self, now: Instant) -> Transition {
        self.opened = now;
        self.opened_in_a_row += 1;
        self.turn(State::Open)
    }

    fn close(&mut self) -> Transition {
        self.opened_in_a_row = 0;
        self.slices = [Slice::default(); SLICES];
        self.turn(State::Closed)
    }

    fn turn(&mut self, to: State) -> Transition {
        let transition = Transition { from: self.state, to };
        self.state = to;
        self.round += 1;
        (self.probes, self.successes) = (0, 0);
        if self.journal.len() == MAX_JOURNAL {
            self.journal.pop_front();
        }
        self.journal.push_back(transition);
        transition
    }

    fn number(&self, policy: &Policy, now: Instant) -> u64 {
        let slice = (policy.window / SLICES as u32).max(Duration::from_millis(1));
        let number = (now - self.start).as_nanos() / slice.as_nanos();
        // Slice 0 is where every slice begins; real ones count from 1.
        u64::try_from(number).unwrap_or(u64::MAX - 1) + 1
    }

    fn count(&mut self, policy: &Policy, succeeded: bool, now: Instant) {
        let number = self.number(policy, now);
        let slice = &mut self.slices[(number % SLICES as u64) as usize];
        if slice.number != number {
            *slice = Slice { number, ..Slice::default() };
        }
        slice.calls += 1;
        slice.failed += u32::from(!succeeded);
    }

    fn has_failed(&self, policy: &Policy, now: Instant) -> bool {
        let oldest = self.number(policy, now).saturating_sub(SLICES as u64 - 1);
        let recent = self.slices.iter().filter(|slice| slice.number >= oldest.max(1));
        let (calls, failed) = recent
            .fold((0, 0), |(calls, failed), slice| (calls + slice.calls, failed + slice.failed));
        calls >= policy.least_calls && f64::from(failed) >= policy.failed_share * f64::from(calls)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STEP: Duration = Duration::from_millis(100);

    fn breaker() -> (Breaker, Instant) {
        let now = Instant::now();
        (Breaker::new(Policy { least_calls: 4, ..Policy::default() }, now), now)
    }

    fn fail(breaker: &Breaker, times: usize, now: Instant) {
        for _ in 0..times {
            let _ = breaker.admit(now).unwrap().settle(false, now);
        }
    }

    #[test]
    fn it_opens_probes_and_closes() {
        let (breaker, start) = breaker();
        fail(&breaker, 3, start);
        assert_eq!(breaker.state(), State::Closed, "three calls say nothing");
        fail(&breaker, 1, start);
        assert_eq!(breaker.admit(start + STEP).unwrap_err(), Duration::from_millis(900));
        let later = start + Duration::from_secs(1);
        let probes: Vec<_> = (0..3).map(|_| breaker.admit(later).unwrap()).collect();
        assert!(breaker.admit(later).is_err(), "a fourth probe");
        for probe in probes {
            let _ = probe.settle(true, later);
        }
        let record = breaker.record();
        assert_eq!((record.state, record.most_probes), (State::Closed, 3));
        assert_eq!((record.journal.len(), illegal(&record.journal)), (3, 0));
    }

    #[test]
    fn a_probe_that_fails_opens_it_for_longer() {
        let (breaker, mut now) = breaker();
        fail(&breaker, 4, now);
        for seconds in [1, 2, 4, 8, 15, 15] {
            assert_eq!(breaker.admit(now).unwrap_err(), Duration::from_secs(seconds));
            now += Duration::from_secs(seconds);
            fail(&breaker, 1, now);
        }
        assert_eq!(illegal(&breaker.record().journal), 0);
    }

    #[test]
    fn who_goes_away_gives_the_probe_back_and_who_comes_late_says_nothing() {
        let (breaker, start) = breaker();
        let late = breaker.admit(start).unwrap();
        fail(&breaker, 4, start);
        let now = start + Duration::from_secs(1);
        for _ in 0..10 {
            drop(breaker.admit(now).unwrap());
        }
        assert_eq!(late.settle(false, now), None);
        assert_eq!(breaker.state(), State::HalfOpen);
    }

    #[test]
    fn old_failures_are_forgotten() {
        let (breaker, start) = breaker();
        fail(&breaker, 3, start);
        fail(&breaker, 3, start + Duration::from_secs(11));
        assert_eq!(breaker.state(), State::Closed);
        fail(&breaker, 1, start + Duration::from_secs(12));
        assert_eq!(breaker.state(), State::Open);
    }

    #[test]
    fn the_check_finds_what_is_not_legal() {
        use State::{Closed, HalfOpen, Open};
        let step = |from, to| Transition { from, to };
        let cases = [
            (vec![step(Closed, Open), step(Open, HalfOpen), step(HalfOpen, Closed)], 0),
            (vec![step(Closed, HalfOpen)], 1),
            (vec![step(Open, Closed)], 1),
            (vec![step(Closed, Open), step(HalfOpen, Open)], 1),
        ];
        for (journal, found) in cases {
            assert_eq!(illegal(&journal), found, "{journal:?}");
        }
    }
}
