//! What messaging asks of a database. Nothing else of messaging knows SQL.

use std::collections::BTreeMap;
use std::fmt::Debug;

use contracts::messaging::{DeadLetters, Event, Feed, Tally};
use uuid::Uuid;

use super::event::Message;

/// An event that waits at its consumer.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The event.
    pub event: Event,
    /// How often it was tried.
    pub attempts: i64,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// Events that are new here.
    pub new: u64,
    /// Events that had been delivered before.
    pub duplicates: u64,
}

/// The outbox and inbox tables of one service.
///
/// What an implementation promises:
/// - `publish` and `settle` take part in the transaction they are given.
/// - A place is visible to `feed` only when no lower one can still commit.
/// - `receive` writes events and the cursor in one transaction.
pub trait Journal: Clone + Debug + Send + Sync + 'static {
    /// A transaction that may write.
    type Write: Send;

    /// Starts a transaction.
    fn begin(&self) -> impl Future<Output = anyhow::Result<Self::Write>> + Send;

    /// Makes a transaction's changes last.
    fn commit(&self, write: Self::Write) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Writes an event with the headers of its sender.
    fn publish(
        &self,
        write: &mut Self::Write,
        message: &Message,
        headers: BTreeMap<String, String>,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// At most `limit` events behind the place `after`.
    fn feed(&self, after: i64, limit: u32) -> impl Future<Output = anyhow::Result<Feed>> + Send;

    /// Up to which place the events of `producer` were fetched.
    fn cursor(&self, producer: &str) -> impl Future<Output = anyhow::Result<i64>> + Send;

    /// Keeps events that were delivered, and that those behind `after` were fetched
    /// up to `position`, unless the cursor was set elsewhere meanwhile.
    fn receive(
        &self,
        producer: &str,
        events: &[Event],
        after: i64,
        position: i64,
        now_ms: i64,
    ) -> impl Future<Output = anyhow::Result<Received>> + Send;

    /// At most `limit` events whose turn it is: no earlier one of their key waits
    /// or is still to come, and the time of their next attempt has come.
    fn due(
        &self,
        producer: &str,
        now_ms: i64,
        limit: u32,
    ) -> impl Future<Output = anyhow::Result<Vec<Waiting>>> + Send;

    /// Notes in the effect's transaction that an event was handled. False: it
    /// was handled before, and the transaction must not commit.
    fn settle(
        &self,
        write: &mut Self::Write,
        producer: &str,
        id: Uuid,
        now_ms: i64,
    ) -> impl Future<Output = anyhow::Result<bool>> + Send;

    /// Notes that the attempt after so many others failed: try again at `next_ms`,
    /// or never (none). False: it is not what it was, another replica was faster.
    fn fail(
        &self,
        id: Uuid,
        attempts: i64,
        error: &str,
        next_ms: Option<i64>,
    ) -> impl Future<Output = anyhow::Result<bool>> + Send;

    /// Dead letters, the oldest first.
    fn dead_letters(&self, limit: u32) -> impl Future<Output = anyhow::Result<DeadLetters>> + Send;

    /// Lets dead letters wait again; all of them, when no ids are given.
    fn redrive(&self, ids: &[Uuid]) -> impl Future<Output = anyhow::Result<u64>> + Send;

    /// Sets the cursor back (or forth). False: nothing was read of this producer.
    fn rewind(
        &self,
        producer: &str,
        after: i64,
    ) -> impl Future<Output = anyhow::Result<bool>> + Send;

    /// The counts for each producer. Delivered, in flight and dead are counted
    /// apart from each other, so that their sum says something.
    fn tallies(&self) -> impl Future<Output = anyhow::Result<Vec<Tally>>> + Send;

    /// When the oldest waiting event of each producer was published.
    fn oldest_waiting(&self) -> impl Future<Output = anyhow::Result<Vec<(String, i64)>>> + Send;

    /// Forgets what was published or handled before `before_ms`.
    fn purge(&self, before_ms: i64) -> impl Future<Output = anyhow::Result<()>> + Send;
}
