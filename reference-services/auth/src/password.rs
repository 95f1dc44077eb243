//! Passwords as Argon2id hashes. Hashing is slow on purpose, so it happens on
//! threads of its own, a few at a time, and a queue that grows too long is
//! refused. `api` hands over passwords; the store keeps the hashes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use chassis::Failure;
use tokio::sync::Semaphore;

/// Memory of one hash, in KiB. With [`PASSES`] this is one of the settings that
/// OWASP calls equal to its minimum (19 MiB, 2 passes); of those it is the one
/// with little memory.
pub const MEMORY_KIB: u32 = 7 * 1024;

/// Passes over that memory.
pub const PASSES: u32 = 5;

/// Threads of one hash.
pub const LANES: u32 = 1;

/// Most hashes at once.
pub const MAX_AT_ONCE: usize = 2;

/// Most requests that wait for a hash; further ones get 503.
pub const MAX_WAITING: usize = 64;

/// Hashes and checks passwords. Clones share the queue.
#[derive(Debug, Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    nobody: Arc<str>,
}

impl Passwords {
    /// Hashing with the settings above.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            permits: Arc::new(Semaphore::new(MAX_AT_ONCE)),
            waiting: Arc::default(),
            nobody: hash("nobody has this password")?.into(),
        })
    }

    /// The hash to keep for a password.
    pub async fn hash(&self, password: String) -> Result<String, Failure> {
        self.work(move || hash(&password)).await
    }

    /// Whether `password` belongs to the hash. Without a hash (there is no such
    /// account) the answer is no, and takes as long.
    pub async fn verify(&self, password: String, kept: Option<String>) -> Result<bool, Failure> {
        let (known, nobody) = (kept.is_some(), Arc::clone(&self.nobody));
        let good = self.work(move || verify(&password, kept.as_deref().unwrap_or(&nobody))).await?;
        Ok(known && good)
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let _place = Place::take(&self.waiting)?;
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|error| Failure::internal(anyhow::Error::from(error)))?;
        // The permit goes along: a request that goes away does not stop the hash.
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        Ok(done.await.map_err(anyhow::Error::from)??)
    }
}

/// A place in the queue.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>) -> Result<Self, Failure> {
        let place = Self(Arc::clone(waiting));
        if waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING + MAX_AT_ONCE {
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

fn argon2() -> anyhow::Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| anyhow::anyhow!("argon2 settings: {error}"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> anyhow::Result<String> {
    let hash = argon2()?.hash_password(password.as_bytes());
    Ok(hash.map_err(|error| anyhow::anyhow!("cannot hash: {error}"))?.to_string())
}

fn verify(password: &str, kept: &str) -> anyhow::Result<bool> {
    let kept = PasswordHash::new(kept)
        .map_err(|error| anyhow::anyhow!("the kept hash cannot be read: {error}"))?;
    Ok(argon2()?.verify_password(password.as_bytes(), &kept).is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_hash_is_salted_and_names_its_settings() {
        let (first, second) = (hash("correct horse").unwrap(), hash("correct horse").unwrap());
        assert!(first.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{first}");
        assert_ne!(first, second);
        assert!(verify("correct horse", &first).unwrap());
        assert!(!verify("correct horsf", &first).unwrap());
    }
}
