//! What a child writes: the last lines in memory, all of it in a file of
//! bounded size. `process` hands over the reading end of a pipe that carries
//! the child's standard output and standard error; a thread follows it.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, PipeReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::limits::{LINE_LIMIT, LOG_FILE_LIMIT, TAIL_LINES};

/// The stack of a thread that waits for a child or reads its output, in bytes.
pub(crate) const THREAD_STACK: usize = 128 * 1024;

/// A replica's output, over all its lives.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    tail: Mutex<VecDeque<String>>,
}

impl Output {
    /// Output that goes to the file `path`, whose folder is made if needed, for
    /// its owner alone.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        Ok(Self { path, tail: Mutex::default() })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The last lines, oldest first.
    pub fn tail(&self) -> Vec<String> {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.iter().cloned().collect()
    }

    /// Follows `pipe` in a thread of its own until every writer has closed it;
    /// then what is answered here is disconnected.
    pub fn follow(self: &Arc<Self>, instance: &str, pipe: PipeReader) -> io::Result<Receiver<()>> {
        let output = Arc::clone(self);
        let name = format!("out {instance}");
        let (at_end, ended) = channel();
        thread::Builder::new().name(name).stack_size(THREAD_STACK).spawn(move || {
            // Dropped with the thread, however it ends.
            let _at_end = at_end;
            if let Err(error) = output.copy(pipe) {
                tracing::warn!(path = %output.path.display(), %error, "output is no longer read");
            }
        })?;
        Ok(ended)
    }

    /// A full disk does not end this: the pipe is emptied in any case, so that
    /// the child never waits for a reader.
    fn copy(&self, pipe: PipeReader) -> io::Result<()> {
        let mut log = LogFile::open(&self.path);
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        loop {
            line.clear();
            if reader.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            log.append(&line);
            self.remember(String::from_utf8_lossy(&line).trim_end());
        }
    }

    fn remember(&self, line: &str) {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() == TAIL_LINES {
            tail.pop_front();
        }
        tail.push_back(line.to_owned());
    }
}

/// A file that is set aside when it is full. Errors drop what was to be
/// written: the tail in memory still has it.
struct LogFile {
    path: PathBuf,
    open: Option<(File, u64)>,
}

impl LogFile {
    fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let open = file.and_then(|file| file.metadata().map(|found| (file, found.len()))).ok();
        Self { path: path.to_owned(), open }
    }

    fn append(&mut self, line: &[u8]) {
        if self.open.as_ref().is_some_and(|(_, size)| *size >= LOG_FILE_LIMIT) {
            self.set_aside();
        }
        if let Some((file, size)) = &mut self.open
            && file.write_all(line).is_ok()
        {
            *size += line.len() as u64;
        }
    }

    fn set_aside(&mut self) {
        let mut older = self.path.clone().into_os_string();
        older.push(".1");
        if fs::rename(&self.path, older).is_ok() {
            *self = Self::open(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_tail_and_the_file_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::open(folder.path().join("logs/orders-1.log")).unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        let text = "x".repeat(LINE_LIMIT as usize - 1);
        let lines = (LOG_FILE_LIMIT * 5 / 2 / LINE_LIMIT) as usize;
        let write = thread::spawn(move || {
            for _ in 0..lines {
                writeln!(writer, "{text}").unwrap();
            }
            write!(writer, "the last words").unwrap();
        });
        output.copy(reader).unwrap();
        write.join().unwrap();
        assert_eq!(output.tail().len(), TAIL_LINES);
        assert_eq!(output.tail().last().unwrap(), "the last words");
        let sizes: Vec<_> = fs::read_dir(folder.path().join("logs"))
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes.len(), 2);
        assert!(sizes.iter().all(|size| *size <= LOG_FILE_LIMIT), "{sizes:?}");
    }
}
