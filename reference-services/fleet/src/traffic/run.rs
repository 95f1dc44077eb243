//! Keeps the clock of the traffic: each arrival leaves at its time in a task of
//! its own, whatever became of those before it.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use contracts::accounts::Session;
use contracts::orders::Order;
use http::StatusCode;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::customers::{Customers, Ticket};
use super::report::Report;
use super::request::{Prepared, judge, prepare};
use super::schedule::{Action, Arrival, Pattern, Schedule};
use crate::port::loopback;

/// Requests that may be unanswered at a time; further arrivals are dropped and
/// counted, for a generator that piles up work measures itself.
pub const IN_FLIGHT_LIMIT: usize = 256;
/// Longest wait for an answer.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Time for open requests at the end of a run.
pub const FINISH_LIMIT: Duration = Duration::from_secs(2);
/// Largest answer that is read, in bytes.
pub const ANSWER_BODY_LIMIT: usize = 1024 * 1024;
/// Lowest rate that can be asked for, in requests per second.
pub const RATE_LEAST: f64 = 0.001;
/// Highest rate that can be asked for, in requests per second.
pub const RATE_LIMIT: f64 = 10_000.0;
/// Pause between two progress lines.
const PROGRESS: Duration = Duration::from_secs(10);

/// Where traffic goes: `http://127.0.0.1:8080`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target(SocketAddr);

/// A target that traffic must not or cannot go to.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "`{0}` is no target for traffic\nhelp: it stays on this machine; use for example http://127.0.0.1:8080"
)]
pub struct TargetError(String);

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let host = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let host = host.replacen("localhost:", "127.0.0.1:", 1);
        let address = host.parse().ok().and_then(|address| loopback(address).ok());
        address.map(Self).ok_or_else(|| TargetError(text.to_owned()))
    }
}

/// What traffic to make.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it goes.
    pub target: Target,
    /// Requests per second, from [`RATE_LEAST`] to [`RATE_LIMIT`].
    pub rate: f64,
    /// How arrivals are spread.
    pub pattern: Pattern,
    /// What the schedule is drawn from.
    pub seed: u64,
    /// What every arrival is for, once its customer has an account and a session; none: the usual mix.
    pub only: Option<Action>,
    /// Arrivals of so much time at the beginning are not in the report.
    pub warm_up: Duration,
    /// How long it lasts after that; none: until it is stopped.
    pub duration: Option<Duration>,
    /// Keeps this run's customers and orders apart from those of earlier runs,
    /// in visible ASCII.
    pub run: String,
}

/// What the tasks of a run share.
struct Shared {
    origin: String,
    client: Client<HttpConnector, Full<Bytes>>,
    customers: Mutex<Customers>,
    report: Mutex<Report>,
}

/// Makes traffic until its time is over or `stop`, and says what came of it.
pub async fn run(options: Options, stop: CancellationToken) -> Report {
    let shared = Arc::new(Shared {
        origin: format!("http://{}", options.target.0),
        client: Client::builder(TokioExecutor::new()).build_http(),
        customers: Mutex::new(Customers::new(options.run)),
        report: Mutex::default(),
    });
    let open = Arc::new(Semaphore::new(IN_FLIGHT_LIMIT));
    let tasks = TaskTracker::new();
    let start = Instant::now();
    let mut told = start;
    for arrival in Schedule::new(options.pattern, options.rate, options.seed) {
        if options.duration.is_some_and(|duration| arrival.at > options.warm_up + duration) {
            break;
        }
        let arrival = Arrival { action: options.only.unwrap_or(arrival.action), ..arrival };
        let counts = arrival.at >= options.warm_up;
        tokio::select! {
            () = sleep_until(start + arrival.at) => {}
            () = stop.cancelled() => break,
        }
        shared.report().arrivals += u64::from(counts);
        match Arc::clone(&open).try_acquire_owned() {
            Err(_) => shared.report().dropped += u64::from(counts),
            Ok(permit) => {
                let shared = Arc::clone(&shared);
                tasks.spawn(async move {
                    shared.serve(arrival, start + arrival.at, counts).await;
                    drop(permit);
                });
            }
        }
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            shared.tell(IN_FLIGHT_LIMIT - open.available_permits());
        }
    }
    let took = start.elapsed().saturating_sub(options.warm_up);
    tasks.close();
    tokio::select! {
        () = tasks.wait() => {}
        () = sleep(FINISH_LIMIT) => {}
    }
    let report = shared.report();
    Report { took, ..report.clone() }
}

