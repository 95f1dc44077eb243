//! How events come from a producer to a consumer. Whatever implements
//! [`Transport`] may deliver an event several times and in any order: the inbox
//! sorts that out. It may not lose one.

use std::time::Duration;

use anyhow::Context as _;
use contracts::messaging::{Event, Feed};

use crate::client::{Call, Client};

use super::MAX_FEED_EVENTS;

/// The path of a producer's feed.
pub const FEED_PATH: &str = "/internal/outbox";

/// Time for the answer itself, beyond the time that it may wait for news.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// What a transport brings.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    /// The events, in any order.
    pub events: Vec<Event>,
    /// Every event up to this place has been delivered now.
    pub position: i64,
}

/// Brings events.
pub trait Transport: Send + Sync + 'static {
    /// Events behind the place `after`; waits up to `wait` when there are none.
    fn fetch(
        &self,
        after: i64,
        wait: Duration,
    ) -> impl Future<Output = anyhow::Result<Delivery>> + Send;
}

/// The embedded transport: asks the producer for what lies behind a place.
#[derive(Debug, Clone)]
pub struct HttpFeed {
    client: Client,
    producer: &'static str,
}

impl HttpFeed {
    /// The feed of the peer `producer`.
    pub fn new(client: Client, producer: &'static str) -> Self {
        Self { client, producer }
    }
}

impl Transport for HttpFeed {
    async fn fetch(&self, after: i64, wait: Duration) -> anyhow::Result<Delivery> {
        let wait_ms = wait.as_millis();
        let path = format!("{FEED_PATH}?after={after}&limit={MAX_FEED_EVENTS}&wait_ms={wait_ms}");
        let call = Call::get(self.producer, FEED_PATH)
            .path(path)
            .untraced()
            .timeout(wait + ANSWER_TIMEOUT);
        let reply = self.client.call(call).await?;
        anyhow::ensure!(reply.status.is_success(), "the feed answered {}", reply.status);
        let feed: Feed = reply.json().context("the feed cannot be read")?;
        let position = feed.events.last().map_or(after, |event| event.position);
        Ok(Delivery { events: feed.events, position })
    }
}
