//! Log records that are no longer in memory.
//!
//! The backend asks when memory has too few of them for a search.

use super::{Disk, record, replay};
use std::collections::{HashMap, hash_map::Entry};
use std::sync::{Arc, atomic::Ordering::Relaxed};
use traces::{LogRecord, LogSearch, LogStore};

/// Bytes that one search reads at most; what is older than these is not found.
const MAX_SCANNED_BYTES: usize = 64 * 1024 * 1024;
/// How much later than its arrival a record may say that it happened, milliseconds: clocks differ.
const SKEW_MS: i64 = 60_000;

impl Disk {
    /// Whether there are records that memory does not hold.
    pub(crate) fn has_more_logs(&self, memory: &LogStore) -> bool {
        self.more_logs.load(Relaxed) || !memory.is_complete()
    }

    /// The records that fit, newest arrival first: `found` in memory, and then those on disk.
    pub(crate) fn search_logs(
        &self,
        search: &LogSearch,
        mut found: Vec<Arc<LogRecord>>,
    ) -> Vec<Arc<LogRecord>> {
        let limit = search.limit.unwrap_or(usize::MAX);
        let mut left = MAX_SCANNED_BYTES;
        // How often memory has each of them: the disk has these too.
        let mut known: HashMap<i64, Vec<Arc<LogRecord>>> = HashMap::new();
        for record in &found {
            known.entry(record.moment_ns()).or_default().push(record.clone());
        }
        let mut is_new = |record: &LogRecord| {
            let Entry::Occupied(mut same) = known.entry(record.moment_ns()) else { return true };
            let at = same.get().iter().position(|other| **other == *record);
            at.map(|at| same.get_mut().swap_remove(at)).is_none()
        };
        for part in self.logs.parts().into_iter().rev() {
            let batches = part.keyspace.prefix(record::batch_prefix()).rev();
            for (key, bytes) in self.faults.readable(batches) {
                let came_ms = record::batch_time(&key).unwrap_or(i64::MAX);
                let too_old =
                    search.from_ms.is_some_and(|from| came_ms.saturating_add(SKEW_MS) < from);
                if too_old || found.len() >= limit || bytes.len() > left {
                    return found;
                }
                left -= bytes.len();
                let records = replay::decode_logs(&bytes).unwrap_or_default();
                let fitting = records.into_iter().rev().filter(|record| search.fits(record));
                let fresh = fitting.filter(|record| is_new(record));
                found.extend(fresh.take(limit - found.len()).map(Arc::new));
            }
        }
        found
    }
}
