//! What `analytics` takes and gives: events of clients, schemas of events, and
//! the figures that follow from them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// Role of whoever may read the figures of the business and register schemas.
pub const ROLE_ANALYST: &str = crate::accounts::ROLE_ADMINISTRATOR;

/// Most events in one batch of a client.
pub const MAX_BATCH: usize = 100;

/// Body of `POST /v1/analytics/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostEvents {
    /// From 1 to [`MAX_BATCH`] events, in the order in which they happened.
    pub events: Vec<ClientEvent>,
}

/// Something that happened at a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientEvent {
    /// Names the event: sent again, it has no second effect.
    pub id: Uuid,
    /// What happened; `clients.KIND` is the subject of its schema.
    pub kind: String,
    /// When it happened, by the client's clock.
    pub at_ms: i64,
    /// Version of the schema that it keeps to; absent: the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// What it says.
    pub body: Value,
}

/// Answer of `POST /v1/analytics/events`: what waits in the queue now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Events that were written down.
    pub accepted: u64,
    /// Events that had been written down before.
    pub duplicates: u64,
}

/// Body of `POST /v1/analytics/schemas`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterSchema {
    /// Whose schema: `SOURCE.KIND`.
    pub subject: String,
    /// The schema.
    pub schema: Value,
}

/// One version of a schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegisteredSchema {
    /// Whose schema.
    pub subject: String,
    /// Its version, from 1.
    pub version: u32,
    /// The schema.
    pub schema: Value,
    /// When it was registered.
    pub registered_ms: i64,
}

/// Answer of `GET /v1/analytics/schemas`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schemas {
    /// Every version of every subject, by subject and version.
    pub schemas: Vec<RegisteredSchema>,
    /// Where the next page begins (`after`), if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// How far a window has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowState {
    /// The watermark has not reached its end.
    Open,
    /// The watermark has passed its end; what comes within the allowed lateness refines it.
    Closed,
    /// Nothing changes it any more.
    Final,
}

/// A window of a series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// What the series is kept apart by: a currency, a SKU, a customer, or `all`.
    pub key: String,
    /// Where it begins.
    pub start_ms: i64,
    /// Where it ends, itself not within.
    pub end_ms: i64,
    /// Events in it.
    pub events: i64,
    /// Sum of what they measure: minor units, pieces or milliseconds.
    pub amount: i64,
    /// How far it has come.
    pub state: WindowState,
    /// How often it was written.
    pub revision: i64,
    /// Half of what was measured is at most this, where percentiles are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<i64>,
    /// 95 % are at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<i64>,
    /// 99 % are at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<i64>,
}

/// Answer of `GET /v1/analytics/series/{name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// Up to here all events are believed to have come; absent before the first.
    pub watermark_ms: Option<i64>,
    /// Its windows, by start and key.
    pub windows: Vec<Window>,
    /// Where the next page begins (`after`), if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A product and how it sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sold {
    /// Stock keeping unit.
    pub sku: String,
    /// Lines of orders that have it.
    pub lines: i64,
    /// Pieces.
    pub pieces: i64,
}

/// Answer of `GET /v1/analytics/products`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopProducts {
    /// Those that sold best first.
    pub products: Vec<Sold>,
}

/// What became of the orders that were placed in one minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cohort {
    /// Where the minute begins.
    pub start_ms: i64,
    /// Orders that were placed.
    pub placed: i64,
    /// Those of them that were paid.
    pub captured: i64,
    /// Those of them that were paid and sent.
    pub shipped: i64,
    /// Those of them that were called off.
    pub cancelled: i64,
}

/// Answer of `GET /v1/analytics/funnel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funnel {
    /// Minute by minute.
    pub cohorts: Vec<Cohort>,
    /// Where the next page begins (`from_ms`), if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// Answer of `GET /v1/analytics/join`: orders beside their payments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// Longest time between the two, in milliseconds.
    pub within_ms: i64,
    /// Orders with their payment.
    pub matched: i64,
    /// Orders whose payment may still come.
    pub waiting: i64,
    /// Orders whose payment did not come in time.
    pub unmatched_orders: i64,
    /// Orders that were called off before they were paid.
    pub cancelled_orders: i64,
    /// Payments whose order did not come.
    pub unmatched_payments: i64,
}

/// An event that came when its window was final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateEvent {
    /// The event.
    pub event: Uuid,
    /// The series that it would have belonged to.
    pub series: String,
    /// The key there.
    pub key: String,
    /// When it happened.
    pub at_ms: i64,
    /// The window that was final.
    pub start_ms: i64,
    /// What it would have added.
    pub amount: i64,
    /// Where the watermark stood.
    pub watermark_ms: i64,
}

/// Answer of `GET /v1/analytics/late`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateEvents {
    /// How many there ever were, by series.
    pub counts: std::collections::BTreeMap<String, i64>,
    /// Those that came last.
    pub events: Vec<LateEvent>,
}

/// Something that stands out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Names it.
    pub id: Uuid,
    /// The series.
    pub series: String,
    /// The key in it.
    pub key: String,
    /// Where the window begins.
    pub start_ms: i64,
    /// What was measured.
    pub value: i64,
    /// What the windows before it lead to expect.
    pub expected: f64,
    /// How many robust standard deviations lie between.
    pub score: f64,
}

/// Answer of `GET /v1/analytics/alerts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    /// Those that were raised last first.
    pub alerts: Vec<Alert>,
}

/// Where [`AnalyticsEvent`]s are published.
pub const TOPIC: &str = "analytics-events";

/// What `analytics` tells others. The key is the series'.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum AnalyticsEvent {
    /// A window of a series is far from those before it.
    AnomalyFound(Alert),
}
