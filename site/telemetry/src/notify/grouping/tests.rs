//! Groups at given times: when something is told, and what.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::notify::Secret;
use series::Matcher;

const WAIT: i64 = 30;
const INTERVAL: i64 = 300;
const REPEAT: i64 = 1_000;

fn integration(name: &str, matchers: Vec<Matcher>, send_resolved: bool) -> Integration {
    Integration {
        name: name.to_owned(),
        kind: IntegrationKind::Webhook,
        url: Secret::Text(String::new()),
        key: None,
        headers: Vec::new(),
        ca_file: None,
        matchers,
        send_resolved,
        channel: None,
    }
}

fn settings(integrations: Vec<Integration>) -> NotifySettings {
    NotifySettings {
        group_by: vec!["job".to_owned()],
        group_wait_ms: WAIT,
        group_interval_ms: INTERVAL,
        repeat_interval_ms: REPEAT,
        integrations,
        ..NotifySettings::default()
    }
}

fn notice(job: &str, instance: &str, starts_ms: i64, ends_ms: i64) -> Notice {
    let labels = [("job", job), ("instance", instance), ("severity", "page")];
    Notice {
        rule: format!("rule of {job}"),
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        annotations: BTreeMap::new(),
        value: 1.0,
        starts_ms,
        ends_ms,
        generator: String::new(),
    }
}

const LATER: i64 = 1_000_000;

/// What is told: time, receiver, firing and resolved instances.
fn walk(
    settings: &NotifySettings,
    told: &[(i64, Notice)],
    until: i64,
) -> Vec<(i64, String, String, String)> {
    let (mut grouping, mut out) = (Grouping::default(), Vec::new());
    for now in (0..=until).step_by(10) {
        for (_, notice) in told.iter().filter(|(at, _)| *at == now) {
            grouping.hear(settings, notice, now);
        }
        for message in grouping.due(settings, now, |_| true) {
            let names = |firing: bool| -> String {
                let alerts = message.alerts.iter().filter(|told| told.firing == firing);
                alerts
                    .map(|told| told.notice.labels["instance"].as_str())
                    .collect::<Vec<_>>()
                    .join("+")
            };
            out.push((now, message.integration.clone(), names(true), names(false)));
        }
    }
    out
}

fn one(at: i64, firing: &str, resolved: &str) -> (i64, String, String, String) {
    (at, "a".to_owned(), firing.to_owned(), resolved.to_owned())
}

#[test]
fn groups_wait_then_tell_what_changed() {
    let to_all = settings(vec![integration("a", Vec::new(), true)]);
    // Two alerts within the wait are one message; one that comes later, the next.
    let told = [
        (0, notice("x", "1", 0, LATER)),
        (20, notice("x", "2", 20, LATER)),
        (50, notice("x", "3", 50, LATER)),
    ];
    assert_eq!(walk(&to_all, &told, 400), [one(30, "1+2", ""), one(330, "1+2+3", "")]);
    // Groups are told apart.
    let told = [(0, notice("x", "1", 0, LATER)), (0, notice("y", "2", 0, LATER))];
    assert_eq!(walk(&to_all, &told, 400), [one(30, "1", ""), one(30, "2", "")]);
    // Nothing new is nothing told, until the repetition.
    assert_eq!(
        walk(&to_all, &[(0, notice("x", "1", 0, LATER))], 1300),
        [one(30, "1", ""), one(1230, "1", "")]
    );
    // What began long ago does not wait.
    assert_eq!(walk(&to_all, &[(100, notice("x", "1", 0, LATER))], 200), [one(100, "1", "")]);
}

