//! Stage 2: who is calling, and whether the route is for him. Checking a
//! signature costs more than all other stages together, so a token that was good
//! a moment ago is not checked again; whether its session was ended is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::clock::now_ms;
use chassis::token::{LEEWAY_S, bearer};
use chassis::{Caller, Failure, TokenError, Verifier};
use http::HeaderMap;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use super::State;
use crate::domain::{Guard, Route};
use crate::revocations::Ended;

/// How long a token that was found good is taken for good: a key that is
/// withdrawn counts so much longer.
pub(crate) const GOOD_FOR: Duration = Duration::from_secs(5);

/// Most tokens that are remembered, by their hash.
pub(crate) const MAX_TOKENS: usize = 4_096;

/// Checks tokens. Clones share what they remember.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    verifier: Verifier,
    good: Arc<Cache<[u8; 32], (Instant, Caller)>>,
    ended: Ended,
}

impl Tokens {
    pub(crate) fn new(verifier: Verifier, ended: Ended) -> Self {
        Self { verifier, good: Arc::new(Cache::new(MAX_TOKENS)), ended }
    }

    /// Whether what was good has ended since: the token by itself, or its session.
    pub(crate) fn over(&self, caller: &Caller) -> bool {
        expired(caller) || self.ended.contains(caller.session)
    }

    /// Who sent a request.
    pub(crate) async fn check(&self, headers: &HeaderMap) -> Result<Caller, TokenError> {
        let Some(token) = bearer(headers) else { return Err(TokenError::Missing) };
        let hash: [u8; 32] = Sha256::digest(token).into();
        if let Some((at, caller)) = self.good.get(&hash)
            && at.elapsed() < GOOD_FOR
            && !expired(&caller)
        {
            return self.unended(caller);
        }
        let caller = self.verifier.check(headers).await?;
        self.good.insert(hash, (Instant::now(), caller.clone()));
        self.unended(caller)
    }

    fn unended(&self, caller: Caller) -> Result<Caller, TokenError> {
        match self.ended.contains(caller.session) {
            true => Err(TokenError::Revoked),
            false => Ok(caller),
        }
    }
}

fn expired(caller: &Caller) -> bool {
    let now_s = u64::try_from(now_ms() / 1000).unwrap_or_default();
    caller.expires_s.saturating_add(LEEWAY_S) < now_s
}

/// The caller, where the route wants to know.
pub(crate) async fn check(
    state: &State,
    route: &Route,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Failure> {
    let Guard::Role(role) = route.guard else { return Ok(None) };
    let caller = state.tokens.check(headers).await.map_err(|error| {
        state.refuse("token");
        Failure::from(error)
    })?;
    if caller.roles.iter().any(|has| has == role) {
        Ok(Some(caller))
    } else {
        state.refuse("role");
        Err(Failure::forbidden(format!("the role `{role}` is needed")))
    }
}
