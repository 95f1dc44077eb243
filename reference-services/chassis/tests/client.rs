//! Calls against a peer that fails: what is sent again, and how often.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use chassis::client::{MAX_ATTEMPTS, RETRY_BUDGET, RETRY_PRICE};
use chassis::{Call, CallError, Client, Config, Metrics};
use http::StatusCode;
use tokio::net::TcpListener;

/// A client, and a peer that answers everything with `status` and counts.
async fn peer(status: StatusCode) -> (Client, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let router = Router::new().fallback(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        async move { status }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peers = BTreeMap::from([("peer".to_owned(), listener.local_addr().unwrap())]);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config = Config::read("test", |_| None).unwrap();
    (Client::new(peers, Metrics::new(&config)), count)
}

#[tokio::test]
async fn only_repeatable_calls_are_sent_again_and_only_on_failures_of_the_peer() {
    let twice = usize::try_from(MAX_ATTEMPTS).unwrap();
    let cases = [
        (Call::get("peer", "/"), 503, twice),
        (Call::get("peer", "/"), 502, twice),
        (Call::get("peer", "/"), 500, 1),
        (Call::get("peer", "/"), 404, 1),
        (Call::get("peer", "/"), 200, 1),
        (Call::post("peer", "/"), 503, 1),
        (Call::post("peer", "/").idempotency_key("k"), 503, twice),
        (Call::post("peer", "/").repeatable(), 503, twice),
    ];
    for (call, status, sent) in cases {
        let (client, count) = peer(StatusCode::from_u16(status).unwrap()).await;
        let what = format!("{call:?}");
        assert_eq!(client.call(call).await.unwrap().status.as_u16(), status);
        assert_eq!(count.load(Ordering::Relaxed), sent, "{status} {what}");
    }
}

#[tokio::test]
async fn retries_add_a_tenth_at_most_however_long_the_outage_is() {
    let (client, count) = peer(StatusCode::SERVICE_UNAVAILABLE).await;
    let calls = 300;
    for _ in 0..calls {
        client.call(Call::get("peer", "/")).await.unwrap();
    }
    let saved = usize::try_from(RETRY_BUDGET / RETRY_PRICE).unwrap();
    let sent = count.load(Ordering::Relaxed);
    assert!(sent <= calls + calls / 10 + saved, "{sent} for {calls}");
    assert!(sent > calls, "nothing was sent again");
}

#[tokio::test]
async fn a_call_to_nobody_says_so() {
    let (client, _) = peer(StatusCode::OK).await;
    let unknown = client.call(Call::get("other", "/")).await;
    assert!(matches!(unknown, Err(CallError::UnknownPeer(_))));
}
