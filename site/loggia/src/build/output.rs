//! The folder that a build writes to. `build` hands in paths and bytes, from several threads at once.
//!
//! A file whose bytes are as before is left alone, so that copying tools and caches see no change.

use anyhow::{Context, bail};
use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Lists what a build wrote, so that the next one removes what is no longer part of the site, and
/// nothing else.
pub(super) const MANIFEST: &str = ".loggia-files";

/// The folder that is written to.
pub(super) struct Output {
    dir: PathBuf,
    before: BTreeSet<String>,
    /// Whether a build has been here: only then can a file be in somebody's hands.
    fresh: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    written: HashSet<String>,
    folders: HashSet<PathBuf>,
    /// Files whose bytes are new.
    changed: usize,
}

impl Output {
    /// Takes up a folder that is empty, missing, or written by a build before.
    pub(super) fn open(dir: &Path) -> anyhow::Result<Self> {
        let manifest = dir.join(MANIFEST);
        let (before, fresh) = match fs::read_to_string(&manifest) {
            Ok(text) => {
                let inside = text.lines().filter(|line| is_inside(line)).map(str::to_owned);
                (inside.collect(), false)
            }
            Err(_) => {
                let occupied = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
                if occupied {
                    bail!(
                        "the folder `{}` holds files that `loggia build` did not write\nhelp: choose another one with --dest-dir, or empty it",
                        dir.display()
                    );
                }
                (BTreeSet::new(), true)
            }
        };
        fs::create_dir_all(dir)
            .with_context(|| format!("cannot make the folder `{}`", dir.display()))?;
        let output = Self { dir: dir.to_owned(), before, fresh, state: Mutex::default() };
        output.save()?;
        Ok(output)
    }

    /// How many files the build before wrote.
    pub(super) fn files_before(&self) -> usize {
        self.before.len()
    }

    /// Whether this build has written `path`.
    pub(super) fn has(&self, path: &str) -> bool {
        self.state().written.contains(path)
    }

    /// Writes one file unless it holds these bytes already. One that exists is replaced as a whole,
    /// through a temporary one beside it: a reader never sees half a page.
    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let target = self.dir.join(path);
        self.put(path, &target, bytes)
            .with_context(|| format!("cannot write `{}`", target.display()))
    }

    fn put(&self, path: &str, target: &Path, bytes: &[u8]) -> io::Result<()> {
        self.make_folder(target.parent().unwrap_or(&self.dir))?;
        let exists = !self.fresh && target.symlink_metadata().is_ok();
        let same = exists && holds(target, bytes);
        if !same && exists {
            let mut half = target.as_os_str().to_owned();
            half.push(".half-written");
            fs::write(&half, bytes)?;
            fs::rename(&half, target)?;
        } else if !same {
            fs::write(target, bytes)?;
        }
        let mut state = self.state();
        state.written.insert(path.to_owned());
        state.changed += usize::from(!same);
        Ok(())
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        if self.state().folders.contains(folder) {
            return Ok(());
        }
        fs::create_dir_all(folder)?;
        self.state().folders.insert(folder.to_owned());
        Ok(())
    }

    /// Writes the list of what is there now.
    fn save(&self) -> anyhow::Result<()> {
        let state = self.state();
        let written = state.written.iter().map(String::as_str);
        let list: BTreeSet<&str> = self.before.iter().map(String::as_str).chain(written).collect();
        let mut text = list.into_iter().collect::<Vec<_>>().join("\n");
        text.push('\n');
        let path = self.dir.join(MANIFEST);
        fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// Removes what the build before wrote and this one did not, and writes the list anew. Gives the
    /// number of files whose bytes changed.
    pub(super) fn finish(mut self) -> anyhow::Result<usize> {
        let written = std::mem::take(&mut self.state().written);
        for stale in self.before.iter().filter(|path| !written.contains(*path)) {
            let path = self.dir.join(stale);
            let _ = fs::remove_file(&path);
            let mut folder = path.parent();
            while let Some(dir) = folder.filter(|dir| *dir != self.dir) {
                if fs::remove_dir(dir).is_err() {
                    break;
                }
                folder = dir.parent();
            }
        }
        self.before.clear();
        self.state().written = written;
        let changed = self.state().changed;
        self.save()?;
        Ok(changed)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Output {
    /// A build that ends early still knows its own files, so the next one may take the folder up.
    fn drop(&mut self) {
        let _ = self.save();
    }
}

/// Whether a plain file holds these bytes.
fn holds(path: &Path, bytes: &[u8]) -> bool {
    let length = |found: fs::Metadata| found.is_file().then_some(found.len());
    let same_length = path.symlink_metadata().ok().and_then(length) == Some(bytes.len() as u64);
    same_length && fs::read(path).is_ok_and(|old| old == bytes)
}

fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)))
}
