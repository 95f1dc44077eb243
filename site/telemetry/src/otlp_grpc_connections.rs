//! The connections of the gRPC port: no more than a number at a time.
//!
//! Each connection has buffers of its own before any request is seen, so those beyond the number wait
//! in the listener until another one closes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;
use tonic::codegen::tokio_stream::Stream;
use tonic::transport::server::{Connected, TcpConnectInfo, TcpIncoming};

/// Connections that are open at a time.
const MAX_CONNECTIONS: usize = 256;

/// The connections that come in, while there is room.
pub(crate) struct Connections {
    incoming: TcpIncoming,
    places: PollSemaphore,
    place: Option<OwnedSemaphorePermit>,
}

impl Connections {
    pub(crate) fn new(incoming: TcpIncoming) -> Self {
        let places = Semaphore::new(MAX_CONNECTIONS).into();
        Self { incoming, places: PollSemaphore::new(places), place: None }
    }
}

impl Stream for Connections {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.place.is_none() {
            self.place = ready!(self.places.poll_acquire(cx));
        }
        let accepted = ready!(Pin::new(&mut self.incoming).poll_next(cx));
        let place = self.place.take();
        Poll::Ready(
            accepted.map(|stream| stream.map(|stream| Connection { stream, _place: place })),
        )
    }
}

/// A connection that gives its place back when it is closed.
pub(crate) struct Connection {
    stream: TcpStream,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::future::poll_fn;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn those_beyond_the_number_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections = Connections::new(TcpIncoming::from(listener));
        connections.places = PollSemaphore::new(Semaphore::new(2).into());
        let _clients: Vec<_> = [
            TcpStream::connect(address).await.unwrap(),
            TcpStream::connect(address).await.unwrap(),
            TcpStream::connect(address).await.unwrap(),
        ]
        .into();
        let mut next = async || poll_fn(|cx| Pin::new(&mut connections).poll_next(cx)).await;
        let first = next().await.unwrap().unwrap();
        let _second = next().await.unwrap().unwrap();
        tokio::select! {
            biased;
            _ = next() => panic!("there is no room for a third one"),
            () = tokio::task::yield_now() => {}
        }
        drop(first);
        assert!(next().await.unwrap().is_ok());
    }
}
