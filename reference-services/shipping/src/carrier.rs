//! A carrier, simulated: it refuses a booking now and then because its vans are
//! full, fetches what is released, and brings it. Time runs faster for it than
//! for real ones: what takes them days takes it seconds.

use std::sync::Arc;
use std::time::Duration;

use chassis::Chassis;
use chassis::clock::now_ms;
use prometheus::IntCounterVec;
use uuid::Uuid;

use crate::domain::Step;
use crate::store::Shipments;

/// Share of bookings that are refused.
pub const REFUSED_SHARE: f64 = 0.004;

/// Shortest and longest time until a released shipment is fetched, in milliseconds.
pub const FETCHED_AFTER_MS: std::ops::Range<i64> = 1_500..4_000;

/// Shortest and longest time from there until it is delivered, in milliseconds.
pub const DELIVERED_AFTER_MS: std::ops::Range<i64> = 3_000..9_000;

/// How often the carrier looks at what is due.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The simulated carrier.
#[derive(Debug, Clone)]
pub struct Carrier {
    seed: u64,
    refused_share: f64,
    fetched_after_ms: std::ops::Range<i64>,
    delivered_after_ms: std::ops::Range<i64>,
}

impl Carrier {
    /// A carrier whose refusals follow from `seed`; none: from chance.
    pub fn new(seed: Option<u64>) -> Self {
        Self {
            seed: seed.unwrap_or_else(rand::random),
            refused_share: REFUSED_SHARE,
            fetched_after_ms: FETCHED_AFTER_MS,
            delivered_after_ms: DELIVERED_AFTER_MS,
        }
    }

    /// The same carrier with another share of refused bookings, from 0 to 1.
    #[must_use]
    pub fn refusing(mut self, share: f64) -> Self {
        self.refused_share = share;
        self
    }

    /// The same carrier with other times until it fetches and delivers.
    #[must_use]
    pub fn taking(
        mut self,
        fetch_ms: std::ops::Range<i64>,
        deliver_ms: std::ops::Range<i64>,
    ) -> Self {
        (self.fetched_after_ms, self.delivered_after_ms) = (fetch_ms, deliver_ms);
        self
    }

    /// Whether there is a place for an order: the same answer however often it
    /// is asked.
    pub(crate) fn has_place(&self, order: Uuid) -> bool {
        let (high, low) = order.as_u64_pair();
        // The finaliser of SplitMix64 spreads the bits.
        let mut value = high.rotate_left(17) ^ low ^ self.seed;
        for factor in [0xbf58_476d_1ce4_e5b9_u64, 0x94d0_49bb_1331_11eb] {
            value = (value ^ (value >> 30)).wrapping_mul(factor);
        }
        const SCALE: f64 = (1_u64 << 53) as f64;
        ((value ^ (value >> 31)) >> 11) as f64 / SCALE >= self.refused_share
    }

    pub(crate) fn fetched_at_ms(&self, now_ms: i64) -> i64 {
        now_ms + rand::random_range(self.fetched_after_ms.clone())
    }

    fn delivered_at_ms(&self, now_ms: i64) -> i64 {
        now_ms + rand::random_range(self.delivered_after_ms.clone())
    }
}

/// Lets the carrier move what is due.
pub(crate) fn start(carrier: &Carrier, shipments: &Shipments, chassis: &Chassis) {
    let moved = chassis.metrics.counter(
        "shipping_moved_total",
        "Shipments that the carrier moved, by what it did.",
        &["step"],
    );
    let parts = Arc::new((carrier.clone(), shipments.clone(), moved));
    chassis.tasks.repeat("carrier", LOOK_EVERY, move || {
        let parts = Arc::clone(&parts);
        async move {
            let (carrier, shipments, moved) = &*parts;
            if let Err(error) = round(carrier, shipments, moved, now_ms()).await {
                tracing::warn!(error = format!("{error:#}"), "the carrier did not come");
            }
        }
    });
}

async fn round(
    carrier: &Carrier,
    shipments: &Shipments,
    moved: &IntCounterVec,
    now_ms: i64,
) -> anyhow::Result<()> {
    for due in shipments.due(now_ms).await? {
        let (step, name, next) = match due.state {
            contracts::shipping::ShipmentState::Released => {
                (Step::Dispatch, "dispatched", Some(carrier.delivered_at_ms(now_ms)))
            }
            _ => (Step::Deliver, "delivered", None),
        };
        if !shipments.carry(&due, step, next, now_ms).await? {
            continue;
        }
        moved.with_label_values(&[name]).inc();
        tracing::info!(step = name, order = %due.order, "the carrier has moved a shipment");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_the_stated_share_is_refused_and_always_the_same() {
        let carrier = Carrier::new(Some(3)).refusing(0.05);
        let ids = || (0..20_000_u64).map(|low| Uuid::from_u64_pair(0x0192_0000_0000_7000, low));
        let refused: Vec<_> = ids().filter(|id| !carrier.has_place(*id)).collect();
        assert!((800..1_200).contains(&refused.len()), "{}", refused.len());
        assert!(refused.iter().all(|id| !carrier.has_place(*id)));
        let generous = carrier.refusing(0.0);
        assert!(ids().all(|id| generous.has_place(id)));
    }
}
