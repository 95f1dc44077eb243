//! What clients post, until the inbox has it: a bounded queue. It is read like a
//! producer's feed, so that events of clients are handled, repeated, given up and
//! redriven as all others are.

use chassis::Write;
use chassis::messaging::Journal as _;
use chassis::messaging::transport::Delivery;
use chassis::store::{Row, Source as _, sql, values};
use contracts::messaging::Event;
use uuid::Uuid;

use crate::domain::Source;

use super::{Desk, INSERT};

/// Most events of clients that wait, in this queue and in the inbox.
pub(crate) const MAX_QUEUED: i64 = 2_000;

/// Most events of one customer that wait in this queue.
pub(crate) const MAX_QUEUED_EACH: i64 = 400;

/// Events that the inbox takes at once.
const AT_ONCE: u32 = 100;

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is written down; so many are new.
    All {
        /// Events that are new.
        new: u64,
    },
    /// The queue is full.
    Full,
    /// The customer has too much in it.
    TooMany,
}

impl Desk {
    /// Writes a batch of a customer down, all of it or nothing.
    pub(crate) async fn keep(&self, customer: Uuid, events: &[Event]) -> anyhow::Result<Kept> {
        let inbox = self.in_flight().await?;
        let work = async |write: &mut Write| {
            let waiting = sql("SELECT COUNT(*), COUNT(*) FILTER (WHERE customer = ?1)
                               FROM doorstep");
            let (all, own): (i64, i64) = write.one(waiting.bind(customer), values).await?;
            let more = i64::try_from(events.len())?;
            if own + more > MAX_QUEUED_EACH {
                return Ok(Kept::TooMany);
            }
            if all + inbox + more > MAX_QUEUED {
                return Ok(Kept::Full);
            }
            let mut new = 0;
            for event in events {
                let insert = sql("INSERT INTO doorstep (id, customer, event)
                                  SELECT ?1, ?2, ?3
                                  WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.id = ?1)
                                  ON CONFLICT (id) DO NOTHING");
                let insert = insert.bind(event.id).bind(customer);
                new += write.execute(insert.bind(serde_json::to_string(event)?)).await?;
            }
            self.crash.at("doorstep.written");
            Ok(Kept::All { new })
        };
        self.store.write(INSERT, work).await
    }

    /// Events of clients that the inbox has and that wait there.
    async fn in_flight(&self) -> anyhow::Result<i64> {
        let tallies = self.messaging.journal().tallies().await?;
        let own = tallies.iter().find(|tally| tally.producer == Source::Clients.name());
        Ok(own.map_or(0, |tally| tally.in_flight))
    }

    /// Events of clients that wait, here and in the inbox.
    pub(crate) async fn queued(&self) -> anyhow::Result<i64> {
        let waiting = sql("SELECT COUNT(*) FROM doorstep");
        let here: i64 = self.store.reader().one(waiting, values).await?;
        Ok(here + self.in_flight().await?)
    }

    /// What lies behind a place. What lies before it is in the inbox, and goes.
    pub(crate) async fn posted(&self, after: i64) -> anyhow::Result<Delivery> {
        let mut reader = self.store.reader();
        let behind = sql("SELECT position, event FROM doorstep WHERE position > ?1
                          ORDER BY position LIMIT ?2");
        let read = |row: &Row| {
            let position = row.get("position")?;
            Ok(Event { position, ..row.json::<Event>("event")? })
        };
        let events = reader.all(behind.bind(after).bind(AT_ONCE), read).await?;
        let left = sql("SELECT COUNT(*) FROM doorstep WHERE position <= ?1").bind(after);
        if reader.one::<i64>(left, values).await? > 0 {
            let mut write = self.store.begin().await?;
            let delete = sql("DELETE FROM doorstep WHERE position <= ?1").bind(after);
            write.execute(delete).await?;
            write.commit().await?;
        }
        let position = events.last().map_or(after, |event| event.position);
        Ok(Delivery { events, position })
    }
}
