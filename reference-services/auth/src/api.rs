//! The HTTP side of auth: requests in, domain, passwords and store in the middle, JSON
//! out. The routes are all here; what they do is in the files below, by who asks.

use axum::extract::FromRef;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use chassis::clock::now_ms;
use chassis::token::Keys;
use chassis::{Caller, Failure, Id, Verifier};
use contracts::accounts::{Account, Revocations, Session};
use jsonwebtoken::jwk::JwkSet;
use uuid::Uuid;

use crate::Settings;
use crate::domain::claims;
use crate::figures::Counters;
use crate::password::Passwords;
use crate::signing::Signer;
use crate::store::Accounts;
use crate::store::sessions::Fresh;

mod arriving;
mod client;
mod sessions;

/// What the handlers share.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct State {
    pub(crate) accounts: Accounts,
    pub(crate) signer: Signer,
    pub(crate) verifier: Verifier,
    pub(crate) passwords: Passwords,
    pub(crate) counters: Counters,
    pub(crate) settings: Settings,
}

pub(crate) fn routes(state: State) -> Router {
    Router::new()
        .route("/v1/register", post(arriving::register))
        .route("/v1/login", post(arriving::login))
        .route("/v1/sessions", get(sessions::list).delete(sessions::end_all))
        .route("/v1/sessions/{id}", delete(sessions::end))
        .route("/v1/sessions/refresh", post(sessions::refresh))
        .route("/v1/sessions/introspect", get(sessions::introspect))
        .route("/v1/password", post(sessions::change_password))
        .route(chassis::token::KEYS_PATH, get(keys))
        .route("/internal/accounts/{id}", get(account))
        .route("/internal/revocations", get(revocations))
        .with_state(state)
}

type Shared = axum::extract::State<State>;

impl State {
    /// Who calls, if his session was not ended.
    async fn present(&self, caller: &Caller) -> Result<Account, Failure> {
        let account = self.accounts.present(caller.session, now_ms()).await?;
        account
            .filter(|account| account.id == caller.account)
            .ok_or_else(|| Failure::unauthenticated("the session of the access token was ended"))
    }

    /// The tokens of a session, as its owner gets them.
    fn tokens(&self, fresh: Fresh, now_ms: i64) -> Result<Session, Failure> {
        let lifetime = self.settings.token_lifetime;
        let claims = claims(&fresh.account, fresh.session, Uuid::new_v4(), lifetime, now_ms);
        let left_ms = u64::try_from(fresh.ends_ms - now_ms).unwrap_or_default();
        Ok(Session {
            access_token: self.signer.sign(&claims)?,
            token_type: "Bearer".to_owned(),
            expires_in_s: lifetime.as_secs(),
            refresh_token: fresh.refresh_token,
            refresh_expires_in_s: left_ms / 1000,
            session: fresh.session,
        })
    }

    /// Signs and checks with the keys that the database has now.
    pub(crate) async fn take_keys(&self) -> anyhow::Result<()> {
        if self.signer.replace(self.accounts.ring(now_ms()).await?) {
            self.verifier.replace(Keys::of(&self.signer.published())).await;
        }
        Ok(())
    }
}

/// For services, to which the gateway leads nobody.
async fn account(state: Shared, Id(id): Id) -> Result<Json<Account>, Failure> {
    let found = state.accounts.by_id(id).await?;
    let found = found.map(|known| Json(known.account));
    found.ok_or_else(|| Failure::not_found("there is no such account"))
}

/// For gateways: whose access tokens are no longer good.
async fn revocations(state: Shared) -> Result<Json<Revocations>, Failure> {
    let revoked = state.accounts.revocations(now_ms()).await?;
    Ok(Json(Revocations { revoked }))
}

async fn keys(state: Shared) -> Json<JwkSet> {
    Json(state.signer.published())
}
