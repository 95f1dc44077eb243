//! What the system's watching names, gathered until it is quiet: a save is often several events, and
//! an editor's burst of saves is one reading.

use super::store::DATA_DIR;
use notify_debouncer_full::notify::event::{AccessKind, AccessMode};
use notify_debouncer_full::notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Result, Watcher, recommended_watcher,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// So long without a further event a save is over.
const QUIET: Duration = Duration::from_millis(6);
/// Who saves without a pause is shown after this time at the latest.
const LONGEST: Duration = Duration::from_millis(100);
/// A file that is empty now is mostly about to be written; it gets this long.
const EMPTY: Duration = Duration::from_millis(60);
/// Beyond so many paths the whole folder is read.
const PATHS_MAX: usize = 256;

/// What changed since the last look.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// These files, made, saved, renamed or deleted.
    pub(super) paths: BTreeSet<PathBuf>,
    /// More than can be named: everything has to be looked at.
    pub(super) all: bool,
}

/// Watches folders.
pub(super) struct Changes {
    gathered: Arc<Gathered>,
    watcher: Option<RecommendedWatcher>,
    /// The folders as the system names them, and as the book does.
    watched: BTreeMap<PathBuf, PathBuf>,
}

#[derive(Default)]
struct Gathered {
    changed: Mutex<Changed>,
    told: Notify,
}

impl Changes {
    /// Watches nothing yet. Where the system cannot watch, that is logged and nothing is ever told.
    pub(super) fn new() -> Self {
        let gathered = Arc::new(Gathered::default());
        let hears = Arc::clone(&gathered);
        let watcher = match recommended_watcher(move |event| hears.hear(event)) {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "cannot watch for changes at once; looking every few seconds");
                None
            }
        };
        Self { gathered, watcher, watched: BTreeMap::new() }
    }

    /// Watches a folder, with all below it or without. Folders, rather than files, are watched, so
    /// that a rename over a file is seen.
    pub(super) fn watch(&mut self, folder: &Path, deep: bool) {
        let Ok(place) = std::path::absolute(folder) else { return };
        if !folder.is_dir() || self.watched.contains_key(&place) {
            return;
        }
        self.watched.insert(place.clone(), folder.to_owned());
        let mode = if deep { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
        let Some(watcher) = &mut self.watcher else { return };
        if let Err(error) = watcher.watch(&place, mode) {
            tracing::warn!(%error, "cannot watch `{}`", folder.display());
        }
    }

    /// Waits for a change, and then until it is quiet.
    pub(super) async fn next(&self) -> Changed {
        self.gathered.told.notified().await;
        let first = Instant::now();
        loop {
            let wait = if self.gathered.holds_empty_file() { EMPTY } else { QUIET };
            let more = tokio::time::timeout(wait, self.gathered.told.notified()).await.is_ok();
            if !more || first.elapsed() > LONGEST {
                return self.named(self.gathered.take());
            }
        }
    }

    /// With paths as the book names its folders.
    fn named(&self, changed: Changed) -> Changed {
        let name = |path: PathBuf| {
            let within = self.watched.iter().rev();
            let mut found = within.filter_map(|(place, folder)| {
                let rest = path.strip_prefix(place).ok()?;
                Some(if rest.as_os_str().is_empty() { folder.clone() } else { folder.join(rest) })
            });
            found.next().unwrap_or(path.clone())
        };
        Changed { paths: changed.paths.into_iter().map(name).collect(), all: changed.all }
    }
}

impl Gathered {
    fn hear(&self, event: Result<Event>) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            // Reading changes nothing; the end of writing is the best sign that a save is over.
            Ok(event) if is_reading(event.kind) || is_of_data(&event) => return,
            Ok(event) => {
                changed.all |= event.need_rescan() || event.paths.is_empty();
                changed.paths.extend(event.paths);
            }
            Err(error) => {
                tracing::debug!(%error, "the system's watching failed once");
                changed.all = true;
            }
        }
        if changed.paths.len() > PATHS_MAX {
            changed.paths.clear();
            changed.all = true;
        }
        drop(changed);
        self.told.notify_one();
    }

    fn take(&self) -> Changed {
        std::mem::take(&mut self.changed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn holds_empty_file(&self) -> bool {
        let changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_empty = |path: &PathBuf| path.metadata().is_ok_and(|m| m.is_file() && m.len() == 0);
        changed.paths.iter().any(is_empty)
    }
}

/// What is kept there changes all the time and is no part of the book.
fn is_of_data(event: &Event) -> bool {
    let within = |path: &PathBuf| path.components().any(|part| part.as_os_str() == DATA_DIR);
    !event.need_rescan() && !event.paths.is_empty() && event.paths.iter().all(within)
}

fn is_reading(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write))
}
