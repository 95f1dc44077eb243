//! `/live/alerts`: what fires, what is about to, which rules there are and whether people hear of it;
//! also the alerts of one service on its page, and the mark in the top bar.
//!
//! `loggia` hands in the evidence; `evidence` says which service an alert is about.

use crate::cells::{Cell, Cells};
use crate::figures::{cell, clock, date_time, duration, number};
use crate::frame::{Frame, Place, View, service_href};
use crate::live::{frame_cells, with_shape};
use crate::overlay::encode;
use crate::problems::written;
use crate::timeline::{Timeline, timeline};
use crate::{Site, TimelineView};
use askama::Template;
use evidence::{AlertRule, AlertSeen, AlertState, Alerts, Evidence, RecordingRule};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Annotations that say in a sentence what is wrong, the best first.
const WORDS: [&str; 4] = ["summary", "description", "message", "title"];

/// The file's name of rules that come from the book's objectives.
pub const OBJECTIVES_FILE: &str = "objectives";

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsTemplate<'a> {
    frame: Frame<'a>,
    empty: bool,
    alerts: Vec<AlertRow<'a>>,
    rules: Vec<RuleRow<'a>>,
    recordings: Vec<RuleRow<'a>>,
    receivers: Vec<ReceiverRow<'a>>,
    undelivered: Vec<UndeliveredRow<'a>>,
    timeline: Timeline,
}

/// An alert that is pending, firing or was just over.
pub(crate) struct AlertRow<'a> {
    pub(crate) key: String,
    pub(crate) name: &'a str,
    pub(crate) rule: String,
    pub(crate) service: Option<(&'a str, String)>,
    pub(crate) links: Vec<(&'static str, String)>,
    pub(crate) labels: &'a BTreeMap<String, String>,
    pub(crate) annotations: Vec<Annotation<'a>>,
    pub(crate) query: &'a str,
    pub(crate) place: String,
}

pub(crate) struct Annotation<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
    pub(crate) is_link: bool,
}

struct RuleRow<'a> {
    key: String,
    anchor: String,
    name: &'a str,
    labels: Vec<(&'a str, &'a str)>,
    query: &'a str,
    answer: String,
    hold: String,
    place: String,
}

struct ReceiverRow<'a> {
    key: String,
    name: &'a str,
}

struct UndeliveredRow<'a> {
    key: String,
    receiver: &'a str,
    title: &'a str,
    since: String,
}

/// `/live/alerts`.
pub fn render_alerts(site: &Site, happened: &TimelineView, evidence: &Evidence) -> String {
    let cells = cells_for_alerts(site, evidence);
    let place = Place {
        path: "live/alerts",
        id: "live/alerts",
        title: "Alerts".to_owned(),
        view: View::Alerts,
        page: None,
        service: None,
    };
    let frame = Frame::new(site, &place, Some(evidence), &cells);
    let alerts = &evidence.alerts;
    let answer = |query: &str| format!("{}live/explore?query={}", frame.root, encode(query));
    let rules = alerts.rules.iter().enumerate().map(|(nth, rule)| RuleRow {
        key: format!("rule.{nth}"),
        anchor: anchor(alerts, rule),
        name: &rule.name,
        labels: rule.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        query: &rule.query,
        answer: answer(&rule.query),
        hold: if rule.hold_s > 0.0 { duration(rule.hold_s) } else { "at once".to_owned() },
        place: place_of(&rule.group),
    });
    let recordings = shown_recordings(alerts).map(|(nth, rule)| RuleRow {
        key: format!("record.{nth}"),
        anchor: format!("record-{nth}"),
        name: &rule.name,
        labels: Vec::new(),
        query: &rule.query,
        answer: answer(&rule.name),
        hold: String::new(),
        place: place_of(&rule.group),
    });
    let undelivered = alerts.undelivered.iter().enumerate().map(|(nth, one)| UndeliveredRow {
        key: format!("undelivered.{nth}"),
        receiver: &one.receiver,
        title: &one.title,
        since: date_time(one.since),
    });
    let receivers = alerts.receivers.iter().enumerate();
    written(&AlertsTemplate {
        empty: alerts.is_empty(),
        alerts: rows(&frame.root, alerts, |_| true),
        rules: rules.collect(),
        recordings: recordings.collect(),
        receivers: receivers
            .map(|(nth, one)| ReceiverRow { key: format!("receiver.{nth}"), name: &one.name })
            .collect(),
        undelivered: undelivered.collect(),
        timeline: timeline(&frame.root, happened, alerts, |name| {
            alerts.rules.iter().find(|rule| rule.name == name).map(|rule| anchor(alerts, rule))
        }),
        frame,
    })
}

