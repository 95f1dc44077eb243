//! The HTTP side of the catalog: requests in, domain, cache and store in the
//! middle, JSON out. The gateway lets reads through from outside; changes and
//! reservations are for services and operators.

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRef, Path, Query};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chassis::clock::now_ms;
use chassis::{Answer, Failure, Id, Idempotency, IdempotencyKey, Metrics, Posted, field};
use contracts::catalog::{
    Categories, Description, Product, Products as Page, Receipt, Reservation, ReservationState,
    Reserve, Stock,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use prometheus::IntCounterVec;
use serde::Deserialize;

use crate::cache::Products;
use crate::domain::{MAX_RECEIPT, Outcome, Step, faults, is_sku, reserve_faults, version};
use crate::store::{Catalog, Changed, Refusal, Reserved};

/// Products in one answer, when the request does not say.
const DEFAULT_LIMIT: u32 = 20;

/// Most products in one answer.
const MAX_LIMIT: u32 = 100;

/// What the handlers share.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct State {
    pub(crate) catalog: Catalog,
    pub(crate) products: Products,
    pub(crate) idempotency: Idempotency,
    pub(crate) counters: Counters,
}

/// The business in figures.
#[derive(Debug, Clone)]
pub(crate) struct Counters {
    reservations: IntCounterVec,
}

impl Counters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let reservations = metrics.counter(
            "catalog_reservations_total",
            "Requests to reserve pieces and to move what is reserved, by what came of them.",
            &["outcome"],
        );
        Self { reservations }
    }

    fn count(&self, outcome: &str) {
        self.reservations.with_label_values(&[outcome]).inc();
    }
}

pub(crate) fn routes(state: State) -> Router {
    Router::new()
        .route("/v1/products", get(list))
        .route("/v1/products/{sku}", get(read).put(change))
        .route("/v1/products/{sku}/stock", get(stock))
        .route("/v1/products/{sku}/receipts", post(receive))
        .route("/v1/categories", get(categories))
        .route("/v1/reservations", post(reserve))
        .route("/v1/reservations/{id}/confirm", post(confirm))
        .route("/v1/reservations/{id}/release", post(release))
        .with_state(state)
}

type Shared = axum::extract::State<State>;

/// Which products are wanted.
#[derive(Debug, Deserialize)]
struct Window {
    query: Option<String>,
    category: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

async fn list(
    state: Shared,
    window: Result<Query<Window>, QueryRejection>,
) -> Result<Json<Page>, Failure> {
    let Query(window) = window?;
    let limit = window.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let message = format!("must be from 1 to {MAX_LIMIT}");
        return Err(Failure::invalid(vec![field("limit", message)]));
    }
    for (name, text) in [("category", &window.category), ("after", &window.after)] {
        if text.as_ref().is_some_and(|text| text.chars().any(char::is_control)) {
            return Err(Failure::invalid(vec![field(name, "must not hold control characters")]));
        }
    }
    let category = window.category.as_deref();
    if let Some(words) = &window.query {
        let products = state.catalog.search(words, category, limit).await?;
        return Ok(Json(Page { products, next: None }));
    }
    let after = window.after.as_deref().unwrap_or_default();
    let mut products = state.catalog.list(category, after, limit + 1).await?;
    let more = products.len() > limit as usize;
    products.truncate(limit as usize);
    let next = products.last().filter(|_| more).map(|product| product.sku.clone());
    Ok(Json(Page { products, next }))
}

async fn read(
    state: Shared,
    Path(sku): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if !is_sku(&sku) {
        return Err(unknown());
    }
    let product = state.products.by_sku(&sku).await?.ok_or_else(unknown)?;
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tag| tag.to_str().ok());
    let fresh = known.and_then(version) == Some(product.version);
    Ok(match fresh {
        true => tagged(StatusCode::NOT_MODIFIED, &product, false),
        false => tagged(StatusCode::OK, &product, true),
    })
}

/// `If-None-Match: *` adds a product, `If-Match` with its tag changes it: nobody
/// overwrites what he has not seen.
async fn change(
    state: Shared,
    Path(sku): Path<String>,
    headers: HeaderMap,
    posted: Posted<Description>,
) -> Result<Response, Failure> {
    let header = |name| headers.get(name).map(|tag: &HeaderValue| tag.to_str().unwrap_or_default());
    let version = match (header(header::IF_MATCH), header(header::IF_NONE_MATCH)) {
        (Some(tag), None) => Some(version(tag).ok_or_else(|| {
            Failure::malformed("the header `If-Match` must be the tag of one version")
        })?),
        (None, Some("*")) => None,
        _ => {
            let status = StatusCode::PRECONDITION_REQUIRED;
            let title = "the request must say which version it changes";
            let failure = Failure::new(status, "precondition-required", title);
            return Err(failure.detail("send `If-Match` with the tag, or `If-None-Match: *`"));
        }
    };
    let faults = faults(&sku, &posted.value);
    if !faults.is_empty() {
        return Err(Failure::invalid(faults));
    }
    match state.catalog.change(&sku, version, &posted.value, now_ms()).await? {
        Changed::New(product) => Ok(tagged(StatusCode::CREATED, &product, true)),
        Changed::Done(product) => Ok(tagged(StatusCode::OK, &product, true)),
        Changed::Stale(version) => {
            let status = StatusCode::PRECONDITION_FAILED;
            let title = "somebody else has changed it meanwhile";
            let failure = Failure::new(status, "precondition-failed", title);
            Err(failure.detail(format!("the product has version {version} now")))
        }
        Changed::Missing => Err(unknown()),
    }
}

