//! Damaged files of a database: telling damage from other failures, and cutting a journal where it stops making sense.
//!
//! `folder` asks when it opens a database.

use super::folder::open_database;
use fjall::{Database, JournalRecoveryError, LsmError};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Where a damaged journal may be cut, bytes: with finer steps it takes longer to find the place.
const CUT_STEP: u64 = 4096;
/// Bytes of a journal that are looked at together.
const LOOK_BYTES: usize = 64 * 1024;

/// Whether files are not what was written, rather than that they cannot be had now.
pub(super) fn is_damage(error: &fjall::Error) -> bool {
    let lost = |error: &io::Error| {
        use io::ErrorKind::{AlreadyExists, InvalidData, NotFound, UnexpectedEof};
        matches!(error.kind(), AlreadyExists | InvalidData | NotFound | UnexpectedEof)
    };
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) => lost(error),
        // A version of its own would be one that came later; ours says so before.
        fjall::Error::InvalidVersion(version) => version.is_none(),
        fjall::Error::Locked | fjall::Error::Poisoned | fjall::Error::KeyspaceDeleted => false,
        _ => true,
    }
}

/// The journals, and up to where something is written in each; they end in zeros.
fn written_lengths(store: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    journals(store)?
        .into_iter()
        .map(|(_, path)| Ok((path.clone(), written_length(&path)?)))
        .collect()
}

fn written_length(journal: &Path) -> io::Result<u64> {
    let mut file = File::open(journal)?;
    let mut end = file.metadata()?.len();
    let mut bytes = vec![0; LOOK_BYTES];
    while end > 0 {
        let start = end.saturating_sub(LOOK_BYTES as u64);
        let part = &mut bytes[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(last) = part.iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// What the files of a database say before it is opened. It opens with less than there was in some cases, and does not say so.
pub(super) struct Before {
    journals: Vec<(PathBuf, u64)>,
    /// Keyspaces without a list of their tables: damaged, or an end came while they were made or deleted.
    listless: Vec<PathBuf>,
}

impl Before {
    /// Looks at the files.
    pub(super) fn look(store: &Path) -> io::Result<Self> {
        let mut listless = Vec::new();
        for entry in fs::read_dir(store.join("keyspaces"))? {
            let keyspace = entry?.path();
            if !keyspace.join("current").exists() {
                listless.push(keyspace);
            }
        }
        Ok(Self { journals: written_lengths(store)?, listless })
    }

    /// What is missing now that it is open, in words.
    pub(super) fn missing(self) -> Vec<String> {
        let mut notes = torn_journals(self.journals);
        notes.extend(self.listless.iter().map(|keyspace| {
            let keyspace = keyspace.display();
            format!("`{keyspace}` has no list of its tables: it is removed with what it held")
        }));
        notes
    }
}

/// Which journals the database cut when it opened, in words: it does so at the first entry that makes no sense.
fn torn_journals(written: Vec<(PathBuf, u64)>) -> Vec<String> {
    let cut = |(journal, written): (PathBuf, u64)| {
        // One that is read completely may be gone by now.
        let length = fs::metadata(&journal).ok()?.len();
        (length < written).then(|| {
            format!(
                "the journal `{}` was torn or damaged: its last {} bytes are left out",
                journal.display(),
                written - length
            )
        })
    };
    if written.is_empty() {
        return vec!["the journal is gone: what came last is missing".to_owned()];
    }
    written.into_iter().filter_map(cut).collect()
}

/// Opens a database of which a journal is damaged with as much of the newest as is sound. What stands in it is only known to
/// the database, so the longest part that opens is searched for; the whole of it is kept beside.
pub(super) fn cut_journal(
    store: &Path,
    damage: JournalRecoveryError,
) -> fjall::Result<(Database, Vec<String>)> {
    let Some((_, journal)) = journals(store)?.pop() else {
        return Err(fjall::Error::JournalRecovery(damage));
    };
    let whole = journal.with_extension("damaged");
    fs::copy(&journal, &whole)?;
    let length = written_length(&whole)?;
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
    let note = format!(
        "the journal `{}` was damaged: its last {} bytes are cut off, and all of it is kept in `{}`",
        journal.display(),
        length - sound * CUT_STEP,
        whole.display()
    );
    Ok((open_database(store)?, vec![note]))
}

fn put_back(whole: &Path, journal: &Path, length: u64) -> io::Result<()> {
    fs::copy(whole, journal)?;
    OpenOptions::new().write(true).open(journal)?.set_len(length)
}

/// The journals by their numbers, the newest last.
fn journals(store: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
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
    journals.sort_unstable();
    Ok(journals)
}
