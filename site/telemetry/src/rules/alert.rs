//! The states of the alerts of one rule: inactive, pending, firing, and inactive again.
//!
//! `group` hands in what the rule's query found at a time; out come the series `ALERTS` and
//! `ALERTS_FOR_STATE` and what notifiers have to hear. The rules are those of Prometheus 3; no clock.

use super::notice::Notice;
use series::{Labels, METRIC_NAME};
use std::collections::HashMap;

/// The series with a 1 for each alert that is pending or firing.
pub(super) const ALERTS: &str = "ALERTS";
/// The series with the second since which each alert is active: it is read back after a restart.
pub(super) const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";
/// The label with the name of the alert.
pub(super) const ALERT_NAME: &str = "alertname";
const ALERT_STATE: &str = "alertstate";
/// How long an alert that is over is still told, milliseconds.
const RESOLVED_RETENTION_MS: i64 = 15 * 60 * 1000;
/// A notification that is not repeated is over after so many times the time between two.
const VALID_TIMES: i64 = 4;

/// How an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// Its query finds nothing.
    Inactive,
    /// Its query finds something, not yet for as long as `for` says.
    Pending,
    /// It has lasted.
    Firing,
}

impl AlertState {
    /// `inactive`, `pending` or `firing`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

/// One alert: times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Its labels, `alertname` among them.
    pub labels: Labels,
    /// Its annotations, by name.
    pub annotations: Vec<(String, String)>,
    /// How it is.
    pub state: AlertState,
    /// What its query gave last.
    pub value: f64,
    /// Since when its query finds it.
    pub active_ms: i64,
    /// Since when it fires.
    pub fired_ms: Option<i64>,
    /// Since when it is over.
    pub resolved_ms: Option<i64>,
    /// Since when it fires only because of `keep_firing_for`.
    pub keep_firing_since_ms: Option<i64>,
    pub(super) last_sent_ms: Option<i64>,
}

/// What a query found: the labels and annotations made of it.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) labels: Labels,
    pub(super) annotations: Vec<(String, String)>,
    pub(super) value: f64,
}

/// What of a rule the states depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) hold_ms: i64,
    pub(super) keep_firing_ms: i64,
    pub(super) limit: usize,
}

/// The alerts of one rule by their labels.
#[derive(Debug, Default)]
pub(super) struct Active(pub(super) HashMap<Labels, Alert>);

impl Active {
    /// One step at `now_ms`.
    pub(super) fn step(
        &mut self,
        found: Vec<Found>,
        terms: Terms,
        now_ms: i64,
    ) -> Result<(), String> {
        let mut seen: HashMap<Labels, ()> = HashMap::with_capacity(found.len());
        for one in &found {
            if seen.insert(one.labels.clone(), ()).is_some() {
                return Err(
                    "vector contains metrics with the same labelset after applying alert labels"
                        .to_owned(),
                );
            }
        }
        for one in found {
            self.find(one, now_ms);
        }
        self.0.retain(|labels, alert| alert.settle(seen.contains_key(labels), terms, now_ms));
        let active = self.0.values().filter(|alert| alert.state != AlertState::Inactive).count();
        if terms.limit > 0 && active > terms.limit {
            self.0.clear();
            return Err(format!("exceeded limit of {} with {active} alerts", terms.limit));
        }
        Ok(())
    }

    fn find(&mut self, found: Found, now_ms: i64) {
        if let Some(known) = self.0.get_mut(&found.labels)
            && known.state != AlertState::Inactive
        {
            known.value = found.value;
            known.annotations = found.annotations;
            return;
        }
        let alert = Alert {
            labels: found.labels.clone(),
            annotations: found.annotations,
            state: AlertState::Pending,
            value: found.value,
            active_ms: now_ms,
            fired_ms: None,
            resolved_ms: None,
            keep_firing_since_ms: None,
            last_sent_ms: None,
        };
        self.0.insert(found.labels, alert);
    }

    /// The worst of its states.
    pub(super) fn state(&self) -> AlertState {
        self.0.values().map(|alert| alert.state).max().unwrap_or(AlertState::Inactive)
    }

