//! Fields that are sealed before they are written (XChaCha20-Poly1305). A sealed
//! field says which key it was sealed with, and opens for its owner, in its service
//! and as this field only: whoever moves it to another row or column gets nothing.
//! The stores of services seal and open with the [`Keys`] that they are given.
//!
//! The first key seals; all of them open. To change keys, put a new one in front
//! and start again; a service may seal its rows anew.

use std::fmt::{self, Display};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::secret::{self, KEY_BYTES};

/// What a sealed field begins with: the version of its form.
pub const FORM: &str = "v1";

/// Most keys that are kept.
pub const MAX_KEYS: usize = 16;

/// Longest id of a key, in bytes.
pub const MAX_KEY_ID_BYTES: usize = 32;

const NONCE_BYTES: usize = 24;

/// The keys of a service. Clones share them.
#[derive(Clone)]
pub struct Keys {
    place: &'static str,
    keys: Arc<Vec<Key>>,
}

struct Key {
    id: String,
    cipher: XChaCha20Poly1305,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

impl Keys {
    /// The keys that are given, or else those in `file`, where one is made at the
    /// first start. `place` names the service.
    pub fn open(place: &'static str, given: Option<&str>, file: &Path) -> anyhow::Result<Self> {
        if let Some(text) = given {
            return Self::parse(place, text);
        }
        let kept = secret::kept(file, || new_key().into_bytes())
            .with_context(|| format!("cannot read or make the keys `{}`", file.display()))?;
        Self::parse(place, &String::from_utf8_lossy(&kept))
            .with_context(|| format!("the keys in `{}`", file.display()))
    }

    /// Keys as `ID=HEX`, between commas or on lines. A message never holds a key.
    pub fn parse(place: &'static str, text: &str) -> anyhow::Result<Self> {
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
        Ok(Self { place, keys: Arc::new(keys) })
    }

    /// The id of the key that seals.
    pub fn newest(&self) -> &str {
        &self.keys[0].id
    }

    /// Seals a field of an owner (a user, a key: whatever a row is about).
    pub fn seal(&self, owner: impl Display, field: &str, text: &str) -> anyhow::Result<String> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let bound = self.bound(owner, field);
        let payload = Payload { msg: text.as_bytes(), aad: bound.as_bytes() };
        let Ok(sealed) = self.keys[0].cipher.encrypt(&XNonce::from(nonce), payload) else {
            bail!("a field cannot be sealed");
        };
        let bytes = [nonce.as_slice(), &sealed].concat();
        Ok(format!("{FORM}.{}.{}", self.newest(), BASE64.encode(bytes)))
    }

    /// Opens a field that was sealed for this owner and as this field.
    pub fn open_field(
        &self,
        owner: impl Display,
        field: &str,
        sealed: &str,
    ) -> anyhow::Result<String> {
        let mut parts = sealed.splitn(3, '.');
        let (form, id, text) = (parts.next(), parts.next(), parts.next());
        let (Some(FORM), Some(id), Some(text)) = (form, id, text) else {
            bail!("`{field}` of `{owner}` is not sealed");
        };
        let key = self.keys.iter().find(|key| key.id == id);
        let key =
            key.with_context(|| format!("there is no key `{id}` for `{field}` of `{owner}`"))?;
        let bytes = BASE64.decode(text).unwrap_or_default();
        let Some((nonce, sealed)) = bytes.split_first_chunk::<NONCE_BYTES>() else {
            bail!("`{field}` of `{owner}` is cut off");
        };
        let bound = self.bound(&owner, field);
        let payload = Payload { msg: sealed, aad: bound.as_bytes() };
        match key.cipher.decrypt(&XNonce::from(*nonce), payload) {
            Ok(text) => Ok(String::from_utf8(text)?),
            Err(_) => bail!("`{field}` of `{owner}` was changed, or sealed for another place"),
        }
    }

    /// What a field is bound to: it is authenticated with it.
    fn bound(&self, owner: impl Display, field: &str) -> String {
        format!("{}.{owner}.{field}", self.place)
    }
}

fn cipher(key: &[u8; KEY_BYTES]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(*key).into())
}

fn new_key() -> String {
    let id: u32 = rand::random();
    format!("{id:08x}={}\n", secret::to_hex(&secret::random()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use uuid::Uuid;

    use super::*;

    fn keys(text: &str) -> Keys {
        Keys::parse("people", text).unwrap()
    }

    #[test]
    fn a_field_opens_for_its_owner_and_place_only() {
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
        let other = super::Keys::parse("people", &format!("a={}", "cd".repeat(32))).unwrap();
        let elsewhere = super::Keys::parse("orders", &format!("a={hex}")).unwrap();
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
            elsewhere.open_field(ada, "email", &sealed),
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
            let error = format!("{:#}", Keys::parse("people", &text).unwrap_err());
            assert!(!error.contains(&hex[1..]), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        let first = Keys::open("people", None, &file).unwrap();
        assert_eq!(Keys::open("people", None, &file).unwrap().newest(), first.newest());
    }
}
