//! The SQL of what a customer sees and sets: the stream in the app, how he was told of
//! one thing, and where his webhook is. `api` and `stream` ask for it.

use chassis::store::{Row, Source, sql, values};
use chassis::{Operation, Write};
use contracts::notifications::{Kind, Notification, Notifications};
use uuid::Uuid;

use super::{Desk, LOOK, delivery};

const LIST: Operation = Operation { name: "SELECT", collection: "messages" };
const READ: Operation = Operation { name: "UPDATE", collection: "messages" };
const HOOK: Operation = Operation { name: "SELECT", collection: "webhooks" };
const SET_HOOK: Operation = Operation { name: "INSERT", collection: "webhooks" };

impl Desk {
    /// A customer's newest notifications before a place in the stream.
    pub(crate) async fn list(
        &self,
        customer: Uuid,
        before: Option<i64>,
        limit: u32,
    ) -> anyhow::Result<Notifications> {
        let query = sql("SELECT * FROM messages WHERE customer = ?1 AND position < ?2
                         ORDER BY position DESC LIMIT ?3");
        let query = query.bind(customer).bind(before.unwrap_or(i64::MAX));
        let query = query.bind(i64::from(limit) + 1);
        let mut notifications = self.store.all(LIST, query, notification).await?;
        let more = notifications.len() > limit as usize;
        notifications.truncate(limit as usize);
        let next = notifications.last().map(|last| last.position).filter(|_| more);
        let unread = self.unread(customer).await?;
        Ok(Notifications { notifications, unread, next })
    }

    /// A customer's notifications behind a place in the stream, the oldest first.
    pub(crate) async fn behind(
        &self,
        customer: Uuid,
        after: i64,
        limit: u32,
    ) -> anyhow::Result<Vec<Notification>> {
        let query = sql("SELECT * FROM messages WHERE customer = ?1 AND position > ?2
                         ORDER BY position LIMIT ?3");
        let query = query.bind(customer).bind(after).bind(limit);
        self.store.all(LIST, query, notification).await
    }

    /// The newest place in the stream of all customers.
    pub(crate) async fn newest(&self) -> anyhow::Result<i64> {
        let query = sql("SELECT value FROM counters WHERE name = 'position'");
        self.store.reader().one(query, values).await
    }

    pub(crate) async fn unread(&self, customer: Uuid) -> anyhow::Result<i64> {
        let query = sql("SELECT COUNT(*) FROM messages WHERE customer = ?1 AND is_read = 0");
        self.store.reader().one(query.bind(customer), values).await
    }

    /// Marks a customer's notifications up to a place as read.
    pub(crate) async fn mark_read(&self, customer: Uuid, up_to: i64) -> anyhow::Result<()> {
        let update = sql("UPDATE messages SET is_read = 1
                          WHERE customer = ?1 AND position <= ?2 AND is_read = 0");
        let update = update.bind(customer).bind(up_to);
        let work = async |write: &mut Write| write.execute(update).await;
        self.store.write(READ, work).await?;
        Ok(())
    }

    /// How a customer was told of one thing.
    pub(crate) async fn told(
        &self,
        customer: Uuid,
        id: Uuid,
    ) -> anyhow::Result<Option<contracts::notifications::Told>> {
        let query = sql("SELECT kind, order_id FROM notifications WHERE id = ?1 AND customer = ?2");
        let read = |row: &Row| Ok((row.word("kind", Kind::from_name)?, row.get("order_id")?));
        let found = self.store.optional(LOOK, query.bind(id).bind(customer), read).await?;
        let Some((kind, order)) = found else { return Ok(None) };
        let query = sql("SELECT channel, state, attempts, reason FROM deliveries
                         WHERE notification_id = ?1 ORDER BY channel");
        let deliveries = self.store.reader().all(query.bind(id), delivery).await?;
        Ok(Some(contracts::notifications::Told { id, kind, order, deliveries }))
    }

    /// The address of a customer's webhook, and when it was set.
    pub(crate) async fn webhook(&self, customer: Uuid) -> anyhow::Result<Option<(String, i64)>> {
        let query = sql("SELECT url, created_ms FROM webhooks WHERE customer = ?1");
        self.store.optional(HOOK, query.bind(customer), values).await
    }

    /// Removes the address of a customer's webhook, unless it was set anew since.
    pub(crate) async fn drop_webhook(&self, customer: Uuid, set_ms: i64) -> anyhow::Result<()> {
        let gone = sql("DELETE FROM webhooks WHERE customer = ?1 AND created_ms = ?2");
        let gone = gone.bind(customer).bind(set_ms);
        self.store.write(SET_HOOK, async |write: &mut Write| write.execute(gone).await).await?;
        Ok(())
    }

    /// Sets or removes the address of a customer's webhook.
    pub(crate) async fn set_webhook(
        &self,
        customer: Uuid,
        url: Option<&str>,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        let change = match url {
            Some(url) => {
                let insert = sql("INSERT INTO webhooks (customer, url, created_ms)
                                  VALUES (?1, ?2, ?3)
                                  ON CONFLICT (customer) DO UPDATE SET url = ?2, created_ms = ?3");
                insert.bind(customer).bind(url).bind(now_ms)
            }
            None => sql("DELETE FROM webhooks WHERE customer = ?1").bind(customer),
        };
        self.store.write(SET_HOOK, async |write: &mut Write| write.execute(change).await).await?;
        Ok(())
    }
}

fn notification(row: &Row) -> anyhow::Result<Notification> {
    Ok(Notification {
        id: row.get("notification_id")?,
        position: row.get("position")?,
        kind: row.word("kind", Kind::from_name)?,
        order: row.get("order_id")?,
        subject: row.get("subject")?,
        text: row.get("body")?,
        created_ms: row.get("created_ms")?,
        read: row.get("is_read")?,
    })
}
