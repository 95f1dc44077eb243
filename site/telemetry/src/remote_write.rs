//! Prometheus remote write 1.0: samples that a Prometheus, an agent or a collector sends on.
//!
//! The router of the Prometheus API mounts it; the backend takes the samples. Whatever cannot be read or stored is answered
//! with a 4xx in words, which tells a sender not to try again; 429 and 503 tell it to come back.

use crate::admission::{MAX_EXPORT_TIME, MAX_EXPORTS, RETRY_AFTER_S};
use crate::otlp_grpc::MAX_MESSAGE_BYTES;
use crate::remote_write_message::{self as message, Request as WriteRequest};
use crate::{Backend, MetricMeta};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use series::{AppendError, Labels, ScrapeOutcome};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

/// Bytes of label sets that are remembered as they came over the wire, with what they mean.
const MAX_KNOWN_BYTES: usize = 32 * 1024 * 1024;
/// What one of them takes beside its bytes. Estimated.
const KNOWN_BYTES: usize = 64;

/// `POST /api/v1/write`: mount at `/prometheus`.
pub(crate) fn remote_write_router(backend: Arc<Backend>) -> Router {
    Router::new().route("/api/v1/write", post(write)).with_state(backend)
}

/// Label sets by their bytes in a message: a sender sends the same ones again and again.
#[derive(Debug, Default)]
pub(crate) struct KnownLabels {
    sets: HashMap<Box<[u8]>, Labels>,
    bytes: usize,
}

impl KnownLabels {
    /// The labels of each series of a request; those that are not known are read.
    fn of_all(&self, request: &WriteRequest<'_>) -> Result<Vec<Cow<'_, Labels>>, Refusal> {
        let of = |series: &message::Series<'_>| match self.sets.get(series.labels) {
            Some(labels) => Ok(Cow::Borrowed(labels)),
            None => {
                let pairs = message::labels(series.labels).map_err(Refusal::bad)?;
                Ok(Cow::Owned(Labels::from_pairs(pairs)))
            }
        };
        request.series.iter().map(of).collect()
    }

    fn learn(&mut self, raw: &[u8], labels: Labels) {
        let bytes = raw.len() + KNOWN_BYTES;
        if self.bytes + bytes > MAX_KNOWN_BYTES {
            *self = Self::default();
        }
        if self.sets.insert(raw.into(), labels).is_none() {
            self.bytes += bytes;
        }
    }
}

/// Why a request is not taken, or not all of it.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    fn too_large() -> Self {
        let message = format!("the body is larger than {MAX_MESSAGE_BYTES} bytes");
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, message }
    }

    /// A store that is full may have room later; the rest stays wrong.
    fn of_samples(error: &AppendError, refused: usize) -> Self {
        let status = match error {
            AppendError::TooManySeries { .. } | AppendError::TooManyBytes { .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
            _ => StatusCode::BAD_REQUEST,
        };
        Self { status, message: format!("{refused} samples are refused: {error}") }
    }
}

async fn write(State(backend): State<Arc<Backend>>, request: Request) -> Response {
    let counted = backend.clone();
    match take(backend, request).await {
        Ok(()) => {
            counted.counters.remote_writes.add(1);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(Refusal { status, message }) => {
            counted.counters.remote_writes_rejected.add(1);
            let mut response = (status, message + "\n").into_response();
            if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
                let after = HeaderValue::from_static(RETRY_AFTER_S);
                response.headers_mut().insert(header::RETRY_AFTER, after);
            }
            response
        }
    }
}

/// Asks in turn for the format, a place, and the body within its limits; stores it beside the network threads.
async fn take(backend: Arc<Backend>, request: Request) -> Result<(), Refusal> {
    check_format(request.headers())?;
    let place = backend.exports.enter().ok_or_else(|| Refusal {
        status: StatusCode::SERVICE_UNAVAILABLE,
        message: format!("{MAX_EXPORTS} requests are in hand already"),
    })?;
    let late = |_| Refusal {
        status: StatusCode::REQUEST_TIMEOUT,
        message: format!("the body did not come within {MAX_EXPORT_TIME:?}"),
    };
    let packed =
        tokio::time::timeout(MAX_EXPORT_TIME, body(request.into_body())).await.map_err(late)??;
    let work = move || {
        // Also when the client has gone meanwhile the place is taken until the work is done.
        let _place = place;
        let unpacked = unpack(&packed)?;
        drop(packed);
        let request = WriteRequest::read(&unpacked).map_err(|why| {
            Refusal::bad(format!("the body is not a remote write 1.0 request: {why}"))
        })?;
        backend.accept_remote_write(&request)
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let message = "the request could not be stored".to_owned();
        Err(Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, message })
    })
}

