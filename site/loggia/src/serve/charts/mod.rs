//! Charts: what is asked for one, over which time and at which steps, and its points.
//!
//! `views`, `explore` and the API say what they want as [`Asked`]; `pages` draws what comes out.

mod api;
mod book;
mod changes;
mod saturation;
mod service;

use super::App;
use super::moment::Moment;
use pages::{CHART_SERIES_MAX, Chart, ChartExemplar, ChartKind, ChartSeries, ChartSpan};
use promql::{MatrixSeries, Query, Value};
use series::{Labels, METRIC_NAME};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use telemetry::{AskError, StepRange};
use traces::TraceId;

pub(super) use api::{csv, json};
pub(super) use book::of_page;
pub(crate) use book::{kind, snapshot_source};
pub(super) use changes::{compared, marks};
pub(super) use saturation::saturation;
pub(super) use service::{charts, instances, routes};

/// Steps of a line at most; what is between two of them is asked for in another way.
const STEPS_MAX: i64 = 720;
/// Bars at most: more could not be told apart.
const BARS_MAX: i64 = 60;
/// Lengths of steps, seconds: the smallest that gives no more than the most steps is taken.
const STEPS_S: [i64; 18] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200,
    86_400,
];
/// Over longer ranges nothing is scraped so often that a shorter step would show more.
const USUAL_STEP_FROM_MS: i64 = 600_000;
const USUAL_STEP_MS: i64 = 5_000;
/// Rates are taken over at least so many seconds once there are as many.
const WINDOW_S: (u32, u32) = (5, 30);
/// Answers that are kept between ticks.
const KEPT_MAX: usize = 192;
/// Samples in all kept answers, some 32 MB, and in one: what is larger is asked for again.
const KEPT_SAMPLES_MAX: usize = 2_000_000;
const KEPT_ONE_MAX: usize = 200_000;
/// Series of one query: more cannot be told apart, and each is worked on.
const SERIES_MAX: usize = 2_000;
/// What is asked for a chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Asked {
    pub(super) title: String,
    pub(super) note: String,
    pub(super) unit: String,
    pub(super) kind: ChartKind,
    pub(super) threshold: Option<f64>,
    pub(super) lines: Vec<Line>,
    /// PromQL whose exemplars are shown.
    pub(super) exemplars: Option<String>,
    /// The service whose deploys and alerts are marked.
    pub(super) service: Option<String>,
}

/// What is asked for one or several lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// The name, in which `{{label}}` stands for the value of a label; empty for the labels that differ.
    pub(super) name: String,
    /// PromQL.
    pub(super) query: String,
}

/// How far charts reach: until a moment, or until now and moving on with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Span {
    length_ms: i64,
    end: Option<i64>,
}

/// Answers of range queries and of the past, which stay the same.
#[derive(Debug, Default)]
pub(super) struct Cache {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    answers: HashMap<Key, Arc<Value>>,
    order: VecDeque<Key>,
    samples: usize,
}

/// Query, first step, last step, length of a step.
type Key = (String, i64, i64, i64);
type Points = Vec<(i64, Option<f64>)>;

impl Span {
    /// As the address says, else `usual_ms` until now.
    pub(super) fn of(moment: Moment, usual_ms: i64, now: i64) -> Self {
        let (from, to) = moment.span(usual_ms, now);
        // Whole seconds: the address was read a moment before `now`.
        let length_ms = ((to - from + 500) / 1_000 * 1_000).max(1_000);
        Self { length_ms, end: moment.to.or(moment.at) }
    }

    /// The ends and steps at a moment.
    pub(super) fn at(self, now: i64, kind: ChartKind) -> ChartSpan {
        let most = if kind == ChartKind::Bar { BARS_MAX } else { STEPS_MAX };
        let least = match self.length_ms {
            length if length > USUAL_STEP_FROM_MS => USUAL_STEP_MS,
            _ => 1_000,
        };
        let fits = |s: &&i64| **s * 1_000 >= least && self.length_ms / (**s * 1_000) <= most;
        let step = STEPS_S.iter().find(fits).map_or(self.length_ms / most, |s| s * 1_000);
        let to = self.end.unwrap_or(now - now.rem_euclid(step));
        ChartSpan { from: to - self.length_ms, to, step, live: self.end.is_none() }
    }
}

