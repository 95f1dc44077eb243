//! Traces that are no longer in memory.
//!
//! The backend asks when memory has too few of them for a search, and looks at each that is named as a whole.

use super::{Disk, record, replay};
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering::Relaxed;
use traces::{Search, TraceId, TraceStore};

/// Bytes that one search reads at most; what is older than these is not found.
const MAX_SCANNED_BYTES: usize = 64 * 1024 * 1024;
/// How much later than its arrival a span may say that it began, milliseconds: clocks differ.
const SKEW_MS: i64 = 60_000;
/// How long after its beginning a span may arrive and still be found by the time, milliseconds.
const LATE_MS: i64 = 60 * 60 * 1000;

impl Disk {
    /// Whether there are traces that memory does not hold.
    pub(crate) fn has_more_traces(&self, memory: &TraceStore) -> bool {
        self.more_traces.load(Relaxed) || memory.stats().evicted_traces > 0
    }

    /// Hands over the traces that have a span that fits, each once, the newest arrival first, until told to end. Whom a span
    /// calls is not looked at: that takes the whole trace.
    pub(crate) fn find_traces(
        &self,
        search: &Search,
        mut take: impl FnMut(TraceId) -> ControlFlow<()>,
    ) {
        let (mut left, mut seen) = (MAX_SCANNED_BYTES, HashSet::new());
        let newest_ms = search.to_ms.map_or(i64::MAX, |to| to.saturating_add(LATE_MS));
        let span = record::batch_key(i64::MIN, 0)..=record::batch_key(newest_ms, u64::MAX);
        for part in self.traces.parts().into_iter().rev() {
            let batches = part.keyspace.range(span.clone()).rev();
            for (key, bytes) in self.faults.readable(batches) {
                let came_ms = record::batch_time(&key).unwrap_or(i64::MAX);
                let too_old =
                    search.from_ms.is_some_and(|from| came_ms.saturating_add(SKEW_MS) < from);
                if too_old || bytes.len() > left {
                    return;
                }
                left -= bytes.len();
                let spans = replay::decode_spans(&bytes).unwrap_or_default();
                for span in spans.iter().rev().filter(|span| search.fits(span)) {
                    if seen.insert(span.trace_id) && take(span.trace_id).is_break() {
                        return;
                    }
                }
            }
        }
    }
}
