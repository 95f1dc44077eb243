//! The HTTP side of shipping: requests in, domain, carrier and store in the
//! middle, JSON out. From outside the gateway lets quotes and the customer's own
//! shipments through; bookings are for `orders`.

use axum::extract::FromRef;
use axum::routing::{get, post};
use axum::{Json, Router};
use chassis::clock::now_ms;
use chassis::{Caller, Failure, Id, Metrics, Posted, Verifier};
use contracts::shipping::{AskQuote, Quotes, Schedule, Shipment, ShipmentState};
use http::StatusCode;
use prometheus::IntCounterVec;

use crate::carrier::Carrier;
use crate::domain::{Outcome, faults, quotes};
use crate::store::Shipments;

/// What the handlers share.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct State {
    pub(crate) shipments: Shipments,
    pub(crate) carrier: Carrier,
    pub(crate) verifier: Verifier,
    pub(crate) counters: Counters,
}

/// The business in figures.
#[derive(Debug, Clone)]
pub(crate) struct Counters {
    bookings: IntCounterVec,
}

impl Counters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let bookings = metrics.counter(
            "shipping_bookings_total",
            "Requests to book a place or to call it off, by what came of them.",
            &["outcome"],
        );
        Self { bookings }
    }

    fn count(&self, outcome: &str) {
        self.bookings.with_label_values(&[outcome]).inc();
    }
}

pub(crate) fn routes(state: State) -> Router {
    Router::new()
        .route("/v1/quotes", post(quote))
        .route("/v1/shipments", post(schedule))
        .route("/v1/shipments/cancel", post(cancel))
        .route("/v1/shipments/{id}", get(read))
        .with_state(state)
}

type Shared = axum::extract::State<State>;

async fn quote(posted: Posted<AskQuote>) -> Result<Json<Quotes>, Failure> {
    let AskQuote { pieces, currency } = posted.value;
    let faults = faults(pieces);
    if !faults.is_empty() {
        return Err(Failure::invalid(faults));
    }
    Ok(Json(Quotes { quotes: quotes(pieces, currency) }))
}

/// The order's id makes it safe to send this again.
async fn schedule(
    state: Shared,
    posted: Posted<Schedule>,
) -> Result<(StatusCode, Json<Shipment>), Failure> {
    let request = checked(posted)?;
    if !state.carrier.has_place(request.order) {
        // What is booked stays so, whatever the carrier says today.
        let is_booked = state.shipments.by_order(request.order).await?.is_some();
        if !is_booked {
            state.counters.count("refused");
            return Err(Failure::conflict("the carrier has no place"));
        }
    }
    let booked = state.shipments.book(&request, ShipmentState::Scheduled, now_ms()).await?;
    let booked = booked.ok_or_else(Failure::key_reused)?;
    if booked.state == ShipmentState::Cancelled {
        return Err(Failure::conflict("the shipment was called off"));
    }
    state.counters.count("booked");
    Ok((StatusCode::CREATED, Json(booked)))
}

/// Sees to it that nothing is sent, be there a shipment or not.
async fn cancel(state: Shared, posted: Posted<Schedule>) -> Result<Json<Shipment>, Failure> {
    let request = checked(posted)?;
    let moved = state.shipments.cancel(&request, now_ms()).await?;
    match moved.ok_or_else(Failure::key_reused)? {
        (shipment, Outcome::Refused) => Err(Failure::conflict(format!(
            "a shipment that is {} cannot be called off",
            shipment.state.name()
        ))),
        (shipment, outcome) => {
            if matches!(outcome, Outcome::Becomes(_)) {
                state.counters.count("cancelled");
            }
            Ok(Json(shipment))
        }
    }
}

fn checked(posted: Posted<Schedule>) -> Result<Schedule, Failure> {
    let faults = faults(posted.value.pieces);
    if faults.is_empty() { Ok(posted.value) } else { Err(Failure::invalid(faults)) }
}

async fn read(state: Shared, caller: Caller, Id(order): Id) -> Result<Json<Shipment>, Failure> {
    let shipment = state.shipments.by_order(order).await?;
    // Another customer's shipment is not told apart from none.
    let own = shipment.filter(|shipment| shipment.customer == caller.account);
    own.map(Json).ok_or_else(|| Failure::not_found("there is no such shipment"))
}
