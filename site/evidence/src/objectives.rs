//! Objectives measured: attainment, error budget, burn rates.
//!
//! `plan` asks the questions, `evaluate` hands in the answers; the words are read and the arithmetic is done in `objective`.

use crate::answers::Answers;
use crate::figures::number;
use crate::objective::{
    BurnAlert, Promise, budget_left, budget_s, burn_alerts, burn_rate, is_reachable, period_s,
    promise,
};
use crate::plan::{Question, QuestionShape, failed_rate, put_window};
use crate::verdict::judge;
use crate::words::amount;
use crate::{
    Budget, BurnRate, Claim, Comparison, Figure, ObjectiveEvidence, ObjectivePlace, Verdict,
};
use document::{Book, Config, Objective, ServiceId};
use promql::Value;
use std::collections::HashMap;

/// Objectives of a book; what is beyond is not measured.
const OBJECTIVES_MAX: usize = 500;
/// With fewer events in a span its burn rate raises no alert, unless the author says otherwise.
const MIN_EVENTS: u32 = 20;
/// Slices into which the history of a budget is cut.
const SLICES: u32 = 60;
/// A rate is taken over so many seconds at least, for there must be two samples in them; short slices then overlap.
const SLICE_LEAST_S: u32 = 120;
/// An answer over a span is asked again after this part of the span.
const FRESH_PART: u32 = 120;
/// And after so many seconds at the latest.
const FRESH_MAX_S: u32 = 60;
/// The span over which "now" is said: how fast the budget burns.
const NOW_S: u32 = 3_600;
/// Spans that histories are drawn over, seconds: the first that what is kept does not exceed.
const HISTORY_LADDER_S: [u32; 9] =
    [300, 900, 3_600, 3 * 3_600, 12 * 3_600, 86_400, 3 * 86_400, 7 * 86_400, 15 * 86_400];

/// An objective with its words read.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) objective: &'a Objective,
    pub(crate) id: String,
    places: Vec<ObjectivePlace>,
    services: Vec<ServiceId>,
    period_s: u32,
    history_s: u32,
    measure: Result<Measure, String>,
}

/// What is asked for an objective.
#[derive(Debug)]
enum Measure {
    Good { share: f64, within_s: Option<f64>, queries: Queries },
    Value { claim: Claim, query: String },
}

/// Events a second, with `$window` for the span.
#[derive(Debug)]
struct Queries {
    total: String,
    /// Either the bad ones, or the good ones.
    part: String,
    part_is_bad: bool,
    /// Whether no series of the part means that there were none, rather than that nobody counts them.
    absent_is_none: bool,
}

/// Every objective of the book with what is asked for it. `kept_s` is the span of which there are samples.
pub(crate) fn of_book(book: &Book, kept_s: u32) -> Vec<Asked<'_>> {
    let mut found: Vec<Asked<'_>> = Vec::new();
    let mut counts: HashMap<String, u32> = HashMap::new();
    let in_pages = book.pages.iter().flat_map(|page| {
        page.objectives().map(move |(section, objective)| {
            let place =
                ObjectivePlace { page: page.id.clone(), section: section.map(|s| s.id.clone()) };
            let said = section.map_or(&[][..], |section| &section.services);
            let around = if said.is_empty() { &page.services[..] } else { said };
            (objective, Some(place), around)
        })
    });
    let configured = book.config.objectives.iter().map(|objective| (objective, None, &[][..]));
    for (objective, place, around) in configured.chain(in_pages).take(OBJECTIVES_MAX) {
        let services = if objective.services.is_empty() {
            around.to_vec()
        } else {
            objective.services.clone()
        };
        // The same words at another place are the same objective.
        let same =
            |asked: &&mut Asked<'_>| asked.objective == objective && asked.services == services;
        if let Some(known) = found.iter_mut().find(same) {
            known.places.extend(place);
            continue;
        }
        let count = counts.entry(objective.id.clone()).or_default();
        *count += 1;
        let id =
            if *count == 1 { objective.id.clone() } else { format!("{}-{count}", objective.id) };
        let period = period_s(&objective.window);
        let period_s = *period.as_ref().unwrap_or(&0);
        let measure = period.and_then(|_| measure(objective, &services, &book.config));
        let places = place.into_iter().collect();
        let history_s = history_s(period_s, kept_s);
        found.push(Asked { objective, id, places, services, period_s, history_s, measure });
    }
    found
}

