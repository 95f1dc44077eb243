//! Telemetry on a disk, so that it survives a restart and `kill -9`.
//!
//! The backend hands over what it accepted, `replay` fills an empty backend with it, `series` reads old samples back through
//! [`series::Archive`]. All of it lies in one database of `fjall`:
//!
//! 1. Whatever is accepted is appended to the database's journal before it is acknowledged, so it survives the end of the
//!    process at any moment; a thread syncs the journal every [`SYNC_EVERY`], so that of a power cut a second is lost at most.
//! 2. Samples go to a write-ahead log (`wal@N`) and stay in memory. Once a block of time is over and too old for late
//!    samples, it is written as one compressed chunk for each series (`metrics@START`), and logs that hold nothing newer go.
//! 3. OTLP requests of spans and log records are kept as they came (`traces@START`, `logs@START`), with an index by trace.
//! 4. What is beyond the retention goes in parts, see `shelf`.
//!
//! When the disk fails, memory goes on, the failure is counted and said, and nothing more is written until the next start.
//! While the disk has little room left, nothing is written either, and writing goes on by itself once there is room.
//! What cannot be read back is left out, counted and said.

mod archive;
mod archived_logs;
mod archived_traces;
mod damage;
mod exemplars;
mod fault;
mod folder;
mod keep;
mod notes;
mod record;
mod replay;
mod room;
mod shelf;
mod sync;

pub use folder::OpenError;
pub(crate) use notes::NoteBatch;
pub use replay::Progress;
pub(crate) use replay::Stores;

use fault::Faults;
use fjall::{Database, Keyspace};
use series::Noted;
use shelf::{Part, Shelf, settings};
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use sync::Syncing;
use traces::{Span, TraceId};

/// Time between an append and the moment from which it survives a power cut, at most, beside the sync itself.
const SYNC_EVERY: Duration = Duration::from_millis(250);
/// Of the bytes on disk, what metrics, traces, logs and exemplars may take, in percent.
const SHARES: [u64; 4] = [50, 34, 14, 2];
/// The keyspace of the list of series.
const SERIES: &str = "series";
/// The keyspace of what metrics say of themselves.
const METADATA: &str = "metadata";
/// Bytes of the write-ahead log, and of the list of series, that wait in memory.
const LOG_BUFFER_BYTES: u64 = 8 * 1024 * 1024;

/// Where telemetry is kept and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskOptions {
    /// The folder, made if it is not there.
    pub folder: PathBuf,
    /// Milliseconds for which telemetry is kept.
    pub retention_ms: i64,
    /// Bytes that metrics, traces, logs and exemplars take together; beyond them the oldest go. The database's journal of at most
    /// 128 MiB comes on top.
    pub retention_bytes: u64,
    /// Milliseconds of metrics that are written as one block. At the start about two blocks are read into memory.
    pub block_ms: i64,
    /// Bytes that are left free on the disk; with less nothing is written.
    pub spare_bytes: u64,
}

impl DiskOptions {
    /// Retention unless configured otherwise: 15 days, in milliseconds.
    pub const RETENTION_MS: i64 = 15 * 24 * 60 * 60 * 1000;
    /// Bytes unless configured otherwise: 2 GB.
    pub const RETENTION_BYTES: u64 = 2_000_000_000;
    /// The fewest bytes with which parts are still of a useful size: 64 MB.
    pub const LEAST_BYTES: u64 = 64_000_000;
    /// A block unless configured otherwise: an hour, in milliseconds.
    pub const BLOCK_MS: i64 = 60 * 60 * 1000;
    /// Bytes left free unless configured otherwise: 64 MiB, so that a file of the database that is begun can be ended.
    pub const SPARE_BYTES: u64 = 64 * 1024 * 1024;

    /// The usual limits for a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            retention_ms: Self::RETENTION_MS,
            retention_bytes: Self::RETENTION_BYTES,
            block_ms: Self::BLOCK_MS,
            spare_bytes: Self::SPARE_BYTES,
        }
    }
}

/// One write-ahead log.
struct Log {
    number: u64,
    keyspace: Keyspace,
    /// The newest sample in it.
    newest_ms: AtomicI64,
}

/// A block that is being written: its end, and the part it goes to.
#[derive(Clone)]
struct Unfinished {
    end_ms: i64,
    part: Part,
}

/// The store on disk of one backend.
pub(crate) struct Disk {
    options: DiskOptions,
    db: Database,
    /// Labels by the ids of series.
    series: Keyspace,
    notes: Keyspace,
    metrics: Arc<Shelf>,
    traces: Shelf,
    logs: Shelf,
    exemplars: Shelf,
    /// By the metric's name.
    metadata: Keyspace,
    /// The newest is written to. Appends hold it for reading, so that no log goes while they write.
    wals: RwLock<Vec<Log>>,
    /// Samples before this time are in blocks.
    archived_to: AtomicI64,
    unfinished: Mutex<Option<Unfinished>>,
    /// The oldest sample that came since `keep` looked last.
    oldest_came_ms: AtomicI64,
    number: AtomicU64,
    /// Whether there were more log records than memory was filled with.
    more_logs: AtomicBool,
    /// The same of spans.
    more_traces: AtomicBool,
    pub(crate) faults: Arc<Faults>,
    syncing: Syncing,
}

