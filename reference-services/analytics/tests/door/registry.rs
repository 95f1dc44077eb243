//! Schemas at the door: versions that may follow and those that may not, events
//! that keep to none, and how they are taken after all.

use chassis::clock::now_ms;
use contracts::analytics::{Accepted, ClientEvent, Schemas};
use contracts::messaging::Tally;
use contracts::problem::Problem;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::rig::Rig;

fn schema(properties: Value, required: Value) -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": properties,
            "required": required })
}

fn event(kind: &str, version: Option<u32>, body: Value) -> ClientEvent {
    ClientEvent { id: Uuid::now_v7(), kind: kind.to_owned(), at_ms: now_ms(), version, body }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_follow_or_are_refused_with_the_reason() {
    let rig = Rig::start(1_000).await;
    let text = json!({ "type": "string" });
    let one = schema(json!({ "a": text }), json!([]));
    let two = schema(json!({ "a": text, "b": text }), json!([]));
    for (subject, schema, status, says) in [
        ("clients.rated", one.clone(), 201, "\"version\":1"),
        ("clients.rated", one.clone(), 200, "\"version\":1"),
        ("clients.rated", two.clone(), 201, "\"version\":2"),
        ("clients.rated", one.clone(), 409, "`body.b` is not known any more"),
        ("clients.rated", schema(json!({ "a": text, "b": text }), json!(["a"])), 409, "version 1"),
        ("clients.rated", json!({ "type": "string" }), 409, "was of type"),
        ("clients.rated", json!({ "type": "string", "pattern": "x" }), 422, "pattern"),
        ("clients", one.clone(), 422, "subject"),
        ("nobody.rated", one.clone(), 422, "subject"),
        ("clients.Rated", one, 422, "subject"),
    ] {
        let reply = rig.register(subject, schema.clone()).await;
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.status.as_u16(), status, "{subject} {schema} {body}");
        assert!(body.contains(says), "{body}");
    }
    let page: Schemas = rig.read("/v1/analytics/schemas?limit=3").await;
    assert_eq!((page.schemas.len(), page.next.is_some()), (3, true));
    let path = format!("/v1/analytics/schemas?limit=500&after={}", page.next.unwrap());
    let rest: Schemas = rig.read(&path).await;
    let rated =
        rest.schemas.iter().chain(&page.schemas).filter(|one| one.subject == "clients.rated");
    assert_eq!(rated.map(|one| one.version).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_without_a_schema_are_dead_letters_until_there_is_one() {
    let mut rig = Rig::start(1_000).await;
    let account = Uuid::now_v7();
    let sent = [
        event("page_viewed", None, json!({ "page": "/" })),
        event("page_viewed", None, json!({ "page": 7 })),
        event("page_viewed", Some(9), json!({ "page": "/" })),
        event("rated", None, json!({ "stars": 5 })),
        event("page_viewed", Some(1), json!({ "page": "/end" })),
    ];
    let reply: Accepted = rig.post(account, &sent).await.json().unwrap();
    assert_eq!(reply, Accepted { accepted: 5, duplicates: 0 });
    rig.publish("orders", "exploded", "1", now_ms(), Value::Null);
    rig.publish("payments", "captured", "1", now_ms(), json!({ "order": "no id" }));
    rig.publish("catalog", "stock_received", "tea", now_ms(), json!({ "sku": "tea", "pieces": 4 }));
    rig.show_all();
    rig.quiet(5).await;

    let dead = rig.dead().await;
    let mut reasons: Vec<_> = dead.letters.iter().map(|letter| letter.error.as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(dead.count, 5, "{reasons:?}");
    for says in [
        "`body.page` must be of type `string`",
        "`clients.page_viewed` has no version 9",
        "no schema is registered for `clients.rated`",
        "no schema is registered for `orders.exploded`",
        "`body.payment` is missing",
    ] {
        assert!(reasons.iter().any(|reason| reason.contains(says)), "{says} {reasons:?}");
    }
    // Redriven as they are, they die again; with a schema one does not.
    assert_eq!(rig.redrive().await, 5);
    rig.quiet(5).await;
    assert_eq!(rig.dead().await.count, 5);
    let stars = json!({ "stars": { "type": "integer", "maximum": 5 } });
    assert_eq!(rig.register("clients.rated", schema(stars, json!(["stars"]))).await.status, 201);
    rig.redrive().await;
    rig.kill(None).await;
    rig.quiet(5).await;
    rig.redrive().await;
    rig.quiet(5).await;
    assert_eq!(rig.dead().await.count, 4);
    let activity = rig.windows("activity", true).await;
    let rated = activity.iter().filter(|window| window.key == "rated");
    assert_eq!(rated.map(|window| window.events).sum::<i64>(), 1, "{activity:?}");
    let viewed = activity.iter().filter(|window| window.key == "page_viewed");
    assert_eq!(viewed.map(|window| window.events).sum::<i64>(), 2, "{activity:?}");
    let again: Accepted = rig.post(account, &sent).await.json().unwrap();
    assert_eq!(again, Accepted { accepted: 0, duplicates: 5 });
    let tallies: Vec<Tally> = rig.plain("/internal/inbox").await;
    let clients = tallies.iter().find(|tally| tally.producer == "clients").unwrap();
    assert_eq!((clients.delivered, clients.handled, clients.dead), (5, 3, 2));
    let report = rig.invariants().await;
    assert!(report.holds, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_cannot_be_read_are_refused_whole() {
    let rig = Rig::start(1_000).await;
    let account = Uuid::now_v7();
    let good = || event("page_viewed", None, json!({ "page": "/" }));
    let with = |change: fn(&mut ClientEvent)| {
        let mut event = good();
        change(&mut event);
        json!({ "events": [good(), event] })
    };
    for (body, status, field) in [
        (json!({ "events": [] }), 422, "events"),
        (json!({ "events": vec![good(); 101] }), 422, "events"),
        (with(|event| event.kind = "Page Viewed".to_owned()), 422, "events[1].kind"),
        (with(|event| event.at_ms += 3_600_000), 422, "events[1].at_ms"),
        (with(|event| event.at_ms = -1), 422, "events[1].at_ms"),
        (with(|event| event.version = Some(0)), 422, "events[1].version"),
        (json!({ "events": [{ "id": "x" }] }), 422, "events[0].id"),
        (json!({}), 422, "events"),
    ] {
        let reply = rig.post_json(account, &body).await;
        assert_eq!(reply.status.as_u16(), status, "{reply:?}");
        let problem: Problem = reply.json().unwrap();
        assert_eq!(problem.errors[0].field, field, "{problem:?}");
    }
    let call = chassis::Call::get("analytics", "/v1/analytics/late");
    let reply = rig.send(call, &rig.token(account, &["customer"])).await;
    assert_eq!(reply.status, 403);
    rig.quiet(0).await;
}
