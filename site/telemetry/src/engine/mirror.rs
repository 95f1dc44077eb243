//! The newest traces of another engine, fetched again and again: the map, drift and what callers say of a service are
//! made from spans, which nobody but the engine built in adds up.
//!
//! `loggia` starts it beside an engine of a team's. What it fetches is a sample, the newest of each look.

use super::TracesEngine;
use crate::Backend;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(5);
/// The first look reaches back so far, milliseconds.
const FIRST_MS: i64 = 5 * 60 * 1000;
/// Spans of a trace may arrive there so much later, milliseconds: what began within it is fetched again.
const LATE_MS: i64 = 30_000;

/// Fetches until cancelled.
pub async fn run_trace_mirror(
    backend: Arc<Backend>,
    engine: Arc<dyn TracesEngine>,
    cancel: CancellationToken,
) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut from_ms = backend.now_ms() - FIRST_MS;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let (backend, engine) = (backend.clone(), engine.clone());
        let looked = tokio::task::spawn_blocking(move || look(&backend, &*engine, from_ms));
        // The span of a look that failed is looked at again.
        if let Ok(Some(until_ms)) = looked.await {
            from_ms = until_ms - LATE_MS;
        }
    }
}

/// Up to when it has looked, milliseconds since 1970; `None` when the engine did not answer.
fn look(backend: &Backend, engine: &dyn TracesEngine, from_ms: i64) -> Option<i64> {
    let now_ms = backend.now_ms();
    let settled_ns = (now_ms - LATE_MS).saturating_mul(1_000_000);
    // A trace that ended long enough ago has all its spans.
    let known = |id: &traces::TraceId| {
        backend.traces.trace(id).is_some_and(|trace| trace.end_ns < settled_ns)
    };
    match engine.recent(from_ms, now_ms, &known) {
        Ok(spans) => {
            backend.traces.append(spans, now_ms);
            Some(now_ms)
        }
        Err(error) => {
            tracing::debug!(%error, "traces could not be fetched");
            None
        }
    }
}
