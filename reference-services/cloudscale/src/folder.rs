//! The two folders of `up`: the book's, which is only read, and the data
//! folder, which one `up` at a time holds by a lock. A note in it tells
//! `status` where the fleet answers.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, bail};
use chassis::config::Secret;
use chassis::secret;
use fleet::plan::Control;
use serde::{Deserialize, Serialize};

use crate::settings::Refusal;

/// What makes a folder a book.
const BOOK: &str = "book.toml";
/// The data folder's name beside the book.
const DATA: &str = ".cloudscale";
/// File that is locked while `up` runs; it holds the process number.
const LOCK: &str = "lock";
/// File that holds the [`Note`].
const NOTE: &str = "fleet.json";
/// File that holds what gives leave to change a running fleet.
const TOKEN: &str = "control-token";

/// The folder of the book: the one that was named, or else the next one from
/// here upward that has a `book.toml`.
pub(crate) fn book(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(folder) = named {
        return match folder.is_dir() {
            true => Ok(absolute(folder)?),
            false => Err(Refusal(format!("`{}` is not a folder", folder.display())).into()),
        };
    }
    let here = std::env::current_dir().context("cannot tell the current folder")?;
    let found = here.ancestors().find(|folder| folder.join(BOOK).is_file());
    found.map(Path::to_owned).ok_or_else(|| {
        let here = here.display();
        Refusal(format!(
            "there is no `{BOOK}` in `{here}` or above\nhelp: go to the book's folder, or name it with --book DIR"
        ))
        .into()
    })
}

/// The data folder: the one that was named, or else `.cloudscale` in the book's.
pub(crate) fn data_dir(named: Option<&Path>, book: &Path) -> anyhow::Result<PathBuf> {
    Ok(absolute(named.map_or_else(|| book.join(DATA), Path::to_owned))?)
}

/// The data folder, held by this process.
#[derive(Debug)]
pub(crate) struct Held {
    folder: PathBuf,
    _lock: File,
}

/// Where a running fleet answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Note {
    /// The process of `up`.
    pub(crate) pid: u32,
    /// Of the fleet: `/status`, `/discovery`, `/events`.
    pub(crate) fleet: String,
    /// Of the site.
    pub(crate) site: String,
}

impl Held {
    /// Makes the folder if needed, for its owner alone (databases hold accounts),
    /// and takes the lock.
    pub(crate) fn take(folder: &Path) -> anyhow::Result<Self> {
        let at = || {
            format!(
                "cannot use `{}` for data\nhelp: choose another folder with --data-dir",
                folder.display()
            )
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(at)?;
        let path = folder.join(LOCK);
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .with_context(at)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(folder, &mut lock).into()),
            Err(TryLockError::Error(error)) => return Err(error).with_context(at),
        }
        lock.set_len(0)?;
        write!(lock, "{}", std::process::id())?;
        Ok(Self { folder: folder.to_owned(), _lock: lock })
    }

    /// Makes a token that gives leave to change the fleet of this `up`, for who may
    /// read its owner's files.
    pub(crate) fn control(&self) -> anyhow::Result<Control> {
        let file = self.folder.join(TOKEN);
        let token = secret::to_hex(&secret::random());
        let write = || {
            // One of an earlier `up` may have whatever permissions.
            match fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut new = OpenOptions::new();
            let mut open = new.write(true).create_new(true).mode(0o600).open(&file)?;
            open.write_all(token.as_bytes())
        };
        write().with_context(|| format!("cannot write `{}`", file.display()))?;
        Ok(Control { token: Secret::new(&token), file })
    }

    /// Leaves the note for `status`.
    pub(crate) fn write(&self, note: &Note) -> anyhow::Result<()> {
        fs::write(self.folder.join(NOTE), serde_json::to_vec(note)?)
            .context("cannot write to the data folder")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A note that stays behind is told from a good one by asking the fleet.
        let _ = fs::remove_file(self.folder.join(NOTE));
        let _ = fs::remove_file(self.folder.join(TOKEN));
    }
}

fn in_use(folder: &Path, lock: &mut File) -> Refusal {
    let mut pid = String::new();
    let by = match lock.read_to_string(&mut pid) {
        Ok(_) if !pid.is_empty() => format!(" (pid {pid})"),
        _ => String::new(),
    };
    Refusal(format!(
        "another `cloudscale up`{by} uses `{}`\nhelp: stop it, or choose another folder with --data-dir",
        folder.display()
    ))
}

/// The `up` that runs on a data folder, and that folder: the one that was named, or
/// else the one beside the book.
pub(crate) fn running(
    data: Option<&Path>,
    at_book: Option<&Path>,
) -> anyhow::Result<(PathBuf, Note)> {
    let folder = match data {
        Some(named) => named.to_owned(),
        None => data_dir(None, &book(at_book)?)?,
    };
    match note(&folder) {
        Some(note) => Ok((folder, note)),
        None => {
            bail!("nothing runs on `{}`\nhelp: start it with `cloudscale up`", folder.display())
        }
    }
}

/// The token of the `up` that runs on a data folder.
pub(crate) fn control_token(folder: &Path) -> anyhow::Result<String> {
    let file = folder.join(TOKEN);
    fs::read_to_string(&file).with_context(|| {
        let file = file.display();
        format!("cannot read `{file}`, which gives leave to change what runs")
    })
}

/// Reads the note in a data folder.
pub(crate) fn note(folder: &Path) -> Option<Note> {
    serde_json::from_slice(&fs::read(folder.join(NOTE)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_is_held_once_and_the_note_goes_with_the_holder() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join(DATA);
        let held = Held::take(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let refused = Held::take(&folder).unwrap_err();
        let message = refused.downcast_ref::<Refusal>().unwrap().to_string();
        let pid = format!("(pid {})", std::process::id());
        assert!(message.contains(&pid) && message.contains("--data-dir"), "{message}");
        let note_left = Note { pid: 1, fleet: "f".to_owned(), site: "s".to_owned() };
        held.write(&note_left).unwrap();
        assert_eq!(note(&folder).unwrap().fleet, "f");
        let control = held.control().unwrap();
        assert_eq!(fs::metadata(&control.file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(control_token(&folder).unwrap(), control.token.expose());
        assert_ne!(held.control().unwrap().token, control.token, "each `up` has its own");
        drop(held);
        assert!(note(&folder).is_none() && control_token(&folder).is_err());
        Held::take(&folder).unwrap();
    }
}
