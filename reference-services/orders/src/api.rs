//! The HTTP side of orders: requests in, domain, store and settling in the
//! middle, JSON out.

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRef, Query};
use axum::routing::{get, post};
use axum::{Json, Router};
use chassis::clock::now_ms;
use chassis::{Answer, Caller, Failure, Id, Idempotency, IdempotencyKey, Posted, Verifier, field};
use contracts::orders::{Order, OrderState, Orders as Page, PlaceOrder};
use http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use crate::domain::price;
use crate::settle::Settler;
use crate::store::{NewOrder, Orders};

/// Orders in one answer, when the request does not say.
const DEFAULT_LIMIT: u32 = 20;

/// Most orders in one answer.
const MAX_LIMIT: u32 = 100;

/// What the handlers share.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct State {
    pub(crate) orders: Orders,
    pub(crate) settler: Settler,
    pub(crate) idempotency: Idempotency,
    pub(crate) verifier: Verifier,
}

pub(crate) fn routes(state: State) -> Router {
    Router::new()
        .route("/v1/orders", post(place).get(list))
        .route("/v1/orders/{id}", get(read))
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
        let order = shared.settler.settle(placed).await?;
        answer(&order)
    };
    state.idempotency.once(format!("place {}", caller.account), key, &raw, work).await
}

/// A paid order is created; one whose payment is not known yet is accepted, and
/// its address tells later what became of it.
fn answer(order: &Order) -> Result<Answer, Failure> {
    let status = match order.state {
        OrderState::Paid => StatusCode::CREATED,
        OrderState::Pending => StatusCode::ACCEPTED,
        OrderState::Rejected | OrderState::Cancelling | OrderState::Cancelled => {
            return Err(Failure::conflict(format!("order `{}` was called off", order.id)));
        }
        OrderState::PaymentFailed => {
            let status = StatusCode::PAYMENT_REQUIRED;
            let failure = Failure::new(status, "payment-declined", "the payment was declined");
            return Err(failure.detail(format!("order `{}` was not paid for", order.id)));
        }
    };
    Ok(Answer::json(status, order).at(format!("/v1/orders/{}", order.id)))
}

async fn read(state: Shared, caller: Caller, Id(id): Id) -> Result<Json<Order>, Failure> {
    let order = state.orders.by_id(id).await?;
    // Another customer's order is not told apart from none.
    let own = order.filter(|order| order.customer == caller.account);
    own.map(Json).ok_or_else(|| Failure::not_found("there is no such order"))
}

/// What part of the history is wanted.
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
    let limit = window.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Failure::invalid(vec![field(
            "limit",
            format!("must be from 1 to {MAX_LIMIT}"),
        )]));
    }
    let mut orders = state.orders.of_customer(caller.account, window.before, limit + 1).await?;
    let more = orders.len() > limit as usize;
    orders.truncate(limit as usize);
    let next = orders.last().filter(|_| more).map(|order| order.id);
    Ok(Json(Page { orders, next }))
}
