//! Rules and notifications of a running server: what `book.toml` and the rule files say, run by
//! `telemetry`, shown by `pages`.
//!
//! `start` and `watch` hand in the book as it was read; `tick` and the routes ask how alerts are.

use super::App;
use super::seen::Seen;
use crate::rules::beside;
use crate::source::Source;
use axum::extract::State;
use axum::response::Response;
use diagnostics::{Code, Severity};
use document::{
    AlertConfig, Book, Config, EngineAddress, ReceiverConfig, ReceiverKind, SecretPlace,
};
use evidence::{
    AlertRule, AlertSeen, Alerts, Receiver, RecordingRule, ServiceEvidence, UndeliveredNotice,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use telemetry::{
    AlertState, Backend, GroupStatus, Integration, IntegrationKind, LATENCY_BOUNDS_S, Notifier,
    NotifySettings, RuleGroup, RuleSettings, RuleStatus, Rules, Secret,
};
use tokio_util::sync::CancellationToken;

/// Where PagerDuty takes events.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// Rules and notifier of a server.
pub(super) struct Alerting {
    pub(super) rules: Arc<Rules>,
    notifier: Arc<Notifier>,
    /// Where the server listens, for links in notifications.
    address: String,
    loaded: Mutex<Loaded>,
}

/// What runs.
#[derive(Default)]
struct Loaded {
    config: Option<(AlertConfig, Option<EngineAddress>)>,
    /// The last usable groups of each file.
    groups: BTreeMap<String, Vec<RuleGroup>>,
}

impl Alerting {
    /// Nothing runs yet.
    pub(super) fn new(backend: &Arc<Backend>, address: String, token: &CancellationToken) -> Self {
        let notifier = Notifier::new(Arc::clone(backend), token.clone());
        let rules = Rules::new(Arc::clone(backend), Arc::clone(&notifier), token.clone());
        Self { rules, notifier, address, loaded: Mutex::default() }
    }

    /// The task that makes notifications.
    pub(super) fn run(&self) -> impl Future<Output = ()> + use<> {
        Arc::clone(&self.notifier).run()
    }

    /// Runs what the book says now, also the alerts of its objectives. A rule file that cannot be used leaves the rules that it had before, and
    /// so does a configuration that cannot be read. To be called within the runtime.
    pub(super) fn load(&self, read: &Source, book: &Book) {
        let broken = |found: &diagnostics::Diagnostic| {
            matches!(found.code, Code::Config | Code::Receiver) && found.severity == Severity::Error
        };
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let config = read.config();
        let wanted = (config.alerts.clone(), config.engines.alertmanager.clone());
        if loaded.config.is_some() && read.own_findings().any(broken) {
            return;
        }
        let mut groups = BTreeMap::new();
        for (file, found) in &read.rules.groups {
            let usable = found.clone().or_else(|| loaded.groups.get(file).cloned());
            groups.insert(file.clone(), usable.unwrap_or_default());
        }
        let external_url = self.external_url(read);
        if loaded.config.as_ref() != Some(&wanted) {
            self.notifier.load(notify_settings(config, &read.root, &external_url));
        }
        let objectives = objective_groups(config, book);
        self.rules.load(
            &rule_settings(&config.alerts, &external_url),
            groups.values().flatten().cloned().chain(objectives).collect(),
        );
        if config.engines.metrics.is_some() && !groups.is_empty() && loaded.config.is_none() {
            tracing::warn!(
                "rules look at the metrics that Loggia itself keeps, and `metrics` names another engine: give it the rules instead"
            );
        }
        *loaded = Loaded { config: Some(wanted), groups };
    }

    fn external_url(&self, read: &Source) -> Arc<str> {
        let config = read.config();
        let is_whole = |url: &&String| url.starts_with("http://") || url.starts_with("https://");
        let said =
            config.alerts.external_url.as_ref().or(config.base_url.as_ref()).filter(is_whole);
        said.unwrap_or(&self.address).trim_end_matches('/').into()
    }
}

/// The rules that the book's objectives make: the same as `/api/live/objectives/rules.yml` hands to another
/// Prometheus. None where another engine holds the metrics, for rules look at Loggia's own.
fn objective_groups(config: &Config, book: &Book) -> Vec<RuleGroup> {
    if config.alerts.without_objectives || config.engines.metrics.is_some() {
        return Vec::new();
    }
    let (groups, faults) =
        telemetry::parse_rules(pages::OBJECTIVES_FILE, &evidence::objective_rules(book));
    for fault in faults {
        tracing::warn!(fault = fault.message, "an objective raises no alerts");
    }
    groups
}

fn rule_settings(config: &AlertConfig, external_url: &Arc<str>) -> RuleSettings {
    let usual = RuleSettings::default();
    let labels = config.external_labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    RuleSettings {
        interval_ms: config.evaluation_interval_ms.unwrap_or(usual.interval_ms),
        query_offset_ms: config.query_offset_ms.unwrap_or(usual.query_offset_ms),
        external_labels: series::Labels::from_pairs(labels),
        external_url: Arc::clone(external_url),
        resend_ms: config.resend_delay_ms.unwrap_or(usual.resend_ms),
        outage_tolerance_ms: config.outage_tolerance_ms.unwrap_or(usual.outage_tolerance_ms),
        grace_ms: config.grace_period_ms.unwrap_or(usual.grace_ms),
    }
}

fn notify_settings(config: &Config, root: &Path, external_url: &Arc<str>) -> NotifySettings {
    let usual = NotifySettings::default();
    let handed = config.engines.alertmanager.iter().map(|engine| alertmanager(engine, root));
    let config = &config.alerts;
    let receivers = config.receivers.iter().filter_map(|receiver| integration(receiver, root));
    NotifySettings {
        group_by: config.group_by.clone().unwrap_or(usual.group_by),
        group_wait_ms: config.group_wait_ms.unwrap_or(usual.group_wait_ms),
        group_interval_ms: config.group_interval_ms.unwrap_or(usual.group_interval_ms),
        repeat_interval_ms: config.repeat_interval_ms.unwrap_or(usual.repeat_interval_ms),
        external_url: Arc::clone(external_url),
        integrations: handed.chain(receivers).collect(),
    }
}

fn alertmanager(engine: &EngineAddress, root: &Path) -> Integration {
    let from_file = || engine.bearer_file.as_ref().map(|path| Secret::File(beside(root, path)));
    Integration {
        name: "alertmanager".to_owned(),
        kind: IntegrationKind::Alertmanager,
        url: Secret::Text(engine.url.clone()),
        key: engine
            .bearer_env
            .as_ref()
            .map(|name| Secret::Text(format!("${{{name}}}")))
            .or_else(from_file),
        headers: engine.headers.clone(),
        ca_file: engine.ca_file.as_ref().map(|path| beside(root, path)),
        matchers: Vec::new(),
        send_resolved: true,
        channel: None,
    }
}

/// `None` for one whose pattern is no regular expression, which is a finding.
fn integration(receiver: &ReceiverConfig, root: &Path) -> Option<Integration> {
    let secret = |place: &SecretPlace| match place {
        SecretPlace::Text(text) => Secret::Text(text.clone()),
        SecretPlace::File(path) => Secret::File(beside(root, path)),
    };
    let kind = match receiver.kind {
        ReceiverKind::Slack => IntegrationKind::Slack,
        ReceiverKind::PagerDuty => IntegrationKind::PagerDuty,
        ReceiverKind::Webhook => IntegrationKind::Webhook,
    };
    let equal = receiver
        .matches
        .iter()
        .map(|(name, value)| series::Matcher::equal(name.as_str(), value.as_str()));
    let like = receiver
        .matches_re
        .iter()
        .map(|(name, value)| series::Matcher::regex(name.as_str(), value.as_str()));
    let mut matchers: Vec<_> = equal.collect();
    matchers.extend(like.collect::<Result<Vec<_>, _>>().ok()?);
    Some(Integration {
        name: format!("{}/{}", receiver.kind.word(), receiver.name),
        kind,
        url: receiver.url.as_ref().map_or_else(|| Secret::Text(PAGERDUTY.to_owned()), secret),
        key: receiver.key.as_ref().map(secret),
        headers: Vec::new(),
        ca_file: None,
        matchers,
        send_resolved: receiver.send_resolved,
        channel: receiver.channel.clone(),
    })
}

/// How rules, alerts and notifications are, for the pages.
pub(super) fn seen(app: &App, book: &Book, services: &[ServiceEvidence]) -> Alerts {
    let mut alerts = Alerts::default();
    for group in app.alerting.rules.status() {
        for rule in &group.rules {
            match &rule.alerting {
                Some(_) => alerts.rules.push(alert_rule(&group, rule, book, services)),
                None => alerts.recordings.push(RecordingRule {
                    name: rule.name.clone(),
                    group: (group.name.clone(), group.file.clone()),
                    query: rule.query.clone(),
                    at: rule.at_ms,
                    error: rule.error.clone(),
                }),
            }
        }
    }
    let status = app.alerting.notifier.status();
    alerts.receivers = status
        .integrations
        .into_iter()
        .map(|one| Receiver {
            name: one.name,
            waiting: one.waiting,
            delivered: one.outcomes[0],
            refused: one.outcomes[2],
            error: one.last_error,
        })
        .collect();
    alerts.undelivered = status
        .undelivered
        .into_iter()
        .map(|one| UndeliveredNotice {
            receiver: one.integration,
            title: one.title,
            since: one.since_ms,
            why: one.why,
            attempts: one.attempts,
            next: one.next_ms,
        })
        .collect();
    alerts
}

fn alert_rule(
    group: &GroupStatus,
    rule: &RuleStatus,
    book: &Book,
    services: &[ServiceEvidence],
) -> AlertRule {
    let alerting = rule.alerting.as_ref();
    let one = |alert: &telemetry::Alert| {
        let (state, since) = match alert.state {
            AlertState::Firing => {
                (evidence::AlertState::Firing, alert.fired_ms.unwrap_or(alert.active_ms))
            }
            AlertState::Pending => (evidence::AlertState::Pending, alert.active_ms),
            AlertState::Inactive => {
                (evidence::AlertState::Resolved, alert.resolved_ms.unwrap_or(alert.active_ms))
            }
        };
        let labels = alert.labels.iter().filter(|(name, _)| *name != "alertname");
        AlertSeen {
            state,
            since,
            value: Some(alert.value).filter(|value| value.is_finite()),
            labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            annotations: alert.annotations.iter().cloned().collect(),
            service: evidence::service_of(|name| alert.labels.get(name), &book.config, services),
        }
    };
    AlertRule {
        name: rule.name.clone(),
        group: (group.name.clone(), group.file.clone()),
        query: rule.query.clone(),
        hold_s: alerting.map_or(0.0, |alerting| alerting.hold_ms as f64 / 1000.0),
        labels: rule.labels.clone(),
        at: rule.at_ms,
        error: rule.error.clone(),
        alerts: alerting
            .map(|alerting| alerting.alerts.iter().map(one).collect())
            .unwrap_or_default(),
    }
}

/// `GET /live/alerts`.
pub(super) async fn page(State(app): State<Arc<App>>, seen: Seen) -> Response {
    let found = super::timeline::gather(&app, &seen).await;
    let timeline = pages::TimelineView {
        happenings: found.happenings,
        from: found.from,
        to: found.to,
        left_out: found.left_out,
        problem: found.problem,
        chosen: seen.moment.to.or(seen.at()).is_some(),
    };
    let shown = app.shown();
    seen.html(pages::render_alerts(&seen.site(&app, &shown), &timeline, &seen.evidence))
}

/// What `/metrics` says about rules and notifications.
pub(super) fn write_metrics(app: &App, text: &mut String) {
    let counters = &app.alerting.rules.counters;
    for (name, help, count) in [
        ("loggia_rule_evaluations_total", "Rules evaluated.", counters.evaluations.get()),
        (
            "loggia_rule_evaluation_failures_total",
            "Rules whose evaluation failed.",
            counters.failures.get(),
        ),
        (
            "loggia_rule_group_iterations_missed_total",
            "Evaluations of groups left out for want of time.",
            counters.missed.get(),
        ),
    ] {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {count}");
    }
    let status = app.alerting.notifier.status();
    let name = "loggia_notifications_total";
    let _ = writeln!(
        text,
        "# HELP {name} Attempts to notify, by what became of them.\n# TYPE {name} counter"
    );
    for one in &status.integrations {
        for (outcome, count) in ["delivered", "retried", "refused"].into_iter().zip(one.outcomes) {
            let _ = writeln!(
                text,
                "{name}{{integration=\"{}\",outcome=\"{outcome}\"}} {count}",
                one.name
            );
        }
    }
    let name = "loggia_notifications_queue_length";
    let _ = writeln!(text, "# HELP {name} Messages that wait.\n# TYPE {name} gauge");
    for one in &status.integrations {
        let _ = writeln!(text, "{name}{{integration=\"{}\"}} {}", one.name, one.waiting);
    }
    let name = "loggia_notification_latency_seconds";
    let _ = writeln!(
        text,
        "# HELP {name} From the making of a message to its arrival.\n# TYPE {name} histogram"
    );
    for one in &status.integrations {
        for (bound, count) in LATENCY_BOUNDS_S.iter().zip(one.latency_buckets) {
            let _ = writeln!(
                text,
                "{name}_bucket{{integration=\"{}\",le=\"{bound}\"}} {count}",
                one.name
            );
        }
        let (sum, count) = one.latency;
        let _ = writeln!(
            text,
            "{name}_bucket{{integration=\"{0}\",le=\"+Inf\"}} {count}\n{name}_sum{{integration=\"{0}\"}} {sum}\n{name}_count{{integration=\"{0}\"}} {count}",
            one.name
        );
    }
    let name = "loggia_alerts_left_out_total";
    let _ = writeln!(
        text,
        "# HELP {name} Alerts that found no room among the groups.\n# TYPE {name} counter\n{name} {}",
        status.left_out
    );
}
