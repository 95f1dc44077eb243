//! A service behind the gateway. A call to it passes, in this order:
//!
//! 1. the bulkhead: no peer takes up more than its share of the gateway
//! 2. the circuit breaker: while the peer fails, calls end here
//! 3. the choice of a replica: by release first, and by the lesser cost then
//! 4. the call, within what is left of the route's time
//! 5. once more with another replica, where that does no harm and the budget
//!    allows it

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chassis::client::RETRY_PAUSE_MS;
use chassis::{Call, CallError, Client, Failure, Reply};
use http::StatusCode;
use tokio::sync::Semaphore;

use super::Policies;
use super::breaker::{Breaker, Transition};
use super::budget::Budget;
use super::endpoint::{Endpoint, choose};
use super::figures::Figures;
use super::pool::{Found, Pool};
use super::release::Trial;

/// A service behind the gateway.
#[derive(Debug)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its circuit breaker.
    pub breaker: Breaker,
    policies: Policies,
    places: Semaphore,
    /// Calls under way of each tenant that has any: as many as there are places at most.
    taken: Mutex<HashMap<u64, usize>>,
    budget: Budget,
    pool: RwLock<Arc<Pool>>,
    figures: Figures,
}

/// A call to a peer, and what may be done with it.
#[derive(Debug)]
pub struct Order {
    /// The call. Its own time limit is not looked at.
    pub call: Call,
    /// How long all of it may take.
    pub timeout: Duration,
    /// Whether it may be sent twice.
    pub repeatable: bool,
    /// Who it is for: decides about the release, and bounds what is under way.
    pub tenant: u64,
}

impl Peer {
    pub(super) fn new(name: &str, policies: Policies, figures: Figures, now: Instant) -> Self {
        Self {
            name: name.to_owned(),
            breaker: Breaker::new(policies.breaker, now),
            places: Semaphore::new(policies.places),
            taken: Mutex::default(),
            budget: Budget::new(policies.budget),
            pool: RwLock::default(),
            policies,
            figures,
        }
    }

    /// The replicas as they are known now.
    pub fn pool(&self) -> Arc<Pool> {
        Arc::clone(&self.pool.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn follow(&self, found: &[&Found], now: Instant) {
        let next = self.pool().follow(found, self.policies.release, now);
        *self.pool.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }

    /// Makes a call. Any status is a reply.
    pub async fn call(&self, client: &Client, order: Order) -> Result<Reply, Failure> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(self.busy(format!("{} calls under way", self.policies.places)));
        };
        let Some(_share) = Share::take(self, order.tenant) else {
            return Err(
                self.busy(format!("{} calls of yours under way", self.policies.places_of_one))
            );
        };
        self.budget.deposit();
        let deadline = Instant::now() + order.timeout;
        let (mut attempt, mut tried) = (1, None);
        loop {
            let (outcome, at) = self.attempt(client, &order, attempt, tried, deadline).await?;
            if attempt == self.policies.budget.attempts || !worth_repeating(&order, &outcome) {
                return Ok(outcome?);
            }
            let pause = Duration::from_millis(rand::random_range(RETRY_PAUSE_MS));
            if Instant::now() + pause >= deadline {
                return Ok(outcome?);
            }
            if !self.budget.withdraw() {
                self.figures.retried(&self.name, "no_budget");
                return Ok(outcome?);
            }
            self.figures.retried(&self.name, "sent");
            // Another replica is asked at once; the same one gets time to recover.
            if self.pool().all().count() < 2 {
                tokio::time::sleep(pause).await;
            }
            (attempt, tried) = (attempt + 1, Some(at));
        }
    }

