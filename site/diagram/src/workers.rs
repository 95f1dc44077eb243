//! Threads with large stacks on which diagrams are drawn. `draw` hands in the work and waits for it.
//!
//! A thread that is done waits for the next diagram: to make one, and to give its memory back, costs as
//! much as a small drawing does.

use crate::{DiagramError, place};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Stack of a worker: the parsers of some families recurse over the nesting of the text, which
/// [`crate::MAX_SOURCE_BYTES`] bounds.
const STACK_BYTES: usize = 256 * 1024 * 1024;

/// Threads that wait for work; one more ends when it is done, for each may hold on to a stack that was used up
/// to its end. There are never more at work than callers.
const IDLE_MAX: usize = 4;

type Job = Box<dyn FnOnce() -> Fate + Send>;

/// The ways to the threads that wait.
static IDLE: Mutex<Vec<Sender<Job>>> = Mutex::new(Vec::new());

/// What becomes of a thread after its work.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// It takes the next work.
    Stays,
    /// It ends: a diagram that failed may have used all of its stack, which is given back so.
    Ends,
}

/// Runs `work` on a thread with a large stack. A panic in merman becomes an error here: it is the
/// last wall against a parser's bug, never a way to steer.
pub(crate) fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DiagramError> + Send + 'static,
) -> Result<T, DiagramError> {
    let (done, answer) = mpsc::channel();
    let job = Box::new(move || {
        let result = catch_unwind(AssertUnwindSafe(work));
        let fate = match &result {
            Ok(Ok(_)) => Fate::Stays,
            _ => Fate::Ends,
        };
        // Nobody asks any more only where the caller's thread has died.
        let _ = done.send(result);
        fate
    });
    if !hand_over(job) {
        return Err(place::at_start("no thread is free to draw this diagram"));
    }
    match answer.recv() {
        Ok(Ok(result)) => result,
        _ => Err(place::at_start("this diagram cannot be laid out")),
    }
}

/// Gives the work to a thread that waits, or to a new one; false when there can be none.
fn hand_over(mut job: Job) -> bool {
    // The lock is not held while the work is handed over.
    while let Some(worker) = { idle().pop() } {
        match worker.send(job) {
            Ok(()) => return true,
            Err(refused) => job = refused.0,
        }
    }
    let thread = std::thread::Builder::new().name("diagram".to_owned()).stack_size(STACK_BYTES);
    thread.spawn(move || work_on(job)).is_ok()
}

fn work_on(first: Job) {
    let (own, next) = mpsc::channel::<Job>();
    let mut job = first;
    while job() == Fate::Stays {
        {
            let mut idle = idle();
            if idle.len() >= IDLE_MAX {
                return;
            }
            idle.push(own.clone());
        }
        let Ok(more) = next.recv() else { return };
        job = more;
    }
}

fn idle() -> MutexGuard<'static, Vec<Sender<Job>>> {
    // Nothing inside panics, and a list of senders is never half changed.
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}
