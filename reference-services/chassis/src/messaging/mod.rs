//! Events between services, without loss and without double effect:
//!
//! 1. A service publishes an event in the transaction of the effect that it
//!    tells of: the row in the table `outbox` is there if the effect is.
//! 2. [`transport`] brings events to a consumer. Embedded, the consumer pulls
//!    the producer's feed (`GET /internal/outbox`) from where it stopped.
//! 3. The consumer writes what was delivered into its table `inbox`, together
//!    with how far it has read. An event that it has is not written again.
//! 4. `consumer` handles events in the order of their key. The effect and the
//!    note that it was handled are one transaction.
//! 5. What fails is tried again, later and later, and given up as a dead letter
//!    in the end. Dead letters are listed and redriven under `/internal`.
//!
//! [`journal`] is the seam to the database (one trait; the tables are the same on both engines) and
//! [`transport`] the one to the wire. A service holds a [`Messaging`].

use std::sync::Arc;
use std::time::Duration;

use contracts::messaging::{Event, Feed};
use prometheus::IntCounterVec;
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::crash::CrashPoints;
use crate::serve::Chassis;
use crate::store::{Store, Write};

mod consumer;
mod event;
mod figures;
pub mod journal;
mod routes;
mod sql;
pub mod transport;

pub use consumer::{Handler, Trouble, backoff};
pub use event::{Message, context, continues, decode};
pub use journal::Journal;
pub use sql::SqlJournal;
pub use transport::Transport;

pub(crate) use routes::routes;

use consumer::Consumer;
use figures::Figures;
use transport::HttpFeed;

/// Most events that one request to a feed gives.
pub const MAX_FEED_EVENTS: u32 = 100;

/// Longest time that a request to a feed waits for news, in milliseconds.
pub const MAX_FEED_WAIT_MS: u64 = 4_000;

/// How often a feed that waits for news looks by itself: another replica may
/// have published something.
pub const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Most waiting events of one producer. A consumer fetches no further ones
/// until it is below that: back-pressure stays in the producer's outbox.
pub const MAX_IN_FLIGHT: i64 = 1_000;

/// How often an event is tried before it becomes a dead letter.
pub const MAX_ATTEMPTS: i64 = 8;

/// Most dead letters in one answer.
pub const MAX_LISTED: u32 = 100;

/// How long events are kept after they were published or handled, in
/// milliseconds: a week, so long can a replay reach back.
pub const KEPT_MS: i64 = 7 * 24 * 3600 * 1000;

/// A service's outbox and inbox. Clones share everything.
#[derive(Debug, Clone)]
pub struct Messaging {
    journal: SqlJournal,
    crash: CrashPoints,
    news: Arc<Notify>,
    stop: CancellationToken,
    published: IntCounterVec,
}

impl Messaging {
    /// Makes the tables where there are none.
    pub async fn open(chassis: &Chassis, store: &Store) -> anyhow::Result<Self> {
        let journal = SqlJournal::open(store).await?;
        let labels = ["messaging_destination_name", "kind"];
        let published = chassis.metrics.counter(
            "messaging_published_total",
            "Events that this service published since it started.",
            &labels,
        );
        let this = Self {
            journal,
            crash: chassis.crash.clone(),
            news: store.news(),
            stop: chassis.tasks.stopping(),
            published,
        };
        figures::start(&this, chassis);
        Ok(this)
    }

    /// Publishes an event with the transaction's effect: it is there when the
    /// transaction commits, and not when it does not.
    pub async fn publish(&self, write: &mut Write, message: Message) -> anyhow::Result<()> {
        let counter = self.published.with_label_values(&[message.topic(), message.kind()]);
        event::sent(&message, async |headers| {
            self.journal.publish(write, &message, headers).await?;
            write.announce(counter);
            self.crash.at("outbox.written");
            Ok(())
        })
        .await
    }

    /// Lets `handler` see every event that the peer `producer` publishes.
    pub fn subscribe<H>(&self, chassis: &Chassis, producer: &'static str, handler: H)
    where
        H: Handler<Write>,
    {
        let transport = HttpFeed::new(chassis.client.clone(), producer);
        self.subscribe_through(chassis, producer, transport, handler);
    }

    /// As [`Messaging::subscribe`], with another way for events to come.
    pub fn subscribe_through<T, H>(
        &self,
        chassis: &Chassis,
        producer: &'static str,
        transport: T,
        handler: H,
    ) where
        T: Transport,
        H: Handler<Write>,
    {
        let consumer = Arc::new(Consumer {
            producer,
            group: chassis.config.service.clone(),
            journal: self.journal.clone(),
            transport,
            handler,
            figures: Figures::new(&chassis.metrics, producer),
            crash: self.crash.clone(),
            stop: self.stop.clone(),
        });
        chassis.tasks.repeat("consume events", consumer::PAUSE, move || {
            let consumer = Arc::clone(&consumer);
            async move { consumer.round().await }
        });
    }

    /// Lets every replica hear of what any of them published, from now on, once
    /// each; there is no inbox, so one that starts anew hears nothing again. For
    /// what a process remembers by itself, like a cache.
    pub fn overhear(&self, chassis: &Chassis, hear: impl Fn(&Event) + Send + Sync + 'static) {
        let (this, hear) = (self.clone(), Arc::new(hear));
        let place: Arc<Mutex<Option<i64>>> = Arc::default();
        chassis.tasks.repeat("overhear events", consumer::PAUSE, move || {
            let (this, hear, place) = (this.clone(), Arc::clone(&hear), Arc::clone(&place));
            async move {
                if let Err(error) = this.listen(&mut *place.lock().await, &*hear).await {
                    tracing::debug!(error = format!("{error:#}"), "events were not overheard");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        });
    }

    async fn listen(&self, place: &mut Option<i64>, hear: &impl Fn(&Event)) -> anyhow::Result<()> {
        let Some(after) = *place else {
            *place = Some(self.journal.feed(i64::MAX, 1).await?.last);
            return Ok(());
        };
        let wait = Duration::from_millis(MAX_FEED_WAIT_MS);
        for event in self.news_behind(after, MAX_FEED_EVENTS, wait).await?.events {
            hear(&event);
            *place = Some(event.position);
        }
        Ok(())
    }

    /// What lies behind a place of the outbox; waits for it when there is nothing.
    async fn news_behind(&self, after: i64, limit: u32, wait: Duration) -> anyhow::Result<Feed> {
        let deadline = Instant::now() + wait;
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            // From here on no commit of this process is missed.
            news.as_mut().enable();
            let feed = self.journal.feed(after, limit).await?;
            if !feed.events.is_empty() || Instant::now() >= deadline {
                return Ok(feed);
            }
            let look = (Instant::now() + LOOK_EVERY).min(deadline);
            tokio::select! {
                () = news => {}
                () = tokio::time::sleep_until(look) => {}
                () = self.stop.cancelled() => return Ok(feed),
            }
        }
    }

    /// The tables, for whoever checks them.
    pub fn journal(&self) -> &SqlJournal {
        &self.journal
    }

    /// Delivers the events of a producer behind a place again, from the next
    /// round on. Those whose effect is here have none again.
    pub async fn replay(&self, producer: &str, after: i64) -> anyhow::Result<bool> {
        self.journal.rewind(producer, after).await
    }
}
