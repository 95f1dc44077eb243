//! What messaging answers to other services and to whoever operates them, all
//! of it under `/internal`, where the gateway leads nobody.

use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use contracts::messaging::{DeadLetters, Feed, Redrive, Redriven, Replay, Tally};
use serde::Deserialize;

use crate::input::Posted;
use crate::problem::{Failure, field};

use super::journal::Journal;
use super::transport::FEED_PATH;
use super::{MAX_FEED_EVENTS, MAX_FEED_WAIT_MS, MAX_LISTED, Messaging};

pub(crate) fn routes(messaging: Messaging) -> Router {
    Router::new()
        .route(FEED_PATH, get(feed))
        .route("/internal/inbox", get(inbox))
        .route("/internal/dead-letters", get(dead_letters))
        .route("/internal/dead-letters/redrive", post(redrive))
        .route("/internal/replay", post(replay))
        .with_state(messaging)
}

/// What part of the outbox is wanted.
#[derive(Debug, Deserialize)]
struct Window {
    after: i64,
    limit: Option<u32>,
    wait_ms: Option<u64>,
}

async fn feed(
    State(messaging): State<Messaging>,
    window: Result<Query<Window>, QueryRejection>,
) -> Result<Json<Feed>, Failure> {
    let Query(window) = window?;
    let limit = window.limit.unwrap_or(MAX_FEED_EVENTS).min(MAX_FEED_EVENTS);
    let wait = Duration::from_millis(window.wait_ms.unwrap_or(0).min(MAX_FEED_WAIT_MS));
    Ok(Json(messaging.news_behind(window.after, limit, wait).await?))
}

async fn inbox(State(messaging): State<Messaging>) -> Result<Json<Vec<Tally>>, Failure> {
    Ok(Json(messaging.journal.tallies().await?))
}

async fn dead_letters(State(messaging): State<Messaging>) -> Result<Json<DeadLetters>, Failure> {
    Ok(Json(messaging.journal.dead_letters(MAX_LISTED).await?))
}

async fn redrive(
    State(messaging): State<Messaging>,
    posted: Posted<Redrive>,
) -> Result<Json<Redriven>, Failure> {
    let redriven = messaging.journal.redrive(&posted.value.ids).await?;
    Ok(Json(Redriven { redriven }))
}

async fn replay(
    State(messaging): State<Messaging>,
    posted: Posted<Replay>,
) -> Result<Json<Vec<Tally>>, Failure> {
    let Replay { producer, after } = posted.value;
    if after < 0 {
        return Err(Failure::invalid(vec![field("after", "must not be negative")]));
    }
    if !messaging.replay(&producer, after).await? {
        let message = "nothing is read of a service with this name";
        return Err(Failure::invalid(vec![field("producer", message)]));
    }
    inbox(State(messaging)).await
}
