//! What is kept of one kind (metrics, traces, logs), in parts by time: the oldest part goes as a whole, at once and without
//! a trace in the files of the others.
//!
//! Each part is a keyspace of the database. `keep` rolls and drops them; the others read them from the newest back.

use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, config::CompressionPolicy,
};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

/// Parts into which time and bytes of a kind are divided: what goes at a time is one of them.
const PARTS: u64 = 8;
/// Bytes of a part that wait in memory, at least and at most.
const BUFFER_BYTES: (u64, u64) = (1024 * 1024, 8 * 1024 * 1024);

/// How a keyspace is made: everything is compressed, because most is read seldom.
pub(super) fn settings(buffer_bytes: u64) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(buffer_bytes)
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
}

/// One part.
#[derive(Clone)]
pub(super) struct Part {
    /// Everything in it is of this time (milliseconds since 1970) or later, and before the next part's.
    pub(super) start_ms: i64,
    pub(super) keyspace: Keyspace,
    written: Arc<AtomicU64>,
}

impl Part {
    /// Counts bytes that were put in.
    pub(super) fn count(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Relaxed);
    }

    fn bytes(&self, buffer: u64) -> u64 {
        self.keyspace.disk_space() + self.written.load(Relaxed).min(buffer)
    }
}

/// The parts of one kind, the oldest first.
pub(super) struct Shelf {
    db: Database,
    kind: &'static str,
    most_bytes: u64,
    part_ms: i64,
    parts: RwLock<Vec<Part>>,
}

impl Shelf {
    /// The parts that are there.
    pub(super) fn open(
        db: &Database,
        kind: &'static str,
        retention_ms: i64,
        most_bytes: u64,
    ) -> fjall::Result<Self> {
        let part_ms = (retention_ms / PARTS as i64).max(1);
        let shelf = Self { db: db.clone(), kind, most_bytes, part_ms, parts: RwLock::default() };
        let names = db.list_keyspace_names();
        let starts = names
            .iter()
            .filter_map(|name| name.strip_prefix(kind)?.strip_prefix('@')?.parse().ok());
        let mut starts: Vec<i64> = starts.collect();
        starts.sort_unstable();
        for start_ms in starts {
            shelf.add(start_ms)?;
        }
        Ok(shelf)
    }

    /// All parts, the oldest first.
    pub(super) fn parts(&self) -> Vec<Part> {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The part for what is of `at_ms`, a new one when the newest is long or large enough.
    pub(super) fn part_for(&self, at_ms: i64) -> fjall::Result<Part> {
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
        let newest = parts.last().cloned();
        drop(parts);
        match newest {
            Some(part) if !self.is_full(&part, at_ms) => Ok(part),
            Some(part) => {
                part.keyspace.rotate_memtable()?;
                self.add(at_ms.max(part.start_ms + 1))
            }
            None => self.add(at_ms),
        }
    }

    fn is_full(&self, part: &Part, at_ms: i64) -> bool {
        at_ms.saturating_sub(part.start_ms) >= self.part_ms
            || part.bytes(self.buffer()) >= self.most_bytes / PARTS
    }

    fn add(&self, start_ms: i64) -> fjall::Result<Part> {
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(newest) = parts.last().filter(|newest| newest.start_ms >= start_ms) {
            return Ok(newest.clone());
        }
        let name = format!("{}@{start_ms}", self.kind);
        let keyspace = self.db.keyspace(&name, || settings(self.buffer()))?;
        let part = Part { start_ms, keyspace, written: Arc::default() };
        parts.push(part.clone());
        Ok(part)
    }

    /// Drops the parts that are too old or too much; gives the start of what is left when something went.
    pub(super) fn drop_old(&self, oldest_ms: i64) -> fjall::Result<Option<i64>> {
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        let mut bytes: u64 = parts.iter().map(|part| part.bytes(self.buffer())).sum();
        let mut gone = 0;
        while let [oldest, next, ..] = &parts[gone..]
            && (next.start_ms <= oldest_ms || bytes > self.most_bytes)
        {
            bytes -= oldest.bytes(self.buffer());
            self.db.delete_keyspace(oldest.keyspace.clone())?;
            gone += 1;
        }
        parts.drain(..gone);
        Ok(parts.first().filter(|_| gone > 0).map(|part| part.start_ms))
    }

    /// Bytes of all parts.
    pub(super) fn bytes(&self) -> u64 {
        self.parts().iter().map(|part| part.bytes(self.buffer())).sum()
    }

    fn buffer(&self) -> u64 {
        (self.most_bytes / PARTS / 2).clamp(BUFFER_BYTES.0, BUFFER_BYTES.1)
    }
}
