//! Fields that are sealed before they are written (XChaCha20-Poly1305). A sealed
//! field says which key it was sealed with, and opens for its user and as this
//! field only: whoever moves it to another row or column gets nothing.
//!
//! The first key seals; all of them open. To change keys, put a new one in front
//! and start again: rows are sealed anew in the background, and when
//! `users_rows_with_old_keys` is 0 the old key can go.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use chassis::secret::{self, KEY_BYTES};
use uuid::Uuid;

/// Name of the keys' file in the data folder.
pub const KEY_FILE: &str = "field-keys";

/// What a sealed field begins with: the version of its form.
pub const FORM: &str = "v1";

/// Most keys that are kept.
pub const MAX_KEYS: usize = 16;

/// Longest id of a key, in bytes.
pub const MAX_KEY_ID_BYTES: usize = 32;

const NONCE_BYTES: usize = 24;

/// The keys. Clones share them.
#[derive(Clone)]
pub struct Keys(Arc<Vec<Key>>);

struct Key {
    id: String,
    cipher: XChaCha20Poly1305,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

impl Keys {
    /// The keys that are given, or else those in a file of `folder`, where one is
    /// made at the first start.
    pub fn open(given: Option<&str>, folder: &Path) -> anyhow::Result<Self> {
        if let Some(text) = given {
            return Self::parse(text);
        }
        let file = folder.join(KEY_FILE);
        let kept = secret::kept(&file, || new_key().into_bytes())
            .with_context(|| format!("cannot read or make the keys `{}`", file.display()))?;
        Self::parse(&String::from_utf8_lossy(&kept))
            .with_context(|| format!("the keys in `{}`", file.display()))
    }

    /// Keys as `ID=HEX`, between commas or on lines. A message never holds a key.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let mut keys: Vec<Key> = Vec::new();
        let parts = text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty());
        for (number, part) in (1..).zip(parts) {
            let (id, hex) = part.split_once('=').with_context(|| {
                format!("key {number} is not of the form `ID=64 hexadecimal digits`")
            })?;
            let named = !id.is_empty()
                && id.len() <= MAX_KEY_ID_BYTES
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            ensure!(named, "the id of key {number} must be letters, digits, `-` and `_`");
            ensure!(keys.iter().all(|key| key.id != id), "the key `{id}` is there twice");
            let Some(bytes) = secret::from_hex(hex.trim()) else {
                bail!("the key `{id}` is not 64 hexadecimal digits");
            };
            keys.push(Key { id: id.to_owned(), cipher: cipher(&bytes) });
        }
        ensure!((1..=MAX_KEYS).contains(&keys.len()), "there must be 1 to {MAX_KEYS} keys");
        Ok(Self(Arc::new(keys)))
    }

    /// The id of the key that seals.
    pub fn newest(&self) -> &str {
        &self.0[0].id
    }

    /// Seals a field of a user.
    pub fn seal(&self, user: Uuid, field: &str, text: &str) -> anyhow::Result<String> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let bound = bound(user, field);
        let payload = Payload { msg: text.as_bytes(), aad: bound.as_bytes() };
        let Ok(sealed) = self.0[0].cipher.encrypt(&XNonce::from(nonce), payload) else {
            bail!("a field cannot be sealed");
        };
        let bytes = [nonce.as_slice(), &sealed].concat();
        Ok(format!("{FORM}.{}.{}", self.newest(), BASE64.encode(bytes)))
    }

    /// Opens a field that was sealed for this user and place.
    pub fn open_field(&self, user: Uuid, field: &str, sealed: &str) -> anyhow::Result<String> {
        let mut parts = sealed.splitn(3, '.');
        let (form, id, text) = (parts.next(), parts.next(), parts.next());
        let (Some(FORM), Some(id), Some(text)) = (form, id, text) else {
            bail!("`{field}` of `{user}` is not sealed");
        };
        let key = self.0.iter().find(|key| key.id == id);
        let key =
            key.with_context(|| format!("there is no key `{id}` for `{field}` of `{user}`"))?;
        let bytes = BASE64.decode(text).unwrap_or_default();
        let Some((nonce, sealed)) = bytes.split_first_chunk::<NONCE_BYTES>() else {
            bail!("`{field}` of `{user}` is cut off");
        };
        let bound = bound(user, field);
        let payload = Payload { msg: sealed, aad: bound.as_bytes() };
        match key.cipher.decrypt(&XNonce::from(*nonce), payload) {
            Ok(text) => Ok(String::from_utf8(text)?),
            Err(_) => bail!("`{field}` of `{user}` was changed, or sealed for another place"),
        }
    }
}

