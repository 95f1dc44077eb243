//! What surrounds every request that a service answers: the caller's trace
//! context, a SERVER span, the duration metric, a bound on requests in flight
//! and on their time. [`crate::serve`] puts it around the service's routes.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, Status, TraceContextExt};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::faults::Faults;
use crate::metrics::Metrics;
use crate::problem::Failure;
use crate::propagation;
use crate::serve::Callers;
use crate::telemetry::SPANS;

/// Most requests that a service answers at once; further ones get 503.
pub const MAX_IN_FLIGHT: i64 = 512;

/// Longest time that a service works on one request.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// What the layer knows of its service.
#[derive(Debug, Clone)]
pub(crate) struct Inbound {
    pub(crate) metrics: Metrics,
    pub(crate) callers: Callers,
    pub(crate) faults: Faults,
}

/// The layer. Routes that are not traced are added outside of it.
pub(crate) async fn observe(
    State(Inbound { metrics, callers, faults }): State<Inbound>,
    request: Request,
    next: Next,
) -> Response {
    let span = server_span(&request, callers);
    let observation = Observation::start(metrics, &request);
    let crowded = observation.metrics.http_server_active.get() > MAX_IN_FLIGHT;
    let response = async {
        if crowded {
            return Failure::unavailable("too many requests are in flight", 1).into_response();
        }
        let answer = async {
            match faults.meet().await {
                Some(failure) => failure,
                None => next.run(request).await,
            }
        };
        match tokio::time::timeout(REQUEST_TIMEOUT, answer).await {
            Ok(response) => response,
            Err(_) => Failure::unavailable("the request took too long", 1).into_response(),
        }
    }
    .instrument(span.clone())
    .await;
    describe(&span, response.status());
    if callers == Callers::Anybody {
        span.in_scope(|| observation.tell(response.status()));
    }
    observation.finish(response.status(), &span);
    response
}

fn server_span(request: &Request, callers: Callers) -> Span {
    let method = method_name(request.method());
    let route = route_of(request);
    let name = if route.is_empty() { method.to_owned() } else { format!("{method} {route}") };
    let span =
        tracing::info_span!(target: SPANS, "request", otel.name = name, otel.kind = "server");
    let theirs = propagation::extract(request.headers());
    let parent = match callers {
        Callers::Services => theirs,
        Callers::Anybody => {
            span.add_link(theirs.span().span_context().clone());
            Context::new()
        }
    };
    // The span has not started yet: the one way that this fails is that spans
    // are not installed, and then there is nothing to tie together.
    let _ = span.set_parent(parent);
    span.set_attribute("http.request.method", method);
    span.set_attribute("url.scheme", "http");
    span.set_attribute("url.path", request.uri().path().to_owned());
    if !route.is_empty() {
        span.set_attribute("http.route", route);
    }
    span
}

fn describe(span: &Span, status: StatusCode) {
    span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.set_attribute("error.type", status.as_str().to_owned());
        span.set_status(Status::error(""));
    }
}

/// The template of the route that a request took; empty when there is none.
fn route_of(request: &Request) -> String {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map(|path| path.as_str().to_owned()).unwrap_or_default()
}

/// The method, or `_OTHER` for those that HTTP does not define: anybody may
/// send any word, and each would be a label value.
pub(crate) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}

/// Counts a request once: by the duration of its answer, or, when the client
/// goes away before, as cancelled. That is no error of this service, and has no
/// status and no duration that would say anything about it.
struct Observation {
    metrics: Metrics,
    method: &'static str,
    route: String,
    start: Instant,
    status: Option<StatusCode>,
    trace: Option<SpanContext>,
}

impl Observation {
    fn start(metrics: Metrics, request: &Request) -> Self {
        metrics.http_server_active.inc();
        let method = method_name(request.method());
        Self {
            metrics,
            method,
            route: route_of(request),
            start: Instant::now(),
            status: None,
            trace: None,
        }
    }

    /// Writes a line about a request from outside.
    fn tell(&self, status: StatusCode) {
        let (status, seconds) = (status.as_u16(), self.start.elapsed().as_secs_f64());
        tracing::info!(
            http.request.method = self.method,
            http.route = self.route,
            http.response.status_code = status,
            duration_ms = (seconds * 1e6).round() / 1e3,
            "a request was answered"
        );
    }

    fn finish(mut self, status: StatusCode, span: &Span) {
        self.status = Some(status);
        self.trace = Some(span.context().span().span_context().clone());
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        self.metrics.http_server_active.dec();
        let Some(status) = self.status else {
            let labels = [self.method, &self.route];
            self.metrics.http_server_cancelled.with_label_values(&labels).inc();
            return;
        };
        let code = status.as_u16().to_string();
        let error = if status.is_server_error() { code.as_str() } else { "" };
        let labels = [self.method, &self.route, &code, error];
        let seconds = self.start.elapsed().as_secs_f64();
        self.metrics.answered(&labels, seconds, self.trace.as_ref());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::body::Body;

    use super::*;
    use crate::config::Config;

    #[test]
    fn a_request_is_counted_by_its_answer_or_as_cancelled() {
        let metrics = Metrics::new(&Config::read("orders", |_| None).unwrap());
        let start = || Observation::start(metrics.clone(), &Request::new(Body::empty()));
        start().finish(StatusCode::OK, &Span::none());
        start().finish(StatusCode::BAD_GATEWAY, &Span::none());
        drop(start());
        let text = metrics.render();
        let counts = [
            "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_response_status_code=\"200\"} 1",
            "http_server_request_duration_seconds_count{error_type=\"502\",http_request_method=\"GET\",http_response_status_code=\"502\"} 1",
            "http_server_cancelled_requests_total{http_request_method=\"GET\"} 1",
        ];
        for line in counts {
            assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
        }
        let durations =
            text.lines().filter(|line| line.contains("duration_seconds_count{")).count();
        assert_eq!(durations, 2, "{text}");
        assert_eq!(metrics.http_server_active.get(), 0);
    }
}
