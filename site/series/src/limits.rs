//! What a [`Head`](crate::Head) may hold, and the words in which it refuses more.
//!
//! The site's configuration sets them; the page about the server shows them.

/// Series that a head holds at most, unless configured otherwise.
pub const DEFAULT_SERIES: usize = 200_000;
/// Labels that one series has at most, unless configured otherwise.
pub const DEFAULT_LABELS_PER_SERIES: usize = 64;
/// Bytes that names and values of one series take at most, unless configured otherwise.
pub const DEFAULT_LABEL_BYTES: usize = 8 * 1024;
/// How long samples are kept, unless configured otherwise: two hours, in milliseconds.
pub const DEFAULT_RETENTION_MS: i64 = 2 * 60 * 60 * 1000;
/// Bytes that chunks and labels take at most together, unless configured otherwise.
pub const DEFAULT_BYTES: usize = 96 * 1024 * 1024;
/// How far ahead of the present a sample may lie, unless configured otherwise: ten minutes, in milliseconds. One sample
/// of next year would keep out all others of its series until then.
pub const DEFAULT_AHEAD_MS: i64 = 10 * 60 * 1000;
/// How far before the newest sample of its series a late one may lie, unless configured otherwise: ten minutes, in
/// milliseconds.
pub const DEFAULT_LATE_MS: i64 = 10 * 60 * 1000;

/// The limits of one head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Series at most.
    pub series: usize,
    /// Labels of one series at most.
    pub labels_per_series: usize,
    /// Bytes of the names and values of one series at most.
    pub label_bytes: usize,
    /// Milliseconds for which samples are kept.
    pub retention_ms: i64,
    /// Milliseconds by which a sample may lie ahead of the present.
    pub ahead_ms: i64,
    /// Milliseconds by which a sample may lie before the newest of its series; 0 takes none out of order.
    pub late_ms: i64,
    /// Bytes of chunks and labels together, estimated; beyond them the oldest chunks go first on `truncate`, and new
    /// series are refused until then.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            series: DEFAULT_SERIES,
            labels_per_series: DEFAULT_LABELS_PER_SERIES,
            label_bytes: DEFAULT_LABEL_BYTES,
            retention_ms: DEFAULT_RETENTION_MS,
            ahead_ms: DEFAULT_AHEAD_MS,
            late_ms: DEFAULT_LATE_MS,
            bytes: DEFAULT_BYTES,
        }
    }
}

/// Why a sample was not stored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AppendError {
    /// The head is full of series.
    #[error(
        "the store is full: it holds {limit} series\nhelp: drop labels with many values, or raise the limit `series`"
    )]
    TooManySeries {
        /// Series at most.
        limit: usize,
    },
    /// One series has too many labels.
    #[error("the series has {count} labels, more than {limit}")]
    TooManyLabels {
        /// Labels that it has.
        count: usize,
        /// Labels at most.
        limit: usize,
    },
    /// One series' labels are too long.
    #[error("the labels of the series take {bytes} bytes, more than {limit}")]
    LabelsTooLong {
        /// Bytes that they take.
        bytes: usize,
        /// Bytes at most.
        limit: usize,
    },
    /// The head has no bytes left for a new series.
    #[error(
        "the store is full: it takes {bytes} bytes of {limit}\nhelp: shorten the retention, or raise the limit `bytes`"
    )]
    TooManyBytes {
        /// Bytes taken.
        bytes: usize,
        /// Bytes at most.
        limit: usize,
    },
    /// The series already has a later sample, by more than may be late.
    #[error("the sample at {t} ms is too late: the series' newest is at {newest} ms")]
    OutOfOrder {
        /// The sample's time.
        t: i64,
        /// The time of the series' newest sample.
        newest: i64,
    },
    /// The sample is from before the kept time.
    #[error("the sample at {t} ms is older than what is kept, which starts at {oldest} ms")]
    TooOld {
        /// The sample's time.
        t: i64,
        /// The start of the kept time.
        oldest: i64,
    },
    /// The sample lies too far ahead of the present.
    #[error(
        "the sample at {t} ms lies in the future, after {latest} ms\nhelp: OpenMetrics has times in seconds, the text format of Prometheus in milliseconds"
    )]
    TooNew {
        /// The sample's time.
        t: i64,
        /// The latest time that is taken now.
        latest: i64,
    },
    /// The series has another value at this very time.
    #[error("the series already has another value at {t} ms")]
    Duplicate {
        /// The time of both.
        t: i64,
    },
}
