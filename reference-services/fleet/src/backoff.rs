//! How long a replica waits before it is started again. `supervise` asks after
//! each exit and says how long the replica had been healthy.

use std::time::Duration;

use crate::limits::Limits;

/// The wait that doubles.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    reset: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts at the shortest wait.
    pub fn new(limits: &Limits) -> Self {
        Self {
            first: limits.backoff_first,
            longest: limits.backoff_longest,
            reset: limits.backoff_reset,
            next: limits.backoff_first,
        }
    }

    /// The wait after an exit, given the time that the replica was healthy.
    pub fn after(&mut self, healthy: Duration) -> Duration {
        if healthy >= self.reset {
            self.next = self.first;
        }
        let wait = self.next;
        self.next = (wait * 2).min(self.longest);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_to_its_bound_and_health_resets_it() {
        let healthy = [0, 0, 29, 0, 0, 0, 30, 0].map(Duration::from_secs);
        let mut backoff = Backoff::new(&Limits::default());
        let waits = healthy.map(|time| backoff.after(time).as_secs());
        assert_eq!(waits, [1, 2, 4, 8, 10, 10, 1, 2]);
    }
}