impl Disk {
    fn new(options: DiskOptions, db: Database, mended: Vec<String>) -> fjall::Result<Self> {
        let bytes = |share: usize| options.retention_bytes / 100 * SHARES[share];
        let shelf = |kind, share| Shelf::open(&db, kind, options.retention_ms, bytes(share));
        Ok(Self {
            series: db.keyspace(SERIES, || settings(LOG_BUFFER_BYTES))?,
            notes: notes::open(&db)?,
            metrics: Arc::new(shelf("metrics", 0)?),
            traces: shelf("traces", 1)?,
            logs: shelf("logs", 2)?,
            exemplars: shelf("exemplars", 3)?,
            metadata: db.keyspace(METADATA, || settings(LOG_BUFFER_BYTES))?,
            wals: RwLock::default(),
            archived_to: AtomicI64::new(i64::MIN),
            unfinished: Mutex::default(),
            oldest_came_ms: AtomicI64::new(i64::MAX),
            number: AtomicU64::new(0),
            more_logs: AtomicBool::new(false),
            more_traces: AtomicBool::new(false),
            faults: Arc::new(Faults::new(&options.folder, mended)),
            syncing: Syncing::start(&db),
            options,
            db,
        })
    }

    /// Where and for how long.
    pub(crate) fn options(&self) -> &DiskOptions {
        &self.options
    }

    /// Writes down samples that were stored in memory.
    pub(crate) fn append_samples(&self, noted: Noted) {
        let times = || noted.samples().iter().map(|(_, sample)| sample.t);
        let (Some(oldest_ms), Some(newest_ms)) = (times().min(), times().max()) else { return };
        self.oldest_came_ms.fetch_min(oldest_ms, Relaxed);
        if !self.faults.may_write() {
            return;
        }
        let wals = self.wals.read().unwrap_or_else(PoisonError::into_inner);
        let Some(wal) = wals.last() else { return };
        wal.newest_ms.fetch_max(newest_ms, Relaxed);
        let mut batch = self.db.batch();
        for (id, labels) in noted.unknown() {
            let mut bytes = Vec::new();
            labels.encode(&mut bytes);
            batch.insert(&self.series, id.to_be_bytes(), bytes);
        }
        let record = record::encode_samples(noted.samples());
        batch.insert(&wal.keyspace, self.next_number().to_be_bytes(), record);
        if self.settle(batch.commit()) {
            noted.written();
        }
    }

    /// Writes down a request of spans that came at `now_ms` and what it held.
    pub(crate) fn append_spans(&self, now_ms: i64, request: &[u8], traces: &BTreeSet<TraceId>) {
        self.append_batch(&self.traces, now_ms, request, traces);
    }

    /// Writes down a request of log records that came at `now_ms`.
    pub(crate) fn append_logs(&self, now_ms: i64, request: &[u8]) {
        self.append_batch(&self.logs, now_ms, request, []);
    }

    fn append_batch<'a>(
        &self,
        shelf: &Shelf,
        now_ms: i64,
        request: &[u8],
        traces: impl IntoIterator<Item = &'a TraceId>,
    ) {
        if !self.faults.may_write() {
            return;
        }
        let written = shelf.part_for(now_ms).and_then(|part| {
            let key = record::batch_key(now_ms, self.next_number());
            let mut batch = self.db.batch();
            let mut bytes = request.len();
            for id in traces {
                batch.insert(&part.keyspace, [&*record::trace_prefix(id), &*key].concat(), []);
                bytes += 2 * key.len();
            }
            part.count(bytes);
            batch.insert(&part.keyspace, key, request);
            batch.commit()
        });
        self.settle(written);
    }

    /// All spans of a trace that are kept, as they came; with those of the memory there are duplicates.
    pub(crate) fn spans_of(&self, id: &TraceId) -> Vec<Span> {
        let prefix = record::trace_prefix(id);
        let mut spans = Vec::new();
        for part in self.traces.parts() {
            for (key, _) in self.faults.readable(part.keyspace.prefix(&prefix)) {
                let batch = part.keyspace.get(&key[prefix.len()..]);
                let request = self.faults.read(batch).flatten();
                let decoded = request.and_then(|bytes| replay::decode_spans(&bytes));
                spans.extend(decoded.into_iter().flatten().filter(|span| span.trace_id == *id));
            }
        }
        spans
    }

    /// Bytes of metrics, traces, logs and exemplars on disk, without the journal.
    pub(crate) fn bytes(&self) -> [u64; 4] {
        [self.metrics.bytes(), self.traces.bytes(), self.logs.bytes(), self.exemplars.bytes()]
    }

    fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Relaxed)
    }

    /// Whether a write succeeded; a failure is counted, and said when it is the first.
    fn settle<T>(&self, result: fjall::Result<T>) -> bool {
        match result {
            Ok(_) => {
                self.syncing.wake();
                true
            }
            Err(error) => {
                self.faults.write_failed(&error);
                false
            }
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("options", &self.options).finish_non_exhaustive()
    }
}
