//! A payment provider, simulated: it takes about as long as a real one and
//! declines about as often. Like a real one it knows a payment by its id, and
//! gives the same answer however often it is asked.

use std::time::Duration;

use tracing::Instrument;
use uuid::Uuid;

/// Name of the provider in traces.
pub const PEER: &str = "payment-provider";

/// Share of payments that are declined.
pub const DECLINED_SHARE: f64 = 0.005;

/// Median of the time that an answer takes, in seconds.
pub const LATENCY_MEDIAN_S: f64 = 0.020;

/// Spread of the logarithm of that time: 90 % lie between 11 and 36 ms.
pub const LATENCY_SPREAD: f64 = 0.35;

/// Longest time that an answer takes, in seconds.
pub const LATENCY_MAX_S: f64 = 0.5;

/// What the provider says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The amount is reserved.
    Approved,
    /// The customer's bank says no.
    Declined,
}

/// The simulated provider.
#[derive(Debug, Clone)]
pub struct Provider {
    seed: u64,
    declined_share: f64,
}

impl Provider {
    /// A provider whose answers follow from `seed`; none: from chance.
    pub fn new(seed: Option<u64>) -> Self {
        Self { seed: seed.unwrap_or_else(rand::random), declined_share: DECLINED_SHARE }
    }

    /// The same provider with another share of declined payments, from 0 to 1.
    #[must_use]
    pub fn declining(mut self, share: f64) -> Self {
        self.declined_share = share;
        self
    }

    /// Asks for the amount of a payment to be reserved.
    pub(crate) async fn charge(&self, payment: Uuid) -> Decision {
        let span = tracing::info_span!(
            target: chassis::telemetry::SPANS,
            "provider",
            otel.name = "provider charge",
            otel.kind = "client",
            service.peer.name = PEER,
            peer.service = PEER,
            payment.decision = tracing::field::Empty,
        );
        async {
            tokio::time::sleep(latency(rand::random(), rand::random())).await;
            let decision = self.decide(payment);
            tracing::Span::current().record("payment.decision", format!("{decision:?}"));
            decision
        }
        .instrument(span)
        .await
    }

    fn decide(&self, payment: Uuid) -> Decision {
        let (high, low) = payment.as_u64_pair();
        if fraction(self.seed ^ scramble(high ^ scramble(low))) < self.declined_share {
            Decision::Declined
        } else {
            Decision::Approved
        }
    }
}

/// A log-normal latency from two uniform values in 0..1 (Box and Muller's way).
fn latency(first: f64, second: f64) -> Duration {
    let normal = (-2.0 * (1.0 - first).ln()).sqrt() * (std::f64::consts::TAU * second).cos();
    let seconds = LATENCY_MEDIAN_S * (LATENCY_SPREAD * normal).exp();
    Duration::from_secs_f64(seconds.min(LATENCY_MAX_S))
}

/// Spreads the bits of `value` (the finaliser of SplitMix64).
fn scramble(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A value in 0..1 from the upper 53 bits.
fn fraction(value: u64) -> f64 {
    const SCALE: f64 = (1_u64 << 53) as f64;
    (scramble(value) >> 11) as f64 / SCALE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_payment_gets_the_same_answer() {
        let provider = Provider::new(Some(7)).declining(0.5);
        for id in (0..100).map(Uuid::from_u128) {
            assert_eq!(provider.decide(id), provider.decide(id));
        }
    }

    #[test]
    fn about_the_stated_share_is_declined() {
        let provider = Provider::new(Some(1));
        let declined = (0..100_000)
            .filter(|&id| provider.decide(Uuid::from_u128(id)) == Decision::Declined)
            .count();
        assert!((400..600).contains(&declined), "{declined} of 100000");
    }

    #[test]
    fn latencies_spread_around_their_median() {
        let grid = (0..100).flat_map(|a| (0..100).map(move |b| (a, b)));
        let mut all: Vec<f64> = grid
            .map(|(a, b)| latency(f64::from(a) / 100.0, f64::from(b) / 100.0).as_secs_f64())
            .collect();
        all.sort_by(f64::total_cmp);
        assert!((0.019..0.021).contains(&all[5_000]), "{}", all[5_000]);
        assert!((0.010..0.012).contains(&all[500]), "{}", all[500]);
        assert!((0.034..0.038).contains(&all[9_500]), "{}", all[9_500]);
    }
}
