//! What `shipping` takes and gives.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::money::{Currency, Money};

/// Body of `POST /v1/quotes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskQuote {
    /// Pieces that are sent.
    pub pieces: u32,
    /// Currency of the prices.
    pub currency: Currency,
}

/// How fast a shipment travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speed {
    /// With all the others.
    Standard,
    /// Before the others.
    Express,
}

/// One offer in the answer of `POST /v1/quotes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// How fast.
    pub speed: Speed,
    /// For how much.
    pub price: Money,
    /// Days until it arrives.
    pub days: u32,
}

/// Answer of `POST /v1/quotes`, the cheapest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quotes {
    /// The offers.
    pub quotes: Vec<Quote>,
}

/// Body of `POST /v1/shipments`. The order's id is the idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The order that is sent.
    pub order: Uuid,
    /// Account of the customer.
    pub customer: Uuid,
    /// Pieces that are sent.
    pub pieces: u32,
}

/// How far a shipment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShipmentState {
    /// A place is booked, and nothing moves before the order is complete.
    Scheduled,
    /// The order is complete: the carrier may fetch it.
    Released,
    /// The carrier has it.
    Dispatched,
    /// The customer has it.
    Delivered,
    /// It was called off before the carrier had it.
    Cancelled,
}

impl ShipmentState {
    /// Every state, in the order of their definition.
    pub const ALL: [Self; 5] =
        [Self::Scheduled, Self::Released, Self::Dispatched, Self::Delivered, Self::Cancelled];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Released => "released",
            Self::Dispatched => "dispatched",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// The order that is sent.
    pub order: Uuid,
    /// Account of the customer.
    pub customer: Uuid,
    /// Pieces that are sent.
    pub pieces: u32,
    /// How far it has come.
    pub state: ShipmentState,
    /// When it was scheduled.
    pub created_ms: i64,
    /// When its state last changed.
    pub updated_ms: i64,
}

/// Where [`ShipmentEvent`]s are published.
pub const TOPIC: &str = "shipment-events";

/// What `shipping` tells others. The key is the order's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum ShipmentEvent {
    /// The carrier has it.
    Dispatched {
        /// The order that is sent.
        order: Uuid,
    },
    /// The customer has it.
    Delivered {
        /// The order that is sent.
        order: Uuid,
    },
}
