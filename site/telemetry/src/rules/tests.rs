//! Groups evaluated at given times on a backend in memory: what is stored, told and remembered.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::alert::{AlertState, restored};
use super::file::parse_rules;
use super::group::{GroupState, World};
use super::notice::{Hears, Notice};
use super::{RuleCounters, RuleSettings};
use crate::{Backend, Clock, Limits};
use promql::{Query, Value};
use series::{Labels, Sample, stale_marker};
use std::collections::BTreeMap;
use std::sync::Mutex;

const MINUTE: i64 = 60_000;
/// Where all begins: far from 1970, on a whole minute.
const START: i64 = 1_700_000_040_000;

#[derive(Default)]
struct Ears(Mutex<Vec<(i64, Notice)>>);

impl Hears for Ears {
    fn hear(&self, now_ms: i64, notices: Vec<Notice>) {
        self.0.lock().unwrap().extend(notices.into_iter().map(|notice| (now_ms, notice)));
    }

    fn only(&self, _: i64, _: &str, _: &[BTreeMap<String, String>]) {}
}

impl Ears {
    /// Minutes at which something was told, and whether it was over.
    fn told(&self) -> Vec<(i64, bool)> {
        let heard = self.0.lock().unwrap();
        heard.iter().map(|(at, notice)| ((at - START) / MINUTE, notice.ends_ms <= *at)).collect()
    }
}

struct Place {
    backend: Backend,
    settings: RuleSettings,
    counters: RuleCounters,
    ears: Ears,
    group: GroupState,
}

impl Place {
    fn new(rules: &str) -> Self {
        Self {
            backend: Backend::with_clock(Limits::default(), Clock::fixed(START)),
            settings: RuleSettings {
                external_labels: Labels::from_pairs([("cluster", "eu")]),
                ..RuleSettings::default()
            },
            counters: RuleCounters::default(),
            ears: Ears::default(),
            group: group(rules),
        }
    }

    fn world(&self) -> World<'_> {
        World {
            backend: &self.backend,
            settings: &self.settings,
            counters: &self.counters,
            hears: &self.ears,
        }
    }

    /// A sample of `up` at a minute; `None` ends the series.
    fn up(&self, instance: &str, minute: i64, v: Option<f64>) {
        let labels = Labels::from_pairs([("__name__", "up"), ("instance", instance)]);
        let at = START + minute * MINUTE;
        let sample = Sample::new(at, v.unwrap_or_else(stale_marker));
        self.backend.append_samples(at, [(&labels, sample)]);
    }

    fn evaluate(&mut self, minute: i64) {
        let world = World {
            backend: &self.backend,
            settings: &self.settings,
            counters: &self.counters,
            hears: &self.ears,
        };
        self.group.evaluate(&world, START + minute * MINUTE);
    }

    /// Evaluated often enough that alerts have read back their state.
    fn settled(rules: &str) -> Self {
        let mut place = Self::new(rules);
        place.evaluate(-2);
        place.evaluate(-1);
        place
    }

    fn ask(&self, query: &str, minute: i64) -> Vec<(String, f64)> {
        let at = START + minute * MINUTE;
        let answer = Query::parse(query).unwrap().instant(
            &*self.backend.metrics,
            at,
            &promql::Limits::default(),
        );
        let Value::Vector(vector) = answer.unwrap().value else { panic!("a vector was expected") };
        let mut found: Vec<(String, f64)> =
            vector.iter().map(|one| (one.labels.to_string(), one.v)).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    fn state(&self) -> Vec<AlertState> {
        let mut states: Vec<_> =
            self.group.rules[0].active.0.values().map(|alert| alert.state).collect();
        states.sort();
        states
    }

    fn error(&self, rule: usize) -> Option<String> {
        self.group.rules[rule].last.as_ref().unwrap().error.clone()
    }
}

fn group(rules: &str) -> GroupState {
    let text = format!("groups:\n- name: g\n  interval: 1m\n{rules}");
    let (mut groups, faults) = parse_rules("a.yml", &text);
    assert_eq!(faults, []);
    GroupState::new(groups.remove(0), None)
}

