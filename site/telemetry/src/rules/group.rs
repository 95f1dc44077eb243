//! One group of rules: its evaluation at a time, rule after rule, each seeing what the one before stored.
//!
//! `runner` calls it at aligned times; `alert` knows the states. Results go to the backend's metrics.

use super::alert::{
    ALERT_NAME, ALERTS_FOR_STATE, Active, Alert, AlertState, Found, Terms, pairs, restored,
};
use super::file::{AlertPart, Rule, RuleGroup};
use super::notice::Hears;
use super::template::{Alerting, QuerySample, Surroundings, Template, query_escaped};
use super::{RuleCounters, RuleSettings};
use crate::Backend;
use promql::{Query, Value, VectorSample};
use series::{Labels, METRIC_NAME, Matcher, Sample, Storage as _, stale_marker};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the query of a rule may take.
const QUERY_TIME: Duration = Duration::from_secs(30);
/// Queries that the templates of one evaluation of a rule may ask.
const MAX_TEMPLATE_QUERIES: usize = 200;
/// Evaluations after which alerts read their state back, as in Prometheus: the first one may come
/// before anything was scraped.
const RESTORED_AFTER: u32 = 2;

/// How a rule did last.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// When, milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// Seconds that it took.
    pub(crate) took_s: f64,
    /// What went wrong.
    pub(crate) error: Option<String>,
}

/// A rule with what it remembers.
#[derive(Debug)]
pub(super) struct RuleState {
    pub(super) rule: Arc<Rule>,
    pub(super) active: Active,
    pub(super) last: Option<Outcome>,
    previous: HashSet<Labels>,
    restored: bool,
}

/// A group with what it remembers.
#[derive(Debug)]
pub(super) struct GroupState {
    pub(super) group: RuleGroup,
    pub(super) rules: Vec<RuleState>,
    pub(super) last: Option<Outcome>,
    /// Series of rules that are gone.
    orphans: HashSet<Labels>,
    evaluations: u32,
}

/// Where a group looks, stores and tells.
pub(super) struct World<'a> {
    pub(super) backend: &'a Backend,
    pub(super) settings: &'a RuleSettings,
    pub(super) counters: &'a RuleCounters,
    pub(super) hears: &'a dyn Hears,
}

impl GroupState {
    /// A group that was never evaluated; what the rules of `before` know goes on where name and labels of a
    /// rule are the same.
    pub(super) fn new(group: RuleGroup, before: Option<Self>) -> Self {
        let (mut known, evaluations, mut orphans) = match before {
            Some(state) => (state.rules, state.evaluations, state.orphans),
            None => (Vec::new(), 0, HashSet::new()),
        };
        let mut rules = Vec::with_capacity(group.rules.len());
        for rule in &group.rules {
            let at = known.iter().position(|old| old.rule.identity() == rule.identity());
            let old = at.map(|at| known.remove(at));
            rules.push(match old {
                Some(old) => RuleState { rule: Arc::new(rule.clone()), ..old },
                None => RuleState {
                    rule: Arc::new(rule.clone()),
                    active: Active::default(),
                    last: None,
                    previous: HashSet::new(),
                    restored: false,
                },
            });
        }
        orphans.extend(known.into_iter().flat_map(|old| old.previous));
        // A rule that came into a running group has to read back its state like one of a new group.
        let evaluations = if rules.iter().all(|rule| rule.restored) { evaluations } else { 0 };
        Self { group, rules, last: None, orphans, evaluations }
    }

    /// Milliseconds between evaluations.
    pub(super) fn interval_ms(&self, settings: &RuleSettings) -> i64 {
        self.group.interval_ms.unwrap_or(settings.interval_ms)
    }

    /// Evaluates every rule at `at_ms`.
    pub(super) fn evaluate(&mut self, world: &World<'_>, at_ms: i64) {
        let began = Instant::now();
        let offset_ms = self.group.query_offset_ms.unwrap_or(world.settings.query_offset_ms);
        let interval_ms = self.interval_ms(world.settings);
        for state in &mut self.rules {
            let began = Instant::now();
            let result = state.evaluate(world, &self.group, at_ms, at_ms - offset_ms, interval_ms);
            world.counters.evaluations.add(1);
            if let Err(why) = &result {
                world.counters.failures.add(1);
                tracing::debug!(
                    rule = state.rule.name,
                    group = self.group.name,
                    why,
                    "a rule failed"
                );
            }
            state.last =
                Some(Outcome { at_ms, took_s: began.elapsed().as_secs_f64(), error: result.err() });
        }
        mark_stale(world.backend, std::mem::take(&mut self.orphans), at_ms - offset_ms);
        self.last = Some(Outcome { at_ms, took_s: began.elapsed().as_secs_f64(), error: None });
        self.evaluations = self.evaluations.saturating_add(1);
        if self.evaluations >= RESTORED_AFTER {
            self.restore(world, at_ms);
        }
    }

