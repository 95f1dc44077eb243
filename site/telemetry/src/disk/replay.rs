//! Filling an empty backend with what is on disk.
//!
//! Metrics: the list of series, which blocks have them, and the samples of the write-ahead logs. Spans and log records: the
//! newest, as many bytes as memory may hold; what is older stays on disk.

use super::archive::Blocks;
use super::record::{self, BLOCK_LIST};
use super::shelf::{Part, Shelf, settings};
use super::{Disk, DiskOptions, LOG_BUFFER_BYTES, Log, OpenError, Unfinished, folder};
use crate::Exemplars;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use series::{Head, Labels, Restoring};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};
use traces::{LogRecord, LogStore, Span, TraceStore};

/// Records between two reports of how far it is.
const REPORT_EVERY: usize = 1000;
/// Bytes of exemplars that are read back: about as many as memory has places for.
const EXEMPLAR_BYTES: usize = 8 * 1024 * 1024;

/// How far the opening of a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is read: `metrics`, `traces`, `logs` or `exemplars`.
    pub what: &'static str,
    /// Records that were read.
    pub done: usize,
    /// About how many there are.
    pub total: usize,
}

/// The stores that are filled.
pub(crate) struct Stores<'a> {
    pub(crate) metrics: &'a Head,
    pub(crate) traces: &'a TraceStore,
    pub(crate) logs: &'a LogStore,
    pub(crate) exemplars: &'a Exemplars,
    /// Bytes of spans and of log records that memory holds at most.
    pub(crate) bytes: [usize; 2],
}

type Report<'a> = &'a mut dyn FnMut(Progress);

impl Disk {
    /// Opens a folder and fills the stores with what is in it.
    pub(crate) fn open(
        options: DiskOptions,
        stores: &Stores<'_>,
        report: Report<'_>,
    ) -> Result<Self, OpenError> {
        let at = options.folder.clone();
        let (db, mended) = folder::open(&at)?;
        Self::new(options, db, mended)
            .and_then(|mut disk| disk.fill(stores, report).map(|()| disk))
            .inspect(Self::look_for_room)
            .map_err(|error| OpenError::database(&at, error))
    }

    fn fill(&mut self, stores: &Stores<'_>, report: Report<'_>) -> fjall::Result<()> {
        self.fill_metrics(stores.metrics, report)?;
        let [spans, records] = stores.bytes;
        let take_spans = |at, bytes: &[u8]| {
            let spans = decode_spans(bytes)?;
            stores.traces.append(spans, at);
            Some(())
        };
        let all = self.fill_newest("traces", &self.traces, spans, take_spans, report);
        self.more_traces.store(!all, Relaxed);
        let take_logs = |_, bytes: &[u8]| {
            stores.logs.append(decode_logs(bytes)?);
            Some(())
        };
        let all = self.fill_newest("logs", &self.logs, records, take_logs, report);
        self.more_logs.store(!all, Relaxed);
        let take_exemplars = |at, bytes: &[u8]| {
            for (labels, exemplar) in super::exemplars::decode(bytes)? {
                stores.exemplars.append(&labels, &exemplar, at);
            }
            Some(())
        };
        self.fill_newest("exemplars", &self.exemplars, EXEMPLAR_BYTES, take_exemplars, report);
        Ok(())
    }

    fn fill_metrics(&mut self, head: &Head, report: Report<'_>) -> fjall::Result<()> {
        let lists = self.block_lists();
        let floor_ms = lists.iter().map(|(end_ms, _, _)| *end_ms).max().unwrap_or(i64::MIN);
        self.archived_to.store(floor_ms, Relaxed);
        let mut restoring = head.restore(floor_ms);
        for (key, bytes) in self.faults.readable(self.series.iter()) {
            let id = key.as_ref().try_into().map(u64::from_be_bytes);
            if let (Ok(id), Some(labels)) = (id, Labels::decode(&mut &*bytes)) {
                restoring.series(id, &labels);
            }
        }
        for (end_ms, start_ms, ids) in lists {
            ids.iter().for_each(|id| restoring.archived(*id, start_ms, end_ms));
        }
        self.replay_logs(&mut restoring, report)?;
        let empty = restoring.finish();
        self.forget_series(&empty);
        let (shelf, faults) = (self.metrics.clone(), self.faults.clone());
        head.attach(Arc::new(Blocks { shelf, faults }));
        Ok(())
    }

