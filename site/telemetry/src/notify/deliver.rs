//! One attempt to deliver, and what the answer means.
//!
//! The tasks of `notifier` call it on threads that may wait. Addresses may be secret: no message of an
//! error holds one.

use super::outbox::Parcel;
use super::payload;
use super::settings::{Integration, IntegrationKind};
use crate::secure::authorities;
use std::time::Duration;
use ureq::http::{Response, header::RETRY_AFTER};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// How long an attempt may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read, for its words.
const ANSWER_BYTES: u64 = 2_048;
/// Characters of an answer that are shown.
const ANSWER_SHOWN: usize = 160;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delivery {
    /// It was taken.
    Delivered,
    /// It may be taken later; why not now, and the pause that was asked for.
    Later(String, Option<Duration>),
    /// It would never be taken.
    Refused(String),
}

/// The client of all receivers that name no authorities.
pub(super) fn agent() -> Agent {
    // The system's own certificates: an intranet has an authority of its own.
    agent_trusting(RootCerts::PlatformVerifier)
}

fn agent_trusting(roots: RootCerts) -> Agent {
    let tls = TlsConfig::builder().root_certs(roots).build();
    Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(concat!("loggia/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// Sends a parcel once.
pub(super) fn deliver(
    agent: &Agent,
    integration: &Integration,
    parcel: &Parcel,
    external_url: &str,
) -> Delivery {
    let own = match integration.ca_file.as_deref().map(authorities).transpose() {
        Ok(roots) => roots.map(agent_trusting),
        Err(why) => return Delivery::Later(why, None),
    };
    let agent = own.as_ref().unwrap_or(agent);
    let secrets =
        (integration.url.reveal(), integration.key.as_ref().map(super::Secret::reveal).transpose());
    let (url, key) = match secrets {
        (Ok(url), Ok(key)) => (url, key),
        // Somebody may still put it there.
        (Err(why), _) | (_, Err(why)) => return Delivery::Later(why, None),
    };
    let body = match parcel {
        Parcel::Message(_, message) => {
            payload::body(integration, message, external_url, key.as_deref())
        }
        Parcel::Alerts(alerts) => payload::alertmanager(alerts),
    };
    let url = match integration.kind {
        IntegrationKind::Alertmanager => format!("{}/api/v2/alerts", url.trim_end_matches('/')),
        _ => url,
    };
    let mut request = agent.post(&url).header("content-type", "application/json");
    if let (IntegrationKind::Webhook | IntegrationKind::Alertmanager, Some(token)) =
        (integration.kind, &key)
    {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    for (name, value) in &integration.headers {
        request = request.header(name, value);
    }
    match request.send(body.to_string()) {
        Ok(answer) => judge(answer, &url, key.as_deref()),
        Err(error) => Delivery::Later(words(&error), None),
    }
}

/// The answer's text without the secrets that the request held: many servers repeat the path in it.
fn without_secrets(text: &str, url: &str, key: Option<&str>) -> String {
    let place = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (path, query) = match place.find('/') {
        Some(at) => place[at..].split_once('?').unwrap_or((&place[at..], "")),
        None => ("", ""),
    };
    let parts = path.split('/').chain([path, query]).chain(key).filter(|part| part.len() > 3);
    let mut parts: Vec<&str> = parts.collect();
    parts.sort_unstable_by_key(|part| std::cmp::Reverse(part.len()));
    parts.iter().fold(text.to_owned(), |text, part| text.replace(part, "…"))
}

fn judge(mut answer: Response<Body>, url: &str, key: Option<&str>) -> Delivery {
    let status = answer.status().as_u16();
    if (200..300).contains(&status) {
        return Delivery::Delivered;
    }
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let asked = asked.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let text =
        answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string().unwrap_or_default();
    let text = without_secrets(&text, url, key);
    let text: String =
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(ANSWER_SHOWN).collect();
    let why = match text.is_empty() {
        true => format!("the receiver answers {status}"),
        false => format!("the receiver answers {status}: {text}"),
    };
    match status {
        // The request took too long there, comes too early, or there were too many.
        408 | 425 | 429 | 500.. => Delivery::Later(why, asked),
        _ => Delivery::Refused(why),
    }
}

/// In words, and without the address, which may be secret.
fn words(error: &ureq::Error) -> String {
    use ureq::Error;
    match error {
        Error::Timeout(_) => format!("no answer within {} s", TIMEOUT.as_secs()),
        Error::HostNotFound => "there is no such host".to_owned(),
        Error::Io(error) => {
            let why = error.to_string();
            why.split(" (os error").next().unwrap_or(&why).to_lowercase()
        }
        Error::BadUri(_) | Error::Http(_) => "the receiver's address is no URL".to_owned(),
        Error::ConnectionFailed => "no connection".to_owned(),
        Error::Tls(_) | Error::Rustls(_) => format!("no secure connection: {error}"),
        _ => "the request failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_without_secrets() {
        for (text, url, key, expected) in [
            (
                "Cannot POST /services/T0/B0/SECRET",
                "https://x.org/services/T0/B0/SECRET",
                None,
                "Cannot POST …",
            ),
            ("no SECRET here", "https://x.org/services/SECRET?a=b", None, "no … here"),
            ("bad token abcd", "https://x.org", Some("abcd"), "bad token …"),
            ("busy", "https://x.org/hook", Some("abcd"), "busy"),
        ] {
            assert_eq!(without_secrets(text, url, key), expected, "{url}");
        }
    }
}
