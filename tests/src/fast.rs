//! A clock on which an hour takes six seconds, and a backend that goes by it.
//!
//! The child of the crash test and the test itself open the same folder with it, in turn.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use telemetry::{Backend, Clock, DiskOptions, Limits, OpenError};

/// How much faster than the computer's clock.
const SPEED: i64 = 600;
/// What it tells at its start, milliseconds since 1970.
const START_MS: i64 = 1_800_000_000_000;

/// A fast clock.
#[derive(Debug, Clone, Copy)]
pub struct FastClock {
    /// When it started by the computer's clock, milliseconds since 1970.
    pub since_ms: i64,
}

impl FastClock {
    /// One that starts now.
    pub fn start() -> Self {
        Self { since_ms: real_ms() }
    }

    /// The fast time now, milliseconds since 1970.
    pub fn now_ms(self) -> i64 {
        START_MS + (real_ms() - self.since_ms) * SPEED
    }

    /// As the backend takes it.
    pub fn clock(self) -> Clock {
        Clock::from_fn(move || self.now_ms())
    }

    /// Opens a folder.
    pub fn open(self, folder: &Path) -> Result<Backend, OpenError> {
        // Small enough that files fill, and large enough that a test never reaches it.
        let retention_bytes = DiskOptions::LEAST_BYTES;
        let options = DiskOptions { retention_bytes, ..DiskOptions::new(folder) };
        Backend::open(Limits::default(), self.clock(), options, &mut |_| {})
    }
}

fn real_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