    /// Makes a call once, and tells everybody who learns from it how it ended.
    async fn attempt(
        &self,
        client: &Client,
        order: &Order,
        attempt: u32,
        tried: Option<SocketAddr>,
        deadline: Instant,
    ) -> Result<(Result<Reply, CallError>, SocketAddr), Failure> {
        let start = Instant::now();
        let pass = self.breaker.admit(start).map_err(|wait| self.open(wait))?;
        let pool = self.pool();
        // What failed on trial is tried again with a version that is known.
        let (mut group, mut canary) = pool.group(order.tenant);
        if attempt > 1 && canary && !pool.stable.is_empty() {
            (group, canary) = (&pool.stable, false);
        }
        let draw = |below| rand::random_range(0..below);
        let Some(endpoint) = choose(group, tried, start, draw) else {
            return Err(self.nobody());
        };
        let trial = pool.trial.as_deref();
        if let Some(trial) = trial.filter(|_| canary) {
            trial.chosen();
        }
        let outcome = {
            let _under_way = endpoint.begin();
            client.call_at(&order.call, endpoint.address, attempt, deadline).await
        };
        let (failed, now) = (has_failed(&outcome), Instant::now());
        if let Some(transition) = pass.settle(!failed, now) {
            self.turned(transition);
        }
        self.learn(endpoint, trial, canary, failed, now - start);
        Ok((outcome, endpoint.address))
    }

    fn learn(
        &self,
        endpoint: &Endpoint,
        trial: Option<&Trial>,
        canary: bool,
        failed: bool,
        took: Duration,
    ) {
        let outcome = if failed { "failed" } else { "ok" };
        self.figures.called(&self.name, &endpoint.version, outcome);
        if endpoint.ended(!failed, took, Instant::now()) {
            self.figures.ejected(&self.name);
            tracing::warn!(peer = self.name, address = %endpoint.address, "a replica is left out");
        }
        let Some(trial) = trial else { return };
        if trial.ended(canary, failed) {
            self.figures.rolled_back(&self.name, &trial.version);
            tracing::error!(
                peer = self.name,
                version = trial.version,
                "a version fails more than the others and is rolled back"
            );
        }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<u64, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fleet tells of no replica at this moment.
    fn nobody(&self) -> Failure {
        self.figures.refused("no_replica");
        let title = "a service that this one needs does not run";
        let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, "no-replica", title);
        failure.detail(format!("`{}` has no replica", self.name)).retry_after(1)
    }

    fn busy(&self, has: String) -> Failure {
        self.figures.refused("bulkhead");
        let title = "a service that this one needs has too much to do";
        let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", title);
        failure.detail(format!("`{}` has {has}", self.name)).retry_after(1)
    }

    fn open(&self, wait: Duration) -> Failure {
        self.figures.refused("breaker_open");
        Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "circuit-open",
            "a service that this one needs fails, and is not asked for a while",
        )
        .detail(format!("`{}` is asked again in {} ms", self.name, wait.as_millis()))
        .retry_after(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }

    fn turned(&self, transition: Transition) {
        let Transition { from, to } = transition;
        tracing::warn!(peer = self.name, from = from.name(), to = to.name(), "the breaker turns");
    }
}

/// A tenant's call that is under way.
struct Share<'a> {
    peer: &'a Peer,
    tenant: u64,
}

impl<'a> Share<'a> {
    /// None: the tenant has as many under way as he may.
    fn take(peer: &'a Peer, tenant: u64) -> Option<Self> {
        let mut taken = peer.taken();
        let count = taken.entry(tenant).or_default();
        (*count < peer.policies.places_of_one).then(|| {
            *count += 1;
            Self { peer, tenant }
        })
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut taken = self.peer.taken();
        if let Some(count) = taken.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.tenant);
            }
        }
    }
}

/// Whether the peer is to blame. What it says about the request is no failure.
fn has_failed(outcome: &Result<Reply, CallError>) -> bool {
    match outcome {
        Ok(reply) => reply.status.is_server_error(),
        Err(_) => true,
    }
}

/// A call that was not sent can always be sent; one that was, only where that
/// does no harm. What took too long has no time left.
fn worth_repeating(order: &Order, outcome: &Result<Reply, CallError>) -> bool {
    match outcome {
        Ok(reply) => order.repeatable && matches!(reply.status.as_u16(), 502..=504),
        Err(CallError::Unreachable { .. }) => true,
        Err(CallError::Interrupted { .. }) => order.repeatable,
        Err(CallError::UnknownPeer(_) | CallError::TimedOut { .. }) => false,
    }
}
