//! Events between services as they travel, and what the routes under
//! `/internal` take and give. What an event says in its body is written beside
//! its producer's other types (`OrderEvent`, `ShipmentEvent`, ...).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Names the event, however often it is delivered.
    pub id: Uuid,
    /// Where it was published, for example `order-events`.
    pub topic: String,
    /// Events of one key are handled in the order in which they were published.
    pub key: String,
    /// Its place among all events of its producer, from 1, without gaps.
    pub position: i64,
    /// Place of the event before it with the same key; 0: it is the first.
    pub previous: i64,
    /// What happened, for example `completed`.
    pub kind: String,
    /// What it says.
    pub body: Value,
    /// W3C headers (`traceparent`, ...) of whoever published it.
    pub context: BTreeMap<String, String>,
    /// When it was published.
    pub published_ms: i64,
}

/// Answer of `GET /internal/outbox?after=&limit=&wait_ms=`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feed {
    /// Events behind `after`, in the order of their places.
    pub events: Vec<Event>,
    /// Place of the newest event of all; 0: there is none.
    pub last: i64,
}

/// Answer of `GET /internal/dead-letters`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetters {
    /// How many there are.
    pub count: i64,
    /// The oldest of them.
    pub letters: Vec<DeadLetter>,
}

/// An event that could not be handled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The service that published it.
    pub producer: String,
    /// The event.
    pub event: Event,
    /// How often it was tried.
    pub attempts: i64,
    /// What went wrong the last time.
    pub error: String,
}

/// Body of `POST /internal/dead-letters/redrive`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redrive {
    /// Which events; all, when there are none here.
    #[serde(default)]
    pub ids: Vec<Uuid>,
}

/// Answer of `POST /internal/dead-letters/redrive`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redriven {
    /// Events that are tried again.
    pub redriven: u64,
}

/// Body of `POST /internal/replay`: the producer's events are delivered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Whose events.
    pub producer: String,
    /// Those behind this place; 0: all.
    pub after: i64,
}

/// Events of one producer at one consumer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The service that published them.
    pub producer: String,
    /// Up to this place they were fetched.
    pub position: i64,
    /// Different events that were delivered.
    pub delivered: i64,
    /// Deliveries of events that had been delivered before.
    pub duplicates: i64,
    /// Events whose effect is in the database.
    pub handled: i64,
    /// Events that wait for their turn or their next attempt.
    pub in_flight: i64,
    /// Events that were given up.
    pub dead: i64,
}
