//! What has to be done now and then.

use crate::Backend;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Time between two rounds.
const EVERY: Duration = Duration::from_secs(10);

/// Stores what spans say as series, drops samples that are too old or too many and totals that nobody adds to, until cancelled.
pub async fn run_housekeeping(backend: Arc<Backend>, cancel: CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY);
    while cancel.run_until_cancelled(ticks.tick()).await.is_some() {
        let backend = backend.clone();
        // Dropping chunks of many series takes a while and must not hold up the network.
        let round = tokio::task::spawn_blocking(move || backend.tidy());
        if round.await.is_err() {
            tracing::error!("dropping old samples failed");
        }
    }
}
