//! Standard output of the commands.

use std::io::{self, ErrorKind, Write};

/// Writes `text` to standard output. A reader that has enough (`loggia check ... | head`) is no mistake;
/// any other is told.
pub(crate) fn put(text: &str) {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        eprintln!("error: cannot write to standard output: {error}");
    }
}
