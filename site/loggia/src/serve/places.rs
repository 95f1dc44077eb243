//! Places for work that one request asks for and that may take long: charts, explored queries, views over long spans.
//!
//! A handler takes one before it begins. The place is an owned value: work goes on when its reader has left, so the work
//! holds it.

use super::App;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Questions that are worked on at a time; others wait.
pub(super) const EXPLORERS_MAX: usize = 4;
/// A question that has to wait longer for its turn is refused.
const PATIENCE: Duration = Duration::from_secs(5);

/// A place for a question; none when all are taken for too long.
pub(super) async fn exploring(app: &App) -> Option<OwnedSemaphorePermit> {
    within(&app.exploring, PATIENCE).await
}

/// A place among `places`; none when it took longer than `patience`.
pub(super) async fn within(
    places: &Arc<Semaphore>,
    patience: Duration,
) -> Option<OwnedSemaphorePermit> {
    tokio::time::timeout(patience, Arc::clone(places).acquire_owned()).await.ok()?.ok()
}
