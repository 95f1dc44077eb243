//! A new version on trial (a canary): it gets a share of the tenants, always the
//! same ones, and is judged by its failures beside those of the others. When it
//! does worse, it gets nothing any more: it is rolled back, by itself and for
//! good. `pool` asks where a tenant belongs; `peer` tells how calls ended.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// When a trial has failed.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Fewer calls than this to the new version say nothing.
    pub least_calls: u64,
    /// Fewer failures than this say nothing either.
    pub least_failed: u64,
    /// A difference in the share of failed calls that is always tolerated.
    pub tolerance: f64,
    /// How many standard deviations the difference must be beyond.
    pub deviations: f64,
}

impl Default for Policy {
    fn default() -> Self {
        // It is judged at each failure, so chance has many tries.
        Self { least_calls: 30, least_failed: 5, tolerance: 0.02, deviations: 4.0 }
    }
}

/// Calls after which what was counted is halved: what is old counts less.
const HALVE_AT: u64 = 2_000;

/// Calls of one side, and how many of them failed.
#[derive(Debug, Default)]
pub struct Tally {
    calls: AtomicU64,
    failed: AtomicU64,
}

impl Tally {
    fn count(&self, failed: bool) {
        self.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
        if self.calls.fetch_add(1, Ordering::Relaxed) >= HALVE_AT {
            for counter in [&self.calls, &self.failed] {
                let _ = counter
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |value| Some(value / 2));
            }
        }
    }

    fn read(&self) -> (u64, u64) {
        (self.calls.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}

/// A version on trial.
#[derive(Debug)]
pub struct Trial {
    /// The version.
    pub version: String,
    policy: Policy,
    percent: AtomicU8,
    stable: Tally,
    canary: Tally,
    rolled_back: AtomicBool,
    after: AtomicU64,
}

/// What has become of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The version.
    pub version: String,
    /// Share of the tenants that it gets now.
    pub percent: u8,
    /// Whether it was rolled back.
    pub rolled_back: bool,
    /// Calls that it was chosen for after it had been rolled back.
    pub after: u64,
}

impl Trial {
    /// A trial of `version` with `percent` of the tenants.
    pub fn new(version: String, percent: u8, policy: Policy) -> Self {
        Self {
            version,
            policy,
            percent: AtomicU8::new(percent.min(100)),
            stable: Tally::default(),
            canary: Tally::default(),
            rolled_back: AtomicBool::new(false),
            after: AtomicU64::new(0),
        }
    }

    /// Gives it another share. Whoever was with the new version stays there when it grows.
    pub fn set_percent(&self, percent: u8) {
        self.percent.store(percent.min(100), Ordering::Relaxed);
    }

    /// Whether the tenant `key` belongs to the new version.
    pub fn wants(&self, key: u64) -> bool {
        let percent = u64::from(self.percent.load(Ordering::Relaxed));
        !self.rolled_back() && place(key, &self.version) < percent * 100
    }

    /// Whether it was rolled back.
    pub fn rolled_back(&self) -> bool {
        self.rolled_back.load(Ordering::Relaxed)
    }

    /// A call is made to the new version.
    pub fn chosen(&self) {
        if self.rolled_back() {
            self.after.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A call has ended. Answers whether the trial has failed by that.
    pub fn ended(&self, canary: bool, failed: bool) -> bool {
        let side = if canary { &self.canary } else { &self.stable };
        side.count(failed);
        let bad = canary && failed && worse(self.stable.read(), self.canary.read(), self.policy);
        bad && !self.rolled_back.swap(true, Ordering::Relaxed)
    }

    /// What has become of it.
    pub fn record(&self) -> Record {
        let rolled_back = self.rolled_back();
        Record {
            version: self.version.clone(),
            percent: if rolled_back { 0 } else { self.percent.load(Ordering::Relaxed) },
            rolled_back,
            after: self.after.load(Ordering::Relaxed),
        }
    }
}

/// A tenant's place for a version, below 10,000: the same in every gateway (FNV-1a).
fn place(key: u64, version: &str) -> u64 {
    let bytes = key.to_le_bytes();
    let mixed = bytes.iter().chain(version.as_bytes()).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3_u64)
    });
    (mixed ^ (mixed >> 32)) % 10_000
}

/// Whether the canary's share of failures is higher than that of the others, by
/// more than is tolerated and more than chance explains (two proportions, pooled).
fn worse(stable: (u64, u64), canary: (u64, u64), policy: Policy) -> bool {
    if canary.0 < policy.least_calls || canary.1 < policy.least_failed {
        return false;
    }
    let [(n, bad), (m, worse)] =
        [stable, canary].map(|(calls, failed)| (calls as f64, failed as f64));
    let difference = worse / m - if n > 0.0 { bad / n } else { 0.0 };
    let pooled = (bad + worse) / (n + m);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / n.max(1.0) + 1.0 / m)).sqrt();
    difference > policy.tolerance && difference > policy.deviations * deviation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_stays_where_he_is_and_the_share_is_kept() {
        let trial = Trial::new("2".to_owned(), 10, Policy::default());
        let chosen: Vec<_> = (0..20_000).filter(|key| trial.wants(*key)).collect();
        assert!((1_800..2_200).contains(&chosen.len()), "{}", chosen.len());
        trial.set_percent(50);
        assert!(chosen.iter().all(|key| trial.wants(*key)));
        let half = (0..20_000).filter(|key| trial.wants(*key)).count();
        assert!((9_700..10_300).contains(&half), "{half}");
    }

    #[test]
    fn the_verdict_needs_calls_and_a_difference() {
        let cases = [
            ("no calls", (1_000, 0), (0, 0), false),
            ("too few", (1_000, 0), (29, 29), false),
            ("all of thirty fail", (1_000, 0), (30, 30), true),
            ("a tenth fails", (1_000, 0), (100, 10), true),
            ("four fail", (1_000, 0), (30, 4), false),
            ("one of a hundred fails", (1_000, 0), (100, 1), false),
            ("both are bad", (1_000, 300), (100, 33), false),
            ("it is better", (1_000, 300), (100, 1), false),
            ("nothing to compare with", (0, 0), (100, 50), false),
        ];
        for (what, stable, canary, bad) in cases {
            assert_eq!(worse(stable, canary, Policy::default()), bad, "{what}");
        }
    }

    #[test]
    fn a_bad_version_is_rolled_back_once() {
        let trial = Trial::new("2".to_owned(), 100, Policy::default());
        let mut verdicts = 0;
        for _ in 0..1_000 {
            verdicts += usize::from(trial.ended(false, false));
            verdicts += usize::from(trial.ended(true, true));
        }
        assert_eq!(verdicts, 1);
        assert!((0..100).all(|key| !trial.wants(key)));
        assert_eq!(trial.record().percent, 0);
    }
}
