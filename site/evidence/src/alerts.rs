//! Alerts as pages show them: which rule, how it is, and which service it is about.
//!
//! `loggia` fills it from the rules that run and binds labels to services here; `pages` renders it.

use crate::ServiceEvidence;
use document::{Config, ServiceId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Labels that may name a service, the most telling first.
const SERVICE_LABELS: [&str; 4] = ["service", "service_name", "job", "app"];

/// Rules, their alerts, and how those are told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    /// Rules that make alerts, in the order of the files.
    pub rules: Vec<AlertRule>,
    /// Rules that make series.
    pub recordings: Vec<RecordingRule>,
    /// Who is told.
    pub receivers: Vec<Receiver>,
    /// What has not arrived.
    pub undelivered: Vec<UndeliveredNotice>,
}

/// How an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertState {
    /// It was firing and is over.
    Resolved,
    /// Its query finds something, not yet for long enough.
    Pending,
    /// It fires.
    Firing,
}

/// One rule that makes alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertRule {
    /// Its name.
    pub name: String,
    /// Its group and the file that holds it.
    pub group: (String, String),
    /// Its query.
    pub query: String,
    /// Seconds for which it is pending.
    pub hold_s: f64,
    /// Its labels, as written.
    pub labels: BTreeMap<String, String>,
    /// When it was evaluated, milliseconds since 1970.
    pub at: Option<i64>,
    /// Why its last evaluation failed.
    pub error: Option<String>,
    /// Its alerts.
    pub alerts: Vec<AlertSeen>,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertSeen {
    /// How it is.
    pub state: AlertState,
    /// Since when it is so, milliseconds since 1970.
    pub since: i64,
    /// What its query gave last, where that is a number.
    pub value: Option<f64>,
    /// Its labels but its name.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The service that its labels name.
    pub service: Option<ServiceId>,
}

/// One rule that makes series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordingRule {
    /// The name of the series.
    pub name: String,
    /// Its group and the file that holds it.
    pub group: (String, String),
    /// Its query.
    pub query: String,
    /// When it was evaluated, milliseconds since 1970.
    pub at: Option<i64>,
    /// Why its last evaluation failed.
    pub error: Option<String>,
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receiver {
    /// Kind and name.
    pub name: String,
    /// Messages that wait.
    pub waiting: usize,
    /// Messages that arrived since the start.
    pub delivered: u64,
    /// Messages that were refused for good since the start.
    pub refused: u64,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// A message that has not arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UndeliveredNotice {
    /// To whom.
    pub receiver: String,
    /// What about.
    pub title: String,
    /// Since when, milliseconds since 1970.
    pub since: i64,
    /// Why.
    pub why: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried again, milliseconds since 1970; `None` when it was given up.
    pub next: Option<i64>,
}

impl Alerts {
    /// Every alert with its rule, what fires first, the longest first.
    pub fn all(&self) -> Vec<(&AlertRule, &AlertSeen)> {
        let alerts =
            self.rules.iter().flat_map(|rule| rule.alerts.iter().map(move |alert| (rule, alert)));
        let mut all: Vec<_> = alerts.collect();
        all.sort_by_key(|(_, alert)| (std::cmp::Reverse(alert.state), alert.since));
        all
    }

    /// How many fire.
    pub fn firing(&self) -> usize {
        self.count(AlertState::Firing)
    }

    /// How many are in a state.
    pub fn count(&self, state: AlertState) -> usize {
        self.rules.iter().flat_map(|rule| &rule.alerts).filter(|alert| alert.state == state).count()
    }

    /// Whether there is anything to show.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.recordings.is_empty() && self.receivers.is_empty()
    }
}

/// The service that labels name: by its id, its name in telemetry, its title or an alias.
pub fn service_of<'a>(
    label: impl Fn(&str) -> Option<&'a str>,
    config: &Config,
    services: &[ServiceEvidence],
) -> Option<ServiceId> {
    SERVICE_LABELS.iter().filter_map(|name| label(name)).find_map(|value| {
        let known =
            services.iter().find(|service| service.id.0 == value).map(|service| service.id.clone());
        let named = || {
            let with_name = |entry: &(&ServiceId, &document::ServiceConfig)| {
                entry.1.service_name.as_deref() == Some(value)
            };
            config.services.iter().find(with_name).map(|(id, _)| id.clone())
        };
        let meant = || config.service(value).filter(|id| config.services.contains_key(id));
        known.or_else(named).or_else(meant)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_name_a_service() {
        let book = "[output.loggia.services.orders]\ntitle = \"Order Service\"\nservice-name = \"orders-svc\"\n";
        let (config, _) = Config::parse(&diagnostics::SourceFile::new("book.toml", book));
        for (labels, expected) in [
            (&[("service", "orders")][..], Some("orders")),
            (&[("job", "orders-svc")], Some("orders")),
            (&[("app", "order service")], Some("orders")),
            (&[("service", "nobody"), ("job", "orders")], Some("orders")),
            (&[("instance", "orders")], None),
            (&[("service", "mail")], None),
        ] {
            let label = |name: &str| {
                labels.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
            };
            let found = service_of(label, &config, &[]);
            assert_eq!(found.map(|id| id.0), expected.map(str::to_owned), "{labels:?}");
        }
    }
}
