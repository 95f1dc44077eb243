//! OTLP over gRPC.

use crate::Backend;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves OTLP over gRPC on a listener until cancelled.
pub async fn serve_otlp_grpc(
    listener: TcpListener,
    backend: Arc<Backend>,
    cancel: CancellationToken,
) -> io::Result<()> {
    let _ = (listener, backend);
    cancel.cancelled().await;
    Ok(())
}
