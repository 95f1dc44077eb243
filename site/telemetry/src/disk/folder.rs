//! The folder of the store: whose it is, which version wrote it, and opening the database in it.
//!
//! A folder that another process holds or a newer version wrote is refused in words. A database that is being made gets its
//! name last, so that an end in between leaves nothing half made; a damaged end of its journal is cut off.

use fjall::{Database, JournalRecoveryError};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// What the marker file says before the number of the version.
const MARKER: &str = "loggia telemetry ";
/// Number of the layout that this program writes.
const VERSION: u32 = 1;
/// Bytes of read blocks that are kept in memory.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes of the journals of the database at most: the least that it allows.
const JOURNAL_BYTES: u64 = 64 * 1024 * 1024;
/// Where a damaged journal may be cut, bytes: with finer steps it takes longer to find the place.
const CUT_STEP: u64 = 4096;

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
            fjall::Error::Io(error) => Self::unusable(folder, error),
            other => Self::unusable(folder, other),
        }
    }
}

/// The database of a folder, made if it is not there; and how many bytes of a damaged journal were cut off.
pub(super) fn open(folder: &Path) -> Result<(Database, u64), OpenError> {
    let io_error = |error: io::Error| OpenError::unusable(folder, error);
    fs::create_dir_all(folder).map_err(io_error)?;
    check_version(folder)?;
    let (store, unfinished) = (folder.join("store"), folder.join("store.new"));
    if !store.exists() {
        make(folder, &unfinished, &store)?;
    }
    match open_database(&store) {
        Err(fjall::Error::JournalRecovery(damage)) => {
            cut_damage(&store, damage).map_err(|error| OpenError::database(folder, error))
        }
        opened => opened.map(|db| (db, 0)).map_err(|error| OpenError::database(folder, error)),
    }
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

fn make(folder: &Path, unfinished: &Path, store: &Path) -> Result<(), OpenError> {
    let io_error = |error: io::Error| OpenError::unusable(folder, error);
    // Whoever makes one at the same time holds this file.
    let gate = OpenOptions::new().create(true).append(true).open(folder.join("making"));
    let gate = gate.map_err(io_error)?;
    if gate.try_lock().is_err() {
        return Err(OpenError::Held(folder.to_owned()));
    }
    if unfinished.exists() {
        fs::remove_dir_all(unfinished).map_err(io_error)?;
    }
    let marker = folder.join("VERSION.new");
    fs::write(&marker, format!("{MARKER}{VERSION}\n")).map_err(io_error)?;
    File::open(&marker).and_then(|file| file.sync_all()).map_err(io_error)?;
    fs::rename(&marker, folder.join("VERSION")).map_err(io_error)?;
    drop(open_database(unfinished).map_err(|error| OpenError::database(folder, error))?);
    fs::rename(unfinished, store).map_err(io_error)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error)
}

fn open_database(store: &Path) -> fjall::Result<Database> {
    Database::builder(store)
        .cache_size(CACHE_BYTES)
        .max_journaling_size(JOURNAL_BYTES)
        .worker_threads(1)
        .open()
}

/// Opens a database whose newest journal is damaged with as much of the journal as is sound. What stands in it is only known
/// to the database, so the longest part that opens is searched for; the whole of it is kept beside.
fn cut_damage(store: &Path, damage: JournalRecoveryError) -> fjall::Result<(Database, u64)> {
    let Some(journal) = newest_journal(store)? else {
        return Err(fjall::Error::JournalRecovery(damage));
    };
    let whole = journal.with_extension("damaged");
    fs::copy(&journal, &whole)?;
    let length = fs::metadata(&whole)?.len();
    let (mut sound, mut damaged) = (0, length.div_ceil(CUT_STEP));
    while sound + 1 < damaged {
        let middle = sound.midpoint(damaged);
        put_back(&whole, &journal, middle * CUT_STEP)?;
        match open_database(store) {
            Ok(_) => sound = middle,
            Err(fjall::Error::JournalRecovery(_)) => damaged = middle,
            Err(other) => return Err(other),
        }
    }
    put_back(&whole, &journal, sound * CUT_STEP)?;
    let lost = length - sound * CUT_STEP;
    tracing::warn!(
        "the journal `{}` was damaged: its last {lost} bytes are cut off and kept in `{}`",
        journal.display(),
        whole.display()
    );
    Ok((open_database(store)?, lost))
}

fn put_back(whole: &Path, journal: &Path, length: u64) -> io::Result<()> {
    fs::copy(whole, journal)?;
    OpenOptions::new().write(true).open(journal)?.set_len(length)
}

fn newest_journal(store: &Path) -> io::Result<Option<PathBuf>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(store)? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if path.extension().is_some_and(|end| end == "jnl")
            && let Some(number) = number
        {
            journals.push((number, path));
        }
    }
    Ok(journals.into_iter().max().map(|(_, path)| path))
}
