//! PromQL: from a typed query to a value.
//!
//! The HTTP API, rules and `evidence` hand in query texts and times; series come from a [`series::Storage`]; out goes an
//! [`Answer`]. Evaluation is series-major: a selector decodes each series once for all steps, and every operator works
//! on whole rows of steps. An instant query is a range query of one step. This crate knows no HTTP and no clock.
//!
//! ```
//! use promql::{Limits, Query, Value};
//! use series::{Head, Labels};
//!
//! let head = Head::new(series::Limits::default());
//! head.append(&Labels::from_pairs([("__name__", "up"), ("job", "orders")]), 1_000, 1.0).expect("in order");
//! let query = Query::parse("sum by (job) (up)").expect("a valid query");
//! let answer = query.instant(&head, 2_000, &Limits::default()).expect("within the limits");
//! let Value::Vector(vector) = answer.value else { panic!("a sum is a vector") };
//! assert_eq!((vector[0].labels.get("job"), vector[0].v), (Some("orders"), 1.0));
//! ```
//!
//! Not supported: native histograms (classic ones with `le` are), `integral`, `start_timestamp`, expressions as
//! durations, and `or` between matchers.

mod aggregate;
mod answer;
mod ast;
mod binary;
mod calls;
mod elementwise;
mod eval;
mod fault;
mod grid;
mod histogram;
mod info;
pub mod limits;
mod names;
mod notes;
mod numbers;
mod numeral;
mod over_time;
mod position;
mod query;
mod quoted;
mod relabel;
mod select;
mod translate;

pub use answer::{Answer, MatrixSeries, Value, VectorSample};
pub use limits::{EvalError, Limits};
pub use names::{AGGREGATIONS, FUNCTIONS};
pub use query::{ParseError, Query};
