//! The way of a request through the gateway, stage by stage, and the way of its
//! answer back:
//!
//! 1. *rate limit* of the address
//! 2. `authentication`: the token, and the route's role
//! 3. *tenant limit* of the account
//! 4. `validation`: sizes and media type
//! 5. *routing*: an answer that was kept, or the peer that the table names
//! 6. `transformation` into the peer's words
//!
//! — the call, through [`crate::upstream`] —
//!
//! 7. `aggregation` with other answers
//! 8. `transformation` into the client's words
//! 9. `caching`: keeping the answer, and what the client has already
//! 10. `compression`
//!
//! Each stage is measured (`stages`). A stage that refuses ends the way.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use chassis::{Caller, Failure};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use prometheus::IntCounterVec;
use uuid::Uuid;

mod aggregation;
mod authentication;
mod caching;
mod compression;
pub mod stages;
mod transformation;
mod validation;

use crate::cache::{Answers, Kept, Lookup};
use crate::domain::Route;
use crate::limit::{Gate, Verdict};
use crate::upstream::{Order, Upstreams};
pub(crate) use authentication::Tokens;
use stages::{Stage, Stages, Trail};

/// What every request needs.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) upstreams: Upstreams,
    pub(crate) tokens: Tokens,
    pub(crate) addresses: Gate<IpAddr>,
    pub(crate) accounts: Gate<Uuid>,
    pub(crate) answers: Answers,
    pub(crate) refused: IntCounterVec,
    pub(crate) stages: Stages,
}

impl State {
    /// Counts a request that ends before a service has seen it.
    pub(crate) fn refuse(&self, reason: &str) {
        self.refused.with_label_values(&[reason]).inc();
    }

    fn too_many(&self, verdict: Verdict) -> Response {
        self.refuse("rate_limit");
        let status = StatusCode::TOO_MANY_REQUESTS;
        let failure = Failure::new(status, "rate-limited", "too many requests")
            .detail(format!("try again in {} s", verdict.retry_after_s))
            .retry_after(verdict.retry_after_s);
        with_verdict(failure.into_response(), verdict)
    }
}

/// Leads a request through all stages.
pub(crate) async fn run(state: &State, route: &Route, from: IpAddr, request: Request) -> Response {
    let mut trail = Trail::begin(&state.stages);
    let verdict = state.addresses.check(&from).await;
    trail.passed(Stage::RateLimit, outcome(verdict.allowed));
    if !verdict.allowed {
        return state.too_many(verdict);
    }
    let caller = authentication::check(state, route, request.headers()).await;
    trail.passed(Stage::Authentication, outcome(caller.is_ok()));
    let caller = match caller {
        Ok(caller) => caller,
        Err(failure) => return failure.into_response(),
    };
    let verdict = match &caller {
        Some(caller) => {
            let verdict = state.accounts.check(&caller.account).await;
            trail.passed(Stage::TenantLimit, outcome(verdict.allowed));
            verdict
        }
        None => verdict,
    };
    if !verdict.allowed {
        return state.too_many(verdict);
    }
    let client = Client { from, tenant: tenant(caller.as_ref(), from) };
    let answer = answer(state, route, client, request, &mut trail).await;
    with_verdict(answer.unwrap_or_else(IntoResponse::into_response), verdict)
}

/// Whom a request is for.
#[derive(Debug, Clone, Copy)]
struct Client {
    from: IpAddr,
    /// As a number: the same in every gateway.
    tenant: u64,
}

/// Stages 4 to 10, for a request that may be made.
async fn answer(
    state: &State,
    route: &Route,
    client: Client,
    request: Request,
    trail: &mut Trail<'_>,
) -> Result<Response, Failure> {
    let inbound = validation::check(state, route, request).await;
    trail.passed(Stage::Validation, outcome(inbound.is_ok()));
    let inbound = inbound?;
    let ticket = match state.answers.look(route, &inbound.target) {
        Lookup::Found(kept) => {
            trail.passed(Stage::Routing, "kept");
            return Ok(caching::again(&inbound.headers, &kept, trail));
        }
        Lookup::Missing(ticket) => ticket,
    };
    trail.passed(Stage::Routing, route.peer);
    let Client { from, tenant } = client;
    let call = transformation::request(route, &inbound, from);
    trail.passed(Stage::RequestTransformation, "passed");

    let has_key = inbound.headers.contains_key(contracts::IDEMPOTENCY_KEY);
    let repeatable = route.verb.idempotent() || route.keyed && has_key;
    let order = Order { call, timeout: route.timeout, repeatable, tenant };
    let reply = state.upstreams.call(route.peer, order).await?;

    trail.resume();
    let reply = aggregation::join(&state.upstreams, route, &inbound.headers, tenant, reply).await;
    trail.passed(Stage::Aggregation, if route.parts.is_empty() { "alone" } else { "joined" });
    let reply = transformation::response(route, reply);
    trail.passed(Stage::ResponseTransformation, "passed");
    let kept = Kept::of(route, reply);
    if let Some(ticket) = ticket {
        state.answers.keep(route, &inbound.target, ticket, &kept);
    }
    Ok(caching::first(route, &inbound.headers, &kept, trail))
}

/// The headers of a service's answer that a client gets to see.
pub(crate) fn returned(headers: &HeaderMap) -> HeaderMap {
    let mut returned = HeaderMap::with_capacity(10);
    for name in transformation::RETURNED {
        if let Some(value) = headers.get(&name) {
            returned.insert(name, value.clone());
        }
    }
    returned
}

fn outcome(passed: bool) -> &'static str {
    if passed { "passed" } else { "refused" }
}

/// Whom a request is for, as a number: the same in every gateway.
fn tenant(caller: Option<&Caller>, from: IpAddr) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    match caller {
        Some(caller) => caller.account.hash(&mut hasher),
        None => from.hash(&mut hasher),
    }
    hasher.finish()
}

/// Tells the client what is left (draft-ietf-httpapi-ratelimit-headers, in the
/// form that most clients know).
fn with_verdict(mut response: Response, verdict: Verdict) -> Response {
    let headers = response.headers_mut();
    let fields = [
        ("ratelimit-limit", u64::from(verdict.limit)),
        ("ratelimit-remaining", u64::from(verdict.remaining)),
        ("ratelimit-reset", verdict.reset_s),
    ];
    for (name, value) in fields {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
    response
}
