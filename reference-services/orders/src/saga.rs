//! Drives sagas to their end. `api` asks for it at once; whatever stays open (a
//! call timed out, a process died) is taken up again in the background, until
//! it has ended one way or the other.
//!
//! What a saga does next follows from the facts in the database alone, each of
//! which is written before the next call is made. That this process remembers
//! which sagas it is at work on, and that the database says which replica drives
//! one, only saves them from doing things twice.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chassis::clock::now_ms;
use chassis::messaging::continues;
use chassis::{Chassis, CrashPoints, Metrics, Tasks};
use contracts::orders::OrderState;
use prometheus::{Gauge, IntCounterVec, IntGauge};
use tokio::task::JoinSet;
use tracing::Instrument;
use uuid::Uuid;

use crate::aggregate::{Aggregate, Fact, Phase, Step};
use crate::steps::{Became, Steps};
use crate::store::Orders;

/// How often open sagas are looked for.
pub const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Most sagas that are taken up in one round, side by side.
pub const MAX_AT_ONCE: u32 = 16;

/// How old an order is before its saga gives up and goes back, if it has not
/// come to the capture. Far longer than any call may be under way.
pub const GIVE_UP_AFTER_MS: i64 = 600_000;

/// Shortest and longest pause before an open saga is taken up again.
pub const RETRY_MS: std::ops::RangeInclusive<i64> = 250..=5_000;

/// Longest time that a request waits for a saga; it goes on without it.
pub const PATIENCE: Duration = Duration::from_secs(6);

/// Drives sagas. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Sagas {
    orders: Orders,
    steps: Steps,
    tasks: Tasks,
    crash: CrashPoints,
    at_work: AtWork,
    figures: Figures,
}

#[derive(Debug, Clone)]
struct Figures {
    placed: IntCounterVec,
    steps: IntCounterVec,
    open: IntGauge,
    oldest: Gauge,
}

impl Figures {
    fn new(metrics: &Metrics) -> Self {
        Self {
            placed: metrics.counter(
                "orders_placed_total",
                "Orders that reached an end, by the end.",
                &["outcome"],
            ),
            steps: metrics.counter(
                "orders_saga_steps_total",
                "Steps of sagas, forth and back, by what came of them.",
                &["step", "outcome"],
            ),
            open: metrics.gauge("orders_pending", "Orders whose saga has not ended yet."),
            oldest: metrics
                .seconds(
                    "orders_saga_oldest_seconds",
                    "Age of the oldest saga that has not ended yet; 0 when all have.",
                    &[],
                )
                .with_label_values::<&str>(&[]),
        }
    }
}

impl Sagas {
    pub(crate) fn new(orders: Orders, chassis: &Chassis) -> Self {
        Self {
            orders,
            steps: Steps::new(chassis.client.clone()),
            tasks: chassis.tasks.clone(),
            crash: chassis.crash.clone(),
            at_work: AtWork::default(),
            figures: Figures::new(&chassis.metrics),
        }
    }

    /// Takes up what is open, now and then.
    pub(crate) fn start(&self) {
        let sagas = self.clone();
        self.tasks.repeat("drive sagas", LOOK_EVERY, move || {
            let sagas = sagas.clone();
            async move {
                if let Err(error) = sagas.round(now_ms()).await {
                    tracing::warn!(error = format!("{error:#}"), "sagas were not driven");
                }
            }
        });
    }

