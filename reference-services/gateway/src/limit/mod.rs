//! How often a client may call. Each client has a bucket of `burst` requests
//! that fills again at `per_second`. The pipeline asks a [`Gate`], which keeps
//! the buckets here ([`Limiter`]) or shares them with other gateways.
//!
//! At most [`MAX_CLIENTS`] have a bucket of their own. While so many are known,
//! all others share one bucket: whoever invents clients to get more through is
//! held up together with them, and nobody who was there before notices.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

pub mod buckets;
pub mod gate;
pub mod redis;

pub use buckets::{Asked, Away, Buckets, Memory, Taking};
pub use gate::{Gate, Shared};

/// Most clients that have a bucket of their own at a time, in each limiter.
pub const MAX_CLIENTS: usize = 100_000;

/// A client's allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Requests a second, in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once.
    pub burst: NonZeroU32,
}

impl Allowance {
    /// An allowance; zero counts as one.
    pub const fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second: at_least_one(per_second), burst: at_least_one(burst) }
    }

    /// The share of one of so many, rounded down.
    #[must_use]
    pub const fn divided(self, by: u32) -> Self {
        let by = at_least_one(by).get();
        Self::new(self.per_second.get() / by, self.burst.get() / by)
    }
}

const fn at_least_one(value: u32) -> NonZeroU32 {
    match NonZeroU32::new(value) {
        Some(value) => value,
        None => NonZeroU32::MIN,
    }
}

/// The allowances of the gateway.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of one network address, which many customers may share.
    pub address: Allowance,
    /// Of one account.
    pub account: Allowance,
}

impl Default for Limits {
    fn default() -> Self {
        Self { address: Allowance::new(5_000, 10_000), account: Allowance::new(100, 200) }
    }
}

/// What a client is told, allowed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the request may go on.
    pub allowed: bool,
    /// The bucket's size.
    pub limit: u32,
    /// Requests that are left at once.
    pub remaining: u32,
    /// When the bucket is full again, in whole seconds.
    pub reset_s: u64,
    /// When to try again, in whole seconds; 0 when the request is allowed.
    pub retry_after_s: u64,
}

type Governed<K, C> = RateLimiter<K, Bounded<K>, C, StateInformationMiddleware>;

/// Limits the clients that `K` tells apart. Clones share the buckets.
pub struct Limiter<K: Clone + Hash + Eq, C: Clock = MonotonicClock> {
    allowance: Allowance,
    buckets: Arc<Governed<K, C>>,
    clock: C,
}

impl<K: Clone + Hash + Eq, C: Clock + Clone> Clone for Limiter<K, C> {
    fn clone(&self) -> Self {
        Self {
            allowance: self.allowance,
            buckets: Arc::clone(&self.buckets),
            clock: self.clock.clone(),
        }
    }
}

impl<K: Clone + Hash + Eq, C: Clock> std::fmt::Debug for Limiter<K, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter").field("allowance", &self.allowance).finish_non_exhaustive()
    }
}

impl<K: Clone + Hash + Eq> Limiter<K> {
    /// A limiter on the system's clock.
    pub fn new(allowance: Allowance) -> Self {
        Self::with_clock(allowance, MonotonicClock)
    }
}

impl<K: Clone + Hash + Eq, C: Clock + Clone> Limiter<K, C> {
    /// A limiter on any clock.
    pub fn with_clock(allowance: Allowance, clock: C) -> Self {
        Self::with_room(allowance, clock, MAX_CLIENTS)
    }

    fn with_room(allowance: Allowance, clock: C, room: usize) -> Self {
        let quota = Quota::per_second(allowance.per_second).allow_burst(allowance.burst);
        let store = Bounded { room, own: DashMapStateStore::default(), shared: Default::default() };
        let buckets = RateLimiter::new(quota, store, clock.clone());
        Self { allowance, buckets: Arc::new(buckets), clock }
    }

    /// Takes one request out of the client's bucket, if it holds one.
    pub fn check(&self, client: &K) -> Verdict {
        let limit = self.allowance.burst.get();
        match self.buckets.check_key(client) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let reset_s = self.refill_s(limit.saturating_sub(remaining));
                Verdict { allowed: true, limit, remaining, reset_s, retry_after_s: 0 }
            }
            Err(refused) => {
                let wait = refused.wait_time_from(self.clock.now());
                let retry_after_s = whole_seconds(wait).max(1);
                let reset_s = self.refill_s(limit);
                Verdict { allowed: false, limit, remaining: 0, reset_s, retry_after_s }
            }
        }
    }

    /// Forgets the clients whose buckets are full: they are as good as new.
    pub fn forget_quiet(&self) {
        self.buckets.retain_recent();
        self.buckets.shrink_to_fit();
    }

    fn refill_s(&self, missing: u32) -> u64 {
        u64::from(missing.div_ceil(self.allowance.per_second.get()))
    }
}

