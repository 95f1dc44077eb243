//! Wishes to change a fleet that runs, over HTTP on loopback: `POST /control/scale`,
//! `GET` and `POST /control/faults`, `POST /control/faults/clear`. Whoever asks must
//! know the token of the plan; a page in a browser, which sends an `Origin`, is
//! refused in any case. A wish is carried out also when its asker goes away.

use std::fmt::Display;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::crew::Crew;
use crate::faults::Wish;

/// Largest wish that is read, in bytes.
pub const WISH_LIMIT: usize = 16 * 1024;

/// So many replicas of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// The service.
    pub service: String,
    /// How many.
    pub replicas: usize,
}

/// What came of [`Scale`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scaled {
    /// The names of the replicas.
    pub replicas: Vec<String>,
}

/// The end of faults before their time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clear {
    /// Whose; none: everybody's.
    pub target: Option<String>,
}

/// Why a wish was not carried out, with what helps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// In words.
    pub error: String,
}

pub(crate) fn router(crew: Arc<Crew>) -> Router {
    Router::new()
        .route("/control/scale", post(scale))
        .route("/control/faults", get(faults).post(fault))
        .route("/control/faults/clear", post(clear))
        .layer(DefaultBodyLimit::max(WISH_LIMIT))
        .layer(from_fn_with_state(Arc::clone(&crew), admit))
        .with_state(crew)
}

async fn admit(State(crew): State<Arc<Crew>>, request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        return refuse(StatusCode::FORBIDDEN, "pages in a browser may not change the fleet");
    }
    let control = crew.plan.control.as_ref();
    if !control.is_some_and(|control| chassis::faults::bears(request.headers(), &control.token)) {
        return refuse(StatusCode::UNAUTHORIZED, "the fleet's token is needed");
    }
    next.run(request).await
}

async fn scale(State(crew): State<Arc<Crew>>, Json(wish): Json<Scale>) -> Response {
    carry_out(async move {
        let replicas = crew.scale(&wish.service, wish.replicas).await?;
        Ok::<_, crate::scale::ScaleError>(Scaled { replicas })
    })
    .await
}

async fn faults(State(crew): State<Arc<Crew>>) -> Response {
    Json(crew.hurting()).into_response()
}

async fn fault(State(crew): State<Arc<Crew>>, Json(wish): Json<Wish>) -> Response {
    carry_out(async move { crew.hurt(&wish).await }).await
}

async fn clear(State(crew): State<Arc<Crew>>, Json(wish): Json<Clear>) -> Response {
    carry_out(async move { crew.heal(wish.target.as_deref()).await }).await
}

async fn carry_out<T, E>(work: impl Future<Output = Result<T, E>> + Send + 'static) -> Response
where
    T: Serialize + Send + 'static,
    E: Display + Send + 'static,
{
    match tokio::spawn(work).await {
        Ok(Ok(done)) => Json(done).into_response(),
        Ok(Err(refused)) => refuse(StatusCode::CONFLICT, refused),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}

fn refuse(status: StatusCode, why: impl Display) -> Response {
    (status, Json(Refused { error: why.to_string() })).into_response()
}
