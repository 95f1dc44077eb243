//! Asks for one address: HEAD, which costs a server least, then GET, and once more where the answer
//! may be chance.

use std::fmt;
use std::time::Duration;
use ureq::http::{Response, header::RETRY_AFTER};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// Before another try, where the server names no time.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// A server that wants to be left alone for longer is asked no more.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(20);
/// Redirects that are followed.
const REDIRECTS_MAX: u32 = 10;

/// Why an address counts as broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The server answered, and not well; or it is no address.
    Refused(String),
    /// Nobody answered.
    Silent(String),
    /// The server asks to be left alone.
    Busy(String),
    /// Others of the host went wrong before.
    NotAsked(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) | Self::Silent(why) | Self::Busy(why) | Self::NotAsked(why) => {
                f.write_str(why)
            }
        }
    }
}

/// How one request ended.
enum Answer {
    Good,
    /// Would be the same again.
    Sure(Fault),
    /// May be different after so long.
    Unsure(Fault, Duration),
}

pub(super) struct Client {
    agent: Agent,
    timeout_s: u32,
}

impl Client {
    pub(super) fn new(timeout_s: u32) -> Self {
        // The system's own certificates: an intranet has an authority of its own.
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(Duration::from_secs(timeout_s.into())))
            .max_redirects(REDIRECTS_MAX)
            .http_status_as_error(false)
            .user_agent(concat!("loggia/", env!("CARGO_PKG_VERSION"), " (link check)"))
            .build()
            .new_agent();
        Self { agent, timeout_s }
    }

    /// At most one HEAD and two GETs.
    pub(super) fn look(&self, url: &str) -> Result<(), Fault> {
        let mut retried = false;
        match self.judge(self.agent.head(url).call()) {
            Answer::Good => return Ok(()),
            Answer::Unsure(fault, pause) => {
                wait(fault, pause)?;
                retried = true;
            }
            // Some servers know no HEAD.
            Answer::Sure(_) => {}
        }
        loop {
            match self.judge(self.agent.get(url).call()) {
                Answer::Good => return Ok(()),
                Answer::Unsure(fault, pause) if !retried => wait(fault, pause)?,
                Answer::Sure(fault) | Answer::Unsure(fault, _) => return Err(fault),
            }
            retried = true;
        }
    }

    fn judge(&self, answer: Result<Response<Body>, ureq::Error>) -> Answer {
        use ureq::Error;
        match answer {
            Ok(response) => status(&response),
            Err(Error::Timeout(_)) => {
                let why = format!("no answer within {} s", self.timeout_s);
                Answer::Unsure(Fault::Silent(why), RETRY_PAUSE)
            }
            Err(Error::HostNotFound) => {
                let why = "there is no such host".to_owned();
                Answer::Unsure(Fault::Silent(why), RETRY_PAUSE)
            }
            Err(error @ (Error::BadUri(_) | Error::Http(_))) => {
                Answer::Sure(Fault::Refused(format!("it is no address: {error}")))
            }
            Err(error @ (Error::TooManyRedirects | Error::RedirectFailed)) => {
                Answer::Sure(Fault::Refused(error.to_string()))
            }
            Err(Error::Io(error)) => {
                // Without the system's number behind the words.
                let why = error.to_string();
                let why = why.split(" (os error").next().unwrap_or(&why).to_lowercase();
                Answer::Unsure(Fault::Silent(why), RETRY_PAUSE)
            }
            Err(other) => Answer::Unsure(Fault::Silent(other.to_string()), RETRY_PAUSE),
        }
    }
}

fn status(response: &Response<Body>) -> Answer {
    let status = response.status().as_u16();
    let why = format!("the server answers {status}");
    match status {
        200..=299 => Answer::Good,
        // Seconds; a date is as good as no time, since clocks differ.
        429 | 503 => {
            let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let after = after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
            let pause = after.unwrap_or(RETRY_PAUSE);
            let fault = if status == 429 { Fault::Busy(why) } else { Fault::Refused(why) };
            Answer::Unsure(fault, pause)
        }
        500.. => Answer::Unsure(Fault::Refused(why), RETRY_PAUSE),
        _ => Answer::Sure(Fault::Refused(why)),
    }
}

/// Waits before another try, unless that were too long.
fn wait(fault: Fault, pause: Duration) -> Result<(), Fault> {
    if pause > RETRY_AFTER_MAX {
        let seconds = pause.as_secs();
        return Err(Fault::Busy(format!("{fault} and wants to be left alone for {seconds} s")));
    }
    std::thread::sleep(pause);
    Ok(())
}
