//! Aggregations: many series to one for each group, or to the few that a group keeps.
//!
//! Sums and their kin run row by row over all steps at once; `topk` and `quantile` look at one step after the other.

use std::collections::HashMap;

use series::Labels;

use crate::ast::{Aggregation, Grouping, Node};
use crate::eval::{Evaluator, blank};
use crate::grid::{ABSENT, Row, Steps, is_present, join_equal};
use crate::limits::EvalError;
use crate::numbers::{self, KahanSum, Mean, Variance};
use crate::numeral;
use crate::relabel::{by_value, by_value_descending};

/// The rows that share the labels of the grouping.
struct Group {
    labels: Labels,
    /// As in [`Row`]: it matters when the grouping has the name.
    nameless: bool,
    rows: Vec<Row>,
}

impl Evaluator<'_> {
    pub(crate) fn aggregate(
        &self,
        op: Aggregation,
        expr: &Node,
        param: Option<&Node>,
        grouping: &Grouping,
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        use Aggregation::*;
        let number = |node: Option<&Node>| match node {
            Some(node) => self.scalar(node, steps),
            None => Err(EvalError::Invalid("the aggregation needs a parameter".to_owned())),
        };
        let param_at = param.map_or(0, |param| param.at);
        match op {
            CountValues => {
                let label = self
                    .text(param.ok_or_else(|| EvalError::Invalid("no label given".to_owned()))?)?;
                let rows = self.vector(expr, steps)?;
                count_values(groups(rows, grouping), &label, steps)
            }
            Quantile => {
                let q = number(param)?;
                q.iter().for_each(|q| self.notes.quantile_out_of_range(param_at, *q));
                let rows = self.vector(expr, steps)?;
                Ok(groups(rows, grouping)
                    .into_iter()
                    .map(|group| quantile_of(group, &q, steps))
                    .collect())
            }
            TopK | BottomK | LimitK => {
                let k = whole_numbers(&number(param)?)?;
                let rows = self.vector(expr, steps)?;
                Ok(groups(rows, grouping)
                    .into_iter()
                    .flat_map(|group| keep_k(op, group, &k, steps))
                    .collect())
            }
            LimitRatio => {
                let ratios = self.ratios(number(param)?, param_at)?;
                let rows = self.vector(expr, steps)?;
                Ok(rows.into_iter().map(|row| keep_ratio(row, &ratios)).collect())
            }
            Sum | Avg | Min | Max | Count | Group | Stddev | Stdvar => {
                let rows = self.vector(expr, steps)?;
                Ok(groups(rows, grouping).into_iter().map(|group| fold(op, group, steps)).collect())
            }
        }
    }

    fn ratios(&self, ratios: Vec<f64>, at: usize) -> Result<Vec<f64>, EvalError> {
        let checked = |ratio: f64| {
            if ratio.is_nan() {
                return Err(EvalError::Invalid("Ratio value is NaN".to_owned()));
            }
            let capped = ratio.clamp(-1.0, 1.0);
            if capped != ratio {
                let (ratio, capped) = (numeral::shortest(ratio), numeral::shortest(capped));
                self.notes.warn(
                    at,
                    &format!(
                        "ratio value should be between -1 and 1, got {ratio}, capping to {capped}"
                    ),
                );
            }
            Ok(capped)
        };
        ratios.into_iter().map(checked).collect()
    }
}

fn groups(rows: Vec<Row>, grouping: &Grouping) -> Vec<Group> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        if row.is_empty() {
            continue;
        }
        let key = if grouping.without {
            row.labels.filter(|name| {
                name != series::METRIC_NAME && !grouping.labels.iter().any(|l| l == name)
            })
        } else {
            row.labels.keep(&grouping.labels)
        };
        let place = *places.entry(key).or_insert_with_key(|key| {
            groups.push(Group { labels: key.clone(), nameless: false, rows: Vec::new() });
            groups.len() - 1
        });
        groups[place].nameless |= row.nameless;
        groups[place].rows.push(row);
    }
    groups
}

/// Aggregations that see each value once.
fn fold(op: Aggregation, group: Group, steps: Steps) -> Row {
    use Aggregation::*;
    let values = match op {
        Sum => folded(&group, steps, KahanSum::default(), |s, v| s.add(v), |s| s.value()),
        Avg => folded(&group, steps, Mean::default(), |m, v| m.add(v), |m| m.value()),
        Stddev => folded(&group, steps, Variance::default(), |s, v| s.add(v), |s| s.value().sqrt()),
        Stdvar => folded(&group, steps, Variance::default(), |s, v| s.add(v), |s| s.value()),
        Min => folded(
            &group,
            steps,
            f64::NAN,
            |m, v| *m = if v < *m || m.is_nan() { v } else { *m },
            |m| *m,
        ),
        Max => folded(
            &group,
            steps,
            f64::NAN,
            |m, v| *m = if v > *m || m.is_nan() { v } else { *m },
            |m| *m,
        ),
        Count => folded(&group, steps, 0.0, |n, _| *n += 1.0, |n| *n),
        _ => folded(&group, steps, (), |_, _| {}, |_| 1.0),
    };
    Row { labels: group.labels, nameless: group.nameless, values }
}

