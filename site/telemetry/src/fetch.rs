//! Getting a body over HTTP within limits.
//!
//! The scraper and service discovery ask; the connection is kept open between two scrapes.

use crate::Access;
use crate::secure::Secure;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::error::Error;
use std::io::Read as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Idle connections that are kept for one target.
const IDLE_CONNECTIONS: usize = 1;

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(
        "`{0}` is no URL that can be fetched\nhelp: use `http://HOST:PORT/PATH` or `https://...`"
    )]
    Url(String),
    #[error("{0}")]
    Connection(String),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("the server answered `{0}`")]
    Status(StatusCode),
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the body is not valid gzip")]
    Gzip,
    #[error("the body is not valid UTF-8")]
    NotText,
    #[error("{0}")]
    Secret(String),
}

/// Gets a text over HTTP once; why not, in words, when that fails.
pub async fn fetch(url: &str, timeout: Duration, body_bytes: usize) -> Result<String, String> {
    let fetched = Fetcher::new(timeout, body_bytes).get(url, &[]).await;
    fetched.map(|fetched| fetched.text).map_err(|error| error.to_string())
}

/// A text and its type.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) text: String,
    pub(crate) content_type: String,
}

/// Fetches over HTTP/1.1.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    client: Client<HttpConnector, Empty<Bytes>>,
    timeout: Duration,
    body_bytes: usize,
    access: Arc<Access>,
    /// Made when the first `https` is asked for, or why it cannot be.
    secure: Arc<OnceLock<Result<Secure, String>>>,
}

impl Fetcher {
    pub(crate) fn new(timeout: Duration, body_bytes: usize) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(timeout));
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        let (access, secure) = (Arc::default(), Arc::default());
        Self { client, timeout, body_bytes, access, secure }
    }

    /// The same for a server that is asked in a way of its own.
    pub(crate) fn with_access(&self, access: &Access) -> Self {
        if *access == *self.access {
            return self.clone();
        }
        Self { access: Arc::new(access.clone()), secure: Arc::default(), ..self.clone() }
    }

    /// Gets a text; `headers` are added to those that every request has.
    pub(crate) async fn get(
        &self,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Result<Fetched, FetchError> {
        let uri: Uri = url.parse().map_err(|_| FetchError::Url(url.to_owned()))?;
        let authorization = self.access.authorization()?;
        let said = authorization.as_deref().map(|value| ("authorization", value));
        let headers: Vec<(&str, &str)> = headers.iter().copied().chain(said).collect();
        let work = async {
            match uri.scheme_str() {
                Some("http") => self.get_now(uri, &headers).await,
                Some("https") => self.get_secure(url, &headers).await,
                _ => Err(FetchError::Url(url.to_owned())),
            }
        };
        let fetched = tokio::time::timeout(self.timeout, work).await;
        fetched.unwrap_or(Err(FetchError::Timeout(self.timeout)))
    }

    async fn get_secure(&self, url: &str, headers: &[(&str, &str)]) -> Result<Fetched, FetchError> {
        let this = self.clone();
        let url = url.to_owned();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers: Vec<(String, String)> = headers.iter().map(owned).collect();
        // Ends with its own time-out, also when nobody waits for it any more.
        let work = move || {
            let make = || Secure::new(&this.access, this.timeout, this.body_bytes);
            let client = this.secure.get_or_init(make);
            let client = client.as_ref().map_err(|why| FetchError::Secret(why.clone()))?;
            let packed = client.get(&url, &headers)?;
            let bytes = match packed.is_gzip {
                true => this.gunzipped(&packed.body)?,
                false => packed.body,
            };
            let text = String::from_utf8(bytes).map_err(|_| FetchError::NotText)?;
            Ok(Fetched { text, content_type: packed.content_type })
        };
        let failed = |_| FetchError::Connection("the request ended early".to_owned());
        tokio::task::spawn_blocking(work).await.map_err(failed)?
    }

    async fn get_now(&self, uri: Uri, headers: &[(&str, &str)]) -> Result<Fetched, FetchError> {
        let mut request = Request::get(&uri)
            .header(header::USER_AGENT, concat!("loggia/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT_ENCODING, "gzip");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::new()).map_err(|_| FetchError::Url(uri.to_string()))?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|e| FetchError::Connection(root_cause(&e)))?;
        if !response.status().is_success() {
            return Err(FetchError::Status(response.status()));
        }
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, self.body_bytes).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                FetchError::TooLarge(self.body_bytes)
            } else {
                FetchError::Connection(root_cause(&*error))
            }
        })?;
        let bytes = self.unpack(&parts.headers, body.to_bytes())?;
        let text = String::from_utf8(bytes).map_err(|_| FetchError::NotText)?;
        Ok(Fetched {
            text,
            content_type: header_text(&parts.headers, header::CONTENT_TYPE).to_owned(),
        })
    }

    fn unpack(&self, headers: &HeaderMap, body: Bytes) -> Result<Vec<u8>, FetchError> {
        if !header_text(headers, header::CONTENT_ENCODING).eq_ignore_ascii_case("gzip") {
            return Ok(body.into());
        }
        self.gunzipped(&body)
    }

    fn gunzipped(&self, body: &[u8]) -> Result<Vec<u8>, FetchError> {
        match gunzip(body, self.body_bytes) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(FetchError::TooLarge(self.body_bytes)),
            Err(_) => Err(FetchError::Gzip),
        }
    }
}

/// Unpacks gzip; `None` when more than `limit` bytes come out.
pub(crate) fn gunzip(packed: &[u8], limit: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(packed).take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").trim()
}

/// The innermost cause says what happened (`connection refused`), the outer ones only where.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
