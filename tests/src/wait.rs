//! Waiting with a bound: a test never sleeps for a fixed time to be lucky.

use std::time::{Duration, Instant};

/// Tries until something is there; panics with `what` when the bound is over.
pub fn until<T>(what: &str, limit: Duration, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// As [`until`], for a condition.
pub fn within(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    until(what, limit, || holds().then_some(()));
}
