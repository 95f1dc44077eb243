//! What a query answers: the value and what its author should know about it.
//!
//! The evaluator makes it; the HTTP API, rules and `evidence` read it.

use series::{Labels, Sample};

/// A query's value with its annotations.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The value.
    pub value: Value,
    /// Things that are likely wrong, each once, in words.
    pub warnings: Vec<String>,
    /// Things worth knowing, each once, in words.
    pub infos: Vec<String>,
}

/// The four kinds of value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number at a time.
    Scalar {
        /// Milliseconds since 1970.
        t: i64,
        /// The number.
        v: f64,
    },
    /// One value per series, all at the evaluation time. In no promised order, except after `sort`, `sort_desc`,
    /// `sort_by_label*`, `topk` and `bottomk`.
    Vector(Vec<VectorSample>),
    /// Many values per series; sorted by labels.
    Matrix(Vec<MatrixSeries>),
    /// A text.
    String {
        /// Milliseconds since 1970.
        t: i64,
        /// The text.
        text: String,
    },
}

/// One element of an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSample {
    /// The series' labels.
    pub labels: Labels,
    /// The evaluation time, milliseconds since 1970.
    pub t: i64,
    /// The value.
    pub v: f64,
}

/// One series of a matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixSeries {
    /// The series' labels.
    pub labels: Labels,
    /// Its samples by time; a missing step is a gap, never a zero.
    pub samples: Vec<Sample>,
}

impl Value {
    /// The single number of a scalar or of a vector with exactly one element.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Scalar { v, .. } => Some(*v),
            Value::Vector(vector) => match vector.as_slice() {
                [only] => Some(only.v),
                _ => None,
            },
            Value::Matrix(_) | Value::String { .. } => None,
        }
    }

    /// `scalar`, `vector`, `matrix` or `string`: the `resultType` of the HTTP API.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Scalar { .. } => "scalar",
            Value::Vector(_) => "vector",
            Value::Matrix(_) => "matrix",
            Value::String { .. } => "string",
        }
    }
}
