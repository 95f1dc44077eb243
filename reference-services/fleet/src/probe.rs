//! Looks at a replica's health endpoints, fetches what a running fleet tells
//! about itself, and asks it (or a replica) to do something.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::limits::PROBE_BODY_LIMIT;

/// Asks with a bound on time and size.
#[derive(Debug, Clone)]
pub struct Probe {
    client: Client<HttpConnector, Full<Bytes>>,
    limit: Duration,
}

impl Probe {
    /// A probe whose every question is answered within `limit` or failed.
    pub fn new(limit: Duration) -> Self {
        // A connection kept open would hold up the drain of a replica.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { client, limit }
    }

    /// Whether the replica takes requests.
    pub async fn ready(&self, address: SocketAddr) -> bool {
        self.succeeds(address, "/health/ready").await
    }

    /// Whether the replica answers at all.
    pub async fn live(&self, address: SocketAddr) -> bool {
        self.succeeds(address, "/health/live").await
    }

    async fn succeeds(&self, address: SocketAddr, path: &str) -> bool {
        let uri = Uri::builder().scheme("http").authority(address.to_string()).path_and_query(path);
        let Ok(uri) = uri.build() else { return false };
        self.get(uri).await.is_ok_and(|(status, _)| status.is_success())
    }

    /// Status and body of the answer to a GET.
    pub async fn get(&self, uri: Uri) -> anyhow::Result<(StatusCode, Bytes)> {
        self.answer(Request::get(uri).body(Full::default())?).await
    }

    /// Status and body of the answer to JSON that is sent with a token.
    pub async fn tell(
        &self,
        method: Method,
        uri: Uri,
        token: &str,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body.into()))?;
        self.answer(request).await
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        let answer = async {
            let (head, body) = self.client.request(request).await?.into_parts();
            let body = Limited::new(body, PROBE_BODY_LIMIT).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!(error))?;
            Ok((head.status, body.to_bytes()))
        };
        tokio::time::timeout(self.limit, answer).await?
    }
}
