//! Templates of labels and annotations: the part of Go's `text/template` that alerts use, with the
//! functions that Prometheus gives to rules.
//!
//! Rules hand in texts and the values of an alert and take the text that comes out. No published crate
//! has Go's formats and Prometheus's functions, so the engine is our own. Unsupported: `define`,
//! `template`, `block`, methods, and the functions that make links of Prometheus's own pages.

mod eval;
mod functions;
pub(crate) mod go_format;
mod humanize;
mod lex;
mod parse;
mod value;

pub(crate) use functions::query_escaped;
pub use lex::TemplateError;
pub(crate) use value::{Alerting, QuerySample};

use parse::Node;

/// A text with actions between `{{` and `}}`.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    text: String,
    nodes: Vec<Node>,
}

/// Answers a query at the time of the evaluation.
pub(crate) type Ask<'a> = &'a dyn Fn(&str) -> Result<Vec<QuerySample>, String>;

/// What a template can see.
pub(crate) struct Surroundings<'a> {
    pub(crate) alert: Alerting,
    pub(crate) now_ms: i64,
    pub(crate) query: Ask<'a>,
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        Ok(Self { text: text.to_owned(), nodes: parse::parse(text)? })
    }

    /// As its author wrote it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text for one alert; what goes wrong is said in its place, as Prometheus does.
    pub(crate) fn expand(&self, around: &Surroundings<'_>) -> String {
        eval::evaluate(&self.nodes, around)
            .unwrap_or_else(|why| format!("<error expanding template: {why}>"))
    }
}

#[cfg(test)]
mod tests;
