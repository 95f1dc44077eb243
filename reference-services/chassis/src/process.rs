//! The process around a service: it ends with its parent, and on SIGTERM or
//! Ctrl-C. [`crate::run`] calls this before anything else.

use std::io;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
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

/// Asks the kernel to kill this process when its parent ends. A parent that
/// ended between its `fork` and this call would never be noticed, so a change
/// of the parent's id meanwhile is an error.
pub fn end_with_parent() -> io::Result<()> {
    let parent = getppid();
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() == parent {
        Ok(())
    } else {
        Err(io::Error::other("the process that started this service has ended"))
    }
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
