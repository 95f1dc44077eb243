//! The rate limit as the pipeline asks for it. A gateway that is alone keeps its
//! buckets itself. Several share them through [`Buckets`]; while that store is
//! away, each lets through its own share and no more:
//!
//! - A replica that loses the store starts with empty buckets that fill at
//!   limit ÷ replicas, up to burst ÷ replicas. Together they stay within limit and
//!   burst. Tenants that the replicas serve unevenly get less than they might.
//! - Nobody waits for a store that is away: it is tried beside the requests.
//! - When it is back it is told first what was let through meanwhile, so that
//!   nobody finds a full bucket that he has emptied already.
//!
//! Only between the moments at which different replicas notice ([`TRY_EVERY`])
//! may one replica's share come on top.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chassis::{Chassis, Tasks};
use prometheus::IntGauge;

use super::buckets::{Asked, Buckets, Memory};
use super::{Allowance, Limiter, Verdict};

/// How often a store that is away is tried again.
pub const TRY_EVERY: Duration = Duration::from_millis(100);

/// Time for the store's answer.
pub const STORE_TIMEOUT: Duration = Duration::from_millis(50);

/// The store of the buckets that several gateways share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The store.
    pub buckets: Arc<dyn Buckets>,
    /// How many gateways share it, as far as this one knows.
    pub replicas: Arc<AtomicU32>,
}

/// A rate limit for the clients that `K` tells apart. Clones share it.
#[derive(Debug)]
pub struct Gate<K: Clone + Hash + Eq> {
    own: Limiter<K>,
    together: Option<Arc<Together>>,
    scope: &'static str,
}

impl<K: Clone + Hash + Eq> Clone for Gate<K> {
    fn clone(&self) -> Self {
        Self { own: self.own.clone(), together: self.together.clone(), scope: self.scope }
    }
}

#[derive(Debug)]
struct Together {
    shared: Shared,
    allowance: Allowance,
    away: Mutex<Option<Outage>>,
    shown: IntGauge,
}

/// While the store is away.
#[derive(Debug)]
struct Outage {
    buckets: Memory,
    /// What was let through, by key.
    owed: HashMap<String, u32>,
}

impl<K: Clone + Hash + Eq + Display> Gate<K> {
    /// A gate for clients of one kind. `scope` tells their keys from others'.
    pub fn new(
        chassis: &Chassis,
        scope: &'static str,
        allowance: Allowance,
        shared: Option<Shared>,
        shown: &IntGauge,
    ) -> Self {
        let together = shared.map(|shared| {
            let (away, shown) = (Mutex::default(), shown.clone());
            Arc::new(Together { shared, allowance, away, shown })
        });
        if let Some(together) = &together {
            together.try_again(&chassis.tasks);
        }
        Self { own: Limiter::new(allowance), together, scope }
    }

    /// Takes one request out of the client's bucket, if it holds one.
    pub async fn check(&self, client: &K) -> Verdict {
        match &self.together {
            None => self.own.check(client),
            Some(together) => together.check(&format!("{}:{client}", self.scope)).await,
        }
    }

    /// Forgets the clients whose buckets are full: they are as good as new.
    pub fn forget_quiet(&self) {
        self.own.forget_quiet();
    }
}

impl Together {
    async fn check(&self, key: &str) -> Verdict {
        if let Some(outage) = &mut *self.outage() {
            return outage.check(key, self.share());
        }
        let asked = Asked { key, allowance: self.allowance, owed: 0, wanted: true };
        let answer = tokio::time::timeout(STORE_TIMEOUT, self.shared.buckets.take(asked)).await;
        if let Ok(Ok(verdict)) = answer {
            return verdict;
        }
        tracing::warn!(
            key,
            "the store of the rate limits is away: each gateway keeps to its share"
        );
        let mut outage = self.outage();
        self.shown.set(1);
        outage.get_or_insert_with(Outage::begin).check(key, self.share())
    }

    fn share(&self) -> Allowance {
        self.allowance.divided(self.shared.replicas.load(Ordering::Relaxed))
    }

    fn outage(&self) -> MutexGuard<'_, Option<Outage>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_again(self: &Arc<Self>, tasks: &Tasks) {
        let together = Arc::clone(self);
        tasks.repeat("try the store of the rate limits", TRY_EVERY, move || {
            let together = Arc::clone(&together);
            async move { together.settle().await }
        });
    }

    /// Tells the store what it has missed, and goes back to it once it knows all.
    async fn settle(&self) {
        loop {
            let owed = match &mut *self.outage() {
                None => return,
                Some(outage) => std::mem::take(&mut outage.owed),
            };
            if owed.is_empty() && self.tell("", 0).await {
                let mut outage = self.outage();
                // Nothing was let through since it was looked at, or it is told as well.
                if outage.as_ref().is_none_or(|outage| outage.owed.is_empty()) {
                    *outage = None;
                    self.shown.set(0);
                    tracing::info!("the store of the rate limits is back");
                    return;
                }
                continue;
            }
            let mut left = owed.into_iter();
            while let Some((key, owes)) = left.next() {
                if !self.tell(&key, owes).await {
                    self.keep(std::iter::once((key, owes)).chain(left));
                    return;
                }
            }
            if self.tell("", 0).await {
                continue;
            }
            return;
        }
    }

    fn keep(&self, owed: impl Iterator<Item = (String, u32)>) {
        if let Some(outage) = &mut *self.outage() {
            for (key, owes) in owed {
                *outage.owed.entry(key).or_default() += owes;
            }
        }
    }

    async fn tell(&self, key: &str, owed: u32) -> bool {
        let asked = Asked { key, allowance: self.allowance, owed, wanted: false };
        let answer = tokio::time::timeout(STORE_TIMEOUT, self.shared.buckets.take(asked)).await;
        matches!(answer, Ok(Ok(_)))
    }
}

impl Outage {
    fn begin() -> Self {
        Self { buckets: Memory::empty(), owed: HashMap::new() }
    }

    fn check(&mut self, key: &str, share: Allowance) -> Verdict {
        let asked = Asked { key, allowance: share, owed: 0, wanted: true };
        let verdict = self.buckets.take_now(asked, Instant::now());
        if verdict.allowed {
            // As many keys as there are buckets at most.
            let key = if self.owed.len() < super::MAX_CLIENTS { key } else { "" };
            *self.owed.entry(key.to_owned()).or_default() += 1;
        }
        verdict
    }
}
