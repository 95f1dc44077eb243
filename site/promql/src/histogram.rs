//! Quantiles and fractions of classic histograms, whose buckets are series with the label `le`.
//!
//! The evaluator gathers the bucket series of each histogram and asks here at every step.

use std::collections::HashMap;

use series::{BUCKET_LABEL, Labels};

use crate::ast::Node;
use crate::eval::{Evaluator, blank};
use crate::grid::{Row, Rows, Steps, is_present, join_equal};
use crate::limits::EvalError;
use crate::notes::for_metric;
use crate::numeral;

/// Relative difference below which a falling count is rounding, not a mistake.
const TOLERANCE: f64 = 1e-12;

/// The bucket series of one histogram.
struct Histogram {
    /// Its labels without `le`.
    labels: Labels,
    name: String,
    /// Upper bounds and the rows of cumulative counts, by bound.
    buckets: Vec<(f64, Row)>,
}

/// A bucket at one step: observations up to `bound`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    bound: f64,
    count: f64,
}

impl Evaluator<'_> {
    /// `histogram_quantile(q, buckets)`
    pub(crate) fn histogram_quantile(
        &self,
        args: &[Node],
        steps: Steps,
    ) -> Result<Rows, EvalError> {
        let q = self.scalar(&args[0], steps)?;
        q.iter().for_each(|q| self.notes.quantile_out_of_range(args[0].at, *q));
        let rows = self.each_histogram(&args[1], steps, |at, name, i, buckets| {
            let (value, forced) = quantile(q[i], buckets);
            if forced {
                self.note_forced(at, name);
            }
            value
        })?;
        join_equal(rows).map(Rows::Vector)
    }

    /// `histogram_quantiles(buckets, "label", q, ...)`: each quantile becomes a series with its value in the label.
    pub(crate) fn histogram_quantiles(
        &self,
        args: &[Node],
        steps: Steps,
    ) -> Result<Rows, EvalError> {
        let label = self.text(&args[1])?;
        let mut rows = Vec::new();
        for arg in &args[2..] {
            let q = self.scalar(arg, steps)?;
            q.iter().for_each(|q| self.notes.quantile_out_of_range(arg.at, *q));
            let found = self.each_histogram(&args[0], steps, |at, name, i, buckets| {
                let (value, forced) = quantile(q[i], buckets);
                if forced {
                    self.note_forced(at, name);
                }
                value
            })?;
            for row in join_equal(found)? {
                split_by_quantile(row, &label, &q, &mut rows);
            }
        }
        join_equal(rows).map(Rows::Vector)
    }

    /// `histogram_fraction(lower, upper, buckets)`
    pub(crate) fn histogram_fraction(
        &self,
        args: &[Node],
        steps: Steps,
    ) -> Result<Rows, EvalError> {
        let (lower, upper) = (self.scalar(&args[0], steps)?, self.scalar(&args[1], steps)?);
        let rows = self.each_histogram(&args[2], steps, |_, _, i, buckets| {
            fraction(lower[i], upper[i], buckets)
        })?;
        join_equal(rows).map(Rows::Vector)
    }

    fn each_histogram(
        &self,
        arg: &Node,
        steps: Steps,
        value: impl Fn(usize, &str, usize, &mut Vec<Bucket>) -> f64,
    ) -> Result<Vec<Row>, EvalError> {
        let mut rows = Vec::new();
        let mut at_step = Vec::new();
        for histogram in self.histograms(arg, steps)? {
            self.charge(steps.count)?;
            let mut values = blank(steps);
            for (i, slot) in values.iter_mut().enumerate() {
                at_step.clear();
                at_step.extend(
                    histogram
                        .buckets
                        .iter()
                        .map(|(bound, row)| Bucket { bound: *bound, count: row.values[i] })
                        .filter(|bucket| is_present(bucket.count)),
                );
                if !at_step.is_empty() {
                    *slot = value(arg.at, &histogram.name, i, &mut at_step);
                }
            }
            rows.push(Row { labels: histogram.labels, nameless: true, values });
        }
        Ok(rows)
    }

    /// Gathers the bucket series of `arg` by histogram. Histograms that differ in name only stay apart.
    fn histograms(&self, arg: &Node, steps: Steps) -> Result<Vec<Histogram>, EvalError> {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut histograms: Vec<Histogram> = Vec::new();
        for row in self.vector(arg, steps)? {
            if row.is_empty() {
                continue;
            }
            let Some(bound) = row.labels.get(BUCKET_LABEL).and_then(parse_bound) else {
                self.note_bad_bucket(&row.labels, arg.at);
                continue;
            };
            let key = row.labels.without(&[BUCKET_LABEL]);
            let place = *places.entry(key).or_insert_with_key(|key| {
                let name = key.metric_name().unwrap_or("").to_owned();
                histograms.push(Histogram { labels: key.clone(), name, buckets: Vec::new() });
                histograms.len() - 1
            });
            histograms[place].buckets.push((bound, row));
        }
        for histogram in &mut histograms {
            histogram.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        Ok(histograms)
    }

    fn note_forced(&self, at: usize, name: &str) {
        let message = "input to histogram_quantile needed to be fixed for monotonicity \
                       (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
        self.notes.info(at, &format!("{message}{}", for_metric(name)));
    }
}

