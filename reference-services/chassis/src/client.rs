//! Calls to other services: a pool of HTTP/1 connections, a time limit, a
//! CLIENT span, the caller's context in the headers, the duration metric, and
//! one bounded retry for calls that may be repeated. Services build a [`Call`]
//! and get a [`Reply`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::inbound::method_name;
use crate::metrics::Metrics;
use crate::problem::Failure;
use crate::propagation;
use crate::replicas::Replicas;
use crate::telemetry::SPANS;

/// Idle connections that are kept open to each peer.
pub const MAX_IDLE_CONNECTIONS: usize = 64;

/// How long an idle connection is kept.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Time to open a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// Time limit of a call that sets none.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// Largest answer that is read, in bytes.
pub const MAX_REPLY_BYTES: usize = 1024 * 1024;

/// Most times that one call is sent.
pub const MAX_ATTEMPTS: u32 = 2;

/// Shortest and longest pause before a call is sent again, in milliseconds.
pub const RETRY_PAUSE_MS: std::ops::Range<u64> = 20..80;

/// A call pays this much into the budget and a retry takes
/// [`RETRY_PRICE`] out of it, so that retries add at most 10 % in an outage.
pub const RETRY_DEPOSIT: i64 = 1;

/// What a retry takes out of the budget.
pub const RETRY_PRICE: i64 = 10;

/// The budget at the start, and its limit.
pub const RETRY_BUDGET: i64 = 100;

/// Calls other services. Clones share connections and budget.
#[derive(Debug, Clone)]
pub struct Client {
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    replicas: Replicas,
    metrics: Metrics,
    budget: Arc<AtomicI64>,
}

/// A call to be made.
#[derive(Debug, Clone)]
pub struct Call {
    method: Method,
    peer: String,
    route: String,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    timeout: Duration,
    repeatable: bool,
    expected: &'static [u16],
    traced: bool,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub struct Opened {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, piece by piece.
    pub body: axum::body::Body,
}

/// Why nothing came back.
#[derive(Debug, Error)]
pub enum CallError {
    /// The settings name no such peer.
    #[error("no peer is called `{0}`")]
    UnknownPeer(String),
    /// No connection: the call was not sent.
    #[error("`{peer}` cannot be reached")]
    Unreachable {
        /// Whom the call was for.
        peer: String,
        /// What the connection said.
        source: hyper_util::client::legacy::Error,
    },
    /// The call was sent, and what became of it is not known.
    #[error("the connection to `{peer}` broke")]
    Interrupted {
        /// Whom the call was for.
        peer: String,
        /// What the connection said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The call was sent, and no answer came in time.
    #[error("`{peer}` did not answer within {} ms", timeout.as_millis())]
    TimedOut {
        /// Whom the call was for.
        peer: String,
        /// The limit.
        timeout: Duration,
    },
}

impl Call {
    /// A `GET` of `route` at `peer`. A route with parameters also needs [`Call::path`].
    pub fn get(peer: &str, route: &str) -> Self {
        let mut call = Self::new(Method::GET, peer, route);
        call.repeatable = true;
        call
    }

    /// A `POST` to `route` at `peer`.
    pub fn post(peer: &str, route: &str) -> Self {
        Self::new(Method::POST, peer, route)
    }

    /// A call with any method. `route` is the template, for example `/v1/orders/{id}`.
    pub fn new(method: Method, peer: &str, route: &str) -> Self {
        Self {
            method,
            peer: peer.to_owned(),
            route: route.to_owned(),
            path: route.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: DEFAULT_TIMEOUT,
            repeatable: false,
            expected: &[],
            traced: true,
        }
    }

    /// The path (and query) of this call, where it differs from the route.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sends `body` as JSON.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(body).expect("contract types have only strings as keys");
        self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body(bytes)
    }

    /// Sends `body` as it is.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sends an idempotency key, which makes the call repeatable.
    #[must_use]
    pub fn idempotency_key(mut self, key: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(key) {
            self.headers.insert(HeaderName::from_static(contracts::IDEMPOTENCY_KEY), value);
            self.repeatable = true;
        }
        self
    }

    /// Says that this call may be sent twice without harm.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Limits the time of the whole call, retry included.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Statuses from 400 on that are an answer like any other to this caller,
    /// for example 402 when a card may be declined. The span is no error then.
    #[must_use]
    pub fn expecting(mut self, statuses: &'static [u16]) -> Self {
        self.expected = statuses;
        self
    }

