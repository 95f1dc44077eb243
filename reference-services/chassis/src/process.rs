//! The process around a service: its threads, and its end on SIGTERM or Ctrl-C.
//! That it ends with the supervisor which started it is `fleet`'s concern; a
//! service that is run by hand has none, and is not tied to its shell.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Threads that run a service's futures: enough for two cores, small in memory.
pub const WORKER_THREADS: usize = 2;

/// Threads for calls that block, such as hashing passwords.
pub const BLOCKING_THREADS: usize = 8;

/// Runs `future` to its end on a runtime of the size that services are meant for.
pub fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()?;
    Ok(runtime.block_on(future))
}

/// A token that is cancelled at the first SIGTERM or Ctrl-C.
pub fn stop_signal() -> io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(token)
}
