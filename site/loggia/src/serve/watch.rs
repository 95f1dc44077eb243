//! Hot reload: watches the book's folders and hands each new version to the server's state. Only the
//! files that changed are read again, and only their pages are parsed again.

use super::App;
use super::changes::{Changed, Changes};
use crate::source::Source;
use crate::{report, source, theme};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Should the system's watching miss something (network folders), this look at all times of change
/// finds it, and only then is everything read.
const FALLBACK_LOOK: Duration = Duration::from_secs(5);

/// Folders beside the book's own that are watched; changes in others are found by the look above.
const FOLDERS_MAX: usize = 1_000;

/// Watches until the app ends.
pub(super) async fn run(app: Arc<App>) {
    let mut changes = Changes::new();
    watch_folders(&app, &mut changes);
    // What was saved between the first reading and now is found here.
    let mut last = Some(Changed { all: true, ..Changed::default() });
    let mut read: Option<Source> = None;
    let mut seen = None;
    loop {
        if let Some(changed) = last.take() {
            let (working, before) = (Arc::clone(&app), read.take());
            let step = tokio::task::spawn_blocking(move || reload(&working, before, &changed));
            match step.await {
                Ok(next) => read = next,
                // A panic inside ends only this reading.
                Err(error) => tracing::error!(%error, "reading the book failed"),
            }
            watch_folders(&app, &mut changes);
            seen = None;
        }
        tokio::select! {
            () = app.token.cancelled() => return,
            changed = changes.next() => last = Some(changed),
            () = tokio::time::sleep(FALLBACK_LOOK) => {
                let now = stamp(&app).await;
                if seen.is_some() && now != seen {
                    last = Some(Changed { all: true, ..Changed::default() });
                }
                seen = now;
            }
        }
    }
}

/// The book's own folder may hold a whole repository: only `book.toml` in it matters.
fn watch_folders(app: &App, changes: &mut Changes) {
    // Deep ones first: a folder that is watched with all below it is not watched again without.
    changes.watch(&app.pages_dir(), true);
    let theme = theme::folder(&app.options.dir, &app.shown().book.config);
    if theme.is_dir() {
        changes.watch(&theme, true);
    }
    changes.watch(&app.options.dir, false);
    // Included files may lie anywhere in the repository, and change with every save.
    for folder in folders_of(&app.watched()) {
        changes.watch(&folder, false);
    }
}

/// Names, lengths and times of change of all files of the book, as one number.
async fn stamp(app: &Arc<App>) -> Option<u64> {
    let (root, pages, mut others) = (app.options.dir.clone(), app.pages_dir(), app.watched());
    others.push(theme::folder(&root, &app.shown().book.config));
    tokio::task::spawn_blocking(move || source::stamp(&root, &pages, &others)).await.ok()
}

/// The folders to watch for these files and folders.
fn folders_of(paths: &[PathBuf]) -> HashSet<PathBuf> {
    let folder = |path: &PathBuf| match path.is_dir() {
        true => Some(path.clone()),
        false => path.parent().filter(|parent| parent.is_dir()).map(Path::to_owned),
    };
    paths.iter().filter_map(folder).take(FOLDERS_MAX).collect()
}

/// Reads what changed and shows it. Gives what is to be read on from; nothing where the folder could
/// not be read.
fn reload(app: &App, before: Option<Source>, changed: &Changed) -> Option<Source> {
    let paths: Vec<PathBuf> = changed.paths.iter().cloned().collect();
    let folder = theme::folder(&app.options.dir, &app.shown().book.config);
    let themed = changed.all || paths.iter().any(|path| is_within(path, &folder));
    let read = match &before {
        Some(before) if !changed.all => {
            if !themed && !paths.iter().any(|path| before.concerns(path)) {
                return Some(before.clone());
            }
            before.again(&paths)
        }
        _ => source::read(&app.options.dir),
    };
    match read {
        Ok(read) => {
            show(app, &read, themed);
            Some(read)
        }
        Err(error) => {
            tracing::warn!("the book cannot be read and stays as it was: {error:#}");
            None
        }
    }
}

/// Whether a path that was reported lies in a folder, however either of them is written.
fn is_within(path: &Path, folder: &Path) -> bool {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    path.starts_with(folder) || path.starts_with(whole)
}

fn show(app: &App, read: &Source, themed: bool) {
    let before = app.shown();
    let book = read.assemble(Some(before.newest()));
    let old = before.newest();
    let same = book.pages.len() == old.pages.len()
        && book.config == old.config
        && book.diagnostics == old.diagnostics
        && book.outline == old.outline
        && book.pages.iter().zip(&old.pages).all(|(new, old)| Arc::ptr_eq(new, old));
    app.set_files(read);
    app.alerting.load(read, &book);
    let assets = match themed || book.config.theme != old.config.theme {
        true => Arc::new(theme::read(&app.options.dir, read.config())),
        false => Arc::clone(&before.assets),
    };
    // An equal theme stays the same one, so that no open page is told of it.
    let same_theme = assets == before.assets;
    let assets = if same_theme { Arc::clone(&before.assets) } else { assets };
    if same && same_theme {
        return;
    }
    if app.options.print_findings {
        let known = report::findings(read, old);
        let mut fresh = report::findings(read, &book);
        fresh.retain(|found| !known.contains(found));
        report::print(&fresh);
    }
    app.show(before.next(book, assets));
}

/// Whether `path` is inside the folder of pages, for files served as they are.
pub(super) fn is_below(path: &Path, folder: &Path) -> bool {
    match (path.canonicalize(), folder.canonicalize()) {
        (Ok(path), Ok(folder)) => path.starts_with(folder),
        _ => false,
    }
}
