//! What is measured, as data: the sources, the series with the windows they are
//! cut into, and what each event adds to which series. `events` hands in events
//! whose bodies keep to their schemas; `store` applies what comes back.

use chassis::messaging::decode;
use contracts::catalog::CatalogEvent;
use contracts::messaging::Event;
use contracts::orders::OrderEvent;
use contracts::payments::PaymentEvent;
use contracts::shipping::ShipmentEvent;
use contracts::users::UserEvent;
use uuid::Uuid;

use crate::anomaly::Scatter;
use crate::watermark::{CLIENT_BOUND_MS, FEED_BOUND_MS};
use crate::windows::Shape;

/// Where events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The feed of `orders`.
    Orders,
    /// The feed of `payments`.
    Payments,
    /// The feed of `shipping`.
    Shipping,
    /// The feed of `catalog`.
    Catalog,
    /// The feed of `users`.
    Users,
    /// What clients post.
    Clients,
}

impl Source {
    /// Every source, in the order of their definition.
    pub const ALL: [Self; 6] =
        [Self::Orders, Self::Payments, Self::Shipping, Self::Catalog, Self::Users, Self::Clients];

    /// Its name: the producer's, and the first part of subjects.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Payments => "payments",
            Self::Shipping => "shipping",
            Self::Catalog => "catalog",
            Self::Users => "users",
            Self::Clients => "clients",
        }
    }

    /// How far its events come out of order at most.
    pub const fn bound_ms(self) -> i64 {
        match self {
            Self::Clients => CLIENT_BOUND_MS,
            _ => FEED_BOUND_MS,
        }
    }
}

/// A series of windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Series {
    /// Its name outside and in tables.
    pub name: &'static str,
    /// How its event time is cut.
    pub shape: Shape,
    /// Whose events it has: its watermark is the lowest of theirs.
    pub sources: &'static [Source],
    /// Whether percentiles are kept.
    pub sampled: bool,
    /// Whether anybody can make up keys, so that their number has a bound.
    pub open_keys: bool,
    /// What is judged of its windows, if they are.
    pub judged: Option<Judged>,
}

/// What is judged of a window, and the least that it scatters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judged {
    /// How many events there are.
    Events(Scatter),
    /// The sum of what they measure.
    Amount(Scatter),
}

/// Most keys of one window where anybody can make up keys. What is beyond is
/// counted under [`OTHERS`].
pub const MAX_KEYS: i64 = 1_000;

/// The key of whatever has no key of its own any more.
pub const OTHERS: &str = "~others";

/// The key of a series that has only one.
pub const ALL: &str = "all";

/// Longest time from an order to its payment that joins the two.
pub const JOIN_WITHIN_MS: i64 = 600_000;

/// The length of most windows.
pub const MINUTE_MS: i64 = 60_000;

const MINUTE: Shape = Shape::Tumbling { size_ms: MINUTE_MS };
const TEN_MINUTES: Shape = Shape::Tumbling { size_ms: 10 * MINUTE_MS };
const SLIDING: Shape = Shape::Sliding { size_ms: 5 * MINUTE_MS, every_ms: MINUTE_MS };
const SESSION: Shape = Shape::Session { gap_ms: 5 * MINUTE_MS };

/// What was captured less what was refunded, in minor units, by currency.
pub const REVENUE: Series = Series {
    judged: Some(Judged::Amount(Scatter::Share(0.1))),
    ..series("revenue", MINUTE, &[Source::Payments])
};
/// Orders that were placed, with their pieces.
pub const ORDERS: Series = Series {
    judged: Some(Judged::Events(Scatter::Counts)),
    ..series("orders", MINUTE, &[Source::Orders])
};
/// The same over five minutes, every minute.
pub const ORDERS_SLIDING: Series = series("orders-sliding", SLIDING, &[Source::Orders]);
/// Pieces that were ordered, by SKU.
pub const PRODUCTS: Series =
    Series { open_keys: true, ..series("products", TEN_MINUTES, &[Source::Orders]) };
/// From an order to its payment, in milliseconds, when the payment came.
pub const LATENCY: Series =
    Series { sampled: true, ..series("latency", MINUTE, &[Source::Orders, Source::Payments]) };