fn history_s(period_s: u32, kept_s: u32) -> u32 {
    let rung = HISTORY_LADDER_S.into_iter().find(|rung| *rung >= kept_s);
    rung.unwrap_or(u32::MAX).min(period_s)
}

fn measure(
    objective: &Objective,
    services: &[ServiceId],
    config: &Config,
) -> Result<Measure, String> {
    let matcher = matcher(services, config);
    let unmeasured = || "nothing measures it: name a `service`, or queries".to_owned();
    match promise(&objective.target)? {
        Promise::Value(claim) => {
            let usual = || {
                let matcher = matcher.as_ref().filter(|_| claim.unit == "1/s")?;
                Some(format!(
                    "sum(rate(http_server_request_duration_seconds_count{{{matcher}}}[$window]))"
                ))
            };
            let query = objective.query.clone().or_else(usual).ok_or_else(unmeasured)?;
            Ok(Measure::Value { claim, query })
        }
        Promise::Good { share, within_s } => {
            let queries = match (&objective.total, &objective.bad, &objective.good) {
                (Some(total), Some(part), _) => queries(total, part, true)?,
                (Some(total), None, Some(part)) => queries(total, part, false)?,
                (None, None, None) => usual_queries(&matcher.ok_or_else(unmeasured)?, within_s),
                _ => return Err("`total` and one of `good` and `bad` belong together".to_owned()),
            };
            Ok(Measure::Good { share, within_s, queries })
        }
    }
}

/// `job="orders"`, or several at a time; `None` without a service.
fn matcher(services: &[ServiceId], config: &Config) -> Option<String> {
    let job = |id: &ServiceId| {
        let named = config.services.get(id).and_then(|service| service.service_name.clone());
        named.unwrap_or_else(|| id.0.clone())
    };
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    match services {
        [] => None,
        [only] => Some(format!("job=\"{}\"", quoted(&job(only)))),
        several => {
            let names: Vec<String> = several.iter().map(|id| regex_escaped(&job(id))).collect();
            Some(format!("job=~\"{}\"", quoted(&names.join("|"))))
        }
    }
}

