//! The HTTP side of the gateway: every route of the table, with the pipeline
//! behind it.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::routing::{MethodFilter, on};
use chassis::Metrics;
use prometheus::IntCounterVec;

use crate::domain::ROUTES;
use crate::pipeline::{self, State};

/// The counter of requests that did not get to a service.
pub(crate) fn refusals(metrics: &Metrics) -> IntCounterVec {
    metrics.counter(
        "gateway_refused_total",
        "Requests that did not reach a service, by what stopped them.",
        &["reason"],
    )
}

pub(crate) fn routes(state: State) -> Router {
    ROUTES.iter().fold(Router::new(), |router, route| {
        let state = state.clone();
        let handler = move |ConnectInfo(from): ConnectInfo<SocketAddr>, request: Request| {
            let state = state.clone();
            async move { pipeline::run(&state, route, from.ip(), request).await }
        };
        let filter = MethodFilter::try_from(route.verb.method())
            .expect("the routes use methods that every router knows");
        router.route(route.path, on(filter, handler))
    })
}
