//! Who is calling: access tokens (EdDSA) are checked here, in the process,
//! against the public keys that `auth` publishes. Only the keys are fetched,
//! now and then. Services take a [`Caller`] in their handlers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{FromRef, FromRequestParts};
use contracts::accounts::{Claims, TOKEN_AUDIENCE, TOKEN_ISSUER};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use thiserror::Error;
use tokio::sync::{Mutex, RwLock};
use uuid::Uuid;

use crate::client::{Call, Client};
use crate::problem::Failure;
use crate::serve::Chassis;

/// Where `auth` publishes its keys.
pub const KEYS_PATH: &str = "/.well-known/jwks.json";

/// How often the keys are fetched again.
pub const REFRESH_EVERY: Duration = Duration::from_secs(60);

/// Shortest time between two fetches that unknown keys ask for: anybody can
/// make up key ids.
pub const REFRESH_PAUSE: Duration = Duration::from_secs(1);

/// Most keys that are kept.
pub const MAX_KEYS: usize = 16;

/// Longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 4096;

/// How far clocks may differ, in seconds.
pub const LEEWAY_S: u64 = 5;

/// Who is calling, after the token was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: Uuid,
    /// What it may do.
    pub roles: Vec<String>,
    /// When the token ends, in seconds since 1970.
    pub expires_s: u64,
    /// The session that the token belongs to.
    pub session: Uuid,
}

/// Why a token is not taken.
#[derive(Debug, Error, PartialEq, Eq, Clone, Copy)]
pub enum TokenError {
    /// There is no token.
    #[error("the header `Authorization: Bearer` is missing")]
    Missing,
    /// It is no token of ours: broken, another algorithm, another issuer or audience.
    #[error("the access token is not valid")]
    Invalid,
    /// It was signed with a key that `auth` does not publish.
    #[error("the access token was signed with an unknown key")]
    UnknownKey,
    /// Its time is over.
    #[error("the access token has expired")]
    Expired,
    /// Its session was ended.
    #[error("the session of the access token was ended")]
    Revoked,
    /// No keys could be fetched yet, so nothing can be said.
    #[error("access tokens cannot be checked right now")]
    NoKeys,
}

/// Public keys by their id.
#[derive(Debug, Clone, Default)]
pub struct Keys(HashMap<String, DecodingKey>);

impl Keys {
    /// The usable keys of a key set.
    pub fn of(set: &JwkSet) -> Self {
        let usable = set.keys.iter().filter_map(|key| {
            let id = key.common.key_id.clone()?;
            Some((id, DecodingKey::from_jwk(key).ok()?))
        });
        Self(usable.take(MAX_KEYS).collect())
    }

    /// Checks a token. Its own `alg` is not believed: only EdDSA is taken.
    pub fn check(&self, token: &str) -> Result<Caller, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        if header.alg != Algorithm::EdDSA {
            return Err(TokenError::Invalid);
        }
        let id = header.kid.ok_or(TokenError::Invalid)?;
        let key = self.0.get(&id).ok_or(TokenError::UnknownKey)?;
        let claims =
            decode::<Claims>(token, key, &validation()).map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => TokenError::Expired,
                _ => TokenError::Invalid,
            })?;
        let Claims { sub, roles, exp, sid, .. } = claims.claims;
        Ok(Caller { account: sub, roles, expires_s: exp, session: sid })
    }
}

fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.leeway = LEEWAY_S;
    validation.set_issuer(&[TOKEN_ISSUER]);
    validation.set_audience(&[TOKEN_AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation
}

/// Checks tokens with keys that are kept fresh. Clones share the keys.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Arc<RwLock<Keys>>,
    fetched: Arc<Mutex<Option<Instant>>>,
    client: Client,
    owner: bool,
}

impl Verifier {
    /// A verifier that fetches the keys from the peer `auth`, now and then.
    pub fn start(chassis: &Chassis) -> Self {
        let this = Self {
            keys: Arc::default(),
            fetched: Arc::default(),
            client: chassis.client.clone(),
            owner: false,
        };
        let refreshed = this.clone();
        chassis.tasks.repeat("refresh token keys", REFRESH_EVERY, move || {
            let verifier = refreshed.clone();
            async move { verifier.refresh(Duration::ZERO).await }
        });
        this
    }

    /// A verifier with fixed keys, for the service that owns them.
    pub fn fixed(keys: Keys, chassis: &Chassis) -> Self {
        Self {
            keys: Arc::new(RwLock::new(keys)),
            fetched: Arc::new(Mutex::new(Some(Instant::now()))),
            client: chassis.client.clone(),
            owner: true,
        }
    }

    /// Takes other keys, as [`Verifier::fixed`] does: the owner's have changed.
    pub async fn replace(&self, keys: Keys) {
        *self.keys.write().await = keys;
    }

    /// Checks the token of a request.
    pub async fn check(&self, headers: &HeaderMap) -> Result<Caller, TokenError> {
        let token = bearer(headers).ok_or(TokenError::Missing)?;
        let first = self.keys.read().await.check(token);
        if self.owner || first != Err(TokenError::UnknownKey) {
            return first;
        }
        self.refresh(REFRESH_PAUSE).await;
        let keys = self.keys.read().await;
        if keys.0.is_empty() { Err(TokenError::NoKeys) } else { keys.check(token) }
    }

    /// Fetches the keys, unless that was done within the last `pause`. Keys
    /// that are here stay when the fetch fails.
    async fn refresh(&self, pause: Duration) {
        let mut fetched = self.fetched.lock().await;
        if fetched.is_some_and(|at| at.elapsed() < pause) {
            return;
        }
        let reply = self.client.call(Call::get("auth", KEYS_PATH).untraced()).await;
        *fetched = Some(Instant::now());
        match reply.map(|reply| reply.json::<JwkSet>()) {
            Ok(Ok(set)) => *self.keys.write().await = Keys::of(&set),
            Ok(Err(error)) => tracing::warn!(%error, "the token keys cannot be read"),
            Err(error) => tracing::debug!(%error, "the token keys cannot be fetched"),
        }
    }
}

/// The token in the header `Authorization`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::NoKeys => Self::unavailable(error.to_string(), 1),
            _ => Self::unauthenticated(error.to_string()),
        }
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        Ok(Verifier::from_ref(state).check(&parts.headers).await?)
    }
}
