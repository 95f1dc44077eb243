//! The outbox and inbox in a service's own database. Writers take turns there,
//! so places are given and become visible in the same order, and a transaction
//! that is rolled back gives its place back.

use std::collections::BTreeMap;

use contracts::messaging::{DeadLetter, DeadLetters, Event, Feed, Tally};
use uuid::Uuid;

use crate::clock::now_ms;
use crate::store::{Engine, Operation, Row, Source, Store, Write, sql, values};

use super::event::Message;
use super::journal::{Journal, Received, Waiting};

const TABLES: [&str; 7] = [
    "CREATE TABLE IF NOT EXISTS outbox (
       position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
       id TEXT NOT NULL UNIQUE, topic TEXT NOT NULL, key TEXT NOT NULL,
       previous INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
       context TEXT NOT NULL, published_ms INTEGER NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS outbox_keys ON outbox (key, position)",
    "CREATE TABLE IF NOT EXISTS inbox (
       id TEXT NOT NULL PRIMARY KEY, producer TEXT NOT NULL, position INTEGER NOT NULL,
       previous INTEGER NOT NULL, key TEXT NOT NULL, event TEXT,
       state TEXT NOT NULL CHECK (state IN ('waiting', 'handled', 'dead')),
       attempts INTEGER NOT NULL, next_ms INTEGER NOT NULL, error TEXT NOT NULL,
       published_ms INTEGER NOT NULL, settled_ms INTEGER) STRICT",
    "CREATE INDEX IF NOT EXISTS inbox_positions ON inbox (producer, position)",
    "CREATE INDEX IF NOT EXISTS inbox_waiting ON inbox (producer, key, position)
       WHERE state = 'waiting'",
    "CREATE INDEX IF NOT EXISTS inbox_dead ON inbox (producer, position) WHERE state = 'dead'",
    "CREATE TABLE IF NOT EXISTS inbox_cursors (
       producer TEXT NOT NULL PRIMARY KEY, position INTEGER NOT NULL, floor INTEGER NOT NULL,
       delivered INTEGER NOT NULL, duplicates INTEGER NOT NULL, handled INTEGER NOT NULL) STRICT",
];

/// SQLite gives the next place, also behind those that were forgotten.
const PUBLISH_SQLITE: &str =
    "INSERT INTO outbox (id, topic, key, previous, kind, body, context, published_ms)
     VALUES (?1, ?2, ?3, (SELECT COALESCE(MAX(position), 0) FROM outbox WHERE key = ?3),
       ?4, ?5, ?6, ?7)";

/// PostgreSQL would not take a place back that was given in vain, so it is
/// counted here: the last event is never forgotten.
const PUBLISH_POSTGRES: &str =
    "INSERT INTO outbox (position, id, topic, key, previous, kind, body, context, published_ms)
     VALUES ((SELECT COALESCE(MAX(position), 0) + 1 FROM outbox),
       ?1, ?2, ?3, (SELECT COALESCE(MAX(position), 0) FROM outbox WHERE key = ?3),
       ?4, ?5, ?6, ?7)";

const RECEIVE: Operation = Operation { name: "INSERT", collection: "inbox" };

/// The tables, on either engine.
#[derive(Debug, Clone)]
pub struct SqlJournal {
    store: Store,
}

impl SqlJournal {
    /// Makes the tables where there are none.
    pub(super) async fn open(store: &Store) -> anyhow::Result<Self> {
        store.prepare(&TABLES).await?;
        Ok(Self { store: store.clone() })
    }
}

impl Journal for SqlJournal {
    type Write = Write;

    async fn begin(&self) -> anyhow::Result<Write> {
        Ok(self.store.begin().await?)
    }

    async fn commit(&self, write: Write) -> anyhow::Result<()> {
        Ok(write.commit().await?)
    }

    async fn publish(
        &self,
        write: &mut Write,
        message: &Message,
        headers: BTreeMap<String, String>,
    ) -> anyhow::Result<()> {
        let insert = match self.store.engine() {
            Engine::Sqlite => PUBLISH_SQLITE,
            Engine::Postgres => PUBLISH_POSTGRES,
        };
        let insert = sql(insert)
            .bind(Uuid::now_v7())
            .bind(message.topic())
            .bind(message.key())
            .bind(message.kind())
            .bind(message.body().to_string())
            .bind(serde_json::to_string(&headers)?)
            .bind(now_ms());
        write.execute(insert).await?;
        Ok(())
    }

    async fn feed(&self, after: i64, limit: u32) -> anyhow::Result<Feed> {
        let mut reader = self.store.reader();
        let behind = sql("SELECT * FROM outbox WHERE position > ? ORDER BY position LIMIT ?");
        let events = reader.all(behind.bind(after).bind(limit), event).await?;
        let last = sql("SELECT COALESCE(MAX(position), 0) FROM outbox");
        Ok(Feed { events, last: reader.one(last, values).await? })
    }

