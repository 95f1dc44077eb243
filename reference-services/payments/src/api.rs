//! The HTTP side of payments: requests in, domain and store in the middle,
//! JSON out. The gateway lets only `GET /v1/payments/{id}` through from
//! outside; the other routes are for `orders`.

use axum::extract::{FromRef, Path};
use axum::routing::{get, post};
use axum::{Json, Router};
use chassis::clock::now_ms;
use chassis::{
    Answer, Caller, Failure, Id, Idempotency, IdempotencyKey, Metrics, Posted, Verifier, field,
};
use contracts::payments::{Authorise, Payment, PaymentState};
use http::StatusCode;
use prometheus::IntCounterVec;
use uuid::Uuid;

use crate::domain::{Outcome, Step, faults};
use crate::provider::{Decision, Provider};
use crate::store::{Advanced, Payments};

/// What the handlers share.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct State {
    pub(crate) payments: Payments,
    pub(crate) provider: Provider,
    pub(crate) idempotency: Idempotency,
    pub(crate) verifier: Verifier,
    pub(crate) counters: Counters,
}

/// The business in figures.
#[derive(Debug, Clone)]
pub(crate) struct Counters {
    authorised: IntCounterVec,
    captured: IntCounterVec,
    amount: IntCounterVec,
    voided: IntCounterVec,
    refunded: IntCounterVec,
}

impl Counters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let by_currency = ["currency"];
        Self {
            authorised: metrics.counter(
                "payments_authorised_total",
                "Payments that the provider decided on.",
                &["outcome"],
            ),
            captured: metrics.counter(
                "payments_captured_total",
                "Payments that were captured.",
                &by_currency,
            ),
            amount: metrics.counter(
                "payments_captured_amount_minor_total",
                "Sum of the captured payments, in minor units of the currency.",
                &by_currency,
            ),
            voided: metrics.counter(
                "payments_voided_total",
                "Payments that were given up before their capture.",
                &by_currency,
            ),
            refunded: metrics.counter(
                "payments_refunded_total",
                "Payments that were given back after their capture.",
                &by_currency,
            ),
        }
    }

    fn captured(&self, payment: &Payment) {
        tell(payment, "captured");
        let labels = [payment.amount.currency.code()];
        self.captured.with_label_values(&labels).inc();
        let minor = u64::try_from(payment.amount.minor).unwrap_or_default();
        self.amount.with_label_values(&labels).inc_by(minor);
    }
}

pub(crate) fn routes(state: State) -> Router {
    Router::new()
        .route("/v1/payments", post(authorise))
        .route("/v1/payments/{id}", get(read))
        .route("/v1/payments/{id}/capture", post(capture))
        .route("/v1/payments/{id}/void", post(void))
        .route("/v1/payments/{id}/refund", post(refund))
        .route("/v1/payments/by-key/{key}", get(by_key))
        .route("/v1/payments/by-key/{key}/void", post(void_by_key))
        .with_state(state)
}

type Shared = axum::extract::State<State>;

async fn authorise(
    state: Shared,
    key: IdempotencyKey,
    posted: Posted<Authorise>,
) -> Result<Answer, Failure> {
    let Posted { value: request, raw } = posted;
    let faults = faults(&request);
    if !faults.is_empty() {
        return Err(Failure::invalid(faults));
    }
    let (shared, kept_under) = (state.0.clone(), key.clone());
    let work = async move {
        let started = shared.payments.start(kept_under.as_str(), &request, now_ms()).await?;
        let started = started.ok_or_else(Failure::key_reused)?;
        let payment = ask_provider(&shared, started).await?;
        if payment.state == PaymentState::Declined {
            return Err(declined(&payment));
        }
        let path = format!("/v1/payments/{}", payment.id);
        Ok(Answer::json(StatusCode::CREATED, &payment).at(path))
    };
    state.idempotency.once("authorise".to_owned(), key, &raw, work).await
}

