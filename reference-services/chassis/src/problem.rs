//! What goes wrong while answering a request: a public side that the client
//! sees as problem details, and an internal cause that is logged once, here,
//! and never leaves the process.

use std::fmt;

use crate::store::{self, Outage};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use contracts::problem::{FieldError, MEDIA_TYPE, Problem};
use http::{HeaderValue, StatusCode, header};

use crate::telemetry::current_trace_id;

const KEY_REUSED: &str = "idempotency-key-reused";

/// A refused or failed request.
pub struct Failure {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: Option<String>,
    errors: Vec<FieldError>,
    retry_after_s: Option<u64>,
    cause: Option<anyhow::Error>,
}

impl Failure {
    /// A failure of any kind. `kind` is a slug, `title` the kind in words.
    pub fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Self {
        Self {
            status,
            kind,
            title,
            detail: None,
            errors: Vec::new(),
            retry_after_s: None,
            cause: None,
        }
    }

    /// 400: the request cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "the request cannot be read").detail(detail)
    }

    /// 422: the request can be read, and fields of it are wrong.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let mut failure = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            "the request has fields that are not valid",
        );
        failure.errors = errors;
        failure
    }

    /// 401: who is calling is not known.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "a valid access token is needed")
            .detail(detail)
    }

    /// 403: who is calling may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "this is not allowed").detail(detail)
    }

    /// 404: there is no such thing, or the caller may not know of it.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "there is no such thing").detail(detail)
    }

    /// 409: the thing is in a state that does not allow this.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "the current state does not allow this")
            .detail(detail)
    }

    /// 422: the idempotency key stands for another request.
    pub fn key_reused() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            KEY_REUSED,
            "the idempotency key was used with another body",
        )
    }

    pub(crate) fn is_key_reused(&self) -> bool {
        self.kind == KEY_REUSED
    }

    /// 503: try again after so many seconds.
    pub fn unavailable(detail: impl Into<String>, retry_after_s: u64) -> Self {
        let failure = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "the service cannot answer right now",
        );
        failure.detail(detail).retry_after(retry_after_s)
    }

    /// 500: something broke that the client can do nothing about.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong on our side")
            .cause(cause)
    }

    /// Says publicly what went wrong this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says which fields are at fault.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Asks the client to wait so many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Adds the cause for the log.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The HTTP status that the client will see.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The public side.
    pub fn problem(&self) -> Problem {
        Problem {
            kind: format!("urn:cloudscale:problem:{}", self.kind),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            errors: self.errors.clone(),
            trace_id: current_trace_id(),
        }
    }

    fn log(&self) {
        let (status, kind) = (self.status.as_u16(), self.kind);
        match (&self.cause, self.status.is_server_error()) {
            (Some(cause), true) => {
                tracing::error!(status, kind, cause = format!("{cause:#}"), "request failed");
            }
            (None, true) => tracing::warn!(status, kind, "request failed"),
            (Some(cause), false) => {
                tracing::debug!(status, kind, cause = format!("{cause:#}"), "request refused");
            }
            (None, false) => {}
        }
    }
}

/// What is wrong with one field.
pub fn field(field: impl Into<String>, message: impl Into<String>) -> FieldError {
    FieldError { field: field.into(), message: message.into() }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.log();
        let body = serde_json::to_vec(&self.problem()).expect("a problem has only strings as keys");
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?} {:?}", self.status, self.kind, self.detail, self.cause)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::from(anyhow::Error::from(error))
    }
}

/// 500, or 503 with `Retry-After` when the database is busy or away.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match store::outage(&error) {
            Some(Outage::Busy) => Self::unavailable("the database is busy", 1).cause(error),
            Some(Outage::Away) => Self::unavailable("the database is away", 2).cause(error),
            None => Self::internal(error),
        }
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Self {
        Self::malformed(rejection.body_text())
    }
}

impl From<PathRejection> for Failure {
    fn from(rejection: PathRejection) -> Self {
        Self::malformed(rejection.body_text())
    }
}
