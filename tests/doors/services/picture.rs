//! What is seen of CloudScale's data from outside when it is quiet, and what must hold of it.

use std::collections::{BTreeMap, BTreeSet};

/// What became of a request to place an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// With this status.
    Answered(u16),
    /// No answer came: it may or may not have had its effect. That never counts as failed.
    Unknown,
}

/// An order with what the other services have of it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) key: String,
    pub(super) id: String,
    pub(super) state: String,
    pub(super) total_minor: i64,
    /// State of its payment; empty: there is none.
    pub(super) payment: String,
    /// State of its shipment; empty: there is none.
    pub(super) shipment: String,
    pub(super) pieces: BTreeMap<String, i64>,
}

/// A product's pieces.
#[derive(Debug, Clone)]
pub(super) struct Pieces {
    pub(super) sku: String,
    pub(super) received: i64,
    pub(super) on_hand: i64,
    /// Reserved and shipped.
    pub(super) taken: i64,
}

/// The events from one service to another.
#[derive(Debug, Clone)]
pub(super) struct Events {
    pub(super) route: String,
    pub(super) published: i64,
    pub(super) delivered: i64,
    pub(super) handled: i64,
    pub(super) dead: i64,
    pub(super) in_flight: i64,
}

/// Everything.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub(super) orders: Vec<Seen>,
    pub(super) stock: Vec<Pieces>,
    pub(super) events: Vec<Events>,
    /// What the ledger has received, in minor units over all currencies.
    pub(super) received_minor: i64,
    /// Invariants that a service itself found broken.
    pub(super) broken: Vec<String>,
}

impl Picture {
    /// Where the money is.
    pub(super) fn money(&self) -> (i64, Vec<(String, String)>) {
        let payments =
            self.orders.iter().map(|order| (order.id.clone(), order.payment.clone())).collect();
        (self.received_minor, payments)
    }

    /// A small one of which everything holds.
    pub(super) fn sound() -> Self {
        let seen = |id: &str, state: &str, payment: &str, shipment: &str| Seen {
            key: format!("key of {id}"),
            id: id.to_owned(),
            state: state.to_owned(),
            total_minor: 900,
            payment: payment.to_owned(),
            shipment: shipment.to_owned(),
            pieces: [("tea".to_owned(), 2)].into(),
        };
        let route = "orders to shipping".to_owned();
        Self {
            orders: vec![
                seen("a", "paid", "captured", "delivered"),
                seen("b", "cancelled", "refunded", "cancelled"),
                seen("c", "payment_failed", "declined", ""),
            ],
            stock: vec![Pieces { sku: "tea".to_owned(), received: 10, on_hand: 8, taken: 2 }],
            events: vec![Events {
                route,
                published: 9,
                delivered: 9,
                handled: 9,
                dead: 0,
                in_flight: 0,
            }],
            received_minor: 900,
            broken: Vec::new(),
        }
    }
}

/// Everything that must hold and does not, in words.
pub(super) fn violations(picture: &Picture) -> Vec<String> {
    let mut found: Vec<_> =
        picture.broken.iter().map(|name| format!("{name} holds no longer")).collect();
    found.extend(picture.orders.iter().flat_map(of_order));
    found.extend(keys(&picture.orders));
    let paid = || picture.orders.iter().filter(|order| order.state == "paid");
    let worth: i64 = paid().map(|order| order.total_minor).sum();
    if worth != picture.received_minor {
        let received = picture.received_minor;
        found
            .push(format!("paid orders are worth {worth}, and the ledger has received {received}"));
    }
    for Pieces { sku, received, on_hand, taken } in &picture.stock {
        if *received != on_hand + taken || *on_hand < 0 || *taken < 0 {
            found.push(format!("{sku} does not add up: {on_hand} + {taken} of {received}"));
        }
        let sold: i64 = paid().filter_map(|order| order.pieces.get(sku)).sum();
        if sold != *taken {
            found.push(format!("{sold} {sku} were sold, and {taken} pieces are set aside or gone"));
        }
    }
    found.extend(picture.events.iter().flat_map(of_events));
    found
}

fn of_order(order: &Seen) -> Vec<String> {
    let Seen { id, state, payment, shipment, .. } = order;
    let (paid_for, sent): (&[&str], &[&str]) = match state.as_str() {
        "paid" => (&["captured"], &["scheduled", "released", "dispatched", "delivered"]),
        "payment_failed" => (&["declined", "voided"], &["", "cancelled"]),
        "rejected" => (&["voided"], &["", "cancelled"]),
        "cancelled" => (&["refunded"], &["cancelled"]),
        _ => return vec![format!("order {id} has not ended: it is {state}")],
    };
    let mut found = Vec::new();
    if !paid_for.contains(&payment.as_str()) {
        found.push(format!("order {id} is {state} and its payment is `{payment}`"));
    }
    if !sent.contains(&shipment.as_str()) {
        found.push(format!("order {id} is {state} and its shipment is `{shipment}`"));
    }
    found
}

/// A key stands for one order.
fn keys(orders: &[Seen]) -> Option<String> {
    let keys: BTreeSet<_> = orders.iter().map(|order| &order.key).collect();
    let ids: BTreeSet<_> = orders.iter().map(|order| &order.id).collect();
    let (keys, different, all) = (keys.len(), ids.len(), orders.len());
    (keys != all || different != all)
        .then(|| format!("{keys} keys stand for {different} different orders of {all}"))
}

fn of_events(events: &Events) -> Vec<String> {
    let Events { route, published, delivered, handled, dead, in_flight } = events;
    let mut found = Vec::new();
    if published != delivered {
        found.push(format!("{route}: {delivered} of {published} events were delivered"));
    }
    if *delivered != handled + dead + in_flight {
        found.push(format!("{route}: {delivered} are not {handled} + {dead} + {in_flight}"));
    }
    if *dead > 0 {
        found.push(format!("{route}: {dead} are dead letters"));
    }
    found
}
