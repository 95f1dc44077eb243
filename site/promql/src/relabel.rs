//! `label_replace`, `label_join`, and the orders that the sort functions promise.
//!
//! Called by the evaluator for those functions.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};
use series::{Labels, METRIC_NAME};

use crate::ast::Node;
use crate::eval::Evaluator;
use crate::grid::{Rows, Steps, join_equal};
use crate::limits::EvalError;

/// Bytes that one compiled pattern may take.
const PATTERN_BYTES: usize = 1 << 20;

impl Evaluator<'_> {
    /// `label_replace(v, to, replacement, from, pattern)`
    pub(crate) fn label_replace(&self, args: &[Node], steps: Steps) -> Result<Rows, EvalError> {
        let mut rows = self.vector(&args[0], steps)?;
        let [to, replacement, from, pattern] = [1, 2, 3, 4].map(|i| self.text(&args[i]));
        let (to, replacement, from, pattern) = (to?, replacement?, from?, pattern?);
        let regex = anchored(&pattern)?;
        check_label_name(&to, "label_replace")?;
        for row in &mut rows {
            let Some(captures) = regex.captures(row.labels.value(&from)) else { continue };
            let mut value = String::new();
            captures.expand(&replacement, &mut value);
            row.labels = row.labels.with(to.as_str(), value);
            row.nameless &= to != METRIC_NAME;
        }
        join_equal(rows).map(Rows::Vector)
    }

    /// `label_join(v, to, separator, from, ...)`
    pub(crate) fn label_join(&self, args: &[Node], steps: Steps) -> Result<Rows, EvalError> {
        let mut rows = self.vector(&args[0], steps)?;
        let (to, separator) = (self.text(&args[1])?, self.text(&args[2])?);
        let from = args[3..].iter().map(|arg| self.text(arg)).collect::<Result<Vec<_>, _>>()?;
        check_label_name(&to, "label_join")?;
        for row in &mut rows {
            let values: Vec<&str> = from.iter().map(|name| row.labels.value(name)).collect();
            row.labels = row.labels.with(to.as_str(), values.join(&separator));
            row.nameless &= to != METRIC_NAME;
        }
        join_equal(rows).map(Rows::Vector)
    }
}

fn anchored(pattern: &str) -> Result<Regex, EvalError> {
    RegexBuilder::new(&format!("^(?s:{pattern})$")).size_limit(PATTERN_BYTES).build().map_err(
        |_| EvalError::Invalid(format!("invalid regular expression in label_replace(): {pattern}")),
    )
}

fn check_label_name(name: &str, function: &str) -> Result<(), EvalError> {
    if name.is_empty() {
        return Err(EvalError::Invalid(format!(
            "invalid destination label name in {function}(): {name}"
        )));
    }
    Ok(())
}

/// Ascending, NaN last.
pub(crate) fn by_value(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Descending, NaN last.
pub(crate) fn by_value_descending(a: f64, b: f64) -> Ordering {
    b.partial_cmp(&a).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// By the values of `names` in turn, numbers inside them by size, then by all labels.
pub(crate) fn by_labels(a: &Labels, b: &Labels, names: &[String]) -> Ordering {
    let by_name = names.iter().map(|name| natural(a.value(name), b.value(name)));
    by_name.fold(Ordering::Equal, Ordering::then).then_with(|| a.cmp(b))
}

/// `a2` before `a10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (x, y) = (piece(left), piece(right));
        if x.is_empty() || y.is_empty() {
            return x.len().cmp(&y.len());
        }
        let order = match (digits(x), digits(y)) {
            (Some(m), Some(n)) => m.len().cmp(&n.len()).then(m.cmp(n)).then(x.len().cmp(&y.len())),
            _ => x.cmp(y),
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (&left[x.len()..], &right[y.len()..]);
    }
}

/// The run of digits, or of other characters, at the start.
fn piece(text: &str) -> &str {
    let number = text.starts_with(|c: char| c.is_ascii_digit());
    &text[..text.find(|c: char| c.is_ascii_digit() != number).unwrap_or(text.len())]
}

/// A run of digits without leading zeros.
fn digits(piece: &str) -> Option<&str> {
    piece.starts_with(|c: char| c.is_ascii_digit()).then(|| piece.trim_start_matches('0'))
}
