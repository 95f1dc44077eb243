//! What stands out is told once, in the list and to other services, whatever
//! kills the service meanwhile.

use std::time::{Duration, Instant};

use chassis::clock::now_ms;
use contracts::analytics::{Alerts, AnalyticsEvent};
use contracts::messaging::Feed;
use serde_json::json;
use uuid::Uuid;

use crate::batch::MINUTE_MS;
use crate::rig::{PATIENCE, Rig};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_that_stands_out_raises_one_alert() {
    let mut rig = Rig::start(1_000).await;
    let first_ms = (now_ms() - 3_600_000) / MINUTE_MS * MINUTE_MS;
    for minute in 0..20_i64 {
        let orders = if minute == 15 || minute == 16 { 40 } else { 5 + minute % 2 };
        for number in 0..orders {
            let at_ms = first_ms + minute * MINUTE_MS + number * 1_000;
            let (order, customer) = (Uuid::now_v7().to_string(), Uuid::now_v7());
            let total = json!({ "minor": 5, "currency": "EUR" });
            let body = json!({ "order": order, "customer": customer, "total": total });
            rig.publish("orders", "placed", &order, at_ms, body);
        }
    }
    rig.show_all();
    for point in ["windows.closed:2", "outbox.written", "windows.closed:3"] {
        rig.kill(Some(point)).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        rig.revive().await;
    }
    rig.kill(None).await;
    rig.quiet(0).await;
    let path = format!("/v1/analytics/alerts?from_ms={first_ms}&to_ms={}", now_ms());
    let deadline = Instant::now() + PATIENCE;
    let alerts = loop {
        let alerts: Alerts = rig.read(&path).await;
        if !alerts.alerts.is_empty() || Instant::now() > deadline {
            break alerts.alerts;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let alert = &alerts[0];
    assert_eq!((alert.series.as_str(), alert.key.as_str(), alert.value), ("orders", "all", 40));
    assert_eq!(alert.start_ms, first_ms + 15 * MINUTE_MS);
    assert!((5.0..=6.0).contains(&alert.expected) && alert.score > 3.5, "{alert:?}");
    let feed: Feed = rig.plain("/internal/outbox?after=0").await;
    let told: Vec<AnalyticsEvent> =
        feed.events.iter().map(|event| chassis::messaging::decode(event).unwrap()).collect();
    assert_eq!(told, [AnalyticsEvent::AnomalyFound(alert.clone())]);
}
