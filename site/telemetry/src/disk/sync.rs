//! The thread that syncs the journal.
//!
//! Appends wake it; it ends with the store, after a last sync.

use super::SYNC_EVERY;
use fjall::{Database, PersistMode};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{JoinHandle, sleep};

/// Syncs while it lives.
pub(super) struct Syncing {
    /// Room for one: whoever finds it taken knows that a sync will follow.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncing {
    /// Starts the thread.
    pub(super) fn start(db: &Database) -> Self {
        let ((wake, woken), db) = (sync_channel(1), db.clone());
        let run = move || run(&db, &woken);
        let thread = std::thread::Builder::new().name("telemetry-sync".to_owned()).spawn(run);
        if let Err(error) = &thread {
            tracing::error!(%error, "the journal is not synced in time");
        }
        Self { wake: Some(wake), thread: thread.ok() }
    }

    /// Something was appended.
    pub(super) fn wake(&self) {
        if let Some(wake) = &self.wake {
            // Full means that a sync is due anyway.
            let _ = wake.try_send(());
        }
    }
}

fn run(db: &Database, woken: &Receiver<()>) {
    loop {
        let ended = woken.recv().is_err();
        if !ended {
            // What comes meanwhile is synced with it.
            sleep(SYNC_EVERY);
        }
        while woken.try_recv().is_ok() {}
        // A sync that fails poisons the database: the next append is refused and says so.
        let _ = db.persist(PersistMode::SyncData);
        if ended {
            return;
        }
    }
}

impl Drop for Syncing {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // It holds the database and with it the lock of the folder.
            let _ = thread.join();
        }
    }
}
