//! Deploys, restarts and alerts of a service: the marks on its charts, and its figures before and after.

use super::range;
use super::service::{job, version};
use crate::serve::App;
use evidence::Figure;
use pages::{Change, ChartMark, ChartSpan, Golden, MarkKind};
use promql::{MatrixSeries, Value};

/// Seconds before and after a change that are compared, at most and at least.
const COMPARED_S: (i64, i64) = (300, 20);
/// Changes whose figures are compared, the newest.
const COMPARED_MAX: usize = 6;
/// Replicas that begin within so long of each other are one change.
const TOGETHER_MS: i64 = 60_000;
/// A roll-out takes no longer: a replica that follows with the same version belongs to it.
const ROLL_OUT_MS: i64 = 900_000;

/// A process that began.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Start {
    at: i64,
    instance: String,
    /// Whether the replica was there before.
    again: bool,
    version: Option<String>,
}

/// What happened to a service, oldest first.
pub(in crate::serve) fn marks(app: &App, service: &str, span: ChartSpan) -> Vec<ChartMark> {
    let job = job(service);
    let ask = |query: String| range(app, &query, span).unwrap_or_default();
    let started = ask(format!("max by (instance) (process_start_time_seconds{{{job}}})"));
    let versions = ask(format!(
        "max by (instance, service_version, version) (target_info{{{job}}} or up{{{job},version!=\"\"}})"
    ));
    let name = job.trim_start_matches("job=");
    let firing = ask(format!(
        "max by (alertname) (ALERTS{{alertstate=\"firing\",service={name}}} or ALERTS{{alertstate=\"firing\",{job}}})"
    ));
    let mut marks = changes(starts(&started, &versions, span), first_version(&versions, span));
    marks.extend(firing.iter().flat_map(|series| intervals(series, span)));
    marks.sort_by_key(|mark| mark.at);
    marks
}

/// Every start within the span, with the version that ran from then on.
fn starts(started: &[MatrixSeries], versions: &[MatrixSeries], span: ChartSpan) -> Vec<Start> {
    let mut starts = Vec::new();
    for series in started {
        let instance = series.labels.value("instance");
        let mut before = None;
        for sample in &series.samples {
            let at = (sample.v * 1000.0) as i64;
            if before != Some(at) && (span.from..=span.to).contains(&at) {
                let running =
                    versions.iter().filter(|one| one.labels.value("instance") == instance);
                let after = running.filter_map(|one| {
                    let seen = one.samples.iter().find(|seen| seen.t >= sample.t)?;
                    Some((seen.t, version(&one.labels)?))
                });
                starts.push(Start {
                    at,
                    instance: instance.to_owned(),
                    again: before.is_some(),
                    version: after.min().map(|(_, version)| version),
                });
            }
            before = Some(at);
        }
    }
    starts.sort();
    starts
}

/// The version that ran first.
fn first_version(versions: &[MatrixSeries], span: ChartSpan) -> Option<String> {
    let first = |one: &MatrixSeries| Some((one.samples.first()?.t, version(&one.labels)?));
    let (at, version) = versions.iter().filter_map(first).min()?;
    // Whoever comes later than the first steps is new, and nothing was there before.
    (at <= span.from + 2 * span.step).then_some(version)
}

/// Starts to changes: those of another version are deploys, and what begins together is one.
fn changes(starts: Vec<Start>, mut current: Option<String>) -> Vec<ChartMark> {
    let mut marks: Vec<ChartMark> = Vec::new();
    let mut deployed: Option<i64> = None;
    for start in starts {
        let other = start.version.is_some() && start.version != current;
        if let (true, Some(new)) = (other, &start.version) {
            let words = match &current {
                Some(old) => format!("version {old} → {new}"),
                None => format!("version {new} started"),
            };
            let kind = if current.is_some() { MarkKind::Deploy } else { MarkKind::Restart };
            deployed = Some(start.at);
            current = start.version;
            marks.push(ChartMark { at: start.at, until: None, kind, words });
            continue;
        }
        if deployed.is_some_and(|at| start.at - at < ROLL_OUT_MS) {
            continue;
        }
        let verb = if start.again { " restarted" } else { " started" };
        match marks.last_mut().filter(|last| {
            last.kind == MarkKind::Restart
                && start.at - last.at < TOGETHER_MS
                && last.words.ends_with(verb)
        }) {
            Some(last) => {
                let names = last.words.trim_end_matches(verb).trim_end().to_owned();
                last.words = format!("{names}, {}{verb}", start.instance);
            }
            None => marks.push(ChartMark {
                at: start.at,
                until: None,
                kind: MarkKind::Restart,
                words: format!("{}{verb}", start.instance),
            }),
        }
    }
    marks
}

/// The times in which an alert fired.
fn intervals(series: &MatrixSeries, span: ChartSpan) -> Vec<ChartMark> {
    let apart = |a: &series::Sample, b: &series::Sample| b.t - a.t <= span.step;
    let runs = series.samples.chunk_by(apart);
    let name = series.labels.value("alertname");
    runs.filter_map(|run| {
        Some(ChartMark {
            at: run.first()?.t,
            until: Some(run.last()?.t),
            kind: MarkKind::Alert,
            words: format!("{name} fired"),
        })
    })
    .collect()
}