#[test]
fn a_later_rule_sees_what_an_earlier_one_stored() {
    let mut place = Place::new(
        "  rules:\n  - { record: 'i:up', expr: 'up * 2', labels: { team: core } }\n  - { record: 'all:up', expr: 'sum(i:up)' }\n  - { record: 'one', expr: '7' }\n",
    );
    place.up("a", 0, Some(1.0));
    place.up("b", 0, Some(3.0));
    place.evaluate(0);
    assert_eq!(
        place.ask("i:up", 0),
        [
            ("i:up{instance=\"a\", team=\"core\"}".to_owned(), 2.0),
            ("i:up{instance=\"b\", team=\"core\"}".to_owned(), 6.0),
        ]
    );
    assert_eq!(place.ask("all:up", 0), [("all:up".to_owned(), 8.0)]);
    assert_eq!(place.ask("one", 0), [("one".to_owned(), 7.0)]);
    // A series that vanishes ends at once.
    place.up("b", 1, None);
    place.up("a", 1, Some(1.0));
    place.evaluate(1);
    assert_eq!(place.ask("i:up", 1).len(), 1);
    assert_eq!(place.ask("all:up", 1), [("all:up".to_owned(), 2.0)]);
    // So do those of rules that are gone.
    let GroupState { .. } = &place.group;
    let old = std::mem::replace(&mut place.group, group("  rules: []\n"));
    let smaller =
        parse_rules("a.yml", "groups:\n- name: g\n  rules:\n  - { record: 'one', expr: '8' }\n")
            .0
            .remove(0);
    place.group = GroupState::new(smaller, Some(old));
    place.evaluate(2);
    assert!(place.ask("i:up", 2).is_empty() && place.ask("all:up", 2).is_empty());
    assert_eq!(place.ask("one", 2), [("one".to_owned(), 8.0)]);
    let last = std::mem::replace(&mut place.group, group("  rules: []\n"));
    last.end(&place.world(), START + 3 * MINUTE);
    assert!(place.ask("one", 3).is_empty());
}

#[test]
fn an_alert_waits_fires_and_is_over() {
    let mut place = Place::settled(
        "  rules:\n  - alert: Down\n    expr: up == 0\n    for: 2m\n    labels: { severity: page, who: '{{ $labels.instance | toUpper }}' }\n    annotations: { s: '{{ $value }} at {{ $externalLabels.cluster }}' }\n",
    );
    let mut seen = Vec::new();
    for (minute, v) in [(0, 1.0), (1, 0.0), (2, 0.0), (3, 0.0), (4, 0.0), (5, 1.0), (6, 1.0)] {
        place.up("a", minute, Some(v));
        place.evaluate(minute);
        seen.push(place.state());
    }
    use AlertState::{Firing, Inactive, Pending};
    assert_eq!(
        seen,
        [
            vec![],
            vec![Pending],
            vec![Pending],
            vec![Firing],
            vec![Firing],
            vec![Inactive],
            vec![Inactive]
        ]
    );
    let labels =
        "alertname=\"Down\", alertstate=\"firing\", instance=\"a\", severity=\"page\", who=\"A\"";
    assert_eq!(place.ask("ALERTS", 3), [(format!("ALERTS{{{labels}}}"), 1.0)]);
    assert_eq!(place.ask("ALERTS_FOR_STATE", 4)[0].1, ((START + MINUTE) / 1000) as f64);
    assert!(place.ask("ALERTS", 5).is_empty() && place.ask("ALERTS_FOR_STATE", 5).is_empty());
    // Told when it fires and when it is over; in between and afterwards again only after more than a minute.
    assert_eq!(place.ears.told(), [(3, false), (5, true)]);
    let heard = place.ears.0.lock().unwrap();
    let (_, first) = &heard[0];
    assert_eq!(first.labels["cluster"], "eu");
    assert_eq!(first.annotations["s"], "0 at eu");
    assert_eq!((first.starts_ms, first.ends_ms), (START + 3 * MINUTE, START + 7 * MINUTE));
    assert!(first.generator.ends_with("/live/alerts#alert-Down"));
}

#[test]
fn a_pending_alert_that_goes_is_forgotten() {
    let mut place = Place::settled("  rules:\n  - { alert: Down, expr: 'up == 0', for: 5m }\n");
    place.up("a", 0, Some(0.0));
    place.evaluate(0);
    assert_eq!(place.state(), [AlertState::Pending]);
    place.up("a", 1, Some(1.0));
    place.evaluate(1);
    assert!(place.state().is_empty() && place.ears.told().is_empty());
}

#[test]
fn what_is_over_is_told_again_and_forgotten_after_a_quarter_of_an_hour() {
    let mut place = Place::settled("  rules:\n  - { alert: Down, expr: 'up == 0' }\n");
    place.up("a", 0, Some(0.0));
    place.evaluate(0);
    for minute in 1..=17 {
        place.up("a", minute, Some(1.0));
        place.evaluate(minute);
        assert_eq!(place.state().len(), usize::from(minute <= 16), "{minute}");
    }
    let told = place.ears.told();
    assert_eq!((told[0], told[1], told.len()), ((0, false), (1, true), 9));
    // It comes again as another one.
    place.up("a", 18, Some(0.0));
    place.evaluate(18);
    assert_eq!(place.ears.told().last(), Some(&(18, false)));
}

