//! How groups and rules are, for the API and the pages: made after each evaluation, so that nobody
//! waits for one.

use super::alert::{Alert, AlertState};
use super::file::Rule;
use super::group::GroupState;
use super::{RuleSettings, template::Template};
use std::collections::BTreeMap;

/// A group as it was after its last evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupStatus {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Milliseconds between evaluations.
    pub interval_ms: i64,
    /// Series or alerts that a rule may give; 0 for any number.
    pub limit: usize,
    /// When it was evaluated, milliseconds since 1970.
    pub at_ms: Option<i64>,
    /// Seconds that took.
    pub took_s: f64,
    /// Its rules in their order.
    pub rules: Vec<RuleStatus>,
}

/// A rule as it was after its last evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleStatus {
    /// Its name.
    pub name: String,
    /// Its query.
    pub query: String,
    /// Its labels, as written.
    pub labels: BTreeMap<String, String>,
    /// What only alerts have.
    pub alerting: Option<AlertingStatus>,
    /// What went wrong last.
    pub error: Option<String>,
    /// When it was evaluated, milliseconds since 1970.
    pub at_ms: Option<i64>,
    /// Seconds that took.
    pub took_s: f64,
}

/// What only alerts have.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertingStatus {
    /// Milliseconds that it is pending.
    pub hold_ms: i64,
    /// Milliseconds that it stays firing without a cause.
    pub keep_firing_ms: i64,
    /// Its annotations, as written.
    pub annotations: BTreeMap<String, String>,
    /// The worst state of its alerts.
    pub state: AlertState,
    /// Its alerts, by labels; those that are over for fifteen minutes more.
    pub alerts: Vec<Alert>,
}

impl RuleStatus {
    /// `ok`, `err` or `unknown`.
    pub fn health(&self) -> &'static str {
        match (&self.error, self.at_ms) {
            (Some(_), _) => "err",
            (None, Some(_)) => "ok",
            (None, None) => "unknown",
        }
    }
}

pub(super) fn status(state: &GroupState, settings: &RuleSettings) -> GroupStatus {
    let rules = state.rules.iter().map(|rule| RuleStatus {
        name: rule.rule.name.clone(),
        query: rule.rule.query.text().to_owned(),
        labels: texts(&rule.rule.labels),
        alerting: alerting(&rule.rule, &rule.active.0, rule.active.state()),
        error: rule.last.as_ref().and_then(|last| last.error.clone()),
        at_ms: rule.last.as_ref().map(|last| last.at_ms),
        took_s: rule.last.as_ref().map_or(0.0, |last| last.took_s),
    });
    GroupStatus {
        name: state.group.name.clone(),
        file: state.group.file.clone(),
        interval_ms: state.interval_ms(settings),
        limit: state.group.limit,
        at_ms: state.last.as_ref().map(|last| last.at_ms),
        took_s: state.last.as_ref().map_or(0.0, |last| last.took_s),
        rules: rules.collect(),
    }
}

fn alerting(
    rule: &Rule,
    active: &std::collections::HashMap<series::Labels, Alert>,
    state: AlertState,
) -> Option<AlertingStatus> {
    let part = rule.alert.as_ref()?;
    let mut alerts: Vec<Alert> = active.values().cloned().collect();
    alerts.sort_by(|a, b| a.labels.cmp(&b.labels));
    Some(AlertingStatus {
        hold_ms: part.hold_ms,
        keep_firing_ms: part.keep_firing_ms,
        annotations: texts(&part.annotations),
        state,
        alerts,
    })
}

fn texts(templates: &BTreeMap<String, Template>) -> BTreeMap<String, String> {
    templates.iter().map(|(name, value)| (name.clone(), value.text().to_owned())).collect()
}
