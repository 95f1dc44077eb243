//! Faults that a service is told to have, for a while: `PUT /internal/faults`,
//! with the fleet's token. They are for tests and for people who want to see
//! what happens then.

use serde::{Deserialize, Serialize};

/// Where a service is told of its faults.
pub const PATH: &str = "/internal/faults";

/// Longest time that a fault lasts, in milliseconds.
pub const LONGEST_MS: u64 = 600_000;

/// Most that a fault delays an answer, in milliseconds: less than a service takes
/// for a request at most, so that a late answer is late and not refused.
pub const MOST_LATE_MS: u64 = 10_000;

/// What goes wrong with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// They are answered late.
    Latency,
    /// They are answered with 500, and have no effect.
    Error,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Latency, Self::Error];

    /// Its name, also a label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Error => "error",
        }
    }
}

/// A fault. It takes the place of one of the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// With so many of a hundred requests, chosen by chance.
    pub percent: u8,
    /// How much later an answer comes, in milliseconds; 0 for errors.
    #[serde(default)]
    pub ms: u64,
    /// How long the fault lasts, in milliseconds; 0 ends it.
    pub for_ms: u64,
}
