//! Passwords as Argon2id hashes. Hashing is slow on purpose, so it happens on
//! a thread of its own, one at a time, and a queue that grows too long is
//! refused. `api` hands over passwords; the store keeps the hashes.
//!
//! The memory that a hash fills is kept for the next one: allocated anew each
//! time, it stays with the allocator once for every thread that ever hashed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use chassis::Failure;
use tokio::sync::Mutex;

/// Memory of one hash, in KiB. With [`PASSES`] this is one of the settings that
/// OWASP calls equal to its minimum (19 MiB, 2 passes); of those it is the one
/// with little memory.
pub const MEMORY_KIB: u32 = 7 * 1024;

/// Passes over that memory.
pub const PASSES: u32 = 5;

/// Threads of one hash.
pub const LANES: u32 = 1;

/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;

/// Most requests that wait for a hash; further ones get 503.
pub const MAX_WAITING: usize = 64;

/// Hashes and checks passwords. Clones share the queue.
#[derive(Debug, Clone)]
pub struct Passwords {
    memory: Arc<Mutex<Memory>>,
    waiting: Arc<AtomicUsize>,
    nobody: Arc<str>,
}

impl Passwords {
    /// Hashing with the settings above.
    pub fn new() -> anyhow::Result<Self> {
        let mut memory = Memory::default();
        let nobody = hash("nobody has this password", &mut memory)?.into();
        Ok(Self { memory: Arc::new(Mutex::new(memory)), waiting: Arc::default(), nobody })
    }

    /// The hash to keep for a password.
    pub async fn hash(&self, password: String) -> Result<String, Failure> {
        self.work(move |memory| hash(&password, memory)).await
    }

    /// Whether `password` belongs to the hash. Without a hash (there is no such
    /// account) the answer is no, and takes as long.
    pub async fn verify(&self, password: String, kept: Option<String>) -> Result<bool, Failure> {
        let (known, nobody) = (kept.is_some(), Arc::clone(&self.nobody));
        let work = move |memory: &mut Memory| {
            verify(&password, kept.as_deref().unwrap_or(&nobody), memory)
        };
        let good = self.work(work).await?;
        Ok(known && good)
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let _place = Place::take(&self.waiting)?;
        let mut memory = Arc::clone(&self.memory).lock_owned().await;
        // The turn goes along: a request that goes away does not stop the hash.
        let done = tokio::task::spawn_blocking(move || work(&mut memory));
        Ok(done.await.map_err(anyhow::Error::from)??)
    }
}

/// What a hash fills.
type Memory = Vec<Block>;

/// A place in the queue.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>) -> Result<Self, Failure> {
        let place = Self(Arc::clone(waiting));
        if waiting.fetch_add(1, Ordering::Relaxed) <= MAX_WAITING {
            Ok(place)
        } else {
            Err(Failure::unavailable("too many passwords are being checked", 1))
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn hash(password: &str, memory: &mut Memory) -> anyhow::Result<String> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES)).map_err(unusable)?;
    let kept = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: (&params).try_into().map_err(unusable)?,
        salt: Some(Salt::generate()),
        hash: None,
    };
    let output = output(password, &kept, params, memory)?;
    Ok(PasswordHash { hash: Some(output), ..kept }.to_string())
}

fn verify(password: &str, kept: &str, memory: &mut Memory) -> anyhow::Result<bool> {
    let kept = PasswordHash::new(kept).map_err(unusable)?;
    let params = Params::try_from(&kept).map_err(unusable)?;
    // Outputs compare in constant time.
    Ok(kept.hash == Some(output(password, &kept, params, memory)?))
}

/// The hash of `password` with the salt and the settings of `kept`.
fn output(
    password: &str,
    kept: &PasswordHash,
    params: Params,
    memory: &mut Memory,
) -> anyhow::Result<Output> {
    let salt = kept.salt.as_ref().context("the hash has no salt")?;
    memory.resize_with(params.block_count(), Block::default);
    let mut output = [0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(
            password.as_bytes(),
            salt.as_ref(),
            &mut output,
            memory.as_mut_slice(),
        )
        .map_err(unusable)?;
    Output::new(&output).map_err(unusable)
}

fn unusable(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("argon2: {error}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use argon2::PasswordVerifier;

    use super::*;

    #[test]
    fn a_hash_is_salted_and_names_its_settings() {
        let mut memory = Memory::default();
        let mut hashed = || hash("correct horse", &mut memory).unwrap();
        let (first, second) = (hashed(), hashed());
        assert!(first.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{first}");
        assert_ne!(first, second);
        assert!(verify("correct horse", &first, &mut memory).unwrap());
        assert!(!verify("correct horsf", &first, &mut memory).unwrap());
        // Anybody else's Argon2 agrees.
        let kept = PasswordHash::new(&second).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse", &kept).is_ok());
    }
}