fn folded<S: Clone>(
    group: &Group,
    steps: Steps,
    empty: S,
    add: impl Fn(&mut S, f64),
    value: impl Fn(&S) -> f64,
) -> Vec<f64> {
    let mut states = vec![empty; steps.count];
    let mut seen = vec![false; steps.count];
    for row in &group.rows {
        for ((state, seen), v) in states.iter_mut().zip(&mut seen).zip(&row.values) {
            if is_present(*v) {
                add(state, *v);
                *seen = true;
            }
        }
    }
    states.iter().zip(seen).map(|(state, seen)| if seen { value(state) } else { ABSENT }).collect()
}

fn quantile_of(group: Group, q: &[f64], steps: Steps) -> Row {
    let mut values = blank(steps);
    let mut at_step = Vec::with_capacity(group.rows.len());
    for (i, slot) in values.iter_mut().enumerate() {
        at_step.clear();
        at_step.extend(group.rows.iter().map(|row| row.values[i]).filter(|v| is_present(*v)));
        if !at_step.is_empty() {
            *slot = numbers::quantile(q[i], &mut at_step);
        }
    }
    Row { labels: group.labels, nameless: group.nameless, values }
}

fn count_values(groups: Vec<Group>, label: &str, steps: Steps) -> Result<Vec<Row>, EvalError> {
    if label.is_empty() {
        return Err(EvalError::Invalid(format!("invalid label name {label:?}")));
    }
    let mut rows = Vec::new();
    for group in groups {
        let nameless = group.nameless && label != series::METRIC_NAME;
        let mut counts: HashMap<String, Vec<f64>> = HashMap::new();
        for row in &group.rows {
            for (i, v) in row.values.iter().enumerate().filter(|(_, v)| is_present(**v)) {
                let count =
                    &mut counts.entry(numeral::shortest(*v)).or_insert_with(|| blank(steps))[i];
                *count = if is_present(*count) { *count + 1.0 } else { 1.0 };
            }
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by(|a, b| a.0.cmp(&b.0));
        rows.extend(counts.into_iter().map(|(v, values)| Row {
            labels: group.labels.with(label, v),
            nameless,
            values,
        }));
    }
    join_equal(rows)
}

/// The `k` of each step; more than there can be series is as good as all.
fn whole_numbers(values: &[f64]) -> Result<Vec<usize>, EvalError> {
    let whole = |v: &f64| {
        if v.is_nan() {
            return Err(EvalError::Invalid("Parameter value is NaN".to_owned()));
        }
        if v.abs() >= i64::MAX as f64 {
            return Err(EvalError::Invalid(format!(
                "Scalar value {} overflows int64",
                numeral::shortest(*v)
            )));
        }
        Ok(v.max(0.0) as usize)
    };
    values.iter().map(whole).collect()
}

/// The rows of a group, each with only the steps at which it is among the `k`.
fn keep_k(op: Aggregation, mut group: Group, k: &[usize], steps: Steps) -> Vec<Row> {
    // Among equals the labels decide, so that the same series win at every look.
    group.rows.sort_by(|a, b| a.labels.cmp(&b.labels));
    let order = |a: f64, b: f64| match op {
        Aggregation::TopK => by_value_descending(a, b),
        Aggregation::BottomK => by_value(a, b),
        _ => std::cmp::Ordering::Equal,
    };
    let mut kept: Vec<Vec<f64>> = vec![blank(steps); group.rows.len()];
    let mut first_order = Vec::new();
    for (i, k) in k.iter().enumerate() {
        let mut present: Vec<usize> =
            (0..group.rows.len()).filter(|r| is_present(group.rows[*r].values[i])).collect();
        present.sort_by(|a, b| order(group.rows[*a].values[i], group.rows[*b].values[i]));
        present.truncate(*k);
        for row in &present {
            kept[*row][i] = group.rows[*row].values[i];
        }
        if i == 0 {
            first_order = present;
        }
    }
    // An instant query promises the order of the values; later steps have none.
    let mut rows: Vec<Option<Row>> =
        group.rows.into_iter().zip(kept).map(|(row, values)| Some(Row { values, ..row })).collect();
    let mut ordered: Vec<Row> = first_order.iter().filter_map(|row| rows[*row].take()).collect();
    ordered.extend(rows.into_iter().flatten().filter(|row| !row.is_empty()));
    ordered
}

/// The row, with only the steps whose ratio takes in its place between 0 and 1, which its labels decide.
fn keep_ratio(mut row: Row, ratios: &[f64]) -> Row {
    let place = row.labels.hash_value() as f64 / u64::MAX as f64;
    for (v, ratio) in row.values.iter_mut().zip(ratios) {
        let kept = if *ratio >= 0.0 { place < *ratio } else { place >= 1.0 + *ratio };
        if !kept {
            *v = ABSENT;
        }
    }
    row
}
