//! The business in figures: `api` counts as it answers, `lib` now and then what there is.

use chassis::Metrics;
use prometheus::{IntCounter, IntCounterVec, IntGauge};

/// What happened since the start.
#[derive(Debug, Clone)]
pub(crate) struct Counters {
    pub(crate) registrations: IntCounter,
    pub(crate) logins: IntCounterVec,
    pub(crate) refreshes: IntCounterVec,
    pub(crate) ended: IntCounter,
    pub(crate) locks: IntCounterVec,
    pub(crate) rotations: IntCounterVec,
}

impl Counters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let alone = |name, help| metrics.counter(name, help, &[]).with_label_values::<&str>(&[]);
        Self {
            registrations: alone("auth_registrations_total", "Accounts that were made."),
            logins: metrics.counter(
                "auth_logins_total",
                "Attempts to log in: ok, challenged (a code is asked for), refused, locked.",
                &["outcome"],
            ),
            refreshes: metrics.counter(
                "auth_refreshes_total",
                "Refresh tokens that came: ok, refused, or reused (a spent one, which ends its \
                 session).",
                &["outcome"],
            ),
            ended: alone("auth_sessions_ended_total", "Sessions that were ended by their owners."),
            locks: metrics.counter(
                "auth_lockouts_total",
                "Attempts that came too early after wrong ones, by what they were counted for.",
                &["by"],
            ),
            rotations: metrics.counter(
                "auth_key_rotations_total",
                "Times that another key began to sign, by why.",
                &["cause"],
            ),
        }
    }
}

/// What there is.
#[derive(Debug, Clone)]
pub(crate) struct Gauges {
    pub(crate) sessions: IntGauge,
    pub(crate) audit: IntGauge,
}

impl Gauges {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            sessions: metrics.gauge("auth_sessions_active", "Sessions that can be used."),
            audit: metrics.gauge("auth_audit_entries", "Rows of the audit log."),
        }
    }
}
