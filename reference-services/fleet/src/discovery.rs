//! What a fleet tells about itself over HTTP, on loopback only: where to
//! scrape (`GET /discovery`, Prometheus's `http_sd`), how each replica stands
//! (`GET /status`) and what happened (`GET /events`). Reads the [`Board`].

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::board::{Board, Event, Status};

/// Where a replica's metrics are found.
const METRICS_PATH: &str = "/metrics";

/// One entry of Prometheus's HTTP service discovery.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Target {
    targets: [String; 1],
    labels: BTreeMap<&'static str, String>,
}

/// The routes.
pub fn router(board: Arc<Board>) -> Router {
    Router::new()
        .route("/discovery", get(discovery))
        .route("/status", get(status))
        .route("/events", get(events))
        .with_state(board)
}

async fn discovery(State(board): State<Arc<Board>>) -> Json<Vec<Target>> {
    // A dead replica stays on the list: its scrape fails and shows it as down.
    Json(board.replicas().iter().filter_map(target).collect())
}

async fn status(State(board): State<Arc<Board>>) -> Json<Vec<Status>> {
    Json(board.replicas())
}

async fn events(State(board): State<Arc<Board>>) -> Json<Vec<Event>> {
    Json(board.events())
}

fn target(replica: &Status) -> Option<Target> {
    let labels = BTreeMap::from([
        ("__metrics_path__", METRICS_PATH.to_owned()),
        ("instance", replica.instance.clone()),
        ("job", replica.name.clone()),
        ("version", replica.version.clone()),
    ]);
    Some(Target { targets: [replica.address?.to_string()], labels })
}
