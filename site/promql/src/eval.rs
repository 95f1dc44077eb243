//! The evaluator: walks the tree and hands each node to the file that knows its rules.
//!
//! [`Query`](crate::Query) makes one per evaluation. It holds the limits and collects the annotations.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use series::{Labels, Storage};

use crate::ast::{Function, Kind, Node};
use crate::grid::{ABSENT, Row, Rows, Steps, is_present, map_values, nameless};
use crate::limits::{EvalError, Limits};
use crate::notes::Notes;

/// One evaluation of one query.
pub(crate) struct Evaluator<'a> {
    pub(crate) storage: &'a dyn Storage,
    pub(crate) limits: &'a Limits,
    /// The steps of the whole query, whose first `start()` and `@ start()` mean.
    pub(crate) query: Steps,
    /// What `end()` and `@ end()` mean: the last step, or later when the range is no multiple of the step.
    pub(crate) end: i64,
    pub(crate) notes: Notes<'a>,
    pub(crate) spent: Spent<'a>,
}

/// What a query used so far; shared by the threads that work on it.
pub(crate) struct Spent<'a> {
    limits: &'a Limits,
    samples: AtomicUsize,
}

impl Spent<'_> {
    /// Counts samples read or made against the limit, and looks at the deadline.
    pub(crate) fn charge(&self, samples: usize) -> Result<(), EvalError> {
        let before = self.samples.fetch_add(samples, Relaxed);
        if before.saturating_add(samples) > self.limits.samples {
            return Err(EvalError::TooManySamples { limit: self.limits.samples });
        }
        if self.limits.is_over() {
            return Err(EvalError::Timeout);
        }
        Ok(())
    }
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(
        storage: &'a dyn Storage,
        limits: &'a Limits,
        query: Steps,
        text: &'a str,
    ) -> Self {
        let (notes, end) = (Notes::new(text), query.end());
        Evaluator {
            storage,
            limits,
            query,
            end,
            notes,
            spent: Spent { limits, samples: AtomicUsize::new(0) },
        }
    }

    /// The value of `node` at all `steps`.
    pub(crate) fn rows(&self, node: &Node, steps: Steps) -> Result<Rows, EvalError> {
        if node.constant && steps.count > 1 {
            return Ok(repeat(self.rows(node, Steps { count: 1, ..steps })?, steps.count));
        }
        match &node.kind {
            Kind::Number(v) => Ok(Rows::Scalar(vec![*v; steps.count])),
            Kind::Text(text) => Ok(Rows::Text(text.clone())),
            Kind::Selector(selector) => self.instant_rows(selector, steps).map(Rows::Vector),
            Kind::Range { .. } | Kind::Subquery { .. } => {
                Err(EvalError::Unsupported("a range vector in this place".to_owned()))
            }
            Kind::Call { function, args } => self.call(node, *function, args, steps),
            Kind::Aggregate { op, expr, param, grouping } => {
                self.aggregate(*op, expr, param.as_deref(), grouping, steps).map(Rows::Vector)
            }
            Kind::Binary { .. } => self.binary(node, steps),
            Kind::Negate(inner) => self.negate(inner, steps),
        }
    }

    /// The value of a node that the parser knows to be a vector.
    pub(crate) fn vector(&self, node: &Node, steps: Steps) -> Result<Vec<Row>, EvalError> {
        match self.rows(node, steps)? {
            Rows::Vector(rows) => Ok(rows),
            _ => Err(EvalError::Invalid("expected an instant vector".to_owned())),
        }
    }

    /// The value of a node that the parser knows to be a scalar.
    pub(crate) fn scalar(&self, node: &Node, steps: Steps) -> Result<Vec<f64>, EvalError> {
        match self.rows(node, steps)? {
            Rows::Scalar(values) => Ok(values),
            _ => Err(EvalError::Invalid("expected a scalar".to_owned())),
        }
    }

    /// The value of a node that the parser knows to be a string.
    pub(crate) fn text(&self, node: &Node) -> Result<String, EvalError> {
        match self.rows(node, Steps::once(self.query.start))? {
            Rows::Text(text) => Ok(text),
            _ => Err(EvalError::Invalid("expected a string".to_owned())),
        }
    }

    fn call(
        &self,
        node: &Node,
        function: Function,
        args: &[Node],
        steps: Steps,
    ) -> Result<Rows, EvalError> {
        match function {
            Function::Map(map) => {
                let mut rows = self.vector(&args[0], steps)?;
                map_values(&mut rows, map);
                Ok(Rows::Vector(nameless(rows)))
            }
            Function::Date(part) => {
                let mut rows = match args {
                    [] => vec![Row::new(Labels::empty(), seconds(steps))],
                    [arg, ..] => self.vector(arg, steps)?,
                };
                map_values(&mut rows, |v| if v.is_finite() { part(v as i64) } else { f64::NAN });
                Ok(Rows::Vector(nameless(rows)))
            }
            Function::OverTime(over_time) => {
                self.over_time(over_time, args, steps).map(Rows::Vector)
            }
            Function::Special(special) => self.special(node, special, args, steps),
        }
    }

    fn negate(&self, inner: &Node, steps: Steps) -> Result<Rows, EvalError> {
        match self.rows(inner, steps)? {
            Rows::Scalar(values) => Ok(Rows::Scalar(values.into_iter().map(|v| -v).collect())),
            Rows::Vector(mut rows) => {
                map_values(&mut rows, |v| -v);
                Ok(Rows::Vector(nameless(rows)))
            }
            Rows::Text(_) => Err(EvalError::Invalid("a string cannot be negated".to_owned())),
        }
    }

    /// As [`Spent::charge`].
    pub(crate) fn charge(&self, samples: usize) -> Result<(), EvalError> {
        self.spent.charge(samples)
    }
}

/// The times of the steps in seconds.
pub(crate) fn seconds(steps: Steps) -> Vec<f64> {
    steps.times().map(|t| t as f64 / 1e3).collect()
}

/// A vector without labels.
pub(crate) fn unlabelled(values: Vec<f64>) -> Rows {
    Rows::Vector(vec![Row::new(Labels::empty(), values)])
}

fn repeat(rows: Rows, count: usize) -> Rows {
    match rows {
        Rows::Scalar(values) => Rows::Scalar(vec![values[0]; count]),
        Rows::Vector(rows) => Rows::Vector(
            rows.into_iter()
                .filter(|row| is_present(row.values[0]))
                .map(|row| Row { values: vec![row.values[0]; count], ..row })
                .collect(),
        ),
        Rows::Text(text) => Rows::Text(text),
    }
}

/// A row of steps without values.
pub(crate) fn blank(steps: Steps) -> Vec<f64> {
    vec![ABSENT; steps.count]
}
