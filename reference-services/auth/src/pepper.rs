//! What the service keeps secret from its own database: one key, from which every keyed
//! hash is made. `lib` opens it; the audit log, the lock-out and recovery codes use it.
//! Whoever has the database alone can neither forge these hashes nor try values.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use chassis::secret::{self, KEY_BYTES};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Name of the key's file in the data folder.
pub const PEPPER_FILE: &str = "pepper";

/// Length of a name that stands for an address, in hexadecimal digits.
const ALIAS_DIGITS: usize = 20;

/// The key. Clones share it.
#[derive(Clone)]
pub struct Pepper(Arc<[u8; KEY_BYTES]>);

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(...)")
    }
}

impl Pepper {
    /// The key that is given (64 hexadecimal digits), or else the one in a file of
    /// `folder`, where it is made at the first start.
    pub fn open(given: Option<&str>, folder: &Path) -> anyhow::Result<Self> {
        if let Some(text) = given {
            return Self::parse(text).context("the key that was given");
        }
        let file = folder.join(PEPPER_FILE);
        let kept = secret::kept(&file, || secret::to_hex(&secret::random()).into_bytes())
            .with_context(|| format!("cannot read or make the key `{}`", file.display()))?;
        Self::parse(&String::from_utf8_lossy(&kept))
            .with_context(|| format!("the key in `{}`", file.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let key = secret::from_hex(text.trim()).context("is not 64 hexadecimal digits")?;
        Ok(Self(Arc::new(key)))
    }

    /// The keyed hash of `parts` for a purpose, as hexadecimal digits. Parts are told
    /// apart by their length: no two lists of parts are hashed alike.
    pub fn hash(&self, purpose: &str, parts: &[&str]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice())
            .expect("HMAC takes keys of every length");
        for part in std::iter::once(&purpose).chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        hex(&mac.finalize().into_bytes())
    }

    /// A name that stands for an address (of mail, or of a network): the same each time,
    /// and nobody can tell the address from it.
    pub fn alias(&self, purpose: &str, address: &str) -> String {
        let mut alias = self.hash(purpose, &[address]);
        alias.truncate(ALIAS_DIGITS);
        alias
    }
}

/// The hash under which a token of 256 random bits is kept: there is nothing to try, so
/// it needs no key.
pub fn digest(token: &str) -> String {
    hex(&Sha256::digest(token))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hashes_differ_by_key_purpose_and_parts() {
        let (one, two) = ("1a".repeat(32), "2b".repeat(32));
        let (one, two) = (Pepper::parse(&one).unwrap(), Pepper::parse(&two).unwrap());
        let first = one.hash("audit", &["ab", "c"]);
        assert_eq!(first, one.hash("audit", &["ab", "c"]));
        let others = [
            two.hash("audit", &["ab", "c"]),
            one.hash("other", &["ab", "c"]),
            one.hash("audit", &["a", "bc"]),
            one.hash("audit", &["abc"]),
            one.hash("audit", &["ab", "c", ""]),
        ];
        assert!(others.iter().all(|other| *other != first && other.len() == 64));
        assert!(!format!("{one:?}").contains("1a"));
    }

    #[test]
    fn a_key_is_kept_and_a_wrong_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = Pepper::open(None, folder.path()).unwrap().hash("x", &[]);
        assert_eq!(Pepper::open(None, folder.path()).unwrap().hash("x", &[]), first);
        let given = "ab".repeat(32);
        assert_ne!(Pepper::open(Some(&given), folder.path()).unwrap().hash("x", &[]), first);
        let error = format!("{:#}", Pepper::open(Some(&given[1..]), folder.path()).unwrap_err());
        assert!(!error.contains("abab"), "{error}");
    }
}
