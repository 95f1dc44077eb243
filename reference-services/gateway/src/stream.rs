//! Streams: answers that have no end (server-sent events). They pass the same
//! checks as other requests, and then piece by piece through the gateway, until
//! one side leaves, the token or its session ends, or the gateway stops.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chassis::{Call, Caller, Client, Failure};
use contracts::accounts::ROLE_CUSTOMER;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, header};
use prometheus::IntCounterVec;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::limit::{Gate, Verdict};
use crate::pipeline::Tokens;

/// The paths of streams, and the services that answer.
pub const STREAMS: [(&str, &str); 1] = [("/v1/notifications/stream", "notifications")];

/// How long the head of an answer may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(3);

/// How often it is looked whether a reader may still read.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Header that says where a reader goes on.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What streams need of the gateway.
#[derive(Debug, Clone)]
pub(crate) struct Streaming {
    pub(crate) client: Client,
    pub(crate) tokens: Tokens,
    pub(crate) addresses: Gate<IpAddr>,
    pub(crate) accounts: Gate<Uuid>,
    pub(crate) refused: IntCounterVec,
    pub(crate) stop: CancellationToken,
}

pub(crate) fn routes(streaming: Streaming) -> Router {
    STREAMS.into_iter().fold(Router::new(), |router, (path, peer)| {
        let streaming = streaming.clone();
        let handler = move |ConnectInfo(from): ConnectInfo<SocketAddr>, headers: HeaderMap| {
            let streaming = streaming.clone();
            async move { streaming.answer(path, peer, from.ip(), &headers).await }
        };
        router.route(path, get(handler))
    })
}

impl Streaming {
    async fn answer(
        &self,
        path: &'static str,
        peer: &'static str,
        from: IpAddr,
        headers: &HeaderMap,
    ) -> Response {
        let passed = match self.admit(from, headers).await {
            Ok(caller) => self.pass(path, peer, headers, caller).await,
            Err(refused) => Err(refused),
        };
        passed.unwrap_or_else(IntoResponse::into_response)
    }

    async fn admit(&self, from: IpAddr, headers: &HeaderMap) -> Result<Caller, Failure> {
        self.limited(self.addresses.check(&from).await)?;
        let caller = self.tokens.check(headers).await.map_err(|error| {
            self.refused.with_label_values(&["token"]).inc();
            Failure::from(error)
        })?;
        if !caller.roles.iter().any(|role| role == ROLE_CUSTOMER) {
            self.refused.with_label_values(&["role"]).inc();
            return Err(Failure::forbidden(format!("the role `{ROLE_CUSTOMER}` is needed")));
        }
        self.limited(self.accounts.check(&caller.account).await)?;
        Ok(caller)
    }

    fn limited(&self, verdict: Verdict) -> Result<(), Failure> {
        if verdict.allowed {
            return Ok(());
        }
        self.refused.with_label_values(&["rate_limit"]).inc();
        let status = http::StatusCode::TOO_MANY_REQUESTS;
        Err(Failure::new(status, "rate-limited", "too many requests")
            .detail(format!("try again in {} s", verdict.retry_after_s))
            .retry_after(verdict.retry_after_s))
    }

    async fn pass(
        &self,
        path: &'static str,
        peer: &'static str,
        headers: &HeaderMap,
        caller: Caller,
    ) -> Result<Response, Failure> {
        let mut call = Call::get(peer, path).expecting(&[400, 401, 403, 429]).timeout(HEAD_TIMEOUT);
        for name in [header::AUTHORIZATION, header::ACCEPT, LAST_EVENT_ID] {
            if let Some(value) = headers.get(&name) {
                call = call.header(name, value.clone());
            }
        }
        let opened = self.client.open(call).await?;
        let (stop, tokens) = (self.stop.clone(), self.tokens.clone());
        let end = async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = over(&tokens, &caller) => {}
            }
        };
        let body = opened.body.into_data_stream().take_until(Box::pin(end));
        let mut response = (opened.status, Body::from_stream(body)).into_response();
        for name in [header::CONTENT_TYPE, header::CACHE_CONTROL, header::RETRY_AFTER] {
            if let Some(value) = opened.headers.get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        Ok(response)
    }
}

/// Waits until a token or its session has ended: who reads on logs in again.
async fn over(tokens: &Tokens, caller: &Caller) {
    while !tokens.over(caller) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
