//! One engine over HTTP: addresses, secrets, times, sizes, another try, and a rest for an engine that is down.
//!
//! The engines of the other files ask through it and read what comes back.

use super::{AskError, Condition};
use crate::Clock;
use crate::secure::{SecretSource, authorities};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::http::{Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Error};

/// Bytes of one answer, unpacked.
const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of an answer that says what is wrong.
const MAX_REFUSAL_BYTES: u64 = 64 * 1024;
/// Characters of what an engine says that are passed on.
const MAX_WORDS: usize = 300;
/// Before the second try of a question that met a short trouble.
const RETRY_PAUSE: Duration = Duration::from_millis(150);
/// An engine that is down is left alone for so long at first, then for twice as long each time.
const FIRST_REST: Duration = Duration::from_secs(1);
/// And at most for so long.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// An engine that did not answer in time so often in a row is down; before, the question was too hard.
const TIMEOUTS_MAX: u32 = 2;
/// Addresses longer than this are sent as a form.
const MAX_URL_BYTES: usize = 4000;
/// The time for an answer unless configured otherwise.
const USUAL_TIMEOUT: Duration = Duration::from_secs(10);

/// An engine and how to ask it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteOptions {
    /// What it is, for people: `Prometheus`.
    pub name: String,
    /// Its address, without a slash at the end.
    pub url: String,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// A bearer token.
    pub bearer: SecretSource,
    /// Certificates of authorities to trust, as PEM; `None` for the system's.
    pub ca_file: Option<PathBuf>,
    /// Time for one answer.
    pub timeout: Duration,
}

impl RemoteOptions {
    /// An engine at an address, asked in the usual way.
    pub fn new(name: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            url: url.trim_end_matches('/').to_owned(),
            headers: Vec::new(),
            bearer: SecretSource::None,
            ca_file: None,
            timeout: USUAL_TIMEOUT,
        }
    }
}

/// Parameters of a question.
pub(super) type Query<'a> = Vec<(&'a str, String)>;

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

/// An engine over HTTP.
#[derive(Debug)]
pub(super) struct Remote {
    options: RemoteOptions,
    agent: Agent,
    clock: Clock,
    state: Mutex<State>,
}

/// What is known of the engine.
#[derive(Debug, Default)]
struct State {
    answered_ms: Option<i64>,
    down: Option<Down>,
    timeouts: u32,
}

#[derive(Debug)]
struct Down {
    why: String,
    since_ms: i64,
    rest: Duration,
    next: Instant,
}

/// How one try ended that gave no answer.
enum Trouble {
    /// Worth another try at once.
    Short(String),
    /// The time was over.
    Slow,
    /// Would be the same again.
    Lasting(String),
    /// The question's own.
    TooLarge,
}