/// The live values of `/live/alerts`; its `ID` is `live/alerts`.
pub fn cells_for_alerts(site: &Site, evidence: &Evidence) -> Cells {
    let mut cells = frame_cells(site, evidence);
    let alerts = &evidence.alerts;
    alert_cells(&mut cells, alerts, |_| true);
    cells.insert("alerts.sum".to_owned(), Cell::text(sum(alerts)));
    for (nth, rule) in alerts.rules.iter().enumerate() {
        cells.insert(format!("rule.{nth}.state"), rule_state(rule));
        cells.insert(format!("rule.{nth}.at"), evaluated(rule.at));
        cells.insert(format!("rule.{nth}.why"), Cell::text(rule.error.clone().unwrap_or_default()));
    }
    for (nth, rule) in shown_recordings(alerts) {
        let state = match (&rule.error, rule.at) {
            (Some(why), _) => cell("fails", "down", why.as_str()),
            (None, None) => cell("waits", "no-data", "not evaluated yet"),
            (None, Some(_)) => cell("ok", "healthy", ""),
        };
        cells.insert(format!("record.{nth}.state"), state);
        cells.insert(format!("record.{nth}.at"), evaluated(rule.at));
        cells.insert(
            format!("record.{nth}.why"),
            Cell::text(rule.error.clone().unwrap_or_default()),
        );
    }
    for (nth, one) in alerts.receivers.iter().enumerate() {
        let mut put = |part: &str, cell: Cell| cells.insert(format!("receiver.{nth}.{part}"), cell);
        let state = match &one.error {
            Some(why) => cell("fails", "down", why.as_str()),
            None => cell("ok", "healthy", ""),
        };
        put("state", state);
        put("why", Cell::text(one.error.clone().unwrap_or_default()));
        put("waiting", Cell::text(one.waiting.to_string()));
        put("delivered", Cell::text(one.delivered.to_string()));
        put("refused", Cell::text(one.refused.to_string()));
    }
    for (nth, one) in alerts.undelivered.iter().enumerate() {
        let next = match one.next {
            Some(at) => format!("{} attempts, next at {} UTC", one.attempts, clock(at)),
            None => "given up".to_owned(),
        };
        cells.insert(format!("undelivered.{nth}.why"), Cell::text(one.why.as_str()));
        cells.insert(format!("undelivered.{nth}.next"), Cell::text(next));
    }
    with_shape(cells)
}

/// What the top bar says beside the word: how many fire.
pub(crate) fn mark_cells(cells: &mut Cells, alerts: &Alerts) {
    let firing = alerts.firing();
    let mark = match firing {
        0 => cell("", "healthy", "no alert fires"),
        1 => cell("1", "down", "1 alert fires"),
        many => cell(many.to_string(), "down", format!("{many} alerts fire")),
    };
    cells.insert("alerts.firing".to_owned(), mark);
}

/// The alerts of one service that are pending or firing.
pub(crate) fn of_service<'a>(root: &str, alerts: &'a Alerts, service: &str) -> Vec<AlertRow<'a>> {
    rows(root, alerts, is_of(service))
}

/// Their live values.
pub(crate) fn service_alert_cells(cells: &mut Cells, alerts: &Alerts, service: &str) {
    alert_cells(cells, alerts, is_of(service));
}

fn is_of(service: &str) -> impl Fn(&AlertSeen) -> bool {
    move |alert| {
        alert.state != AlertState::Resolved
            && alert.service.as_ref().is_some_and(|id| id.0 == service)
    }
}

fn sum(alerts: &Alerts) -> String {
    let quiet = alerts
        .rules
        .iter()
        .filter(|rule| rule.alerts.iter().all(|alert| alert.state == AlertState::Resolved));
    let quiet = quiet.count();
    format!(
        "{} firing, {} pending, {quiet} rule{} quiet",
        alerts.firing(),
        alerts.count(AlertState::Pending),
        if quiet == 1 { "" } else { "s" }
    )
}