/// The newest changes, newest first, each with the figures before and after it.
pub(in crate::serve) fn compared(
    app: &App,
    service: &str,
    marks: &[ChartMark],
    now: i64,
) -> Vec<Change> {
    let job = job(service);
    let changes: Vec<&ChartMark> =
        marks.iter().filter(|mark| mark.kind != MarkKind::Alert).collect();
    let each = changes.iter().enumerate().rev().take(COMPARED_MAX).map(|(nth, mark)| {
        let until = changes.get(nth + 1).map_or(now, |next| next.at);
        let since = nth.checked_sub(1).map_or(i64::MIN / 2, |before| changes[before].at);
        let room_s = (until - mark.at).min(mark.at - since) / 1000;
        // Tens of seconds: a change of just now would be asked for anew at every tick.
        let window_s = room_s.clamp(COMPARED_S.1, COMPARED_S.0);
        let window_s = if window_s < 60 { window_s / 10 * 10 } else { window_s / 60 * 60 };
        let ready = mark.at + window_s * 1000 <= now;
        Change {
            mark: (*mark).clone(),
            window_s: u32::try_from(window_s).unwrap_or(0),
            before: golden(app, &job, mark.at, window_s),
            after: match ready {
                true => golden(app, &job, mark.at + window_s * 1000, window_s),
                false => {
                    Golden { rate: Figure::Loading, errors: Figure::Loading, p95: Figure::Loading }
                }
            },
        }
    });
    each.collect()
}

/// Rate, errors and p95 over the seconds before a moment.
fn golden(app: &App, job: &str, at: i64, window_s: i64) -> Golden {
    let window = format!("{window_s}s");
    let all = format!("sum(rate(http_server_request_duration_seconds_count{{{job}}}[{window}]))");
    let failed = format!("sum({}) or 0 * {all}", evidence::failed_rate(job, &window));
    let p95 = format!(
        "histogram_quantile(0.95, sum by (le) (rate(http_server_request_duration_seconds_bucket{{{job}}}[{window}])))"
    );
    let (rate, failed) = (past(app, &all, at), past(app, &failed, at));
    let errors = match (&rate, &failed) {
        (Figure::Value(all), Figure::Value(failed)) if *all > 0.0 => Figure::Value(failed / all),
        (Figure::Value(_), _) => Figure::NoTraffic,
        _ => Figure::NoData,
    };
    Golden { rate, errors, p95: past(app, &p95, at) }
}

/// One number of the past, which is asked for once.
fn past(app: &App, query: &str, at: i64) -> Figure {
    let key = (query.to_owned(), at, at, 0);
    let answer = app
        .charts
        .get_or(key, || app.sources.metrics().instant(query, at).map(|answer| answer.value));
    let value = match answer.as_deref() {
        Ok(Value::Vector(samples)) => samples.first().map(|sample| sample.v),
        Ok(Value::Scalar { v, .. }) => Some(*v),
        _ => None,
    };
    match value {
        Some(value) if value.is_finite() => Figure::Value(value),
        Some(_) => Figure::NoTraffic,
        None => Figure::NoData,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use series::{Labels, Sample};

    fn line(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> MatrixSeries {
        let labels =
            labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
        let samples = samples.iter().map(|(t, v)| Sample { t: *t, v: *v }).collect();
        MatrixSeries { labels: Labels::from_pairs(labels), samples }
    }

    #[test]
    fn starts_become_deploys_and_restarts() {
        let span = ChartSpan { from: 100_000, to: 2_000_000, step: 5_000, live: true };
        let started = [
            line(
                &[("instance", "a-1")],
                &[(100_000, 10.0), (305_000, 300.0), (1_505_000, 1_500.0)],
            ),
            line(&[("instance", "a-2")], &[(100_000, 10.0), (330_000, 325.0)]),
            line(&[("instance", "a-3")], &[(1_515_000, 1_510.0)]),
        ];
        let ran = |instance, version, from: i64, to: i64| {
            let steps: Vec<_> = (from..to).step_by(5_000).map(|t| (t, 1.0)).collect();
            line(&[("instance", instance), ("service_version", version)], &steps)
        };
        let versions = [
            ran("a-1", "1.0", 100_000, 300_000),
            ran("a-1", "1.1", 305_000, 2_000_000),
            ran("a-2", "1.0", 100_000, 325_000),
            ran("a-2", "1.1", 330_000, 2_000_000),
            ran("a-3", "1.1", 1_515_000, 2_000_000),
        ];
        let first = first_version(&versions, span);
        assert_eq!(first.as_deref(), Some("1.0"));
        let marks = changes(starts(&started, &versions, span), first);
        let told: Vec<_> = marks.iter().map(|m| (m.at, m.kind, m.words.as_str())).collect();
        assert_eq!(
            told,
            [
                (300_000, MarkKind::Deploy, "version 1.0 → 1.1"),
                (1_500_000, MarkKind::Restart, "a-1 restarted"),
                (1_510_000, MarkKind::Restart, "a-3 started"),
            ]
        );
    }

    #[test]
    fn alerts_last() {
        let span = ChartSpan { from: 0, to: 60_000, step: 5_000, live: true };
        let seen = [0, 5, 10, 40, 45].map(|s| (s * 1000, 1.0));
        let found = intervals(&line(&[("alertname", "Slow")], &seen), span);
        let told: Vec<_> = found.iter().map(|m| (m.at, m.until)).collect();
        assert_eq!(told, [(0, Some(10_000)), (40_000, Some(45_000))]);
        assert_eq!(found[0].words, "Slow fired");
    }
}
