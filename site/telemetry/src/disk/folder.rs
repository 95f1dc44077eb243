//! The folder of the store: whose it is, which version wrote it, and opening the database in it.
//!
//! A folder that another process holds or a newer version wrote is refused in words. A database that is being made gets its
//! name last, so that an end in between leaves nothing half made. What is damaged never keeps the server from starting, and
//! never goes unsaid: the damaged end of a journal is cut off, and a database that does not open at all is set aside.

use super::damage::{Before, cut_journal, is_damage};
use super::shelf::settings;
use super::{LOG_BUFFER_BYTES, SERIES};
use fjall::{Database, PersistMode};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// What the marker file says before the number of the version.
const MARKER: &str = "loggia telemetry ";
/// Number of the layout that this program writes.
const VERSION: u32 = 1;
/// Bytes of read blocks that are kept in memory.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes of the journals of the database at most: the least that it allows.
const JOURNAL_BYTES: u64 = 64 * 1024 * 1024;

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "another process uses the telemetry in `{0}`\nhelp: stop it, or choose another folder with --data-dir"
    )]
    Held(PathBuf),
    /// A later version of the program made it.
    #[error(
        "the telemetry in `{folder}` has layout {found}, and this version knows layouts up to {VERSION}\nhelp: use the newer version that wrote it, or choose another folder with --data-dir"
    )]
    Newer {
        /// The store's folder.
        folder: PathBuf,
        /// What its marker says.
        found: String,
    },
    /// The files cannot be used.
    #[error(
        "the telemetry in `{folder}` cannot be opened: {why}\nhelp: move the folder away to start with an empty one, or choose another with --data-dir"
    )]
    Unusable {
        /// The store's folder.
        folder: PathBuf,
        /// What is wrong with them.
        why: String,
    },
}

impl OpenError {
    pub(super) fn unusable(folder: &Path, why: impl ToString) -> Self {
        Self::Unusable { folder: folder.to_owned(), why: why.to_string() }
    }

    pub(super) fn database(folder: &Path, error: fjall::Error) -> Self {
        match error {
            fjall::Error::Locked => Self::Held(folder.to_owned()),
            fjall::Error::InvalidVersion(_) => {
                Self::Newer { folder: folder.to_owned(), found: "of another database".to_owned() }
            }
            fjall::Error::Storage(fjall::LsmError::Io(error)) => Self::unusable(folder, error),
            fjall::Error::Io(error) => Self::unusable(folder, error),
            other => Self::unusable(folder, other),
        }
    }
}

/// The database of a folder, made if it is not there; and what of it was damaged and what was done about it, in words.
pub(super) fn open(folder: &Path) -> Result<(Database, Vec<String>), OpenError> {
    let io_error = |error: io::Error| OpenError::unusable(folder, error);
    fs::create_dir_all(folder).map_err(io_error)?;
    check_version(folder)?;
    let store = folder.join("store");
    if !store.exists() {
        make(folder, &store)?;
    }
    match open_mending(&store) {
        Err(error) if is_damage(&error) => {
            let aside = set_aside(folder, &store).map_err(io_error)?;
            make(folder, &store)?;
            let db = open_database(&store).map_err(|error| OpenError::database(folder, error))?;
            let notes = vec![format!(
                "the telemetry in `{}` is damaged ({error}): it is set aside as `{}`, and an empty store begins",
                store.display(),
                aside.display()
            )];
            Ok((db, notes))
        }
        opened => opened.map_err(|error| OpenError::database(folder, error)),
    }
}

/// Opens the database with as much of its journals as is sound.
fn open_mending(store: &Path) -> fjall::Result<(Database, Vec<String>)> {
    let before = Before::look(store)?;
    let (db, notes) = match open_database(store) {
        Err(fjall::Error::JournalRecovery(damage)) => cut_journal(store, damage)?,
        opened => (opened?, before.missing()),
    };
    // It was there from the beginning on; see `make`.
    if db.keyspace_exists(SERIES) { Ok((db, notes)) } else { Err(fjall::Error::Unrecoverable) }
}

/// Gives the folder of a database another name, which says that it is damaged.
fn set_aside(folder: &Path, store: &Path) -> io::Result<PathBuf> {
    let names = (1_u32..).map(|number| folder.join(format!("store.damaged-{number}")));
    let mut free = names.filter(|path| !path.exists());
    let aside = free.next().ok_or(io::ErrorKind::AlreadyExists)?;
    fs::rename(store, &aside)?;
    Ok(aside)
}

fn check_version(folder: &Path) -> Result<(), OpenError> {
    let marker = folder.join("VERSION");
    let text = match fs::read_to_string(&marker) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::unusable(folder, error)),
    };
    let found = text.strip_prefix(MARKER).unwrap_or(&text).trim().to_owned();
    match found.parse::<u32>() {
        Ok(1..=VERSION) => Ok(()),
        _ => Err(OpenError::Newer { folder: folder.to_owned(), found }),
    }
}

fn make(folder: &Path, store: &Path) -> Result<(), OpenError> {
    let io_error = |error: io::Error| OpenError::unusable(folder, error);
    let unfinished = folder.join("store.new");
    // Whoever makes one at the same time holds this file.
    let gate = OpenOptions::new().create(true).append(true).open(folder.join("making"));
    let gate = gate.map_err(io_error)?;
    if gate.try_lock().is_err() {
        return Err(OpenError::Held(folder.to_owned()));
    }
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(io_error)?;
    }
    let marker = folder.join("VERSION.new");
    fs::write(&marker, format!("{MARKER}{VERSION}\n")).map_err(io_error)?;
    File::open(&marker).and_then(|file| file.sync_all()).map_err(io_error)?;
    fs::rename(&marker, folder.join("VERSION")).map_err(io_error)?;
    let database_error = |error| OpenError::database(folder, error);
    let db = open_database(&unfinished).map_err(database_error)?;
    db.keyspace(SERIES, || settings(LOG_BUFFER_BYTES)).map_err(database_error)?;
    db.persist(PersistMode::SyncAll).map_err(database_error)?;
    drop(db);
    fs::rename(&unfinished, store).map_err(io_error)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error)
}

/// Opens a database. The library panics at some kinds of damage, which is an error like others here.
pub(super) fn open_database(store: &Path) -> fjall::Result<Database> {
    let open = || {
        Database::builder(store)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(1)
            .open()
    };
    catch_unwind(AssertUnwindSafe(open)).unwrap_or(Err(fjall::Error::Unrecoverable))
}
