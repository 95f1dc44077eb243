//! Rules: recording rules and alerts, evaluated as Prometheus evaluates them.
//!
//! `loggia` hands in rule files and starts [`Rules`], which looks at the backend's metrics, stores
//! results there and tells the notifier of alerts. The order of a walk:
//!
//! 1. `file`: YAML -> groups of rules, with the place of every mistake
//! 2. `runner`: at aligned times, for each group on its own
//! 3. `group`: rule after rule: query -> series, or query -> `template` -> `alert`
//! 4. `notice`: what notifiers hear
//! 5. `status`, `api`: how it all is, as values and as Prometheus's JSON

mod alert;
mod api;
pub(crate) mod durations;
mod file;
mod group;
pub(crate) mod notice;
mod runner;
mod status;
mod template;

#[cfg(test)]
mod tests;

pub use alert::{Alert, AlertState};
pub use api::rules_router;
pub use file::{RuleFault, RuleFaultKind, RuleGroup, parse_rules};
pub use runner::Rules;
pub use status::{AlertingStatus, GroupStatus, RuleStatus};
pub use template::TemplateError;

use crate::Counter;
use series::Labels;
use std::sync::Arc;

/// What all groups share; durations are milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSettings {
    /// Time between evaluations of a group that says none.
    pub interval_ms: i64,
    /// Time before its own at which a group looks that says none.
    pub query_offset_ms: i64,
    /// Labels that every alert gets when it is told.
    pub external_labels: Labels,
    /// Where this server can be reached from outside.
    pub external_url: Arc<str>,
    /// Time after which a firing alert is told again.
    pub resend_ms: i64,
    /// Longest time without the server after which an alert goes on as it was.
    pub outage_tolerance_ms: i64,
    /// Least time between a restart and the moment in which an alert that was pending fires.
    pub grace_ms: i64,
}

impl Default for RuleSettings {
    fn default() -> Self {
        Self {
            interval_ms: 60_000,
            query_offset_ms: 0,
            external_labels: Labels::empty(),
            external_url: Arc::from("http://localhost:3000"),
            resend_ms: 60_000,
            outage_tolerance_ms: 60 * 60_000,
            grace_ms: 10 * 60_000,
        }
    }
}

/// What was done since the start.
#[derive(Debug, Default)]
pub struct RuleCounters {
    /// Rules evaluated.
    pub evaluations: Counter,
    /// Of them, those that failed.
    pub failures: Counter,
    /// Evaluations of groups that were left out because the one before took too long.
    pub missed: Counter,
}
