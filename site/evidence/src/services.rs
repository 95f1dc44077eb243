//! How every service does. Reads the answers about all services, and their callers' traces where
//! there are none; `strips` and `overlay` show the
//! result in sections and diagrams.

use crate::answers::{Answers, ByJob, job};
use crate::binding::{bound_of, service_id};
use crate::calls::Calls;
use crate::figures::number;
use crate::plan::ServiceQuestions;
use crate::words::amount;
use crate::{Bound, EdgeState, Figure, Health, Plan, ServiceEvidence};
use document::{Config, ServiceId};
use indexmap::IndexMap;
use std::collections::{BTreeMap, BTreeSet};
use traces::ServiceGraph;

/// From this share of failed requests a service counts as down.
pub const DOWN_ERROR_SHARE: f64 = 0.5;
/// From this share of failed requests a service is degraded.
pub const DEGRADED_ERROR_SHARE: f64 = 0.05;
/// Fewer requests in the window say nothing about health: one failure of two is no outage.
pub const JUDGED_REQUESTS_MIN: f64 = 5.0;
/// So long after a start a service counts as restarted just now, seconds.
pub const RESTART_SHOWN_S: f64 = 15.0;
/// Start times of one process may differ by this much between looks, seconds.
const START_JITTER_S: f64 = 1.0;
/// More versions at once are not listed.
const VERSIONS_SHOWN_MAX: usize = 3;

/// Every service of the book, then every other one that telemetry names.
pub(crate) fn services(
    config: &Config,
    plan: &Plan,
    answers: &Answers<'_>,
    graph: &ServiceGraph,
    calls: &Calls<'_>,
) -> Vec<ServiceEvidence> {
    let seen = Seen::read(config, plan, answers, graph);
    let mut order: IndexMap<ServiceId, String> = IndexMap::new();
    for (id, service) in &config.services {
        if matches!(service.kind.as_deref(), None | Some("service")) {
            order.insert(id.clone(), service.service_name.clone().unwrap_or_else(|| id.0.clone()));
        }
    }
    for name in &seen.names {
        order.entry(service_id(name, config)).or_insert_with(|| name.clone());
    }
    let judged = order.iter().map(|(id, name)| seen.service(id, name, config));
    judged.map(|service| by_callers(service, calls)).collect()
}

/// A service without metrics shows what its callers' traces say of it.
fn by_callers(service: ServiceEvidence, calls: &Calls<'_>) -> ServiceEvidence {
    let measured = service.instances > 0 || service.rate != Figure::NoData;
    let flow = calls.to(&Bound::Service(service.id.clone()));
    if measured || flow.latest.is_none() {
        return service;
    }
    ServiceEvidence {
        traced: true,
        health: flow.health(),
        reason: match (flow.state(), flow.health(), flow.errors()) {
            (EdgeState::Confirmed, Health::Degraded | Health::Down, Figure::Value(share)) => {
                format!("{} of its calls fail", amount(share, "ratio"))
            }
            (EdgeState::Confirmed, ..) => "answers its callers".to_owned(),
            _ => "not called in the window".to_owned(),
        },
        rate: flow.rate(),
        p95: flow.p95(),
        errors: flow.errors(),
        ..service
    }
}

/// All answers about services, by the name that telemetry gives them.
struct Seen {
    names: BTreeSet<String>,
    traced: BTreeSet<String>,
    /// Those that answered when the metrics were asked last, which was a while ago.
    before: BTreeSet<String>,
    window_s: f64,
    now_s: f64,
    rate: ByJob,
    failed: ByJob,
    p95: ByJob,
    up: BTreeMap<String, BTreeMap<String, bool>>,
    restarted: BTreeMap<String, f64>,
    versions: BTreeMap<String, BTreeSet<String>>,
}

impl Seen {
    fn read(config: &Config, plan: &Plan, answers: &Answers<'_>, graph: &ServiceGraph) -> Self {
        let asked = ServiceQuestions::new(plan.window);
        let mut seen = Self {
            names: BTreeSet::new(),
            traced: BTreeSet::new(),
            before: BTreeSet::new(),
            window_s: f64::from(plan.window.seconds()),
            now_s: answers.now_ms() as f64 / 1000.0,
            rate: answers.by_job(&asked.rate),
            failed: answers.by_job(&asked.failed),
            p95: answers.by_job(&asked.p95),
            up: BTreeMap::new(),
            restarted: BTreeMap::new(),
            versions: BTreeMap::new(),
        };
        for end in graph.edges.iter().flat_map(|edge| [&edge.from, &edge.to]) {
            if let Bound::Service(_) = bound_of(end, config) {
                seen.traced.insert(end.name.to_string());
            }
        }
        // Whether somebody answered a while ago says nothing about now.
        if answers.are_fresh() {
            seen.read_up(answers, &asked);
            seen.read_restarts(answers, &asked);
        } else {
            seen.before = answers.vector(&asked.up).map(|(labels, _)| job(labels)).collect();
        }
        seen.names = seen.up.keys().chain(&seen.traced).chain(&seen.before).cloned().collect();
        seen.names.extend(seen.rate.jobs().map(str::to_owned));
        let others = |name: &String| {
            let kind = config.services.get(&service_id(name, config));
            kind.is_some_and(|s| !matches!(s.kind.as_deref(), None | Some("service")))
        };
        seen.names.retain(|name| !name.is_empty() && !others(name));
        seen
    }

