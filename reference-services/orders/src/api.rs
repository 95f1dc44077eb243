//! The HTTP side of orders: requests in, domain, store and sagas in the middle,
//! JSON out.

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRef, Query};
use axum::routing::{get, post};
use axum::{Json, Router};
use chassis::clock::now_ms;
use chassis::{Answer, Caller, Failure, Id, Idempotency, IdempotencyKey, Posted, Verifier, field};
use contracts::orders::{History, Order, OrderState, Orders as Page, PlaceOrder, Rebuilt};
use http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use crate::aggregate::{Aggregate, Fact};
use crate::domain::price;
use crate::saga::Sagas;
use crate::store::{NewOrder, Orders};

/// Orders in one answer, when the request does not say.
const DEFAULT_LIMIT: u32 = 20;

/// Most orders in one answer.
const MAX_LIMIT: u32 = 100;

/// What the handlers share.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct State {
    pub(crate) orders: Orders,
    pub(crate) sagas: Sagas,
    pub(crate) idempotency: Idempotency,
    pub(crate) verifier: Verifier,
}

pub(crate) fn routes(state: State) -> Router {
    Router::new()
        .route("/v1/orders", post(place).get(list))
        .route("/v1/orders/{id}", get(read))
        .route("/v1/orders/{id}/history", get(history))
        .route("/v1/orders/{id}/cancel", post(cancel))
        .route("/internal/read-model/rebuild", post(rebuild))
        .with_state(state)
}

type Shared = axum::extract::State<State>;

async fn place(
    state: Shared,
    caller: Caller,
    key: IdempotencyKey,
    posted: Posted<PlaceOrder>,
) -> Result<Answer, Failure> {
    let Posted { value: request, raw } = posted;
    let total = price(&request).map_err(Failure::invalid)?;
    let new = NewOrder {
        customer: caller.account,
        key: key.as_str().to_owned(),
        lines: request.lines,
        total,
        now_ms: now_ms(),
    };
    let shared = state.0.clone();
    let work = async move {
        let placed = shared.orders.place(&new).await?.ok_or_else(Failure::key_reused)?;
        let saga = shared.sagas.drive(placed).await?;
        answer(&saga)
    };
    state.idempotency.once(format!("place {}", caller.account), key, &raw, work).await
}

/// A paid order is created; one whose saga has not ended yet is accepted, and
/// its address tells later what became of it.
fn answer(saga: &Aggregate) -> Result<Answer, Failure> {
    let order = &saga.order;
    let status = match order.state {
        OrderState::Paid => StatusCode::CREATED,
        OrderState::Pending => StatusCode::ACCEPTED,
        OrderState::PaymentFailed => {
            let status = StatusCode::PAYMENT_REQUIRED;
            let failure = Failure::new(status, "payment-declined", "the payment was declined");
            return Err(failure.detail(format!("order `{}` was not paid for", order.id)));
        }
        OrderState::Rejected | OrderState::Cancelling | OrderState::Cancelled => {
            let status = StatusCode::CONFLICT;
            let reason = order.reason.as_deref().unwrap_or("it was called off");
            let failure = Failure::new(status, "order-rejected", "the order cannot be completed");
            let detail = format!("order `{}` was not completed: {reason}", order.id);
            return Err(failure.detail(detail).errors(saga.errors.clone()));
        }
    };
    Ok(Answer::json(status, order).at(format!("/v1/orders/{}", order.id)))
}

/// Calls an order off, unless it has left the house. Asking again changes nothing.
async fn cancel(state: Shared, caller: Caller, Id(id): Id) -> Result<Json<Order>, Failure> {
    let saga = state.orders.load(id).await?;
    let own = saga.filter(|saga| saga.order.customer == caller.account).ok_or_else(unknown)?;
    if matches!(own.order.state, OrderState::Cancelling | OrderState::Cancelled) {
        return Ok(Json(own.order));
    }
    if !own.allows(&Fact::CancelAsked) {
        let name = own.order.state.name();
        let failure = Failure::conflict(format!("an order that is {name} cannot be called off"));
        let later = own.order.state == OrderState::Pending;
        return Err(if later { failure.retry_after(1) } else { failure });
    }
    let asked = state.orders.append(&own, &Fact::CancelAsked, now_ms()).await?;
    let asked = asked.ok_or_else(|| {
        Failure::conflict("something else has just happened to the order").retry_after(1)
    })?;
    let saga = state.sagas.drive(asked).await?;
    match saga.order.state {
        OrderState::Paid => Err(Failure::conflict("the order has left the house already")),
        _ => Ok(Json(saga.order)),
    }
}

/// Writes the read model anew from what happened.
async fn rebuild(state: Shared) -> Result<Json<Rebuilt>, Failure> {
    let (orders, differed) = state.orders.rebuild().await?;
    Ok(Json(Rebuilt { orders, differed }))
}

async fn read(state: Shared, caller: Caller, Id(id): Id) -> Result<Json<Order>, Failure> {
    let order = state.orders.by_id(id).await?;
    // Another customer's order is not told apart from none.
    let own = order.filter(|order| order.customer == caller.account);
    own.map(Json).ok_or_else(unknown)
}

fn unknown() -> Failure {
    Failure::not_found("there is no such order")
}

fn limit(asked: Option<u32>) -> Result<u32, Failure> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    Err(Failure::invalid(vec![field("limit", format!("must be from 1 to {MAX_LIMIT}"))]))
}

/// What part of an order's history is wanted.
#[derive(Debug, Deserialize)]
struct Stretch {
    limit: Option<u32>,
    after: Option<i64>,
}

/// What happened to an order.
async fn history(
    state: Shared,
    caller: Caller,
    Id(id): Id,
    stretch: Result<Query<Stretch>, QueryRejection>,
) -> Result<Json<History>, Failure> {
    let Query(stretch) = stretch?;
    let limit = limit(stretch.limit)?;
    let order = state.orders.by_id(id).await?;
    order.filter(|order| order.customer == caller.account).ok_or_else(unknown)?;
    let mut facts = state.orders.history(id, stretch.after.unwrap_or(0), limit + 1).await?;
    let more = facts.len() > limit as usize;
    facts.truncate(limit as usize);
    let next = facts.last().filter(|_| more).map(|fact| fact.version);
    Ok(Json(History { facts, next }))
}

/// What part of the customer's orders is wanted.
#[derive(Debug, Deserialize)]
struct Window {
    limit: Option<u32>,
    before: Option<Uuid>,
}

async fn list(
    state: Shared,
    caller: Caller,
    window: Result<Query<Window>, QueryRejection>,
) -> Result<Json<Page>, Failure> {
    let Query(window) = window?;
    let limit = limit(window.limit)?;
    let mut orders = state.orders.of_customer(caller.account, window.before, limit + 1).await?;
    let more = orders.len() > limit as usize;
    orders.truncate(limit as usize);
    let next = orders.last().filter(|_| more).map(|order| order.id);
    Ok(Json(Page { orders, next }))
}
