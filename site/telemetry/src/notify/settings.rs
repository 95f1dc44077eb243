//! Who is to be told of which alerts, and when.
//!
//! `loggia` makes it from `book.toml`.

use super::Secret;
use series::Matcher;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Grouping and receivers; durations are milliseconds.
#[derive(Debug, Clone)]
pub struct NotifySettings {
    /// Labels by which alerts are told together; `...` alone stands for all, which is each on its own.
    pub group_by: Vec<String>,
    /// Time for which a new group waits for more alerts.
    pub group_wait_ms: i64,
    /// Time between two messages of a group that changed.
    pub group_interval_ms: i64,
    /// Time after which a group that did not change is told again.
    pub repeat_interval_ms: i64,
    /// Where this server can be reached from outside.
    pub external_url: Arc<str>,
    /// Who is told.
    pub integrations: Vec<Integration>,
}

impl Default for NotifySettings {
    fn default() -> Self {
        Self {
            group_by: vec!["alertname".to_owned()],
            group_wait_ms: 30_000,
            group_interval_ms: 5 * 60_000,
            repeat_interval_ms: 4 * 3_600_000,
            external_url: Arc::from("http://localhost:3000"),
            integrations: Vec::new(),
        }
    }
}

/// Somebody who is told.
#[derive(Debug, Clone)]
pub struct Integration {
    /// Kind and name, for instance `slack/oncall`.
    pub name: String,
    /// How.
    pub kind: IntegrationKind,
    /// Where to: for PagerDuty its events API.
    pub url: Secret,
    /// PagerDuty's routing key, or the token that a webhook wants as `Authorization: Bearer`.
    pub key: Option<Secret>,
    /// More headers of each request.
    pub headers: Vec<(String, String)>,
    /// Certificates of authorities to trust, as PEM; `None` for the system's.
    pub ca_file: Option<std::path::PathBuf>,
    /// All of these must hold for an alert's labels.
    pub matchers: Vec<Matcher>,
    /// Whether it is told of alerts that are over.
    pub send_resolved: bool,
    /// Slack's channel, where it is not the webhook's own.
    pub channel: Option<String>,
}

/// Kinds of receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntegrationKind {
    /// An incoming webhook of Slack.
    Slack,
    /// PagerDuty's Events API v2.
    PagerDuty,
    /// The JSON that Alertmanager's webhook sends, version 4.
    Webhook,
    /// Alertmanager itself, which then groups and tells.
    Alertmanager,
}

impl Integration {
    pub(super) fn wants(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = |name: &str| labels.get(name).map_or("", String::as_str);
        self.matchers.iter().all(|matcher| matcher.matches(value(matcher.name())))
    }
}
