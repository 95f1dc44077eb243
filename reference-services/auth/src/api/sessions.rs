//! For those who have a session: its next tokens, what sessions there are, ending them,
//! and another password.

use axum::Json;
use chassis::clock::now_ms;
use chassis::{Caller, Failure, Id, Posted};
use contracts::accounts::{
    ChangePassword, Ended, Introspection, Refresh, Session, SessionLine, Sessions,
};
use http::StatusCode;

use super::client::Client;
use super::{Shared, State, second};
use crate::domain::password_fault;
use crate::store::sessions::Rotated;

/// Unknown, spent, too old, ended: whoever asks is told the same, and logs in again.
pub(crate) async fn refresh(
    state: Shared,
    posted: Posted<Refresh>,
) -> Result<Json<Session>, Failure> {
    let now_ms = now_ms();
    let outcome = match state.accounts.rotate(&posted.value.refresh_token, now_ms).await? {
        Rotated::Done(fresh) => {
            state.counters.refreshes.with_label_values(&["ok"]).inc();
            tracing::debug!(session = %fresh.session, "a session was given its next tokens");
            return Ok(Json(state.tokens(fresh, now_ms)?));
        }
        Rotated::Reused => {
            tracing::warn!("a spent refresh token came again: its session was ended");
            "reused"
        }
        Rotated::Refused => "refused",
    };
    state.counters.refreshes.with_label_values(&[outcome]).inc();
    Err(Failure::unauthenticated("the refresh token is not good any more: log in again"))
}

pub(crate) async fn introspect(
    state: Shared,
    caller: Caller,
) -> Result<Json<Introspection>, Failure> {
    let account = state.present(&caller).await?;
    let expires_ms = i64::try_from(caller.expires_s).unwrap_or(i64::MAX).saturating_mul(1000);
    Ok(Json(Introspection { active: true, account, expires_ms }))
}

pub(crate) async fn list(state: Shared, caller: Caller) -> Result<Json<Sessions>, Failure> {
    Ok(Json(Sessions { sessions: lines(&state, &caller).await? }))
}

async fn lines(state: &State, caller: &Caller) -> Result<Vec<SessionLine>, Failure> {
    state.present(caller).await?;
    Ok(state.accounts.sessions(caller.account, caller.session, now_ms()).await?)
}

/// Ending a session twice, or one that is somebody else's: there is none.
pub(crate) async fn end(state: Shared, caller: Caller, Id(id): Id) -> Result<StatusCode, Failure> {
    state.present(&caller).await?;
    if !state.accounts.end_session(caller.account, id, now_ms()).await? {
        return Err(Failure::not_found("there is no such session"));
    }
    state.counters.ended.inc();
    tracing::info!(account = %caller.account, session = %id, "a session was ended");
    Ok(StatusCode::NO_CONTENT)
}

/// Logs out everywhere, here too.
pub(crate) async fn end_all(state: Shared, caller: Caller) -> Result<Json<Ended>, Failure> {
    state.present(&caller).await?;
    let ended = state.accounts.end_sessions(caller.account, now_ms()).await?;
    state.counters.ended.inc_by(ended);
    tracing::info!(account = %caller.account, ended, "all sessions were ended");
    Ok(Json(Ended { ended }))
}

/// The other sessions end: whoever knew the old password may have begun them.
pub(crate) async fn change_password(
    state: Shared,
    caller: Caller,
    client: Client,
    posted: Posted<ChangePassword>,
) -> Result<Json<Ended>, Failure> {
    let ChangePassword { password, new_password } = posted.value;
    if let Some(fault) = password_fault("new_password", &new_password) {
        return Err(Failure::invalid(vec![fault]));
    }
    state.present(&caller).await?;
    let known = second::password(&state, &caller, &client, password).await?;
    let hash = state.passwords.hash(new_password).await?;
    let ended = state.accounts.change_password(&known, &hash, caller.session, now_ms()).await?;
    let Some(ended) = ended else {
        return Err(Failure::conflict("somebody else has changed the password meanwhile"));
    };
    tracing::info!(account = %caller.account, ended, "a password was changed");
    Ok(Json(Ended { ended }))
}
