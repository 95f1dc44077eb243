//! Secret bytes of a service: from its settings, or from a file of its data
//! folder that is made at the first start, where only its owner may read it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Length of a key, in bytes.
pub const KEY_BYTES: usize = 32;

/// What lies in `file`; where there is none, what `make` gives is written there first.
pub fn kept(file: &Path, make: impl FnOnce() -> Vec<u8>) -> io::Result<Vec<u8>> {
    match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            folder(file.parent().unwrap_or(Path::new("")))?;
            let made = make();
            write(file, &made)?;
            Ok(made)
        }
        read => read,
    }
}

/// Makes a folder that is its owner's alone; one that is there keeps its permissions.
pub fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes beside the file and renames, so that a secret is there whole or not at all.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = file.with_extension("new");
    // A start that was interrupted may have left one, with whatever permissions.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    open.write_all(bytes)?;
    open.sync_all()?;
    fs::rename(&beside, file)
}

/// A key by chance.
pub fn random() -> [u8; KEY_BYTES] {
    rand::random()
}

/// A key as text: 64 hexadecimal digits.
pub fn to_hex(key: &[u8; KEY_BYTES]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key from 64 hexadecimal digits.
pub fn from_hex(text: &str) -> Option<[u8; KEY_BYTES]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * KEY_BYTES || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut key = [0; KEY_BYTES];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_stays_the_same_and_is_readable_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let deep = folder.path().join("new").join("key");
        kept(&deep, || vec![1]).unwrap();
        let made = fs::metadata(deep.parent().unwrap()).unwrap();
        assert_eq!(made.permissions().mode() & 0o777, 0o700);
        fs::write(file.with_extension("new"), "left behind, readable by everybody").unwrap();
        let first = kept(&file, || random().to_vec()).unwrap();
        assert_eq!(kept(&file, || unreachable!()).unwrap(), first);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn keys_are_written_and_read_as_hexadecimal_digits() {
        let key = random();
        assert_eq!(from_hex(&to_hex(&key)), Some(key));
        for wrong in ["", "ab", &"zz".repeat(32), &"ab".repeat(33), &"é".repeat(32)] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}
