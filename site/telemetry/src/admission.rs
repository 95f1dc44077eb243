//! How many requests are in hand at a time, and how long one may take.
//!
//! Receivers and the Prometheus API ask here before they read a body or evaluate a query. Whoever finds
//! no room is told to come back (`Retry-After`), so that many requests at once cost time and not memory.

use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// OTLP requests in hand at a time, over HTTP and gRPC together; each may hold two messages of 16 MiB,
/// packed and unpacked.
pub(crate) const MAX_EXPORTS: usize = 16;
/// How long the body of an OTLP request may take to come in and be stored.
pub(crate) const MAX_EXPORT_TIME: Duration = Duration::from_secs(10);
/// Queries of the Prometheus API that are worked on at a time.
pub(crate) const MAX_QUERIES: usize = 8;
/// Queries that are worked on or wait for their turn.
pub(crate) const MAX_WAITING_QUERIES: usize = 128;
/// Seconds after which whoever found no room may try again.
pub(crate) const RETRY_AFTER_S: &str = "1";

/// A place among the requests in hand; free again once it is dropped.
pub(crate) type Place = OwnedSemaphorePermit;

/// The places for OTLP requests.
#[derive(Debug, Clone)]
pub(crate) struct Exports(Arc<Semaphore>);

impl Default for Exports {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_EXPORTS)))
    }
}

impl Exports {
    /// A place, if there is one.
    pub(crate) fn enter(&self) -> Option<Place> {
        self.0.clone().try_acquire_owned().ok()
    }
}

/// The places for queries.
#[derive(Debug, Clone)]
pub(crate) struct Queries {
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Default for Queries {
    fn default() -> Self {
        Self {
            admitted: Arc::new(Semaphore::new(MAX_WAITING_QUERIES)),
            running: Arc::new(Semaphore::new(MAX_QUERIES)),
        }
    }
}

/// Why a query has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// Too many wait already.
    Full,
    /// Its turn did not come in time.
    TooLate,
}

impl Queries {
    /// Waits for a turn until `deadline`.
    pub(crate) async fn enter(&self, deadline: Instant) -> Result<(Place, Place), NoPlace> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| NoPlace::Full)?;
        let turn = self.running.clone().acquire_owned();
        match tokio::time::timeout_at(deadline.into(), turn).await {
            Ok(Ok(running)) => Ok((admitted, running)),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(NoPlace::TooLate),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn places_of_exports_come_back() {
        let exports = Exports::default();
        let mut taken: Vec<_> = (0..MAX_EXPORTS).map(|_| exports.enter().unwrap()).collect();
        assert!(exports.enter().is_none());
        taken.pop();
        assert!(exports.enter().is_some());
    }

    #[tokio::test]
    async fn queries_wait_for_their_turn() {
        let queries = Queries::default();
        let far = Instant::now() + Duration::from_secs(600);
        let mut running = Vec::new();
        for _ in 0..MAX_QUERIES {
            running.push(queries.enter(far).await.unwrap());
        }
        assert_eq!(queries.enter(Instant::now()).await.err(), Some(NoPlace::TooLate));
        let waiting: Vec<_> = (MAX_QUERIES..MAX_WAITING_QUERIES)
            .map(|_| {
                let queries = queries.clone();
                tokio::spawn(async move { queries.enter(far).await.is_ok() })
            })
            .collect();
        while queries.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(queries.enter(far).await.err(), Some(NoPlace::Full));
        running.clear();
        for turn in waiting {
            assert!(turn.await.unwrap());
        }
        assert!(queries.enter(far).await.is_ok());
    }
}
