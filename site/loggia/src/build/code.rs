//! Coloured code between two builds: a file beside the list of files, so that the next build colours
//! only what is new. `build` asks.

use super::output::{MANIFEST, Output};
use document::CodeCache;
use std::fs;
use std::path::Path;

/// Name of the file in the folder that is written to.
const KEPT: &str = ".loggia-code";
/// A larger file is not read, bytes.
const KEPT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What the build before coloured; nothing where the folder is not ours, or the file is not sound.
pub(super) fn read(dest: &Path) -> CodeCache {
    let path = dest.join(KEPT);
    let small = |found: fs::Metadata| found.is_file() && found.len() <= KEPT_BYTES_MAX;
    let ours = dest.join(MANIFEST).is_file() && path.symlink_metadata().is_ok_and(small);
    match ours.then(|| fs::read(&path)) {
        Some(Ok(bytes)) => CodeCache::decode(&bytes),
        _ => CodeCache::default(),
    }
}

/// Keeps what this build coloured or took from the one before.
pub(super) fn write(code: &CodeCache, output: &Output) -> anyhow::Result<()> {
    code.sweep();
    match code.is_empty() {
        true => Ok(()),
        false => output.write(KEPT, &code.encode()),
    }
}
