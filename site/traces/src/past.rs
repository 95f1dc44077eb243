//! The service graph of a moment of the past, counted anew from the spans of that time.
//!
//! A store counts calls as they arrive and remembers some minutes of it; what lies further back is in the spans alone.
//! `telemetry` hands them in, `evidence` reads the graphs.

use crate::graph::GraphState;
use crate::{ServiceGraph, Span};
use std::collections::HashSet;
use std::sync::Arc;

/// The graphs over windows that end at `at_ms` (all in milliseconds), as a store would have told them had each span
/// arrived when it ended. What ended later is left out, so nothing of the future shows.
pub fn past_graphs<const N: usize>(
    spans: &[Arc<Span>],
    windows_ms: [i64; N],
    at_ms: i64,
) -> [ServiceGraph; N] {
    let arrival = |span: &Span| span.end_ns.div_euclid(1_000_000);
    let mut arrived: Vec<&Arc<Span>> = spans.iter().filter(|span| arrival(span) <= at_ms).collect();
    arrived.sort_by_key(|span| span.end_ns);
    let (mut state, mut traces) = (GraphState::default(), HashSet::new());
    let mut second = i64::MIN;
    for span in arrived {
        let now_ms = arrival(span);
        if now_ms.div_euclid(1000) > second {
            second = now_ms.div_euclid(1000);
            state.expire(now_ms);
        }
        if traces.insert(span.trace_id) {
            state.count_trace(now_ms);
        }
        state.observe(span, now_ms);
    }
    state.expire(at_ms);
    windows_ms.map(|window_ms| state.read(window_ms, at_ms, true))
}
