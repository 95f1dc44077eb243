//! Where telemetry is asked: the engine built in, or one that a team has already.
//!
//! Views and the evidence ask through the traits; [`Backend`](crate::Backend) answers them from its own stores, the
//! others over HTTP. Calls block until there is an answer or the engine's time is over: they belong on a thread that may
//! wait.

mod embedded;
mod http;
mod jaeger;
mod metrics;
mod mirror;
mod otlp;
mod proxy;
mod tempo;

use crate::{Exemplar, MetricMeta};
use promql::Answer;
use series::Labels;
use std::collections::BTreeMap;
use std::sync::Arc;
use traces::{Search, Span, Trace, TraceId, TraceSummary};

pub(crate) use embedded::ParsedQueries;
pub use http::RemoteOptions;
pub use jaeger::Jaeger;
pub use metrics::RemotePrometheus;
pub use mirror::run_trace_mirror;
pub use proxy::prometheus_proxy;
pub use tempo::Tempo;

/// Why an engine has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// It understood and refuses: the question is wrong, or asks for too much.
    #[error("{0}")]
    Refused(String),
    /// It does not answer, or not as an engine of its kind does.
    #[error("{0}")]
    Down(String),
}

/// How an engine does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its name for people, with its address: `Prometheus at http://prometheus:9090`.
    pub name: String,
    /// Why it does not answer, and since when, milliseconds since 1970; `None` while it does.
    pub fault: Option<(String, i64)>,
    /// When it answered last, milliseconds since 1970.
    pub answered_ms: Option<i64>,
}

/// The steps of a range query, milliseconds since 1970, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepRange {
    /// The first step.
    pub start_ms: i64,
    /// The last step is here or before.
    pub end_ms: i64,
    /// Between two steps, above 0.
    pub step_ms: i64,
}

/// Series with the exemplars of each.
pub type FoundExemplars = Vec<(Labels, Vec<Exemplar>)>;

/// Answers questions about metrics. Times are milliseconds since 1970; selectors are PromQL, and none means everything.
pub trait MetricsEngine: Send + Sync + std::fmt::Debug {
    /// How it does.
    fn condition(&self) -> Condition;

    /// Whether asking goes over the network: ask less often then, and several things at once.
    fn is_remote(&self) -> bool;

    /// Since when there are samples, as far as that is known.
    fn oldest_ms(&self) -> Option<i64>;

    /// The value of a query at one time.
    fn instant(&self, query: &str, at_ms: i64) -> Result<Answer, AskError>;

    /// The values of a query at each step: a matrix.
    fn range(&self, query: &str, steps: StepRange) -> Result<Answer, AskError>;

    /// The series of any of the selectors, sorted.
    fn series(
        &self,
        selectors: &[String],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<Labels>, AskError>;

    /// The names of labels of those series, sorted.
    fn label_names(
        &self,
        selectors: &[String],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, AskError>;

    /// The values of one label of those series, sorted.
    fn label_values(
        &self,
        name: &str,
        selectors: &[String],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, AskError>;

    /// Help, type and unit by the name of the metric.
    fn metadata(&self) -> Result<BTreeMap<String, MetricMeta>, AskError>;

    /// The exemplars of every series that a query reads.
    fn exemplars(
        &self,
        query: &str,
        start_ms: i64,
        end_ms: i64,
    ) -> Result<FoundExemplars, AskError>;
}

/// Answers questions about traces.
pub trait TracesEngine: Send + Sync + std::fmt::Debug {
    /// How it does.
    fn condition(&self) -> Condition;

    /// The names of the services, sorted.
    fn services(&self) -> Result<Vec<String>, AskError>;

    /// The operations of one service, sorted.
    fn operations(&self, service: &str) -> Result<Vec<String>, AskError>;

    /// The traces that fit, newest start first.
    fn search(&self, search: &Search) -> Result<Vec<TraceSummary>, AskError>;

    /// A trace as far as it has arrived; `None` when there is none with this id.
    fn trace(&self, id: &TraceId) -> Result<Option<Trace>, AskError>;

    /// Spans of traces that began between two times, milliseconds since 1970, as many as can be had without much effort;
    /// traces that are `known` may be left out.
    fn recent(
        &self,
        from_ms: i64,
        to_ms: i64,
        known: &dyn Fn(&TraceId) -> bool,
    ) -> Result<Vec<Span>, AskError>;
}

/// The engines that views and evidence ask.
#[derive(Debug, Clone)]
pub struct Engines {
    /// For metrics.
    pub metrics: Arc<dyn MetricsEngine>,
    /// For traces.
    pub traces: Arc<dyn TracesEngine>,
}
