//! The keys that sign access tokens. One signs; the next one is published already, so
//! that everybody knows it when it takes over; those before it stay published until the
//! tokens that they signed have ended. `store::keys` keeps them, sealed; private parts
//! are neither shown nor logged.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context as _;
use contracts::accounts::Claims;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};

/// Name of the file in which older versions kept their only key. It is taken over into
/// the database, sealed, and removed.
pub const OLD_KEY_FILE: &str = "signing-key.der";

/// What stands before the 32 secret bytes of an Ed25519 key in PKCS #8 (RFC 8410).
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// One key.
#[derive(Clone)]
pub struct Key {
    secret: Arc<EncodingKey>,
    public: Jwk,
    id: String,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Key {
    /// The key in PKCS #8.
    pub fn of(der: &[u8]) -> anyhow::Result<Self> {
        let secret = EncodingKey::from_ed_der(der);
        let mut public =
            Jwk::from_encoding_key(&secret, Algorithm::EdDSA).context("no Ed25519 key")?;
        let id = public.thumbprint(ThumbprintHash::SHA256)?;
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { secret: Arc::new(secret), public, id })
    }

    /// Its id: the claim `kid` of what it signs.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// A new key in PKCS #8.
pub fn new_key() -> Vec<u8> {
    [PKCS8_HEAD.as_slice(), &rand::random::<[u8; 32]>()].concat()
}

/// The keys as they are used: the one that signs, and all that are published.
#[derive(Debug, Clone)]
pub struct Ring {
    /// The key that signs.
    pub current: Key,
    /// Those that others should know: before, now, next.
    pub published: Vec<Key>,
}

/// Signs tokens. Clones share the keys.
#[derive(Debug, Clone)]
pub struct Signer(Arc<RwLock<Ring>>);

impl Signer {
    /// Signs with these keys.
    pub fn new(ring: Ring) -> Self {
        Self(Arc::new(RwLock::new(ring)))
    }

    /// Signs with these keys from now on. True: they are others than before.
    pub fn replace(&self, ring: Ring) -> bool {
        let mut now = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let ids = |ring: &Ring| ring.published.iter().map(|key| key.id.clone()).collect::<Vec<_>>();
        let changed = now.current.id != ring.current.id || ids(&now) != ids(&ring);
        *now = ring;
        changed
    }

    /// A signed token.
    pub fn sign(&self, claims: &Claims) -> anyhow::Result<String> {
        let key = self.ring().current;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(key.id);
        encode(&header, claims, &key.secret).context("the token cannot be signed")
    }

    /// The public keys, as `/.well-known/jwks.json` gives them.
    pub fn published(&self) -> JwkSet {
        JwkSet { keys: self.ring().published.into_iter().map(|key| key.public).collect() }
    }

    fn ring(&self) -> Ring {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_public_halves_are_published_and_the_others_never_shown() {
        let keys = [(); 2].map(|()| Key::of(&new_key()).unwrap());
        assert_ne!(keys[0].id(), keys[1].id());
        let ring = Ring { current: keys[0].clone(), published: keys.to_vec() };
        let signer = Signer::new(ring.clone());
        assert!(!signer.replace(ring));
        let published = serde_json::to_string(&signer.published()).unwrap();
        assert!(published.contains(r#""crv":"Ed25519""#) && !published.contains(r#""d":"#));
        let shown = format!("{signer:?}");
        assert!(shown.contains(keys[0].id()) && !shown.to_lowercase().contains("secret"));
        let other = Ring { current: keys[1].clone(), published: keys.to_vec() };
        assert!(signer.replace(other));
    }
}
