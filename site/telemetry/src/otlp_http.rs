//! OTLP over HTTP, usually on port 4318: protobuf and JSON, plain and gzip.
//!
//! `loggia` mounts the router; exporters send; the backend takes what is decoded. Whatever cannot be
//! read is answered with a 4xx and a `google.rpc.Status` in the format of the request.

use crate::fetch::gunzip;
use crate::otlp_grpc::{MAX_MESSAGE_BYTES, logs_response, metrics_response, trace_response};
use crate::otlp_json;
use crate::{Backend, Rejection};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header};
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
    export(&backend, request, "resourceSpans", take, trace_response).await
}

async fn metrics(State(backend): State<Arc<Backend>>, request: Request) -> Response {
    let take =
        |request: ExportMetricsServiceRequest, backend: &Backend| backend.accept_metrics(request);
    export(&backend, request, "resourceMetrics", take, metrics_response).await
}

async fn logs(State(backend): State<Arc<Backend>>, request: Request) -> Response {
    let take = |request: ExportLogsServiceRequest, backend: &Backend| backend.accept_logs(request);
    export(&backend, request, "resourceLogs", take, logs_response).await
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

/// 1. which format, 2. the body within its limits, 3. the message, 4. into the backend, 5. the answer.
async fn export<Q, A>(
    backend: &Backend,
    request: Request,
    json_field: &str,
    take: impl FnOnce(Q, &Backend) -> Option<Rejection>,
    answer: impl FnOnce(Option<Rejection>) -> A,
) -> Response
where
    Q: prost::Message + Default + DeserializeOwned,
    A: prost::Message + Serialize,
{
    let format = match format(request.headers()) {
        Ok(format) => format,
        Err(refusal) => return refuse(backend, Format::Json, refusal),
    };
    let decoded = body(request).await.and_then(|body| decode::<Q>(format, &body, json_field));
    match decoded {
        Ok(message) => {
            backend.counters.requests.add(1);
            encode(StatusCode::OK, format, &answer(take(message, backend)))
        }
        Err(refusal) => refuse(backend, format, refusal),
    }
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

async fn body(request: Request) -> Result<Bytes, Refusal> {
    let encoding = text(request.headers(), header::CONTENT_ENCODING).to_ascii_lowercase();
    if !matches!(encoding.as_str(), "" | "identity" | "gzip") {
        let message =
            format!("content encoding `{encoding}` is not taken\nhelp: send `gzip` or none");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let too_large = || {
        Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {MAX_MESSAGE_BYTES} bytes"),
        )
    };
    let collected = Limited::new(request.into_body(), MAX_MESSAGE_BYTES).collect().await;
    let body = collected.map_err(|error| {
        if error.is::<LengthLimitError>() {
            too_large()
        } else {
            Refusal::new(StatusCode::BAD_REQUEST, "the body could not be read to its end")
        }
    })?;
    if encoding != "gzip" {
        return Ok(body.to_bytes());
    }
    match gunzip(&body.to_bytes(), MAX_MESSAGE_BYTES) {
        Ok(Some(bytes)) => Ok(bytes.into()),
        Ok(None) => Err(too_large()),
        Err(_) => Err(Refusal::new(StatusCode::BAD_REQUEST, "the body is not valid gzip")),
    }
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
        // google.rpc.Code: 3 is INVALID_ARGUMENT, 8 RESOURCE_EXHAUSTED.
        code: if refusal.status == StatusCode::PAYLOAD_TOO_LARGE { 8 } else { 3 },
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
    (status, [(header::CONTENT_TYPE, content_type)], Body::from(body)).into_response()
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
