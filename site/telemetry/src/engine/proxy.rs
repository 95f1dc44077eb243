//! The Prometheus HTTP API where metrics are somebody else's: questions are passed on, answers come back as they are.
//!
//! `loggia` mounts it in place of the router on the engine built in, so that what points at Loggia reads what its pages
//! show.

use super::{AskError, RemotePrometheus};
use crate::admission::{NoPlace, Queries};
use crate::prometheus::{Failure, UNAVAILABLE, alive};
use crate::prometheus_params::Params;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, Uri, header};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a question may wait for its turn.
const MAX_WAIT: Duration = Duration::from_secs(30);

#[derive(Clone)]
struct Api {
    engine: Arc<RemotePrometheus>,
    queries: Queries,
}

/// `/api/v1/...` of an engine, for questions only: mount at `/prometheus`.
pub fn prometheus_proxy(engine: Arc<RemotePrometheus>) -> Router {
    let passed = || get(pass).post(pass);
    Router::new()
        .route("/", get(alive))
        .route("/-/healthy", get(alive))
        .route("/-/ready", get(alive))
        .route("/api/v1/query", passed())
        .route("/api/v1/query_range", passed())
        .route("/api/v1/query_exemplars", passed())
        .route("/api/v1/series", passed())
        .route("/api/v1/labels", passed())
        .route("/api/v1/label/{name}/values", get(pass))
        .route("/api/v1/targets", get(pass))
        .route("/api/v1/metadata", get(pass))
        .route("/api/v1/rules", get(pass))
        .route("/api/v1/alerts", get(pass))
        .route("/api/v1/status/buildinfo", get(pass))
        .with_state(Api { engine, queries: Queries::default() })
}

async fn pass(State(api): State<Api>, uri: Uri, params: Params) -> Result<Response, Failure> {
    let places = api.queries.enter(Instant::now() + MAX_WAIT).await.map_err(|why| match why {
        NoPlace::Full | NoPlace::TooLate => Failure::from(why),
    })?;
    let work = move || {
        let _places = places;
        let pairs = params.pairs().iter().map(|(name, value)| (name.as_str(), value.clone()));
        api.engine.pass(uri.path(), &pairs.collect())
    };
    let internal = |_| Failure {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        kind: "internal",
        message: "the question could not be passed on".to_owned(),
    };
    let (status, body) = tokio::task::spawn_blocking(work).await.map_err(internal)??;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    Ok((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        let message = error.to_string();
        match error {
            AskError::Refused(_) => {
                Self { status: StatusCode::UNPROCESSABLE_ENTITY, kind: "execution", message }
            }
            AskError::Down(_) => {
                Self { status: StatusCode::SERVICE_UNAVAILABLE, kind: UNAVAILABLE, message }
            }
        }
    }
}
