//! Kept answers: given again without asking, gone when the catalog tells of a
//! change, never given while it cannot be heard, and the same in every form that
//! they travel in.

use std::io::Read;

use chassis::Call;
use flate2::read::GzDecoder;
use gateway::Settings;
use http::{HeaderValue, header};

use crate::rig::{Door, Service, seed, until};

fn products() -> Call {
    Call::get("gateway", "/v1/products")
}

fn asked(service: &Service) -> usize {
    service.requested().iter().filter(|path| path.starts_with("/v1/")).count()
}

/// A feed and a list of products in one: neither reads the other's fields.
fn catalog(last: i64, events: &str) -> String {
    let filler = "x".repeat(2_000);
    format!(r#"{{"products":[],"filler":"{filler}","events":[{events}],"last":{last}}}"#)
}

fn change(position: i64) -> String {
    format!(
        r#"{{"id":"{}","topic":"catalog-events","key":"tea","position":{position},"previous":0,
        "kind":"product_changed","body":{{"sku":"tea","version":{position}}},"context":{{}},
        "published_ms":0}}"#,
        uuid::Uuid::from_u128(7)
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_given_again_until_something_changes() {
    let seed = seed("cache");
    let mut service = Service::start(seed);
    service.behave(crate::rig::Manner { failed: 0.0, takes_ms: (5, 10) });
    service.say(&catalog(1, ""));
    let door = Door::open(&[("catalog", service.address)], Settings::default()).await;
    let hit = async || {
        let reply = door.send(products()).await.unwrap();
        assert_eq!(reply.status, 200);
        reply.headers["cache-status"].to_str().unwrap().contains("hit")
    };
    until("an answer that was kept", async || hit().await).await;
    let before = asked(&service);
    for _ in 0..50 {
        assert!(hit().await);
    }
    assert_eq!(asked(&service), before, "the service was asked again");

    // The same in every form.
    let plain = door.send(products()).await.unwrap();
    let zipped = products().header(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let zipped = door.send(zipped).await.unwrap();
    assert_eq!(zipped.headers[header::CONTENT_ENCODING], "gzip");
    assert!(zipped.body.len() < plain.body.len() / 2);
    let mut text = Vec::new();
    GzDecoder::new(&zipped.body[..]).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain.body);
    for tag in [&plain.headers[header::ETAG], &zipped.headers[header::ETAG]] {
        let known = products().header(header::IF_NONE_MATCH, tag.clone());
        let known = door.send(known).await.unwrap();
        assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
        assert!(known.headers.contains_key(header::ETAG));
    }

    // A change: the service is asked again.
    let before = asked(&service);
    service.say(&catalog(2, &change(2)));
    until("the change", async || asked(&service) > before || !hit().await).await;
    service.say(&catalog(2, ""));
    until("an answer that was kept", async || hit().await).await;
    let text = door.metrics().await;
    let counted = "gateway_cache_invalidations_total{kind=\"product_changed\"}";
    assert!(text.contains(counted), "{text}");

    // A catalog that is gone tells of no changes: what is kept must not be given.
    service.kill();
    let deaf = gateway::cache::DEAF_AFTER;
    tokio::time::sleep(deaf).await;
    until("the end of the cache", async || door.status(products()).await >= 500).await;
    door.running.stop().await;
}
