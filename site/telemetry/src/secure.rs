//! How a server is asked that wants to know who asks, or speaks TLS: secrets, authorities, and the client for `https`.
//!
//! The scraper and the engines of others ask with it. Secrets are read anew each time, so that they can be renewed.

use crate::fetch::FetchError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::http::header::CONTENT_TYPE;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Error};

/// Where a secret is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SecretSource {
    /// There is none.
    #[default]
    None,
    /// In a variable of the environment.
    Env(String),
    /// In a file, read anew for every request.
    File(PathBuf),
}

impl SecretSource {
    /// The secret without white space around it; an error says in words why `what` cannot be read.
    pub(crate) fn read(&self, what: &str) -> Result<Option<String>, String> {
        let secret = match self {
            Self::None => return Ok(None),
            Self::Env(name) => std::env::var(name)
                .map_err(|_| format!("there is no variable `{name}` with {what}"))?,
            Self::File(file) => std::fs::read_to_string(file).map_err(|error| {
                format!("{what} cannot be read from `{}`: {error}", file.display())
            })?,
        };
        Ok(Some(secret.trim().to_owned()))
    }
}

/// How a target is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// A token to send.
    pub bearer: SecretSource,
    /// A user's name to send with the password.
    pub username: Option<String>,
    /// The password of that user.
    pub password: SecretSource,
    /// Certificates of authorities to trust, as PEM; `None` for the system's.
    pub ca_file: Option<PathBuf>,
    /// Take any certificate: whoever stands between reads and changes what is scraped.
    pub insecure_skip_verify: bool,
}

impl Access {
    /// The header that says who asks.
    pub(crate) fn authorization(&self) -> Result<Option<String>, FetchError> {
        if let Some(token) = self.bearer.read("the token").map_err(FetchError::Secret)? {
            return Ok(Some(format!("Bearer {token}")));
        }
        let Some(user) = &self.username else { return Ok(None) };
        let password = self.password.read("the password").map_err(FetchError::Secret)?;
        let pair = format!("{user}:{}", password.unwrap_or_default());
        Ok(Some(format!("Basic {}", base64(pair.as_bytes()))))
    }
}

/// A client for `https`, whose calls block.
#[derive(Debug, Clone)]
pub(crate) struct Secure {
    agent: Agent,
    body_bytes: usize,
}

/// What came back over TLS, as packed as it was sent.
pub(crate) struct Packed {
    pub(crate) body: Vec<u8>,
    pub(crate) content_type: String,
    pub(crate) is_gzip: bool,
}

impl Secure {
    pub(crate) fn new(
        access: &Access,
        timeout: Duration,
        body_bytes: usize,
    ) -> Result<Self, String> {
        let roots = match &access.ca_file {
            None => RootCerts::PlatformVerifier,
            Some(file) => authorities(file)?,
        };
        let tls = TlsConfig::builder()
            .root_certs(roots)
            .disable_verification(access.insecure_skip_verify)
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("loggia/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { agent, body_bytes })
    }

    /// Asks and waits.
    pub(crate) fn get(
        &self,
        url: &str,
        headers: &[(String, String)],
    ) -> Result<Packed, FetchError> {
        let mut request = self.agent.get(url).header("accept-encoding", "gzip");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut answer =
            request.call().map_err(|error| FetchError::Connection(error.to_string()))?;
        if !answer.status().is_success() {
            return Err(FetchError::Status(answer.status()));
        }
        let text = |name| {
            let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or("").trim().to_owned()
        };
        let content_type = text(CONTENT_TYPE);
        let is_gzip = text(ureq::http::header::CONTENT_ENCODING).eq_ignore_ascii_case("gzip");
        let limit = self.body_bytes as u64;
        let body =
            answer.body_mut().with_config().limit(limit).read_to_vec().map_err(
                |error| match error {
                    Error::BodyExceedsLimit(_) => FetchError::TooLarge(self.body_bytes),
                    error => FetchError::Connection(error.to_string()),
                },
            )?;
        Ok(Packed { body, content_type, is_gzip })
    }
}

/// The certificates of a file; an error says in words why there are none.
pub(crate) fn authorities(file: &Path) -> Result<RootCerts, String> {
    let told = |why: String| format!("`{}` has no certificates: {why}", file.display());
    let pem = std::fs::read(file).map_err(|error| told(error.to_string()))?;
    let mut found: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| told(error.to_string()))? {
            found.push(certificate);
        }
    }
    match found.is_empty() {
        true => Err(told("there is none in it".to_owned())),
        false => Ok(RootCerts::Specific(Arc::new(found))),
    }
}

fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..4 {
            let sign = SIGNS[((bits >> (18 - 6 * place)) & 63) as usize];
            out.push(if place <= three.len() { char::from(sign) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_are_packed() {
        for (text, packed) in [
            ("", ""),
            ("a", "YQ=="),
            ("ab", "YWI="),
            ("abc", "YWJj"),
            ("Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ] {
            assert_eq!(base64(text.as_bytes()), packed);
        }
    }
}
