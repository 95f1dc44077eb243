//! Answers that are kept under their idempotency key: whoever sends the same
//! request again, also at the same moment, gets the first one's answer, and
//! the work is done once. The `api` files of services wrap their work in
//! [`Idempotency::once`].
//!
//! A process may die between the work and the keeping of its answer. The work
//! is then run again when the key comes again, so it must itself find what it
//! did before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use contracts::IDEMPOTENCY_REPLAYED;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::clock::now_ms;
use crate::input::IdempotencyKey;
use crate::problem::Failure;
use crate::serve::{Chassis, Tasks};
use crate::store::{Operation, Row, Source, Store, sql};

/// How long an answer is kept.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// How often answers that are too old are looked for.
pub const PURGE_EVERY: Duration = Duration::from_secs(600);

/// Most requests with one key at a time: one is at work, the others wait for its
/// answer; further ones get 409.
pub const MAX_WITH_ONE_KEY: usize = 16;

/// Most requests at work or waiting, over all keys; further ones get 503. They
/// are counted apart from [`crate::inbound::MAX_IN_FLIGHT`], for the work goes
/// on when the client goes away.
pub const MAX_UNFINISHED: usize = 512;

const TABLE: &str = "idempotency_keys";

/// An answer that can be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    status: StatusCode,
    body: Vec<u8>,
    location: Option<String>,
    replayed: bool,
}

impl Answer {
    /// An answer with `body` as JSON.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("contract types have only strings as keys");
        Self { status, body, location: None, replayed: false }
    }

    /// Says where the thing is that was made.
    #[must_use]
    pub fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        let headers = response.headers_mut();
        let problem = self.status.is_client_error() || self.status.is_server_error();
        let media_type = if problem { contracts::problem::MEDIA_TYPE } else { "application/json" };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        if let Some(Ok(location)) = self.location.map(HeaderValue::try_from) {
            headers.insert(header::LOCATION, location);
        }
        if self.replayed {
            let name = HeaderName::from_static(IDEMPOTENCY_REPLAYED);
            headers.insert(name, HeaderValue::from_static("true"));
        }
        response
    }
}

/// Keeps answers in a service's store. Clones share everything.
#[derive(Debug, Clone)]
pub struct Idempotency {
    store: Store,
    tasks: Tasks,
    turns: Turns,
}