fn regex_escaped(text: &str) -> String {
    let special = |c: char| "\\.+*?()|[]{}^$".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

/// What HTTP servers count of themselves, by the names of OpenTelemetry.
fn usual_queries(matcher: &str, within_s: Option<f64>) -> Queries {
    let total =
        format!("sum(rate(http_server_request_duration_seconds_count{{{matcher}}}[$window]))");
    let Some(bound) = within_s else {
        let part = format!("sum({})", failed_rate(matcher, "$window"));
        return Queries { total, part, part_is_bad: true, absent_is_none: true };
    };
    // Some libraries write a whole number as `1.0`.
    let bucket = match bound.fract() == 0.0 {
        true => format!("le=~\"{bound}|{bound}\\\\.0\""),
        false => format!("le=\"{bound}\""),
    };
    let part = format!(
        "sum(rate(http_server_request_duration_seconds_bucket{{{matcher},{bucket}}}[$window]))"
    );
    Queries { total, part, part_is_bad: false, absent_is_none: false }
}

/// The author's own, which may name counters alone.
fn queries(total: &str, part: &str, part_is_bad: bool) -> Result<Queries, String> {
    let (total, part) = (over_window(total)?, over_window(part)?);
    Ok(Queries { total, part, part_is_bad, absent_is_none: true })
}

fn over_window(query: &str) -> Result<String, String> {
    let query = query.trim();
    if query.contains("$window") {
        return Ok(query.to_owned());
    }
    let name = query.split('{').next().unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    if !name.is_empty() && name.chars().all(is_name) && !query.contains(['(', '[']) {
        return Ok(format!("sum(rate({query}[$window]))"));
    }
    Err(format!("`{query}` has no `$window` for the span over which events are counted"))
}

impl Asked<'_> {
    /// Everything that is asked for it.
    pub(crate) fn questions(&self) -> Vec<Question> {
        match &self.measure {
            Err(_) => Vec::new(),
            Ok(Measure::Value { query, .. }) => {
                vec![self.now(query, self.period_s), self.past(query)]
            }
            Ok(Measure::Good { queries, .. }) => {
                let spans = self.spans();
                let both = [&queries.total, &queries.part];
                let now = spans.iter().flat_map(|span| both.map(|query| self.now(query, *span)));
                now.chain(both.map(|query| self.past(query))).collect()
            }
        }
    }

    pub(crate) fn period_s(&self) -> u32 {
        self.period_s
    }

    pub(crate) fn title(&self) -> &str {
        &self.objective.title
    }

    pub(crate) fn target(&self) -> String {
        self.objective.target.replace('_', " ")
    }

    pub(crate) fn services(&self) -> &[ServiceId] {
        &self.services
    }

    /// The share of good events that is promised, where that is measured.
    pub(crate) fn share(&self) -> Option<f64> {
        match &self.measure {
            Ok(Measure::Good { share, .. }) => Some(*share),
            _ => None,
        }
    }

    /// With fewer events in a span its burn rate raises no alert.
    pub(crate) fn min_events(&self) -> u32 {
        self.objective.min_events.unwrap_or(MIN_EVENTS)
    }

    /// All events a second over a span, in parentheses; empty where that is not measured.
    pub(crate) fn total_query(&self, span_s: u32) -> String {
        match &self.measure {
            Ok(Measure::Good { queries, .. }) => {
                format!("({})", put_window(&queries.total, &format!("{span_s}s")))
            }
            _ => String::new(),
        }
    }

    /// The share of bad events over a span, as one expression.
    pub(crate) fn bad_share_query(&self, span_s: u32) -> String {
        let Ok(Measure::Good { queries, .. }) = &self.measure else { return String::new() };
        let total = self.total_query(span_s);
        let part = format!("({})", put_window(&queries.part, &format!("{span_s}s")));
        let part = match queries.absent_is_none {
            true => format!("({part} or 0 * {total})"),
            false => part,
        };
        match queries.part_is_bad {
            true => format!("{part} / {total}"),
            false => format!("clamp_min({total} - {part}, 0) / {total}"),
        }
    }

    /// The period and the spans of its alerts, each once.
    pub(crate) fn spans(&self) -> Vec<u32> {
        let alerts = burn_alerts(self.period_s).flat_map(|alert| [alert.long_s, alert.short_s]);
        let mut spans: Vec<u32> = alerts.chain([self.period_s, NOW_S.min(self.period_s)]).collect();
        spans.sort_unstable();
        spans.dedup();
        spans
    }

    fn now(&self, query: &str, span_s: u32) -> Question {
        Question {
            query: put_window(query, &format!("{span_s}s")),
            shape: QuestionShape::Instant,
            fresh_s: fresh_s(span_s),
        }
    }

    /// Slice by slice over the history.
    fn past(&self, query: &str) -> Question {
        let step_s = (self.history_s / SLICES).max(1);
        let span = match &self.measure {
            Ok(Measure::Value { .. }) => self.period_s,
            _ => step_s.max(SLICE_LEAST_S),
        };
        Question {
            query: put_window(query, &format!("{span}s")),
            shape: QuestionShape::Range { seconds: self.history_s.saturating_sub(step_s), step_s },
            fresh_s: step_s.min(FRESH_MAX_S),
        }
    }

    /// What the answers say.
    pub(crate) fn evidence(&self, answers: &Answers<'_>) -> ObjectiveEvidence {
        let mut found = ObjectiveEvidence {
            id: self.id.clone(),
            title: self.objective.title.clone(),
            description: self.objective.description.clone(),
            target: self.objective.target.replace('_', " "),
            places: self.places.clone(),
            services: self.services.clone(),
            period_s: self.period_s,
            history_s: self.history_s,
            share: None,
            within_s: None,
            unit: "ratio".to_owned(),
            value: Figure::NoData,
            events: Figure::NoData,
            budget: None,
            burn: Figure::NoData,
            burns: Vec::new(),
            verdict: Verdict::Unproven,
            reason: String::new(),
            history: Vec::new(),
            queries: Vec::new(),
        };
        match &self.measure {
            Err(why) => found.reason.clone_from(why),
            Ok(Measure::Value { claim, query }) => self.value(claim, query, answers, &mut found),
            Ok(Measure::Good { share, within_s, queries }) => {
                (found.share, found.within_s) = (Some(*share), *within_s);
                self.good(*share, queries, answers, &mut found);
            }
        }
        for figure in [&mut found.value, &mut found.events, &mut found.burn] {
            *figure = answers.as_old(figure.clone());
        }
        if let Figure::Stale(_, age_s) = found.value {
            found.verdict = Verdict::Stale;
            found.reason = format!("measured {} ago, nothing since", amount(f64::from(age_s), "s"));
        }
        found
    }

    fn value(
        &self,
        claim: &Claim,
        query: &str,
        answers: &Answers<'_>,
        found: &mut ObjectiveEvidence,
    ) {
        found.unit.clone_from(&claim.unit);
        found.value = single(answers.get(&self.now(query, self.period_s)));
        found.history = self.slices(answers.get(&self.past(query)), answers.now_ms());
        let peak = found.history.iter().flatten().copied().reduce(f64::max);
        (found.verdict, found.reason) = judge(claim, &found.value, peak);
        found.queries = vec![("value".to_owned(), self.now(query, self.period_s).query)];
    }

    fn good(
        &self,
        share: f64,
        queries: &Queries,
        answers: &Answers<'_>,
        found: &mut ObjectiveEvidence,
    ) {
        let span = |span_s: u32| Span::new(self, queries, span_s, answers);
        let whole = span(self.period_s);
        let bad = whole.bad_share();
        found.value = map(&bad, |bad| 1.0 - bad);
        found.events = map(&whole.total, |rate| rate * f64::from(self.period_s));
        let left = map(&bad, |bad| budget_left(bad, share));
        let total_s = budget_s(self.period_s, share);
        found.budget = Some(Budget { left_s: map(&left, |left| left * total_s), left, total_s });
        found.burn = map(&span(NOW_S.min(self.period_s)).bad_share(), |bad| burn_rate(bad, share));
        let min_events = f64::from(self.min_events());
        found.burns = burn_alerts(self.period_s)
            .map(|alert| burn(&alert, share, min_events, &span(alert.long_s), &span(alert.short_s)))
            .collect();
        found.history = self.burn_down(share, queries, answers);
        (found.verdict, found.reason) = self.verdict(share, found, &whole);
        found.queries = vec![
            ("total".to_owned(), self.now(&queries.total, self.period_s).query),
            (
                if queries.part_is_bad { "bad" } else { "good" }.to_owned(),
                self.now(&queries.part, self.period_s).query,
            ),
        ];
    }

    fn verdict(&self, share: f64, found: &ObjectiveEvidence, whole: &Span) -> (Verdict, String) {
        if let (Figure::NoData, Some(bound)) = (&found.value, found.within_s)
            && matches!(whole.total, Figure::Value(_))
        {
            let bound = amount(bound, "s");
            return (Verdict::NoData, format!("no bucket of the histogram ends at {bound}"));
        }
        let claim = Claim {
            comparison: Comparison::AtLeast,
            bound: share,
            unit: "ratio".to_owned(),
            is_capacity: false,
        };
        let (verdict, reason) = judge(&claim, &found.value, None);
        let firing = found.burns.iter().find(|burn| burn.firing);
        if let (Verdict::Holds, Some(burn), Figure::Value(rate)) = (verdict, firing, &found.burn) {
            let long = amount(f64::from(burn.long_s), "s");
            let reason = format!(
                "{reason}; burns {rate:.1} times as fast as it may, over {} in {long}",
                burn.factor
            );
            return (Verdict::AtRisk, reason);
        }
        match (verdict, &found.burn) {
            (Verdict::Holds, Figure::Value(rate)) if *rate > 1.0 && enough(self, whole, found) => {
                let lasts = amount(f64::from(self.period_s) / rate, "s");
                (Verdict::AtRisk, format!("{reason}; at this rate the budget lasts {lasts}"))
            }
            (verdict, _) => (verdict, reason),
        }
    }

    /// What is left of the budget after each slice of the history, from the first that was measured: where nothing happens,
    /// nothing is spent.
    fn burn_down(&self, share: f64, queries: &Queries, answers: &Answers<'_>) -> Vec<Option<f64>> {
        let totals = self.slices(answers.get(&self.past(&queries.total)), answers.now_ms());
        let parts = self.slices(answers.get(&self.past(&queries.part)), answers.now_ms());
        let (mut all, mut bad) = (0.0, 0.0);
        let slice = |(nth, total): (usize, &Option<f64>)| {
            let part = parts.get(nth).copied().flatten();
            let part = part.or(queries.absent_is_none.then_some(0.0));
            if let (Some(total), Some(part)) = (*total, part) {
                all += total;
                bad += if queries.part_is_bad { part } else { (total - part).max(0.0) };
            }
            (all > 0.0).then(|| budget_left(bad / all, share))
        };
        totals.iter().enumerate().map(slice).collect()
    }

    /// The values of the only series at their places in the history.
    fn slices(&self, answer: Option<&Result<Value, String>>, now_ms: i64) -> Vec<Option<f64>> {
        let Some(Ok(Value::Matrix(matrix))) = answer else { return Vec::new() };
        let [only] = matrix.as_slice() else { return Vec::new() };
        let step_s = (self.history_s / SLICES).max(1);
        let count = (self.history_s / step_s) as usize;
        let mut slices = vec![None; count];
        let end = now_ms - now_ms.rem_euclid(i64::from(step_s) * 1000);
        for sample in &only.samples {
            let ago = end.saturating_sub(sample.t) / (i64::from(step_s) * 1000);
            let place = usize::try_from(ago).ok().and_then(|ago| count.checked_sub(ago + 1));
            if let Some(place) = place.filter(|_| sample.v.is_finite()) {
                slices[place] = Some(sample.v);
            }
        }
        slices
    }
}

