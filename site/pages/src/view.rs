//! What the drill-down pages show. `loggia` fills these from `telemetry` and `traces`.

use crate::{Chart, ChartMark, ChartSpan};
use evidence::{Figure, ServiceEvidence};
use std::sync::Arc;
use traces::{LogRecord, TraceSummary};

/// One service with its charts, calls and places in the documents.
#[derive(Debug, Clone)]
pub struct ServiceView {
    /// How it does now.
    pub service: ServiceEvidence,
    /// Rate, errors, duration.
    pub charts: Vec<Chart>,
    /// How much of what it has is used: processor, memory, connections.
    pub saturation: Vec<Chart>,
    /// What of that nothing measures.
    pub unmeasured: Vec<Unmeasured>,
    /// Its replicas by name.
    pub instances: Vec<Instance>,
    /// Its routes, the busiest first.
    pub routes: Vec<RouteFigures>,
    /// Other versions and restarts, newest first.
    pub changes: Vec<Change>,
    /// Recent traces through it, newest first.
    pub traces: Vec<TraceSummary>,
    /// Those of the charts' time that took longest.
    pub slowest: Vec<TraceSummary>,
    /// What it wrote down last, newest first.
    pub logs: Vec<Arc<LogRecord>>,
    /// Calls that others make to it.
    pub calls_in: Vec<Call>,
    /// Calls that it makes: services, databases, queues, others' systems.
    pub calls_out: Vec<Call>,
    /// Where the book speaks of it.
    pub documented: Vec<Documented>,
    /// The time that the charts show.
    pub span: ChartSpan,
}

/// Something that a page would show and nothing measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unmeasured {
    /// What it is: `connection pool`.
    pub what: &'static str,
    /// The metric that would tell.
    pub expose: &'static str,
}

/// One replica of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Whether it answers.
    pub up: bool,
    /// Its version, where it says one.
    pub version: Option<String>,
    /// When its process began, milliseconds since 1970.
    pub since: Option<i64>,
    /// Bytes of memory.
    pub memory: Figure,
    /// Processor cores that it keeps busy.
    pub cpu: Figure,
}

/// How one route of a service does.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteFigures {
    /// Method and template, such as `GET /v1/orders/{id}`.
    pub route: String,
    /// Requests a second.
    pub rate: Figure,
    /// Share that failed.
    pub errors: Figure,
    /// Median in seconds.
    pub p50: Figure,
    /// 95th percentile in seconds.
    pub p95: Figure,
}

/// Another version or a restart, and the service before and after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What happened when.
    pub mark: ChartMark,
    /// Seconds before and after it that are compared.
    pub window_s: u32,
    /// Before it.
    pub before: Golden,
    /// After it.
    pub after: Golden,
}

/// The figures that are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Golden {
    /// Requests a second.
    pub rate: Figure,
    /// Share that failed.
    pub errors: Figure,
    /// 95th percentile in seconds.
    pub p95: Figure,
}

/// Calls between a service and one peer, as traces show them.
#[derive(Debug, Clone)]
pub struct Call {
    /// Name of the other side.
    pub peer: String,
    /// `service`, `database`, `queue`, `external` or `user`.
    pub kind: String,
    /// Calls a second.
    pub rate: Figure,
    /// 95th percentile in seconds.
    pub p95: Figure,
    /// Share that failed.
    pub errors: Figure,
}

/// A place in the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documented {
    /// The section's title.
    pub title: String,
    /// Address from the site's root, without a leading `/`, for instance `index.html#microservices`.
    pub href: String,
}

/// What is wrong with the reader's input, by the name of the field.
pub type Problems = std::collections::BTreeMap<&'static str, String>;

/// Found traces with the form that found them.
#[derive(Debug, Clone, Default)]
pub struct TraceSearchView {
    /// As the reader filled them in.
    pub filters: TraceFilters,
    /// The list, in the order that was asked for.
    pub results: Vec<TraceSummary>,
    /// What the plot shows: the list and more, newest first.
    pub plotted: Vec<TraceSummary>,
    /// There may be more than were looked at; how many were.
    pub more_than: Option<usize>,
    /// The time that was asked for, milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Its end.
    pub to_ms: Option<i64>,
    /// Every service that sent spans.
    pub services: Vec<String>,
    /// Operations to choose from, of the chosen service or of all.
    pub operations: Vec<String>,
    /// What is wrong with the reader's input.
    pub problems: Problems,
    /// Why there may be less than there should be, in a sentence.
    pub problem: Option<String>,
}

