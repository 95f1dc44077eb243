//! A parsed query: text is read once, here, and evaluated as often as wanted.
//!
//! The HTTP API, rules and `evidence` parse; the evaluator does the rest.

use promql_parser::parser::value::ValueType;
use series::{METRIC_NAME, MatchOp, Matcher, Sample, Storage};

use crate::answer::{Answer, MatrixSeries, Value, VectorSample};
use crate::ast::{Kind, Node};
use crate::eval::Evaluator;
use crate::fault;
use crate::grid::{Row, Rows, Steps, is_present, same_labels, settle};
use crate::limits::{EvalError, Limits};
use crate::translate::translate;

/// A query text that is not PromQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// What is wrong, in words.
    pub message: String,
    /// Where, as a byte offset into the query; 0 when the parser does not say.
    pub offset: usize,
}

/// A query, checked and typed.
#[derive(Debug, Clone)]
pub struct Query {
    text: String,
    root: Node,
    kind: ValueType,
}

impl Query {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Query, ParseError> {
        let expr = fault::parse(text)?;
        let root = translate(&expr, text).map_err(|message| fault::explain(text, message))?;
        Ok(Query { text: text.to_owned(), root, kind: expr.value_type() })
    }

    /// The query as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it has a value at each step of a range: a range vector and a text have none.
    pub fn has_steps(&self) -> bool {
        matches!(self.kind, ValueType::Scalar | ValueType::Vector)
    }

    /// The value at one time (milliseconds since 1970).
    pub fn instant(
        &self,
        storage: &dyn Storage,
        at_ms: i64,
        limits: &Limits,
    ) -> Result<Answer, EvalError> {
        let steps = Steps::once(check_time(at_ms)?);
        let evaluator = Evaluator::new(storage, limits, steps, &self.text);
        let value = match self.kind {
            ValueType::Matrix => self.windows(&evaluator, steps)?,
            ValueType::Scalar | ValueType::Vector | ValueType::String => {
                instant_value(evaluator.rows(&self.root, steps)?, at_ms)?
            }
        };
        Ok(answer(value, evaluator))
    }

    /// The values from `start_ms` to `end_ms`, both included, every `step_ms` (milliseconds, above 0): a matrix.
    pub fn range(
        &self,
        storage: &dyn Storage,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
        limits: &Limits,
    ) -> Result<Answer, EvalError> {
        let steps = range_steps(start_ms, end_ms, step_ms, limits)?;
        if !self.has_steps() {
            let message =
                format!("a range query needs a scalar or an instant vector, not a {}", self.kind);
            return Err(EvalError::Invalid(message));
        }
        let evaluator =
            Evaluator { end: end_ms, ..Evaluator::new(storage, limits, steps, &self.text) };
        let value = matrix(evaluator.rows(&self.root, steps)?, steps)?;
        Ok(answer(value, evaluator))
    }

    /// A range vector as the answer of an instant query: the samples themselves.
    fn windows(&self, evaluator: &Evaluator<'_>, steps: Steps) -> Result<Value, EvalError> {
        let mut series = Vec::new();
        evaluator.each_range(&self.root, steps, &mut |ranged| {
            let labels =
                if ranged.nameless { ranged.labels.without_name() } else { ranged.labels.clone() };
            ranged.slide(|_, window, _, _| {
                series.push(MatrixSeries {
                    labels: labels.clone(),
                    samples: ranged.samples[window].to_vec(),
                });
            });
            Ok(())
        })?;
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        if series.is_sorted_by(|a, b| a.labels < b.labels) {
            Ok(Value::Matrix(series))
        } else {
            Err(same_labels())
        }
    }

    /// The matchers of each selector of the query, the metric name among them.
    pub fn selectors(&self) -> Vec<Vec<Matcher>> {
        let mut selectors = Vec::new();
        self.root.walk(&mut |node| {
            if let Kind::Selector(selector) | Kind::Range { selector, .. } = &node.kind {
                selectors.push(selector.matchers.clone());
            }
        });
        selectors
    }

    /// The metric names that the query reads, sorted, each once; those given by pattern are not among them.
    pub fn metric_names(&self) -> Vec<String> {
        let matchers = self.selectors().into_iter().flatten();
        let names = matchers.filter(|m| m.name() == METRIC_NAME && m.op() == MatchOp::Equal);
        let mut names: Vec<String> = names.map(|m| m.value().to_owned()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Times further from 1970 than this, in milliseconds, are refused: a million years, far from any overflow.
const MAX_TIME: u64 = 1_000_000 * 365 * 24 * 3600 * 1000;

fn check_time(t: i64) -> Result<i64, EvalError> {
    if t.unsigned_abs() > MAX_TIME {
        return Err(EvalError::Invalid(format!("the time {t} ms is out of range")));
    }
    Ok(t)
}

fn range_steps(start: i64, end: i64, step: i64, limits: &Limits) -> Result<Steps, EvalError> {
    check_time(start)?;
    check_time(end)?;
    if step <= 0 {
        return Err(EvalError::Invalid("the step must be above zero".to_owned()));
    }
    if end < start {
        return Err(EvalError::Invalid("the end of the range is before its start".to_owned()));
    }
    let points = usize::try_from((i128::from(end) - i128::from(start)) / i128::from(step) + 1)
        .unwrap_or(usize::MAX);
    if points > limits.points {
        return Err(EvalError::TooManyPoints { points, limit: limits.points });
    }
    Ok(Steps { start, step, count: points })
}

fn answer(value: Value, evaluator: Evaluator<'_>) -> Answer {
    let (warnings, infos) = evaluator.notes.into_lists();
    Answer { value, warnings, infos }
}

fn instant_value(rows: Rows, t: i64) -> Result<Value, EvalError> {
    Ok(match rows {
        Rows::Scalar(values) => Value::Scalar { t, v: values[0] },
        Rows::Text(text) => Value::String { t, text },
        Rows::Vector(rows) => {
            let present = settle(rows)?.into_iter().filter(|row| is_present(row.values[0]));
            Value::Vector(
                present
                    .map(|row| VectorSample { t, v: row.values[0], labels: row.labels })
                    .collect(),
            )
        }
    })
}

fn matrix(rows: Rows, steps: Steps) -> Result<Value, EvalError> {
    let rows = match rows {
        Rows::Scalar(values) => vec![Row::new(series::Labels::empty(), values)],
        Rows::Vector(rows) => settle(rows)?,
        Rows::Text(_) => Vec::new(),
    };
    let mut series: Vec<MatrixSeries> =
        rows.into_iter().filter(|row| !row.is_empty()).map(|row| line(row, steps)).collect();
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(Value::Matrix(series))
}

fn line(row: Row, steps: Steps) -> MatrixSeries {
    let samples =
        steps.times().zip(row.values).filter(|(_, v)| is_present(*v)).map(|(t, v)| Sample { t, v });
    MatrixSeries { samples: samples.collect(), labels: row.labels }
}