fn fresh_s(span_s: u32) -> u32 {
    (span_s / FRESH_PART).min(FRESH_MAX_S)
}

/// Whether enough happened in the last hour to speak of a rate.
fn enough(asked: &Asked<'_>, whole: &Span, found: &ObjectiveEvidence) -> bool {
    let least = f64::from(asked.min_events());
    match found.burns.first() {
        Some(first) => !first.too_few,
        None => whole.events().is_none_or(|events| events >= least),
    }
}

/// Events in one span of time.
struct Span {
    seconds: u32,
    total: Figure,
    bad: Figure,
}

impl Span {
    fn new(asked: &Asked<'_>, queries: &Queries, seconds: u32, answers: &Answers<'_>) -> Self {
        let total = single(answers.get(&asked.now(&queries.total, seconds)));
        let part = single(answers.get(&asked.now(&queries.part, seconds)));
        let part = match part {
            Figure::NoData if queries.absent_is_none => Figure::Value(0.0),
            other => other,
        };
        let bad = match (&total, part) {
            (_, part) if queries.part_is_bad => part,
            (Figure::Value(total), Figure::Value(good)) => Figure::Value((total - good).max(0.0)),
            (_, part) => part,
        };
        Self { seconds, total, bad }
    }

    fn bad_share(&self) -> Figure {
        match (&self.total, &self.bad) {
            (Figure::Value(total), Figure::Value(_)) if *total <= 0.0 => Figure::NoTraffic,
            (Figure::Value(total), Figure::Value(bad)) => {
                Figure::Value((bad / total).clamp(0.0, 1.0))
            }
            (Figure::Value(_), other) => other.clone(),
            (other, _) => other.clone(),
        }
    }

