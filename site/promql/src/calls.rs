//! Functions with rules of their own: `absent`, `clamp`, `round`, `scalar`, `timestamp`, the query's own times.
//!
//! Histograms and label functions have files of their own; sorting happens only for instant queries.

use series::{Labels, LabelsBuilder, METRIC_NAME, MatchOp, Matcher};

use crate::ast::{Kind, Node, Special};
use crate::eval::{Evaluator, blank, seconds, unlabelled};
use crate::grid::{ABSENT, Row, Rows, Steps, is_present, nameless};
use crate::limits::EvalError;
use crate::numbers;
use crate::relabel;

impl Evaluator<'_> {
    pub(crate) fn special(
        &self,
        node: &Node,
        special: Special,
        args: &[Node],
        steps: Steps,
    ) -> Result<Rows, EvalError> {
        use Special::*;
        let every = |v: f64| Ok(Rows::Scalar(vec![v; steps.count]));
        match special {
            Time => Ok(Rows::Scalar(seconds(steps))),
            Pi => every(std::f64::consts::PI),
            Start => every(self.query.start as f64 / 1e3),
            End => every(self.end as f64 / 1e3),
            Range => every((self.end - self.query.start) as f64 / 1e3),
            Step => every(if self.query.count > 1 { self.query.step as f64 / 1e3 } else { 0.0 }),
            MinOf => self.pairwise(args, steps, numbers::min),
            MaxOf => self.pairwise(args, steps, numbers::max),
            Scalar => {
                self.vector(&args[0], steps).map(|rows| Rows::Scalar(only_values(&rows, steps)))
            }
            Vector => self.scalar(&args[0], steps).map(unlabelled),
            Timestamp => self.timestamp(&args[0], steps),
            Absent => self.absent(&args[0], steps),
            AbsentOverTime => self.absent_over_time(&args[0], steps),
            Round => self.round(args, steps),
            Clamp | ClampMin | ClampMax => self.clamp(special, args, steps),
            NativeOnly => self.vector(&args[0], steps).map(|_| Rows::Vector(Vec::new())),
            HistogramQuantile => self.histogram_quantile(args, steps),
            HistogramQuantiles => self.histogram_quantiles(args, steps),
            HistogramFraction => self.histogram_fraction(args, steps),
            Info => self.info(args, steps),
            LabelReplace => self.label_replace(args, steps),
            LabelJoin => self.label_join(args, steps),
            Sort | SortDesc | SortByLabel | SortByLabelDesc => {
                self.sort(node, special, args, steps)
            }
        }
    }

    fn pairwise(
        &self,
        args: &[Node],
        steps: Steps,
        f: fn(f64, f64) -> f64,
    ) -> Result<Rows, EvalError> {
        let (a, b) = (self.scalar(&args[0], steps)?, self.scalar(&args[1], steps)?);
        Ok(Rows::Scalar(a.into_iter().zip(b).map(|(a, b)| f(a, b)).collect()))
    }

    fn timestamp(&self, arg: &Node, steps: Steps) -> Result<Rows, EvalError> {
        let rows = match &arg.kind {
            Kind::Selector(selector) => self.instant_timestamps(selector, steps)?,
            _ => {
                let mut rows = self.vector(arg, steps)?;
                for row in &mut rows {
                    for (v, t) in
                        row.values.iter_mut().zip(seconds(steps)).filter(|(v, _)| is_present(**v))
                    {
                        *v = t;
                    }
                }
                rows
            }
        };
        Ok(Rows::Vector(nameless(rows)))
    }

    fn absent(&self, arg: &Node, steps: Steps) -> Result<Rows, EvalError> {
        let mut missing = vec![1.0; steps.count];
        for row in self.vector(arg, steps)? {
            for (slot, _) in missing.iter_mut().zip(&row.values).filter(|(_, v)| is_present(**v)) {
                *slot = ABSENT;
            }
        }
        Ok(Rows::Vector(vec![Row::new(labels_of_absent(arg), missing)]))
    }

    fn absent_over_time(&self, arg: &Node, steps: Steps) -> Result<Rows, EvalError> {
        let mut missing = vec![1.0; steps.count];
        self.each_range(arg, steps, &mut |series| {
            series.slide(|i, _, _, _| missing[i] = ABSENT);
            Ok(())
        })?;
        Ok(Rows::Vector(vec![Row::new(labels_of_absent(arg), missing)]))
    }

    fn round(&self, args: &[Node], steps: Steps) -> Result<Rows, EvalError> {
        let nearest = match args.get(1) {
            Some(arg) => self.scalar(arg, steps)?,
            None => vec![1.0; steps.count],
        };
        self.mapped(&args[0], steps, |i, v| {
            // Dividing by the inverse keeps `round(x, 0.1)` free of binary dust.
            let inverse = 1.0 / nearest[i];
            Some((v * inverse + 0.5).floor() / inverse)
        })
    }

    fn clamp(&self, special: Special, args: &[Node], steps: Steps) -> Result<Rows, EvalError> {
        let bound = |at: usize| self.scalar(&args[at], steps);
        let (low, high) = match special {
            Special::ClampMin => (bound(1)?, vec![f64::INFINITY; steps.count]),
            Special::ClampMax => (vec![f64::NEG_INFINITY; steps.count], bound(1)?),
            _ => (bound(1)?, bound(2)?),
        };
        self.mapped(&args[0], steps, |i, v| {
            (high[i] >= low[i] || high[i].is_nan() || low[i].is_nan())
                .then(|| numbers::max(low[i], numbers::min(high[i], v)))
        })
    }

    fn mapped(
        &self,
        arg: &Node,
        steps: Steps,
        f: impl Fn(usize, f64) -> Option<f64>,
    ) -> Result<Rows, EvalError> {
        let mut rows = self.vector(arg, steps)?;
        for row in &mut rows {
            for (i, v) in row.values.iter_mut().enumerate().filter(|(_, v)| is_present(**v)) {
                *v = f(i, *v).unwrap_or(ABSENT);
            }
        }
        Ok(Rows::Vector(nameless(rows)))
    }

    fn sort(
        &self,
        node: &Node,
        special: Special,
        args: &[Node],
        steps: Steps,
    ) -> Result<Rows, EvalError> {
        let mut rows = self.vector(&args[0], steps)?;
        if self.query.count > 1 {
            let message =
                "sort is ineffective for range queries since results are always ordered by labels";
            self.notes.warn(node.at, message);
            return Ok(Rows::Vector(rows));
        }
        rows.retain(|row| !row.is_empty());
        match special {
            Special::Sort => rows.sort_by(|a, b| relabel::by_value(a.values[0], b.values[0])),
            Special::SortDesc => {
                rows.sort_by(|a, b| relabel::by_value_descending(a.values[0], b.values[0]))
            }
            _ => {
                let names =
                    args[1..].iter().map(|arg| self.text(arg)).collect::<Result<Vec<_>, _>>()?;
                rows.sort_by(|a, b| relabel::by_labels(&a.labels, &b.labels, &names));
                if special == Special::SortByLabelDesc {
                    rows.reverse();
                }
            }
        }
        Ok(Rows::Vector(rows))
    }
}

