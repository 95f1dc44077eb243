//! For those who want more than a password: a second factor is enrolled, confirmed,
//! asked for, and turned off again.

use axum::Json;
use chassis::clock::now_ms;
use chassis::{Caller, Failure, Posted, field};
use contracts::accounts::{
    ChallengeAnswer, Code, Enrolment, Password, PasswordAndCode, RecoveryCodes, SecondFactor,
    Session,
};
use http::StatusCode;

use super::arriving::proven;
use super::client::Client;
use super::{Shared, State};
use crate::audit::{Event, kinds};
use crate::store::failures::Attempt;
use crate::store::second::Answered;
use crate::totp;

pub(crate) async fn read(state: Shared, caller: Caller) -> Result<Json<SecondFactor>, Failure> {
    state.present(&caller).await?;
    let (on, recovery_codes_left) = state.accounts.second_factor(caller.account).await?;
    Ok(Json(SecondFactor { on, recovery_codes_left }))
}

/// The password is asked for again: a token that was left lying about is not enough.
pub(crate) async fn enrol(
    state: Shared,
    caller: Caller,
    client: Client,
    posted: Posted<Password>,
) -> Result<Json<Enrolment>, Failure> {
    let account = state.present(&caller).await?;
    password(&state, &caller, &client, posted.value.password).await?;
    let Some(secret) = state.accounts.enrol(account.id, now_ms()).await? else {
        return Err(Failure::conflict("there is a second factor: turn it off first"));
    };
    let uri = totp::uri(&secret, &account.email);
    Ok(Json(Enrolment { secret: totp::base32(&secret), uri }))
}

pub(crate) async fn confirm(
    state: Shared,
    caller: Caller,
    client: Client,
    posted: Posted<Code>,
) -> Result<Json<RecoveryCodes>, Failure> {
    state.present(&caller).await?;
    if state.accounts.second_factor(caller.account).await?.0 {
        return Err(Failure::conflict("there is a second factor"));
    }
    let attempt = code_attempt(&state, &caller, &client);
    state.admit(&attempt).await?;
    let codes = state.accounts.confirm(caller.account, &posted.value.code, now_ms()).await?;
    let Some(recovery_codes) = codes else {
        state.accounts.refused(&attempt, refused(&caller), now_ms()).await?;
        return Err(wrong_code());
    };
    state.accounts.admitted(&attempt).await?;
    tracing::info!(account = %caller.account, "a second factor was turned on");
    Ok(Json(RecoveryCodes { recovery_codes }))
}

pub(crate) async fn disable(
    state: Shared,
    caller: Caller,
    client: Client,
    posted: Posted<PasswordAndCode>,
) -> Result<StatusCode, Failure> {
    state.present(&caller).await?;
    if !state.accounts.second_factor(caller.account).await?.0 {
        return Err(Failure::conflict("there is no second factor"));
    }
    password(&state, &caller, &client, posted.value.password).await?;
    let attempt = code_attempt(&state, &caller, &client);
    state.admit(&attempt).await?;
    if !state.accounts.disable(caller.account, &posted.value.code, now_ms()).await? {
        state.accounts.refused(&attempt, refused(&caller), now_ms()).await?;
        return Err(wrong_code());
    }
    state.accounts.admitted(&attempt).await?;
    tracing::info!(account = %caller.account, "a second factor was turned off");
    Ok(StatusCode::NO_CONTENT)
}

/// The second half of a login.
pub(crate) async fn answer(
    state: Shared,
    client: Client,
    posted: Posted<ChallengeAnswer>,
) -> Result<Json<Session>, Failure> {
    let ChallengeAnswer { challenge, code } = posted.value;
    let gone = || Failure::unauthenticated("the challenge is over: log in again");
    let Some(on) = state.accounts.challenged(&challenge, now_ms()).await? else {
        return Err(gone());
    };
    let attempt = Attempt {
        subject: format!("code {}", on.account),
        origin: state.origin(&client),
        account: Some(on.account),
    };
    state.admit(&attempt).await?;
    let now_ms = now_ms();
    match state.accounts.answer(&challenge, &code, now_ms).await? {
        Answered::Done(fresh) => {
            state.accounts.admitted(&attempt).await?;
            state.counters.logins.with_label_values(&["ok"]).inc();
            tracing::info!(account = %on.account, session = %fresh.session, "somebody logged in");
            Ok(Json(state.tokens(*fresh, now_ms)?))
        }
        Answered::Wrong => {
            let detail = format!("code from {}", attempt.origin);
            let kind = kinds::LOGIN_REFUSED;
            let event = Event { kind, account: Some(on.account), detail, ..Event::default() };
            state.accounts.refused(&attempt, event, now_ms).await?;
            state.counters.logins.with_label_values(&["refused"]).inc();
            tracing::warn!(account = %on.account, "a code was refused");
            Err(Failure::unauthenticated("the code is wrong"))
        }
        Answered::Gone => Err(gone()),
    }
}

/// Refuses whoever does not know the password of the account that he acts for.
pub(super) async fn password(
    state: &State,
    caller: &Caller,
    client: &Client,
    password: String,
) -> Result<crate::store::Known, Failure> {
    let subject = format!("password {}", caller.account);
    let attempt = Attempt { subject, origin: state.origin(client), account: None };
    state.admit(&attempt).await?;
    let known = state.accounts.by_id(caller.account).await?;
    let Some(known) = known else { return Err(Failure::not_found("the account is gone")) };
    if proven(state, Some(known.clone()), password).await?.is_none() {
        state.accounts.refused(&attempt, refused(caller), now_ms()).await?;
        return Err(Failure::invalid(vec![field("password", "is not the account's password")]));
    }
    state.accounts.admitted(&attempt).await?;
    Ok(known)
}

fn code_attempt(state: &State, caller: &Caller, client: &Client) -> Attempt {
    let subject = format!("code {}", caller.account);
    Attempt { subject, origin: state.origin(client), account: None }
}

fn refused(caller: &Caller) -> Event {
    Event {
        kind: kinds::LOGIN_REFUSED,
        account: Some(caller.account),
        session: Some(caller.session),
        detail: "asked again within a session".to_owned(),
        ..Event::default()
    }
}

fn wrong_code() -> Failure {
    Failure::invalid(vec![field("code", "is not the code of this moment, or was used before")])
}