fn tagged(status: StatusCode, product: &Product, with_body: bool) -> Response {
    let body = with_body.then_some(Json(product));
    let mut response = match body {
        Some(body) => (status, body).into_response(),
        None => status.into_response(),
    };
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", product.version)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

async fn stock(state: Shared, Path(sku): Path<String>) -> Result<Json<Stock>, Failure> {
    if !is_sku(&sku) {
        return Err(unknown());
    }
    state.catalog.stock(&sku).await?.map(Json).ok_or_else(unknown)
}

async fn receive(
    state: Shared,
    Path(sku): Path<String>,
    key: IdempotencyKey,
    posted: Posted<Receipt>,
) -> Result<Answer, Failure> {
    if !is_sku(&sku) {
        return Err(unknown());
    }
    let pieces = posted.value.pieces;
    if !(1..=MAX_RECEIPT).contains(&pieces) {
        let message = format!("must be from 1 to {MAX_RECEIPT}");
        return Err(Failure::invalid(vec![field("pieces", message)]));
    }
    let (catalog, scope) = (state.catalog.clone(), format!("receive {sku}"));
    let work = async move {
        let stock = catalog.receive(&sku, pieces).await?.ok_or_else(unknown)?;
        Ok(Answer::json(StatusCode::OK, &stock))
    };
    state.idempotency.once(scope, key, &posted.raw, work).await
}

async fn categories(state: Shared) -> Result<Json<Categories>, Failure> {
    Ok(Json(Categories { categories: state.catalog.categories().await? }))
}

/// The order's id makes it safe to send this again.
async fn reserve(
    state: Shared,
    posted: Posted<Reserve>,
) -> Result<(StatusCode, Json<Reservation>), Failure> {
    let faults = reserve_faults(&posted.value);
    if !faults.is_empty() {
        return Err(Failure::invalid(faults));
    }
    match state.catalog.reserve(&posted.value, now_ms()).await? {
        Reserved::Held(found) if given_back(found.state) => {
            state.counters.count("refused");
            Err(refused(found.state, "reserved again"))
        }
        Reserved::Held(found) => {
            state.counters.count("held");
            Ok((StatusCode::CREATED, Json(found)))
        }
        Reserved::Other => Err(Failure::key_reused()),
        Reserved::Refused(at, refusal) => {
            state.counters.count(refusal.name());
            Err(refusal.problem(at))
        }
    }
}

fn given_back(state: ReservationState) -> bool {
    matches!(state, ReservationState::Released | ReservationState::Expired)
}

impl Refusal {
    fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_product",
            Self::Price(_) => "price_changed",
            Self::OutOfStock(_) => "out_of_stock",
        }
    }

    fn problem(self, at: usize) -> Failure {
        let (name, message) = match self {
            Self::Unknown => ("sku", "there is no such product".to_owned()),
            Self::Price(price) => ("unit_price_minor", format!("the price is {price}")),
            Self::OutOfStock(left) => ("quantity", format!("only {left} are in stock")),
        };
        let title = "the stock does not allow this";
        let failure = Failure::new(StatusCode::CONFLICT, self.kind(), title);
        failure.errors(vec![field(format!("lines[{at}].{name}"), message)])
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Unknown => "unknown-product",
            Self::Price(_) => "price-changed",
            Self::OutOfStock(_) => "out-of-stock",
        }
    }
}

async fn confirm(state: Shared, Id(order): Id) -> Result<Json<Reservation>, Failure> {
    let moved = state.catalog.step(order, Step::Confirm).await?;
    let moved = moved.ok_or_else(|| Failure::not_found("nothing is reserved for this order"))?;
    answer(&state, moved, "confirmed")
}

async fn release(state: Shared, Id(order): Id) -> Result<Json<Reservation>, Failure> {
    answer(&state, state.catalog.release(order, now_ms()).await?, "released")
}

fn answer(
    state: &State,
    (reservation, outcome): (Reservation, Outcome),
    wanted: &'static str,
) -> Result<Json<Reservation>, Failure> {
    match outcome {
        Outcome::Becomes(..) => state.counters.count(wanted),
        Outcome::Already => {}
        Outcome::Refused => return Err(refused(reservation.state, wanted)),
    }
    Ok(Json(reservation))
}

fn refused(state: ReservationState, wanted: &str) -> Failure {
    Failure::conflict(format!("a reservation that is {} cannot be {wanted}", state.name()))
}

fn unknown() -> Failure {
    Failure::not_found("there is no such product")
}
