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

use prometheus::IntCounterVec;
use tokio::sync::Notify;
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
pub use event::{Message, continues, decode};
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
