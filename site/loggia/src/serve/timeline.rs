//! What happened between two times, asked of the series that rules and targets leave behind. The view of alerts shows it,
//! and `/api/live/timeline` tells it.

use super::App;
use super::seen::Seen;
use super::tick::now_ms;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use document::{Book, ServiceId};
use evidence::{
    Evidence, Happening, HappeningKind, deploys, episodes, outages, restarts, service_of,
};
use promql::Value;
use serde_json::json;
use series::{Labels, METRIC_NAME};
use std::collections::BTreeMap;
use std::sync::Arc;
use telemetry::{AskError, MetricsEngine, StepRange};

/// How far back unless the reader says otherwise.
const USUAL_MS: i64 = 6 * 60 * 60 * 1000;
/// Parts that the time is divided into, and the shortest of them.
const STEPS: i64 = 720;
const STEP_MIN_MS: i64 = 5_000;
/// Things told at most, the newest.
const TOLD_MAX: usize = 200;
/// Labels that the series of alerts have and the alerts have not.
const ADDED: [&str; 3] = [METRIC_NAME, "alertname", "alertstate"];

/// What happened.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Newest first.
    pub(super) happenings: Vec<Happening>,
    /// Milliseconds since 1970.
    pub(super) from: i64,
    pub(super) to: i64,
    /// Things that were left out, older ones.
    pub(super) left_out: usize,
    /// Why some may be missing, in words.
    pub(super) problem: Option<String>,
}

/// `GET /api/live/timeline?from=&to=`.
pub(super) async fn api(State(app): State<Arc<App>>, seen: Seen) -> Response {
    let found = gather(&app, &seen).await;
    Json(json!({
        "from": found.from,
        "to": found.to,
        "happenings": found.happenings,
        "left_out": found.left_out,
        "problem": found.problem,
    }))
    .into_response()
}

/// Asks beside the network threads.
pub(super) async fn gather(app: &Arc<App>, seen: &Seen) -> Timeline {
    let (from, to) = seen.moment.span(USUAL_MS, now_ms());
    let (working, evidence) = (Arc::clone(app), Arc::clone(&seen.evidence));
    let look = move || {
        let book = working.shown().book;
        Looking { app: &working, book: &book, evidence: &evidence, from, to }.timeline()
    };
    tokio::task::spawn_blocking(look).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a timeline could not be made");
        Timeline { from, to, ..Timeline::default() }
    })
}

struct Looking<'a> {
    app: &'a App,
    book: &'a Book,
    evidence: &'a Evidence,
    from: i64,
    to: i64,
}

type Lines = Vec<(Labels, Vec<(i64, f64)>)>;
/// When each version of a service ran, milliseconds since 1970.
type Versions = BTreeMap<String, Vec<(i64, i64)>>;

