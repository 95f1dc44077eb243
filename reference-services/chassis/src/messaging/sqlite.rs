//! The outbox and inbox in a service's own SQLite database. Writers take turns
//! there, so places are given and become visible in the same order, and a
//! transaction that is rolled back gives its place back.

use std::collections::BTreeMap;

use anyhow::Context as _;
use contracts::messaging::{DeadLetter, DeadLetters, Event, Feed, Tally};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::clock::now_ms;
use crate::store::{Operation, Store, Write};

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

const RECEIVE: Operation = Operation { name: "INSERT", collection: "inbox" };

/// The tables in SQLite.
#[derive(Debug, Clone)]
pub struct SqliteJournal {
    store: Store,
}

impl SqliteJournal {
    /// Makes the tables where there are none.
    pub(super) async fn open(store: &Store) -> anyhow::Result<Self> {
        for table in TABLES {
            sqlx::query(table).execute(store.pool()).await?;
        }
        Ok(Self { store: store.clone() })
    }
}

impl Journal for SqliteJournal {
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
        let sql = "INSERT INTO outbox (id, topic, key, previous, kind, body, context, published_ms)
                   VALUES (?1, ?2, ?3,
                     (SELECT COALESCE(MAX(position), 0) FROM outbox WHERE key = ?3),
                     ?4, ?5, ?6, ?7)";
        sqlx::query(sql)
            .bind(Uuid::now_v7().to_string())
            .bind(message.topic())
            .bind(message.key())
            .bind(message.kind())
            .bind(message.body().to_string())
            .bind(serde_json::to_string(&headers)?)
            .bind(now_ms())
            .execute(&mut **write)
            .await?;
        Ok(())
    }

    async fn feed(&self, after: i64, limit: u32) -> anyhow::Result<Feed> {
        let sql = "SELECT * FROM outbox WHERE position > ? ORDER BY position LIMIT ?";
        let rows = sqlx::query(sql).bind(after).bind(limit).fetch_all(self.store.pool()).await?;
        let events = rows.iter().map(event).collect::<anyhow::Result<Vec<_>>>()?;
        let last = "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'";
        let last: Option<i64> = sqlx::query_scalar(last).fetch_optional(self.store.pool()).await?;
        Ok(Feed { events, last: last.unwrap_or(0) })
    }

    async fn cursor(&self, producer: &str) -> anyhow::Result<i64> {
        let query = sqlx::query_scalar("SELECT position FROM inbox_cursors WHERE producer = ?");
        let found: Option<i64> = query.bind(producer).fetch_optional(self.store.pool()).await?;
        Ok(found.unwrap_or(0))
    }

    async fn receive(
        &self,
        producer: &str,
        events: &[Event],
        after: i64,
        position: i64,
        now_ms: i64,
    ) -> anyhow::Result<Received> {
        let work = async {
            let mut write = self.store.begin().await?;
            let mut received = Received::default();
            for event in events {
                let new = keep(&mut write, producer, event, now_ms).await?;
                if new { received.new += 1 } else { received.duplicates += 1 }
            }
            let sql = "INSERT INTO inbox_cursors
                         (producer, position, floor, delivered, duplicates, handled)
                       VALUES (?1, ?2, 0, ?3, ?4, 0)
                       ON CONFLICT (producer) DO UPDATE SET
                         position = CASE position WHEN ?5 THEN ?2 ELSE position END,
                         delivered = delivered + ?3, duplicates = duplicates + ?4";
            sqlx::query(sql)
                .bind(producer)
                .bind(position)
                .bind(i64::try_from(received.new)?)
                .bind(i64::try_from(received.duplicates)?)
                .bind(after)
                .execute(&mut *write)
                .await?;
            write.commit().await?;
            anyhow::Ok(received)
        };
        self.store.run(RECEIVE, work).await
    }

    async fn due(&self, producer: &str, now_ms: i64, limit: u32) -> anyhow::Result<Vec<Waiting>> {
        let sql = "SELECT event, attempts FROM inbox this
                   WHERE producer = ?1 AND state = 'waiting' AND next_ms <= ?2
                     AND NOT EXISTS (SELECT 1 FROM inbox earlier
                       WHERE earlier.producer = ?1 AND earlier.key = this.key
                         AND earlier.state = 'waiting' AND earlier.position < this.position)
                     AND (previous <= (SELECT floor FROM inbox_cursors WHERE producer = ?1)
                       OR EXISTS (SELECT 1 FROM inbox before
                         WHERE before.producer = ?1 AND before.position = this.previous))
                   ORDER BY position LIMIT ?3";
        let query = sqlx::query(sql).bind(producer).bind(now_ms).bind(limit);
        let rows = query.fetch_all(self.store.pool()).await?;
        let waiting = rows.iter().map(|row| {
            let event = serde_json::from_str(row.try_get("event")?)?;
            Ok(Waiting { event, attempts: row.try_get("attempts")? })
        });
        waiting.collect()
    }

    async fn settle(
        &self,
        write: &mut Write,
        producer: &str,
        id: Uuid,
        now_ms: i64,
    ) -> anyhow::Result<bool> {
        let sql = "UPDATE inbox SET state = 'handled', event = NULL, error = '', settled_ms = ?
                   WHERE id = ? AND state = 'waiting'";
        let settled =
            sqlx::query(sql).bind(now_ms).bind(id.to_string()).execute(&mut **write).await?;
        let sql = "UPDATE inbox_cursors SET handled = handled + 1 WHERE producer = ?";
        sqlx::query(sql).bind(producer).execute(&mut **write).await?;
        Ok(settled.rows_affected() == 1)
    }

    async fn fail(&self, id: Uuid, error: &str, next_ms: Option<i64>) -> anyhow::Result<()> {
        let state = if next_ms.is_some() { "waiting" } else { "dead" };
        let sql = "UPDATE inbox SET state = ?, attempts = attempts + 1, error = ?, next_ms = ?
                   WHERE id = ? AND state = 'waiting'";
        let mut write = self.store.begin().await?;
        sqlx::query(sql)
            .bind(state)
            .bind(error)
            .bind(next_ms.unwrap_or(0))
            .bind(id.to_string())
            .execute(&mut *write)
            .await?;
        Ok(write.commit().await?)
    }

    async fn dead_letters(&self, limit: u32) -> anyhow::Result<DeadLetters> {
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM inbox WHERE state = 'dead'")
            .fetch_one(self.store.pool())
            .await?;
        let sql = "SELECT producer, event, attempts, error FROM inbox WHERE state = 'dead'
                   ORDER BY producer, position LIMIT ?";
        let rows = sqlx::query(sql).bind(limit).fetch_all(self.store.pool()).await?;
        let letters = rows.iter().map(|row| {
            Ok(DeadLetter {
                producer: row.try_get("producer")?,
                event: serde_json::from_str(row.try_get("event")?)?,
                attempts: row.try_get("attempts")?,
                error: row.try_get("error")?,
            })
        });
        Ok(DeadLetters { count, letters: letters.collect::<anyhow::Result<_>>()? })
    }

    async fn redrive(&self, ids: &[Uuid]) -> anyhow::Result<u64> {
        let sql = "UPDATE inbox SET state = 'waiting', attempts = 0, next_ms = 0
                   WHERE state = 'dead'
                     AND (?1 = '[]' OR id IN (SELECT value FROM json_each(?1)))";
        let mut write = self.store.begin().await?;
        let ids = serde_json::to_string(ids)?;
        let done = sqlx::query(sql).bind(ids).execute(&mut *write).await?;
        write.commit().await?;
        Ok(done.rows_affected())
    }

    async fn rewind(&self, producer: &str, after: i64) -> anyhow::Result<bool> {
        let sql = "UPDATE inbox_cursors SET position = ? WHERE producer = ?";
        let mut write = self.store.begin().await?;
        let done = sqlx::query(sql).bind(after).bind(producer).execute(&mut *write).await?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    async fn tallies(&self) -> anyhow::Result<Vec<Tally>> {
        let sql = "SELECT producer, position, delivered, duplicates, handled,
                     (SELECT COUNT(*) FROM inbox WHERE producer = cursor.producer
                       AND state = 'waiting') AS in_flight,
                     (SELECT COUNT(*) FROM inbox WHERE producer = cursor.producer
                       AND state = 'dead') AS dead
                   FROM inbox_cursors cursor ORDER BY producer";
        let rows = sqlx::query(sql).fetch_all(self.store.pool()).await?;
        rows.iter().map(tally).collect()
    }

    async fn oldest_waiting(&self) -> anyhow::Result<Vec<(String, i64)>> {
        let sql = "SELECT producer, MIN(published_ms) FROM inbox WHERE state = 'waiting'
                   GROUP BY producer";
        Ok(sqlx::query_as(sql).fetch_all(self.store.pool()).await?)
    }

    async fn purge(&self, before_ms: i64) -> anyhow::Result<()> {
        let mut write = self.store.begin().await?;
        sqlx::query("DELETE FROM outbox WHERE published_ms < ?")
            .bind(before_ms)
            .execute(&mut *write)
            .await?;
        // What waits behind a handled event must not miss it: nothing behind the
        // first waiting one is forgotten, and `floor` says up to where all is done.
        let floor = "UPDATE inbox_cursors SET floor = MAX(floor, COALESCE((
                       SELECT MAX(position) FROM inbox
                       WHERE producer = inbox_cursors.producer AND settled_ms < ?
                         AND position < COALESCE((SELECT MIN(position) FROM inbox waiting
                           WHERE waiting.producer = inbox_cursors.producer
                             AND waiting.state = 'waiting'), 9223372036854775807)), 0))";
        sqlx::query(floor).bind(before_ms).execute(&mut *write).await?;
        let sql = "DELETE FROM inbox WHERE state = 'handled' AND settled_ms < ? AND position <=
                     (SELECT floor FROM inbox_cursors WHERE producer = inbox.producer)";
        sqlx::query(sql).bind(before_ms).execute(&mut *write).await?;
        Ok(write.commit().await?)
    }
}

