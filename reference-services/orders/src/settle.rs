//! Takes orders from pending to their end. `api` asks for it at once; what
//! stays pending (a call timed out, a process died) is taken up again in the
//! background until `payments` says what became of it.

use std::sync::Arc;
use std::time::Duration;

use chassis::clock::now_ms;
use chassis::{Metrics, Tasks};
use contracts::orders::{Order, OrderState};
use prometheus::{IntCounterVec, IntGauge};
use tokio::sync::Mutex;
use tracing::Instrument;

use crate::payment::{Paid, Payments};
use crate::store::{Orders, Position};

/// How often pending orders are looked for.
pub const SETTLE_EVERY: Duration = Duration::from_secs(1);

/// How old a pending order is before the background takes it up: longer than
/// the request that placed it may still be at work.
pub const SETTLE_AFTER_MS: i64 = 5_000;

/// How old a pending order is before it is given up, when `payments` has never
/// heard of it. Far longer than any call may be under way.
pub const GIVE_UP_AFTER_MS: i64 = 600_000;

/// Most pending orders that are taken up in one round.
pub const MAX_SETTLED_AT_ONCE: u32 = 32;

/// Settles orders. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Settler {
    orders: Orders,
    payments: Payments,
    placed: IntCounterVec,
    pending: IntGauge,
}

impl Settler {
    pub(crate) fn new(orders: Orders, payments: Payments, metrics: &Metrics) -> Self {
        let placed = metrics.counter(
            "orders_placed_total",
            "Orders that reached an end, by the end.",
            &["outcome"],
        );
        let pending = metrics.gauge("orders_pending", "Orders whose payment is not known yet.");
        Self { orders, payments, placed, pending }
    }

    /// Takes up what is pending, now and then.
    pub(crate) fn start(&self, tasks: &Tasks) {
        let settler = self.clone();
        let reached = Arc::new(Mutex::new(Position::default()));
        tasks.repeat("settle pending orders", SETTLE_EVERY, move || {
            let (settler, reached) = (settler.clone(), Arc::clone(&reached));
            async move {
                let mut reached = reached.lock().await;
                match settler.round(now_ms(), *reached).await {
                    Ok(last) => *reached = last,
                    Err(error) => {
                        let error = format!("{error:#}");
                        tracing::warn!(error, "pending orders were not settled");
                    }
                }
            }
        });
    }

    /// Pays for an order that was just placed, and returns it as it is then.
    pub(crate) async fn settle(&self, order: Order) -> anyhow::Result<Order> {
        if order.state != OrderState::Pending {
            return Ok(order);
        }
        let paid = self.payments.pay(&order).await;
        self.end(order, paid).await
    }

    /// Takes up what is pending behind `after`, and returns where the next round
    /// begins. An order that stays pending holds up no other: the round goes on
    /// with the next one, and the next round behind the last one.
    async fn round(&self, now_ms: i64, after: Position) -> anyhow::Result<Position> {
        let before_ms = now_ms - SETTLE_AFTER_MS;
        let pending = self.orders.pending(before_ms, after, MAX_SETTLED_AT_ONCE).await?;
        let mut reached = Position::default();
        let more = pending.len() == MAX_SETTLED_AT_ONCE as usize;
        for order in pending {
            let position = Position::of(&order);
            let span = tracing::info_span!(
                target: chassis::telemetry::SPANS, "settle", otel.name = "settle order"
            );
            let away = self.take_up(order, now_ms).instrument(span).await?;
            if away || more {
                reached = position;
            }
            if away {
                break;
            }
        }
        self.pending.set(self.orders.count_pending().await?);
        Ok(reached)
    }

    /// Tries to end an order. True: `payments` is away, for others too.
    async fn take_up(&self, order: Order, now_ms: i64) -> anyhow::Result<bool> {
        let paid = match self.payments.ask(&order).await {
            Some(Paid::Unknown(_)) => self.payments.pay(&order).await,
            Some(known) => known,
            None if now_ms - order.created_ms > GIVE_UP_AFTER_MS => Paid::Refused(None),
            None => self.payments.pay(&order).await,
        };
        let away = matches!(paid, Paid::Away(_));
        self.end(order, paid).await?;
        Ok(away)
    }

    async fn end(&self, mut order: Order, paid: Paid) -> anyhow::Result<Order> {
        let outcome = match paid {
            Paid::Captured(payment) => {
                (order.state, order.payment) = (OrderState::Paid, Some(payment));
                "paid"
            }
            Paid::Refused(payment) => {
                (order.state, order.payment) = (OrderState::PaymentFailed, payment);
                "declined"
            }
            Paid::Unknown(error) => return Ok(still_pending(order, &error)),
            Paid::Away(error) => return Ok(still_pending(order, &error.into())),
        };
        order.updated_ms = now_ms();
        if self.orders.end(&order).await? {
            self.placed.with_label_values(&[outcome]).inc();
        }
        Ok(order)
    }
}

fn still_pending(order: Order, error: &anyhow::Error) -> Order {
    let error = format!("{error:#}");
    tracing::warn!(order = %order.id, error, "the payment's outcome is not known");
    order
}