    /// `ALERTS` and `ALERTS_FOR_STATE`.
    pub(super) fn series(&self) -> Vec<(Labels, f64)> {
        let active = self.0.values().filter(|alert| alert.state != AlertState::Inactive);
        active
            .flat_map(|alert| {
                let state =
                    alert.labels.with(METRIC_NAME, ALERTS).with(ALERT_STATE, alert.state.word());
                let since = alert.labels.with(METRIC_NAME, ALERTS_FOR_STATE);
                [(state, 1.0), (since, alert.active_ms.div_euclid(1000) as f64)]
            })
            .collect()
    }

    /// What notifiers have to hear at `now_ms`: whatever fires or is over, again after `resend_ms`.
    pub(super) fn notices(
        &mut self,
        rule: &str,
        generator: &str,
        now_ms: i64,
        interval_ms: i64,
        resend_ms: i64,
    ) -> Vec<Notice> {
        let valid_ms = VALID_TIMES * interval_ms.max(resend_ms);
        let mut notices = Vec::new();
        for alert in self.0.values_mut().filter(|alert| alert.needs_sending(now_ms, resend_ms)) {
            alert.last_sent_ms = Some(now_ms);
            notices.push(Notice {
                rule: rule.to_owned(),
                labels: pairs(&alert.labels),
                annotations: alert.annotations.iter().cloned().collect(),
                value: alert.value,
                starts_ms: alert.fired_ms.unwrap_or(alert.active_ms),
                ends_ms: alert.resolved_ms.unwrap_or(now_ms + valid_ms),
                generator: generator.to_owned(),
            });
        }
        notices
    }
}

pub(super) fn pairs(labels: &Labels) -> std::collections::BTreeMap<String, String> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl Alert {
    /// What becomes of it; `false` when it is to be forgotten.
    fn settle(&mut self, found: bool, terms: Terms, now_ms: i64) -> bool {
        if found {
            self.keep_firing_since_ms = None;
        } else {
            let keeps = self.state == AlertState::Firing && terms.keep_firing_ms > 0 && {
                let since = *self.keep_firing_since_ms.get_or_insert(now_ms);
                now_ms - since < terms.keep_firing_ms
            };
            let old = self.resolved_ms.is_some_and(|at| now_ms - at > RESOLVED_RETENTION_MS);
            if self.state == AlertState::Pending || old {
                return false;
            }
            if self.state != AlertState::Inactive && !keeps {
                self.state = AlertState::Inactive;
                self.resolved_ms = Some(now_ms);
            }
        }
        if self.state == AlertState::Pending && now_ms - self.active_ms >= terms.hold_ms {
            self.state = AlertState::Firing;
            self.fired_ms = Some(now_ms);
        }
        true
    }

    fn needs_sending(&self, now_ms: i64, resend_ms: i64) -> bool {
        match (self.state, self.last_sent_ms) {
            (AlertState::Pending, _) => false,
            (_, None) => true,
            (_, Some(sent_ms)) => {
                self.resolved_ms.is_some_and(|at| at > sent_ms) || sent_ms + resend_ms < now_ms
            }
        }
    }
}

/// Since when an alert counts as active that `ALERTS_FOR_STATE` had last at `down_ms` with the value
/// `active_ms`, looked at again at `now_ms`; `None` for what it says by itself. The time in which nobody
/// looked does not count as pending, and before it fires there is a time of grace.
pub(super) fn restored(
    active_ms: i64,
    down_ms: i64,
    now_ms: i64,
    hold_ms: i64,
    grace_ms: i64,
) -> Option<i64> {
    let left_ms = hold_ms - (down_ms - active_ms);
    if left_ms <= 0 {
        // It fired already: it goes on at once.
        return Some(active_ms);
    }
    if hold_ms < grace_ms {
        // It would wait longer by the grace than by `for`.
        return None;
    }
    if left_ms < grace_ms {
        return Some(now_ms + grace_ms - hold_ms);
    }
    Some(active_ms + (now_ms - down_ms))
}
