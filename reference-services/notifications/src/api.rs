//! The HTTP side of notifications: what a customer was told and how, as a list
//! and as a stream, and the webhook of his own. Dead deliveries are listed and
//! redriven under `/internal`, where the gateway leads nobody.

use std::collections::VecDeque;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRef, Query};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chassis::clock::now_ms;
use chassis::{Caller, Failure, Id, Posted, Verifier, field};
use contracts::messaging::{Redrive, Redriven};
use contracts::notifications::{
    DeadDeliveries, MarkRead, Notifications, SetWebhook, Told, Unread, Webhook,
};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::dispatch::News;
use crate::domain::url_fault;
use crate::store::Desk;
use crate::stream::{Full, LIFETIME, Reader, Streams};
use crate::webhook::Hooks;

/// Most notifications in one answer, and how many there are when nothing is said.
pub(crate) const MAX_LISTED: u32 = 100;
const USUALLY_LISTED: u32 = 20;

/// What the handlers share.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct State {
    pub(crate) desk: Desk,
    pub(crate) verifier: Verifier,
    pub(crate) hooks: Hooks,
    pub(crate) streams: Streams,
    pub(crate) news: broadcast::Sender<News>,
    pub(crate) stop: CancellationToken,
    pub(crate) inside_allowed: bool,
}

pub(crate) fn routes(state: State) -> Router {
    Router::new()
        .route("/v1/notifications", get(list))
        .route("/v1/notifications/read", post(mark_read))
        .route("/v1/notifications/stream", get(stream))
        .route("/v1/notifications/webhook", get(webhook).put(set_webhook).delete(remove_webhook))
        .route("/v1/notifications/{id}", get(told))
        .route("/internal/deliveries/dead", get(dead))
        .route("/internal/deliveries/redrive", post(redrive))
        .with_state(state)
}

type Shared = axum::extract::State<State>;

/// Which part of the list is wanted.
#[derive(Debug, Deserialize)]
struct Window {
    limit: Option<u32>,
    before: Option<i64>,
}

async fn list(
    state: Shared,
    caller: Caller,
    window: Result<Query<Window>, QueryRejection>,
) -> Result<Json<Notifications>, Failure> {
    let Query(Window { limit, before }) = window?;
    let limit = limit.unwrap_or(USUALLY_LISTED);
    if !(1..=MAX_LISTED).contains(&limit) {
        return Err(Failure::invalid(vec![field(
            "limit",
            format!("must be from 1 to {MAX_LISTED}"),
        )]));
    }
    Ok(Json(state.desk.list(caller.account, before, limit).await?))
}

async fn told(state: Shared, caller: Caller, Id(id): Id) -> Result<Json<Told>, Failure> {
    let found = state.desk.told(caller.account, id).await?;
    found.map(Json).ok_or_else(|| Failure::not_found("there is no such notification"))
}

async fn mark_read(
    state: Shared,
    caller: Caller,
    posted: Posted<MarkRead>,
) -> Result<Json<Unread>, Failure> {
    let MarkRead { up_to } = posted.value;
    if up_to < 0 {
        return Err(Failure::invalid(vec![field("up_to", "must not be negative")]));
    }
    state.desk.mark_read(caller.account, up_to).await?;
    Ok(Json(Unread { unread: state.desk.unread(caller.account).await? }))
}

/// Without `Last-Event-ID` the stream begins now.
async fn stream(state: Shared, caller: Caller, headers: HeaderMap) -> Result<Response, Failure> {
    let place = state.streams.enter(caller.account).map_err(|full| match full {
        Full::All => Failure::unavailable("too many streams are open", 5),
        Full::Own => {
            Failure::new(StatusCode::TOO_MANY_REQUESTS, "too-many-streams", "too many streams")
                .detail("close one of your streams first")
                .retry_after(5)
        }
    })?;
    let news = state.news.subscribe();
    let position = match headers.get("last-event-id") {
        Some(last) => last_event(last.to_str().unwrap_or_default())?,
        None => state.desk.newest().await?,
    };
    let left_s = caller.expires_s.saturating_sub(u64::try_from(now_ms() / 1000).unwrap_or(0));
    let life = LIFETIME.min(std::time::Duration::from_secs(left_s));
    let reader = Reader {
        desk: state.desk.clone(),
        customer: caller.account,
        position,
        news,
        ready: VecDeque::new(),
        until: Instant::now() + life,
        stop: state.stop.clone(),
        _place: place,
    };
    Ok(reader.answer().into_response())
}

fn last_event(text: &str) -> Result<i64, Failure> {
    let position = text.trim().parse().ok().filter(|position| *position >= 0);
    position
        .ok_or_else(|| Failure::malformed("the header `Last-Event-ID` must be an id of the stream"))
}

async fn webhook(state: Shared, caller: Caller) -> Result<Json<Webhook>, Failure> {
    let found = state.desk.webhook(caller.account).await?;
    let (url, created_ms) = found.ok_or_else(|| Failure::not_found("no webhook is set"))?;
    let secret = state.hooks.secret(caller.account, created_ms);
    Ok(Json(Webhook { url, secret, created_ms }))
}

async fn set_webhook(
    state: Shared,
    caller: Caller,
    posted: Posted<SetWebhook>,
) -> Result<Json<Webhook>, Failure> {
    let SetWebhook { url } = posted.value;
    if let Some(fault) = url_fault(&url, state.inside_allowed) {
        return Err(Failure::invalid(vec![field("url", fault)]));
    }
    let created_ms = now_ms();
    state.desk.set_webhook(caller.account, Some(&url), created_ms).await?;
    let secret = state.hooks.secret(caller.account, created_ms);
    Ok(Json(Webhook { url, secret, created_ms }))
}

async fn remove_webhook(state: Shared, caller: Caller) -> Result<StatusCode, Failure> {
    state.desk.set_webhook(caller.account, None, now_ms()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn dead(state: Shared) -> Result<Json<DeadDeliveries>, Failure> {
    let (count, deliveries) = state.desk.dead(MAX_LISTED).await?;
    Ok(Json(DeadDeliveries { count, deliveries }))
}

async fn redrive(state: Shared, posted: Posted<Redrive>) -> Result<Json<Redriven>, Failure> {
    Ok(Json(Redriven { redriven: state.desk.redrive(&posted.value.ids).await? }))
}