impl Asked {
    /// The same as the query part of an address.
    pub(super) fn source(&self) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        let mut put = |name: &str, value: &str| {
            if !value.is_empty() {
                out.append_pair(name, value);
            }
        };
        put("title", &self.title);
        put("unit", &self.unit);
        if self.kind != ChartKind::Line {
            put("type", self.kind.word());
        }
        put("threshold", &self.threshold.map_or_else(String::new, |bound| bound.to_string()));
        put("service", self.service.as_deref().unwrap_or_default());
        put("exemplars", self.exemplars.as_deref().unwrap_or_default());
        for line in &self.lines {
            out.append_pair("name", &line.name).append_pair("query", &line.query);
        }
        out.finish()
    }

    /// The chart over a span. `all` keeps every series, for tables.
    pub(super) fn chart(&self, app: &App, span: Span, now: i64, all: bool) -> Chart {
        let evidence = app.evidence();
        let ends = span.at(now, self.kind);
        let window = window(ends.step, evidence.window);
        let mut chart = Chart {
            title: self.title.clone(),
            note: self.note.clone(),
            unit: self.unit.clone(),
            kind: self.kind,
            threshold: self.threshold,
            span: ends,
            source: self.source(),
            ..Chart::default()
        };
        for line in &self.lines {
            let query = evidence::put_window(&line.query, &window);
            match lines(app, line, &query, ends, self.kind) {
                Ok(found) => chart.series.extend(found),
                Err(AskError::Refused(why)) => chart.fault = Some(why),
                // Every page says it already.
                Err(AskError::Down(_)) => {}
            }
        }
        if !all {
            chart.more = keep_largest(&mut chart.series);
        }
        if let Some(query) = self.exemplars.as_deref().filter(|_| !all) {
            chart.exemplars = exemplars(app, query, ends);
        }
        if let Some(service) = self.service.as_deref().filter(|_| !all) {
            chart.marks = marks(app, service, ends);
        }
        chart
    }
}

/// A span that no two steps leave anything out of, as PromQL writes it.
pub(super) fn window(step_ms: i64, evidence_s: u32) -> String {
    format!("{}s", (2 * step_ms / 1000).max(i64::from(evidence_s.clamp(WINDOW_S.0, WINDOW_S.1))))
}

/// The series of one query, each with a point for every step.
fn lines(
    app: &App,
    line: &Line,
    query: &str,
    span: ChartSpan,
    kind: ChartKind,
) -> Result<Vec<ChartSeries>, AskError> {
    let matrix = range(app, query, span)?;
    if matrix.len() > SERIES_MAX {
        return Err(AskError::Refused(format!(
            "{} series, more than the {SERIES_MAX} of a chart: add them up, as with `sum by (label) (…)`, or name fewer",
            matrix.len()
        )));
    }
    let names = names(line, &matrix);
    let fine = match kind {
        ChartKind::Line | ChartKind::Area => between_steps(app, query, span),
        _ => None,
    };
    let each = matrix.iter().zip(names).map(|(series, name)| {
        let points = on_steps(series, span);
        let fine = fine.as_ref().map_or_else(Vec::new, |(low, high)| {
            with_extremes(&points, of(low, &series.labels), of(high, &series.labels), span)
        });
        ChartSeries { name, points, fine }
    });
    Ok(each.collect())
}

fn of<'m>(matrix: &'m [MatrixSeries], labels: &Labels) -> Option<&'m MatrixSeries> {
    let same = |series: &&MatrixSeries| {
        let plain = |labels: &Labels| -> Vec<(String, String)> {
            labels
                .iter()
                .filter(|(name, _)| *name != METRIC_NAME)
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect()
        };
        plain(&series.labels) == plain(labels)
    };
    matrix.iter().find(same)
}

