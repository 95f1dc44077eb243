//! Binding of ports: a taken one is named, with the option that changes it.

use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, lookup_host};

/// A port that could not be had.
#[derive(Debug)]
pub struct PortTaken {
    /// What was asked for.
    pub address: String,
    /// The option that names another one, for instance `--port`.
    pub option: &'static str,
    /// A port to try instead.
    pub instead: u16,
    cause: io::Error,
}

impl std::fmt::Display for PortTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { address, option, instead, cause } = self;
        match cause.kind() {
            io::ErrorKind::AddrInUse => write!(f, "`{address}` is taken by another program")?,
            _ => write!(f, "cannot listen on `{address}`: {cause}")?,
        }
        write!(f, "\nhelp: choose another port with {option} {instead}")
    }
}

impl std::error::Error for PortTaken {}

/// Listens on `port` of `host`.
pub(super) async fn bind(
    host: &str,
    port: u16,
    option: &'static str,
) -> anyhow::Result<TcpListener> {
    let taken = |cause| PortTaken {
        address: format!("{host}:{port}"),
        option,
        instead: port.checked_add(1).unwrap_or(port - 1),
        cause,
    };
    let addresses: Vec<SocketAddr> = lookup_host((host, port))
        .await
        .map_err(|error| {
            anyhow::anyhow!(
                "cannot find the address `{host}`: {error}\nhelp: try --hostname 127.0.0.1"
            )
        })?
        .collect();
    Ok(TcpListener::bind(addresses.as_slice()).await.map_err(taken)?)
}

/// As [`bind`], where there is a port.
pub(super) async fn bind_some(
    host: &str,
    port: Option<u16>,
    option: &'static str,
) -> anyhow::Result<Option<TcpListener>> {
    match port {
        Some(port) => bind(host, port, option).await.map(Some),
        None => Ok(None),
    }
}
