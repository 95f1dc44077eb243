//! The steps of an evaluation and rows of values over them.
//!
//! Every operator takes and gives rows: one series, one value for each step, or none.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use series::{Labels, STALE_MARKER_BITS};

use crate::limits::EvalError;

/// Evaluation times: `count` of them from `start`, `step` milliseconds apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) start: i64,
    pub(crate) step: i64,
    pub(crate) count: usize,
}

impl Steps {
    pub(crate) fn once(at: i64) -> Self {
        Steps { start: at, step: 1, count: 1 }
    }

    pub(crate) fn time(&self, i: usize) -> i64 {
        self.start + self.step * i as i64
    }

    pub(crate) fn end(&self) -> i64 {
        self.time(self.count.saturating_sub(1))
    }

    pub(crate) fn times(&self) -> impl Iterator<Item = i64> + use<> {
        let steps = *self;
        (0..steps.count).map(move |i| steps.time(i))
    }
}

/// "No value at this step". The stale marker never is a value of its own, so its bits are free for this.
pub(crate) const ABSENT: f64 = f64::from_bits(STALE_MARKER_BITS);

pub(crate) fn is_present(v: f64) -> bool {
    v.to_bits() != STALE_MARKER_BITS
}

/// One series over all steps.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) labels: Labels,
    /// The metric's name no longer fits the values and goes when the query ends; until then label functions and
    /// groupings can still read it.
    pub(crate) nameless: bool,
    /// One per step; [`ABSENT`] where there is none.
    pub(crate) values: Vec<f64>,
}

impl Row {
    pub(crate) fn new(labels: Labels, values: Vec<f64>) -> Self {
        Row { labels, nameless: false, values }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.values.iter().any(|v| is_present(*v))
    }
}

/// The value of an expression over all steps.
#[derive(Debug, Clone)]
pub(crate) enum Rows {
    Scalar(Vec<f64>),
    Vector(Vec<Row>),
    Text(String),
}

/// Applies `f` to every value that is there.
pub(crate) fn map_values(rows: &mut [Row], mut f: impl FnMut(f64) -> f64) {
    for row in rows {
        for v in row.values.iter_mut().filter(|v| is_present(**v)) {
            *v = f(*v);
        }
    }
}

/// The rows after a function whose result is no longer what the metric's name says.
pub(crate) fn nameless(mut rows: Vec<Row>) -> Vec<Row> {
    rows.iter_mut().for_each(|row| row.nameless = true);
    rows
}

/// Drops the names that no longer fit, then joins the series that became the same: the end of every query.
pub(crate) fn settle(mut rows: Vec<Row>) -> Result<Vec<Row>, EvalError> {
    for row in rows.iter_mut().filter(|row| row.nameless) {
        row.labels = row.labels.without_name();
        row.nameless = false;
    }
    join_equal(rows)
}

/// Joins series with equal labels, which is right only if no two of them have a value at the same step.
pub(crate) fn join_equal(rows: Vec<Row>) -> Result<Vec<Row>, EvalError> {
    let mut places: HashMap<(Labels, bool), usize> = HashMap::with_capacity(rows.len());
    let mut joined: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match places.entry((row.labels.clone(), row.nameless)) {
            Entry::Occupied(place) => merge(&mut joined[*place.get()], &row)?,
            Entry::Vacant(place) => {
                place.insert(joined.len());
                joined.push(row);
            }
        }
    }
    Ok(joined)
}

fn merge(into: &mut Row, from: &Row) -> Result<(), EvalError> {
    for (a, b) in into.values.iter_mut().zip(&from.values) {
        if !is_present(*b) {
            continue;
        }
        if is_present(*a) {
            return Err(same_labels());
        }
        *a = *b;
    }
    Ok(())
}

/// Two series of one answer cannot be told apart.
pub(crate) fn same_labels() -> EvalError {
    EvalError::Invalid("vector cannot contain metrics with the same labelset".to_owned())
}