impl Shared {
    async fn serve(&self, arrival: Arrival, due: Instant, counts: bool) {
        let (ticket, prepared) = {
            let mut customers = self.customers();
            let ticket = customers.settle(arrival.action, arrival.place, Instant::now());
            (ticket, prepare(&self.origin, ticket, &arrival, &customers))
        };
        let Prepared { request, action, placed } = prepared;
        if counts {
            self.report().sent(action);
        }
        let exchange = async {
            let (head, body) = self.client.request(request).await.ok()?.into_parts();
            let body = Limited::new(body, ANSWER_BODY_LIMIT).collect().await.ok()?;
            Some((head.status, body.to_bytes()))
        };
        let answer = timeout(ANSWER_LIMIT, exchange).await.ok().flatten();
        match &answer {
            _ if !counts => {}
            Some((status, _)) => {
                let verdict = judge(action, *status);
                self.report().answered(action, status.as_u16(), verdict, due.elapsed());
            }
            None => self.report().unanswered(action),
        }
        self.learn(Ticket { action, ..ticket }, answer, placed);
    }

    /// Keeps what an answer gave: accounts, tokens, orders.
    fn learn(
        &self,
        ticket: Ticket,
        answer: Option<(StatusCode, Bytes)>,
        placed: Option<super::customers::Placed>,
    ) {
        let status = answer.as_ref().map(|(status, _)| *status);
        let body = answer.filter(|(status, _)| status.is_success()).map(|(_, body)| body);
        let mut customers = self.customers();
        match (ticket.action, body, placed) {
            (Action::Register, body, _) => customers.on_registered(ticket, body.is_some()),
            (Action::Login, body, _) => {
                let session = body.and_then(|body| serde_json::from_slice::<Session>(&body).ok());
                match session {
                    Some(session) => customers.on_login(ticket, session, Instant::now()),
                    None => {
                        customers.on_login_failed(ticket, status == Some(StatusCode::UNAUTHORIZED))
                    }
                }
            }
            (Action::Refresh, body, _) => {
                match body.and_then(|body| serde_json::from_slice::<Session>(&body).ok()) {
                    Some(session) => customers.on_login(ticket, session, Instant::now()),
                    None => customers.on_refresh_failed(ticket),
                }
            }
            (Action::Place, Some(body), Some(placed)) => {
                if let Ok(order) = serde_json::from_slice::<Order>(&body) {
                    customers.on_placed(ticket, placed, order.id, order.payment);
                }
            }
            (Action::Anonymous, ..) => {}
            _ if status == Some(StatusCode::UNAUTHORIZED) => customers.on_refused(ticket),
            _ => {}
        }
    }

    fn tell(&self, open: usize) {
        let report = self.report();
        let total = report.total();
        tracing::debug!(
            arrivals = report.arrivals,
            dropped = report.dropped,
            open,
            expected = total.expected,
            limited = total.limited,
            unexpected = total.unexpected.values().sum::<u64>(),
            unanswered = total.unanswered,
            p50_s = total.latency(0.5),
            p99_s = total.latency(0.99),
            "traffic so far"
        );
    }

    fn customers(&self) -> MutexGuard<'_, Customers> {
        self.customers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_a_target() {
        let cases = [
            ("http://127.0.0.1:8080", true),
            ("http://127.0.0.1:8080/", true),
            ("localhost:8080", true),
            ("http://[::1]:8080", true),
            ("http://10.1.2.3:8080", false),
            ("http://example.com:80", false),
            ("http://localhost.example.com:80", false),
            ("https://127.0.0.1:8080", false),
            ("http://127.0.0.1", false),
        ];
        for (text, passes) in cases {
            assert_eq!(text.parse::<Target>().is_ok(), passes, "{text}");
        }
    }
}
