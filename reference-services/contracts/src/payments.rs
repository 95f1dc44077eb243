//! What `payments` takes and gives. Only `GET /v1/payments/{id}` is open to the
//! outside; the rest is between services.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::money::Money;

/// Body of `POST /v1/payments`, sent with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorise {
    /// The order that is paid for.
    pub order: Uuid,
    /// Account of the customer.
    pub customer: Uuid,
    /// How much to reserve.
    pub amount: Money,
}

/// How far a payment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// Written, and the provider has not answered yet.
    Started,
    /// The provider reserved the amount.
    Authorised,
    /// The amount was taken: the ledger has it.
    Captured,
    /// The provider said no.
    Declined,
    /// The reservation was given up before anything was taken.
    Voided,
    /// The amount was taken and given back: the ledger has both.
    Refunded,
}

impl PaymentState {
    /// Every state, in the order of their definition.
    pub const ALL: [Self; 6] = [
        Self::Started,
        Self::Authorised,
        Self::Captured,
        Self::Declined,
        Self::Voided,
        Self::Refunded,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Authorised => "authorised",
            Self::Captured => "captured",
            Self::Declined => "declined",
            Self::Voided => "voided",
            Self::Refunded => "refunded",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The payment's id.
    pub id: Uuid,
    /// The order that is paid for.
    pub order: Uuid,
    /// Account of the customer.
    pub customer: Uuid,
    /// How much.
    pub amount: Money,
    /// How far it has come.
    pub state: PaymentState,
    /// When it was started.
    pub created_ms: i64,
    /// When its state last changed.
    pub updated_ms: i64,
}

/// Where [`PaymentEvent`]s are published.
pub const TOPIC: &str = "payment-events";

/// What `payments` tells others. The key is the order's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum PaymentEvent {
    /// The amount was taken.
    Captured {
        /// The payment.
        payment: Uuid,
        /// The order that is paid for.
        order: Uuid,
        /// How much.
        amount: Money,
    },
    /// The amount was given back.
    Refunded {
        /// The payment.
        payment: Uuid,
        /// The order that was paid for.
        order: Uuid,
        /// How much.
        amount: Money,
    },
}
