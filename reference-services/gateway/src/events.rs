//! What the gateway hears: that products have changed, so that answers about
//! them go ([`crate::cache`]). Every gateway keeps answers of its own and so
//! hears every event, and one that starts has nothing to forget: it needs no
//! inbox, and reads the feed from where it stands when it first gets there.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use chassis::messaging::transport::FEED_PATH;
use chassis::messaging::{MAX_FEED_EVENTS, MAX_FEED_WAIT_MS, decode};
use chassis::{Call, Chassis, Client};
use contracts::catalog::CatalogEvent;
use contracts::messaging::Feed;

use crate::cache::Answers;

/// Pause between two rounds. A round waits for news by itself.
const PAUSE: Duration = Duration::from_millis(10);

/// Pause after the catalog could not be heard.
const AWAY: Duration = Duration::from_millis(500);

/// Time for an answer, beyond what it may wait for news.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Not there yet.
const NOWHERE: i64 = -1;

/// Forgets answers when the catalog tells of changes, from now on.
pub(crate) fn follow(chassis: &Chassis, answers: &Answers) {
    let place = Arc::new(AtomicI64::new(NOWHERE));
    let (client, answers, stop) =
        (chassis.client.clone(), answers.clone(), chassis.tasks.stopping());
    chassis.tasks.repeat("hear of changes", PAUSE, move || {
        let (client, answers, place) = (client.clone(), answers.clone(), Arc::clone(&place));
        let stop = stop.clone();
        async move {
            tokio::select! {
                heard = hear(&client, &answers, &place) => {
                    if let Err(error) = heard {
                        tracing::debug!(error = format!("{error:#}"), "changes are not heard");
                        tokio::time::sleep(AWAY).await;
                    }
                }
                () = stop.cancelled() => {}
            }
        }
    });
}

async fn hear(client: &Client, answers: &Answers, place: &AtomicI64) -> anyhow::Result<()> {
    let after = place.load(Ordering::Relaxed);
    if after == NOWHERE {
        let feed = fetch(client, i64::MAX, 0).await?;
        answers.start_anew();
        place.store(feed.last, Ordering::Relaxed);
    } else {
        let feed = fetch(client, after, MAX_FEED_WAIT_MS).await?;
        if feed.last < after {
            // It is another feed than before.
            place.store(NOWHERE, Ordering::Relaxed);
            return Ok(());
        }
        for event in &feed.events {
            // A kind of event that is not known concerns no answer.
            if let Ok(CatalogEvent::ProductChanged { sku, version }) = decode(event) {
                answers.changed(&sku, version);
            }
            place.store(event.position, Ordering::Relaxed);
        }
    }
    answers.heard();
    Ok(())
}

async fn fetch(client: &Client, after: i64, wait_ms: u64) -> anyhow::Result<Feed> {
    let path = format!("{FEED_PATH}?after={after}&limit={MAX_FEED_EVENTS}&wait_ms={wait_ms}");
    let call = Call::get("catalog", FEED_PATH)
        .path(path)
        .untraced()
        .timeout(Duration::from_millis(wait_ms) + ANSWER_TIMEOUT);
    let reply = client.call(call).await?;
    anyhow::ensure!(reply.status.is_success(), "the feed answered {}", reply.status);
    reply.json().context("the feed cannot be read")
}