/// A quantile argument may change from step to step, and with it the label.
fn split_by_quantile(row: Row, label: &str, q: &[f64], rows: &mut Vec<Row>) {
    let same = q.iter().all(|v| v.to_bits() == q[0].to_bits());
    if same {
        rows.push(Row { labels: row.labels.with(label, numeral::open_metrics(q[0])), ..row });
        return;
    }
    for (i, v) in row.values.iter().enumerate() {
        let mut values = vec![crate::grid::ABSENT; row.values.len()];
        values[i] = *v;
        let labels = row.labels.with(label, numeral::open_metrics(q[i]));
        rows.push(Row { labels, nameless: row.nameless, values });
    }
}

fn parse_bound(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|bound| !bound.is_nan())
}

/// The `q` quantile of buckets sorted by bound, and whether counts had to be forced to ascend.
fn quantile(q: f64, buckets: &mut Vec<Bucket>) -> (f64, bool) {
    if q.is_nan() {
        return (f64::NAN, false);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, false);
    }
    if q > 1.0 {
        return (f64::INFINITY, false);
    }
    if buckets.last().is_none_or(|last| last.bound != f64::INFINITY) {
        return (f64::NAN, false);
    }
    join_equal_bounds(buckets);
    let forced = force_ascending(buckets);
    let total = buckets[buckets.len() - 1].count;
    if buckets.len() < 2 || total == 0.0 {
        return (f64::NAN, forced);
    }
    (interpolate(q * total, buckets), forced)
}

/// The value below which `rank` observations lie; linear inside a bucket.
fn interpolate(rank: f64, buckets: &[Bucket]) -> f64 {
    let finite = &buckets[..buckets.len() - 1];
    // Not `count < rank`: with NaN counts the search must end at the last bucket.
    let at = finite
        .partition_point(|bucket| !matches!(bucket.count.partial_cmp(&rank), Some(o) if o.is_ge()));
    if at == finite.len() {
        return finite[finite.len() - 1].bound;
    }
    let Bucket { bound: end, count } = finite[at];
    if at == 0 {
        return if end <= 0.0 { end } else { end * (rank / count) };
    }
    let before = finite[at - 1];
    before.bound + (end - before.bound) * ((rank - before.count) / (count - before.count))
}

/// The share of observations between `lower` and `upper`.
fn fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if buckets.last().is_none_or(|last| last.bound != f64::INFINITY) {
        return f64::NAN;
    }
    join_equal_bounds(buckets);
    let total = buckets[buckets.len() - 1].count;
    if total == 0.0 || total.is_nan() || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank_of(upper, buckets).min(total) - rank_of(lower, buckets).min(total)) / total
}

/// How many observations lie below `v`; linear inside a bucket.
fn rank_of(v: f64, buckets: &[Bucket]) -> f64 {
    let mut before = Bucket { bound: f64::NEG_INFINITY, count: 0.0 };
    if buckets[0].bound > 0.0 {
        before.bound = 0.0;
    }
    for bucket in buckets {
        if before.bound >= v {
            return before.count;
        }
        if bucket.bound > v {
            let share = (v - before.bound) / (bucket.bound - before.bound);
            // In a bucket without lower bound nothing can be told apart: all of it lies below.
            let share = if share.is_nan() { 1.0 } else { share };
            return before.count + (bucket.count - before.count) * share;
        }
        before = *bucket;
    }
    before.count
}

fn join_equal_bounds(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|next, kept| {
        let same = next.bound == kept.bound;
        if same {
            kept.count += next.count;
        }
        same
    });
}

/// Raises counts that fall, which cumulative counts cannot; gives whether one fell by more than rounding.
fn force_ascending(buckets: &mut [Bucket]) -> bool {
    let mut forced = false;
    let mut before = buckets[0].count;
    for bucket in &mut buckets[1..] {
        if nearly_equal(before, bucket.count) {
            bucket.count = before;
        } else if bucket.count < before {
            bucket.count = before;
            forced = true;
        } else {
            before = bucket.count;
        }
    }
    forced
}

fn nearly_equal(a: f64, b: f64) -> bool {
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    a == b || difference / sum.min(f64::MAX) < TOLERANCE
}
