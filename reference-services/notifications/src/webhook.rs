//! Webhooks: a signed `POST` to an address of the customer's own, after the
//! Standard Webhooks specification (headers `webhook-id`, `webhook-timestamp`,
//! `webhook-signature`). The receiver tells by `webhook-id` what comes twice.
//!
//! An address is checked when it is set and again, after its name was looked up,
//! at each sending: no name leads us inside, whatever it pointed to before.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chassis::secret::KEY_BYTES;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};
use uuid::Uuid;

use crate::domain::is_public;

/// Name of webhooks in traces.
pub const PEER: &str = "customer-webhook";

/// Time for the whole call.
pub const TIMEOUT: Duration = Duration::from_secs(4);

/// What signing secrets begin with.
const SECRET_PREFIX: &str = "whsec_";

/// Words of the error when an address leads inside.
const INSIDE: &str = "the name leads to an address that is not public";

/// What a receiver made of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Any status from 200 to 299.
    Taken,
    /// 410: there is nothing here any more.
    Gone,
    /// Anything else.
    NotTaken(String),
}

/// Calls webhooks. Clones share connections.
#[derive(Debug, Clone)]
pub(crate) struct Hooks {
    agent: Agent,
    key: [u8; KEY_BYTES],
}

impl Hooks {
    /// Signs with secrets that follow from `key`, and calls addresses inside only
    /// where that is allowed.
    pub(crate) fn new(key: [u8; KEY_BYTES], inside_allowed: bool) -> Self {
        let config = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            // A proxy would look names up in our stead.
            .proxy(None)
            .user_agent(concat!("cloudscale-notifications/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = Outside { inside_allowed, resolver: DefaultResolver::default() };
        let agent = Agent::with_parts(config, DefaultConnector::default(), resolver);
        Self { agent, key }
    }

    /// The secret of a customer's webhook that was set at `created_ms`, as the
    /// customer is told it. It follows from our key and is kept nowhere.
    pub(crate) fn secret(&self, customer: Uuid, created_ms: i64) -> String {
        format!("{SECRET_PREFIX}{}", BASE64.encode(self.secret_bytes(customer, created_ms)))
    }

    fn secret_bytes(&self, customer: Uuid, created_ms: i64) -> Vec<u8> {
        sign(&self.key, &format!("webhook.{customer}.{created_ms}"))
    }

    /// Posts `body` once. Blocks.
    pub(crate) fn post(&self, call: &HookCall) -> Answer {
        let secret = self.secret_bytes(call.customer, call.created_ms);
        let now_s = call.now_ms / 1000;
        let signed = format!("{}.{now_s}.{}", call.id, call.body);
        let signature = format!("v1,{}", BASE64.encode(sign(&secret, &signed)));
        let request = self
            .agent
            .post(&call.url)
            .header("content-type", "application/json")
            .header("webhook-id", &call.id)
            .header("webhook-timestamp", now_s.to_string())
            .header("webhook-signature", &signature);
        match request.send(&call.body) {
            Ok(answer) if answer.status().is_success() => Answer::Taken,
            Ok(answer) if answer.status() == 410 => Answer::Gone,
            Ok(answer) => Answer::NotTaken(format!("it answers {}", answer.status().as_u16())),
            Err(Error::Other(error)) => Answer::NotTaken(error.to_string()),
            Err(error) => Answer::NotTaken(error.to_string()),
        }
    }
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct HookCall {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) customer: Uuid,
    /// When the webhook was set.
    pub(crate) created_ms: i64,
    pub(crate) now_ms: i64,
    pub(crate) body: String,
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is taken");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Looks names up and keeps what leads outside.
#[derive(Debug)]
struct Outside {
    inside_allowed: bool,
    resolver: DefaultResolver,
}

impl Resolver for Outside {
    fn resolve(
        &self,
        uri: &ureq::http::Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.resolver.resolve(uri, config, timeout)?;
        if self.inside_allowed {
            return Ok(found);
        }
        let mut outside = self.resolver.empty();
        let public: Vec<SocketAddr> =
            found.iter().copied().filter(|address| is_public(address.ip())).collect();
        // One name that leads to both is a trick: it is not called at all.
        if public.is_empty() || public.len() < found.len() {
            return Err(Error::Other(INSIDE.into()));
        }
        for address in public {
            outside.push(address);
        }
        Ok(outside)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    fn call(url: String) -> HookCall {
        HookCall {
            id: "n.webhook".to_owned(),
            url,
            customer: Uuid::nil(),
            created_ms: 7,
            now_ms: 1_700_000_000_123,
            body: "{\"a\":1}".to_owned(),
        }
    }

    #[test]
    fn a_name_that_leads_inside_is_not_called() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        for host in ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"] {
            let answer = Hooks::new([1; 32], false).post(&call(format!("http://{host}:{port}/")));
            assert_eq!(answer, Answer::NotTaken(INSIDE.to_owned()), "{host}");
        }
        assert!(listener.accept().is_err(), "nobody called");
    }

    #[test]
    fn a_call_is_signed_as_the_specification_says_and_no_redirect_is_followed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = ["204 No Content", "410 Gone", "302 Found\r\nlocation: /other", "500 Oh"];
        let receiver = std::thread::spawn(move || {
            let mut first = String::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut read = Vec::new();
                while !read.ends_with(b"{\"a\":1}") {
                    let mut piece = [0; 4096];
                    let length = stream.read(&mut piece).unwrap();
                    read.extend_from_slice(&piece[..length]);
                }
                let head = "content-length: 0\r\nconnection: close\r\n\r\n";
                stream.write_all(format!("HTTP/1.1 {answer}\r\n{head}").as_bytes()).unwrap();
                if first.is_empty() {
                    first = String::from_utf8(read).unwrap();
                }
            }
            first
        });
        let hooks = Hooks::new([1; 32], true);
        let call = call(format!("http://127.0.0.1:{port}/hook"));
        assert_eq!(hooks.post(&call), Answer::Taken);
        assert_eq!(hooks.post(&call), Answer::Gone);
        assert_eq!(hooks.post(&call), Answer::NotTaken("it answers 302".to_owned()));
        assert_eq!(hooks.post(&call), Answer::NotTaken("it answers 500".to_owned()));
        let request = receiver.join().unwrap().to_lowercase();
        // A receiver has the secret as text, and the headers.
        let secret = hooks.secret(Uuid::nil(), 7);
        let secret = BASE64.decode(secret.strip_prefix(SECRET_PREFIX).unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
        mac.update(b"n.webhook.1700000000.{\"a\":1}");
        let signature = BASE64.encode(mac.finalize().into_bytes()).to_lowercase();
        for part in [
            "post /hook http/1.1".to_owned(),
            "webhook-id: n.webhook".to_owned(),
            "webhook-timestamp: 1700000000".to_owned(),
            format!("webhook-signature: v1,{signature}"),
        ] {
            assert!(request.contains(&part), "{part} is not in\n{request}");
        }
        assert_ne!(hooks.secret(Uuid::nil(), 7), hooks.secret(Uuid::nil(), 8));
    }
}