impl Remote {
    /// Fails when the file of authorities cannot be read.
    pub(super) fn new(options: RemoteOptions, clock: Clock) -> Result<Self, AskError> {
        let roots = match &options.ca_file {
            None => RootCerts::PlatformVerifier,
            Some(file) => authorities(file).map_err(AskError::Refused)?,
        };
        let agent = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_global(Some(options.timeout))
            .http_status_as_error(false)
            .user_agent(concat!("loggia/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { options, agent, clock, state: Mutex::default() })
    }

    pub(super) fn condition(&self) -> Condition {
        let state = self.state();
        Condition {
            name: self.name(),
            fault: state.down.as_ref().map(|down| (down.why.clone(), down.since_ms)),
            answered_ms: state.answered_ms,
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{} at {}", self.options.name, self.options.url)
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Asks; an answer with any status but those that say that the engine cannot answer now.
    pub(super) fn ask(
        &self,
        path: &str,
        query: &Query<'_>,
        accept: &str,
    ) -> Result<Reply, AskError> {
        self.enter()?;
        let first = self.attempt(path, query, accept);
        let reply = match first {
            Err(Trouble::Short(_)) => {
                std::thread::sleep(RETRY_PAUSE);
                self.attempt(path, query, accept)
            }
            other => other,
        };
        match reply {
            Ok(reply) => {
                self.answered();
                Ok(reply)
            }
            Err(Trouble::TooLarge) => {
                self.answered();
                let mib = MAX_ANSWER_BYTES / (1024 * 1024);
                Err(AskError::Refused(format!(
                    "the answer is larger than {mib} MiB\nhelp: ask for fewer series or a shorter range"
                )))
            }
            Err(Trouble::Slow) => Err(self.slow()),
            Err(Trouble::Short(why) | Trouble::Lasting(why)) => Err(self.is_down(why)),
        }
    }

    /// What the engine's words mean when it refuses: the question's fault, or its own.
    pub(super) fn refused(&self, reply: &Reply, said: Option<&str>) -> AskError {
        let status = reply.status;
        let words = match said {
            Some(words) => short(words),
            None => short(&String::from_utf8_lossy(&reply.body)),
        };
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => self.is_down(format!(
                "it refuses who asks ({status}): {words}\nhelp: name a token with `bearer-env` or `bearer-file`"
            )),
            _ if said.is_some() => AskError::Refused(words),
            _ => self.is_down(format!("it answered {status} in a way that {} does not: {words}", self.options.name)),
        }
    }

    /// An answer that is not one of this kind of engine.
    pub(super) fn strange(&self, why: &str) -> AskError {
        let kind = &self.options.name;
        self.is_down(format!("its answer is not {kind}'s: {}", short(why)))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may be asked now: of an engine that is down only one question at a time finds out.
    fn enter(&self) -> Result<(), AskError> {
        let mut state = self.state();
        let Some(down) = &mut state.down else { return Ok(()) };
        let now = Instant::now();
        if now < down.next {
            return Err(AskError::Down(down.why.clone()));
        }
        down.next = now + self.options.timeout + down.rest;
        Ok(())
    }

    fn answered(&self) {
        let now_ms = self.clock.now_ms();
        let mut state = self.state();
        if state.down.take().is_some() {
            tracing::info!(engine = self.name(), "answers again");
        }
        state.answered_ms = Some(now_ms);
        state.timeouts = 0;
    }

    fn slow(&self) -> AskError {
        let why = format!("it gave no answer within {:?}", self.options.timeout);
        let mut state = self.state();
        state.timeouts += 1;
        let down = state.timeouts >= TIMEOUTS_MAX;
        drop(state);
        if down { self.is_down(why) } else { AskError::Refused(why) }
    }

    fn is_down(&self, why: String) -> AskError {
        let now_ms = self.clock.now_ms();
        let mut state = self.state();
        let before = state.down.take();
        let since_ms = before.as_ref().map_or(now_ms, |down| down.since_ms);
        let rest = before.as_ref().map_or(FIRST_REST, |down| (down.rest * 2).min(LONGEST_REST));
        if before.is_none() {
            tracing::warn!(engine = self.name(), why, "does not answer");
        }
        let next = Instant::now() + rest;
        state.down = Some(Down { why: why.clone(), since_ms, rest, next });
        AskError::Down(why)
    }

    fn attempt(&self, path: &str, query: &Query<'_>, accept: &str) -> Result<Reply, Trouble> {
        let form = form(query);
        let url = format!("{}{path}", self.options.url);
        let token = self.token()?;
        let long = url.len() + form.len() > MAX_URL_BYTES;
        let whole = if long || form.is_empty() { url } else { format!("{url}?{form}") };
        let answer = if long {
            let kind = "application/x-www-form-urlencoded";
            let mut request =
                self.agent.post(&whole).header("content-type", kind).header("accept", accept);
            for (name, value) in self.headers(&token) {
                request = request.header(name, value);
            }
            request.send(form.as_bytes())
        } else {
            let mut request = self.agent.get(&whole).header("accept", accept);
            for (name, value) in self.headers(&token) {
                request = request.header(name, value);
            }
            request.call()
        };
        read(answer.map_err(|error| trouble(&error))?)
    }

    fn headers<'a>(
        &'a self,
        token: &'a Option<String>,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let own = self.options.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        own.chain(token.iter().map(|token| ("authorization", token.as_str())))
    }

    fn token(&self) -> Result<Option<String>, Trouble> {
        let token = self.options.bearer.read("the token").map_err(Trouble::Lasting)?;
        Ok(token.map(|token| format!("Bearer {token}")))
    }
}

fn read(mut answer: Response<Body>) -> Result<Reply, Trouble> {
    let status = answer.status();
    let limit = if status.is_success() { MAX_ANSWER_BYTES } else { MAX_REFUSAL_BYTES };
    let body = match answer.body_mut().with_config().limit(limit).read_to_vec() {
        Ok(body) => body,
        Err(Error::BodyExceedsLimit(_)) if status.is_success() => return Err(Trouble::TooLarge),
        Err(Error::BodyExceedsLimit(_)) => Vec::new(),
        Err(error) => return Err(trouble(&error)),
    };
    match status.as_u16() {
        // Between it and us somebody cannot reach it; or it is too busy.
        502 | 504 | 429 => Err(Trouble::Short(format!("it answered {status}"))),
        503 if serde_json::from_slice::<serde_json::Value>(&body).is_err() => {
            Err(Trouble::Short(format!("it answered {status}")))
        }
        _ => Ok(Reply { status, body }),
    }
}

fn trouble(error: &Error) -> Trouble {
    match error {
        Error::Timeout(_) => Trouble::Slow,
        Error::HostNotFound => Trouble::Lasting("there is no such host".to_owned()),
        Error::ConnectionFailed => Trouble::Short("nobody listens there".to_owned()),
        Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Trouble::Short("nobody listens there".to_owned())
        }
        Error::Io(error) => Trouble::Short(error.to_string()),
        other => Trouble::Lasting(other.to_string()),
    }
}

/// As much as fits into a message, in one line.
fn short(words: &str) -> String {
    let line: Vec<&str> = words.split_whitespace().collect();
    let line = line.join(" ");
    match line.char_indices().nth(MAX_WORDS) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// `a=b&c=d`, with everything but letters, digits and a few signs as escapes.
pub(super) fn form(query: &Query<'_>) -> String {
    let pairs = query.iter().map(|(name, value)| format!("{}={}", quoted(name), quoted(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// One part of a path or a form.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