/// Rules of one name are told apart by a number.
fn anchor(alerts: &Alerts, rule: &AlertRule) -> String {
    let mut named = alerts.rules.iter().filter(|other| other.name == rule.name);
    match named.position(|other| std::ptr::eq(other, rule)).unwrap_or_default() {
        0 => format!("alert-{}", rule.name),
        before => format!("alert-{}-{}", rule.name, before + 1),
    }
}

/// Those of the author; what objectives record is shown on their pages, and here when it fails.
fn shown_recordings(alerts: &Alerts) -> impl Iterator<Item = (usize, &RecordingRule)> {
    let each = alerts.recordings.iter().enumerate();
    each.filter(|(_, rule)| rule.group.1 != OBJECTIVES_FILE || rule.error.is_some())
}

fn place_of((group, file): &(String, String)) -> String {
    format!("{group} in {file}")
}

fn evaluated(at: Option<i64>) -> Cell {
    at.map_or_else(
        || Cell::text("not yet"),
        |at| cell(format!("{} UTC", clock(at)), "", date_time(at)),
    )
}

fn rule_state(rule: &AlertRule) -> Cell {
    let count = |state| rule.alerts.iter().filter(|alert| alert.state == state).count();
    match (&rule.error, rule.at, count(AlertState::Firing), count(AlertState::Pending)) {
        (Some(why), ..) => cell("fails", "down", why.as_str()),
        (None, None, ..) => cell("waits", "no-data", "not evaluated yet"),
        (None, _, 0, 0) => cell("inactive", "healthy", "its query finds nothing"),
        (None, _, 0, pending) => cell(format!("{pending} pending"), "degraded", ""),
        (None, _, firing, _) => cell(format!("{firing} firing"), "down", ""),
    }
}

/// Names an alert in keys: its rule and its labels.
fn key(rule: &AlertRule, alert: &AlertSeen) -> String {
    let mut hasher = DefaultHasher::new();
    (&rule.name, &rule.group, &alert.labels).hash(&mut hasher);
    format!("alert.{:016x}", hasher.finish())
}

fn alert_cells(cells: &mut Cells, alerts: &Alerts, wanted: impl Fn(&AlertSeen) -> bool) {
    for (rule, alert) in alerts.all().into_iter().filter(|(_, alert)| wanted(alert)) {
        let key = key(rule, alert);
        let mut put = |part: &str, cell: Cell| cells.insert(format!("{key}.{part}"), cell);
        let (word, state) = match alert.state {
            AlertState::Firing => ("firing", "down"),
            AlertState::Pending => ("pending", "degraded"),
            AlertState::Resolved => ("over", "healthy"),
        };
        put("state", cell(word, state, ""));
        put("value", Cell::text(alert.value.map_or_else(|| "no number".to_owned(), number)));
        put("since", cell(format!("since {} UTC", clock(alert.since)), "", date_time(alert.since)));
        let words = WORDS.iter().find_map(|name| alert.annotations.get(*name));
        put("words", Cell::text(words.map_or("", String::as_str)));
    }
}

fn rows<'a>(
    root: &str,
    alerts: &'a Alerts,
    wanted: impl Fn(&AlertSeen) -> bool,
) -> Vec<AlertRow<'a>> {
    let row = |(rule, alert): (&'a AlertRule, &'a AlertSeen)| {
        let service = alert.service.as_ref().map(|id| id.0.as_str());
        let mut links = Vec::new();
        if let Some(name) = service {
            links.push(("its logs", format!("{root}live/logs?service={}", encode(name))));
            links.push(("its traces", format!("{root}live/traces?service={}", encode(name))));
        }
        if let Some(id) = alert.labels.get("objective") {
            links.push(("its objective", format!("{root}live/objectives/{}", encode(id))));
        }
        links.push((
            "the query's answer now",
            format!("{root}live/explore?query={}", encode(&rule.query)),
        ));
        AlertRow {
            key: key(rule, alert),
            name: &rule.name,
            rule: format!("{root}live/alerts#{}", encode(&anchor(alerts, rule))),
            service: service.map(|name| (name, service_href(root, name))),
            links,
            labels: &alert.labels,
            annotations: alert
                .annotations
                .iter()
                .map(|(name, text)| Annotation {
                    name,
                    text,
                    is_link: text.starts_with("https://") || text.starts_with("http://"),
                })
                .collect(),
            query: &rule.query,
            place: place_of(&rule.group),
        }
    };
    alerts.all().into_iter().filter(|(_, alert)| wanted(alert)).map(row).collect()
}
