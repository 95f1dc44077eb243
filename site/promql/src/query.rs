//! A parsed query: text is read once, here, and evaluated as often as wanted.
//!
//! The HTTP API, rules and `evidence` parse; the evaluator does the rest.

use promql_parser::parser::Expr;
use series::{Matcher, Storage};

use crate::answer::Answer;
use crate::limits::{EvalError, Limits};

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
    expr: Expr,
}

impl Query {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Query, ParseError> {
        let expr = promql_parser::parser::parse(text)
            .map_err(|message| ParseError { message, offset: 0 })?;
        Ok(Query { text: text.to_owned(), expr })
    }

    /// The query as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value at one time (milliseconds since 1970).
    pub fn instant(
        &self,
        storage: &dyn Storage,
        at_ms: i64,
        limits: &Limits,
    ) -> Result<Answer, EvalError> {
        let _ = (storage, at_ms, limits, &self.expr);
        Err(EvalError::Unsupported("evaluation".to_owned()))
    }

    /// The values from `start_ms` to `end_ms`, both included, every `step_ms` (milliseconds, above 0).
    pub fn range(
        &self,
        storage: &dyn Storage,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
        limits: &Limits,
    ) -> Result<Answer, EvalError> {
        let _ = (storage, start_ms, end_ms, step_ms, limits);
        Err(EvalError::Unsupported("evaluation".to_owned()))
    }

    /// The matchers of each selector of the query, the metric name among them.
    pub fn selectors(&self) -> Vec<Vec<Matcher>> {
        Vec::new()
    }

    /// The metric names that the query reads, sorted, each once; those given by pattern are not among them.
    pub fn metric_names(&self) -> Vec<String> {
        Vec::new()
    }
}