/// Lowest and highest samples within each step, for a query that only picks series: nothing that was
/// sampled stays hidden then, however long the steps are. What is computed has no samples.
fn between_steps(
    app: &App,
    query: &str,
    span: ChartSpan,
) -> Option<(Vec<MatrixSeries>, Vec<MatrixSeries>)> {
    let picked = format!("{}[{}s]", query.trim(), span.step / 1000);
    if span.step < 1_000 || Query::parse(&picked).is_err() || Query::parse(query).is_err() {
        return None;
    }
    let ask = |function: &str| range(app, &format!("{function}({picked})"), span).ok();
    Some((ask("min_over_time")?, ask("max_over_time")?))
}

/// Puts the extremes of each step before its value, the nearer one first.
fn with_extremes(
    points: &Points,
    low: Option<&MatrixSeries>,
    high: Option<&MatrixSeries>,
    span: ChartSpan,
) -> Points {
    let (Some(low), Some(high)) = (low, high) else { return Vec::new() };
    let (low, high) = (on_steps(low, span), on_steps(high, span));
    let mut out = Points::with_capacity(points.len());
    let mut before = None;
    for ((point, low), high) in points.iter().zip(low).zip(high) {
        let extremes = match (low.1, high.1) {
            (Some(low), Some(high)) if Some(low) != point.1 || Some(high) != point.1 => {
                let from = before.unwrap_or(low);
                let far_first = f64::abs(from - low) > f64::abs(from - high);
                if far_first { vec![high, low] } else { vec![low, high] }
            }
            _ => Vec::new(),
        };
        let parts = extremes.len() as i64 + 1;
        for (nth, value) in extremes.into_iter().enumerate() {
            out.push((point.0 - span.step * (parts - 1 - nth as i64) / parts, Some(value)));
        }
        out.push(*point);
        before = point.1.or(before);
    }
    out
}

fn on_steps(series: &MatrixSeries, span: ChartSpan) -> Points {
    let steps = steps(span);
    let count = (steps.end_ms - steps.start_ms) / steps.step_ms;
    let mut points: Points =
        (0..=count).map(|nth| (steps.start_ms + nth * steps.step_ms, None)).collect();
    for sample in series.samples.iter().filter(|sample| sample.v.is_finite()) {
        let nth = (sample.t - steps.start_ms) / steps.step_ms;
        if let Some(point) = usize::try_from(nth).ok().and_then(|nth| points.get_mut(nth)) {
            point.1 = Some(sample.v);
        }
    }
    points
}

/// Whole multiples of the step within the span: what is asked does not depend on when it is asked.
pub(super) fn steps(span: ChartSpan) -> StepRange {
    let step_ms = span.step.max(1);
    let start_ms = span.from + (step_ms - span.from.rem_euclid(step_ms)).rem_euclid(step_ms);
    let end_ms = (span.to - span.to.rem_euclid(step_ms)).max(start_ms);
    StepRange { start_ms, end_ms, step_ms }
}

/// A range query, asked once for all readers of the same span.
pub(super) fn range(
    app: &App,
    query: &str,
    span: ChartSpan,
) -> Result<Vec<MatrixSeries>, AskError> {
    let steps = steps(span);
    let key = (query.to_owned(), steps.start_ms, steps.end_ms, steps.step_ms);
    let answer = app
        .charts
        .get_or(key, || app.sources.metrics().range(query, steps).map(|answer| answer.value))?;
    match &*answer {
        Value::Matrix(matrix) => Ok(matrix.clone()),
        _ => Ok(Vec::new()),
    }
}