/// A payment that is only started has no answer of the provider yet: this
/// process, or the one before it, may have died while it waited for one.
async fn ask_provider(state: &State, payment: Payment) -> Result<Payment, Failure> {
    if payment.state != PaymentState::Started {
        return Ok(payment);
    }
    let (step, outcome) = match state.provider.charge(payment.id).await {
        Decision::Approved => (Step::Authorise, "approved"),
        Decision::Declined => (Step::Decline, "declined"),
    };
    let advanced = advance(state, payment.id, step).await?;
    if matches!(advanced.outcome, Outcome::Becomes(_)) {
        state.counters.authorised.with_label_values(&[outcome]).inc();
        let (payment, order) = (advanced.payment.id, advanced.payment.order);
        tracing::info!(outcome, %order, %payment, "the provider has answered");
    }
    Ok(advanced.payment)
}

async fn capture(state: Shared, Id(id): Id) -> Result<Json<Payment>, Failure> {
    let Advanced { payment, outcome } = advance(&state, id, Step::Capture).await?;
    match outcome {
        Outcome::Becomes(_) => state.counters.captured(&payment),
        Outcome::Already => {}
        Outcome::Refused => return Err(refused(&payment, "captured")),
    }
    Ok(Json(payment))
}

async fn void(state: Shared, Id(id): Id) -> Result<Json<Payment>, Failure> {
    let Advanced { payment, outcome } = advance(&state, id, Step::Void).await?;
    ended(&state.counters.voided, &payment, outcome, "voided")?;
    Ok(Json(payment))
}

/// Sees to it that nothing is and will be taken for a key, be there a payment or
/// not: a request to authorise that is still under way finds a voided one.
async fn void_by_key(
    state: Shared,
    Path(key): Path<String>,
    posted: Posted<Authorise>,
) -> Result<Json<Payment>, Failure> {
    let key = IdempotencyKey::parse(&key)
        .ok_or_else(|| Failure::invalid(vec![field("key", "must be an idempotency key")]))?;
    let faults = faults(&posted.value);
    if !faults.is_empty() {
        return Err(Failure::invalid(faults));
    }
    let found = state.payments.forestall(key.as_str(), &posted.value, now_ms()).await?;
    let found = found.ok_or_else(Failure::key_reused)?;
    void(state, Id(found.id)).await
}

async fn refund(state: Shared, Id(id): Id) -> Result<Json<Payment>, Failure> {
    let Advanced { payment, outcome } = advance(&state, id, Step::Refund).await?;
    ended(&state.counters.refunded, &payment, outcome, "refunded")?;
    Ok(Json(payment))
}

fn tell(payment: &Payment, outcome: &str) {
    let Payment { id, order, amount, .. } = payment;
    let (minor, currency) = (amount.minor, amount.currency.code());
    tracing::info!(outcome, minor, currency, %order, payment = %id, "a payment has moved on");
}

/// Counts what has really happened, once.
fn ended(
    counter: &IntCounterVec,
    payment: &Payment,
    outcome: Outcome,
    wanted: &str,
) -> Result<(), Failure> {
    match outcome {
        Outcome::Becomes(_) => {
            counter.with_label_values(&[payment.amount.currency.code()]).inc();
            tell(payment, wanted);
            Ok(())
        }
        Outcome::Already => Ok(()),
        Outcome::Refused => Err(refused(payment, wanted)),
    }
}

async fn read(state: Shared, caller: Caller, Id(id): Id) -> Result<Json<Payment>, Failure> {
    let payment = state.payments.by_id(id).await?;
    // Another customer's payment is not told apart from none.
    let own = payment.filter(|payment| payment.customer == caller.account);
    own.map(Json).ok_or_else(unknown)
}

async fn by_key(state: Shared, Path(key): Path<String>) -> Result<Json<Payment>, Failure> {
    state.payments.by_key(&key).await?.map(Json).ok_or_else(unknown)
}

async fn advance(state: &State, id: Uuid, step: Step) -> Result<Advanced, Failure> {
    state.payments.advance(id, step, now_ms()).await?.ok_or_else(unknown)
}

fn unknown() -> Failure {
    Failure::not_found("there is no such payment")
}

fn refused(payment: &Payment, wanted: &str) -> Failure {
    Failure::conflict(format!("a payment that is {} cannot be {wanted}", payment.state.name()))
}

fn declined(payment: &Payment) -> Failure {
    Failure::new(StatusCode::PAYMENT_REQUIRED, "payment-declined", "the payment was declined")
        .detail(format!("the provider declined payment `{}`", payment.id))
}
