//! What `orders` takes and gives.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::money::{Currency, Money};

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
    /// Written, and the payment's outcome is not known yet.
    Pending,
    /// The whole total was captured.
    Paid,
    /// Nothing was captured, and nothing will be.
    PaymentFailed,
}

impl OrderState {
    /// Every state, in the order of their definition.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Paid, Self::PaymentFailed];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::PaymentFailed => "payment_failed",
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
