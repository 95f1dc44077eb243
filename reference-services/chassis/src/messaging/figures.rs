//! Messaging in figures: what was delivered, handled and given up since the
//! start, and what waits now. `consumer` counts, the tables say what waits.

use std::time::Duration;

use prometheus::{GaugeVec, Histogram, IntCounter, IntCounterVec, IntGaugeVec};

use crate::clock::now_ms;
use crate::metrics::Metrics;
use crate::serve::Chassis;

use super::journal::{Journal, Received};
use super::{KEPT_MS, Messaging};

/// How often what waits is counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// How often old events are forgotten.
const PURGE_EVERY: Duration = Duration::from_secs(600);

const PRODUCER: &str = "producer";

/// The figures of one producer's events.
#[derive(Debug)]
pub(super) struct Figures {
    delivered: IntCounter,
    duplicates: IntCounter,
    retried: IntCounter,
    dead: IntCounter,
    handled: IntCounterVec,
    duration: Histogram,
    producer: &'static str,
}

impl Figures {
    pub(super) fn new(metrics: &Metrics, producer: &'static str) -> Self {
        let counter = |name: &str, help: &str| {
            metrics.shared_counter(name, help, &[PRODUCER]).with_label_values(&[producer])
        };
        Self {
            delivered: counter(
                "messaging_delivered_total",
                "Events that were delivered to this service for the first time.",
            ),
            duplicates: counter(
                "messaging_duplicates_total",
                "Deliveries of events that had been delivered before.",
            ),
            retried: counter("messaging_retried_total", "Attempts that failed and are repeated."),
            dead: counter("messaging_dead_lettered_total", "Events that were given up."),
            handled: metrics.shared_counter(
                "messaging_handled_total",
                "Events whose effect is in the database.",
                &[PRODUCER, "kind"],
            ),
            duration: metrics
                .shared_durations(
                    "messaging_process_duration_seconds",
                    "Duration of the attempts that succeeded.",
                    &[PRODUCER],
                )
                .with_label_values(&[producer]),
            producer,
        }
    }

    pub(super) fn delivered(&self, received: Received) {
        self.delivered.inc_by(received.new);
        self.duplicates.inc_by(received.duplicates);
    }

    pub(super) fn handled(&self, kind: &str, took: Duration) {
        self.handled.with_label_values(&[self.producer, kind]).inc();
        self.duration.observe(took.as_secs_f64());
    }

    pub(super) fn failed(&self, for_good: bool) {
        if for_good { self.dead.inc() } else { self.retried.inc() }
    }
}

/// What waits now.
#[derive(Debug, Clone)]
struct Gauges {
    in_flight: IntGaugeVec,
    dead: IntGaugeVec,
    lag: GaugeVec,
    outbox: IntGaugeVec,
}

/// Counts what waits, and forgets what is old, now and then.
pub(super) fn start(messaging: &Messaging, chassis: &Chassis) {
    let gauge = |name: &str, help: &str, label| chassis.metrics.gauges(name, help, &[label]);
    let gauges = Gauges {
        in_flight: gauge("messaging_in_flight", "Events that wait here to be handled.", PRODUCER),
        dead: gauge("messaging_dead_letters", "Events that were given up and lie here.", PRODUCER),
        lag: chassis.metrics.seconds(
            "messaging_lag_seconds",
            "Age of the oldest event that waits here; 0 when none does.",
            &[PRODUCER],
        ),
        outbox: gauge(
            "messaging_outbox_position",
            "Events that this service ever published.",
            "outbox",
        ),
    };
    let (journal, service) = (messaging.journal.clone(), chassis.config.service.clone());
    chassis.tasks.repeat("count events", COUNT_EVERY, move || {
        let (journal, gauges, service) = (journal.clone(), gauges.clone(), service.clone());
        async move {
            if let Err(error) = gauges.set(&journal, &service).await {
                tracing::warn!(error = format!("{error:#}"), "events cannot be counted");
            }
        }
    });
    let journal = messaging.journal.clone();
    chassis.tasks.repeat("forget old events", PURGE_EVERY, move || {
        let journal = journal.clone();
        async move {
            if let Err(error) = journal.purge(now_ms() - KEPT_MS).await {
                tracing::warn!(error = format!("{error:#}"), "old events were not removed");
            }
        }
    });
}

impl Gauges {
    async fn set<J: Journal>(&self, journal: &J, service: &str) -> anyhow::Result<()> {
        let last = journal.feed(i64::MAX, 0).await?.last;
        self.outbox.with_label_values(&[service]).set(last);
        let waiting = journal.oldest_waiting().await?;
        for tally in journal.tallies().await? {
            let producer = [tally.producer.as_str()];
            self.in_flight.with_label_values(&producer).set(tally.in_flight);
            self.dead.with_label_values(&producer).set(tally.dead);
            let oldest = waiting.iter().find(|(name, _)| *name == tally.producer);
            let lag_ms = oldest.map_or(0, |(_, published_ms)| (now_ms() - published_ms).max(0));
            self.lag.with_label_values(&producer).set(lag_ms as f64 / 1e3);
        }
        Ok(())
    }
}
