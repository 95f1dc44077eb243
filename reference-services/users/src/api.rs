//! The HTTP side of users: everybody's own profile and preferences, each with its
//! version as `ETag`, so that nobody overwrites what he has not seen. How to
//! reach somebody is told under `/internal`, where the gateway leads nobody.

use axum::extract::FromRef;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chassis::clock::now_ms;
use chassis::{Caller, Failure, Id, Posted, Verifier};
use contracts::users::{ChangeProfile, Contact, Export, Preferences};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use prometheus::IntCounterVec;
use serde::Serialize;

use crate::domain::{preferences_faults, profile_faults};
use crate::store::{Changed, Found, Known, Users};

/// What the handlers share.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct State {
    pub(crate) users: Users,
    pub(crate) verifier: Verifier,
    pub(crate) changes: IntCounterVec,
}

pub(crate) fn routes(state: State) -> Router {
    Router::new()
        .route("/v1/profile", get(profile).put(change_profile).delete(delete))
        .route("/v1/profile/export", get(export))
        .route("/v1/preferences", get(preferences).put(change_preferences))
        .route("/internal/contacts/{id}", get(contact))
        .with_state(state)
}

type Shared = axum::extract::State<State>;

async fn own(state: &State, caller: &Caller) -> Result<Known, Failure> {
    state.users.find(caller.account).await?.ok_or_else(missing)
}

fn missing() -> Failure {
    Failure::not_found("there is no profile; a new one is there moments after its account")
}

async fn profile(state: Shared, caller: Caller, headers: HeaderMap) -> Result<Response, Failure> {
    let known = own(&state, &caller).await?;
    Ok(tagged(&headers, &known.profile, known.profile_version))
}

async fn preferences(
    state: Shared,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let known = own(&state, &caller).await?;
    Ok(tagged(&headers, &known.preferences, known.preferences_version))
}

async fn change_profile(
    state: Shared,
    caller: Caller,
    headers: HeaderMap,
    posted: Posted<ChangeProfile>,
) -> Result<Response, Failure> {
    let version = expected(&headers)?;
    let faults = profile_faults(&posted.value);
    if !faults.is_empty() {
        return Err(Failure::invalid(faults));
    }
    let changed = state.users.change_profile(caller.account, version, &posted.value, now_ms());
    answer(&state, "profile", changed.await?)
}

async fn change_preferences(
    state: Shared,
    caller: Caller,
    headers: HeaderMap,
    posted: Posted<Preferences>,
) -> Result<Response, Failure> {
    let version = expected(&headers)?;
    let faults = preferences_faults(&posted.value);
    if !faults.is_empty() {
        return Err(Failure::invalid(faults));
    }
    let changed = state.users.change_preferences(caller.account, version, posted.value, now_ms());
    answer(&state, "preferences", changed.await?)
}

fn answer<T: Serialize>(
    state: &State,
    what: &str,
    changed: Changed<T>,
) -> Result<Response, Failure> {
    match changed {
        Changed::Done(now, version) => {
            state.changes.with_label_values(&[what]).inc();
            Ok(tagged(&HeaderMap::new(), &now, version))
        }
        Changed::Stale(version) => {
            state.changes.with_label_values(&["stale"]).inc();
            let status = StatusCode::PRECONDITION_FAILED;
            let title = "somebody else has changed it meanwhile";
            let failure = Failure::new(status, "precondition-failed", title);
            Err(failure.detail(format!("it has version {version} now")))
        }
        Changed::Missing => Err(missing()),
    }
}

/// Everything that is kept of the caller, to take away.
async fn export(state: Shared, caller: Caller) -> Result<Response, Failure> {
    let Known { profile, preferences, .. } = own(&state, &caller).await?;
    let export = Json(Export { profile, preferences, exported_ms: now_ms() });
    let headers = [
        (header::CONTENT_DISPOSITION, "attachment; filename=\"profile.json\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, export).into_response())
}

/// Asking twice is no mistake.
async fn delete(state: Shared, caller: Caller) -> Result<StatusCode, Failure> {
    if state.users.delete(caller.account, now_ms()).await? {
        state.changes.with_label_values(&["deleted"]).inc();
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn contact(state: Shared, Id(user): Id) -> Result<Json<Contact>, Failure> {
    match state.users.contact(user).await? {
        Found::Here(contact) => Ok(Json(contact)),
        Found::Deleted => {
            Err(Failure::new(StatusCode::GONE, "gone", "there was such a user, and is no more"))
        }
        Found::Unknown => Err(Failure::not_found("there is no such user")),
    }
}

fn tagged(asked: &HeaderMap, body: &impl Serialize, version: i64) -> Response {
    let tag = format!("\"{version}\"");
    let known = asked.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let known = known.is_some_and(|known| strong(known) == tag);
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Json(body).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// A tag without the mark of a weak one: it is a version's number, which stays
/// the same however the answer was packed on its way.
fn strong(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// The version that `If-Match` names.
fn expected(headers: &HeaderMap) -> Result<i64, Failure> {
    let Some(tag) = headers.get(header::IF_MATCH) else {
        let status = StatusCode::PRECONDITION_REQUIRED;
        let title = "the request must say which version it changes";
        let failure = Failure::new(status, "precondition-required", title);
        return Err(failure.detail("send `If-Match` with the `ETag` that was read"));
    };
    let tag = strong(tag.to_str().unwrap_or_default());
    let version = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    version
        .and_then(|version| version.parse().ok())
        .ok_or_else(|| Failure::malformed("the header `If-Match` must be the tag of one version"))
}