    async fn cursor(&self, producer: &str) -> anyhow::Result<i64> {
        let cursor = sql("SELECT position FROM inbox_cursors WHERE producer = ?").bind(producer);
        Ok(self.store.reader().optional(cursor, values).await?.unwrap_or(0))
    }

    async fn receive(
        &self,
        producer: &str,
        events: &[Event],
        after: i64,
        position: i64,
        now_ms: i64,
    ) -> anyhow::Result<Received> {
        let keep_all = async |write: &mut Write| {
            let mut received = Received::default();
            for event in events {
                let new = keep(write, producer, event, now_ms).await?;
                if new { received.new += 1 } else { received.duplicates += 1 }
            }
            let cursor = sql("INSERT INTO inbox_cursors
                         (producer, position, floor, delivered, duplicates, handled)
                       VALUES (?1, ?2, 0, ?3, ?4, 0)
                       ON CONFLICT (producer) DO UPDATE SET
                         position = CASE inbox_cursors.position
                           WHEN ?5 THEN ?2 ELSE inbox_cursors.position END,
                         delivered = inbox_cursors.delivered + ?3,
                         duplicates = inbox_cursors.duplicates + ?4")
            .bind(producer)
            .bind(position)
            .bind(i64::try_from(received.new)?)
            .bind(i64::try_from(received.duplicates)?)
            .bind(after);
            write.execute(cursor).await?;
            Ok(received)
        };
        self.store.write(RECEIVE, keep_all).await
    }

    async fn due(&self, producer: &str, now_ms: i64, limit: u32) -> anyhow::Result<Vec<Waiting>> {
        let due = sql("SELECT event, attempts FROM inbox this
                   WHERE producer = ?1 AND state = 'waiting' AND next_ms <= ?2
                     AND NOT EXISTS (SELECT 1 FROM inbox earlier
                       WHERE earlier.producer = ?1 AND earlier.key = this.key
                         AND earlier.state = 'waiting' AND earlier.position < this.position)
                     AND (previous <= (SELECT floor FROM inbox_cursors WHERE producer = ?1)
                       OR EXISTS (SELECT 1 FROM inbox before
                         WHERE before.producer = ?1 AND before.position = this.previous))
                   ORDER BY position LIMIT ?3")
        .bind(producer)
        .bind(now_ms)
        .bind(limit);
        let waiting =
            |row: &Row| Ok(Waiting { event: row.json("event")?, attempts: row.get("attempts")? });
        self.store.reader().all(due, waiting).await
    }

    async fn settle(
        &self,
        write: &mut Write,
        producer: &str,
        id: Uuid,
        now_ms: i64,
    ) -> anyhow::Result<bool> {
        let handled = sql("UPDATE inbox
                   SET state = 'handled', event = NULL, error = '', settled_ms = ?
                   WHERE id = ? AND state = 'waiting'");
        let settled = write.execute(handled.bind(now_ms).bind(id)).await?;
        let count = sql("UPDATE inbox_cursors SET handled = handled + 1 WHERE producer = ?");
        write.execute(count.bind(producer)).await?;
        Ok(settled == 1)
    }

    async fn fail(
        &self,
        id: Uuid,
        attempts: i64,
        error: &str,
        next_ms: Option<i64>,
    ) -> anyhow::Result<bool> {
        let failed = sql("UPDATE inbox
                   SET state = ?, attempts = attempts + 1, error = ?, next_ms = ?
                   WHERE id = ? AND state = 'waiting' AND attempts = ?")
        .bind(if next_ms.is_some() { "waiting" } else { "dead" })
        .bind(error)
        .bind(next_ms.unwrap_or(0))
        .bind(id)
        .bind(attempts);
        let mut write = self.store.begin().await?;
        let noted = write.execute(failed).await? == 1;
        write.commit().await?;
        Ok(noted)
    }

    async fn dead_letters(&self, limit: u32) -> anyhow::Result<DeadLetters> {
        let mut reader = self.store.reader();
        let count = sql("SELECT COUNT(*) FROM inbox WHERE state = 'dead'");
        let letters = sql("SELECT producer, event, attempts, error FROM inbox WHERE state = 'dead'
                   ORDER BY producer, position LIMIT ?");
        Ok(DeadLetters {
            count: reader.one(count, values).await?,
            letters: reader.all(letters.bind(limit), dead_letter).await?,
        })
    }

    async fn redrive(&self, ids: &[Uuid]) -> anyhow::Result<u64> {
        let mut write = self.store.begin().await?;
        let mut redriven = 0;
        if ids.is_empty() {
            redriven = write.execute(sql(REDRIVE_ALL)).await?;
        }
        for id in ids {
            redriven += write.execute(sql(REDRIVE_ONE).bind(*id)).await?;
        }
        write.commit().await?;
        Ok(redriven)
    }

    async fn rewind(&self, producer: &str, after: i64) -> anyhow::Result<bool> {
        let back = sql("UPDATE inbox_cursors SET position = ? WHERE producer = ?");
        let mut write = self.store.begin().await?;
        let done = write.execute(back.bind(after).bind(producer)).await?;
        write.commit().await?;
        Ok(done == 1)
    }

    async fn tallies(&self) -> anyhow::Result<Vec<Tally>> {
        let tallies = sql("SELECT producer, position, delivered, duplicates, handled,
                     (SELECT COUNT(*) FROM inbox WHERE producer = tally.producer
                       AND state = 'waiting') AS in_flight,
                     (SELECT COUNT(*) FROM inbox WHERE producer = tally.producer
                       AND state = 'dead') AS dead
                   FROM inbox_cursors tally ORDER BY producer");
        self.store.reader().all(tallies, tally).await
    }

    async fn oldest_waiting(&self) -> anyhow::Result<Vec<(String, i64)>> {
        let oldest = sql("SELECT producer, MIN(published_ms) FROM inbox WHERE state = 'waiting'
                   GROUP BY producer");
        self.store.reader().all(oldest, values).await
    }

    async fn purge(&self, before_ms: i64) -> anyhow::Result<()> {
        let mut write = self.store.begin().await?;
        // The last one stays: the next place follows from it.
        let outbox = sql("DELETE FROM outbox WHERE published_ms < ?
                     AND position < (SELECT MAX(position) FROM outbox)");
        write.execute(outbox.bind(before_ms)).await?;
        // What waits behind a handled event must not miss it: nothing behind the
        // first waiting one is forgotten, and `floor` says up to where all is done.
        let floor = sql("UPDATE inbox_cursors SET floor = COALESCE((
                       SELECT MAX(position) FROM inbox
                       WHERE producer = inbox_cursors.producer AND settled_ms < ?
                         AND position > inbox_cursors.floor
                         AND position < COALESCE((SELECT MIN(position) FROM inbox waiting
                           WHERE waiting.producer = inbox_cursors.producer
                             AND waiting.state = 'waiting'), 9223372036854775807)), floor)");
        write.execute(floor.bind(before_ms)).await?;
        let inbox = sql("DELETE FROM inbox
                   WHERE state = 'handled' AND settled_ms < ? AND position <=
                     (SELECT floor FROM inbox_cursors WHERE producer = inbox.producer)");
        write.execute(inbox.bind(before_ms)).await?;
        Ok(write.commit().await?)
    }
}

const REDRIVE_ALL: &str =
    "UPDATE inbox SET state = 'waiting', attempts = 0, next_ms = 0 WHERE state = 'dead'";

const REDRIVE_ONE: &str =
    "UPDATE inbox SET state = 'waiting', attempts = 0, next_ms = 0 WHERE state = 'dead' AND id = ?";

/// Writes an event that was delivered. False: it is here already.
async fn keep(
    write: &mut Write,
    producer: &str,
    event: &Event,
    now_ms: i64,
) -> anyhow::Result<bool> {
    let insert = sql("INSERT INTO inbox (id, producer, position, previous, key, event, state,
                 attempts, next_ms, error, published_ms)
               SELECT ?1, ?2, ?3, ?4, ?5, ?6, 'waiting', 0, ?7, '', ?8
               WHERE ?3 > COALESCE((SELECT floor FROM inbox_cursors WHERE producer = ?2), 0)
               ON CONFLICT (id) DO NOTHING")
    .bind(event.id)
    .bind(producer)
    .bind(event.position)
    .bind(event.previous)
    .bind(&event.key)
    .bind(serde_json::to_string(event)?)
    .bind(now_ms)
    .bind(event.published_ms);
    Ok(write.execute(insert).await? == 1)
}

fn event(row: &Row) -> anyhow::Result<Event> {
    Ok(Event {
        id: row.get("id")?,
        topic: row.get("topic")?,
        key: row.get("key")?,
        position: row.get("position")?,
        previous: row.get("previous")?,
        kind: row.get("kind")?,
        body: row.json("body")?,
        context: row.json("context")?,
        published_ms: row.get("published_ms")?,
    })
}

fn dead_letter(row: &Row) -> anyhow::Result<DeadLetter> {
    Ok(DeadLetter {
        producer: row.get("producer")?,
        event: row.json("event")?,
        attempts: row.get("attempts")?,
        error: row.get("error")?,
    })
}

fn tally(row: &Row) -> anyhow::Result<Tally> {
    Ok(Tally {
        producer: row.get("producer")?,
        position: row.get("position")?,
        delivered: row.get("delivered")?,
        duplicates: row.get("duplicates")?,
        handled: row.get("handled")?,
        in_flight: row.get("in_flight")?,
        dead: row.get("dead")?,
    })
}
