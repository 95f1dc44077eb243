//! Calls to `payments`, and what their answers mean for an order. The order's
//! id is the idempotency key, so however often an order is paid for, there is
//! one payment.

use std::time::Duration;

use chassis::{Call, CallError, Client, Reply};
use contracts::orders::Order;
use contracts::payments::{Authorise, Payment, PaymentState};
use uuid::Uuid;

/// Time limit of one call to `payments`.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

const PEER: &str = "payments";

/// What became of paying for an order.
#[derive(Debug)]
pub(crate) enum Paid {
    /// The total was captured.
    Captured(Uuid),
    /// Nothing was captured, and nothing will be.
    Refused(Option<Uuid>),
    /// It is not known. Ask again later.
    Unknown(anyhow::Error),
    /// It is not known, and `payments` tells nobody right now: it cannot be
    /// reached or does not answer in time.
    Away(CallError),
}

/// The peer `payments`.
#[derive(Debug, Clone)]
pub(crate) struct Payments {
    client: Client,
}

impl Payments {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Reserves the order's total and takes it.
    pub(crate) async fn pay(&self, order: &Order) -> Paid {
        let request = Authorise { order: order.id, customer: order.customer, amount: order.total };
        let call = Call::post(PEER, "/v1/payments")
            .json(&request)
            .idempotency_key(&order.id.to_string())
            .expecting(&[402])
            .timeout(TIMEOUT);
        match self.client.call(call).await {
            Ok(reply) if reply.status.as_u16() == 402 => Paid::Refused(None),
            outcome => self.go_on(outcome).await,
        }
    }

    /// Asks what became of the order's payment, and takes what was reserved.
    /// None: `payments` never heard of it.
    pub(crate) async fn ask(&self, order: &Order) -> Option<Paid> {
        let call = Call::get(PEER, "/v1/payments/by-key/{key}")
            .path(format!("/v1/payments/by-key/{}", order.id))
            .expecting(&[404])
            .timeout(TIMEOUT);
        match self.client.call(call).await {
            Ok(reply) if reply.status.as_u16() == 404 => None,
            outcome => Some(self.go_on(outcome).await),
        }
    }

    async fn go_on(&self, outcome: Result<Reply, CallError>) -> Paid {
        match read(outcome) {
            Err(unknown) => unknown,
            Ok(payment) => match payment.state {
                PaymentState::Captured => Paid::Captured(payment.id),
                PaymentState::Authorised => self.capture(payment.id).await,
                PaymentState::Declined | PaymentState::Voided | PaymentState::Refunded => {
                    Paid::Refused(Some(payment.id))
                }
                PaymentState::Started => {
                    Paid::Unknown(anyhow::anyhow!("the provider has not answered yet"))
                }
            },
        }
    }

    /// Capturing twice takes the amount once, so this call may be repeated.
    async fn capture(&self, id: Uuid) -> Paid {
        let call = Call::post(PEER, "/v1/payments/{id}/capture")
            .path(format!("/v1/payments/{id}/capture"))
            .repeatable()
            .timeout(TIMEOUT);
        match self.client.call(call).await {
            // Voided meanwhile: by rule, nothing was or will be taken.
            Ok(reply) if reply.status.as_u16() == 409 => Paid::Refused(Some(id)),
            outcome => match read(outcome) {
                Ok(payment) => Paid::Captured(payment.id),
                Err(unknown) => unknown,
            },
        }
    }
}

fn read(outcome: Result<Reply, CallError>) -> Result<Payment, Paid> {
    let reply = outcome.map_err(Paid::Away)?;
    if !reply.status.is_success() {
        return Err(Paid::Unknown(anyhow::anyhow!("`payments` answered {}", reply.status)));
    }
    reply.json().map_err(|error| Paid::Unknown(error.into()))
}