    /// Leaves the call out of traces, on both sides, and out of the figures. For housekeeping that is
    /// part of no request, like scrapes and health checks.
    #[must_use]
    pub fn untraced(mut self) -> Self {
        self.traced = false;
        self
    }
}

impl Reply {
    /// The body as a value.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

impl Client {
    /// A client that knows `peers` by name.
    pub fn new(peers: BTreeMap<String, SocketAddr>, metrics: Metrics) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
            .pool_timer(TokioTimer::new())
            .build(connector);
        let budget = Arc::new(AtomicI64::new(RETRY_BUDGET));
        Self { http, replicas: Replicas::new(peers), metrics, budget }
    }

    /// Makes a call. Any status is a reply; an error means that none came.
    pub async fn call(&self, call: Call) -> Result<Reply, CallError> {
        let deadline = Instant::now() + call.timeout;
        self.deposit();
        let mut attempt = 1;
        loop {
            let Some(address) = self.replicas.one_of(&call.peer) else {
                return Err(CallError::UnknownPeer(call.peer));
            };
            let outcome = self.attempt(&call, address, attempt, deadline).await;
            if attempt == MAX_ATTEMPTS || !worth_repeating(&call, &outcome) || !self.withdraw() {
                return outcome;
            }
            let pause = Duration::from_millis(rand::random_range(RETRY_PAUSE_MS));
            if Instant::now() + pause >= deadline {
                return outcome;
            }
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// Sends a call once, to a replica of the caller's choice, and never again:
    /// for callers that know the replicas and decide themselves about repetition.
    /// `attempt` counts from 1 how often the call has been sent.
    pub async fn call_at(
        &self,
        call: &Call,
        address: SocketAddr,
        attempt: u32,
        deadline: Instant,
    ) -> Result<Reply, CallError> {
        self.attempt(call, address, attempt, deadline).await
    }

    /// Makes a call once whose answer may have no end: its time limit and its
    /// figures are those of the answer's head.
    pub async fn open(&self, call: Call) -> Result<Opened, CallError> {
        let Some(address) = self.replicas.one_of(&call.peer) else {
            return Err(CallError::UnknownPeer(call.peer));
        };
        let span = if call.traced { client_span(&call, address, 1) } else { Span::none() };
        let start = Instant::now();
        let head = self.head(&call, address, &span).instrument(span.clone());
        let answer = match tokio::time::timeout(call.timeout, head).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::TimedOut { peer: call.peer.clone(), timeout: call.timeout }),
        };
        let (outcome, body) = match answer {
            Ok(response) => {
                let (head, body) = response.into_parts();
                let (status, headers) = (head.status, head.headers);
                (Ok(Reply { status, headers, body: Bytes::new() }), Some(body))
            }
            Err(error) => (Err(error), None),
        };
        describe(&span, &call, &outcome);
        if call.traced {
            self.observe(&call, &outcome, start.elapsed());
        }
        let Reply { status, headers, .. } = outcome?;
        let body = body.map(axum::body::Body::new).unwrap_or_default();
        Ok(Opened { status, headers, body })
    }

    pub(crate) fn replicas(&self) -> &Replicas {
        &self.replicas
    }

    async fn attempt(
        &self,
        call: &Call,
        address: SocketAddr,
        attempt: u32,
        deadline: Instant,
    ) -> Result<Reply, CallError> {
        let span = if call.traced { client_span(call, address, attempt) } else { Span::none() };
        let start = Instant::now();
        let sent = self.send(call, address, &span).instrument(span.clone());
        let outcome = match tokio::time::timeout_at(deadline.into(), sent).await {
            Ok(outcome) => outcome,
            Err(_) => Err(CallError::TimedOut { peer: call.peer.clone(), timeout: call.timeout }),
        };
        describe(&span, call, &outcome);
        if call.traced {
            self.observe(call, &outcome, start.elapsed());
        }
        outcome
    }

    async fn send(
        &self,
        call: &Call,
        address: SocketAddr,
        span: &Span,
    ) -> Result<Reply, CallError> {
        let (head, body) = self.head(call, address, span).await?.into_parts();
        let body = Limited::new(body, MAX_REPLY_BYTES).collect().await;
        let body =
            body.map_err(|source| CallError::Interrupted { peer: call.peer.clone(), source })?;
        Ok(Reply { status: head.status, headers: head.headers, body: body.to_bytes() })
    }