impl Looking<'_> {
    fn timeline(&self) -> Timeline {
        let mut problem = None;
        let metrics = self.app.sources.metrics();
        let mut ask = |engine: &dyn MetricsEngine, query: &str| {
            self.range(engine, query).unwrap_or_else(|error| {
                problem = Some(format!("Some of it may be missing: {error}"));
                Lines::new()
            })
        };
        let firing = ask(&*self.app.backend, "ALERTS{alertstate=\"firing\"}");
        let up = ask(metrics, "min by (job, instance) (up)");
        let starts = ask(metrics, "max by (job, instance) (process_start_time_seconds)");
        let versions = ask(metrics, "max by (job, service_version, version) (target_info)");
        let mut all: Vec<Happening> = firing.iter().flat_map(|line| self.fired(line)).collect();
        all.extend(up.iter().flat_map(|line| self.down(line)));
        all.extend(starts.iter().flat_map(|line| self.restarted(line)));
        all.extend(self.deployed(&versions));
        all.extend(self.drifted());
        all.retain(|one| one.at <= self.to && one.until.is_none_or(|until| until >= self.from));
        all.sort_by(|a, b| (b.at, b.kind, &a.subject).cmp(&(a.at, a.kind, &b.subject)));
        let left_out = all.len().saturating_sub(TOLD_MAX);
        all.truncate(TOLD_MAX);
        Timeline { happenings: all, from: self.from, to: self.to, left_out, problem }
    }

    fn step_ms(&self) -> i64 {
        ((self.to - self.from) / STEPS).max(STEP_MIN_MS)
    }

    fn range(&self, engine: &dyn MetricsEngine, query: &str) -> Result<Lines, AskError> {
        let steps = StepRange { start_ms: self.from, end_ms: self.to, step_ms: self.step_ms() };
        let Value::Matrix(lines) = engine.range(query, steps)?.value else {
            return Ok(Lines::new());
        };
        let points =
            |samples: Vec<series::Sample>| samples.into_iter().map(|s| (s.t, s.v)).collect();
        Ok(lines.into_iter().map(|line| (line.labels, points(line.samples))).collect())
    }

    fn service(&self, labels: &Labels) -> Option<ServiceId> {
        service_of(|name| labels.get(name), &self.book.config, &self.evidence.services)
    }

    /// What lasts until the last step lasts still.
    fn end(&self, end: i64) -> Option<i64> {
        (end + 2 * self.step_ms() < self.to).then_some(end)
    }

    fn fired(&self, (labels, points): &(Labels, Vec<(i64, f64)>)) -> Vec<Happening> {
        let name = labels.value("alertname");
        let own: Vec<String> = labels
            .iter()
            .filter(|(name, _)| !ADDED.contains(name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let happening = |(begin, end): (i64, i64)| Happening {
            at: begin,
            until: self.end(end),
            kind: HappeningKind::Alert,
            subject: name.to_owned(),
            words: own.join(" "),
            service: self.service(labels),
            about: name.to_owned(),
        };
        episodes(points, self.step_ms()).into_iter().map(happening).collect()
    }

    fn down(&self, (labels, points): &(Labels, Vec<(i64, f64)>)) -> Vec<Happening> {
        let happening = |(begin, end): (i64, Option<i64>)| Happening {
            at: begin,
            until: end.or_else(|| self.end(points.last().map_or(begin, |(at, _)| *at))),
            kind: HappeningKind::Down,
            subject: replica(labels),
            words: "did not answer".to_owned(),
            service: self.service(labels),
            about: String::new(),
        };
        outages(points).into_iter().map(happening).collect()
    }

    fn restarted(&self, (labels, points): &(Labels, Vec<(i64, f64)>)) -> Vec<Happening> {
        let happening = |at: i64| Happening {
            at,
            until: Some(at),
            kind: HappeningKind::Restart,
            subject: replica(labels),
            words: "began anew".to_owned(),
            service: self.service(labels),
            about: String::new(),
        };
        restarts(points).into_iter().map(happening).collect()
    }

    fn deployed(&self, lines: &Lines) -> Vec<Happening> {
        let mut jobs: BTreeMap<&str, (&Labels, Versions)> = BTreeMap::new();
        for (labels, points) in lines {
            let version = ["service_version", "version"].map(|name| labels.value(name));
            let Some(version) = version.into_iter().find(|version| !version.is_empty()) else {
                continue;
            };
            let job = jobs.entry(labels.value("job")).or_insert_with(|| (labels, BTreeMap::new()));
            let times = job.1.entry(version.to_owned()).or_default();
            times.extend(episodes(points, self.step_ms()));
        }
        let of_job = |(job, (labels, versions)): (&str, (&Labels, Versions))| {
            let service = self.service(labels);
            let happening = |(at, old, new): (i64, String, String)| Happening {
                at,
                until: Some(at),
                kind: HappeningKind::Deploy,
                subject: job.to_owned(),
                words: format!("{old} → {new}"),
                service: service.clone(),
                about: String::new(),
            };
            deploys(&versions).into_iter().map(happening).collect::<Vec<_>>()
        };
        jobs.into_iter().flat_map(of_job).collect()
    }

    /// Calls that no diagram draws, by when they were seen first; of those that several diagrams lack, one.
    fn drifted(&self) -> Vec<Happening> {
        let mut found: BTreeMap<(String, String), Happening> = BTreeMap::new();
        for page in &self.evidence.drift.pages {
            let calls = page.diagrams.iter().flat_map(|diagram| &diagram.undocumented);
            for call in calls.filter(|call| call.seen.first_seen >= self.from) {
                let subject = format!("{} → {}", call.from, call.to);
                found.entry((call.from.clone(), call.to.clone())).or_insert_with(|| Happening {
                    at: call.seen.first_seen,
                    until: Some(call.seen.first_seen),
                    kind: HappeningKind::Drift,
                    words: format!(
                        "a call that no diagram of “{}” draws was seen first",
                        page.title
                    ),
                    subject,
                    service: Some(ServiceId(call.from.clone())),
                    about: page.id.clone(),
                });
            }
        }
        found.into_values().collect()
    }
}

fn replica(labels: &Labels) -> String {
    match labels.value("instance") {
        "" => labels.value("job").to_owned(),
        instance if instance.starts_with(labels.value("job")) => instance.to_owned(),
        instance => format!("{} {instance}", labels.value("job")),
    }
}
