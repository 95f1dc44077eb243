//! OTLP over gRPC, usually on port 4317.
//!
//! `loggia` binds the listener; exporters send; the backend takes what is decoded.

use crate::{Backend, Rejection};
use opentelemetry_proto::tonic::collector::logs::v1 as logs;
use opentelemetry_proto::tonic::collector::metrics::v1 as metrics;
use opentelemetry_proto::tonic::collector::trace::v1 as trace;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// Bytes of one message, unpacked.
pub(crate) const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// Requests that one connection may have open.
const MAX_STREAMS: u32 = 128;
/// How long requests that are being answered may take after the end was asked for.
const GRACE: Duration = Duration::from_millis(500);

/// Serves OTLP over gRPC (traces, metrics, logs; gzip) on a listener until cancelled.
pub async fn serve_otlp_grpc(
    listener: TcpListener,
    backend: Arc<Backend>,
    cancel: CancellationToken,
) -> io::Result<()> {
    let receiver = Receiver(backend);
    macro_rules! limited {
        ($service:expr) => {
            $service
                .accept_compressed(Gzip)
                .send_compressed(Gzip)
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
        };
    }
    let served = Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .add_service(limited!(trace::trace_service_server::TraceServiceServer::new(
            receiver.clone()
        )))
        .add_service(limited!(metrics::metrics_service_server::MetricsServiceServer::new(
            receiver.clone()
        )))
        .add_service(limited!(logs::logs_service_server::LogsServiceServer::new(receiver)))
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
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

#[derive(Clone)]
struct Receiver(Arc<Backend>);

#[tonic::async_trait]
impl trace::trace_service_server::TraceService for Receiver {
    async fn export(
        &self,
        request: Request<trace::ExportTraceServiceRequest>,
    ) -> Result<Response<trace::ExportTraceServiceResponse>, Status> {
        self.0.counters.requests.add(1);
        Ok(Response::new(trace_response(self.0.accept_traces(request.into_inner()))))
    }
}

#[tonic::async_trait]
impl metrics::metrics_service_server::MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<metrics::ExportMetricsServiceRequest>,
    ) -> Result<Response<metrics::ExportMetricsServiceResponse>, Status> {
        self.0.counters.requests.add(1);
        Ok(Response::new(metrics_response(self.0.accept_metrics(request.into_inner()))))
    }
}

#[tonic::async_trait]
impl logs::logs_service_server::LogsService for Receiver {
    async fn export(
        &self,
        request: Request<logs::ExportLogsServiceRequest>,
    ) -> Result<Response<logs::ExportLogsServiceResponse>, Status> {
        self.0.counters.requests.add(1);
        Ok(Response::new(logs_response(self.0.accept_logs(request.into_inner()))))
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
