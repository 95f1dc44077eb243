//! What was seen some time ago: the spans of a moment, in memory and on disk.
//!
//! `loggia` asks for them to work out the service graph of then.

use crate::Backend;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use traces::{Search, Span, TraceId};

impl Backend {
    /// The spans of the newest traces, as many as `limit`, that have one that began from `from_ms` to `to_ms`
    /// (milliseconds since 1970).
    pub fn spans_between(&self, from_ms: i64, to_ms: i64, limit: usize) -> Vec<Arc<Span>> {
        let mut spans = self.traces.spans_between(from_ms, to_ms, limit);
        let Some(disk) = self.disk().filter(|disk| disk.has_more_traces(&self.traces)) else {
            return spans;
        };
        let mut known: HashSet<TraceId> = spans.iter().map(|span| span.trace_id).collect();
        let times =
            Search { from_ms: Some(from_ms), to_ms: Some(to_ms), limit, ..Search::default() };
        disk.find_traces(&times, |id| {
            if known.len() >= limit {
                return ControlFlow::Break(());
            }
            if known.insert(id) {
                spans.extend(disk.spans_of(&id).into_iter().map(Arc::new));
            }
            ControlFlow::Continue(())
        });
        spans
    }
}
