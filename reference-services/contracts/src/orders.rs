//! What `orders` takes and gives.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::money::{Currency, Money};
use crate::shipping::ShipmentState;

/// Body of `POST /v1/orders`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceOrder {
    /// What is bought.
    pub lines: Vec<Line>,
    /// Currency of every price.
    pub currency: Currency,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Stock keeping unit.
    pub sku: String,
    /// How many pieces.
    pub quantity: u32,
    /// Price of one piece, in minor units of the order's currency.
    pub unit_price_minor: i64,
}

/// How far an order has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Written, and its saga is under way, forth or back.
    Pending,
    /// The whole total was captured, the stock is reserved and a shipment is
    /// scheduled.
    Paid,
    /// The payment was refused: nothing was captured, and nothing will be.
    PaymentFailed,
    /// Something else was refused (no stock, no carrier), and all that had been
    /// done before was undone.
    Rejected,
    /// The customer called it off, and the saga is on its way back.
    Cancelling,
    /// The customer called it off, and all of it was undone.
    Cancelled,
}

impl OrderState {
    /// Every state, in the order of their definition.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Paid,
        Self::PaymentFailed,
        Self::Rejected,
        Self::Cancelling,
        Self::Cancelled,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::PaymentFailed => "payment_failed",
            Self::Rejected => "rejected",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// An order as its customer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The order's id.
    pub id: Uuid,
    /// Account of the customer.
    pub customer: Uuid,
    /// How far it has come.
    pub state: OrderState,
    /// What is bought.
    pub lines: Vec<Line>,
    /// Sum of the lines.
    pub total: Money,
    /// The payment, once there is one.
    pub payment: Option<Uuid>,
    /// Why it was not completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How far its shipment has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipment: Option<ShipmentState>,
    /// When it was placed.
    pub created_ms: i64,
    /// When its state last changed.
    pub updated_ms: i64,
}

/// Answer of `GET /v1/orders`: the customer's newest orders first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// At most as many as were asked for.
    pub orders: Vec<Order>,
    /// Give this as `before` to read on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Uuid>,
}

/// Answer of `GET /v1/orders/{id}/history`: what happened, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// At most as many as were asked for.
    pub facts: Vec<Happened>,
    /// Give this as `after` to read on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// Something that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    /// Its number in the order's history, from 1 on.
    pub version: i64,
    /// When.
    pub at_ms: i64,
    /// What: `placed`, `done`, `refused`, `gave_up`, `undone`, `cancel_asked`,
    /// `cancel_granted`, `cancel_refused`, `moved`, or `settled` (before there
    /// were sagas).
    pub what: String,
    /// The step of the saga that was done, refused, given up or undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How far the carrier has moved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipment: Option<ShipmentState>,
}

/// Where [`OrderEvent`]s are published.
pub const TOPIC: &str = "order-events";

/// What `orders` tells others. The key is the order's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum OrderEvent {
    /// An order was placed, and its saga begins.
    Placed {
        /// The order.
        order: Uuid,
        /// Account of the customer.
        customer: Uuid,
        /// What it costs.
        total: Money,
        /// What is bought. Events from before it was told of have none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lines: Vec<Line>,
    },
    /// The saga has reached its end: the order may leave the house.
    Completed {
        /// The order.
        order: Uuid,
        /// Pieces in all its lines.
        pieces: u32,
    },
    /// The saga went back: nothing is left of the order but its history.
    Cancelled {
        /// The order.
        order: Uuid,
        /// Why.
        reason: String,
    },
}

/// Answer of `POST /internal/read-model/rebuild`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilt {
    /// Orders that there are.
    pub orders: u64,
    /// Rows that were not what their facts say.
    pub differed: u64,
}
