//! Every time and count that bounds the supervisor, named. Tests shorten the
//! times; nothing else changes them.

use std::time::Duration;

/// Wait before the first restart.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// Longest wait before a restart; each wait doubles the last one up to it.
pub const BACKOFF_LONGEST: Duration = Duration::from_secs(10);
/// After this much health a replica's next crash counts as its first.
pub const BACKOFF_RESET: Duration = Duration::from_secs(30);
/// A replica that is not ready this long after the fleet's start has failed.
pub const START_LIMIT: Duration = Duration::from_secs(30);
/// Time to finish open requests between SIGTERM and SIGKILL: more than a service takes at most
/// (5 s for requests, 1 s for its database, 2 s for its last spans). A second Ctrl-C does not wait.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// When the fleet stops, a replica that still drains after this long no longer
/// keeps those waiting that it may call.
pub const STOP_STAGGER: Duration = Duration::from_millis(500);
/// Time for the output of a child that has ended to be read, in case somebody
/// it started has left its group and still holds the pipe.
pub const LAST_WORDS_LIMIT: Duration = Duration::from_millis(500);
/// Pause between two looks at a replica that is not ready yet.
pub const PROBE_STARTING: Duration = Duration::from_millis(50);
/// Pause between two looks at a replica that was ready.
pub const PROBE_STEADY: Duration = Duration::from_secs(1);
/// Longest wait for the answer to a look.
pub const PROBE_LIMIT: Duration = Duration::from_secs(1);
/// So many looks in a row that find a replica not ready, and it counts as
/// unready: a single one may be the machine's, not the replica's.
pub const UNREADY_LIMIT: u32 = 3;
/// So many unanswered looks at `/health/live` in a row, and the replica is
/// killed and started again. That is a minute or more: a machine under too much
/// load answers late, and restarts would be the last thing it needs.
pub const DEAF_LIMIT: u32 = 30;
/// Largest answer of a health endpoint that is read, in bytes.
pub const PROBE_BODY_LIMIT: usize = 64 * 1024;

/// Most replicas of one service.
pub const MAX_REPLICAS: usize = 8;
/// How long a replica that has to go is known as stopping before it is told to:
/// whoever sends it requests asks at least twice meanwhile who takes some.
pub const NOTICE: Duration = Duration::from_millis(1_500);
/// Longest time that a fault lasts.
pub const FAULT_LONGEST: Duration = Duration::from_secs(600);
/// Longest time that a process is paused: less than [`DEAF_LIMIT`] looks take.
pub const PAUSE_LONGEST: Duration = Duration::from_secs(60);
/// Most faults at a time.
pub const MAX_FAULTS: usize = 64;
/// Longest wait for a replica to take on a fault.
pub const FAULT_ANSWER: Duration = Duration::from_secs(2);

/// Lines of a replica's output kept in memory.
pub const TAIL_LINES: usize = 40;
/// Longest line of output, in bytes; a longer one is split.
pub const LINE_LIMIT: u64 = 8 * 1024;
/// Size at which a log file is set aside as `NAME.log.1`, in bytes. One older
/// file is kept, so a replica's output takes at most twice as much.
pub const LOG_FILE_LIMIT: u64 = 4 * 1024 * 1024;
/// Events kept in memory; the oldest goes first.
pub const EVENT_LIMIT: usize = 512;
/// Events that a slow listener may lag behind before it misses some.
pub const EVENT_BACKLOG: usize = 128;

/// The times that a test shortens.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// See [`BACKOFF_FIRST`].
    pub backoff_first: Duration,
    /// See [`BACKOFF_LONGEST`].
    pub backoff_longest: Duration,
    /// See [`BACKOFF_RESET`].
    pub backoff_reset: Duration,
    /// See [`START_LIMIT`].
    pub start: Duration,
    /// See [`DRAIN_LIMIT`].
    pub drain: Duration,
    /// See [`STOP_STAGGER`].
    pub stagger: Duration,
    /// See [`NOTICE`].
    pub notice: Duration,
    /// See [`PROBE_STARTING`].
    pub probe_starting: Duration,
    /// See [`PROBE_STEADY`].
    pub probe_steady: Duration,
    /// See [`PROBE_LIMIT`].
    pub probe: Duration,
    /// See [`UNREADY_LIMIT`].
    pub unready: u32,
    /// See [`DEAF_LIMIT`].
    pub deaf: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            backoff_first: BACKOFF_FIRST,
            backoff_longest: BACKOFF_LONGEST,
            backoff_reset: BACKOFF_RESET,
            start: START_LIMIT,
            drain: DRAIN_LIMIT,
            stagger: STOP_STAGGER,
            notice: NOTICE,
            probe_starting: PROBE_STARTING,
            probe_steady: PROBE_STEADY,
            probe: PROBE_LIMIT,
            unready: UNREADY_LIMIT,
            deaf: DEAF_LIMIT,
        }
    }
}
