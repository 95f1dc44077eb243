//! For administrators: roles, the audit log, and the keys. Whether somebody is one, the
//! database is asked, not his token.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query};
use chassis::clock::now_ms;
use chassis::{Caller, Failure, Posted, field};
use contracts::accounts::{Account, AuditPage, Claim, ROLE_ADMINISTRATOR, ROLES, RotateKeys};
use http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use super::client::Client;
use super::{Shared, State};
use crate::audit::{Event, kinds};
use crate::domain::{AUDIT_PAGE, MAX_AUDIT_PAGE};
use crate::store::failures::Attempt;
use crate::store::keys::{Cause, Turned};
use crate::store::roles::Roles;

async fn administrator(state: &State, caller: &Caller) -> Result<(), Failure> {
    let account = state.present(caller).await?;
    match account.roles.iter().any(|role| role == ROLE_ADMINISTRATOR) {
        true => Ok(()),
        false => Err(Failure::forbidden(format!("the role `{ROLE_ADMINISTRATOR}` is needed"))),
    }
}

/// An account and a role, as a path names them.
pub(crate) struct Wanted {
    account: Uuid,
    role: &'static str,
}

impl Wanted {
    fn read(path: Result<Path<(String, String)>, PathRejection>) -> Result<Self, Failure> {
        let Path((id, role)) = path?;
        let account = Uuid::parse_str(&id);
        let known = ROLES.into_iter().find(|known| *known == role);
        match (account, known) {
            (Ok(account), Some(role)) => Ok(Self { account, role }),
            (account, known) => {
                let id = account.is_err().then(|| field("id", "must be a UUID"));
                let words = format!("must be one of {}", ROLES.join(", "));
                let role = known.is_none().then(|| field("role", words));
                Err(Failure::invalid(id.into_iter().chain(role).collect()))
            }
        }
    }
}

type Named = Result<Path<(String, String)>, PathRejection>;

pub(crate) async fn grant(
    state: Shared,
    caller: Caller,
    path: Named,
) -> Result<Json<Account>, Failure> {
    let Wanted { account, role } = Wanted::read(path)?;
    administrator(&state, &caller).await?;
    changed(state.accounts.grant(account, role, caller.account, now_ms()).await?)
}

pub(crate) async fn take(
    state: Shared,
    caller: Caller,
    path: Named,
) -> Result<Json<Account>, Failure> {
    let Wanted { account, role } = Wanted::read(path)?;
    administrator(&state, &caller).await?;
    changed(state.accounts.take(account, role, caller.account, now_ms()).await?)
}

fn changed(roles: Roles) -> Result<Json<Account>, Failure> {
    match roles {
        Roles::Done(account) => {
            tracing::info!(account = %account.id, "an account has other roles");
            Ok(Json(account))
        }
        Roles::Missing => Err(Failure::not_found("there is no such account")),
        Roles::Needed(why) => Err(Failure::conflict(why)),
    }
}

/// Whoever has the installation's secret becomes the first administrator, once.
pub(crate) async fn first(
    state: Shared,
    caller: Caller,
    client: Client,
    posted: Posted<Claim>,
) -> Result<Json<Account>, Failure> {
    state.present(&caller).await?;
    let origin = state.origin(&client);
    let subject = format!("first administrator {}", caller.account);
    let attempt = Attempt { subject, origin, account: None };
    state.admit(&attempt).await?;
    if !state.first_administrator.is(&posted.value.secret) {
        let event = Event {
            kind: kinds::LOGIN_REFUSED,
            account: Some(caller.account),
            session: Some(caller.session),
            detail: "wanted to be the first administrator".to_owned(),
            ..Event::default()
        };
        state.accounts.refused(&attempt, event, now_ms()).await?;
        return Err(Failure::forbidden("this is not the secret"));
    }
    state.accounts.admitted(&attempt).await?;
    let account = state.accounts.first_administrator(caller.account, now_ms()).await?;
    let Some(account) = account else {
        return Err(Failure::conflict("there is an administrator, who gives roles"));
    };
    tracing::info!(account = %account.id, "the first administrator is there");
    Ok(Json(account))
}

/// What part of the log is wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct Window {
    after: Option<i64>,
    limit: Option<u32>,
}

pub(crate) async fn audit(
    state: Shared,
    caller: Caller,
    window: Result<Query<Window>, QueryRejection>,
) -> Result<Json<AuditPage>, Failure> {
    let Query(Window { after, limit }) = window?;
    let (after, limit) = (after.unwrap_or_default(), limit.unwrap_or(AUDIT_PAGE));
    let mut faults = Vec::new();
    if after < 0 {
        faults.push(field("after", "must not be negative"));
    }
    if !(1..=MAX_AUDIT_PAGE).contains(&limit) {
        faults.push(field("limit", format!("must be 1 to {MAX_AUDIT_PAGE}")));
    }
    if !faults.is_empty() {
        return Err(Failure::invalid(faults));
    }
    administrator(&state, &caller).await?;
    let length = state.accounts.audit_length().await?;
    let rows = state.accounts.audit_rows(after, limit).await?;
    Ok(Json(AuditPage { rows, length }))
}

pub(crate) async fn rotate(
    state: Shared,
    caller: Caller,
    posted: Posted<RotateKeys>,
) -> Result<StatusCode, Failure> {
    administrator(&state, &caller).await?;
    let cause = Cause::Asked { by: caller.account, compromised: posted.value.compromised };
    match state.accounts.rotate_keys(cause, state.ahead_ms(), now_ms()).await? {
        Turned::Wait { ms } => {
            let seconds = u64::try_from(ms).unwrap_or_default().div_ceil(1000);
            let why = format!("the next key has to be known first: try again in {seconds} s");
            Err(Failure::conflict(why).retry_after(seconds))
        }
        Turned::Done | Turned::NotYet => {
            state.take_keys().await?;
            state.counters.rotations.with_label_values(&["asked"]).inc();
            tracing::info!(by = %caller.account, "another key signs, as was asked");
            Ok(StatusCode::NO_CONTENT)
        }
    }
}
