//! Evidence as typed values. Durations are seconds, ratios 0 to 1, rates per second, times
//! milliseconds since 1970.

use document::ServiceId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is known about the running system at one moment, for all pages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The moment.
    pub at: i64,
    /// Seconds over which rates and quantiles were measured.
    pub window: u32,
    /// Every service that the book names or that telemetry saw, in the book's order, then by name.
    pub services: Vec<ServiceEvidence>,
    /// By [`document::Page::id`].
    pub pages: BTreeMap<String, PageEvidence>,
    /// What is promised, in the order of `book.toml` and then of the pages.
    #[serde(default)]
    pub objectives: Vec<ObjectiveEvidence>,
    /// What the diagrams draw against what the traces show.
    pub drift: crate::Drift,
    /// Everything that was seen to run, and who calls whom.
    pub map: crate::ServiceMap,
    /// What the rules say; filled in by whoever runs them.
    #[serde(default)]
    pub alerts: crate::Alerts,
    /// Engines that do not answer now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<SourceFault>,
}

/// An engine that does not answer: what it would tell is as old as its last answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFault {
    /// What it tells: `metrics` or `traces`.
    pub source: String,
    /// Its name and address.
    pub engine: String,
    /// Why it does not answer.
    pub why: String,
    /// Since when, milliseconds since 1970.
    pub since: i64,
    /// When it answered last, milliseconds since 1970.
    pub answered: Option<i64>,
}

/// What is known for one page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PageEvidence {
    /// By section id; sections that nothing is bound to are absent.
    pub strips: BTreeMap<String, Strip>,
    /// One for each KPI of the page, by [`document::Kpi::index`].
    pub kpis: Vec<KpiEvidence>,
    /// One for each diagram of the page, by [`document::DiagramBlock::index`].
    pub diagrams: Vec<DiagramEvidence>,
}

/// How a service does, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Nothing measures it.
    NoData,
    /// It answers as it should.
    Healthy,
    /// It answers, and something is not right: errors, a replica down, a restart just now.
    Degraded,
    /// Nobody answers, or most answers are errors.
    Down,
}

/// A measured number or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "value")]
pub enum Figure {
    /// Measured.
    Value(f64),
    /// The series are there and nothing came in: no ratio and no quantile can be said.
    NoTraffic,
    /// No series.
    NoData,
    /// The last value and the seconds since it was measured.
    Stale(f64, u32),
    /// The query failed; why.
    QueryError(String),
    /// Not asked yet.
    Loading,
}

/// One service as seen now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceEvidence {
    /// Its id.
    pub id: ServiceId,
    /// Name for people.
    pub title: String,
    /// In one word.
    pub health: Health,
    /// Why, in a few words: `1 of 2 replicas up`, `restarted 4 s ago`.
    pub reason: String,
    /// Replicas that answer.
    pub up: u32,
    /// Replicas that are known.
    pub instances: u32,
    /// Whether the figures come from its callers' traces, for nothing measures the service itself.
    #[serde(default)]
    pub traced: bool,
    /// `service.version`, when known.
    pub version: Option<String>,
    /// Requests a second, seen by the server.
    pub rate: Figure,
    /// 95th percentile of the duration in seconds, seen by the server.
    pub p95: Figure,
    /// Share of requests that failed, seen by the server.
    pub errors: Figure,
}

/// A section's tie to what runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Strip {
    /// The services of the section.
    pub services: Vec<ServiceId>,
    /// The worst of them.
    pub health: Health,
    /// Requests a second over all of them.
    pub rate: Figure,
    /// The slowest service's p95, seconds.
    pub p95: Figure,
    /// Share of all their requests that failed.
    pub errors: Figure,
}

/// Whether what a document says is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// True now with room to spare.
    Holds,
    /// True now, but within 10 % of the bound.
    AtRisk,
    /// Not true now.
    Violated,
    /// Nothing measures it, or a capacity that no load has yet reached.
    Unproven,
    /// A query measures it and finds nothing.
    NoData,
    /// Was measured and is not any more.
    Stale,
}

/// A KPI with its measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KpiEvidence {
    /// [`document::Kpi::id`].
    pub id: String,
    /// The number now, in the base unit.
    pub value: Figure,
    /// The base unit: `s`, `ratio`, `1/s`, `bytes`, `` for a count, or free text.
    pub unit: String,
    /// The bound of the claim in the base unit, when the words could be parsed.
    pub bound: Option<f64>,
    /// Whether it holds.
    pub verdict: Verdict,
    /// Why, in a few words.
    pub reason: String,
    /// The last values, oldest first, for a sparkline; a gap is `None`.
    pub history: Vec<Option<f64>>,
}