/// Writes an event that was delivered. False: it is here already.
async fn keep(
    write: &mut Write,
    producer: &str,
    event: &Event,
    now_ms: i64,
) -> anyhow::Result<bool> {
    let sql = "INSERT INTO inbox (id, producer, position, previous, key, event, state, attempts,
                 next_ms, error, published_ms)
               SELECT ?1, ?2, ?3, ?4, ?5, ?6, 'waiting', 0, ?7, '', ?8
               WHERE ?3 > COALESCE((SELECT floor FROM inbox_cursors WHERE producer = ?2), 0)
               ON CONFLICT (id) DO NOTHING";
    let done = sqlx::query(sql)
        .bind(event.id.to_string())
        .bind(producer)
        .bind(event.position)
        .bind(event.previous)
        .bind(&event.key)
        .bind(serde_json::to_string(event)?)
        .bind(now_ms)
        .bind(event.published_ms)
        .execute(&mut **write)
        .await?;
    Ok(done.rows_affected() == 1)
}

fn event(row: &SqliteRow) -> anyhow::Result<Event> {
    let id: &str = row.try_get("id")?;
    Ok(Event {
        id: Uuid::parse_str(id).with_context(|| format!("`{id}` is no event's id"))?,
        topic: row.try_get("topic")?,
        key: row.try_get("key")?,
        position: row.try_get("position")?,
        previous: row.try_get("previous")?,
        kind: row.try_get("kind")?,
        body: serde_json::from_str(row.try_get("body")?)?,
        context: serde_json::from_str(row.try_get("context")?)?,
        published_ms: row.try_get("published_ms")?,
    })
}

fn tally(row: &SqliteRow) -> anyhow::Result<Tally> {
    Ok(Tally {
        producer: row.try_get("producer")?,
        position: row.try_get("position")?,
        delivered: row.try_get("delivered")?,
        duplicates: row.try_get("duplicates")?,
        handled: row.try_get("handled")?,
        in_flight: row.try_get("in_flight")?,
        dead: row.try_get("dead")?,
    })
}
