//! Servers on free ports for the tests, and noise to send to them.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used)]

use axum::Router;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use telemetry::{Backend, serve_otlp_grpc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A server that runs until the test ends it.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Served {
    pub(crate) async fn grpc(backend: &Arc<Backend>) -> Self {
        let (listener, cancel) =
            (TcpListener::bind("127.0.0.1:0").await.unwrap(), CancellationToken::new());
        let address = listener.local_addr().unwrap();
        let work = serve_otlp_grpc(listener, backend.clone(), cancel.clone());
        Self { address, cancel, task: tokio::spawn(async { work.await.unwrap() }) }
    }

    pub(crate) async fn http(router: Router) -> Self {
        Self::http_at("127.0.0.1:0".parse().unwrap(), router).await
    }

    pub(crate) async fn http_at(address: SocketAddr, router: Router) -> Self {
        let (listener, cancel) =
            (TcpListener::bind(address).await.unwrap(), CancellationToken::new());
        let (address, stop) = (listener.local_addr().unwrap(), cancel.clone());
        // Dropped, not drained: like a process that is killed.
        let work = async move {
            stop.run_until_cancelled(async { axum::serve(listener, router).await.unwrap() }).await;
        };
        Self { address, cancel, task: tokio::spawn(work) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks it to end and waits until it has.
    pub(crate) async fn end(self) {
        self.cancel.cancel();
        tokio::time::timeout(Duration::from_secs(10), self.task).await.expect("it ends").unwrap();
    }

    /// Sends a whole request that asks for the connection's end, and gives the answer.
    pub(crate) async fn ask_raw(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut answer = Vec::new();
        stream.write_all(request).await.unwrap();
        let read = stream.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(10), read).await.expect("it answers").unwrap();
        answer
    }

    /// Sends bytes on a connection of their own and gives what comes back.
    pub(crate) async fn send_raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut answer = Vec::new();
        // The server may close at the first odd byte, so neither way has to work.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let _ = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut answer)).await;
        answer
    }
}

/// Bytes without a pattern, the same for the same seed (an xorshift generator).
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::from_fn(|| Some(next())).flatten().take(length).collect()
}

/// Waits until something is so, for at most 10 s.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never so: {what}");
}
