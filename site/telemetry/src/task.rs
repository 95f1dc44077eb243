//! The one place where tasks are started.
//!
//! A task has a name, ends when the token is cancelled, and says in the log when it dies of a panic.

use std::future::Future;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// Starts a task that is dropped at its next await once `cancel` is cancelled. The answer is `None`
/// when that happened before the work was done.
pub fn spawn<F>(
    name: &'static str,
    cancel: CancellationToken,
    work: F,
) -> JoinHandle<Option<F::Output>>
where
    F: Future<Output: Send> + Send + 'static,
{
    let span = tracing::debug_span!("task", name);
    tokio::spawn(
        async move {
            let guard = PanicReport(name);
            let done = cancel.run_until_cancelled(work).await;
            drop(guard);
            tracing::debug!(name, "task ended");
            done
        }
        .instrument(span),
    )
}

/// Reports a panic that unwinds through it.
struct PanicReport(&'static str);

impl Drop for PanicReport {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(name = self.0, "task panicked");
        }
    }
}
