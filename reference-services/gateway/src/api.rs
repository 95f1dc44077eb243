//! The HTTP side of the gateway: the pipeline that every request passes.
//! 1. rate limit of the address, 2. token check, 3. rate limit of the account,
//! 4. the peer that the route names.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use bytes::Bytes;
use chassis::input::read;
use chassis::{Call, Caller, Client, Failure, Metrics, Reply, Verifier};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use prometheus::IntCounterVec;
use uuid::Uuid;

use crate::domain::{Guard, ROUTES, Route};
use crate::limit::{Limiter, Verdict};

/// Headers of a request that reach the peer.
const FORWARDED: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::ACCEPT,
    header::IF_NONE_MATCH,
    HeaderName::from_static(contracts::IDEMPOTENCY_KEY),
];

/// What a peer says about the client's own request. The gateway passes it on; nothing failed between
/// the gateway and the peer, so the call is no error in its traces.
const ABOUT_THE_CLIENT: &[u16] = &[400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 429];
/// Headers of the peer's answer that reach the client.
const RETURNED: [HeaderName; 6] = [
    header::CONTENT_TYPE,
    header::LOCATION,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    header::ETAG,
    HeaderName::from_static(contracts::IDEMPOTENCY_REPLAYED),
];

/// What the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) client: Client,
    pub(crate) verifier: Verifier,
    pub(crate) addresses: Limiter<IpAddr>,
    pub(crate) accounts: Limiter<Uuid>,
    pub(crate) refused: IntCounterVec,
}

/// The counter of requests that the pipeline stopped.
pub(crate) fn refusals(metrics: &Metrics) -> IntCounterVec {
    metrics.counter(
        "gateway_refused_total",
        "Requests that did not reach a service, by what stopped them.",
        &["reason"],
    )
}

pub(crate) fn routes(state: State) -> Router {
    ROUTES.iter().fold(Router::new(), |router, route| {
        let state = state.clone();
        let handler = move |ConnectInfo(from): ConnectInfo<SocketAddr>, request: Request| {
            let state = state.clone();
            async move { pipeline(&state, route, from.ip(), request).await }
        };
        let filter = MethodFilter::try_from(route.method.clone())
            .expect("the routes use methods that every router knows");
        router.route(route.path, on(filter, handler))
    })
}

async fn pipeline(state: &State, route: &Route, from: IpAddr, request: Request) -> Response {
    let verdict = state.addresses.check(&from);
    if !verdict.allowed {
        return state.too_many(verdict);
    }
    let verdict = match state.admit(route, request.headers()).await {
        Ok(Some(caller)) => state.accounts.check(&caller.account),
        Ok(None) => verdict,
        Err(failure) => return failure.into_response(),
    };
    if !verdict.allowed {
        return state.too_many(verdict);
    }
    let answer = forward(state, route, request).await;
    with_verdict(answer.unwrap_or_else(IntoResponse::into_response), verdict)
}

impl State {
    /// Who is calling, where the route wants to know.
    async fn admit(&self, route: &Route, headers: &HeaderMap) -> Result<Option<Caller>, Failure> {
        let Guard::Role(role) = route.guard else { return Ok(None) };
        let caller = self.verifier.check(headers).await.map_err(|error| {
            self.refused.with_label_values(&["token"]).inc();
            Failure::from(error)
        })?;
        if caller.roles.iter().any(|has| has == role) {
            Ok(Some(caller))
        } else {
            self.refused.with_label_values(&["role"]).inc();
            Err(Failure::forbidden(format!("the role `{role}` is needed")))
        }
    }

    fn too_many(&self, verdict: Verdict) -> Response {
        self.refused.with_label_values(&["rate_limit"]).inc();
        let status = StatusCode::TOO_MANY_REQUESTS;
        let failure = Failure::new(status, "rate-limited", "too many requests")
            .detail(format!("try again in {} s", verdict.retry_after_s))
            .retry_after(verdict.retry_after_s);
        with_verdict(failure.into_response(), verdict)
    }
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

async fn forward(state: &State, route: &Route, request: Request) -> Result<Response, Failure> {
    let path = match (route.upstream, request.uri().path_and_query()) {
        (Some(upstream), _) => upstream.to_owned(),
        (None, Some(path)) => path.as_str().to_owned(),
        (None, None) => route.path.to_owned(),
    };
    let headers = request.headers().clone();
    let body = read(request, &()).await?;
    let reply = state.client.call(call(route, path, &headers, body)).await?;
    Ok(answer(reply))
}

fn call(route: &Route, path: String, headers: &HeaderMap, body: Bytes) -> Call {
    let template = route.upstream.unwrap_or(route.path);
    let mut call = Call::new(route.method.clone(), route.peer, template)
        .path(path)
        .body(body)
        .expecting(ABOUT_THE_CLIENT)
        .timeout(route.timeout);
    for name in FORWARDED {
        if let Some(value) = headers.get(&name) {
            call = call.header(name, value.clone());
        }
    }
    if route.method == Method::GET || headers.contains_key(contracts::IDEMPOTENCY_KEY) {
        call = call.repeatable();
    }
    call
}

fn answer(reply: Reply) -> Response {
    let mut response = (reply.status, reply.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for name in RETURNED {
        if let Some(value) = reply.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}
