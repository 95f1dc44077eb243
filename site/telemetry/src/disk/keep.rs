//! What is done now and then: writing blocks, dropping what is beyond the retention.
//!
//! The backend's housekeeping calls it.

use super::record::{BLOCK_LIST, block_key, encode_list};
use super::room::free_bytes;
use super::shelf::settings;
use super::{Disk, LOG_BUFFER_BYTES, Log, Unfinished};
use fjall::PersistMode;
use series::Head;
use std::collections::HashSet;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Series that are written at a time.
const SERIES_AT_A_TIME: usize = 500;

impl Disk {
    /// Writes the blocks that are due at `now_ms` and drops what is too old or too much.
    pub(crate) fn keep(&self, head: &Head, now_ms: i64) {
        self.look_for_room();
        let block_ms = self.options.block_ms;
        let over = now_ms.saturating_sub(head.limits().late_ms);
        // Whoever sends an hour after the fact shall end it; one who is always late shall not keep all of it in memory.
        let came = self.oldest_came_ms.swap(i64::MAX, Relaxed);
        let over = over.min(came.max(over.saturating_sub(block_ms)));
        self.archive(head, over.div_euclid(block_ms) * block_ms);
        let dropped = self.drop_old(head, now_ms);
        self.settle_upkeep(dropped);
    }

    /// Puts everything before `end_ms` into blocks, unless that is done.
    pub(crate) fn archive(&self, head: &Head, end_ms: i64) {
        if self.faults.failure().is_none() {
            let written = self.finish_block(head).and_then(|()| self.start_block(head, end_ms));
            self.settle_upkeep(written);
        }
        // A disk that takes nothing must not make the memory grow.
        head.hold_unarchived(self.faults.failure().is_none());
    }

    /// Halts writing while the disk has little room.
    pub(super) fn look_for_room(&self) {
        if let Some(free) = free_bytes(&self.options.folder) {
            self.faults.room(free, self.options.spare_bytes);
        }
    }

    /// Forgets series that have no samples any more.
    pub(crate) fn forget_series(&self, ids: &[u64]) {
        let mut batch = self.db.batch();
        ids.iter().for_each(|id| batch.remove(&self.series, id.to_be_bytes()));
        self.settle_upkeep(batch.commit());
    }

    fn settle_upkeep(&self, result: fjall::Result<()>) {
        if let Err(error) = result {
            self.faults.write_failed(&error);
        }
    }

    fn drop_old(&self, head: &Head, now_ms: i64) -> fjall::Result<()> {
        let oldest_ms = now_ms.saturating_sub(self.options.retention_ms);
        if let Some(start_ms) = self.metrics.drop_old(oldest_ms)? {
            head.forget_archived(start_ms);
        }
        self.traces.drop_old(oldest_ms)?;
        self.logs.drop_old(oldest_ms)?;
        self.exemplars.drop_old(oldest_ms)?;
        Ok(())
    }

    fn start_block(&self, head: &Head, end_ms: i64) -> fjall::Result<()> {
        let start_ms = self.archived_to.load(Relaxed);
        if end_ms <= start_ms {
            return Ok(());
        }
        let oldest_ms = head.block(start_ms, end_ms).map(|(_, chunk)| chunk.min_t()).min();
        let Some(oldest_ms) = oldest_ms else { return Ok(()) };
        let part = self.metrics.part_for(start_ms.max(oldest_ms))?;
        // From here on the block has to be written with this very end: what is written of it is then written over.
        part.keyspace.insert(block_key(BLOCK_LIST, end_ms), [])?;
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        *unfinished = Some(Unfinished { end_ms, part });
        drop(unfinished);
        self.finish_block(head)
    }

    fn finish_block(&self, head: &Head) -> fjall::Result<()> {
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Unfinished { end_ms, part }) = unfinished.clone() else { return Ok(()) };
        head.raise_floor(end_ms);
        let (mut ids, mut start_ms) = (Vec::new(), end_ms);
        let mut blocks = head.block(self.archived_to.load(Relaxed), end_ms).peekable();
        while blocks.peek().is_some() {
            let mut batch = self.db.batch();
            for (id, chunk) in blocks.by_ref().take(SERIES_AT_A_TIME) {
                let (key, mut bytes) = (block_key(id, end_ms), Vec::new());
                chunk.encode(&mut bytes);
                part.count(key.len() + bytes.len());
                batch.insert(&part.keyspace, key, bytes);
                start_ms = start_ms.min(chunk.min_t());
                ids.push(id);
            }
            batch.commit()?;
        }
        part.keyspace.insert(block_key(BLOCK_LIST, end_ms), encode_list(start_ms, &ids))?;
        head.mark_archived(&ids.into_iter().collect::<HashSet<_>>(), start_ms, end_ms);
        self.archived_to.store(end_ms, Relaxed);
        *unfinished = None;
        // Keyspaces go at once and for good, so what replaces them has to be on the disk.
        self.db.persist(PersistMode::SyncAll)?;
        self.roll_log(end_ms)
    }

    /// Starts the next write-ahead log and drops those that hold nothing from `floor_ms` on.
    pub(super) fn roll_log(&self, floor_ms: i64) -> fjall::Result<()> {
        let mut wals = self.wals.write().unwrap_or_else(PoisonError::into_inner);
        let number = wals.last().map_or(0, |wal| wal.number + 1);
        let keyspace = self.db.keyspace(&format!("wal@{number}"), || settings(LOG_BUFFER_BYTES))?;
        wals.push(Log { number, keyspace, newest_ms: AtomicI64::new(i64::MIN) });
        let mut at = 0;
        while at < wals.len() {
            let held_ms = wals[at].newest_ms.load(Relaxed);
            let over = held_ms < floor_ms || held_ms == i64::MIN;
            if over && wals[at].number != number {
                self.db.delete_keyspace(wals.remove(at).keyspace)?;
            } else {
                at += 1;
            }
        }
        Ok(())
    }
}