#[test]
fn the_end_is_told_once() {
    let to_all =
        settings(vec![integration("a", Vec::new(), true), integration("b", Vec::new(), false)]);
    let told = [
        (0, notice("x", "1", 0, LATER)),
        (0, notice("x", "2", 0, LATER)),
        (100, notice("x", "1", 0, 100)),
        (400, notice("x", "2", 0, 400)),
        (410, notice("x", "2", 0, 400)),
    ];
    let found = walk(&to_all, &told, 5_000);
    let of = |name: &str| found.iter().filter(|one| one.1 == name).cloned().collect::<Vec<_>>();
    assert_eq!(of("a"), [one(30, "1+2", ""), one(330, "2", "1"), one(630, "", "2")]);
    assert_eq!(of("b").len(), 1, "a receiver that does not want to hear of ends");
    // An alert that nobody renews is over at its end.
    assert_eq!(
        walk(&to_all, &[(0, notice("x", "1", 0, 240))], 400)
            .iter()
            .filter(|one| one.1 == "a")
            .count(),
        2
    );
    // One that came and went within the wait is told to nobody.
    let told = [(0, notice("x", "1", 0, LATER)), (10, notice("x", "1", 0, 10))];
    assert_eq!(walk(&to_all, &told, 2_000), []);
}

#[test]
fn receivers_choose_by_labels() {
    let pages = vec![Matcher::equal("severity", "page"), Matcher::equal("job", "x")];
    let chosen = settings(vec![integration("a", pages, true)]);
    let told = [(0, notice("x", "1", 0, LATER)), (0, notice("y", "2", 0, LATER))];
    assert_eq!(walk(&chosen, &told, 100), [one(30, "1", "")]);
    let each = NotifySettings {
        group_by: vec!["...".to_owned()],
        ..settings(vec![integration("a", Vec::new(), true)])
    };
    let told = [(0, notice("x", "1", 0, LATER)), (0, notice("x", "2", 0, LATER))];
    assert_eq!(walk(&each, &told, 100).len(), 2);
}

#[test]
fn a_full_outbox_delays_and_loses_nothing() {
    let to_all = settings(vec![integration("a", Vec::new(), true)]);
    let mut grouping = Grouping::default();
    grouping.hear(&to_all, &notice("x", "1", 0, LATER), 0);
    assert!(grouping.due(&to_all, 30, |_| false).is_empty());
    assert_eq!(grouping.due(&to_all, 330, |_| true).len(), 1);
    // Its end, too.
    grouping.hear(&to_all, &notice("x", "1", 0, 400), 400);
    assert!(grouping.due(&to_all, 630, |_| false).is_empty());
    let last = grouping.due(&to_all, 930, |_| true);
    assert!(!last[0].firing() && last[0].alerts.len() == 1);
    assert_eq!(grouping.next_ms(), None);
}

#[test]
fn a_restart_tells_nothing_twice() {
    let to_all = settings(vec![integration("a", Vec::new(), true)]);
    let mut grouping = Grouping::default();
    grouping.hear(&to_all, &notice("x", "1", 0, 240), 0);
    assert_eq!(grouping.due(&to_all, 30, |_| true).len(), 1);
    let kept: Vec<(String, Group)> = grouping
        .take_changed()
        .into_iter()
        .filter_map(|(key, group)| Some((key, group?)))
        .collect();
    let json = serde_json::to_string(&kept).unwrap();
    let kept: Vec<(String, Group)> = serde_json::from_str(&json).unwrap();
    // Away until its end was over: it still fires until its rule has had time to say so.
    let mut after = Grouping::restored(kept, 500);
    assert!(after.due(&to_all, 500, |_| true).is_empty());
    after.hear(&to_all, &notice("x", "1", 600, LATER), 600);
    assert!(after.due(&to_all, 900, |_| true).is_empty());
    let starts =
        after.groups.values().next().unwrap().alerts.values().next().unwrap().notice.starts_ms;
    assert_eq!(starts, 0, "it fires since it first did");
    // Its rule has looked and found nothing: it is over.
    after.only("rule of x", &[], 1_000);
    let last = after.due(&to_all, 1_300, |_| true);
    assert!(last.len() == 1 && !last[0].firing());
    assert_eq!(after.take_changed().last().map(|(_, group)| group.is_none()), Some(true));
}