    async fn head(
        &self,
        call: &Call,
        address: SocketAddr,
        span: &Span,
    ) -> Result<Response<Incoming>, CallError> {
        let interrupted = |source: Box<dyn std::error::Error + Send + Sync>| {
            CallError::Interrupted { peer: call.peer.clone(), source }
        };
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("http://{address}{}", call.path))
            .body(Full::new(call.body.clone()))
            .map_err(|error| interrupted(error.into()))?;
        *request.headers_mut() = call.headers.clone();
        let context = if call.traced { span.context() } else { unsampled() };
        propagation::inject(&context, request.headers_mut());
        self.http.request(request).await.map_err(|source| {
            if source.is_connect() {
                CallError::Unreachable { peer: call.peer.clone(), source }
            } else {
                interrupted(source.into())
            }
        })
    }

    fn observe(&self, call: &Call, outcome: &Result<Reply, CallError>, elapsed: Duration) {
        let code = match outcome {
            Ok(reply) => reply.status.as_u16().to_string(),
            Err(_) => String::new(),
        };
        let error = error_type(call, outcome).unwrap_or_default();
        let labels = [method_name(&call.method), &call.peer, &code, &error];
        self.metrics.http_client.with_label_values(&labels).observe(elapsed.as_secs_f64());
    }

    fn deposit(&self) {
        let _ = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            Some((left + RETRY_DEPOSIT).min(RETRY_BUDGET))
        });
    }

    fn withdraw(&self) -> bool {
        let taken = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            (left >= RETRY_PRICE).then(|| left - RETRY_PRICE)
        });
        taken.is_ok()
    }
}

fn worth_repeating(call: &Call, outcome: &Result<Reply, CallError>) -> bool {
    let failed = match outcome {
        Ok(reply) => matches!(reply.status.as_u16(), 502..=504),
        Err(CallError::Unreachable { .. } | CallError::Interrupted { .. }) => true,
        Err(CallError::UnknownPeer(_) | CallError::TimedOut { .. }) => false,
    };
    call.repeatable && failed
}

/// OpenTelemetry's `error.type`; none when the call went well.
fn error_type(call: &Call, outcome: &Result<Reply, CallError>) -> Option<String> {
    match outcome {
        Ok(reply) => {
            let code = reply.status.as_u16();
            (code >= 400 && !call.expected.contains(&code)).then(|| code.to_string())
        }
        Err(CallError::UnknownPeer(_)) => Some("unknown_peer".to_owned()),
        Err(CallError::Unreachable { .. }) => Some("connection_refused".to_owned()),
        Err(CallError::Interrupted { .. }) => Some("connection_broken".to_owned()),
        Err(CallError::TimedOut { .. }) => Some("timeout".to_owned()),
    }
}

fn client_span(call: &Call, address: SocketAddr, attempt: u32) -> Span {
    let method = method_name(&call.method);
    let name = format!("{method} {}", call.route);
    let span = tracing::info_span!(target: SPANS, "call", otel.name = name, otel.kind = "client");
    span.set_attribute("http.request.method", method);
    span.set_attribute("url.template", call.route.clone());
    span.set_attribute("server.address", address.ip().to_string());
    span.set_attribute("server.port", i64::from(address.port()));
    span.set_attribute("service.peer.name", call.peer.clone());
    if attempt > 1 {
        span.set_attribute("http.request.resend_count", i64::from(attempt - 1));
    }
    span
}

fn describe(span: &Span, call: &Call, outcome: &Result<Reply, CallError>) {
    if let Ok(reply) = outcome {
        span.set_attribute("http.response.status_code", i64::from(reply.status.as_u16()));
    }
    if let Some(error) = error_type(call, outcome) {
        span.set_attribute("error.type", error);
        let message = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
        span.set_status(Status::error(message));
    }
}

/// A context that tells the peer not to record either.
fn unsampled() -> Context {
    let (trace, span) = (rand::random::<u128>() | 1, rand::random::<u64>() | 1);
    Context::new().with_remote_span_context(SpanContext::new(
        TraceId::from(trace),
        SpanId::from(span),
        TraceFlags::NOT_SAMPLED,
        true,
        TraceState::NONE,
    ))
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let (status, kind, title) = match error {
            CallError::UnknownPeer(_) => return Self::internal(error),
            CallError::Unreachable { .. } | CallError::Interrupted { .. } => (
                StatusCode::BAD_GATEWAY,
                "bad-gateway",
                "a service that this one needs cannot be reached",
            ),
            CallError::TimedOut { .. } => (
                StatusCode::GATEWAY_TIMEOUT,
                "gateway-timeout",
                "a service that this one needs did not answer in time",
            ),
        };
        Self::new(status, kind, title).detail(error.to_string()).cause(error)
    }
}
