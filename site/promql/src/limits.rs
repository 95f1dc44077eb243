//! What one query may cost, and the words in which it is refused.
//!
//! The HTTP API maps [`EvalError`] to a status; the configuration sets [`Limits`].

use std::time::Instant;

/// Samples that one query reads or holds at most, unless configured otherwise.
pub const DEFAULT_SAMPLES: usize = 20_000_000;
/// Time points that one range query answers at most, as in Prometheus.
pub const DEFAULT_POINTS: usize = 11_000;
/// How far a selector looks back for a sample: five minutes, in milliseconds.
pub const DEFAULT_LOOKBACK_MS: i64 = 5 * 60 * 1000;
/// The step of a subquery that names none: one minute, in milliseconds.
pub const DEFAULT_SUBQUERY_STEP_MS: i64 = 60 * 1000;

/// The limits and defaults of one evaluation.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Samples read or held at most.
    pub samples: usize,
    /// Time points of a range query at most.
    pub points: usize,
    /// How far back a selector looks, milliseconds; a sample exactly this old is too old.
    pub lookback_ms: i64,
    /// Step of a subquery without one, milliseconds.
    pub subquery_step_ms: i64,
    /// When to give up; looked at between series.
    pub deadline: Option<Instant>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            samples: DEFAULT_SAMPLES,
            points: DEFAULT_POINTS,
            lookback_ms: DEFAULT_LOOKBACK_MS,
            subquery_step_ms: DEFAULT_SUBQUERY_STEP_MS,
            deadline: None,
        }
    }
}

impl Limits {
    pub(crate) fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// These limits with a moment at which to give up.
    pub fn until(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EvalError {
    /// The query's data forbid an answer, such as many-to-many matching: a mistake of its author.
    #[error("{0}")]
    Invalid(String),
    /// The query reads or holds too many samples.
    #[error(
        "the query needs more than {limit} samples\nhelp: select fewer series, a shorter range or a longer step"
    )]
    TooManySamples {
        /// Samples at most.
        limit: usize,
    },
    /// The range has too many steps.
    #[error(
        "the query asks for {points} points per series, more than {limit}\nhelp: use a longer step"
    )]
    TooManyPoints {
        /// Steps asked for.
        points: usize,
        /// Steps at most.
        limit: usize,
    },
    /// The deadline passed.
    #[error("the query took too long\nhelp: select fewer series or a shorter range")]
    Timeout,
    /// The query is right, but this engine cannot answer it.
    #[error("{0} is not supported")]
    Unsupported(String),
}