/// A bucket for each client while there is room, and one for all others.
struct Bounded<K: Hash + Eq + Clone> {
    room: usize,
    own: DashMapStateStore<K>,
    shared: InMemoryState,
}

impl<K: Hash + Eq + Clone> StateStore for Bounded<K> {
    type Key = K;

    // Clients that come at the very same moment may go over the room by one each.
    fn measure_and_replace<T, F, E>(&self, client: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if self.own.contains_key(client) || self.own.len() < self.room {
            self.own.measure_and_replace(client, measure)
        } else {
            self.shared.measure_and_replace(&NotKeyed::NonKey, measure)
        }
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Bounded<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.own.retain_recent(drop_below);
    }

    fn shrink_to_fit(&self) {
        self.own.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.own.len()
    }

    fn is_empty(&self) -> bool {
        self.own.is_empty()
    }
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    /// Every way to call, however uneven, gets at most `limit x window + burst`
    /// requests through in any window.
    #[test]
    fn no_window_holds_more_than_the_limit_and_the_burst() {
        let cases = [(10, 5, 1), (100, 200, 3), (1, 1, 70), (50, 10, 0)];
        for (per_second, burst, pause_ms) in cases {
            let clock = FakeRelativeClock::default();
            let limiter = Limiter::with_clock(Allowance::new(per_second, burst), clock.clone());
            let mut passed_ms = Vec::new();
            let mut now_ms = 0_u64;
            for round in 0..4000_u64 {
                // Bursts of different sizes with pauses of different lengths.
                let pause = if round % 97 == 0 { 900 } else { pause_ms * (round % 3) };
                clock.advance(Duration::from_millis(pause));
                now_ms += pause;
                if limiter.check(&"client").allowed {
                    passed_ms.push(now_ms);
                }
            }
            check_windows(&passed_ms, per_second, burst);
        }
    }

    fn check_windows(passed_ms: &[u64], per_second: u32, burst: u32) {
        for (first, start) in passed_ms.iter().enumerate() {
            for (last, end) in passed_ms.iter().enumerate().skip(first).step_by(7) {
                let allowed = f64::from(per_second) * ((end - start) as f64 / 1000.0);
                let count = (last - first + 1) as f64;
                assert!(count <= allowed + f64::from(burst) + 1e-9, "{count} in {start}..{end} ms");
            }
        }
    }

    #[test]
    fn one_client_does_not_use_up_anothers_allowance() {
        let limiter = Limiter::with_clock(Allowance::new(1, 2), FakeRelativeClock::default());
        let allowed = |client| limiter.check(&client).allowed;
        assert_eq!([allowed("a"), allowed("a"), allowed("a")], [true, true, false]);
        assert!(allowed("b"));
        let refused = limiter.check(&"a");
        assert_eq!((refused.remaining, refused.retry_after_s, refused.reset_s), (0, 1, 2));
    }

    #[test]
    fn clients_beyond_the_room_share_one_bucket() {
        let clock = FakeRelativeClock::default();
        let limiter = Limiter::with_room(Allowance::new(1, 2), clock.clone(), 3);
        let allowed = |client: u32| limiter.check(&client).allowed;
        assert!((0..3).all(allowed));
        assert_eq!([allowed(3), allowed(4), allowed(5)], [true, true, false]);
        assert_eq!([allowed(0), allowed(0)], [true, false], "who has a bucket keeps it");
        assert_eq!(limiter.buckets.len(), 3);
        clock.advance(Duration::from_secs(10));
        limiter.forget_quiet();
        assert_eq!([allowed(5), allowed(5), allowed(5)], [true, true, false]);
        assert_eq!(limiter.buckets.len(), 1);
    }

    #[test]
    fn quiet_clients_are_forgotten() {
        let clock = FakeRelativeClock::default();
        let limiter = Limiter::with_clock(Allowance::new(1, 2), clock.clone());
        assert!((0..100).all(|client| limiter.check(&client).allowed));
        clock.advance(Duration::from_secs(10));
        limiter.forget_quiet();
        assert_eq!(limiter.buckets.len(), 0);
    }
}
