//! What notifications hears: what became of orders, payments and shipments. An
//! event is written down here and nothing else: asking and sending come later
//! and fail by themselves. Of users it hears who changed, to ask again, and who
//! was removed, to forget.

use chassis::clock::now_ms;
use chassis::messaging::decode;
use chassis::{Chassis, Handler, Trouble, Write};
use contracts::messaging::Event;
use contracts::notifications::Kind;
use contracts::orders::OrderEvent;
use contracts::payments::PaymentEvent;
use contracts::shipping::ShipmentEvent;
use contracts::users::UserEvent;
use prometheus::IntCounterVec;
use uuid::Uuid;

use crate::contacts::Contacts;
use crate::domain::Facts;
use crate::store::Desk;

pub(crate) fn subscribe(desk: &Desk, contacts: &Contacts, chassis: &Chassis) {
    let events = chassis.metrics.counter(
        "notifications_events_total",
        "Events that a customer is told of.",
        &["kind"],
    );
    let notes = Notes { desk: desk.clone(), events };
    desk.messaging().subscribe(chassis, "orders", Orders(notes.clone()));
    desk.messaging().subscribe(chassis, "payments", Payments(notes.clone()));
    desk.messaging().subscribe(chassis, "shipping", Shipments(notes));
    let users = Users { desk: desk.clone(), contacts: contacts.clone() };
    desk.messaging().subscribe(chassis, "users", users);
}

/// Writes down what is to be told.
#[derive(Debug, Clone)]
struct Notes {
    desk: Desk,
    events: IntCounterVec,
}

impl Notes {
    async fn note(
        &self,
        write: &mut Write,
        event: &Event,
        kind: Kind,
        order: Uuid,
        facts: Facts,
    ) -> Result<(), Trouble> {
        self.desk.note(write, event, kind, order, &facts, now_ms()).await?;
        self.events.with_label_values(&[kind.name()]).inc();
        Ok(())
    }
}

fn strange(error: serde_json::Error) -> Trouble {
    Trouble::Never(error.to_string())
}

struct Orders(Notes);

impl Handler<Write> for Orders {
    async fn handle(&self, write: &mut Write, event: &Event) -> Result<(), Trouble> {
        match decode(event).map_err(strange)? {
            OrderEvent::Placed { order, customer, total, .. } => {
                Ok(self.0.desk.know(write, order, customer, total, now_ms()).await?)
            }
            OrderEvent::Completed { order, .. } => {
                self.0.note(write, event, Kind::OrderConfirmed, order, Facts::default()).await
            }
            OrderEvent::Cancelled { order, reason } => {
                let facts = Facts { reason: Some(reason), ..Facts::default() };
                self.0.note(write, event, Kind::OrderCancelled, order, facts).await
            }
        }
    }
}

struct Payments(Notes);

impl Handler<Write> for Payments {
    async fn handle(&self, write: &mut Write, event: &Event) -> Result<(), Trouble> {
        let (kind, order, amount) = match decode(event).map_err(strange)? {
            PaymentEvent::Captured { order, amount, .. } => (Kind::PaymentReceived, order, amount),
            PaymentEvent::Refunded { order, amount, .. } => (Kind::PaymentRefunded, order, amount),
        };
        let facts = Facts { amount: Some(amount), ..Facts::default() };
        self.0.note(write, event, kind, order, facts).await
    }
}

struct Shipments(Notes);

impl Handler<Write> for Shipments {
    async fn handle(&self, write: &mut Write, event: &Event) -> Result<(), Trouble> {
        let (kind, order) = match decode(event).map_err(strange)? {
            ShipmentEvent::Dispatched { order } => (Kind::ShipmentDispatched, order),
            ShipmentEvent::Delivered { order } => (Kind::ShipmentDelivered, order),
        };
        self.0.note(write, event, kind, order, Facts::default()).await
    }
}

struct Users {
    desk: Desk,
    contacts: Contacts,
}

impl Handler<Write> for Users {
    async fn handle(&self, write: &mut Write, event: &Event) -> Result<(), Trouble> {
        match decode(event).map_err(strange)? {
            UserEvent::UserRegistered { .. } => {}
            UserEvent::ProfileChanged { user, .. } | UserEvent::PreferencesChanged { user, .. } => {
                self.contacts.forget(user);
            }
            UserEvent::UserDeleted { user } => {
                self.contacts.forget(user);
                self.desk.forget_customer(write, user).await?;
            }
        }
        Ok(())
    }
}
