//! For those who have no token yet: registering and logging in.

use axum::Json;
use chassis::clock::now_ms;
use chassis::{Failure, Posted};
use contracts::accounts::{Account, Credentials, ROLE_CUSTOMER, Session};
use http::StatusCode;
use uuid::Uuid;

use super::client::Client;
use super::{Shared, State};
use crate::audit::{Event, kinds};
use crate::domain::{MAX_PASSWORD_BYTES, faults, normal_email};
use crate::store::Known;
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
) -> Result<Json<Session>, Failure> {
    let Credentials { email, password } = posted.value;
    let email = normal_email(&email);
    let known = state.accounts.by_email(&email).await?;
    let origin = state.accounts.pepper.alias("network address", &client.address);
    let Some(account) = proven(&state, known.clone(), password).await? else {
        let event = Event {
            kind: kinds::LOGIN_REFUSED,
            account: known.map(|known| known.account.id),
            detail: format!("{} from {origin}", state.accounts.alias(&email)),
            ..Event::default()
        };
        state.accounts.note_alone(event, now_ms()).await?;
        state.counters.logins.with_label_values(&["refused"]).inc();
        tracing::warn!("a login was refused");
        return Err(Failure::unauthenticated("the address or the password is wrong"));
    };
    let now_ms = now_ms();
    let on = Beginning { account: account.id, device: client.device, origin };
    let fresh = state.accounts.log_in(&on, now_ms).await?;
    state.counters.logins.with_label_values(&["ok"]).inc();
    tracing::info!(account = %account.id, session = %fresh.session, "somebody logged in");
    Ok(Json(state.tokens(fresh, now_ms)?))
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
