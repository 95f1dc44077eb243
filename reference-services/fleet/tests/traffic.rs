//! Traffic against small servers: what leaves does not depend on what comes back.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use fleet::traffic::run::IN_FLIGHT_LIMIT;
use fleet::traffic::{Options, Pattern, Report, Schedule, run};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const SEED: u64 = 11;

#[derive(Clone, Default)]
struct Shop {
    deaf: bool,
    seen: Arc<Mutex<Vec<String>>>,
}

/// Answers as CloudScale does, or never.
async fn answer(State(shop): State<Shop>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    shop.seen.lock().unwrap().push(format!("{} {path}", request.method()));
    if shop.deaf {
        std::future::pending::<()>().await;
    }
    let id = Uuid::from_u128(7);
    let known = request.headers().contains_key("authorization");
    let post = request.method() == "POST";
    match path.as_str() {
        "/v1/register" => StatusCode::CREATED.into_response(),
        "/v1/login" | "/v1/sessions/refresh" => Json(json!({
            "access_token": "t", "token_type": "Bearer", "expires_in_s": 1,
            "refresh_token": "r", "refresh_expires_in_s": 900, "session": Uuid::nil(),
        }))
        .into_response(),
        _ if !known => StatusCode::UNAUTHORIZED.into_response(),
        "/v1/orders" if post => {
            let body = axum::body::to_bytes(request.into_body(), 10_000).await.unwrap();
            let order: serde_json::Value = serde_json::from_slice(&body).unwrap();
            if order["lines"].as_array().unwrap().is_empty() {
                return StatusCode::UNPROCESSABLE_ENTITY.into_response();
            }
            let total = json!({"minor": 1, "currency": "EUR"});
            let order = json!({
                "id": id, "customer": id, "state": "paid", "lines": order["lines"],
                "total": total, "payment": id, "created_ms": 0, "updated_ms": 0,
            });
            (StatusCode::CREATED, Json(order)).into_response()
        }
        "/v1/me" | "/v1/orders" | "/v1/notifications" | "/v1/profile" => {
            StatusCode::OK.into_response()
        }
        "/v1/products" | "/v1/categories" => StatusCode::OK.into_response(),
        path if path.starts_with("/v1/products/") => StatusCode::OK.into_response(),
        path if path.ends_with("/cancel") => StatusCode::CONFLICT.into_response(),
        path if path.ends_with(&id.to_string()) => StatusCode::OK.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn traffic(deaf: bool, rate: f64, duration: Duration) -> (Report, Vec<String>) {
    let shop = Shop { deaf, ..Shop::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap().to_string().parse().unwrap();
    let router = Router::new().fallback(answer).with_state(shop.clone());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let options = Options {
        target,
        rate,
        pattern: Pattern::Poisson,
        seed: SEED,
        only: None,
        warm_up: Duration::ZERO,
        duration: Some(duration),
        run: "test".to_owned(),
    };
    let report = run(options, CancellationToken::new()).await;
    server.abort();
    let seen = shop.seen.lock().unwrap().clone();
    (report, seen)
}

fn scheduled(rate: f64, duration: Duration) -> usize {
    Schedule::new(Pattern::Poisson, rate, SEED).take_while(|next| next.at <= duration).count()
}

#[tokio::test]
async fn arrivals_do_not_wait_for_answers() {
    let (rate, duration) = (200.0, Duration::from_secs(1));
    let wanted = scheduled(rate, duration);
    for deaf in [false, true] {
        let (report, seen) = traffic(deaf, rate, duration).await;
        assert_eq!((report.arrivals, report.dropped), (wanted as u64, 0), "deaf: {deaf}");
        assert_eq!(seen.len(), wanted, "deaf: {deaf}");
    }
}

#[tokio::test]
async fn what_cannot_leave_is_dropped_and_counted() {
    let (rate, duration) = (2_000.0, Duration::from_millis(500));
    let wanted = scheduled(rate, duration);
    assert!(wanted > 2 * IN_FLIGHT_LIMIT);
    let (report, _) = traffic(true, rate, duration).await;
    let total = report.total();
    assert_eq!(report.arrivals as usize, wanted);
    assert_eq!(total.sent as usize, IN_FLIGHT_LIMIT);
    assert_eq!(report.dropped as usize, wanted - IN_FLIGHT_LIMIT);
    assert_eq!(total.expected, 0);
}

#[tokio::test]
async fn a_whole_shop_answers_everything_as_expected() {
    let (report, seen) = traffic(false, 500.0, Duration::from_secs(2)).await;
    let total = report.total();
    assert_eq!((total.expected, total.unanswered), (report.arrivals, 0), "{report}");
    let mut paths = BTreeMap::<&str, u32>::new();
    for request in &seen {
        *paths.entry(request.as_str()).or_default() += 1;
    }
    for path in [
        "POST /v1/register",
        "POST /v1/login",
        "POST /v1/sessions/refresh",
        "GET /v1/me",
        "POST /v1/orders",
        "GET /v1/orders",
    ] {
        assert!(paths.contains_key(path), "{path} in {paths:?}");
    }
    let table = report.to_string();
    assert!(table.contains("p99 ms") && table.contains("resend"), "{table}");
}
