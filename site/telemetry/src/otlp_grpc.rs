//! OTLP over gRPC, usually on port 4317.
//!
//! `loggia` binds the listener; exporters send; the backend takes what is decoded.

use crate::admission::{MAX_EXPORT_TIME, MAX_EXPORTS, Place};
use crate::otlp_grpc_connections::Connections;
use crate::{Backend, Rejection};
use axum::body::Body;
use axum::extract::State;
use axum::middleware::{Next, from_fn_with_state};
use opentelemetry_proto::tonic::collector::logs::v1 as logs;
use opentelemetry_proto::tonic::collector::metrics::v1 as metrics;
use opentelemetry_proto::tonic::collector::trace::v1 as trace;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// Bytes of one message, unpacked.
pub(crate) const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// Requests that one connection may have open.
const MAX_STREAMS: u32 = 128;
/// Time after which a silent connection is asked whether somebody is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// How long requests that are being answered may take after the end was asked for.
const GRACE: Duration = Duration::from_millis(500);

/// Serves OTLP over gRPC (traces, metrics, logs; gzip) on a listener until cancelled.
pub async fn serve_otlp_grpc(
    listener: TcpListener,
    backend: Arc<Backend>,
    cancel: CancellationToken,
) -> io::Result<()> {
    let receiver = Receiver(backend.clone());
    macro_rules! limited {
        ($service:expr) => {
            $service
                .accept_compressed(Gzip)
                .send_compressed(Gzip)
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
        };
    }
    let routes = Routes::new(limited!(trace::trace_service_server::TraceServiceServer::new(
        receiver.clone()
    )))
    .add_service(limited!(metrics::metrics_service_server::MetricsServiceServer::new(
        receiver.clone()
    )))
    .add_service(limited!(logs::logs_service_server::LogsServiceServer::new(receiver)))
    .into_axum_router()
    .layer(from_fn_with_state(backend, admit));
    let served = Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .add_routes(Routes::from(routes))
        .serve_with_incoming_shutdown(
            Connections::new(TcpIncoming::from(listener).with_nodelay(Some(true))),
            cancel.cancelled(),
        );
    let too_late = async {
        cancel.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        result = served => result.map_err(io::Error::other),
        // An exporter that keeps its connection open must not hold up the end.
        () = too_late => Ok(()),
    }
}

/// Lets a request in when there is a place for it, and counts those that end with an error.
async fn admit(
    State(backend): State<Arc<Backend>>,
    mut request: http::Request<Body>,
    next: Next,
) -> http::Response<Body> {
    let answer = match backend.exports.enter() {
        None => {
            Status::unavailable(format!("{MAX_EXPORTS} requests are in hand already")).into_http()
        }
        Some(place) => {
            request.extensions_mut().insert(Arc::new(place));
            let answer = tokio::time::timeout(MAX_EXPORT_TIME, next.run(request)).await;
            answer.unwrap_or_else(|_| {
                let message = format!("the request did not come within {MAX_EXPORT_TIME:?}");
                Status::deadline_exceeded(message).into_http()
            })
        }
    };
    let failed = answer.headers().get("grpc-status").is_some_and(|status| status != "0");
    if failed || !answer.status().is_success() {
        backend.counters.requests_rejected.add(1);
    }
    answer
}

#[derive(Clone)]
struct Receiver(Arc<Backend>);

impl Receiver {
    /// Takes a message beside the network threads.
    async fn take<Q: Send + 'static>(
        &self,
        request: Request<Q>,
        accept: impl FnOnce(&Backend, Q) -> Option<Rejection> + Send + 'static,
    ) -> Result<Option<Rejection>, Status> {
        let backend = self.0.clone();
        let place = request.extensions().get::<Arc<Place>>().cloned();
        let work = move || {
            // Also when the client has gone meanwhile the place is taken until the work is done.
            let _place = place;
            accept(&backend, request.into_inner())
        };
        let stored = tokio::task::spawn_blocking(work).await;
        let rejection = stored.map_err(|_| Status::internal("the request could not be stored"))?;
        self.0.counters.requests.add(1);
        Ok(rejection)
    }
}

#[tonic::async_trait]
impl trace::trace_service_server::TraceService for Receiver {
    async fn export(
        &self,
        request: Request<trace::ExportTraceServiceRequest>,
    ) -> Result<Response<trace::ExportTraceServiceResponse>, Status> {
        Ok(Response::new(trace_response(self.take(request, Backend::accept_traces).await?)))
    }
}

#[tonic::async_trait]
impl metrics::metrics_service_server::MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<metrics::ExportMetricsServiceRequest>,
    ) -> Result<Response<metrics::ExportMetricsServiceResponse>, Status> {
        Ok(Response::new(metrics_response(self.take(request, Backend::accept_metrics).await?)))
    }
}

#[tonic::async_trait]
impl logs::logs_service_server::LogsService for Receiver {
    async fn export(
        &self,
        request: Request<logs::ExportLogsServiceRequest>,
    ) -> Result<Response<logs::ExportLogsServiceResponse>, Status> {
        Ok(Response::new(logs_response(self.take(request, Backend::accept_logs).await?)))
    }
}

/// The answer to a request of spans: `partial_success` only when something was refused.
pub(crate) fn trace_response(rejection: Option<Rejection>) -> trace::ExportTraceServiceResponse {
    trace::ExportTraceServiceResponse {
        partial_success: rejection.map(|rejection| trace::ExportTracePartialSuccess {
            rejected_spans: rejection.count as i64,
            error_message: rejection.message,
        }),
    }
}

/// The answer to a request of metric points.
pub(crate) fn metrics_response(
    rejection: Option<Rejection>,
) -> metrics::ExportMetricsServiceResponse {
    metrics::ExportMetricsServiceResponse {
        partial_success: rejection.map(|rejection| metrics::ExportMetricsPartialSuccess {
            rejected_data_points: rejection.count as i64,
            error_message: rejection.message,
        }),
    }
}

/// The answer to a request of log records.
pub(crate) fn logs_response(rejection: Option<Rejection>) -> logs::ExportLogsServiceResponse {
    logs::ExportLogsServiceResponse {
        partial_success: rejection.map(|rejection| logs::ExportLogsPartialSuccess {
            rejected_log_records: rejection.count as i64,
            error_message: rejection.message,
        }),
    }
}
