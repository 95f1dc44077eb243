//! The HTTP side of auth: requests in, domain, passwords and store in the
//! middle, JSON out.

use axum::extract::FromRef;
use axum::routing::{get, post};
use axum::{Json, Router};
use chassis::clock::now_ms;
use chassis::{Caller, Failure, Id, Metrics, Posted, Verifier};
use contracts::accounts::{Account, Credentials, Introspection, ROLE_CUSTOMER, Session};
use http::StatusCode;
use jsonwebtoken::jwk::JwkSet;
use prometheus::{IntCounter, IntCounterVec};
use uuid::Uuid;

use crate::domain::{MAX_PASSWORD_BYTES, TOKEN_LIFETIME, claims, faults, normal_email};
use crate::password::Passwords;
use crate::signing::Signer;
use crate::store::{Accounts, Known};

/// What the handlers share.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct State {
    pub(crate) accounts: Accounts,
    pub(crate) signer: Signer,
    pub(crate) verifier: Verifier,
    pub(crate) passwords: Passwords,
    pub(crate) counters: Counters,
}

/// The business in figures.
#[derive(Debug, Clone)]
pub(crate) struct Counters {
    registrations: IntCounter,
    logins: IntCounterVec,
}

impl Counters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let registrations =
            metrics.counter("auth_registrations_total", "Accounts that were made.", &[]);
        Self {
            registrations: registrations.with_label_values::<&str>(&[]),
            logins: metrics.counter("auth_logins_total", "Attempts to log in.", &["outcome"]),
        }
    }
}

pub(crate) fn routes(state: State) -> Router {
    Router::new()
        .route("/v1/register", post(register))
        .route("/v1/login", post(login))
        .route("/v1/sessions/introspect", get(introspect))
        .route(chassis::token::KEYS_PATH, get(keys))
        .route("/internal/accounts/{id}", get(account))
        .with_state(state)
}

type Shared = axum::extract::State<State>;

async fn register(
    state: Shared,
    posted: Posted<Credentials>,
) -> Result<(StatusCode, Json<Account>), Failure> {
    let credentials = posted.value;
    let faults = faults(&credentials);
    if !faults.is_empty() {
        return Err(Failure::invalid(faults));
    }
    let account = Account {
        id: Uuid::now_v7(),
        email: normal_email(&credentials.email),
        roles: vec![ROLE_CUSTOMER.to_owned()],
        created_ms: now_ms(),
    };
    let password_hash = state.passwords.hash(credentials.password).await?;
    let known = Known { account, password_hash };
    if !state.accounts.add(&known).await? {
        return Err(Failure::conflict("the address is registered already"));
    }
    state.counters.registrations.inc();
    tracing::info!(account = %known.account.id, "an account was made");
    Ok((StatusCode::CREATED, Json(known.account)))
}

/// An unknown address and a wrong password get the same answer after the same
/// time: logging in does not tell who has an account. Registering does (409 for
/// an address that is taken), at the cost of a password hash for each question.
async fn login(state: Shared, posted: Posted<Credentials>) -> Result<Json<Session>, Failure> {
    let Credentials { email, mut password } = posted.value;
    if password.len() > MAX_PASSWORD_BYTES {
        // No account has such a password: hash a short one in its place.
        password.clear();
    }
    let known = state.accounts.by_email(&normal_email(&email)).await?;
    let (account, hash) = known.map(|known| (known.account, known.password_hash)).unzip();
    let good = state.passwords.verify(password, hash).await?;
    let Some(account) = account.filter(|_| good) else {
        state.counters.logins.with_label_values(&["refused"]).inc();
        tracing::warn!("a login was refused");
        return Err(Failure::unauthenticated("the address or the password is wrong"));
    };
    let token = state.signer.sign(&claims(&account, Uuid::new_v4(), now_ms()))?;
    state.counters.logins.with_label_values(&["ok"]).inc();
    Ok(Json(Session {
        access_token: token,
        token_type: "Bearer".to_owned(),
        expires_in_s: TOKEN_LIFETIME.as_secs(),
    }))
}

async fn introspect(state: Shared, caller: Caller) -> Result<Json<Introspection>, Failure> {
    let account = state.accounts.by_id(caller.account).await?;
    let account = account.ok_or_else(|| Failure::unauthenticated("the account is gone"))?;
    let expires_ms = i64::try_from(caller.expires_s).unwrap_or(i64::MAX).saturating_mul(1000);
    Ok(Json(Introspection { active: true, account, expires_ms }))
}

/// For services, to which the gateway leads nobody.
async fn account(state: Shared, Id(id): Id) -> Result<Json<Account>, Failure> {
    let found = state.accounts.by_id(id).await?;
    found.map(Json).ok_or_else(|| Failure::not_found("there is no such account"))
}

async fn keys(state: Shared) -> Json<JwkSet> {
    Json(state.signer.published())
}
