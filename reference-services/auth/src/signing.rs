//! The key that signs access tokens. It is made at the first start, lies in the
//! service's data folder where only its owner may read it, and never leaves the
//! process; its public half is published for everybody to check tokens with.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use contracts::accounts::Claims;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};

/// Name of the key's file in the data folder.
pub const KEY_FILE: &str = "signing-key.der";

/// What stands before the 32 secret bytes of an Ed25519 key in PKCS #8 (RFC 8410).
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Signs tokens. Clones share the key.
#[derive(Clone)]
pub struct Signer {
    key: Arc<EncodingKey>,
    public: Arc<Jwk>,
    header: Header,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("key_id", &self.header.kid).finish_non_exhaustive()
    }
}

impl Signer {
    /// The key in `file`, which is made where there is none.
    pub fn open(file: &Path) -> anyhow::Result<Self> {
        match fs::read(file) {
            Ok(der) => Self::of(&der),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let der = new_key();
                write_secret(file, &der)?;
                Self::of(&der)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn of(der: &[u8]) -> anyhow::Result<Self> {
        let key = EncodingKey::from_ed_der(der);
        let mut public =
            Jwk::from_encoding_key(&key, Algorithm::EdDSA).context("no Ed25519 key")?;
        let id = public.thumbprint(ThumbprintHash::SHA256)?;
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(id);
        Ok(Self { key: Arc::new(key), public: Arc::new(public), header })
    }

    /// A signed token.
    pub fn sign(&self, claims: &Claims) -> anyhow::Result<String> {
        encode(&self.header, claims, &self.key).context("the token cannot be signed")
    }

    /// The public keys, as `/.well-known/jwks.json` gives them.
    pub fn published(&self) -> JwkSet {
        JwkSet { keys: vec![(*self.public).clone()] }
    }
}

fn new_key() -> Vec<u8> {
    [PKCS8_HEAD.as_slice(), &rand::random::<[u8; 32]>()].concat()
}

/// Writes beside the file and renames, so that a key is there whole or not at all.
fn write_secret(file: &Path, bytes: &[u8]) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_stays_the_same_and_is_readable_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(KEY_FILE);
        fs::write(file.with_extension("new"), "left behind, readable by everybody").unwrap();
        let (first, again) = (Signer::open(&file).unwrap(), Signer::open(&file).unwrap());
        assert_eq!(first.header.kid, again.header.kid);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let published = serde_json::to_string(&first.published()).unwrap();
        assert!(published.contains(r#""crv":"Ed25519""#) && !published.contains(r#""d":"#));
    }
}
