//! The HTTP side of auth: requests in, domain, passwords and store in the middle, JSON
//! out. The routes are all here; what they do is in the files below, by who asks.

use axum::extract::FromRef;
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use chassis::clock::now_ms;
use chassis::token::Keys;
use chassis::{Caller, Failure, Id, Verifier};
use contracts::accounts::{Account, Revocations, Session};
use http::StatusCode;
use jsonwebtoken::jwk::JwkSet;
use uuid::Uuid;

use crate::domain::claims;
use crate::figures::Counters;
use crate::password::Passwords;
use crate::signing::Signer;
use crate::store::Accounts;
use crate::store::failures::{Admission, Attempt};
use crate::store::sessions::Fresh;
use crate::{FirstAdministrator, Settings};

mod administration;
mod arriving;
mod client;
mod second;
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
    pub(crate) first_administrator: FirstAdministrator,
}

pub(crate) fn routes(state: State) -> Router {
    Router::new()
        .route("/v1/register", post(arriving::register))
        .route("/v1/login", post(arriving::login))
        .route("/v1/login/code", post(second::answer))
        .route("/v1/sessions", get(sessions::list).delete(sessions::end_all))
        .route("/v1/sessions/{id}", delete(sessions::end))
        .route("/v1/sessions/refresh", post(sessions::refresh))
        .route("/v1/sessions/introspect", get(sessions::introspect))
        .route("/v1/password", post(sessions::change_password))
        .route("/v1/totp", get(second::read).post(second::enrol))
        .route("/v1/totp/confirm", post(second::confirm))
        .route("/v1/totp/disable", post(second::disable))
        .route("/v1/administrators/first", post(administration::first))
        .route(
            "/v1/accounts/{id}/roles/{role}",
            put(administration::grant).delete(administration::take),
        )
        .route("/v1/audit", get(administration::audit))
        .route("/v1/keys/rotate", post(administration::rotate))
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

    /// The name that the client's address goes by in the database.
    fn origin(&self, client: &client::Client) -> String {
        self.accounts.pepper.alias("network address", &client.address)
    }

    /// Lets an attempt be made that can be wrong, or says when to come again. The answer
    /// is the same whether there is such an account or not.
    async fn admit(&self, attempt: &Attempt) -> Result<(), Failure> {
        let Admission::Wait { ms, by } = self.accounts.admit(attempt, now_ms()).await? else {
            return Ok(());
        };
        self.counters.locks.with_label_values(&[by]).inc();
        tracing::warn!(by, wait_ms = ms, "an attempt came too early after wrong ones");
        let seconds = u64::try_from(ms).unwrap_or_default().div_ceil(1000);
        let title = "there were too many wrong attempts";
        Err(Failure::new(StatusCode::TOO_MANY_REQUESTS, "locked", title)
            .detail(format!("try again in {seconds} s"))
            .retry_after(seconds))
    }

    /// How long a key is published, at least, before it signs.
    pub(crate) fn ahead_ms(&self) -> i64 {
        i64::try_from(self.settings.published_ahead.as_millis()).unwrap_or(i64::MAX / 4)
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
