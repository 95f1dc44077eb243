//! The values that a template works on, and how they look as text.
//!
//! The evaluator passes them between functions; `go_format` writes numbers as Go does.

use super::go_format::float_text;
use series::Labels;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One element of a query's answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QuerySample {
    /// Its labels.
    pub(crate) labels: Labels,
    /// Its value.
    pub(crate) value: f64,
}

/// What `.` is at the beginning: the alert.
#[derive(Debug, Clone)]
pub(crate) struct Alerting {
    /// Labels of the element that made the alert.
    pub(crate) labels: Labels,
    /// Labels of this server.
    pub(crate) external_labels: Labels,
    /// Where this server can be reached from outside.
    pub(crate) external_url: Arc<str>,
    /// The element's value.
    pub(crate) value: f64,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Neither a value nor an empty one: what Go shows as `<no value>`.
    Nothing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    Labels(Labels),
    Args(Arc<BTreeMap<String, Value>>),
    List(Arc<Vec<Value>>),
    Sample(Arc<QuerySample>),
    Alert(Arc<Alerting>),
}

impl Value {
    pub(crate) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// Whether `if` takes it: neither empty nor zero.
    pub(crate) fn truth(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Bool(is) => *is,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Labels(labels) => !labels.is_empty(),
            Self::Args(args) => !args.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Sample(_) | Self::Alert(_) => true,
        }
    }

    /// Go's name of its type, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Labels(_) => "map[string]string",
            Self::Args(_) => "map[string]interface {}",
            Self::List(_) => "list of samples",
            Self::Sample(_) => "sample",
            Self::Alert(_) => "alert",
        }
    }

    /// A field or a key. A label that is not there is empty, as in PromQL.
    pub(crate) fn field(&self, name: &str) -> Result<Value, String> {
        let none = || Err(format!("can't evaluate field {name} in type {}", self.kind()));
        Ok(match self {
            Self::Labels(labels) => Self::text(labels.value(name)),
            Self::Args(args) => args.get(name).cloned().unwrap_or(Self::Nothing),
            Self::Sample(sample) => match name {
                "Labels" => Self::Labels(sample.labels.clone()),
                "Value" => Self::Float(sample.value),
                _ => return none(),
            },
            Self::Alert(alert) => match name {
                "Labels" => Self::Labels(alert.labels.clone()),
                "ExternalLabels" => Self::Labels(alert.external_labels.clone()),
                "ExternalURL" => Self::Text(alert.external_url.clone()),
                "Value" => Self::Float(alert.value),
                _ => return none(),
            },
            _ => return none(),
        })
    }

    /// As `{{ . }}` shows it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Nothing => "<no value>".to_owned(),
            Self::Bool(is) => is.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => float_text(*number),
            Self::Text(text) => text.to_string(),
            Self::Labels(labels) => map_text(labels.iter().map(|(n, v)| (n, v.to_owned()))),
            Self::Args(args) => map_text(args.iter().map(|(n, v)| (n.as_str(), v.shown()))),
            Self::List(list) => {
                let parts: Vec<String> = list.iter().map(Self::shown).collect();
                format!("[{}]", parts.join(" "))
            }
            Self::Sample(sample) => {
                let labels = Self::Labels(sample.labels.clone()).shown();
                format!("{{{labels} {}}}", float_text(sample.value))
            }
            Self::Alert(alert) => {
                let labels = Self::Labels(alert.labels.clone()).shown();
                format!("{{{labels} {}}}", float_text(alert.value))
            }
        }
    }
}

fn map_text<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> String {
    let parts: Vec<String> = pairs.map(|(name, value)| format!("{name}:{value}")).collect();
    format!("map[{}]", parts.join(" "))
}
