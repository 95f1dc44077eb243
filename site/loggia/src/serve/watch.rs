//! Hot reload: watches the book's folders and hands each new version to the server's state.

use super::App;
use crate::{report, source};
use notify_debouncer_full::notify::{EventKind, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, new_debouncer};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Editors write a file in several steps; what follows within this time is one save.
const DEBOUNCE: Duration = Duration::from_millis(60);
/// Folders, rather than files, are watched, so that a rename over the file is seen. Should the
/// system's watching miss something (network folders), this look at all times of change finds it, and
/// only then is anything read.
const FALLBACK_LOOK: Duration = Duration::from_secs(5);

/// Watches until the app ends.
pub(super) async fn run(app: Arc<App>) {
    // One waiting signal is enough: the folder is read as a whole.
    let (signal, mut changed) = mpsc::channel::<()>(1);
    let on_event = move |events: DebounceEventResult| {
        let relevant = events.map_or(true, |events| {
            events.iter().any(|event| !matches!(event.kind, EventKind::Access(_)))
        });
        if relevant {
            let _ = signal.try_send(());
        }
    };
    let mut debouncer = match new_debouncer(DEBOUNCE, None, on_event) {
        Ok(debouncer) => Some(debouncer),
        Err(error) => {
            tracing::warn!(%error, "cannot watch for changes at once; looking every few seconds");
            None
        }
    };
    if let Some(debouncer) = &mut debouncer {
        // The book's own folder may hold a whole repository: only `book.toml` in it matters.
        let (root, pages) = (app.options.dir.clone(), app.pages_dir());
        for (folder, mode) in
            [(root, RecursiveMode::NonRecursive), (pages, RecursiveMode::Recursive)]
        {
            if let Err(error) = debouncer.watch(&folder, mode) {
                tracing::warn!(%error, "cannot watch `{}`", folder.display());
            }
        }
    }
    let mut seen = stamp(&app).await;
    loop {
        tokio::select! {
            () = app.token.cancelled() => return,
            Some(()) = changed.recv() => seen = stamp(&app).await,
            () = tokio::time::sleep(FALLBACK_LOOK) => {
                let now = stamp(&app).await;
                if now == seen {
                    continue;
                }
                seen = now;
            }
        }
        let reading = Arc::clone(&app);
        // A panic inside would end only this reading; it is logged by the join error.
        if let Err(error) = tokio::task::spawn_blocking(move || reload(&reading)).await {
            tracing::error!(%error, "reading the book failed");
        }
    }
}

/// Names, lengths and times of change of all files of the book, as one number.
async fn stamp(app: &Arc<App>) -> Option<u64> {
    let (root, pages) = (app.options.dir.clone(), app.pages_dir());
    tokio::task::spawn_blocking(move || source::stamp(&root, &pages)).await.ok()
}

fn reload(app: &App) {
    let read = match source::read(&app.options.dir) {
        Ok(read) => read,
        Err(error) => {
            tracing::warn!("the book cannot be read and stays as it was: {error:#}");
            return;
        }
    };
    let before = app.shown();
    let book = read.assemble(Some(before.newest()));
    let same = book.pages.len() == before.newest().pages.len()
        && book.config == before.newest().config
        && book.diagnostics == before.newest().diagnostics
        && book.pages.iter().zip(&before.newest().pages).all(|(new, old)| Arc::ptr_eq(new, old));
    app.set_files(&read);
    if same {
        return;
    }
    if app.options.print_findings {
        let known = report::findings(&read, before.newest());
        let mut fresh = report::findings(&read, &book);
        fresh.retain(|found| !known.contains(found));
        report::print(&fresh);
    }
    app.show(before.next(book));
}

/// Whether `path` is inside the folder of pages, for files served as they are.
pub(super) fn is_below(path: &Path, folder: &Path) -> bool {
    match (path.canonicalize(), folder.canonicalize()) {
        (Ok(path), Ok(folder)) => path.starts_with(folder),
        _ => false,
    }
}