#[test]
fn a_firing_alert_may_be_kept_over_gaps() {
    let mut place =
        Place::settled("  rules:\n  - { alert: Down, expr: 'up == 0', keep_firing_for: 3m }\n");
    let mut states = Vec::new();
    for (minute, v) in
        [(0, 0.0), (1, 1.0), (2, 1.0), (3, 0.0), (4, 1.0), (5, 1.0), (6, 1.0), (7, 1.0)]
    {
        place.up("a", minute, Some(v));
        place.evaluate(minute);
        states.push(place.state()[0]);
    }
    use AlertState::{Firing, Inactive};
    // The cause comes back in time, and the three minutes begin anew.
    assert_eq!(states, [Firing, Firing, Firing, Firing, Firing, Firing, Firing, Inactive]);
}

#[test]
fn limits_and_equal_labels_are_mistakes() {
    let mut place = Place::settled(
        "  limit: 1\n  rules:\n  - { alert: Down, expr: 'up == 0' }\n  - { record: 'r', expr: 'up' }\n  - { record: 's', expr: 'sum without (instance) (up)' }\n",
    );
    place.up("a", 0, Some(0.0));
    place.up("b", 0, Some(0.0));
    place.evaluate(0);
    assert_eq!(place.error(0).unwrap(), "exceeded limit of 1 with 2 alerts");
    assert_eq!(place.error(1).unwrap(), "exceeded limit of 1 with 2 series");
    assert_eq!(place.error(2), None);
    assert!(place.state().is_empty() && place.ask("r", 0).is_empty());
    let mut place = Place::settled(
        "  rules:\n  - { alert: Down, expr: 'up == 0', labels: { instance: x } }\n  - { record: 'r', expr: 'up', labels: { instance: x } }\n  - { record: 'bad', expr: 'up + on (none) up' }\n",
    );
    place.up("a", 0, Some(0.0));
    place.up("b", 0, Some(0.0));
    place.evaluate(0);
    assert!(place.error(0).unwrap().contains("same labelset after applying alert labels"));
    assert!(place.error(1).unwrap().contains("same labelset after applying rule labels"));
    assert!(place.error(2).unwrap().contains("many-to-many"), "{:?}", place.error(2));
    // A rule that fails keeps the series it had.
    assert!(place.ask("r", 0).is_empty());
}

#[test]
fn a_group_may_look_back() {
    let mut place =
        Place::new("  query_offset: 2m\n  rules:\n  - { record: 'late', expr: 'up' }\n");
    place.up("a", 0, Some(1.0));
    place.up("a", 2, Some(5.0));
    place.evaluate(2);
    assert_eq!(place.ask("late", 0), [("late{instance=\"a\"}".to_owned(), 1.0)]);
}

#[test]
fn alerts_go_on_after_a_restart() {
    let rules = "  rules:\n  - { alert: Down, expr: 'up == 0', for: 20m }\n";
    let mut place = Place::settled(rules);
    for minute in 0..=15 {
        place.up("a", minute, Some(0.0));
        place.evaluate(minute);
    }
    assert_eq!(place.state(), [AlertState::Pending]);
    // Stopped for ten minutes after 15: five are left, less than the ten of grace.
    place.group = group(rules);
    let mut fired = None;
    for minute in 26..=50 {
        place.up("a", minute, Some(0.0));
        place.evaluate(minute);
        // What was stored before is untouched until it is read back.
        if minute == 26 {
            assert_eq!(place.ask("ALERTS_FOR_STATE offset 11m", minute).len(), 1);
        }
        if fired.is_none() && place.state() == [AlertState::Firing] {
            fired = Some(minute);
        }
    }
    assert_eq!(fired, Some(37), "ten minutes after its state was read back");
    // It fires on at once after another stop, as of when it began.
    place.group = group(rules);
    for minute in 55..=57 {
        place.up("a", minute, Some(0.0));
        place.evaluate(minute);
    }
    assert_eq!(place.state(), [AlertState::Firing]);
    // After more than the tolerated hour all begins anew.
    place.group = group(rules);
    for minute in 130..=132 {
        place.up("a", minute, Some(0.0));
        place.evaluate(minute);
    }
    assert_eq!(place.state(), [AlertState::Pending]);
}

#[test]
fn the_time_without_a_server_does_not_count() {
    let hold = 60 * MINUTE;
    let grace = 10 * MINUTE;
    for (active, down, now, expected) in [
        // Fired already.
        (0, 70, 80, Some(0)),
        (0, 60, 80, Some(0)),
        // Five minutes were left: it gets ten.
        (0, 55, 80, Some(80 + 10 - 60)),
        // Half was left: it is moved by the time in between.
        (0, 30, 80, Some(50)),
    ] {
        let since = restored(active * MINUTE, down * MINUTE, now * MINUTE, hold, grace);
        assert_eq!(since, expected.map(|minute| minute * MINUTE), "{active} {down} {now}");
    }
    // A short `for` waits anew rather than for the grace.
    assert_eq!(restored(0, MINUTE, 5 * MINUTE, 5 * MINUTE, grace), None);
    assert_eq!(restored(0, 6 * MINUTE, 9 * MINUTE, 5 * MINUTE, grace), Some(0));
}