    fn read_up(&mut self, answers: &Answers<'_>, asked: &ServiceQuestions) {
        let mut announced: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (labels, v) in answers.vector(&asked.up) {
            let replicas = self.up.entry(job(labels)).or_default();
            *replicas.entry(labels.value("instance").to_owned()).or_default() |= v == 1.0;
            if let Some(version) = labels.get("version") {
                announced.entry(job(labels)).or_default().insert(version.to_owned());
            }
        }
        for (labels, _) in answers.vector(&asked.version) {
            let version = labels.get("service_version").or(labels.get("version"));
            if let Some(version) = version {
                self.versions.entry(job(labels)).or_default().insert(version.to_owned());
            }
        }
        for (job, versions) in announced {
            self.versions.entry(job).or_insert(versions);
        }
    }

    /// A replica has restarted when it began just now and had begun at another time before.
    fn read_restarts(&mut self, answers: &Answers<'_>, asked: &ServiceQuestions) {
        let replica = |labels: &series::Labels| (job(labels), labels.value("instance").to_owned());
        let earliest: BTreeMap<_, f64> = answers
            .vector(&asked.started_before)
            .map(|(labels, started)| (replica(labels), started))
            .collect();
        for (labels, started) in answers.vector(&asked.started) {
            let age = self.now_s - started;
            let before = earliest.get(&replica(labels)).copied().unwrap_or(started);
            if age < RESTART_SHOWN_S && started - before > START_JITTER_S {
                let youngest = self.restarted.entry(job(labels)).or_insert(f64::INFINITY);
                *youngest = youngest.min(age.max(0.0));
            }
        }
    }

    fn service(&self, id: &ServiceId, name: &str, config: &Config) -> ServiceEvidence {
        let replicas = self.up.get(name);
        let instances = replicas.map_or(0, BTreeMap::len);
        let up = replicas.map_or(0, |replicas| replicas.values().filter(|up| **up).count());
        let rate = self.rate.get(name);
        let errors = self.errors(name, &rate);
        let (health, reason) = self.health(name, (up, instances), &rate, &errors);
        let title = config.services.get(id).and_then(|service| service.title.clone());
        ServiceEvidence {
            id: id.clone(),
            title: title.unwrap_or_else(|| title_of(&id.0)),
            health,
            reason,
            up: u32::try_from(up).unwrap_or(u32::MAX),
            instances: u32::try_from(instances).unwrap_or(u32::MAX),
            traced: false,
            version: self.versions.get(name).map(listed),
            p95: self.p95.get(name),
            rate,
            errors,
        }
    }

    /// The share of failed requests; without series of failures there were none.
    fn errors(&self, name: &str, rate: &Figure) -> Figure {
        match (rate, self.failed.get(name)) {
            (Figure::Value(rate), _) if *rate <= 0.0 => Figure::NoTraffic,
            (Figure::Value(rate), Figure::Value(failed)) => number((failed / rate).clamp(0.0, 1.0)),
            (Figure::Value(_), Figure::NoData | Figure::Stale(..)) => Figure::Value(0.0),
            (Figure::Stale(rate, age), Figure::Value(failed) | Figure::Stale(failed, _))
                if *rate > 0.0 =>
            {
                Figure::Stale((failed / rate).clamp(0.0, 1.0), *age)
            }
            (Figure::Stale(rate, age), Figure::NoData) if *rate > 0.0 => Figure::Stale(0.0, *age),
            (Figure::Stale(..), _) => Figure::NoData,
            (_, Figure::QueryError(error)) => Figure::QueryError(error),
            (state, _) => state.clone(),
        }
    }

    fn health(
        &self,
        name: &str,
        (up, instances): (usize, usize),
        rate: &Figure,
        errors: &Figure,
    ) -> (Health, String) {
        if instances == 0 && !matches!(rate, Figure::Value(_)) {
            return (Health::NoData, self.why_unknown(name, rate));
        }
        let failing = match (rate, errors) {
            (Figure::Value(rate), Figure::Value(share))
                if rate * self.window_s >= JUDGED_REQUESTS_MIN =>
            {
                *share
            }
            _ => 0.0,
        };
        let failing_words = || format!("{} of requests fail", amount(failing, "ratio"));
        let replicas = || format!("{up} of {instances} replicas up");
        if instances == 1 && up == 0 {
            (Health::Down, "does not answer".to_owned())
        } else if instances > 0 && up == 0 {
            (Health::Down, replicas())
        } else if failing >= DOWN_ERROR_SHARE {
            (Health::Down, failing_words())
        } else if up < instances {
            (Health::Degraded, replicas())
        } else if let Some(age) = self.restarted.get(name) {
            (Health::Degraded, format!("restarted {age:.0} s ago"))
        } else if failing >= DEGRADED_ERROR_SHARE {
            (Health::Degraded, failing_words())
        } else {
            let words = match instances {
                0 => "answers requests".to_owned(),
                1 => "up".to_owned(),
                _ => format!("all {instances} replicas up"),
            };
            (Health::Healthy, words)
        }
    }

    fn why_unknown(&self, name: &str, rate: &Figure) -> String {
        match rate {
            Figure::Stale(_, age) => format!("last seen {} ago", amount(f64::from(*age), "s")),
            Figure::Loading => "not asked yet".to_owned(),
            Figure::QueryError(_) => "the query failed".to_owned(),
            _ if self.before.contains(name) => "its metrics do not come any more".to_owned(),
            _ if self.traced.contains(name) => "seen in traces, not measured".to_owned(),
            _ => "nothing measures it".to_owned(),
        }
    }
}

fn listed(versions: &BTreeSet<String>) -> String {
    if versions.len() > VERSIONS_SHOWN_MAX {
        return format!("{} versions", versions.len());
    }
    versions.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// `order-history` is `Order history`.
fn title_of(id: &str) -> String {
    let spaced = id.replace(['-', '_'], " ");
    let mut letters = spaced.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
