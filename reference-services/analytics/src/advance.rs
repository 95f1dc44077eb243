//! Time going on: every so often the marks of the sources are read off, the
//! watermarks follow, windows are closed, and figures are set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chassis::Chassis;
use chassis::clock::now_ms;
use prometheus::{GaugeVec, IntCounterVec, IntGauge, IntGaugeVec};

use crate::domain::Source;
use crate::sources::Pulses;
use crate::store::{Desk, MAX_QUEUED};
use crate::watermark::{Known, NEVER, mark};

/// How often.
const ADVANCE_EVERY: Duration = Duration::from_millis(500);

/// How often figures are counted.
const COUNT_EVERY: Duration = Duration::from_secs(2);

/// How often what is old is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(600);

pub(crate) fn start(desk: &Desk, pulses: &Pulses, idle_ms: i64, chassis: &Chassis) {
    let closed = chassis.metrics.counter(
        "analytics_windows_closed_total",
        "Windows that the watermark has passed, since the start.",
        &["series"],
    );
    let hand =
        Hand { desk: desk.clone(), pulses: pulses.clone(), idle_ms, closed, away: Arc::default() };
    chassis.tasks.repeat("close windows", ADVANCE_EVERY, move || {
        let hand = hand.clone();
        async move {
            if let Err(error) = hand.advance().await {
                tracing::warn!(error = format!("{error:#}"), "windows cannot be closed");
            }
        }
    });
    let (gauges, counted) = (Gauges::new(chassis), desk.clone());
    chassis.tasks.repeat("count windows", COUNT_EVERY, move || {
        let (gauges, desk) = (gauges.clone(), counted.clone());
        async move {
            if let Err(error) = gauges.set(&desk).await {
                tracing::warn!(error = format!("{error:#}"), "windows cannot be counted");
            }
        }
    });
    let desk = desk.clone();
    chassis.tasks.repeat("forget old windows", FORGET_EVERY, move || {
        let desk = desk.clone();
        async move {
            if let Err(error) = desk.forget_old(now_ms()).await {
                tracing::warn!(error = format!("{error:#}"), "old windows were not removed");
            }
        }
    });
}

#[derive(Debug, Clone)]
struct Hand {
    desk: Desk,
    pulses: Pulses,
    idle_ms: i64,
    closed: IntCounterVec,
    /// Sources that are given up, to say so once.
    away: Arc<Mutex<BTreeSet<Source>>>,
}

impl Hand {
    async fn advance(&self) -> anyhow::Result<()> {
        // In this order: whatever comes meanwhile is younger than what was read.
        let pulses = self.pulses.now();
        let newest = self.desk.newest().await?;
        let waiting = self.desk.oldest_waiting().await?;
        let marks: BTreeMap<Source, Option<i64>> = pulses
            .iter()
            .map(|(source, pulse)| {
                let oldest = waiting.iter().find(|(producer, _)| producer == source.name());
                let known = Known {
                    newest_ms: newest.get(source).copied().unwrap_or(NEVER),
                    waiting_ms: oldest.map(|(_, at_ms)| *at_ms),
                    pulse: *pulse,
                    bound_ms: source.bound_ms(),
                };
                (*source, mark(&known, self.idle_ms))
            })
            .collect();
        self.tell_who_is_away(&marks);
        let done = self.desk.close(&marks, now_ms()).await?;
        for (series, closed) in done.closed.iter().filter(|(_, closed)| **closed > 0) {
            tracing::debug!(series, closed, "windows closed");
            self.closed.with_label_values(&[series]).inc_by(*closed);
        }
        Ok(())
    }

    fn tell_who_is_away(&self, marks: &BTreeMap<Source, Option<i64>>) {
        let now: BTreeSet<Source> =
            marks.iter().filter(|(_, mark)| mark.is_none()).map(|(source, _)| *source).collect();
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        for source in now.difference(&away) {
            let source = source.name();
            tracing::warn!(source, "a source cannot be asked: windows close without it");
        }
        for source in away.difference(&now) {
            tracing::info!(source = source.name(), "a source can be asked again");
        }
        *away = now;
    }
}

#[derive(Debug, Clone)]
struct Gauges {
    lag: GaugeVec,
    late: IntGaugeVec,
    windows: IntGaugeVec,
    queued: IntGauge,
}

impl Gauges {
    fn new(chassis: &Chassis) -> Self {
        let metrics = &chassis.metrics;
        let most =
            metrics.gauge("analytics_queue_limit", "Events of clients that may wait at most.");
        most.set(MAX_QUEUED);
        Self {
            lag: metrics.seconds(
                "analytics_watermark_lag_seconds",
                "How far the watermark of a series is behind the clock.",
                &["series"],
            ),
            late: metrics.gauges(
                "analytics_late_events",
                "Events that came when their window was final, ever.",
                &["series"],
            ),
            windows: metrics.gauges(
                "analytics_windows",
                "Windows that are kept, by how far they have come.",
                &["series", "state"],
            ),
            queued: metrics.gauge("analytics_queue_length", "Events of clients that wait."),
        }
    }

    async fn set(&self, desk: &Desk) -> anyhow::Result<()> {
        let figures = desk.figures().await?;
        for (series, watermark_ms, late) in &figures.series {
            self.late.with_label_values(&[series]).set(*late);
            if *watermark_ms != NEVER {
                let lag_ms = now_ms().saturating_sub(*watermark_ms).max(0);
                self.lag.with_label_values(&[series]).set(lag_ms as f64 / 1e3);
            }
        }
        self.windows.reset();
        for (series, state, count) in &figures.windows {
            let state = ["open", "closed", "final"][usize::try_from(*state)?.min(2)];
            self.windows.with_label_values(&[series.as_str(), state]).set(*count);
        }
        self.queued.set(figures.queued);
        Ok(())
    }
}