fn check_format(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let unsupported = |message: &str| {
        Err(Refusal {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            message: format!("{message}\nhelp: send remote write 1.0"),
        })
    };
    let mut parts = text(header::CONTENT_TYPE).unwrap_or("").split(';').map(str::trim);
    if !parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/x-protobuf")) {
        return unsupported("only `application/x-protobuf` is taken");
    }
    let proto = parts.find_map(|part| part.strip_prefix("proto="));
    if proto.is_some_and(|name| name != "prometheus.WriteRequest") {
        return unsupported("only the message `prometheus.WriteRequest` is taken");
    }
    match text(header::CONTENT_ENCODING) {
        Some(encoding) if encoding.eq_ignore_ascii_case("snappy") => Ok(()),
        _ => unsupported("only the encoding `snappy` is taken"),
    }
}

async fn body(body: Body) -> Result<Bytes, Refusal> {
    match Limited::new(body, MAX_MESSAGE_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Refusal::too_large()),
        Err(_) => Err(Refusal::bad("the body could not be read to its end")),
    }
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, Refusal> {
    let not_snappy = |_| Refusal::bad("the body is not valid snappy");
    if snap::raw::decompress_len(packed).map_err(not_snappy)? > MAX_MESSAGE_BYTES {
        return Err(Refusal::too_large());
    }
    snap::raw::Decoder::new().decompress_vec(packed).map_err(not_snappy)
}

impl Backend {
    /// Stores the samples of a request.
    fn accept_remote_write(&self, request: &WriteRequest<'_>) -> Result<(), Refusal> {
        let known = self.known_labels.read().unwrap_or_else(PoisonError::into_inner);
        let labels = known.of_all(request)?;
        let series = request.series.iter().zip(&labels);
        let samples =
            series.flat_map(|(series, labels)| series.samples().map(|sample| (&**labels, sample)));
        let outcome = self.append_samples(self.now_ms(), samples);
        let fresh = request.series.iter().zip(labels).filter_map(|(series, labels)| match labels {
            // A series that was refused is none that is known.
            Cow::Owned(labels) => Some((series.labels, self.metrics.shared(&labels)?)),
            Cow::Borrowed(_) => None,
        });
        let fresh: Vec<(&[u8], Labels)> = fresh.collect();
        drop(known);
        if !fresh.is_empty() {
            let mut known = self.known_labels.write().unwrap_or_else(PoisonError::into_inner);
            fresh.into_iter().for_each(|(raw, labels)| known.learn(raw, labels));
        }
        self.learn_metadata(&metadata(request));
        self.answer_remote_write(outcome, request.histograms)
    }

    fn answer_remote_write(
        &self,
        outcome: ScrapeOutcome,
        histograms: usize,
    ) -> Result<(), Refusal> {
        let refused = outcome.out_of_order + outcome.refused;
        self.counters.remote_samples.add((outcome.appended + outcome.known) as u64);
        self.counters.remote_samples_rejected.add((refused + histograms) as u64);
        match outcome.first_error {
            Some(error) => Err(Refusal::of_samples(&error, refused)),
            None if histograms > 0 => {
                let message = format!("{histograms} samples of native histograms are not stored");
                Err(Refusal::bad(message))
            }
            None => Ok(()),
        }
    }
}

fn metadata(request: &WriteRequest<'_>) -> BTreeMap<String, MetricMeta> {
    let meta = |found: &message::Metadata<'_>| {
        let meta = MetricMeta::new(found.kind, found.help.to_owned(), found.unit.to_owned());
        (found.family.to_owned(), meta)
    };
    request.metadata.iter().map(meta).collect()
}
