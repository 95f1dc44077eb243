//! When which customer wants what: drawn from a seed alone, before anything is
//! sent. Nothing of what the services answer finds its way in here, which is
//! what makes the traffic open-loop.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Customers that are active at a time.
pub const POOL: usize = 40;
/// A new place of the pool opens after so many arrivals, so that sign-ups
/// (which cost a password hash) do not come all at once.
const ARRIVALS_PER_PLACE: u64 = 20;

/// How arrivals are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pattern {
    /// Independent of each other, as people are.
    #[default]
    Poisson,
    /// One every so often.
    Constant,
}

/// What a customer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Sign up.
    Register,
    /// Log in (again).
    Login,
    /// Get the next tokens of a session: comes by itself, when an access token has ended.
    Refresh,
    /// See the own account.
    Me,
    /// Place an order.
    Place,
    /// Send the last order again with the same idempotency key.
    Resend,
    /// See one order.
    Read,
    /// See the newest orders.
    List,
    /// See an order's payment.
    Payment,
    /// See what one was told.
    Told,
    /// See the own profile.
    Profile,
    /// Look around in the catalog.
    Browse,
    /// Call an order off.
    Cancel,
    /// Ask for an order that does not exist: 404.
    Missing,
    /// Ask without a token: 401.
    Anonymous,
    /// Place an order that makes no sense: 422.
    Invalid,
}

impl Action {
    /// Every action that is drawn and how often it comes, in arrivals out of 1000.
    pub const MIX: [(Self, u32); 15] = [
        (Self::Register, 5),
        (Self::Login, 10),
        (Self::Me, 110),
        (Self::Place, 250),
        (Self::Resend, 5),
        (Self::Read, 220),
        (Self::List, 110),
        (Self::Payment, 70),
        (Self::Told, 30),
        (Self::Profile, 10),
        (Self::Browse, 140),
        (Self::Cancel, 10),
        (Self::Missing, 12),
        (Self::Anonymous, 8),
        (Self::Invalid, 10),
    ];

    /// The action's name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::Me => "me",
            Self::Place => "place",
            Self::Resend => "resend",
            Self::Read => "read",
            Self::List => "list",
            Self::Payment => "payment",
            Self::Told => "told",
            Self::Profile => "profile",
            Self::Browse => "browse",
            Self::Cancel => "cancel",
            Self::Missing => "missing",
            Self::Anonymous => "anonymous",
            Self::Invalid => "invalid",
        }
    }

    /// The action of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::MIX.into_iter().map(|(action, _)| action).find(|action| action.name() == name)
    }

    fn draw(chance: &mut StdRng) -> Self {
        let mut left = chance.random_range(0..Self::MIX.iter().map(|(_, share)| share).sum());
        for (action, share) in Self::MIX {
            if left < share {
                return action;
            }
            left -= share;
        }
        unreachable!("the draw lies below the sum of the shares")
    }
}

/// One request to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its number, from 0.
    pub number: u64,
    /// When it leaves, from the start.
    pub at: Duration,
    /// The customer's place in the pool.
    pub place: usize,
    /// What the customer wants.
    pub action: Action,
    /// The seed of what the request says.
    pub detail: u64,
}

/// The endless sequence of arrivals.
#[derive(Debug)]
pub struct Schedule {
    pattern: Pattern,
    per_second: f64,
    chance: StdRng,
    number: u64,
    at: f64,
}

impl Schedule {
    /// Arrivals at `per_second` on average, which must be above 0.
    pub fn new(pattern: Pattern, per_second: f64, seed: u64) -> Self {
        debug_assert!(per_second > 0.0);
        Self { pattern, per_second, chance: StdRng::seed_from_u64(seed), number: 0, at: 0.0 }
    }
}

impl Iterator for Schedule {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        // 1 - u lies in (0, 1], whose logarithm is finite.
        let spread = match self.pattern {
            Pattern::Poisson => -(1.0 - self.chance.random::<f64>()).ln(),
            Pattern::Constant => 1.0,
        };
        self.at += spread / self.per_second;
        let open = (1 + self.number / ARRIVALS_PER_PLACE).min(POOL as u64) as usize;
        let arrival = Arrival {
            number: self.number,
            at: Duration::from_secs_f64(self.at),
            place: self.chance.random_range(0..open),
            action: Action::draw(&mut self.chance),
            detail: self.chance.random(),
        };
        self.number += 1;
        Some(arrival)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn first(count: usize, seed: u64) -> Vec<Arrival> {
        Schedule::new(Pattern::Poisson, 20.0, seed).take(count).collect()
    }

    #[test]
    fn a_seed_draws_the_same_arrivals_and_another_one_others() {
        assert_eq!(first(1_000, 7), first(1_000, 7));
        assert_ne!(first(1_000, 7), first(1_000, 8));
    }

    #[test]
    fn arrivals_keep_the_rate_and_the_order() {
        for pattern in [Pattern::Poisson, Pattern::Constant] {
            let times: Vec<_> =
                Schedule::new(pattern, 20.0, 1).take(20_000).map(|next| next.at).collect();
            assert!(times.is_sorted());
            let rate = 20_000.0 / times.last().unwrap().as_secs_f64();
            assert!((19.5..20.5).contains(&rate), "{rate}");
        }
    }

    #[test]
    fn poisson_gaps_vary_as_much_as_their_mean() {
        let times: Vec<_> = first(20_000, 3).iter().map(|next| next.at.as_secs_f64()).collect();
        let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let square = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((0.95..1.05).contains(&(square.sqrt() / mean)));
    }

    #[test]
    fn the_mix_adds_up_and_each_action_comes_as_often_as_it_says() {
        assert_eq!(Action::MIX.iter().map(|(_, share)| share).sum::<u32>(), 1000);
        let arrivals = first(100_000, 5);
        for (action, share) in Action::MIX {
            let seen = arrivals.iter().filter(|next| next.action == action).count() as f64 / 100.0;
            let share = f64::from(share);
            assert!((seen - share).abs() < 2.0 + share * 0.05, "{action:?}: {seen} of {share}");
        }
    }

    #[test]
    fn places_open_one_after_the_other() {
        for next in first(5_000, 9) {
            assert!(next.place < POOL && next.place as u64 <= next.number / ARRIVALS_PER_PLACE);
        }
    }
}
