//! Buckets that several gateways share, so that a limit holds over all of them.
//! [`Buckets`] is the seam to whatever keeps them; [`Memory`] keeps them in this
//! process, for gateways that run in it, and for each gateway's own share while
//! the others cannot be reached ([`super::gate`]).
//!
//! A bucket is one number, the time at which it will be full again (the generic
//! cell rate algorithm of ATM, ITU-T I.371): the same in any store.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use thiserror::Error;

use super::{Allowance, MAX_CLIENTS, Verdict};

/// The store of the buckets cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the store of the rate limits cannot be asked: {0}")]
pub struct Away(pub String);

/// What asking for a request comes to.
pub type Taking<'a> = Pin<Box<dyn Future<Output = Result<Verdict, Away>> + Send + 'a>>;

/// What asking is about.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Whose bucket, for example `account:0198...`.
    pub key: &'a str,
    /// How large it is, and how fast it fills.
    pub allowance: Allowance,
    /// Requests that were let through without asking, which are taken out first
    /// whether the bucket holds them or not.
    pub owed: u32,
    /// Whether one request more is wanted.
    pub wanted: bool,
}

/// Keeps buckets for several gateways.
pub trait Buckets: fmt::Debug + Send + Sync + 'static {
    /// Takes what is owed out of a bucket, and then one request if it is wanted
    /// and there: both in one step, whoever else asks at the same time.
    fn take<'a>(&'a self, asked: Asked<'a>) -> Taking<'a>;
}

/// Buckets in this process.
#[derive(Debug)]
pub struct Memory {
    start: Instant,
    /// When each bucket will be full again, in nanoseconds after `start`.
    full_at: Mutex<HashMap<String, u64>>,
    /// Whether a bucket that nobody used yet was empty at `start`, and not full.
    begins_empty: bool,
}

impl Memory {
    /// Full buckets.
    pub fn full() -> Self {
        Self { start: Instant::now(), full_at: Mutex::default(), begins_empty: false }
    }

    /// Buckets that are empty now and fill from now on.
    pub fn empty() -> Self {
        Self { begins_empty: true, ..Self::full() }
    }

    /// As [`Buckets::take`], at once.
    pub fn take_now(&self, asked: Asked<'_>, now: Instant) -> Verdict {
        let Asked { key, allowance, owed, wanted } = asked;
        let now = nanos(now.saturating_duration_since(self.start).as_nanos());
        let period = 1_000_000_000 / u64::from(allowance.per_second.get());
        let burst = allowance.burst.get();
        let depth = period * u64::from(burst);
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever comes when there is no room shares one bucket with all such.
        let key = if buckets.contains_key(key) || room(&mut buckets, now) { key } else { "" };
        let unused = if self.begins_empty { depth } else { 0 };
        let known = buckets.get(key).copied().unwrap_or(unused);
        let mut full_at = known.max(now);
        full_at = full_at.saturating_add(period * u64::from(owed)).min(depth + now).max(full_at);
        let allowed = wanted && full_at + period <= depth + now;
        if allowed {
            full_at += period;
        }
        buckets.insert(key.to_owned(), full_at);
        let missing = full_at - now;
        let remaining = u32::try_from(depth.saturating_sub(missing) / period).unwrap_or(burst);
        let retry_after_s = match allowed {
            true => 0,
            false => (missing + period).saturating_sub(depth).div_ceil(1_000_000_000).max(1),
        };
        let reset_s = missing.div_ceil(1_000_000_000);
        Verdict { allowed, limit: burst, remaining, reset_s, retry_after_s }
    }
}

impl Buckets for Memory {
    fn take<'a>(&'a self, asked: Asked<'a>) -> Taking<'a> {
        Box::pin(std::future::ready(Ok(self.take_now(asked, Instant::now()))))
    }
}

/// Whether one more bucket has room, after those that are full were forgotten.
fn room(buckets: &mut HashMap<String, u64>, now: u64) -> bool {
    if buckets.len() < MAX_CLIENTS {
        return true;
    }
    buckets.retain(|_, full_at| *full_at > now);
    buckets.len() < MAX_CLIENTS
}

fn nanos(time: u128) -> u64 {
    u64::try_from(time).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ALLOWANCE: Allowance = Allowance::new(10, 5);

    fn ask(owed: u32, wanted: bool) -> Asked<'static> {
        Asked { key: "a", allowance: ALLOWANCE, owed, wanted }
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let buckets = Memory::full();
        let mut passed = Vec::new();
        for ms in 0..3_000 {
            let now = buckets.start + Duration::from_millis(ms);
            if buckets.take_now(ask(0, true), now).allowed {
                passed.push(ms);
            }
        }
        assert_eq!(passed.len(), 5 + 29);
        for (index, from) in passed.iter().enumerate() {
            for (more, to) in passed[index..].iter().enumerate() {
                let most = 5.0 + (to - from) as f64 / 100.0;
                assert!((more + 1) as f64 <= most, "{more} from {from} to {to} ms");
            }
        }
        let verdict = buckets.take_now(ask(0, true), buckets.start + Duration::from_secs(3));
        assert_eq!((verdict.allowed, verdict.remaining, verdict.reset_s), (true, 0, 1));
    }

    #[test]
    fn debts_are_taken_out_first_and_an_empty_bucket_fills() {
        let cases = [(0, 5), (3, 2), (5, 0), (500, 0)];
        for (owed, left) in cases {
            let buckets = Memory::full();
            buckets.take_now(ask(owed, false), buckets.start);
            let passed =
                (0..10).filter(|_| buckets.take_now(ask(0, true), buckets.start).allowed).count();
            assert_eq!(passed, left, "{owed} owed");
        }
        let buckets = Memory::empty();
        assert!(!buckets.take_now(ask(0, true), buckets.start).allowed);
        let later = buckets.start + Duration::from_millis(250);
        let passed = (0..10).filter(|_| buckets.take_now(ask(0, true), later).allowed).count();
        assert_eq!(passed, 2);
    }
}
