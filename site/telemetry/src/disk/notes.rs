//! Small things by name that must survive a restart: what notifiers know and have still to send.
//!
//! The backend hands them in and asks for them at the start.

use super::Disk;
use super::shelf::settings;
use fjall::{Database, Keyspace};

/// The keyspace of notes.
const NOTES: &str = "notes";
/// Bytes of notes that wait in memory.
const BUFFER_BYTES: u64 = 1024 * 1024;

/// Names with what is to be kept under them; `None` for what goes.
pub(crate) type NoteBatch = Vec<(String, Option<Vec<u8>>)>;

pub(super) fn open(db: &Database) -> fjall::Result<Keyspace> {
    db.keyspace(NOTES, || settings(BUFFER_BYTES))
}

impl Disk {
    /// Writes all of it, or nothing.
    pub(crate) fn keep_notes(&self, notes: NoteBatch) {
        if notes.is_empty() || !self.faults.may_write() {
            return;
        }
        let mut batch = self.db.batch();
        for (name, bytes) in notes {
            match bytes {
                Some(bytes) => batch.insert(&self.notes, name, bytes),
                None => batch.remove(&self.notes, name),
            }
        }
        self.settle(batch.commit());
    }

    /// The notes whose name begins so, by name.
    pub(crate) fn notes(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let found = self.faults.readable(self.notes.prefix(prefix));
        found
            .filter_map(|(name, bytes)| {
                Some((String::from_utf8(name.to_vec()).ok()?, bytes.to_vec()))
            })
            .collect()
    }
}