impl Cache {
    /// What was asked before, or the answer to `ask`; errors are asked for again.
    fn get_or(
        &self,
        key: Key,
        ask: impl FnOnce() -> Result<Value, AskError>,
    ) -> Result<Arc<Value>, AskError> {
        if let Some(known) = self.lock().answers.get(&key) {
            return Ok(Arc::clone(known));
        }
        let answer = Arc::new(ask()?);
        let weight = samples(&answer);
        if weight > KEPT_ONE_MAX {
            return Ok(answer);
        }
        let mut kept = self.lock();
        match kept.answers.insert(key.clone(), Arc::clone(&answer)) {
            // Somebody else asked the same meanwhile.
            Some(other) => kept.samples -= samples(&other),
            None => kept.order.push_back(key),
        }
        kept.samples += weight;
        while kept.order.len() > KEPT_MAX || kept.samples > KEPT_SAMPLES_MAX {
            let Some(oldest) = kept.order.pop_front() else { break };
            let gone = kept.answers.remove(&oldest).map_or(0, |answer| samples(&answer));
            kept.samples -= gone;
        }
        Ok(answer)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Samples of an answer; each series counts for some more, for its labels.
fn samples(value: &Value) -> usize {
    match value {
        Value::Matrix(matrix) => matrix.iter().map(|series| series.samples.len() + 16).sum(),
        _ => 1,
    }
}

/// Names of series: as the line says, else by the labels in which they differ.
fn names(line: &Line, matrix: &[MatrixSeries]) -> Vec<String> {
    let differs = |name: &str, value: &str| {
        matrix.len() == 1 || matrix.iter().any(|other| other.labels.value(name) != value)
    };
    let own = |labels: &Labels| {
        let values: Vec<&str> = labels
            .iter()
            .filter(|(name, value)| *name != METRIC_NAME && differs(name, value))
            .map(|(_, value)| value)
            .collect();
        match values.is_empty() {
            true => labels.value(METRIC_NAME).to_owned(),
            false => values.join(" "),
        }
    };
    let name = |series: &MatrixSeries| {
        let labels = &series.labels;
        let text = match (line.name.as_str(), matrix.len()) {
            ("", _) => own(labels),
            (name, _) if name.contains("{{") => filled(name, labels),
            (name, 1) => name.to_owned(),
            (name, _) => format!("{name} {}", own(labels)),
        };
        if text.trim().is_empty() { "value".to_owned() } else { text.trim().to_owned() }
    };
    matrix.iter().map(name).collect()
}

/// Puts values of labels into a name.
fn filled(name: &str, labels: &Labels) -> String {
    let mut parts = name.split("{{");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once("}}") {
            Some((label, rest)) => out.extend([labels.value(label.trim()), rest]),
            None => out.extend(["{{", part]),
        }
    }
    out
}

/// Leaves the lines that are the highest on average, in the order of their names so that each keeps its
/// colour; gives the number of those that went.
fn keep_largest(series: &mut Vec<ChartSeries>) -> usize {
    let more = series.len().saturating_sub(CHART_SERIES_MAX);
    if more > 0 {
        let mean = |one: &ChartSeries| {
            let values: Vec<f64> = one.points.iter().filter_map(|(_, value)| *value).collect();
            if values.is_empty() {
                f64::NEG_INFINITY
            } else {
                values.iter().sum::<f64>() / values.len() as f64
            }
        };
        series.sort_by(|a, b| mean(b).total_cmp(&mean(a)).then_with(|| a.name.cmp(&b.name)));
        series.truncate(CHART_SERIES_MAX);
        series.sort_by(|a, b| a.name.cmp(&b.name));
    }
    more
}

/// The traces that a query's series counted, oldest first.
fn exemplars(app: &App, query: &str, span: ChartSpan) -> Vec<ChartExemplar> {
    let found = app.sources.metrics().exemplars(query, span.from, span.to).unwrap_or_default();
    let each = found.into_iter().flat_map(|(_, exemplars)| exemplars).filter_map(|exemplar| {
        let (_, trace_id) = exemplar.labels.iter().find(|(name, _)| name == "trace_id")?;
        // A sender may write anything, and it becomes an address.
        trace_id.parse::<TraceId>().ok()?;
        Some(ChartExemplar {
            at: exemplar.timestamp_ms?,
            value: exemplar.value,
            trace_id: trace_id.clone(),
        })
    });
    let mut each: Vec<ChartExemplar> = each.filter(|one| one.value.is_finite()).collect();
    each.sort_by_key(|one| one.at);
    each
}

#[cfg(test)]
mod tests {
    use super::*;
    use series::Sample;

