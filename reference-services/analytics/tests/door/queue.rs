//! Back-pressure: what does not fit is refused with a time to come again, and
//! nothing that was taken is lost, also when handling fails for a while.

use chassis::clock::now_ms;
use contracts::analytics::{Accepted, ClientEvent};
use http::header::RETRY_AFTER;
use serde_json::json;
use uuid::Uuid;

use crate::rig::Rig;

fn batch(size: usize) -> Vec<ClientEvent> {
    let event = |_| ClientEvent {
        id: Uuid::now_v7(),
        kind: "page_viewed".to_owned(),
        at_ms: now_ms(),
        version: None,
        body: json!({ "page": "/" }),
    };
    (0..size).map(event).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_and_loses_nothing() {
    let mut rig = Rig::start(1_000).await;
    // No event can be handled, until the table is back.
    rig.meddle("ALTER TABLE sources RENAME TO hidden").await;
    let customers: Vec<Uuid> = (0..8).map(|_| Uuid::now_v7()).collect();
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for number in 0..60 {
        let customer = customers[number / 8];
        let events = batch(100);
        let reply = rig.post(customer, &events).await;
        if reply.status == 202 {
            let accepted: Accepted = reply.json().unwrap();
            assert_eq!(accepted, Accepted { accepted: 100, duplicates: 0 });
            taken.push(events);
            continue;
        }
        assert_eq!(reply.headers[RETRY_AFTER], "1", "{reply:?}");
        refused.push((reply.status.as_u16(), customer, events));
    }
    for status in [429, 503] {
        assert!(refused.iter().any(|(found, ..)| *found == status), "never {status}");
    }
    assert!(taken.len() <= 20, "{} batches of 100 were taken, and 2000 may wait", taken.len());
    rig.meddle("ALTER TABLE hidden RENAME TO sources").await;
    rig.kill(None).await;
    let mut posted = i64::try_from(taken.len() * 100).unwrap();
    // What was refused is taken later; sent in whatever state, it counts once.
    for (_, customer, events) in &refused[..2] {
        assert_eq!(rig.post_until_taken(*customer, events).await.duplicates, 0);
        posted += 100;
    }
    rig.quiet(posted).await;
    // Some were given up meanwhile (no key waits for ever); now they pass.
    rig.redrive().await;
    rig.quiet(posted).await;
    assert_eq!(rig.dead().await.count, 0);
    let activity = rig.windows("activity", true).await;
    assert_eq!(activity.iter().map(|window| window.events).sum::<i64>(), posted);
    let report = rig.invariants().await;
    assert!(report.holds, "{report:?}");
    for line in [
        "analytics_queue_limit 2000",
        "analytics_queue_length 0",
        "messaging_handled_total{kind=\"page_viewed\",producer=\"clients\"}",
    ] {
        rig.measured(line).await;
    }
}
