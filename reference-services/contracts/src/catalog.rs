//! What `catalog` takes and gives: products, and the stock of them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::orders::Line;

/// Body of `PUT /v1/products/{sku}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// What it is called.
    pub name: String,
    /// What there is to say about it.
    pub description: String,
    /// The category, for example `coffee`.
    pub category: String,
    /// Price of one piece in minor units: the same number in every currency.
    pub price_minor: i64,
}

/// A product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Stock keeping unit.
    pub sku: String,
    /// What it is called.
    pub name: String,
    /// What there is to say about it.
    pub description: String,
    /// Its category.
    pub category: String,
    /// Price of one piece in minor units: the same number in every currency.
    pub price_minor: i64,
    /// Counts its changes from 1; the header `ETag` has it too.
    pub version: i64,
    /// When it was last changed.
    pub updated_ms: i64,
}

/// Answer of `GET /v1/products`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Products {
    /// Those that fit best first; all fit alike without a query, by their SKU then.
    pub products: Vec<Product>,
    /// Give this as `after` to read on; absent at the end and with a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Answer of `GET /v1/categories`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Categories {
    /// In the order of their names.
    pub categories: Vec<Category>,
}

/// A category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// Products in it.
    pub products: i64,
}

/// Answer of `GET /v1/products/{sku}/stock`. On hand, reserved and shipped make
/// up what was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    /// Stock keeping unit.
    pub sku: String,
    /// Pieces that ever came in.
    pub received: i64,
    /// Pieces that can be sold.
    pub on_hand: i64,
    /// Pieces that are set aside for an order.
    pub reserved: i64,
    /// Pieces that left the house.
    pub shipped: i64,
}

/// Body of `POST /v1/products/{sku}/receipts`, sent with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Pieces that came in.
    pub pieces: i64,
}

/// Body of `POST /v1/reservations`. The order's id is the idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    /// The order that the pieces are for.
    pub order: Uuid,
    /// What is wanted, at the price that the customer was told.
    pub lines: Vec<Line>,
}

/// How far a reservation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservationState {
    /// The pieces are set aside until the reservation expires.
    Held,
    /// The pieces are set aside until they are shipped or given back.
    Confirmed,
    /// The pieces left the house.
    Shipped,
    /// The pieces were given back.
    Released,
    /// The pieces were given back because nobody confirmed in time.
    Expired,
}

impl ReservationState {
    /// Every state, in the order of their definition.
    pub const ALL: [Self; 5] =
        [Self::Held, Self::Confirmed, Self::Shipped, Self::Released, Self::Expired];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Confirmed => "confirmed",
            Self::Shipped => "shipped",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The order that the pieces are for.
    pub order: Uuid,
    /// How far it has come.
    pub state: ReservationState,
    /// When it expires if nobody confirms it.
    pub expires_ms: i64,
}

/// Where [`CatalogEvent`]s are published.
pub const TOPIC: &str = "catalog-events";

/// What `catalog` tells others, and itself. The key is the SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum CatalogEvent {
    /// A product is new or says something else now.
    ProductChanged {
        /// Stock keeping unit.
        sku: String,
        /// The version that it has now.
        version: i64,
    },
    /// Pieces came in.
    StockReceived {
        /// Stock keeping unit.
        sku: String,
        /// How many.
        pieces: i64,
    },
}
