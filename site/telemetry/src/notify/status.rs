//! What of notifying is shown: on the page of alerts and in `/metrics`.

use super::settings::IntegrationKind;

/// How notifying does.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NotifierStatus {
    /// Each receiver.
    pub integrations: Vec<IntegrationStatus>,
    /// Messages that have not arrived: those that wait, and the last ones that were refused for good.
    pub undelivered: Vec<Undelivered>,
    /// Alerts that found no room in the groups.
    pub left_out: u64,
}

/// One receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct IntegrationStatus {
    /// Kind and name.
    pub name: String,
    /// Its kind.
    pub kind: IntegrationKind,
    /// Messages, for Alertmanager alerts, that wait.
    pub waiting: usize,
    /// Attempts that were taken, that are to be made again, and that were refused for good.
    pub outcomes: [u64; 3],
    /// Seconds from the making of a message to its arrival, in all, and how many arrived.
    pub latency: (f64, u64),
    /// For each of [`LATENCY_BOUNDS_S`] how many arrived within.
    pub latency_buckets: [u64; LATENCY_BOUNDS_S.len()],
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// Bounds of the buckets of latency, seconds.
pub const LATENCY_BOUNDS_S: [f64; 8] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 3600.0];

/// A message that has not arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Undelivered {
    /// The receiver.
    pub integration: String,
    /// What it is about.
    pub title: String,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Why.
    pub why: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried again; `None` for one that was given up.
    pub next_ms: Option<i64>,
}
