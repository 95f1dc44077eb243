//! For those who have no token yet: registering and logging in.

use axum::Json;
use axum::response::{IntoResponse, Response};
use chassis::clock::now_ms;
use chassis::{Failure, Posted};
use contracts::accounts::{Account, Challenge, Credentials, ROLE_CUSTOMER};
use http::StatusCode;
use uuid::Uuid;

use super::client::Client;
use super::{Shared, State};
use crate::audit::{Event, kinds};
use crate::domain::{CHALLENGE_LIFETIME_MS, MAX_PASSWORD_BYTES, faults, normal_email};
use crate::store::Known;
use crate::store::failures::Attempt;
use crate::store::sessions::Beginning;

pub(crate) async fn register(
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
pub(crate) async fn login(
    state: Shared,
    client: Client,
    posted: Posted<Credentials>,
) -> Result<Response, Failure> {
    let Credentials { email, password } = posted.value;
    let email = normal_email(&email);
    let known = state.accounts.by_email(&email).await?;
    let attempt = Attempt {
        subject: format!("login {}", state.accounts.alias(&email)),
        origin: state.origin(&client),
        account: known.as_ref().map(|known| known.account.id),
    };
    if let Err(locked) = state.admit(&attempt).await {
        state.counters.logins.with_label_values(&["locked"]).inc();
        return Err(locked);
    }
    let Some(account) = proven(&state, known, password).await? else {
        return Err(refused(&state, &attempt).await?);
    };
    state.accounts.admitted(&attempt).await?;
    let now_ms = now_ms();
    let on = Beginning { account: account.id, device: client.device, origin: attempt.origin };
    if state.accounts.second_factor(account.id).await?.0 {
        let challenge = state.accounts.challenge(&on, now_ms).await?;
        state.counters.logins.with_label_values(&["challenged"]).inc();
        let expires_in_s = u64::try_from(CHALLENGE_LIFETIME_MS / 1000).unwrap_or_default();
        let challenge = Challenge { challenge, expires_in_s };
        return Ok((StatusCode::ACCEPTED, Json(challenge)).into_response());
    }
    let fresh = state.accounts.log_in(&on, now_ms).await?;
    state.counters.logins.with_label_values(&["ok"]).inc();
    tracing::info!(account = %account.id, session = %fresh.session, "somebody logged in");
    Ok(Json(state.tokens(fresh, now_ms)?).into_response())
}

/// Counts and notes a login that was wrong.
async fn refused(state: &State, attempt: &Attempt) -> Result<Failure, Failure> {
    let event = Event {
        kind: kinds::LOGIN_REFUSED,
        account: attempt.account,
        detail: format!("{} from {}", attempt.subject, attempt.origin),
        ..Event::default()
    };
    state.accounts.refused(attempt, event, now_ms()).await?;
    state.counters.logins.with_label_values(&["refused"]).inc();
    tracing::warn!("a login was refused");
    Ok(Failure::unauthenticated("the address or the password is wrong"))
}

/// The account, if the password is its own. It takes as long when there is none.
pub(super) async fn proven(
    state: &State,
    known: Option<Known>,
    mut password: String,
) -> Result<Option<Account>, Failure> {
    if password.len() > MAX_PASSWORD_BYTES {
        // No account has such a password: hash a short one in its place.
        password.clear();
    }
    let (account, hash) = known.map(|known| (known.account, known.password_hash)).unzip();
    let good = state.passwords.verify(password, hash).await?;
    Ok(account.filter(|_| good))
}