/// The search form's fields as the reader filled them in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceFilters {
    /// `service=`.
    pub service: Option<String>,
    /// `operation=`: a span's name.
    pub operation: Option<String>,
    /// `calls=`: whom the span calls.
    pub calls: Option<String>,
    /// `attributes=`: `key=value` and so on.
    pub attributes: Option<String>,
    /// `min=`: shortest duration as typed, such as `250ms` or `1.5s`.
    pub min_duration: Option<String>,
    /// `max=`: longest duration.
    pub max_duration: Option<String>,
    /// `errors=1`.
    pub errors_only: bool,
    /// `from=`, such as `now-15m`.
    pub from: Option<String>,
    /// `to=`.
    pub to: Option<String>,
    /// `sort=slowest`.
    pub slowest_first: bool,
    /// `limit=`: most traces shown.
    pub limit: usize,
}

/// Found log records with the form that found them.
#[derive(Debug, Clone, Default)]
pub struct LogSearchView {
    /// As the reader filled them in.
    pub filters: LogFilters,
    /// The list, newest arrival first.
    pub records: Vec<std::sync::Arc<traces::LogRecord>>,
    /// What was counted: the list and more, newest arrival first.
    pub counted: Vec<std::sync::Arc<traces::LogRecord>>,
    /// What these have in common.
    pub counts: traces::LogCounts,
    /// There may be more than were counted; how many were.
    pub more_than: Option<usize>,
    /// The time that was asked for, milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Its end.
    pub to_ms: Option<i64>,
    /// What came after the list has a higher one.
    pub cursor: u64,
    /// Every service that wrote one.
    pub services: Vec<String>,
    /// What is wrong with the reader's input.
    pub problems: Problems,
}

/// The fields of the search over logs as the reader filled them in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilters {
    /// `q=`: words.
    pub text: String,
    /// `service=`.
    pub service: Option<String>,
    /// `severity=`: the least, by name.
    pub severity: Option<String>,
    /// `trace=`.
    pub trace: Option<String>,
    /// `span=`.
    pub span: Option<String>,
    /// `from=`, such as `now-15m`.
    pub from: Option<String>,
    /// `to=`.
    pub to: Option<String>,
    /// `limit=`: most records shown.
    pub limit: usize,
    /// `tail=1`: what comes is added.
    pub tail: bool,
}

/// One trace with what is shown beside it.
#[derive(Debug, Clone)]
pub struct TraceView<'a> {
    /// The trace, with clocks set where that was asked for.
    pub trace: &'a traces::Trace,
    /// What services wrote down in it, in the order of time.
    pub logs: &'a [std::sync::Arc<traces::LogRecord>],
    /// Where the book speaks of each of its services.
    pub documented: &'a std::collections::BTreeMap<String, Vec<Documented>>,
    /// The largest move of a span of each service, nanoseconds, where clocks were set.
    pub moved_ns: std::collections::BTreeMap<std::sync::Arc<str>, i64>,
    /// Whether it is so young that spans of it may still be on their way.
    pub arriving: bool,
    /// How the reader wants to see it.
    pub ask: TraceAsk,
}

/// How a reader wants to see a trace; each stands in the address.
#[derive(Debug, Clone, Default)]
pub struct TraceAsk {
    /// `span=`: opened, and in the part that is shown.
    pub span: Option<traces::SpanId>,
    /// `find=`: words to mark.
    pub find: String,
    /// `zoom=`: the part of the time that is shown.
    pub zoom: Option<crate::Zoom>,
    /// `fold=off`: repeated siblings each for themselves.
    pub unfolded: bool,
    /// `clocks=set`: clocks of hosts set right.
    pub clocks: bool,
    /// `line=`, from 0: of a long trace, the part with this line.
    pub first_line: usize,
    /// What of the address could not be understood, in a sentence.
    pub problem: Option<String>,
}
