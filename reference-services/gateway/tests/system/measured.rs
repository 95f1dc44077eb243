//! What the shop's own events come to: those of the real services keep to their
//! schemas, and clients post theirs at the door.

use std::time::{Duration, Instant};

use chassis::Call;
use contracts::analytics::{Accepted, ClientEvent, PostEvents};
use contracts::catalog::Receipt;
use contracts::invariants::Report;
use contracts::messaging::{DeadLetters, Tally};
use serde_json::json;
use uuid::Uuid;

use crate::problem;
use crate::running::{Setting, System, order, with_token};

/// How long a case waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

impl System {
    /// Waits until analytics has handled so many events of a producer.
    async fn measured(&self, producer: &str, wanted: i64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let tallies: Vec<Tally> =
                self.send(Call::get("analytics", "/internal/inbox")).await.json().unwrap();
            let own = tallies.iter().find(|tally| tally.producer == producer);
            if own.is_some_and(|tally| tally.handled >= wanted) {
                return;
            }
            assert!(Instant::now() < deadline, "{producer} {tallies:?}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_every_service_are_measured() {
    let setting = Setting { fetched_ms: 0..1, ..Setting::default() };
    let system = System::start(setting).await;
    let (account, token) = system.customer("ada@example.org").await;
    for key in ["a", "b"] {
        assert_eq!(system.place(&token, key, &order(900)).await.status, 201);
    }
    let receipt = Call::post("catalog", "").path("/v1/products/tea/receipts");
    let receipt = receipt.json(&Receipt { pieces: 7 }).idempotency_key("r");
    let received = system.send(receipt).await;
    assert!(received.status.is_success(), "{received:?}");
    // Placed and completed, captured, fetched, received, somebody new.
    for (producer, wanted) in
        [("orders", 4), ("payments", 2), ("shipping", 2), ("catalog", 1), ("users", 1)]
    {
        system.measured(producer, wanted).await;
    }
    let event = ClientEvent {
        id: Uuid::now_v7(),
        kind: "page_viewed".to_owned(),
        at_ms: chassis::clock::now_ms(),
        version: Some(1),
        body: json!({ "page": "/tea" }),
    };
    let body = PostEvents { events: vec![event] };
    for (accepted, duplicates) in [(1, 0), (0, 1)] {
        let call = Call::post("gateway", "/v1/analytics/events").json(&body);
        let reply = system.send(with_token(call, &token)).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        assert_eq!(reply.json::<Accepted>().unwrap(), Accepted { accepted, duplicates });
    }
    system.measured("clients", 1).await;
    for (path, token, status) in [
        ("/v1/analytics/series/revenue", token.as_str(), 403),
        ("/v1/analytics/alerts", token.as_str(), 403),
        ("/v1/analytics/schemas", "", 401),
    ] {
        let reply = system.get(path, token).await;
        assert_eq!(reply.status, status, "{path} {reply:?}");
        problem(&reply);
    }
    let dead: DeadLetters =
        system.send(Call::get("analytics", "/internal/dead-letters")).await.json().unwrap();
    assert_eq!(dead.letters, [], "every event keeps to its schema");
    let report: Report = system.send(Call::get("analytics", "/invariants")).await.json().unwrap();
    assert!(report.holds, "{report:?}");
    let figure =
        |series, name| report.figure(&format!("windows_of_{series}_hold_all_events"), name);
    assert_eq!(figure("orders", "within"), Some(2));
    assert_eq!(figure("orders_sliding", "within"), Some(10));
    assert_eq!(figure("latency", "within"), Some(2));
    // Two orders and a page, of one customer within five minutes.
    assert_eq!(figure("sessions", "within"), Some(3), "{account:?}");
    system.stop().await;
}