/// What was promised over a period, measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectiveEvidence {
    /// Unique in the book.
    pub id: String,
    /// For people.
    pub title: String,
    /// More words.
    pub description: Option<String>,
    /// The target in the author's words.
    pub target: String,
    /// Where it is stated; nowhere when only `book.toml` has it.
    pub places: Vec<ObjectivePlace>,
    /// Whom it is about.
    pub services: Vec<ServiceId>,
    /// The period in seconds; 0 when its words cannot be read.
    pub period_s: u32,
    /// The seconds that [`ObjectiveEvidence::history`] covers: the period, or less while less is kept.
    pub history_s: u32,
    /// The share of good events that is promised, 0 to 1; `None` for a value that is compared.
    pub share: Option<f64>,
    /// Good is what ends within this, seconds.
    pub within_s: Option<f64>,
    /// The base unit of the value.
    pub unit: String,
    /// The share of good events in the period, or the value.
    pub value: Figure,
    /// About how many events the period had.
    pub events: Figure,
    /// What may go wrong, and what of it is left.
    pub budget: Option<Budget>,
    /// How fast the budget burns, over the last hour: 1 spends it exactly in the period.
    pub burn: Figure,
    /// Its alerts.
    pub burns: Vec<BurnRate>,
    /// Whether it holds.
    pub verdict: Verdict,
    /// Why, in a few words.
    pub reason: String,
    /// What was left of the budget, or the value, oldest first; a gap is `None`.
    pub history: Vec<Option<f64>>,
    /// What is asked over the whole period: `total` and `bad` or `good`, or `value`, with its PromQL.
    pub queries: Vec<(String, String)>,
}

/// Where an objective is stated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectivePlace {
    /// [`document::Page::id`].
    pub page: String,
    /// [`document::Section::id`], unless it stands above all headings.
    pub section: Option<String>,
}

/// An error budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// The seconds of the period that may be wholly bad.
    pub total_s: f64,
    /// The part that is left: 1 is all, below 0 more than all is spent.
    pub left: Figure,
    /// The same in seconds.
    pub left_s: Figure,
}

/// How fast a budget burns in a long and in a short span. Both over the factor raise an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BurnRate {
    /// How soon somebody has to look.
    pub severity: crate::Severity,
    /// The burn rate that raises the alert.
    pub factor: f64,
    /// Seconds of the long span.
    pub long_s: u32,
    /// Seconds of the short span.
    pub short_s: u32,
    /// Burn rate in the long span.
    pub long: Figure,
    /// Burn rate in the short span.
    pub short: Figure,
    /// Whether so bad a rate is possible at all with this target.
    pub reachable: bool,
    /// Whether too little happened in the long span to say anything.
    pub too_few: bool,
    /// Whether the alert fires.
    pub firing: bool,
}

/// What a node or the like stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "id")]
pub enum Bound {
    /// A service.
    Service(ServiceId),
    /// A database that a service calls, by the name that traces give it.
    Database(String),
    /// A queue or topic.
    Queue(String),
    /// Somebody else's system.
    External(String),
}

/// Live values of a diagram.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DiagramEvidence {
    /// Bound nodes by node id.
    pub nodes: BTreeMap<String, NodeEvidence>,
    /// Edges between bound nodes by edge id.
    pub edges: BTreeMap<String, EdgeEvidence>,
    /// Calls seen between services of this diagram that nobody drew: caller, callee, a second.
    pub undocumented: Vec<(String, String, f64)>,
}

/// Live values of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeEvidence {
    /// What it stands for.
    pub bound: Bound,
    /// Its health.
    pub health: Health,
    /// Requests a second.
    pub rate: Figure,
    /// 95th percentile in seconds.
    pub p95: Figure,
    /// Share that failed.
    pub errors: Figure,
}

/// Whether a drawn edge is seen in traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeState {
    /// Seen in the window.
    Confirmed,
    /// Seen before the window.
    Idle,
    /// Not seen since Loggia started: which is not "absent".
    NeverSeen,
}

/// Live values of an edge, seen by the caller where its side is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EdgeEvidence {
    /// Caller's name in traces.
    pub from: String,
    /// Callee's name in traces.
    pub to: String,
    /// Whether it is seen.
    pub state: EdgeState,
    /// Calls a second.
    pub rate: Figure,
    /// 95th percentile in seconds.
    pub p95: Figure,
    /// Share that failed.
    pub errors: Figure,
    /// When it was last seen.
    pub last_seen: Option<i64>,
    /// A trace that crossed it, as 32 hex digits.
    pub example_trace: Option<String>,
}