/// The one value of each step, or NaN when there are none or several.
fn only_values(rows: &[Row], steps: Steps) -> Vec<f64> {
    let mut only = blank(steps);
    let mut several = vec![false; steps.count];
    for row in rows {
        for (i, v) in row.values.iter().enumerate().filter(|(_, v)| is_present(**v)) {
            several[i] |= is_present(only[i]);
            only[i] = *v;
        }
    }
    let value = |(v, several): (f64, bool)| if several || !is_present(v) { f64::NAN } else { v };
    only.into_iter().zip(several).map(value).collect()
}

/// What the missing series would be called: the labels that its selector fixes.
fn labels_of_absent(arg: &Node) -> Labels {
    let matchers: &[Matcher] = match &arg.kind {
        Kind::Selector(selector) | Kind::Range { selector, .. } => &selector.matchers,
        _ => &[],
    };
    let mut labels = LabelsBuilder::new();
    let mut seen = Vec::new();
    for matcher in matchers.iter().filter(|m| m.name() != METRIC_NAME) {
        // A label with two conditions has no single value.
        if matcher.op() == MatchOp::Equal && !seen.contains(&matcher.name()) {
            labels.set(matcher.name(), matcher.value());
            seen.push(matcher.name());
        } else {
            labels.remove(matcher.name());
        }
    }
    labels.build()
}
