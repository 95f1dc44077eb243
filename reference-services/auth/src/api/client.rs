//! Where a request came from, as far as it can be told: the address that the gateway
//! names (or the caller's own, where somebody calls past it), and the device in words.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use chassis::Failure;
use contracts::accounts::CLIENT_ADDRESS;
use http::header::USER_AGENT;
use http::request::Parts;

use crate::domain::device;

/// Who sends a request, before it is known who that is.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// The address, in the form in which it is counted.
    pub(crate) address: String,
    /// In words.
    pub(crate) device: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let told = text(CLIENT_ADDRESS).and_then(|address| address.parse::<IpAddr>().ok());
        let own = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|from| from.0.ip());
        let address = told.or(own).map(counted).unwrap_or_default();
        Ok(Self { address, device: device(text(USER_AGENT.as_str()).unwrap_or_default()) })
    }
}

/// An address as it is counted: whoever has one IPv6 address has 2^64 of them.
fn counted(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_network_is_counted_as_one() {
        let cases = [
            ("10.1.2.3", "10.1.2.3"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ];
        for (address, expected) in cases {
            assert_eq!(counted(address.parse().unwrap()), expected);
        }
    }
}