    fn series(labels: &[(&str, &str)]) -> MatrixSeries {
        let labels =
            labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
        MatrixSeries { labels: Labels::from_pairs(labels), samples: Vec::new() }
    }

    #[test]
    fn series_are_named_by_what_tells_them_apart() {
        let both = [
            series(&[("__name__", "up"), ("job", "a"), ("instance", "a-1")]),
            series(&[("__name__", "up"), ("job", "a"), ("instance", "a-2")]),
        ];
        let check = |name: &str, matrix: &[MatrixSeries], expected: &[&str]| {
            let line = Line { name: name.to_owned(), query: String::new() };
            assert_eq!(names(&line, matrix), expected, "{name}");
        };
        check("", &both, &["a-1", "a-2"]);
        check("", &both[..1], &["a-1 a"]);
        check("up of", &both, &["up of a-1", "up of a-2"]);
        check("up", &both[..1], &["up"]);
        check("{{job}}: {{ instance }}!", &both, &["a: a-1!", "a: a-2!"]);
        check("{{job", &both[..1], &["{{job"]);
        check("", &[series(&[])], &["value"]);
        check("", &[series(&[("__name__", "up")])], &["up"]);
    }

    #[test]
    fn steps_are_whole_and_stay_until_the_next() {
        let live = |length_ms, now| Span { length_ms, end: None }.at(now, ChartKind::Line);
        for (length_ms, step) in [
            (300_000, 1_000),
            (900_000, 5_000),
            (3_600_000, 5_000),
            (21_600_000, 30_000),
            (86_400_000, 120_000),
            (604_800_000, 900_000),
        ] {
            let span = live(length_ms, 1_000_000_123);
            assert_eq!(span.step, step, "{length_ms}");
            assert_eq!(span, live(length_ms, 1_000_000_123 - 123));
            let steps = steps(span);
            assert!((steps.end_ms - steps.start_ms) / steps.step_ms <= STEPS_MAX);
            assert_eq!((steps.start_ms % step, steps.end_ms % step), (0, 0));
        }
        let fixed = Span { length_ms: 7_000, end: Some(12_345) }.at(99_999_999, ChartKind::Line);
        assert_eq!((fixed.from, fixed.to, fixed.live), (5_345, 12_345, false));
        assert_eq!((steps(fixed).start_ms, steps(fixed).end_ms), (6_000, 12_000));
        let bars = Span { length_ms: 900_000, end: None }.at(1_000_000_123, ChartKind::Bar);
        assert_eq!(bars.step, 15_000);
    }

    #[test]
    fn a_spike_between_two_steps_is_drawn() {
        let at = |v: &[f64]| MatrixSeries {
            labels: Labels::default(),
            samples: v
                .iter()
                .enumerate()
                .map(|(n, v)| Sample { t: n as i64 * 3_000, v: *v })
                .collect(),
        };
        let span = ChartSpan { from: 0, to: 6_000, step: 3_000, live: false };
        let points = on_steps(&at(&[1.0, 1.0, 1.0]), span);
        let drawn =
            with_extremes(&points, Some(&at(&[1.0, 0.5, 1.0])), Some(&at(&[1.0, 9.0, 1.0])), span);
        let expected = [(0, 1.0), (1_000, 0.5), (2_000, 9.0), (3_000, 1.0), (6_000, 1.0)];
        assert_eq!(drawn, expected.map(|(at, v)| (at, Some(v))));
    }

    #[test]
    fn an_address_says_what_is_asked() {
        let asked = Asked {
            title: "A & B".to_owned(),
            kind: ChartKind::Stacked,
            threshold: Some(0.5),
            lines: vec![Line { name: String::new(), query: "sum(up{a=\"b c\"})".to_owned() }],
            ..Asked::default()
        };
        assert_eq!(
            asked.source(),
            "title=A+%26+B&type=stacked&threshold=0.5&name=&query=sum%28up%7Ba%3D%22b+c%22%7D%29"
        );
        assert_eq!(api::parse(&asked.source()), Ok((asked, None)));
    }
}
