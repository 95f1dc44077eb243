//! OTLP over HTTP, usually on port 4318: protobuf and JSON, plain and gzip.
//!
//! `loggia` mounts the router; exporters send; the backend takes what is decoded. Whatever cannot be
//! read is answered with a 4xx and a `google.rpc.Status` in the format of the request.

use crate::admission::{MAX_EXPORT_TIME, MAX_EXPORTS, RETRY_AFTER_S};
use crate::fetch::gunzip;
use crate::otlp_grpc::{MAX_MESSAGE_BYTES, logs_response, metrics_response, trace_response};
use crate::otlp_json;
use crate::{Backend, Rejection};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// `POST /v1/{traces,metrics,logs}`: mount at `/` of port 4318 and at `/otlp` of the site.
pub fn otlp_http_router(backend: Arc<Backend>) -> Router {
    Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/metrics", post(metrics))
        .route("/v1/logs", post(logs))
        .with_state(backend)
}

async fn traces(State(backend): State<Arc<Backend>>, request: Request) -> Response {
    let take =
        |request: ExportTraceServiceRequest, backend: &Backend| backend.accept_traces(request);
    export(backend, request, "resourceSpans", take, trace_response).await
}

async fn metrics(State(backend): State<Arc<Backend>>, request: Request) -> Response {
    let take =
        |request: ExportMetricsServiceRequest, backend: &Backend| backend.accept_metrics(request);
    export(backend, request, "resourceMetrics", take, metrics_response).await
}

async fn logs(State(backend): State<Arc<Backend>>, request: Request) -> Response {
    let take = |request: ExportLogsServiceRequest, backend: &Backend| backend.accept_logs(request);
    export(backend, request, "resourceLogs", take, logs_response).await
}

/// The two encodings of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Protobuf,
    Json,
}

/// Why a request is not taken.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

/// Asks in turn for the format, a place, and the body within its limits; reads the message, stores it
/// and writes the answer beside the network threads.
async fn export<Q, A>(
    backend: Arc<Backend>,
    request: Request,
    json_field: &'static str,
    take: impl FnOnce(Q, &Backend) -> Option<Rejection> + Send + 'static,
    answer: impl FnOnce(Option<Rejection>) -> A + Send + 'static,
) -> Response
where
    Q: prost::Message + Default + DeserializeOwned,
    A: prost::Message + Serialize,
{
    let format = match format(request.headers()) {
        Ok(format) => format,
        Err(refusal) => return refuse(&backend, Format::Json, refusal),
    };
    let Some(place) = backend.exports.enter() else {
        let message = format!("{MAX_EXPORTS} requests are in hand already\nhelp: try again later");
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message);
        return refuse(&backend, format, refusal);
    };
    let packed = match tokio::time::timeout(MAX_EXPORT_TIME, body(request)).await {
        Ok(Ok(packed)) => packed,
        Ok(Err(refusal)) => return refuse(&backend, format, refusal),
        Err(_) => {
            let message = format!("the body did not come within {MAX_EXPORT_TIME:?}");
            let refusal = Refusal::new(StatusCode::REQUEST_TIMEOUT, message);
            return refuse(&backend, format, refusal);
        }
    };
    let counted = backend.clone();
    let work = move || {
        // Also when the client has gone meanwhile the place is taken until the work is done.
        let _place = place;
        match packed.unpack().and_then(|body| decode::<Q>(format, &body, json_field)) {
            Ok(message) => {
                backend.counters.requests.add(1);
                encode(StatusCode::OK, format, &answer(take(message, &backend)))
            }
            Err(refusal) => refuse(&backend, format, refusal),
        }
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let message = "the request could not be stored";
        refuse(&counted, format, Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message))
    })
}

fn format(headers: &HeaderMap) -> Result<Format, Refusal> {
    let given = text(headers, header::CONTENT_TYPE);
    let essence = given.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case(PROTOBUF) {
        Ok(Format::Protobuf)
    } else if essence.eq_ignore_ascii_case(JSON) {
        Ok(Format::Json)
    } else {
        let message =
            format!("content type `{essence}` is not taken\nhelp: send `{PROTOBUF}` or `{JSON}`");
        Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
    }
}

/// A body as it came.
struct Packed {
    bytes: Bytes,
    gzip: bool,
}

async fn body(request: Request) -> Result<Packed, Refusal> {
    let encoding = text(request.headers(), header::CONTENT_ENCODING).to_ascii_lowercase();
    if !matches!(encoding.as_str(), "" | "identity" | "gzip") {
        let message =
            format!("content encoding `{encoding}` is not taken\nhelp: send `gzip` or none");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let collected = Limited::new(request.into_body(), MAX_MESSAGE_BYTES).collect().await;
    let body = collected.map_err(|error| {
        if error.is::<LengthLimitError>() {
            too_large()
        } else {
            Refusal::new(StatusCode::BAD_REQUEST, "the body could not be read to its end")
        }
    })?;
    Ok(Packed { bytes: body.to_bytes(), gzip: encoding == "gzip" })
}

impl Packed {
    fn unpack(self) -> Result<Bytes, Refusal> {
        if !self.gzip {
            return Ok(self.bytes);
        }
        match gunzip(&self.bytes, MAX_MESSAGE_BYTES) {
            Ok(Some(bytes)) => Ok(bytes.into()),
            Ok(None) => Err(too_large()),
            Err(_) => Err(Refusal::new(StatusCode::BAD_REQUEST, "the body is not valid gzip")),
        }
    }
}

fn too_large() -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body is larger than {MAX_MESSAGE_BYTES} bytes"),
    )
}

fn decode<Q>(format: Format, body: &[u8], json_field: &str) -> Result<Q, Refusal>
where
    Q: prost::Message + Default + DeserializeOwned,
{
    let decoded = match format {
        Format::Protobuf => Q::decode(body).map_err(|error| error.to_string()),
        Format::Json => otlp_json::decode(body, json_field),
    };
    decoded.map_err(|error| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}"))
    })
}

fn refuse(backend: &Backend, format: Format, refusal: Refusal) -> Response {
    backend.counters.requests_rejected.add(1);
    let status = RpcStatus {
        code: match refusal.status {
            StatusCode::PAYLOAD_TOO_LARGE => tonic::Code::ResourceExhausted,
            StatusCode::SERVICE_UNAVAILABLE => tonic::Code::Unavailable,
            StatusCode::REQUEST_TIMEOUT => tonic::Code::DeadlineExceeded,
            StatusCode::INTERNAL_SERVER_ERROR => tonic::Code::Internal,
            _ => tonic::Code::InvalidArgument,
        } as i32,
        message: refusal.message,
    };
    encode(refusal.status, format, &status)
}

fn encode<A: prost::Message + Serialize>(
    status: StatusCode,
    format: Format,
    message: &A,
) -> Response {
    let (content_type, body) = match format {
        Format::Protobuf => (PROTOBUF, message.encode_to_vec()),
        Format::Json => {
            let mut value =
                serde_json::to_value(message).expect("messages of strings and numbers serialize");
            if let Some(fields) = value.as_object_mut() {
                // Unset, which `partialSuccess` has to be when all was taken, is absent in JSON.
                fields.retain(|_, field| !field.is_null());
            }
            (JSON, value.to_string().into_bytes())
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
    }
    response
}

/// `google.rpc.Status` without details.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").trim()
}
