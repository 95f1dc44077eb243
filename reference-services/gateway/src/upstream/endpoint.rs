//! One replica of a peer, and how well it does: calls under way, the time they
//! take lately, failures in a row, and whether it says that it is ready. From
//! that [`choose`] sees which of two is the better one (the power of two
//! choices). A failure counts as a slow call, whatever time it took: a replica
//! that fails fast must not look fast.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a failed call counts as.
pub const PENALTY: Duration = Duration::from_secs(2);

/// After this time, a third of what was measured is left.
pub const MEMORY: Duration = Duration::from_secs(2);

/// Replicas that take less than this are equally fast.
pub const EQUAL: Duration = Duration::from_millis(5);

/// Replicas whose times differ by less than this factor are too: then the one
/// with fewer calls under way is the better one.
pub const ALIKE: f64 = 2.0;

/// Failures in a row after which a replica is left out for a while.
pub const EJECT_AFTER: u32 = 5;

/// How long it is left out the first time; each further one doubles it.
pub const EJECTED_FOR: Duration = Duration::from_secs(2);

/// How long it is left out at most.
pub const EJECTED_AT_MOST: Duration = Duration::from_secs(30);

/// Health checks in a row that fail before a replica counts as not ready.
pub const FAILED_CHECKS: u32 = 2;

/// A replica.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its version.
    pub version: String,
    in_flight: AtomicU32,
    ready: AtomicBool,
    draining: AtomicBool,
    failed_checks: AtomicU32,
    score: Mutex<Score>,
}

#[derive(Debug)]
struct Score {
    seconds: f64,
    at: Instant,
    failed_in_a_row: u32,
    ejected: u32,
    ejected_until: Option<Instant>,
}

/// A call that is under way. It ends when this is dropped.
#[derive(Debug)]
pub struct UnderWay<'a>(&'a Endpoint);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Endpoint {
    /// A replica of which nothing is known yet.
    pub fn new(address: SocketAddr, version: String, now: Instant) -> Self {
        let score =
            Score { seconds: 0.0, at: now, failed_in_a_row: 0, ejected: 0, ejected_until: None };
        Self {
            address,
            version,
            in_flight: AtomicU32::new(0),
            ready: AtomicBool::new(true),
            draining: AtomicBool::new(false),
            failed_checks: AtomicU32::new(0),
            score: Mutex::new(score),
        }
    }

    /// A call begins.
    pub fn begin(&self) -> UnderWay<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        UnderWay(self)
    }

    /// Calls that are under way.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// A call has ended. Answers whether the replica is left out from now on.
    pub fn ended(&self, succeeded: bool, took: Duration, now: Instant) -> bool {
        let took = if succeeded { took } else { took.max(PENALTY) };
        let mut score = self.score();
        score.measured(took.as_secs_f64(), now);
        if succeeded {
            (score.failed_in_a_row, score.ejected) = (0, 0);
            return false;
        }
        score.failed_in_a_row += 1;
        if score.failed_in_a_row < EJECT_AFTER {
            return false;
        }
        score.failed_in_a_row = 0;
        let pause = EJECTED_FOR.saturating_mul(1 << score.ejected.min(8)).min(EJECTED_AT_MOST);
        score.ejected += 1;
        score.ejected_until = Some(now + pause);
        true
    }

    /// A health check has ended. Answers whether that changes what it is taken for.
    pub fn checked(&self, ready: bool) -> bool {
        let failed = if ready { 0 } else { self.failed_checks.load(Ordering::Relaxed) + 1 };
        self.failed_checks.store(failed, Ordering::Relaxed);
        let ready = failed < FAILED_CHECKS;
        self.ready.swap(ready, Ordering::Relaxed) != ready
    }

    /// It says itself that it takes no requests now: that need not be asked twice.
    pub fn says_no(&self) {
        self.failed_checks.store(FAILED_CHECKS, Ordering::Relaxed);
        self.ready.store(false, Ordering::Relaxed);
    }

    /// Its fleet says whether it was told to end, whatever it says itself.
    pub fn set_draining(&self, draining: bool) {
        self.draining.store(draining, Ordering::Relaxed);
    }

    /// Whether it takes requests, as far as it and its fleet say.
    pub fn ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed) && !self.draining.load(Ordering::Relaxed)
    }

    /// Whether it is ready and not left out.
    pub fn usable(&self, now: Instant) -> bool {
        self.ready() && self.score().ejected_until.is_none_or(|until| until <= now)
    }

    /// Whether one more call is expected to cost less here than at another one.
    fn is_better_than(&self, other: &Self, now: Instant) -> bool {
        let [own, theirs] = [self, other].map(|one| one.score().left(now).max(EQUAL.as_secs_f64()));
        let [busy, they_are] = [self, other].map(|one| f64::from(one.in_flight() + 1));
        if own < theirs * ALIKE && theirs < own * ALIKE {
            return busy < they_are;
        }
        own * busy < theirs * they_are
    }

    fn score(&self) -> MutexGuard<'_, Score> {
        self.score.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Score {
    fn left(&self, now: Instant) -> f64 {
        self.seconds * (-self.since(now) / MEMORY.as_secs_f64()).exp()
    }

    fn since(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.at).as_secs_f64()
    }

    /// Follows a peak at once, and comes down slowly.
    fn measured(&mut self, seconds: f64, now: Instant) {
        let left = self.left(now);
        let weight = (-self.since(now) / MEMORY.as_secs_f64()).exp().min(0.9);
        self.seconds = seconds.max(left * weight + seconds * (1.0 - weight));
        self.at = now;
    }
}

