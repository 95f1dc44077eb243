//! The address that a replica keeps for the life of the fleet.
//!
//! A [`Port`] holds its address with a bound socket that never listens. The
//! kernel then gives the port to nobody else and answers a connection with a
//! reset. Each start binds a second socket beside it, which listens and moves
//! into the child; when the child dies, nothing listens, and callers are
//! refused at once rather than queued.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use thiserror::Error;

/// Refused: the fleet and its traffic stay on this machine.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{0}` is not a loopback address\nhelp: the fleet is for one machine; use 127.0.0.1")]
pub struct NotLoopback(pub String);

/// Lets only loopback addresses pass.
pub fn loopback(address: SocketAddr) -> Result<SocketAddr, NotLoopback> {
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err(NotLoopback(address.to_string())),
    }
}

/// A reserved address.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _hold: OwnedFd,
}

impl Port {
    /// Reserves `wanted`; port 0 lets the operating system choose one.
    /// Fails with `AddrInUse` when somebody listens there.
    pub fn reserve(wanted: SocketAddr) -> io::Result<Self> {
        let family = match wanted {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC;
        let hold = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&hold, true)?;
        rustix::net::bind(&hold, &wanted)?;
        let address = SocketAddr::try_from(rustix::net::getsockname(&hold)?)?;
        Ok(Self { address, _hold: hold })
    }

    /// The address, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens the listening socket for one life of a child.
    pub fn listen(&self) -> io::Result<TcpListener> {
        let listener = TcpListener::bind(self.address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::TcpStream;

    use super::*;

    fn any() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    #[test]
    fn a_reserved_port_refuses_until_it_listens_and_again_afterwards() {
        let port = Port::reserve(any()).unwrap();
        for _ in 0..3 {
            let refused = TcpStream::connect(port.address()).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            let listener = port.listen().unwrap();
            TcpStream::connect(port.address()).unwrap();
            drop(listener);
        }
    }

    #[test]
    fn a_port_that_somebody_listens_on_cannot_be_reserved() {
        let somebody = TcpListener::bind(any()).unwrap();
        let taken = Port::reserve(somebody.local_addr().unwrap()).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn only_loopback_passes() {
        for (address, passes) in
            [("127.0.0.1:1", true), ("[::1]:1", true), ("0.0.0.0:1", false), ("10.0.0.1:1", false)]
        {
            assert_eq!(loopback(address.parse().unwrap()).is_ok(), passes, "{address}");
        }
    }
}
