//! Sessions that were ended: `auth` tells of each as an event, and from then on the
//! session's access tokens are refused here, whatever their signature says. A gateway
//! that starts asks first which ones were ended lately. Every gateway remembers for
//! itself, and only until the tokens have ended by themselves: while `auth` cannot be
//! heard, their own short life is the bound.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context as _;
use chassis::clock::now_ms;
use chassis::messaging::decode;
use chassis::{Call, Chassis, Client, Metrics};
use contracts::accounts::{AccountEvent, Revocations, Revoked};
use contracts::messaging::Event;
use prometheus::IntGauge;
use uuid::Uuid;

use crate::events::{self, Listener};

/// Where `auth` says which sessions were ended lately.
const LATELY: &str = "/internal/revocations";

/// Most sessions that are remembered. When there are more, those whose tokens end first
/// are forgotten: these end when their time is over, as all do while nothing is heard.
pub const MAX_REVOKED: usize = 65_536;

/// How many are forgotten at once, so that it is not looked for them each time.
const ROOM: usize = MAX_REVOKED / 16;

/// The sessions. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    until_ms: Arc<RwLock<HashMap<Uuid, i64>>>,
    figure: IntGauge,
}

impl Ended {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let figure = metrics.gauge(
            "gateway_revoked_sessions",
            "Ended sessions that are remembered, until their access tokens have ended.",
        );
        Self { until_ms: Arc::default(), figure }
    }

    /// Hears of sessions that end, from now on.
    pub(crate) fn follow(&self, chassis: &Chassis) {
        let listening = Listening { ended: self.clone(), client: chassis.client.clone() };
        events::follow(chassis, "auth", "hear of ended sessions", listening);
    }

    pub(crate) fn contains(&self, session: Uuid) -> bool {
        let known = self.until_ms.read().unwrap_or_else(PoisonError::into_inner);
        known.contains_key(&session)
    }

    fn add(&self, revoked: Revoked) {
        let mut known = self.until_ms.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_REVOKED {
            let mut ends: Vec<i64> = known.values().copied().collect();
            let (_, first, _) = ends.select_nth_unstable(ROOM);
            let first = *first;
            known.retain(|_, until_ms| *until_ms > first);
        }
        known.insert(revoked.session, revoked.until_ms);
        self.figure.set(i64::try_from(known.len()).unwrap_or(i64::MAX));
    }

    /// Forgets those whose tokens have ended.
    pub(crate) fn forget(&self, now_ms: i64) {
        let mut known = self.until_ms.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, until_ms| *until_ms > now_ms);
        self.figure.set(i64::try_from(known.len()).unwrap_or(i64::MAX));
    }
}

struct Listening {
    ended: Ended,
    client: Client,
}

impl Listener for Listening {
    async fn begin(&self) -> anyhow::Result<()> {
        let reply = self.client.call(Call::get("auth", LATELY).untraced()).await?;
        anyhow::ensure!(reply.status.is_success(), "`auth` answered {}", reply.status);
        let lately: Revocations = reply.json().context("the answer cannot be read")?;
        lately.revoked.into_iter().for_each(|revoked| self.ended.add(revoked));
        Ok(())
    }

    fn hear(&self, event: &Event) {
        // Other kinds of events concern no token.
        if let Ok(AccountEvent::SessionRevoked { session, until_ms }) = decode(event) {
            self.ended.add(Revoked { session, until_ms });
        }
    }

    fn heard(&self) {
        self.ended.forget(now_ms());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chassis::Config;

    use super::*;

    #[test]
    fn the_memory_is_bounded_and_keeps_those_that_last_longest() {
        let ended = Ended::new(&Metrics::new(&Config::read("gateway", |_| None).unwrap()));
        let total = MAX_REVOKED + 10;
        for number in 0..total {
            let session = Uuid::from_u128(number as u128);
            ended.add(Revoked { session, until_ms: number as i64 });
        }
        assert!(ended.until_ms.read().unwrap().len() <= MAX_REVOKED);
        assert!(!ended.contains(Uuid::from_u128(0)));
        assert!(ended.contains(Uuid::from_u128(total as u128 - 1)));
        ended.forget(total as i64);
        assert!(!ended.contains(Uuid::from_u128(total as u128 - 1)));
        assert_eq!(ended.figure.get(), 0);
    }
}