/// The cheaper one of two that `draw` picks (it answers a number below its
/// argument). Those that are not usable and the one that was `tried` before are
/// left out, unless nobody else is there: then any is better than none.
pub fn choose(
    group: &[Arc<Endpoint>],
    tried: Option<SocketAddr>,
    now: Instant,
    mut draw: impl FnMut(usize) -> usize,
) -> Option<&Arc<Endpoint>> {
    if let [only] = group {
        return Some(only);
    }
    let fresh = |endpoint: &&Arc<Endpoint>| tried != Some(endpoint.address);
    let mut left: Vec<_> =
        group.iter().filter(fresh).filter(|endpoint| endpoint.usable(now)).collect();
    if left.is_empty() {
        left = group.iter().filter(|endpoint| endpoint.usable(now)).collect();
    }
    if left.is_empty() {
        left = group.iter().collect();
    }
    let first = left.get(draw(left.len().max(1)))?;
    if left.len() == 1 {
        return Some(first);
    }
    let others: Vec<_> = left.iter().filter(|other| !Arc::ptr_eq(other, first)).collect();
    let second = others.get(draw(others.len().max(1)))?;
    Some(if second.is_better_than(first, now) { second } else { first })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::{Rng, SeedableRng};

    use super::*;

    fn group(size: u16, now: Instant) -> Vec<Arc<Endpoint>> {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        (1..=size).map(|port| Arc::new(Endpoint::new(address(port), "1".to_owned(), now))).collect()
    }

    /// Draws by chance, the same each time.
    fn chance() -> impl FnMut(usize) -> usize {
        let mut chance = rand::rngs::StdRng::seed_from_u64(7);
        move |below| chance.random_range(0..below)
    }

    #[test]
    fn one_that_fails_fast_is_not_taken_for_fast() {
        let now = Instant::now();
        let group = group(2, now);
        let mut draw = chance();
        let mut calls = [0, 0];
        for round in 0..200 {
            let now = now + Duration::from_millis(10 * round);
            let chosen = choose(&group, None, now, &mut draw).unwrap();
            let broken = chosen.address.port() == 1;
            calls[usize::from(!broken)] += 1;
            let took = Duration::from_millis(if broken { 0 } else { 20 });
            chosen.ended(!broken, took, now);
        }
        assert!(calls[0] <= 5, "{calls:?}");
    }

    #[test]
    fn who_fails_in_a_row_is_left_out_and_comes_back() {
        let mut now = Instant::now();
        let group = group(2, now);
        for pause in [2, 4, 8, 16, 30, 30] {
            let ejected: Vec<_> =
                (0..EJECT_AFTER).map(|_| group[0].ended(false, PENALTY, now)).collect();
            assert_eq!(ejected.iter().filter(|ejected| **ejected).count(), 1);
            assert!(!group[0].usable(now + Duration::from_secs(pause) - MEMORY / 1_000));
            now += Duration::from_secs(pause);
            assert!(group[0].usable(now));
        }
        group[0].ended(true, Duration::ZERO, now);
        assert!(group[0].usable(now));
    }

    #[test]
    fn who_is_not_ready_gets_nothing_while_another_is() {
        let now = Instant::now();
        let group = group(3, now);
        let chosen = |tried| {
            let mut draw = chance();
            let mut ports: Vec<_> = (0..30)
                .map(|_| choose(&group, tried, now, &mut draw).unwrap().address.port())
                .collect();
            ports.sort_unstable();
            ports.dedup();
            ports
        };
        assert!(!group[0].checked(false) && group[0].checked(false), "the second one counts");
        assert_eq!(chosen(None), [2, 3]);
        assert_eq!(chosen(Some(group[1].address)), [3]);
        group[1].says_no();
        assert_eq!(chosen(None), [3]);
        assert_eq!(chosen(Some(group[2].address)), [3]);
        group[2].set_draining(true);
        assert_eq!(chosen(None), [1, 2, 3], "any is better than none");
        assert!(group[0].checked(true));
        assert_eq!(chosen(None), [1]);
    }
}