    /// Drives a saga for a request: to its end, or as far as it comes while the
    /// request waits.
    pub(crate) async fn drive(&self, saga: Aggregate) -> anyhow::Result<Aggregate> {
        let Some(place) = self.at_work.enter(saga.order.id) else { return Ok(saga) };
        let (sagas, begun) = (self.clone(), saga.clone());
        let work = self.tasks.finish(async move {
            let _place = place;
            sagas.go(begun, false).await
        });
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(done) => done?,
            Err(_) => Ok(saga),
        }
    }

    async fn round(&self, now_ms: i64) -> anyhow::Result<()> {
        let mut driven = JoinSet::new();
        for id in self.orders.open_sagas(now_ms, MAX_AT_ONCE).await? {
            let Some(place) = self.at_work.enter(id) else { continue };
            let sagas = self.clone();
            driven.spawn(async move {
                let _place = place;
                let Some(context) = sagas.orders.take(id, now_ms).await? else { return Ok(()) };
                let span = tracing::info_span!(
                    target: chassis::telemetry::SPANS, "saga", otel.name = "take up saga"
                );
                continues(&span, &context);
                let work = async {
                    let Some(saga) = sagas.orders.load(id).await? else { return Ok(()) };
                    sagas.go(saga, true).await.map(|_| ())
                };
                work.instrument(span).await
            });
        }
        while let Some(done) = driven.join_next().await {
            if let Err(error) = done? {
                tracing::warn!(error = format!("{error:#}"), "a saga was not driven");
            }
        }
        let (open, oldest_ms) = self.orders.count_open().await?;
        self.figures.open.set(open);
        let age_ms = oldest_ms.map_or(0, |placed_ms| (now_ms - placed_ms).max(0));
        self.figures.oldest.set(age_ms as f64 / 1e3);
        Ok(())
    }

    /// Goes on for as long as it can. `again`: what is done next may have been
    /// tried before.
    async fn go(&self, mut saga: Aggregate, mut again: bool) -> anyhow::Result<Aggregate> {
        loop {
            let phase = saga.phase;
            if phase == Phase::Rest {
                return Ok(saga);
            }
            self.crash.within(|| format!("saga.{}.before", phase.name()));
            let became = self.act(&saga, again).await;
            self.crash.within(|| format!("saga.{}.after", phase.name()));
            let Some(fact) = self.judge(&saga, became) else {
                self.orders.postpone(saga.order.id, RETRY_MS, now_ms()).await?;
                return Ok(saga);
            };
            let Some(next) = self.orders.append(&saga, &fact, now_ms()).await? else {
                // Somebody else has taken it further.
                let found = self.orders.load(saga.order.id).await?;
                return Ok(found.unwrap_or(saga));
            };
            self.crash.within(|| format!("saga.{}.noted", phase.name()));
            (saga, again) = (next, false);
            if saga.phase == Phase::Rest {
                let (order, outcome) = (saga.order.id, end(&saga));
                self.figures.placed.with_label_values(&[outcome]).inc();
                tracing::info!(outcome, %order, "an order has come to its end");
            }
        }
    }

    async fn act(&self, saga: &Aggregate, again: bool) -> Became {
        match saga.phase {
            Phase::Forth(step) => self.steps.forth(step, saga, again).await,
            Phase::Asking => self.steps.call_off(saga).await,
            Phase::Back(step) => self.steps.back(step, saga).await,
            Phase::Rest => Became::Done(None),
        }
    }

    /// The fact that follows from what became of a phase; none: it has to be
    /// tried again.
    fn judge(&self, saga: &Aggregate, became: Became) -> Option<Fact> {
        let name = saga.phase.name();
        let count = |outcome: &str| {
            self.figures.steps.with_label_values(&[name.as_str(), outcome]).inc();
        };
        match (saga.phase, became) {
            (Phase::Forth(step), Became::Done(payment)) => {
                count("done");
                Some(Fact::Done { step, payment })
            }
            (Phase::Forth(step), Became::Refused(reason, errors)) => {
                count("refused");
                Some(Fact::Refused { step, reason, errors })
            }
            (Phase::Asking, Became::Done(_)) => Some(Fact::CancelGranted),
            (Phase::Asking, Became::Refused(..)) => Some(Fact::CancelRefused),
            (Phase::Back(step), Became::Done(_)) => {
                count("done");
                Some(Fact::Undone { step })
            }
            (Phase::Back(_), Became::Refused(reason, _)) => {
                count("refused");
                tracing::error!(order = %saga.order.id, phase = name, reason, "it cannot be undone");
                None
            }
            (phase, Became::Unknown(error)) => {
                count("unknown");
                let error = format!("{error:#}");
                tracing::warn!(order = %saga.order.id, phase = name, error, "an outcome is unknown");
                give_up(saga, phase, now_ms())
            }
            (Phase::Rest, _) => None,
        }
    }
}

/// The fact that a saga has given up, if it may and its time is over.
fn give_up(saga: &Aggregate, phase: Phase, now_ms: i64) -> Option<Fact> {
    let Phase::Forth(step) = phase else { return None };
    let late = now_ms - saga.order.created_ms > GIVE_UP_AFTER_MS;
    (late && step != Step::Capture).then_some(Fact::GaveUp { step })
}

fn end(saga: &Aggregate) -> &'static str {
    match saga.order.state {
        OrderState::Paid => "paid",
        OrderState::PaymentFailed => "declined",
        OrderState::Cancelled => "cancelled",
        _ => "rejected",
    }
}

/// The sagas that this process is at work on.
#[derive(Debug, Clone, Default)]
struct AtWork(Arc<Mutex<HashSet<Uuid>>>);

struct Place {
    at_work: AtWork,
    order: Uuid,
}

impl AtWork {
    fn enter(&self, order: Uuid) -> Option<Place> {
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(order);
        new.then(|| Place { at_work: self.clone(), order })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.at_work.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.order);
    }
}
