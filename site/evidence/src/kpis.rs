//! The figures that a page states, measured. `document` gives the words and the query.

use crate::answers::Answers;
use crate::figures::number;
use crate::plan::{HISTORY_S, HISTORY_STEP_S, KpiQuestions, binding_of};
use crate::units::named_unit;
use crate::verdict::judge;
use crate::{Claim, Figure, KpiEvidence, Plan, Verdict, parse_claim};
use document::{Config, Kpi};
use promql::{MatrixSeries, Value};

/// Points of a sparkline, both ends of the range included.
const HISTORY_POINTS: usize = (HISTORY_S / HISTORY_STEP_S) as usize + 1;

/// What is measured of a KPI and whether its claim holds.
pub(crate) fn kpi(kpi: &Kpi, config: &Config, plan: &Plan, answers: &Answers<'_>) -> KpiEvidence {
    let binding = binding_of(kpi, config);
    let words = kpi.claim.as_ref().or(binding.and_then(|b| b.claim.as_ref())).unwrap_or(&kpi.value);
    let claim = parse_claim(words);
    let given = kpi.unit.as_ref().or(binding.and_then(|b| b.unit.as_ref()));
    let (unit, factor) = base_unit(given.map(String::as_str), claim.as_ref());
    let asked = KpiQuestions::new(kpi, config, plan.window);
    let (value, history) = match &asked {
        Some(asked) => measure(asked, answers, factor),
        None => (Figure::NoData, Vec::new()),
    };
    let (verdict, reason) = match &claim {
        None => (Verdict::Unproven, format!("`{words}` names no bound to measure against")),
        Some(_) if asked.is_none() => (Verdict::Unproven, "nothing measures it".to_owned()),
        Some(claim) if !claim.unit.is_empty() && claim.unit != unit => {
            let measured = if unit.is_empty() { "a count" } else { unit.as_str() };
            (Verdict::Unproven, format!("claimed in {}, measured in {measured}", claim.unit))
        }
        Some(claim) => judge(claim, &value, peak(&history)),
    };
    KpiEvidence {
        id: kpi.id.clone(),
        value,
        unit,
        bound: claim.map(|claim| claim.bound),
        verdict,
        reason,
        history,
    }
}

/// The base unit of what the query gives and its factor: as the author says, else as the claim has it.
pub(crate) fn base_unit(given: Option<&str>, claim: Option<&Claim>) -> (String, f64) {
    match given.map(str::trim).filter(|given| !given.is_empty()) {
        Some(given) => match named_unit(given) {
            Some((unit, factor)) => (unit.base().to_owned(), factor),
            None => (given.to_owned(), 1.0),
        },
        None => (claim.map_or_else(String::new, |claim| claim.unit.clone()), 1.0),
    }
}

fn measure(asked: &KpiQuestions, answers: &Answers<'_>, factor: f64) -> (Figure, Vec<Option<f64>>) {
    let past = match answers.get(&asked.history) {
        Some(Ok(Value::Matrix(matrix))) => matrix.as_slice(),
        _ => &[],
    };
    let now = match answers.get(&asked.now) {
        None => Figure::Loading,
        Some(Err(error)) => Figure::QueryError(error.clone()),
        Some(Ok(value)) => present(value, past, answers),
    };
    let now = match now {
        Figure::Value(v) => number(v * factor),
        Figure::Stale(v, age) if (v * factor).is_finite() => Figure::Stale(v * factor, age),
        other => other,
    };
    (now, history(past, answers.now_ms(), factor))
}

fn present(value: &Value, past: &[MatrixSeries], answers: &Answers<'_>) -> Figure {
    match value {
        Value::Scalar { v, .. } => answers.number(*v),
        Value::Vector(vector) => match vector.as_slice() {
            [] => match past {
                [only] => answers.last_of(&only.samples).unwrap_or(Figure::NoData),
                _ => Figure::NoData,
            },
            [only] => answers.number(only.v),
            several => Figure::QueryError(format!(
                "{} series instead of one; an aggregation such as `sum(...)` joins them",
                several.len()
            )),
        },
        other => Figure::QueryError(format!("a {} instead of a number", other.kind())),
    }
}

/// The values of the only series at their places in the last five minutes.
fn history(past: &[MatrixSeries], now_ms: i64, factor: f64) -> Vec<Option<f64>> {
    let [only] = past else { return Vec::new() };
    let mut points = vec![None; HISTORY_POINTS];
    for sample in &only.samples {
        let steps_ago = now_ms.saturating_sub(sample.t) / (i64::from(HISTORY_STEP_S) * 1000);
        let place =
            usize::try_from(steps_ago).ok().and_then(|ago| (HISTORY_POINTS - 1).checked_sub(ago));
        let value = sample.v * factor;
        if let Some(place) = place.filter(|_| value.is_finite()) {
            points[place] = Some(value);
        }
    }
    points
}

fn peak(history: &[Option<f64>]) -> Option<f64> {
    history.iter().flatten().copied().reduce(f64::max)
}
