//! How alerts were at a moment of the past, by the series that rules leave behind: `ALERTS` and `ALERTS_FOR_STATE`.
//!
//! `past` asks; the rules are those of now.

use super::{App, alerts};
use document::Book;
use evidence::{AlertSeen, AlertState, Alerts, ServiceEvidence};
use promql::Value;
use series::{Labels, METRIC_NAME};
use std::collections::{BTreeMap, BTreeSet};
use telemetry::{MetricsEngine as _, StepRange};

/// For so long an alert that is over is still shown, milliseconds.
const RESOLVED_MS: i64 = 15 * 60 * 1000;
/// Between two looks at that time, milliseconds.
const STEP_MS: i64 = 15_000;
/// Labels that the series have and the alert has not.
const ADDED: [&str; 3] = [METRIC_NAME, "alertname", "alertstate"];
/// Spans of firing that are told, the newest.
const FIRED_MAX: usize = 200;
/// Parts that the time is divided into to find them.
const FIRED_STEPS: i64 = 600;

/// An alert's labels without what the series add.
type Key = (String, BTreeMap<String, String>);

/// The rules with their alerts as they were at `at`, milliseconds since 1970. Who was told what is not kept.
pub(super) fn seen(app: &App, book: &Book, services: &[ServiceEvidence], at: i64) -> Alerts {
    let mut alerts = alerts::seen(app, book, services);
    alerts.receivers.clear();
    alerts.undelivered.clear();
    let began = instant(app, "ALERTS_FOR_STATE", at);
    let firing = instant(app, "ALERTS{alertstate=\"firing\"}", at);
    let pending = instant(app, "ALERTS{alertstate=\"pending\"}", at);
    let over = ended(app, &firing, at);
    // Several rules may have one name; what their labels do not tell apart is told once.
    let mut told = BTreeSet::new();
    for rule in &mut alerts.rules {
        let now = std::mem::take(&mut rule.alerts);
        rule.at = None;
        rule.error = None;
        let mut add = |key: &Key, state: AlertState, since: i64| {
            if key.0 != rule.name
                || !fits(&rule.labels, &key.1)
                || !told.insert((key.clone(), state))
            {
                return;
            }
            let known = now.iter().find(|alert| alert.labels == key.1);
            let label = |name: &str| key.1.get(name).map(String::as_str);
            rule.alerts.push(AlertSeen {
                state,
                since,
                value: None,
                annotations: known.map(|alert| alert.annotations.clone()).unwrap_or_default(),
                service: evidence::service_of(label, &book.config, services),
                labels: key.1.clone(),
            });
        };
        let hold_ms = (rule.hold_s * 1000.0) as i64;
        let since = |key: &Key| began.get(key).map_or(at, |seconds| (*seconds * 1000.0) as i64);
        firing.keys().for_each(|key| add(key, AlertState::Firing, (since(key) + hold_ms).min(at)));
        pending.keys().for_each(|key| add(key, AlertState::Pending, since(key)));
        over.iter().for_each(|(key, ended)| add(key, AlertState::Resolved, *ended));
    }
    alerts
}

/// Whether an alert has the labels that its rule gives, as far as these are no templates.
fn fits(rule: &BTreeMap<String, String>, alert: &BTreeMap<String, String>) -> bool {
    let has = |(name, value): (&String, &String)| {
        value.contains("{{") || alert.get(name).is_some_and(|said| said == value)
    };
    rule.iter().all(has)
}

/// When alerts fired between two times: name, beginning and end, milliseconds since 1970, the oldest first.
pub(super) fn fired(app: &App, from: i64, to: i64) -> Vec<(String, i64, i64)> {
    let step_ms = ((to - from) / FIRED_STEPS).max(STEP_MS);
    let steps = StepRange { start_ms: from, end_ms: to, step_ms };
    let query = "max by (alertname) (ALERTS{alertstate=\"firing\"})";
    let Ok(Value::Matrix(lines)) = app.backend.range(query, steps).map(|answer| answer.value)
    else {
        return Vec::new();
    };
    let mut spans: Vec<(String, i64, i64)> = Vec::new();
    for line in lines {
        let name = line.labels.value("alertname").to_owned();
        for sample in &line.samples {
            match spans.last_mut() {
                Some((last, _, end)) if *last == name && sample.t - *end <= step_ms => {
                    *end = sample.t;
                }
                _ => spans.push((name.clone(), sample.t, sample.t)),
            }
        }
    }
    spans.sort_by_key(|(_, begin, _)| *begin);
    spans.split_off(spans.len().saturating_sub(FIRED_MAX))
}

fn instant(app: &App, query: &str, at: i64) -> BTreeMap<Key, f64> {
    match app.backend.instant(query, at).map(|answer| answer.value) {
        Ok(Value::Vector(vector)) => {
            vector.iter().map(|sample| (key(&sample.labels), sample.v)).collect()
        }
        _ => BTreeMap::new(),
    }
}

/// What fired shortly before and does no more, with when it was last seen to.
fn ended(app: &App, firing: &BTreeMap<Key, f64>, at: i64) -> BTreeMap<Key, i64> {
    let steps = StepRange { start_ms: at - RESOLVED_MS, end_ms: at, step_ms: STEP_MS };
    let query = "ALERTS{alertstate=\"firing\"}";
    let Ok(Value::Matrix(lines)) = app.backend.range(query, steps).map(|answer| answer.value)
    else {
        return BTreeMap::new();
    };
    let last = lines.iter().filter_map(|line| Some((key(&line.labels), line.samples.last()?.t)));
    last.filter(|(key, _)| !firing.contains_key(key)).collect()
}

fn key(labels: &Labels) -> Key {
    let own = labels.iter().filter(|(name, _)| !ADDED.contains(name));
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    (labels.value("alertname").to_owned(), own)
}
