//! What the page of a service asks about its requests: rate, errors and duration, by route and by
//! replica.

use super::{Asked, Line, Span};
use crate::serve::App;
use evidence::{Evidence, Figure, ObjectiveEvidence};
use pages::{Chart, Instance, RouteFigures};
use promql::Value;
use series::Labels;
use std::collections::BTreeMap;

/// Routes that are listed, the busiest.
const ROUTES_MAX: usize = 30;
const COUNT: &str = "http_server_request_duration_seconds_count";
const BUCKET: &str = "http_server_request_duration_seconds_bucket";
const BY_ROUTE: &str = "http_request_method, http_route";

/// A matcher that picks the series of a service.
pub(super) fn job(service: &str) -> String {
    format!("job={}", serde_json::to_string(service).expect("a string serializes"))
}

/// Rate by route, share of errors, and duration.
pub(in crate::serve) fn charts(
    app: &App,
    service: &str,
    span: Span,
    evidence: &Evidence,
    now: i64,
) -> Vec<Chart> {
    let job = job(service);
    let rate = format!("sum by ({BY_ROUTE}) (rate({COUNT}{{{job}}}[$window]))");
    let failed = evidence::failed_rate(&job, "$window");
    let all = format!("rate({COUNT}{{{job}}}[$window])");
    let quantile = |name: &str, q: &str| Line {
        name: name.to_owned(),
        query: format!("histogram_quantile({q}, sum by (le) (rate({BUCKET}{{{job}}}[$window])))"),
    };
    let line = |name: &str, query: String| Line { name: name.to_owned(), query };
    let asked = |title: &str, note: &str, unit: &str, lines| Asked {
        title: title.to_owned(),
        note: note.to_owned(),
        unit: unit.to_owned(),
        lines,
        service: Some(service.to_owned()),
        ..Asked::default()
    };
    let errors = vec![
        line("all", format!("(sum({failed}) or 0 * sum({all})) / sum({all})")),
        line(
            "{{http_request_method}} {{http_route}}",
            format!("sum by ({BY_ROUTE}) ({failed}) / sum by ({BY_ROUTE}) ({all})"),
        ),
    ];
    let durations = vec![quantile("p50", "0.5"), quantile("p95", "0.95"), quantile("p99", "0.99")];
    let bound = bound(evidence, service);
    let three = [
        asked("Rate", "req/s by route", "1/s", vec![line("", rate)]),
        asked("Errors", "% of requests", "ratio", errors),
        Asked {
            threshold: bound,
            exemplars: Some(format!("{BUCKET}{{{job}}}")),
            ..asked("Duration", "p50 · p95 · p99, traces ◆", "s", durations)
        },
    ];
    three.iter().map(|one| one.chart(app, span, now, false)).collect()
}

/// What the strictest objective of the service asks of its durations, seconds.
fn bound(evidence: &Evidence, service: &str) -> Option<f64> {
    let about = |one: &&ObjectiveEvidence| one.services.iter().any(|id| id.0 == service);
    let bounds = evidence.objectives.iter().filter(about).filter_map(|one| one.within_s);
    bounds.min_by(f64::total_cmp)
}

/// A query at one moment: the values by what `name` makes of the labels.
fn vector(
    app: &App,
    query: &str,
    at: i64,
    name: impl Fn(&Labels) -> String,
) -> BTreeMap<String, f64> {
    match app.sources.metrics().instant(query, at).map(|answer| answer.value) {
        Ok(Value::Vector(samples)) => {
            samples.into_iter().map(|sample| (name(&sample.labels), sample.v)).collect()
        }
        // What is missing says so in its place.
        _ => BTreeMap::new(),
    }
}

