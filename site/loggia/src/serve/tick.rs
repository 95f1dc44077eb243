//! Once a second: what does the book ask, what does telemetry answer, what does that prove.

use super::App;
use document::Book;
use evidence::{Evidence, Plan, Window};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::MissedTickBehavior;

/// Time between two looks.
const TICK: Duration = Duration::from_secs(1);
/// The same where metrics are asked over the network.
const REMOTE_TICK: Duration = Duration::from_secs(5);

/// Milliseconds since 1970, by the system's clock.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Looks until the app ends.
pub(super) async fn run(app: Arc<App>) {
    let remote = app.sources.metrics().is_remote();
    let mut ticks = tokio::time::interval(if remote { REMOTE_TICK } else { TICK });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.token.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let looking = Arc::clone(&app);
        match tokio::task::spawn_blocking(move || look(&looking, now_ms())).await {
            Ok(evidence) => {
                app.evidence.send_replace(Arc::new(evidence));
            }
            Err(error) => tracing::error!(%error, "a look at the telemetry failed"),
        }
    }
}

/// The evidence at `now`: each distinct question is asked once, whoever reads the answer.
fn look(app: &App, now: i64) -> Evidence {
    let book = &app.shown().book;
    let observed = app.backend.traces.calls(i64::from(evidence::DRIFT_WINDOW_S) * 1000, now);
    let remote = app.sources.metrics().is_remote();
    let oldest = app.sources.metrics().oldest_ms().or_else(|| first_trace(&observed, now));
    app.since_ms.store(oldest.unwrap_or(i64::MAX), std::sync::atomic::Ordering::Relaxed);
    let pace_s = app.backend.scrape_interval_s();
    let window = if remote { Window::wide() } else { Window::paced(oldest, now, pace_s) };
    let kept_s = oldest.map_or(0, |oldest| now.saturating_sub(oldest).max(0) / 1000);
    let plan: Plan = evidence::plan(book, window, u32::try_from(kept_s).unwrap_or(u32::MAX));
    let (answers, age_s) = app.sources.answers(&plan, now);
    let graph = app.backend.traces.graph(i64::from(window.seconds()) * 1000, now);
    let told = (answers.as_slice(), age_s);
    let mut evidence = evidence::evaluate_aged(book, &plan, told, &graph, &observed, now);
    evidence.faults = app.sources.faults();
    evidence.alerts = super::alerts::seen(app, book, &evidence.services);
    evidence.map.place(Some(&app.evidence().map), now);
    evidence
}

/// Since when there are traces, milliseconds since 1970: a system without metrics is measured by them.
fn first_trace(observed: &traces::ServiceGraph, now: i64) -> Option<i64> {
    let covered_ms = (observed.covered_s * 1000.0) as i64;
    (!observed.edges.is_empty() || observed.traces > 0).then_some(now - covered_ms)
}

/// Evidence before the first look.
pub(super) fn nothing_yet(book: &Book) -> Evidence {
    let now = now_ms();
    let plan = evidence::plan(book, Window::covering(None, now), 0);
    let graph = traces::TraceStore::new(traces::StoreLimits::default()).graph(1000, now);
    evidence::evaluate(book, &plan, &[], &graph, &graph, now)
}