/// What customers do without a longer pause, by customer.
pub const SESSIONS: Series = series("sessions", SESSION, &[Source::Orders, Source::Clients]);
/// What happens at clients, by kind.
pub const ACTIVITY: Series = series("activity", MINUTE, &[Source::Clients]);
/// Parcels that were handed to the carrier.
pub const SHIPMENTS: Series = series("shipments", MINUTE, &[Source::Shipping]);
/// Users who are new.
pub const SIGNUPS: Series = series("signups", TEN_MINUTES, &[Source::Users]);
/// Pieces that came in, by SKU.
pub const RECEIPTS: Series = series("receipts", TEN_MINUTES, &[Source::Catalog]);

/// Every series.
pub const SERIES: [Series; 10] = [
    REVENUE,
    ORDERS,
    ORDERS_SLIDING,
    PRODUCTS,
    LATENCY,
    SESSIONS,
    ACTIVITY,
    SHIPMENTS,
    SIGNUPS,
    RECEIPTS,
];

const fn series(name: &'static str, shape: Shape, sources: &'static [Source]) -> Series {
    Series { name, shape, sources, sampled: false, open_keys: false, judged: None }
}

/// The series with this name.
pub fn named(name: &str) -> Option<Series> {
    SERIES.into_iter().find(|series| series.name == name)
}

/// What an event adds to a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// Which series.
    pub series: Series,
    /// What it is kept apart by.
    pub key: String,
    /// The event's time.
    pub at_ms: i64,
    /// What it measures.
    pub amount: i64,
}

/// What an event says of an order's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It was placed.
    Placed,
    /// It was paid.
    Captured,
    /// It was handed to the carrier.
    Shipped,
    /// It was called off.
    Cancelled,
}

/// What follows from an event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// What it adds.
    pub measures: Vec<Measure>,
    /// Which order took which step.
    pub step: Option<(Uuid, Step)>,
    /// Who wants to be forgotten.
    pub forgotten: Option<Uuid>,
}

/// What follows from an event; an error: the event cannot be read.
pub fn read(source: Source, event: &Event) -> Result<Facts, serde_json::Error> {
    let mut facts = Facts::default();
    let mut add = |series: Series, key: &str, amount: i64| {
        let at_ms = event.published_ms;
        facts.measures.push(Measure { series, key: key.to_owned(), at_ms, amount });
    };
    match source {
        Source::Orders => match decode(event)? {
            OrderEvent::Placed { order, customer, lines, .. } => {
                let pieces = lines.iter().map(|line| i64::from(line.quantity)).sum();
                add(ORDERS, ALL, pieces);
                add(ORDERS_SLIDING, ALL, pieces);
                add(SESSIONS, &customer.to_string(), 0);
                for line in &lines {
                    add(PRODUCTS, &line.sku, i64::from(line.quantity));
                }
                facts.step = Some((order, Step::Placed));
            }
            OrderEvent::Completed { .. } => {}
            OrderEvent::Cancelled { order, .. } => facts.step = Some((order, Step::Cancelled)),
        },
        Source::Payments => match decode(event)? {
            PaymentEvent::Captured { order, amount, .. } => {
                add(REVENUE, amount.currency.code(), amount.minor);
                facts.step = Some((order, Step::Captured));
            }
            PaymentEvent::Refunded { amount, .. } => {
                add(REVENUE, amount.currency.code(), -amount.minor);
            }
        },
        Source::Shipping => match decode(event)? {
            ShipmentEvent::Dispatched { order } => {
                add(SHIPMENTS, ALL, 1);
                facts.step = Some((order, Step::Shipped));
            }
            ShipmentEvent::Delivered { .. } => {}
        },
        Source::Catalog => match decode(event)? {
            CatalogEvent::StockReceived { sku, pieces } => add(RECEIPTS, &sku, pieces),
            CatalogEvent::ProductChanged { .. } => {}
        },
        Source::Users => match decode(event)? {
            UserEvent::UserRegistered { .. } => add(SIGNUPS, ALL, 1),
            UserEvent::UserDeleted { user } => facts.forgotten = Some(user),
            UserEvent::ProfileChanged { .. } | UserEvent::PreferencesChanged { .. } => {}
        },
        Source::Clients => {
            add(ACTIVITY, &event.kind, 1);
            add(SESSIONS, &event.key, 1);
        }
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sound() {
        for series in SERIES {
            assert_eq!(named(series.name), Some(series), "{} is there twice", series.name);
            assert!(!series.sources.is_empty());
            if let Shape::Sliding { size_ms, every_ms } = series.shape {
                assert_eq!(size_ms % every_ms, 0);
            }
            let judged = series.judged.is_some();
            assert!(!judged || series.shape == MINUTE, "{} is judged by the minute", series.name);
        }
    }
}
