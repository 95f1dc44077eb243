//! What goes wrong with the disk: said once, counted always.
//!
//! Everything in `disk` reports here; the backend and its pages ask.

use crate::Counter;
use fjall::{Guard, KvPair};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Entries of one range that may be unreadable before the rest of it is left out too.
const MOST_UNREADABLE: usize = 100;

/// Why nothing is written.
#[derive(Debug, Clone)]
enum Halt {
    /// A write failed; the database takes no more until it is opened again.
    Failed(String),
    /// There is little room left; it may come back.
    NoRoom(String),
}

/// The faults of one store.
#[derive(Debug)]
pub(crate) struct Faults {
    folder: PathBuf,
    /// What was damaged when it was opened and what was done about it.
    pub(crate) mended: Vec<String>,
    /// Writes that the disk did not take, or that were not tried because it takes none.
    pub(crate) writes: Counter,
    /// Entries that could not be read back.
    pub(crate) reads: Counter,
    halt: Mutex<Option<Halt>>,
}

impl Faults {
    pub(super) fn new(folder: &Path, mended: Vec<String>) -> Self {
        Self {
            folder: folder.to_owned(),
            mended,
            writes: Counter::default(),
            reads: Counter::default(),
            halt: Mutex::default(),
        }
    }

    /// Why nothing is written, if so.
    pub(crate) fn failure(&self) -> Option<String> {
        self.with_halt(|halt| match halt {
            Some(Halt::Failed(why) | Halt::NoRoom(why)) => Some(why.clone()),
            None => None,
        })
    }

    /// Whether a write may be tried; counts it when not.
    pub(super) fn may_write(&self) -> bool {
        let may = self.with_halt(|halt| halt.is_none());
        self.writes.add(u64::from(!may));
        may
    }

    /// A write failed: nothing is written any more.
    pub(super) fn write_failed(&self, error: &fjall::Error) {
        self.writes.add(1);
        let why =
            format!("telemetry is kept in memory only: `{}` fails: {error}", self.folder.display());
        self.with_halt(|halt| {
            if !matches!(halt, Some(Halt::Failed(_))) {
                tracing::error!("{why}\nhelp: make room or mend the folder, then start again");
                *halt = Some(Halt::Failed(why));
            }
        });
    }

    /// There are so many bytes free, and so many have to be.
    pub(super) fn room(&self, free: u64, spare: u64) {
        let folder = self.folder.display();
        self.with_halt(|halt| match halt {
            None if free < spare => {
                let why = format!(
                    "telemetry is kept in memory only: the disk of `{folder}` has {} MiB free, and {} MiB are left to others",
                    free >> 20,
                    spare >> 20
                );
                tracing::error!("{why}\nhelp: make room, and writing goes on by itself");
                *halt = Some(Halt::NoRoom(why));
            }
            Some(Halt::NoRoom(_)) if free >= spare => {
                tracing::info!("the disk of `{folder}` has room again: telemetry is written");
                *halt = None;
            }
            _ => {}
        });
    }

    /// What was read; a failure is counted, and said when it is the first.
    pub(super) fn read<T>(&self, result: fjall::Result<T>) -> Option<T> {
        result.inspect_err(|error| self.unreadable(error)).ok()
    }

    /// Something that was read makes no sense, or cannot be read.
    pub(super) fn unreadable(&self, why: &dyn std::fmt::Display) {
        if self.reads.get() == 0 {
            let folder = self.folder.display();
            tracing::warn!(
                "a part of the telemetry in `{folder}` cannot be read and is left out: {why}"
            );
        }
        self.reads.add(1);
    }

    /// The readable entries of a range.
    pub(super) fn readable(
        &self,
        range: impl Iterator<Item = Guard>,
    ) -> impl Iterator<Item = KvPair> {
        let mut failed = 0;
        range
            .map(|entry| self.read(entry.into_inner()))
            .take_while(move |entry| {
                failed += usize::from(entry.is_none());
                failed <= MOST_UNREADABLE
            })
            .flatten()
    }

    fn with_halt<T>(&self, work: impl FnOnce(&mut Option<Halt>) -> T) -> T {
        work(&mut self.halt.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
