//! Annotations: what the author of a query should know although it has an answer.
//!
//! The evaluator collects them, the answer carries them, each once, with line and column.

use std::cell::RefCell;
use std::collections::BTreeSet;

/// The annotations of one evaluation.
#[derive(Debug)]
pub(crate) struct Notes<'a> {
    text: &'a str,
    warnings: RefCell<BTreeSet<String>>,
    infos: RefCell<BTreeSet<String>>,
}

impl<'a> Notes<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Notes { text, warnings: RefCell::default(), infos: RefCell::default() }
    }

    /// Notes something likely wrong about the expression that starts at byte `at`.
    pub(crate) fn warn(&self, at: usize, message: &str) {
        self.warnings.borrow_mut().insert(format!("PromQL warning: {message} {}", self.place(at)));
    }

    /// Notes something worth knowing about the expression that starts at byte `at`.
    pub(crate) fn info(&self, at: usize, message: &str) {
        self.infos.borrow_mut().insert(format!("PromQL info: {message} {}", self.place(at)));
    }

    pub(crate) fn quantile_out_of_range(&self, at: usize, q: f64) {
        if q.is_nan() || !(0.0..=1.0).contains(&q) {
            let q = crate::numeral::shortest(q);
            self.warn(at, &format!("quantile value should be between 0 and 1, got {q}"));
        }
    }

    fn place(&self, at: usize) -> String {
        let before = &self.text[..at.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, str::len) + 1;
        format!("({line}:{column})")
    }

    pub(crate) fn into_lists(self) -> (Vec<String>, Vec<String>) {
        (
            self.warnings.into_inner().into_iter().collect(),
            self.infos.into_inner().into_iter().collect(),
        )
    }
}

/// ` for metric name "x"`, or nothing when the series lost its name.
pub(crate) fn for_metric(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" for metric name {name:?}") }
}