/// How each route does, the busiest first.
pub(in crate::serve) fn routes(app: &App, service: &str, evidence: &Evidence) -> Vec<RouteFigures> {
    let (job, window) = (job(service), format!("{}s", evidence.window));
    let name = |labels: &Labels| {
        format!("{} {}", labels.value("http_request_method"), labels.value("http_route"))
            .trim()
            .to_owned()
    };
    let ask = |query: String| vector(app, &query, evidence.at, name);
    let rate = ask(format!("sum by ({BY_ROUTE}) (rate({COUNT}{{{job}}}[{window}]))"));
    let failed = ask(format!("sum by ({BY_ROUTE}) ({})", evidence::failed_rate(&job, &window)));
    let quantile = |q: &str| {
        ask(format!(
            "histogram_quantile({q}, sum by ({BY_ROUTE}, le) (rate({BUCKET}{{{job}}}[{window}])))"
        ))
    };
    let (p50, p95) = (quantile("0.5"), quantile("0.95"));
    let figure = |of: &BTreeMap<String, f64>, route: &str| match of.get(route) {
        Some(value) if value.is_finite() => Figure::Value(*value),
        _ => Figure::NoTraffic,
    };
    let mut routes: Vec<(f64, RouteFigures)> = rate
        .iter()
        .map(|(route, rate)| {
            let errors = match *rate > 0.0 {
                true => Figure::Value(failed.get(route).copied().unwrap_or(0.0) / rate),
                false => Figure::NoTraffic,
            };
            let row = RouteFigures {
                route: route.clone(),
                rate: Figure::Value(*rate),
                errors,
                p50: figure(&p50, route),
                p95: figure(&p95, route),
            };
            (*rate, row)
        })
        .collect();
    routes.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.route.cmp(&b.1.route)));
    routes.truncate(ROUTES_MAX);
    // Rows that change places at every tick could not be read.
    let mut routes: Vec<RouteFigures> = routes.into_iter().map(|(_, row)| row).collect();
    routes.sort_by(|a, b| a.route.cmp(&b.route));
    routes
}

/// The replicas of a service, by name.
pub(in crate::serve) fn instances(app: &App, service: &str, evidence: &Evidence) -> Vec<Instance> {
    let (job, at) = (job(service), evidence.at);
    let name = |labels: &Labels| labels.value("instance").to_owned();
    let ask = |query: String| vector(app, &query, at, name);
    let up = ask(format!("max by (instance) (up{{{job}}})"));
    let since = ask(format!("max by (instance) (process_start_time_seconds{{{job}}})"));
    let memory = ask(format!(
        "max by (instance) (process_resident_memory_bytes{{{job}}} or process_memory_usage_bytes{{{job}}})"
    ));
    let window = format!("{}s", evidence.window.max(10));
    let cpu = ask(format!(
        "sum by (instance) (rate(process_cpu_seconds_total{{{job}}}[{window}]) or rate(process_cpu_time_seconds_total{{{job}}}[{window}]))"
    ));
    let versions = versions(app, &job, at);
    let names: std::collections::BTreeSet<&String> = up.keys().chain(since.keys()).collect();
    let figure = |of: &BTreeMap<String, f64>, name: &str| {
        of.get(name).map_or(Figure::NoData, |value| Figure::Value(*value))
    };
    names
        .into_iter()
        .map(|name| Instance {
            name: name.clone(),
            // What reports by itself and is not scraped answers as long as it reports.
            up: up.get(name).map_or(since.contains_key(name), |up| *up > 0.0),
            version: versions.get(name).cloned(),
            since: since.get(name).map(|seconds| (seconds * 1000.0) as i64),
            memory: figure(&memory, name),
            cpu: figure(&cpu, name),
        })
        .collect()
}

fn versions(app: &App, job: &str, at: i64) -> BTreeMap<String, String> {
    let query = format!(
        "max by (instance, service_version, version) (target_info{{{job}}} or up{{{job},version!=\"\"}})"
    );
    match app.sources.metrics().instant(&query, at).map(|answer| answer.value) {
        Ok(Value::Vector(samples)) => samples
            .into_iter()
            .filter_map(|sample| {
                let version = version(&sample.labels)?;
                Some((sample.labels.value("instance").to_owned(), version))
            })
            .collect(),
        _ => BTreeMap::new(),
    }
}

/// The version that labels name.
pub(super) fn version(labels: &Labels) -> Option<String> {
    let named = ["service_version", "version"].map(|name| labels.value(name));
    named.into_iter().find(|version| !version.is_empty()).map(str::to_owned)
}
