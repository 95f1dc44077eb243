//! Faults on demand: answers that come late or are failures of ours, so that
//! tests and people see what others make of it. A service has none unless a
//! fleet with a token tells it to ([`contracts::faults`]), and each ends by
//! itself. [`crate::inbound`] asks here before each request; what happened is
//! counted in `faults_injected_total`, and told in logs and on spans.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use axum::{Json, Router};
use contracts::faults::{Fault, Kind, LONGEST_MS, MOST_LATE_MS, PATH};
use http::{HeaderMap, StatusCode, header};
use prometheus::IntCounterVec;
use sha2::{Digest, Sha256};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::config::Secret;
use crate::input::Posted;
use crate::problem::{Failure, field};
use crate::serve::Chassis;

/// How often faults are looked for whose time is over.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The faults that a service has now. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Option<Arc<Active>>);

#[derive(Debug)]
struct Active {
    token: Secret,
    now: Mutex<Vec<(Fault, Instant)>>,
    injected: IntCounterVec,
}

impl Faults {
    /// Faults that whoever knows the token of the settings may ask for; without
    /// one nobody may.
    pub(crate) fn new(chassis: &Chassis) -> Self {
        let Some(token) = chassis.config.control_token.clone() else { return Self(None) };
        let injected = chassis.metrics.counter(
            "faults_injected_total",
            "Requests that a fault on demand delayed or failed.",
            &["kind"],
        );
        for kind in Kind::ALL {
            injected.with_label_values(&[kind.name()]);
        }
        let active = Arc::new(Active { token, now: Mutex::default(), injected });
        let looked_at = Arc::clone(&active);
        chassis.tasks.repeat("end faults", LOOK_EVERY, move || {
            let active = Arc::clone(&looked_at);
            async move { active.end(Instant::now()) }
        });
        Self(Some(active))
    }

    /// Where they are asked for, if anybody may.
    pub(crate) fn routes(&self) -> Router {
        let Some(active) = &self.0 else { return Router::new() };
        Router::new()
            .route(PATH, put(change).get(list).delete(clear))
            .with_state(Arc::clone(active))
    }

    /// Delays a request, or answers in its place.
    pub(crate) async fn meet(&self) -> Option<Response> {
        let active = self.0.as_ref()?;
        if let Some(fault) = active.strikes(Kind::Latency) {
            tokio::time::sleep(Duration::from_millis(fault.ms)).await;
        }
        active.strikes(Kind::Error)?;
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let failure = Failure::new(status, "fault-injected", "this failure was asked for");
        Some(failure.detail("`cloudscale fault clear` ends it").into_response())
    }
}

impl Active {
    /// The fault of that kind, if there is one and this request is one of its.
    fn strikes(&self, kind: Kind) -> Option<Fault> {
        let now = Instant::now();
        let found = self.now().iter().find(|(fault, _)| fault.kind == kind).copied();
        let (fault, until) = found?;
        if now >= until || rand::random_range(0..100) >= fault.percent {
            return None;
        }
        self.injected.with_label_values(&[kind.name()]).inc();
        tracing::Span::current().set_attribute("cloudscale.fault", kind.name());
        tracing::debug!(fault = kind.name(), "a request meets a fault that was asked for");
        Some(fault)
    }

    fn end(&self, now: Instant) {
        self.now().retain(|(fault, until)| {
            let lasts = now < *until;
            if !lasts {
                tracing::info!(fault = fault.kind.name(), "a fault that was asked for is over");
            }
            lasts
        });
    }

    fn now(&self) -> MutexGuard<'_, Vec<(Fault, Instant)>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Only who knows the token, and no page in a browser, which sends an `Origin`.
    fn admit(&self, headers: &HeaderMap) -> Result<(), Failure> {
        if headers.contains_key(header::ORIGIN) {
            return Err(Failure::forbidden("pages in a browser may not ask for faults"));
        }
        match bears(headers, &self.token) {
            true => Ok(()),
            false => Err(Failure::unauthenticated("the fleet's token is needed")),
        }
    }
}

/// Whether a request bears a token. How long the comparison takes tells nothing of it.
pub fn bears(headers: &HeaderMap, token: &Secret) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    !token.expose().is_empty() && Sha256::digest(given) == Sha256::digest(token.expose())
}

async fn change(
    State(active): State<Arc<Active>>,
    headers: HeaderMap,
    posted: Posted<Fault>,
) -> Result<Json<Vec<Fault>>, Failure> {
    active.admit(&headers)?;
    let fault = posted.value;
    check(&fault)?;
    {
        let mut now = active.now();
        now.retain(|(other, _)| other.kind != fault.kind);
        if fault.for_ms > 0 {
            now.push((fault, Instant::now() + Duration::from_millis(fault.for_ms)));
        }
    }
    let Fault { kind, percent, ms, for_ms } = fault;
    tracing::warn!(fault = kind.name(), percent, ms, for_ms, "a fault was asked for");
    list(State(active), headers).await
}

fn check(fault: &Fault) -> Result<(), Failure> {
    let mut wrong = Vec::new();
    if fault.for_ms > 0 && !(1..=100).contains(&fault.percent) {
        wrong.push(field("percent", "must be from 1 to 100"));
    }
    if fault.ms > MOST_LATE_MS {
        wrong.push(field("ms", format!("must be at most {MOST_LATE_MS}")));
    }
    if fault.for_ms > LONGEST_MS {
        wrong.push(field("for_ms", format!("must be at most {LONGEST_MS}")));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::invalid(wrong)) }
}

async fn list(
    State(active): State<Arc<Active>>,
    headers: HeaderMap,
) -> Result<Json<Vec<Fault>>, Failure> {
    active.admit(&headers)?;
    let now = Instant::now();
    let left = |until: Instant| {
        u64::try_from(until.saturating_duration_since(now).as_millis()).unwrap_or(u64::MAX)
    };
    let active = active.now();
    let faults = active.iter().map(|(fault, until)| Fault { for_ms: left(*until), ..*fault });
    Ok(Json(faults.filter(|fault| fault.for_ms > 0).collect()))
}

async fn clear(
    State(active): State<Arc<Active>>,
    headers: HeaderMap,
) -> Result<Json<Vec<Fault>>, Failure> {
    active.admit(&headers)?;
    active.now().clear();
    tracing::info!("all faults that were asked for are over");
    list(State(active), headers).await
}
