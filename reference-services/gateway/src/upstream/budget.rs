//! What repetitions may cost. Each call to a peer pays a share of a repetition
//! in; a repetition takes a whole one out. However long an outage lasts, n calls
//! cause at most `share` × n + `reserve` repetitions: a storm cannot begin.

use std::sync::atomic::{AtomicI64, Ordering};

/// What one repetition costs, in the small coin of the account.
const PRICE: i64 = 1_000;

/// How much may be sent again.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Repetitions for each call, in the long run.
    pub share: f64,
    /// Repetitions that can be saved up.
    pub reserve: u32,
    /// Most times that one call is sent.
    pub attempts: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { share: 0.08, reserve: 10, attempts: 2 }
    }
}

/// The budget of one peer.
#[derive(Debug)]
pub struct Budget {
    deposit: i64,
    most: i64,
    saved: AtomicI64,
}

impl Budget {
    /// An empty budget.
    pub fn new(policy: Policy) -> Self {
        Self {
            deposit: (policy.share * PRICE as f64) as i64,
            most: i64::from(policy.reserve) * PRICE,
            saved: AtomicI64::new(0),
        }
    }

    /// A call is made.
    pub fn deposit(&self) {
        let _ = self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| {
            Some((saved + self.deposit).min(self.most))
        });
    }

    /// Whether one may be made again.
    pub fn withdraw(&self) -> bool {
        let taken = self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| {
            (saved >= PRICE).then(|| saved - PRICE)
        });
        taken.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_stay_a_share_of_the_calls() {
        let policy = Policy { share: 0.1, reserve: 3, attempts: 2 };
        for calls in [1, 9, 10, 100, 1_000] {
            let budget = Budget::new(policy);
            let again = (0..calls).filter(|_| {
                budget.deposit();
                budget.withdraw()
            });
            assert_eq!(again.count(), calls / 10, "of {calls}");
        }
        let budget = Budget::new(policy);
        (0..1_000).for_each(|_| budget.deposit());
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 3, "no more can be saved");
    }
}