fn cipher(key: &[u8; KEY_BYTES]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(*key).into())
}

/// What a field is bound to: it is authenticated with it.
fn bound(user: Uuid, field: &str) -> String {
    format!("users.{user}.{field}")
}

fn new_key() -> String {
    let id: u32 = rand::random();
    format!("{id:08x}={}\n", secret::to_hex(&secret::random()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn keys(text: &str) -> Keys {
        Keys::parse(text).unwrap()
    }

    #[test]
    fn a_field_opens_for_its_user_and_place_only() {
        let hex = "ab".repeat(32);
        let keys = keys(&format!("a={hex}"));
        let (ada, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let sealed = keys.seal(ada, "email", "ada@example.org").unwrap();
        assert!(sealed.starts_with("v1.a.") && !sealed.contains("ada@"), "{sealed}");
        assert_ne!(keys.seal(ada, "email", "ada@example.org").unwrap(), sealed, "no two are alike");
        assert_eq!(keys.open_field(ada, "email", &sealed).unwrap(), "ada@example.org");
        let end = sealed.len() - 2;
        let flipped = if sealed.as_bytes()[end] == b'A' { "B" } else { "A" };
        let changed = format!("{}{flipped}{}", &sealed[..end], &sealed[end + 1..]);
        let other = super::Keys::parse(&format!("a={}", "cd".repeat(32))).unwrap();
        let unnamed = sealed.replace("v1.a.", "v1.b.");
        let cases = [
            keys.open_field(bob, "email", &sealed),
            keys.open_field(ada, "own", &sealed),
            keys.open_field(ada, "email", &changed),
            keys.open_field(ada, "email", "ada@example.org"),
            keys.open_field(ada, "email", "v1.a."),
            keys.open_field(ada, "email", "v1.a.AAAA"),
            keys.open_field(ada, "email", &unnamed),
            other.open_field(ada, "email", &sealed),
        ];
        for opened in cases {
            let error = opened.unwrap_err().to_string();
            assert!(!error.contains("ada@") && !error.contains(&hex), "{error}");
        }
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let (old, new) = (format!("old={}", "1a".repeat(32)), format!("new={}", "2b".repeat(32)));
        let user = Uuid::nil();
        let sealed = keys(&old).seal(user, "own", "x").unwrap();
        let both = keys(&format!("{new}\n{old}\n"));
        assert_eq!(both.newest(), "new");
        assert_eq!(both.open_field(user, "own", &sealed).unwrap(), "x");
        assert!(both.seal(user, "own", "x").unwrap().starts_with("v1.new."));
        assert!(keys(&new).open_field(user, "own", &sealed).is_err());
    }

    #[test]
    fn wrong_keys_are_refused_and_never_told() {
        let hex = "ab".repeat(32);
        let cases = [
            String::new(),
            hex.clone(),
            format!("={hex}"),
            format!("a b={hex}"),
            format!("a={hex},a={hex}"),
            format!("a={}", &hex[1..]),
            (0..=MAX_KEYS).map(|id| format!("k{id}={hex},")).collect(),
        ];
        for text in cases {
            let error = format!("{:#}", Keys::parse(&text).unwrap_err());
            assert!(!error.contains(&hex[1..]), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let first = Keys::open(None, folder.path()).unwrap();
        assert_eq!(Keys::open(None, folder.path()).unwrap().newest(), first.newest());
    }
}
