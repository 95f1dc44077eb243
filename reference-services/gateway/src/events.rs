//! What the gateway hears: that products have changed, so that answers about
//! them go ([`crate::cache`]), and that sessions were ended
//! ([`crate::revocations`]). Every gateway remembers for itself and so hears every
//! event, and one that starts has nothing to forget: it needs no inbox, and reads
//! the feed from where it stands when it first gets there.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use chassis::messaging::transport::FEED_PATH;
use chassis::messaging::{MAX_FEED_EVENTS, MAX_FEED_WAIT_MS, decode};
use chassis::{Call, Chassis, Client};
use contracts::catalog::CatalogEvent;
use contracts::messaging::{Event, Feed};

use crate::cache::Answers;

/// Pause between two rounds. A round waits for news by itself.
const PAUSE: Duration = Duration::from_millis(10);

/// Pause after a service could not be heard.
const AWAY: Duration = Duration::from_millis(500);

/// Time for an answer, beyond what it may wait for news.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Not there yet.
const NOWHERE: i64 = -1;

/// Who hears the events of a service.
pub(crate) trait Listener: Send + Sync + 'static {
    /// Whatever is heard comes after this moment: what was before is not known, or is
    /// asked for here.
    fn begin(&self) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// An event came.
    fn hear(&self, event: &Event);

    /// Up to now everything was heard.
    fn heard(&self);
}

/// Lets `listener` hear the events of `peer` from now on.
pub(crate) fn follow<L: Listener>(
    chassis: &Chassis,
    peer: &'static str,
    task: &'static str,
    listener: L,
) {
    let feed = Arc::new(Following {
        peer,
        client: chassis.client.clone(),
        listener,
        place: AtomicI64::new(NOWHERE),
    });
    let stop = chassis.tasks.stopping();
    chassis.tasks.repeat(task, PAUSE, move || {
        let (feed, stop) = (Arc::clone(&feed), stop.clone());
        async move {
            tokio::select! {
                heard = feed.round() => {
                    if let Err(error) = heard {
                        tracing::debug!(peer, error = format!("{error:#}"), "events are not heard");
                        tokio::time::sleep(AWAY).await;
                    }
                }
                () = stop.cancelled() => {}
            }
        }
    });
}

/// A feed that is followed, and how far it was read.
struct Following<L> {
    peer: &'static str,
    client: Client,
    listener: L,
    place: AtomicI64,
}

impl<L: Listener> Following<L> {
    async fn round(&self) -> anyhow::Result<()> {
        let after = self.place.load(Ordering::Relaxed);
        if after == NOWHERE {
            let feed = self.fetch(i64::MAX, 0).await?;
            self.listener.begin().await?;
            self.place.store(feed.last, Ordering::Relaxed);
        } else {
            let feed = self.fetch(after, MAX_FEED_WAIT_MS).await?;
            if feed.last < after {
                // It is another feed than before.
                self.place.store(NOWHERE, Ordering::Relaxed);
                return Ok(());
            }
            for event in &feed.events {
                self.listener.hear(event);
                self.place.store(event.position, Ordering::Relaxed);
            }
        }
        self.listener.heard();
        Ok(())
    }

    async fn fetch(&self, after: i64, wait_ms: u64) -> anyhow::Result<Feed> {
        let path = format!("{FEED_PATH}?after={after}&limit={MAX_FEED_EVENTS}&wait_ms={wait_ms}");
        let call = Call::get(self.peer, FEED_PATH)
            .path(path)
            .untraced()
            .timeout(Duration::from_millis(wait_ms) + ANSWER_TIMEOUT);
        let reply = self.client.call(call).await?;
        anyhow::ensure!(reply.status.is_success(), "the feed answered {}", reply.status);
        reply.json().context("the feed cannot be read")
    }
}

/// Forgets answers when the catalog tells of changes, from now on.
impl Listener for Answers {
    async fn begin(&self) -> anyhow::Result<()> {
        self.start_anew();
        Ok(())
    }

    fn hear(&self, event: &Event) {
        // A kind of event that is not known concerns no answer.
        if let Ok(CatalogEvent::ProductChanged { sku, version }) = decode(event) {
            self.changed(&sku, version);
        }
    }

    fn heard(&self) {
        Answers::heard(self);
    }
}
