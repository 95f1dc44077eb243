//! The calls of the saga to `payments`, `catalog` and `shipping`, and what their
//! answers mean for an order. Each call may be made again without harm: the
//! order's id is the idempotency key everywhere, and whatever is undone stays
//! undone even when the call that does it arrives late.

use std::time::Duration;

use chassis::{Call, Client, Reply};
use contracts::catalog::Reserve;
use contracts::payments::{Authorise, Payment, PaymentState};
use contracts::problem::{FieldError, Problem};
use contracts::shipping::Schedule;
use uuid::Uuid;

use crate::aggregate::{Aggregate, Step};

/// Time limit of one call.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

const PAYMENTS: &str = "payments";
const CATALOG: &str = "catalog";
const SHIPPING: &str = "shipping";

/// What became of a step.
#[derive(Debug)]
pub(crate) enum Became {
    /// It was done, now or before; with the payment, when that is known now.
    Done(Option<Uuid>),
    /// It cannot be done: why, and which fields are at fault.
    Refused(String, Vec<FieldError>),
    /// It is not known. Ask again later.
    Unknown(anyhow::Error),
}

/// The peers of the saga.
#[derive(Debug, Clone)]
pub(crate) struct Steps {
    client: Client,
}

impl Steps {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Does a step. `again`: it may have been tried before, so what concerns
    /// money is asked for first.
    pub(crate) async fn forth(&self, step: Step, saga: &Aggregate, again: bool) -> Became {
        match step {
            Step::Authorise => self.authorise(saga, again).await,
            Step::Reserve => self.reserve(saga).await,
            Step::Schedule => {
                let call = Call::post(SHIPPING, "/v1/shipments").json(&schedule(saga));
                self.plain(call).await
            }
            Step::Confirm => {
                let path = format!("/v1/reservations/{}/confirm", saga.order.id);
                let call = Call::post(CATALOG, "/v1/reservations/{id}/confirm").path(path);
                self.plain(call).await
            }
            Step::Capture => self.capture(saga, again).await,
        }
    }

    /// Undoes a step, whether or not it was done.
    pub(crate) async fn back(&self, step: Step, saga: &Aggregate) -> Became {
        let order = saga.order.id;
        let call = match (step, saga.order.payment) {
            (Step::Capture, Some(payment)) => Call::post(PAYMENTS, "/v1/payments/{id}/refund")
                .path(format!("/v1/payments/{payment}/refund")),
            (Step::Authorise, _) | (Step::Capture, None) => {
                Call::post(PAYMENTS, "/v1/payments/by-key/{key}/void")
                    .path(format!("/v1/payments/by-key/{order}/void"))
                    .json(&authorise(saga))
            }
            (Step::Schedule, _) => {
                Call::post(SHIPPING, "/v1/shipments/cancel").json(&schedule(saga))
            }
            (Step::Reserve | Step::Confirm, _) => {
                Call::post(CATALOG, "/v1/reservations/{id}/release")
                    .path(format!("/v1/reservations/{order}/release"))
            }
        };
        self.plain(call).await
    }

    /// Calls off the shipment, if it has not left the house.
    pub(crate) async fn call_off(&self, saga: &Aggregate) -> Became {
        self.plain(Call::post(SHIPPING, "/v1/shipments/cancel").json(&schedule(saga))).await
    }

    async fn authorise(&self, saga: &Aggregate, again: bool) -> Became {
        if again {
            match self.ask(saga).await {
                Ok(Some(payment)) if payment.state != PaymentState::Started => {
                    return authorised(&payment);
                }
                Ok(_) => {}
                Err(error) => return Became::Unknown(error),
            }
        }
        let call = Call::post(PAYMENTS, "/v1/payments")
            .json(&authorise(saga))
            .idempotency_key(&saga.order.id.to_string());
        match self.send(call, &[402]).await {
            Err(error) => Became::Unknown(error),
            Ok(reply) if reply.status == 402 => declined(),
            Ok(reply) => match read::<Payment>(&reply) {
                Ok(payment) => authorised(&payment),
                Err(error) => Became::Unknown(error),
            },
        }
    }

    async fn capture(&self, saga: &Aggregate, again: bool) -> Became {
        let Some(payment) = saga.order.payment else {
            return Became::Refused("there is no payment to capture".to_owned(), Vec::new());
        };
        if again {
            match self.ask(saga).await {
                Ok(Some(payment)) if payment.state == PaymentState::Captured => {
                    return Became::Done(Some(payment.id));
                }
                Ok(_) => {}
                Err(error) => return Became::Unknown(error),
            }
        }
        let path = format!("/v1/payments/{payment}/capture");
        self.plain(Call::post(PAYMENTS, "/v1/payments/{id}/capture").path(path)).await
    }

    async fn reserve(&self, saga: &Aggregate) -> Became {
        let request = Reserve { order: saga.order.id, lines: saga.order.lines.clone() };
        self.plain(Call::post(CATALOG, "/v1/reservations").json(&request)).await
    }

    /// What became of the order's payment. None: `payments` never heard of it.
    async fn ask(&self, saga: &Aggregate) -> anyhow::Result<Option<Payment>> {
        let call = Call::get(PAYMENTS, "/v1/payments/by-key/{key}")
            .path(format!("/v1/payments/by-key/{}", saga.order.id));
        let reply = self.send(call, &[404]).await?;
        if reply.status == 404 { Ok(None) } else { read(&reply).map(Some) }
    }

    /// A call whose answer says yes (2xx) or no (409).
    async fn plain(&self, call: Call) -> Became {
        match self.send(call, &[409]).await {
            Ok(reply) if reply.status.is_success() => Became::Done(None),
            Ok(reply) if reply.status == 409 => refused(&reply),
            Ok(reply) => Became::Unknown(unexpected(&reply)),
            Err(error) => Became::Unknown(error),
        }
    }

    async fn send(&self, call: Call, expected: &'static [u16]) -> anyhow::Result<Reply> {
        Ok(self.client.call(call.repeatable().expecting(expected).timeout(TIMEOUT)).await?)
    }
}

fn authorise(saga: &Aggregate) -> Authorise {
    let order = &saga.order;
    Authorise { order: order.id, customer: order.customer, amount: order.total }
}

fn schedule(saga: &Aggregate) -> Schedule {
    let order = &saga.order;
    Schedule { order: order.id, customer: order.customer, pieces: saga.pieces() }
}

fn authorised(payment: &Payment) -> Became {
    match payment.state {
        PaymentState::Authorised | PaymentState::Captured => Became::Done(Some(payment.id)),
        PaymentState::Declined => declined(),
        PaymentState::Voided | PaymentState::Refunded => {
            Became::Refused(format!("the payment is {}", payment.state.name()), Vec::new())
        }
        PaymentState::Started => {
            Became::Unknown(anyhow::anyhow!("the provider has not answered yet"))
        }
    }
}

fn declined() -> Became {
    Became::Refused("the payment was declined".to_owned(), Vec::new())
}

fn refused(reply: &Reply) -> Became {
    match reply.json::<Problem>() {
        Ok(Problem { title, detail, errors, .. }) => {
            Became::Refused(detail.unwrap_or(title), errors)
        }
        Err(error) => Became::Unknown(error.into()),
    }
}

fn read<T: serde::de::DeserializeOwned>(reply: &Reply) -> anyhow::Result<T> {
    if reply.status.is_success() { Ok(reply.json()?) } else { Err(unexpected(reply)) }
}

fn unexpected(reply: &Reply) -> anyhow::Error {
    anyhow::anyhow!("the answer was {}", reply.status)
}