    fn restore(&mut self, world: &World<'_>, at_ms: i64) {
        for state in self.rules.iter_mut().filter(|state| !state.restored) {
            state.restored = true;
            let Some(part) = &state.rule.alert else { continue };
            state.active.restore(world, &state.rule.name, part, at_ms);
            let known = rule_key(&self.group, &state.rule.name);
            let active: Vec<_> = state
                .active
                .0
                .values()
                .filter(|alert| alert.resolved_ms.is_none())
                .map(|alert| with_external(pairs(&alert.labels), &world.settings.external_labels))
                .collect();
            world.hears.only(at_ms, &known, &active);
        }
    }

    /// Ends its series, when the group is gone.
    pub(super) fn end(self, world: &World<'_>, at_ms: i64) {
        for state in &self.rules {
            if state.rule.alert.is_some() {
                world.hears.only(at_ms, &rule_key(&self.group, &state.rule.name), &[]);
            }
        }
        let series = self.rules.into_iter().flat_map(|state| state.previous);
        mark_stale(world.backend, series.chain(self.orphans).collect(), at_ms);
    }
}

fn rule_key(group: &RuleGroup, rule: &str) -> String {
    format!("{};{};{rule}", group.file, group.name)
}

fn with_external(
    mut labels: BTreeMap<String, String>,
    external: &Labels,
) -> BTreeMap<String, String> {
    for (name, value) in external.iter() {
        labels.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    labels
}

fn mark_stale(backend: &Backend, series: HashSet<Labels>, at_ms: i64) {
    let marker = Sample::new(at_ms, stale_marker());
    let now_ms = backend.now_ms().max(at_ms);
    backend.append_samples(now_ms, series.iter().map(|labels| (labels, marker)));
}

impl RuleState {
    fn evaluate(
        &mut self,
        world: &World<'_>,
        group: &RuleGroup,
        at_ms: i64,
        look_ms: i64,
        interval_ms: i64,
    ) -> Result<(), String> {
        let rule = Arc::clone(&self.rule);
        let found = ask(world.backend, &rule.query, look_ms)?;
        let samples = match &rule.alert {
            None => record(&rule, found, group.limit)?,
            Some(part) => {
                let terms = Terms {
                    hold_ms: part.hold_ms,
                    keep_firing_ms: part.keep_firing_ms,
                    limit: group.limit,
                };
                let found = expand(world, &rule, part, found, look_ms)?;
                self.active.step(found, terms, at_ms)?;
                self.tell(world, group, at_ms, interval_ms);
                // Until its state is read back, the series from before the restart must stay as they are.
                if self.restored { self.active.series() } else { Vec::new() }
            }
        };
        self.store(world.backend, samples, look_ms)
    }

    fn tell(&mut self, world: &World<'_>, group: &RuleGroup, at_ms: i64, interval_ms: i64) {
        let generator = generator(&world.settings.external_url, &self.rule.name);
        let key = rule_key(group, &self.rule.name);
        let mut notices =
            self.active.notices(&key, &generator, at_ms, interval_ms, world.settings.resend_ms);
        for notice in &mut notices {
            notice.labels =
                with_external(std::mem::take(&mut notice.labels), &world.settings.external_labels);
        }
        if !notices.is_empty() {
            world.hears.hear(at_ms, notices);
        }
    }

    /// Stores the samples, and ends the series that are not among them any more.
    fn store(
        &mut self,
        backend: &Backend,
        samples: Vec<(Labels, f64)>,
        at_ms: i64,
    ) -> Result<(), String> {
        let now_ms = backend.now_ms().max(at_ms);
        let batch = samples.iter().map(|(labels, v)| (labels, Sample::new(at_ms, *v)));
        let outcome = backend.append_samples(now_ms, batch);
        let current: HashSet<Labels> = samples.into_iter().map(|(labels, _)| labels).collect();
        let gone = self.previous.difference(&current).cloned().collect();
        mark_stale(backend, gone, at_ms);
        self.previous = current;
        match outcome.first_error {
            Some(error) => Err(format!("a result was not stored: {error}")),
            None => Ok(()),
        }
    }
}

/// What a query gives at a time, as a vector.
fn ask(backend: &Backend, query: &Query, at_ms: i64) -> Result<Vec<VectorSample>, String> {
    let limits = promql::Limits::default().until(Instant::now() + QUERY_TIME);
    let answer =
        query.instant(&*backend.metrics, at_ms, &limits).map_err(|error| error.to_string())?;
    match answer.value {
        Value::Vector(vector) => Ok(vector),
        Value::Scalar { t, v } => Ok(vec![VectorSample { labels: Labels::empty(), t, v }]),
        Value::Matrix(_) | Value::String { .. } => {
            Err("rule result is not a vector or scalar".to_owned())
        }
    }
}

fn record(
    rule: &Rule,
    found: Vec<VectorSample>,
    limit: usize,
) -> Result<Vec<(Labels, f64)>, String> {
    let mut samples: HashMap<Labels, f64> = HashMap::with_capacity(found.len());
    let count = found.len();
    for sample in found {
        let mut labels = sample.labels.with(METRIC_NAME, rule.name.as_str());
        for (name, value) in &rule.labels {
            labels = labels.with(name.as_str(), value.text());
        }
        if samples.insert(labels, sample.v).is_some() {
            return Err(
                "vector contains metrics with the same labelset after applying rule labels"
                    .to_owned(),
            );
        }
    }
    if limit > 0 && count > limit {
        return Err(format!("exceeded limit of {limit} with {count} series"));
    }
    Ok(samples.into_iter().collect())
}

/// Labels and annotations of what an alert's query found.
fn expand(
    world: &World<'_>,
    rule: &Rule,
    part: &AlertPart,
    found: Vec<VectorSample>,
    at_ms: i64,
) -> Result<Vec<Found>, String> {
    let asked = Cell::new(0);
    let query = |text: &str| {
        asked.set(asked.get() + 1);
        if asked.get() > MAX_TEMPLATE_QUERIES {
            return Err(format!("templates ask more than {MAX_TEMPLATE_QUERIES} queries"));
        }
        let query = Query::parse(text).map_err(|error| error.to_string())?;
        let found = ask(world.backend, &query, at_ms)?;
        Ok(found
            .into_iter()
            .map(|sample| QuerySample { labels: sample.labels, value: sample.v })
            .collect())
    };
    let settings = world.settings;
    let one = |sample: VectorSample| {
        let alert = Alerting {
            labels: sample.labels.clone(),
            external_labels: settings.external_labels.clone(),
            external_url: settings.external_url.clone(),
            value: sample.v,
        };
        let around = Surroundings { alert, now_ms: at_ms, query: &query };
        let text =
            |(name, template): (&String, &Template)| (name.clone(), template.expand(&around));
        let mut labels = sample.labels.without_name();
        for (name, value) in rule.labels.iter().map(text) {
            labels = labels.with(name, value);
        }
        Found {
            labels: labels.with(ALERT_NAME, rule.name.as_str()),
            annotations: part.annotations.iter().map(text).collect(),
            value: sample.v,
        }
    };
    Ok(found.into_iter().map(one).collect())
}

impl Active {
    /// Reads back since when the alerts were active before the server stopped.
    fn restore(&mut self, world: &World<'_>, rule: &str, part: &AlertPart, now_ms: i64) {
        let settings = world.settings;
        let matchers =
            [Matcher::equal(METRIC_NAME, ALERTS_FOR_STATE), Matcher::equal(ALERT_NAME, rule)];
        let from_ms = now_ms - settings.outage_tolerance_ms;
        let mut kept: HashMap<Labels, Sample> = HashMap::new();
        for series in world.backend.metrics.select(&matchers, from_ms, now_ms) {
            if let Some(last) =
                series.samples(from_ms, now_ms).last().filter(|last| !last.is_stale())
            {
                kept.insert(series.labels.without_name(), *last);
            }
        }
        for alert in self.0.values_mut().filter(|alert| alert.resolved_ms.is_none()) {
            let Some(last) = kept.get(&alert.labels) else { continue };
            let active_ms = (last.v * 1000.0) as i64;
            let since = restored(active_ms, last.t, now_ms, part.hold_ms, settings.grace_ms);
            alert.restore(since, part.hold_ms, now_ms);
        }
    }
}

impl Alert {
    fn restore(&mut self, since: Option<i64>, hold_ms: i64, now_ms: i64) {
        let Some(since) = since else { return };
        self.active_ms = since;
        // What fired before the stop fires now, so that its end is told should it be over at the next look.
        if self.state == AlertState::Pending && now_ms - since >= hold_ms {
            self.state = AlertState::Firing;
            self.fired_ms = Some(now_ms);
        }
        // What fires already fires since then.
        if let Some(fired) = &mut self.fired_ms {
            *fired = (*fired).min((since + hold_ms).min(now_ms));
        }
    }
}

/// Where the rule is shown.
fn generator(external_url: &str, rule: &str) -> String {
    let root = external_url.trim_end_matches('/');
    // A blank in a fragment is not written as `+`.
    format!("{root}/live/alerts#alert-{}", query_escaped(rule).replace('+', "%20"))
}
