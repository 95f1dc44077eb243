//! What `notifications` takes and gives: what a customer was told, over which
//! channel, and where his own program wants to hear of it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a customer is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An order is complete.
    OrderConfirmed,
    /// An order came to nothing, or was called off.
    OrderCancelled,
    /// Money was taken.
    PaymentReceived,
    /// Money was given back.
    PaymentRefunded,
    /// The carrier has the parcels.
    ShipmentDispatched,
    /// The customer has the parcels.
    ShipmentDelivered,
}

impl Kind {
    /// Every kind, in the order of their definition.
    pub const ALL: [Self; 6] = [
        Self::OrderConfirmed,
        Self::OrderCancelled,
        Self::PaymentReceived,
        Self::PaymentRefunded,
        Self::ShipmentDispatched,
        Self::ShipmentDelivered,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderConfirmed => "order_confirmed",
            Self::OrderCancelled => "order_cancelled",
            Self::PaymentReceived => "payment_received",
            Self::PaymentRefunded => "payment_refunded",
            Self::ShipmentDispatched => "shipment_dispatched",
            Self::ShipmentDelivered => "shipment_delivered",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How a customer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// In the list and the stream of `GET /v1/notifications`.
    InApp,
    /// By e-mail.
    Email,
    /// By a `POST` to an address of the customer's own.
    Webhook,
}

impl Channel {
    /// Every channel, in the order of their definition.
    pub const ALL: [Self; 3] = [Self::InApp, Self::Email, Self::Webhook];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InApp => "in_app",
            Self::Email => "email",
            Self::Webhook => "webhook",
        }
    }

    /// The channel with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }
}

/// What became of a notification on one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is to be sent, for the first time or again.
    Waiting,
    /// It was taken by whoever is next on the way.
    Sent,
    /// It is not sent: the customer does not want it, or there is no address.
    Suppressed,
    /// It was tried too often, or refused for good.
    Dead,
}

impl DeliveryState {
    /// Every state, in the order of their definition.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Sent, Self::Suppressed, Self::Dead];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Suppressed => "suppressed",
            Self::Dead => "dead",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A notification as the customer reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Its id: that of the event that it tells of.
    pub id: Uuid,
    /// Its place in the stream, rising: what `Last-Event-ID` says.
    pub position: i64,
    /// What it tells of.
    pub kind: Kind,
    /// The order that it is about.
    pub order: Uuid,
    /// One line, in the customer's language.
    pub subject: String,
    /// All of it, as plain text.
    pub text: String,
    /// When it came into the stream.
    pub created_ms: i64,
    /// Whether the customer has read it.
    pub read: bool,
}

/// Answer of `GET /v1/notifications`: the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notifications {
    /// At most as many as were asked for.
    pub notifications: Vec<Notification>,
    /// How many of all are not read yet.
    pub unread: i64,
    /// Give this as `before` to read on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// Body of `POST /v1/notifications/read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkRead {
    /// Up to this place everything was read.
    pub up_to: i64,
}

/// Answer of `POST /v1/notifications/read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// How many are not read yet.
    pub unread: i64,
}

/// Answer of `GET /v1/notifications/{id}`: how the customer was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The notification's id.
    pub id: Uuid,
    /// What it tells of.
    pub kind: Kind,
    /// The order that it is about.
    pub order: Uuid,
    /// One for each channel; none until the customer's preferences are known.
    pub deliveries: Vec<Delivery>,
}

/// A notification on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The channel.
    pub channel: Channel,
    /// What became of it.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: i64,
    /// Why it is in this state, in words; empty when there is nothing to say.
    pub reason: String,
}

/// Body of `PUT /v1/notifications/webhook`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetWebhook {
    /// Where to post: `https` and a public address, unless the operator allows others.
    pub url: String,
}

/// Answer of `PUT` and `GET /v1/notifications/webhook`. It has no `Debug`: the
/// secret is one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Where it is posted to.
    pub url: String,
    /// What signatures are made with (`whsec_` and base64). Another one is made
    /// whenever the address is set.
    pub secret: String,
    /// When it was set.
    pub created_ms: i64,
}

/// What is posted to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookBody {
    /// What it tells of.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// When it happened, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The notification.
    pub data: WebhookData,
}

/// The notification in a [`WebhookBody`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookData {
    /// The notification's id.
    pub id: Uuid,
    /// The order that it is about.
    pub order: Uuid,
    /// One line, in the customer's language.
    pub subject: String,
    /// All of it, as plain text.
    pub text: String,
}

/// Answer of `GET /internal/deliveries/dead`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadDeliveries {
    /// How many there are.
    pub count: i64,
    /// The oldest of them.
    pub deliveries: Vec<DeadDelivery>,
}

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadDelivery {
    /// The notification.
    pub notification: Uuid,
    /// The channel, its attempts and why it was given up.
    pub delivery: Delivery,
}
