//! How much room the disk of a folder has.

use std::path::Path;

/// Bytes that may still be written there; `None` when the system does not say.
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}