    fn events(&self) -> Option<f64> {
        match &self.total {
            Figure::Value(rate) => Some(rate * f64::from(self.seconds)),
            _ => None,
        }
    }
}

fn burn(alert: &BurnAlert, share: f64, min_events: f64, long: &Span, short: &Span) -> BurnRate {
    let rate = |span: &Span| map(&span.bad_share(), |bad| burn_rate(bad, share));
    let (long_rate, short_rate) = (rate(long), rate(short));
    let over = |figure: &Figure| matches!(figure, Figure::Value(rate) if *rate > alert.factor);
    let too_few = long.events().is_some_and(|events| events < min_events);
    BurnRate {
        severity: alert.severity,
        factor: alert.factor,
        long_s: alert.long_s,
        short_s: alert.short_s,
        firing: over(&long_rate) && over(&short_rate) && !too_few,
        reachable: is_reachable(alert.factor, share),
        too_few,
        long: long_rate,
        short: short_rate,
    }
}

fn map(figure: &Figure, change: impl Fn(f64) -> f64) -> Figure {
    match figure {
        Figure::Value(value) => number(change(*value)),
        other => other.clone(),
    }
}

/// The only number of an answer.
fn single(answer: Option<&Result<Value, String>>) -> Figure {
    match answer {
        None => Figure::Loading,
        Some(Err(error)) => Figure::QueryError(error.clone()),
        Some(Ok(Value::Scalar { v, .. })) => number(*v),
        Some(Ok(Value::Vector(vector))) => match vector.as_slice() {
            [] => Figure::NoData,
            [only] => number(only.v),
            several => Figure::QueryError(format!(
                "{} series instead of one; an aggregation such as `sum(...)` joins them",
                several.len()
            )),
        },
        Some(Ok(other)) => Figure::QueryError(format!("a {} instead of a number", other.kind())),
    }
}