    /// End, start and series of each finished block; an unfinished one is remembered.
    fn block_lists(&self) -> Vec<(i64, i64, Vec<u64>)> {
        let mut lists = Vec::new();
        for part in self.metrics.parts() {
            let found = part.keyspace.prefix(BLOCK_LIST.to_be_bytes());
            for (key, bytes) in self.faults.readable(found) {
                let Some(end_ms) = record::block_end(&key) else { continue };
                match record::decode_list(&bytes) {
                    Some((start_ms, ids)) => lists.push((end_ms, start_ms, ids)),
                    None => {
                        let part = part.clone();
                        *self.unfinished.lock().unwrap_or_else(PoisonError::into_inner) =
                            Some(Unfinished { end_ms, part });
                    }
                }
            }
        }
        lists
    }

    fn replay_logs(&self, restoring: &mut Restoring<'_>, report: Report<'_>) -> fjall::Result<()> {
        let names = self.db.list_keyspace_names();
        let numbers = names.iter().filter_map(|name| name.strip_prefix("wal@")?.parse().ok());
        let mut numbers: Vec<u64> = numbers.collect();
        numbers.sort_unstable();
        let mut logs = Vec::new();
        for number in numbers {
            let name = format!("wal@{number}");
            let keyspace = self.db.keyspace(&name, || settings(LOG_BUFFER_BYTES))?;
            logs.push(Log { number, keyspace, newest_ms: AtomicI64::new(i64::MIN) });
        }
        let total = logs.iter().map(|log| log.keyspace.approximate_len()).sum();
        let mut done = 0;
        report(Progress { what: "metrics", done, total });
        for log in &logs {
            for (key, bytes) in self.faults.readable(log.keyspace.iter()) {
                let number = key.as_ref().try_into().map_or(0, u64::from_be_bytes);
                self.number.fetch_max(number + 1, Relaxed);
                for (id, sample) in record::decode_samples(&bytes).unwrap_or_default() {
                    restoring.sample(id, sample);
                    log.newest_ms.fetch_max(sample.t, Relaxed);
                }
                done += 1;
                if done % REPORT_EVERY == 0 {
                    report(Progress { what: "metrics", done, total });
                }
            }
        }
        *self.wals.write().unwrap_or_else(PoisonError::into_inner) = logs;
        self.roll_log(self.archived_to.load(Relaxed))
    }

    /// Hands over the newest batches of a shelf, in the order in which they came, as many as make `most_bytes`; gives whether
    /// these were all.
    fn fill_newest(
        &self,
        what: &'static str,
        shelf: &Shelf,
        most_bytes: usize,
        mut take: impl FnMut(i64, &[u8]) -> Option<()>,
        report: Report<'_>,
    ) -> bool {
        let (newest, all) = self.newest_batches(shelf, most_bytes);
        let total = newest.len();
        for (done, (part, key)) in newest.iter().rev().enumerate() {
            let number = key.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            self.number.fetch_max(number + 1, Relaxed);
            let Some(bytes) = self.faults.read(part.keyspace.get(key)).flatten() else { continue };
            let taken = record::batch_time(key).and_then(|at| take(at, &bytes));
            if taken.is_none() {
                self.faults.unreadable(&format!("a batch of {what} makes no sense"));
            }
            if done % REPORT_EVERY == 0 {
                report(Progress { what, done, total });
            }
        }
        all
    }

    /// Keys of the newest batches, the newest first, and whether these are all.
    fn newest_batches(&self, shelf: &Shelf, most_bytes: usize) -> (Vec<(Part, Vec<u8>)>, bool) {
        let (mut newest, mut bytes) = (Vec::new(), 0);
        for part in shelf.parts().into_iter().rev() {
            let batches = part.keyspace.prefix(record::batch_prefix()).rev();
            for (key, value) in self.faults.readable(batches) {
                bytes += value.len();
                if bytes > most_bytes {
                    return (newest, false);
                }
                newest.push((part.clone(), key.to_vec()));
            }
        }
        (newest, true)
    }
}

/// The spans of a request that was kept.
pub(super) fn decode_spans(bytes: &[u8]) -> Option<Vec<Span>> {
    let request = ExportTraceServiceRequest::decode(bytes).ok()?;
    Some(traces::decode_spans(request).items)
}

pub(super) fn decode_logs(bytes: &[u8]) -> Option<Vec<LogRecord>> {
    let request = ExportLogsServiceRequest::decode(bytes).ok()?;
    Some(traces::decode_logs(request).items)
}
