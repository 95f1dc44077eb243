//! What must always hold of a service's data, checked while it runs: at every
//! `GET /invariants`, and now and then by itself for the metric
//! `invariant_holds`. Services implement [`Checks`]; what holds of messaging is
//! checked here for all of them.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::routing::get;
use axum::{Json, Router};
use contracts::invariants::{Invariant, Report};
use contracts::messaging::Tally;
use prometheus::IntGaugeVec;
use tokio::sync::Mutex;

use crate::messaging::{Journal, Messaging};
use crate::problem::Failure;
use crate::serve::Chassis;

/// Shortest pause between two checks.
pub const CHECK_EVERY: Duration = Duration::from_secs(2);

/// A check may take this part of the time: a large table is checked less often.
const LEISURE: u32 = 50;

/// Longest pause between two checks.
const CHECK_AT_LEAST_EVERY: Duration = Duration::from_secs(3600);

/// What a check comes to.
pub type Checking<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Vec<Invariant>>> + Send + 'a>>;

/// Checks what must hold of a service's data, each sentence in one statement
/// and so at one moment.
pub trait Checks: Send + Sync + 'static {
    /// Every sentence with what was found.
    fn check(&self) -> Checking<'_>;
}

struct Checker {
    service: String,
    checks: Option<Arc<dyn Checks>>,
    messaging: Option<Messaging>,
    holds: IntGaugeVec,
    /// One check at a time: they read whole tables.
    turn: Mutex<()>,
}

pub(crate) fn routes(
    chassis: &Chassis,
    checks: Option<Arc<dyn Checks>>,
    messaging: Option<Messaging>,
) -> Router {
    let holds = chassis.metrics.gauges(
        "invariant_holds",
        "1 if a sentence about the service's data holds, 0 if it does not.",
        &["invariant"],
    );
    let service = chassis.config.service.clone();
    let checker = Arc::new(Checker { service, checks, messaging, holds, turn: Mutex::default() });
    let regular = Arc::clone(&checker);
    let next = Arc::new(Mutex::new(Instant::now()));
    chassis.tasks.repeat("check invariants", CHECK_EVERY, move || {
        let (checker, next) = (Arc::clone(&regular), Arc::clone(&next));
        async move { checker.regularly(&mut *next.lock().await).await }
    });
    let answer = move || async move { checker.report().await.map(Json).map_err(Failure::from) };
    Router::new().route("/invariants", get(answer))
}

impl Checker {
    async fn regularly(&self, next: &mut Instant) {
        let start = Instant::now();
        if start < *next {
            return;
        }
        if let Err(error) = self.report().await {
            tracing::warn!(error = format!("{error:#}"), "invariants cannot be checked");
        }
        *next = start + (start.elapsed() * LEISURE).min(CHECK_AT_LEAST_EVERY);
    }

    async fn report(&self) -> anyhow::Result<Report> {
        let _turn = self.turn.lock().await;
        let mut invariants = match &self.checks {
            Some(checks) => checks.check().await?,
            None => Vec::new(),
        };
        if let Some(messaging) = &self.messaging {
            let tallies = messaging.journal().tallies().await?;
            invariants.extend(tallies.iter().map(every_event_is_somewhere));
        }
        for invariant in &invariants {
            let gauge = self.holds.with_label_values(&[&invariant.name]);
            gauge.set(invariant.holds.into());
            if !invariant.holds {
                let (name, says) = (&invariant.name, &invariant.says);
                tracing::error!(invariant = name, says, "an invariant is broken");
            }
        }
        let holds = invariants.iter().all(|invariant| invariant.holds);
        Ok(Report { service: self.service.clone(), holds, invariants })
    }
}

/// Delivered = handled + dead + in flight.
fn every_event_is_somewhere(tally: &Tally) -> Invariant {
    let Tally { producer, delivered, handled, dead, in_flight, duplicates, position } = tally;
    Invariant::new(
        &format!("events_of_{producer}_are_accounted_for"),
        *delivered == handled + dead + in_flight,
        format!(
            "{delivered} events of {producer} were delivered: {handled} are handled, {dead} are \
             dead letters, {in_flight} are in flight"
        ),
        &[
            ("delivered", *delivered),
            ("handled", *handled),
            ("dead", *dead),
            ("in_flight", *in_flight),
            ("duplicates", *duplicates),
            ("position", *position),
        ],
    )
}