impl Idempotency {
    /// Makes the table where there is none and forgets old answers from time to time.
    pub async fn open(chassis: &Chassis, store: &Store) -> anyhow::Result<Self> {
        let table = "CREATE TABLE IF NOT EXISTS idempotency_keys (
                     scope TEXT NOT NULL, key TEXT NOT NULL, request BLOB NOT NULL,
                     status INTEGER NOT NULL, body BLOB NOT NULL, location TEXT,
                     created_ms INTEGER NOT NULL, PRIMARY KEY (scope, key)) STRICT";
        let index = "CREATE INDEX IF NOT EXISTS idempotency_keys_created
                     ON idempotency_keys (created_ms)";
        store.prepare(&[table, index]).await?;
        let this =
            Self { store: store.clone(), tasks: chassis.tasks.clone(), turns: Turns::default() };
        let purger = this.clone();
        chassis.tasks.repeat("purge idempotency keys", PURGE_EVERY, move || {
            let purger = purger.clone();
            async move { purger.purge(now_ms()).await }
        });
        Ok(this)
    }

    /// Answers a request: with what is kept under `key`, or else by running
    /// `work` and keeping its answer. `scope` parts the keys of one caller and
    /// route from those of others. Refusals are kept too, except that the key is
    /// another request's; failures of our own (5xx) are not. The work goes on
    /// when the client goes away.
    pub async fn once(
        &self,
        scope: String,
        key: IdempotencyKey,
        body: &[u8],
        work: impl Future<Output = Result<Answer, Failure>> + Send + 'static,
    ) -> Result<Answer, Failure> {
        let request = Sha256::digest(body).to_vec();
        let this = self.clone();
        let place = self.turns.enter(format!("{scope}\0{}", key.as_str()))?;
        let outcome = self.tasks.finish(async move {
            let _turn = place.turn().await;
            if let Some(kept) = this.find(&scope, &key, &request).await? {
                return Ok(kept);
            }
            let answer = match work.await {
                Ok(answer) => answer,
                Err(failure) if failure.status().is_server_error() || failure.is_key_reused() => {
                    return Err(failure);
                }
                Err(refusal) => Answer::json(refusal.status(), &refusal.problem()),
            };
            if this.keep(&scope, &key, &request, &answer).await? {
                return Ok(answer);
            }
            // Another replica was at work on the same request and was faster.
            let kept = this.find(&scope, &key, &request).await?;
            kept.ok_or_else(|| Failure::unavailable("the request is being answered elsewhere", 1))
        });
        outcome.await.map_err(|error| Failure::internal(anyhow::Error::from(error)))?
    }

    async fn find(
        &self,
        scope: &str,
        key: &IdempotencyKey,
        request: &[u8],
    ) -> Result<Option<Answer>, Failure> {
        let query = sql("SELECT request, status, body, location FROM idempotency_keys
                   WHERE scope = ? AND key = ?");
        let query = query.bind(scope).bind(key.as_str());
        let operation = Operation { name: "SELECT", collection: TABLE };
        match self.store.optional(operation, query, kept).await? {
            Some((asked, _)) if asked != request => Err(Failure::key_reused()),
            found => Ok(found.map(|(_, answer)| answer)),
        }
    }

    /// False: an answer is kept already.
    async fn keep(
        &self,
        scope: &str,
        key: &IdempotencyKey,
        request: &[u8],
        answer: &Answer,
    ) -> Result<bool, Failure> {
        let insert = sql("INSERT INTO idempotency_keys
                   (scope, key, request, status, body, location, created_ms)
                   VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
        .bind(scope)
        .bind(key.as_str())
        .bind(request)
        .bind(answer.status.as_u16())
        .bind(&answer.body)
        .bind(answer.location.as_deref())
        .bind(now_ms());
        let operation = Operation { name: "INSERT", collection: TABLE };
        let written = self.store.write(operation, async |write| write.execute(insert).await);
        Ok(written.await? == 1)
    }

    async fn purge(&self, now_ms: i64) {
        let oldest = now_ms - i64::try_from(KEPT_FOR.as_millis()).unwrap_or(i64::MAX);
        let old = sql("DELETE FROM idempotency_keys WHERE created_ms < ?").bind(oldest);
        let purge = async {
            let mut write = self.store.begin().await?;
            write.execute(old).await?;
            anyhow::Ok(write.commit().await?)
        };
        if let Err(error) = purge.await {
            tracing::warn!(%error, "old idempotency keys were not removed");
        }
    }
}

/// What was asked, and what the answer was.
fn kept(row: &Row) -> anyhow::Result<(Vec<u8>, Answer)> {
    let status = StatusCode::from_u16(row.get("status")?)?;
    let (body, location) = (row.get("body")?, row.get("location")?);
    Ok((row.get("request")?, Answer { status, body, location, replayed: true }))
}

/// One request at a time for each key, within [`MAX_WITH_ONE_KEY`] and
/// [`MAX_UNFINISHED`].
#[derive(Debug, Clone, Default)]
struct Turns(Arc<Mutex<Queues>>);

#[derive(Debug, Default)]
struct Queues {
    /// Requests in all queues.
    unfinished: usize,
    by_key: HashMap<String, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    length: usize,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// A request's place in its key's queue, until it is dropped.
struct Place {
    turns: Turns,
    key: String,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Turns {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, if there is one.
    fn enter(&self, key: String) -> Result<Place, Failure> {
        let mut queues = self.queues();
        if queues.unfinished >= MAX_UNFINISHED {
            return Err(Failure::unavailable("too many requests are unfinished", 1));
        }
        if queues.by_key.get(&key).is_some_and(|queue| queue.length >= MAX_WITH_ONE_KEY) {
            let detail = "too many requests with this idempotency key are unfinished";
            return Err(Failure::conflict(detail).retry_after(1));
        }
        queues.unfinished += 1;
        let queue = queues.by_key.entry(key.clone()).or_default();
        queue.length += 1;
        Ok(Place { turns: self.clone(), turn: Arc::clone(&queue.turn), key })
    }
}

impl Place {
    /// Waits for its turn; the next one's comes when the guard is dropped.
    async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queues = self.turns.queues();
        queues.unfinished -= 1;
        if let Some(queue) = queues.by_key.get_mut(&self.key) {
            queue.length -= 1;
            if queue.length == 0 {
                queues.by_key.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn queues_are_bounded_and_vanish_when_they_are_empty() {
        let turns = Turns::default();
        let status = |key: &str| turns.enter(key.to_owned()).err().map(|refused| refused.status());
        let mut places: Vec<_> =
            (0..MAX_WITH_ONE_KEY).map(|_| turns.enter("k".to_owned()).unwrap()).collect();
        assert_eq!(status("k"), Some(StatusCode::CONFLICT));
        assert_eq!(status("other"), None);
        for number in places.len()..MAX_UNFINISHED {
            places.push(turns.enter(number.to_string()).unwrap());
        }
        assert_eq!(status("other"), Some(StatusCode::SERVICE_UNAVAILABLE));
        {
            let _at_work = places[0].turn().await;
            assert!(places[1].turn.try_lock().is_err(), "its turn has not come");
        }
        assert!(places[1].turn.try_lock().is_ok());
        drop(places);
        assert!(turns.queues().by_key.is_empty() && turns.queues().unfinished == 0);
    }
}
