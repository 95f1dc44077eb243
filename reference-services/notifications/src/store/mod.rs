//! The SQL of notifications and their deliveries. `events`, `dispatch` and `api` hand it
//! typed values; `customer` has what a customer asks for, `checks` what must hold.
//! Each change of a row's state is conditional on the state before, so whoever
//! comes second changes nothing.

mod checks;
mod customer;

use std::collections::BTreeMap;

use chassis::store::{Row, Source, sql, values};
use chassis::{Chassis, Messaging, Migrations, Operation, Store, Write};
use contracts::messaging::Event;
use contracts::money::{Currency, Money};
use contracts::notifications::{
    Channel, DeadDelivery, Delivery, DeliveryState, Kind, Notification,
};
use contracts::users::Language;
use uuid::Uuid;

use crate::domain::{Facts, Plan, Told, language};

static MIGRATIONS: Migrations = Migrations::new(sqlx::migrate!("./migrations"));

const TAKE: Operation = Operation { name: "UPDATE", collection: "deliveries" };
const PLAN: Operation = Operation { name: "INSERT", collection: "deliveries" };
const LOOK: Operation = Operation { name: "SELECT", collection: "deliveries" };

/// Notifications that are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: u32 = 500;

/// A notification that no channel is chosen for yet.
#[derive(Debug, Clone)]
pub(crate) struct New {
    pub(crate) told: Told,
    pub(crate) total: Money,
    pub(crate) has_webhook: bool,
    pub(crate) attempts: i64,
}

/// What was decided for a notification.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) told: Told,
    pub(crate) language: Language,
    pub(crate) plans: [(Channel, Plan); 3],
    /// Subject and text for the stream.
    pub(crate) subject: String,
    pub(crate) text: String,
}

/// A delivery that was taken to be sent now.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) told: Told,
    pub(crate) total: Money,
    pub(crate) language: Language,
    pub(crate) channel: Channel,
    /// This attempt is counted.
    pub(crate) attempts: i64,
    /// Of the event that it tells of.
    pub(crate) context: BTreeMap<String, String>,
}

/// What became of an attempt.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Sent,
    Again { at_ms: i64, reason: String },
    Dead(String),
    Suppressed(&'static str),
}

/// Deliveries of one channel that are not settled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    pub(crate) waiting: i64,
    pub(crate) dead: i64,
    /// When the one that is due longest was due.
    pub(crate) oldest_ms: Option<i64>,
}

/// The notifications.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    store: Store,
    messaging: Messaging,
}

impl Desk {
    pub(crate) async fn open(chassis: &Chassis) -> anyhow::Result<Self> {
        let store = Store::open(chassis, &MIGRATIONS).await?;
        let messaging = Messaging::open(chassis, &store).await?;
        Ok(Self { store, messaging })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    /// Learns whose order it is, within the event's transaction. What was told
    /// of the order before finds its customer now.
    pub(crate) async fn know(
        &self,
        write: &mut Write,
        order: Uuid,
        customer: Uuid,
        total: Money,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        let insert =
            sql("INSERT INTO orders (order_id, customer, total_minor, currency, created_ms)
                          VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (order_id) DO NOTHING");
        let insert = insert.bind(order).bind(customer).bind(total.minor);
        write.execute(insert.bind(total.currency.code()).bind(now_ms)).await?;
        let update = sql("UPDATE notifications SET customer = ?1
                          WHERE order_id = ?2 AND customer IS NULL");
        write.execute(update.bind(customer).bind(order)).await?;
        Ok(())
    }

    /// Writes down what a customer is to be told, within the event's transaction.
    pub(crate) async fn note(
        &self,
        write: &mut Write,
        event: &Event,
        kind: Kind,
        order: Uuid,
        facts: &Facts,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        let insert = sql("INSERT INTO notifications (id, kind, order_id, customer, facts, context,
                            state, language, attempts, next_ms, created_ms)
                          VALUES (?1, ?2, ?3, (SELECT customer FROM orders WHERE order_id = ?3),
                            ?4, ?5, 'new', '', 0, ?6, ?7)");
        let insert = insert.bind(event.id).bind(kind.name()).bind(order);
        let insert = insert.bind(serde_json::to_string(facts)?);
        let insert = insert.bind(serde_json::to_string(&event.context)?);
        write.execute(insert.bind(now_ms).bind(event.published_ms)).await?;
        count(write, "events", 1).await?;
        Ok(())
    }

    /// Notifications whose customer is known and whose channels are not chosen.
    /// Not traced: it looks in vain nearly every time.
    pub(crate) async fn new_ones(&self, now_ms: i64, limit: u32) -> anyhow::Result<Vec<New>> {
        let query = sql("SELECT n.id, n.kind, n.order_id, n.customer, n.facts, n.created_ms,
                           n.attempts, o.total_minor, o.currency, h.url
                         FROM notifications n
                         JOIN orders o ON o.order_id = n.order_id
                         LEFT JOIN webhooks h ON h.customer = n.customer
                         WHERE n.state = 'new' AND n.customer IS NOT NULL AND n.next_ms <= ?1
                         ORDER BY n.next_ms LIMIT ?2");
        let new = |row: &Row| {
            let url: Option<String> = row.get("url")?;
            let (has_webhook, attempts) = (url.is_some(), row.get("attempts")?);
            Ok(New { told: told(row)?, total: total(row)?, has_webhook, attempts })
        };
        self.store.reader().all(query.bind(now_ms).bind(limit), new).await
    }

    /// Lets new notifications wait: the customers' preferences cannot be asked.
    pub(crate) async fn postpone(&self, ids: &[(Uuid, i64)]) -> anyhow::Result<()> {
        let mut write = self.store.begin().await?;
        for (id, next_ms) in ids {
            let update = sql("UPDATE notifications SET attempts = attempts + 1, next_ms = ?1
                              WHERE id = ?2 AND state = 'new'");
            write.execute(update.bind(*next_ms).bind(*id)).await?;
        }
        Ok(write.commit().await?)
    }

    /// Writes what was decided, and puts into the stream what goes there. The
    /// answer is what came into the stream.
    pub(crate) async fn plan(
        &self,
        planned: &[Planned],
        now_ms: i64,
    ) -> anyhow::Result<Vec<(Uuid, Notification)>> {
        let work = async |write: &mut Write| {
            let mut streamed = Vec::new();
            for planned in planned {
                streamed.extend(plan_one(write, planned, now_ms).await?);
            }
            Ok(streamed)
        };
        self.store.write(PLAN, work).await
    }

    /// Takes deliveries of a channel that are due. They are nobody else's until
    /// `until_ms`; whoever dies meanwhile has them taken again after that.
    pub(crate) async fn take(
        &self,
        channel: Channel,
        now_ms: i64,
        until_ms: i64,
        limit: u32,
    ) -> anyhow::Result<Vec<Taken>> {
        let query = sql("SELECT n.id, n.kind, n.order_id, n.customer, n.facts, n.created_ms,
                           n.language, n.context, d.attempts, o.total_minor, o.currency
                         FROM deliveries d
                         JOIN notifications n ON n.id = d.notification_id
                         JOIN orders o ON o.order_id = n.order_id
                         WHERE d.channel = ?1 AND d.state = 'waiting' AND d.next_ms <= ?2
                         ORDER BY d.next_ms LIMIT ?3");
        let query = query.bind(channel.name()).bind(now_ms).bind(limit);
        let due = self.store.reader().all(query, |row| taken(row, channel)).await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let work = async |write: &mut Write| {
            let mut taken = Vec::new();
            for delivery in due {
                if mark(write, &delivery, now_ms, until_ms).await? {
                    taken.push(delivery);
                }
            }
            Ok(taken)
        };
        self.store.write(TAKE, work).await
    }

    /// Notes what became of an attempt. False: it was settled meanwhile.
    pub(crate) async fn settle(&self, taken: &Taken, outcome: &Outcome) -> anyhow::Result<bool> {
        let (state, next_ms, reason, sent) = match outcome {
            Outcome::Sent => (DeliveryState::Sent, 0, "", true),
            Outcome::Again { at_ms, reason } => {
                (DeliveryState::Waiting, *at_ms, reason.as_str(), false)
            }
            Outcome::Dead(reason) => (DeliveryState::Dead, 0, reason.as_str(), false),
            Outcome::Suppressed(reason) => (DeliveryState::Suppressed, 0, *reason, false),
        };
        let update = sql("UPDATE deliveries SET state = ?1, next_ms = ?2, reason = ?3,
                            times_sent = times_sent + ?4
                          WHERE notification_id = ?5 AND channel = ?6 AND state = 'waiting'");
        let update = update.bind(state.name()).bind(next_ms).bind(reason).bind(sent);
        let update = update.bind(taken.told.id).bind(taken.channel.name());
        let work = async |write: &mut Write| Ok(write.execute(update).await? == 1);
        self.store.write(TAKE, work).await
    }

    /// Deliveries that were given up, the oldest first.
    pub(crate) async fn dead(&self, limit: u32) -> anyhow::Result<(i64, Vec<DeadDelivery>)> {
        let query = sql("SELECT COUNT(*) FROM deliveries WHERE state = 'dead'");
        let count = self.store.reader().one(query, values).await?;
        let query = sql("SELECT notification_id, channel, state, attempts, reason FROM deliveries
                         WHERE state = 'dead' ORDER BY notification_id, channel LIMIT ?1");
        let dead = |row: &Row| {
            let notification = row.get("notification_id")?;
            Ok(DeadDelivery { notification, delivery: delivery(row)? })
        };
        Ok((count, self.store.all(LOOK, query.bind(limit), dead).await?))
    }

    /// Lets dead deliveries wait again: of these notifications, or all.
    pub(crate) async fn redrive(&self, ids: &[Uuid]) -> anyhow::Result<u64> {
        let work = async |write: &mut Write| {
            if ids.is_empty() {
                let all = sql("UPDATE deliveries SET state = 'waiting', attempts = 0, next_ms = 0
                               WHERE state = 'dead'");
                return write.execute(all).await;
            }
            let mut redriven = 0;
            for id in ids {
                let one = sql("UPDATE deliveries SET state = 'waiting', attempts = 0, next_ms = 0
                               WHERE state = 'dead' AND notification_id = ?1");
                redriven += write.execute(one.bind(*id)).await?;
            }
            Ok(redriven)
        };
        self.store.write(TAKE, work).await
    }

    /// What waits on a channel, and what was given up.
    pub(crate) async fn backlog(&self, channel: Channel, now_ms: i64) -> anyhow::Result<Backlog> {
        // Each of them by the index of its state: nearly all deliveries are over.
        let query = sql("SELECT
                           (SELECT COUNT(*) FROM deliveries
                            WHERE state = 'waiting' AND channel = ?2),
                           (SELECT COUNT(*) FROM deliveries
                            WHERE state = 'dead' AND channel = ?2),
                           (SELECT MIN(next_ms) FROM deliveries
                            WHERE state = 'waiting' AND channel = ?2 AND next_ms <= ?1)");
        let query = query.bind(now_ms).bind(channel.name());
        let read = |row: &Row| {
            Ok(Backlog { waiting: row.get(0)?, dead: row.get(1)?, oldest_ms: row.get(2)? })
        };
        self.store.reader().one(query, read).await
    }

    /// Forgets what happened before `before_ms` and waits for nothing more.
    pub(crate) async fn forget(&self, before_ms: i64) -> anyhow::Result<()> {
        while self.forget_some(before_ms).await? == FORGOTTEN_AT_ONCE as usize {}
        Ok(())
    }

    /// Forgets at most [`FORGOTTEN_AT_ONCE`], and says how many there were.
    async fn forget_some(&self, before_ms: i64) -> anyhow::Result<usize> {
        let query = sql("SELECT id FROM notifications n WHERE created_ms < ?1
                           AND (customer IS NULL OR state = 'planned')
                           AND NOT EXISTS (SELECT 1 FROM deliveries d
                             WHERE d.notification_id = n.id AND d.state IN ('waiting', 'dead'))
                         LIMIT ?2");
        let query = query.bind(before_ms).bind(FORGOTTEN_AT_ONCE);
        let ids: Vec<Uuid> = self.store.reader().all(query, values).await?;
        let mut write = self.store.begin().await?;
        remove(&mut write, &ids).await?;
        let orders = sql("DELETE FROM orders WHERE created_ms < ?1 AND NOT EXISTS
                            (SELECT 1 FROM notifications n WHERE n.order_id = orders.order_id)");
        write.execute(orders.bind(before_ms)).await?;
        write.commit().await?;
        Ok(ids.len())
    }

    /// Forgets what a customer was told and where his webhook is, within the
    /// transaction of the event that he was removed.
    pub(crate) async fn forget_customer(
        &self,
        write: &mut Write,
        customer: Uuid,
    ) -> anyhow::Result<()> {
        let query = sql("SELECT id FROM notifications WHERE customer = ?1").bind(customer);
        let ids: Vec<Uuid> = write.all(query, values).await?;
        remove(write, &ids).await?;
        write.execute(sql("DELETE FROM webhooks WHERE customer = ?1").bind(customer)).await?;
        Ok(())
    }
}

/// Adds to a counter, and answers what it is now.
async fn count(write: &mut Write, name: &str, by: i64) -> anyhow::Result<i64> {
    let update = sql("UPDATE counters SET value = value + ?1 WHERE name = ?2 RETURNING value");
    write.one(update.bind(by).bind(name), values).await
}

async fn plan_one(
    write: &mut Write,
    planned: &Planned,
    now_ms: i64,
) -> anyhow::Result<Option<(Uuid, Notification)>> {
    let id = planned.told.id;
    let update = sql("UPDATE notifications SET state = 'planned', language = ?1
                      WHERE id = ?2 AND state = 'new'");
    if write.execute(update.bind(planned.language.code()).bind(id)).await? == 0 {
        return Ok(None);
    }
    let mut streamed = None;
    for (channel, plan) in planned.plans {
        let (state, next_ms, reason) = match (channel, plan) {
            (Channel::InApp, Plan::At(_)) => (DeliveryState::Sent, 0, ""),
            (_, Plan::At(at_ms)) => (DeliveryState::Waiting, at_ms, ""),
            (_, Plan::Not(reason)) => (DeliveryState::Suppressed, 0, reason),
        };
        let is_sent = state == DeliveryState::Sent;
        let insert = sql("INSERT INTO deliveries (notification_id, channel, state, attempts,
                            next_ms, reason, times_sent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?4)");
        let insert = insert.bind(id).bind(channel.name()).bind(state.name()).bind(is_sent);
        write.execute(insert.bind(next_ms).bind(reason)).await?;
        if is_sent {
            streamed = Some(stream(write, planned, now_ms).await?);
        }
    }
    Ok(streamed)
}

/// Puts a notification at the end of the stream. Places are given in the order
/// in which they become visible: the counter's row is locked until the commit.
async fn stream(
    write: &mut Write,
    planned: &Planned,
    now_ms: i64,
) -> anyhow::Result<(Uuid, Notification)> {
    let Told { id, kind, order, customer, .. } = planned.told;
    let position = count(write, "position", 1).await?;
    let insert = sql("INSERT INTO messages (position, notification_id, customer, kind, order_id,
                        subject, body, created_ms, is_read)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)");
    let insert = insert.bind(position).bind(id).bind(customer).bind(kind.name()).bind(order);
    let insert = insert.bind(&planned.subject).bind(&planned.text).bind(now_ms);
    write.execute(insert).await?;
    let (subject, text) = (planned.subject.clone(), planned.text.clone());
    let created_ms = now_ms;
    let notification =
        Notification { id, position, kind, order, subject, text, created_ms, read: false };
    Ok((customer, notification))
}

async fn mark(
    write: &mut Write,
    taken: &Taken,
    now_ms: i64,
    until_ms: i64,
) -> anyhow::Result<bool> {
    let update = sql("UPDATE deliveries SET attempts = attempts + 1, next_ms = ?1
                      WHERE notification_id = ?2 AND channel = ?3 AND state = 'waiting'
                        AND next_ms <= ?4");
    let update = update.bind(until_ms).bind(taken.told.id).bind(taken.channel.name());
    Ok(write.execute(update.bind(now_ms)).await? == 1)
}

/// Removes notifications with everything that hangs on them, and counts them.
async fn remove(write: &mut Write, ids: &[Uuid]) -> anyhow::Result<()> {
    // Somebody else may have removed some of them since they were looked for.
    let mut removed = 0;
    for id in ids {
        for text in [
            "DELETE FROM messages WHERE notification_id = ?1",
            "DELETE FROM deliveries WHERE notification_id = ?1",
        ] {
            write.execute(sql(text).bind(*id)).await?;
        }
        removed += write.execute(sql("DELETE FROM notifications WHERE id = ?1").bind(*id)).await?;
    }
    count(write, "forgotten", i64::try_from(removed)?).await?;
    Ok(())
}

fn taken(row: &Row, channel: Channel) -> anyhow::Result<Taken> {
    let attempts: i64 = row.get("attempts")?;
    Ok(Taken {
        told: told(row)?,
        total: total(row)?,
        language: language(row.get("language")?),
        channel,
        attempts: attempts + 1,
        context: row.json("context")?,
    })
}

fn told(row: &Row) -> anyhow::Result<Told> {
    Ok(Told {
        id: row.get("id")?,
        kind: row.word("kind", Kind::from_name)?,
        order: row.get("order_id")?,
        customer: row.get("customer")?,
        facts: row.json("facts")?,
        created_ms: row.get("created_ms")?,
    })
}

fn total(row: &Row) -> anyhow::Result<Money> {
    let currency = row.word("currency", Currency::from_code)?;
    Ok(Money { minor: row.get("total_minor")?, currency })
}

fn delivery(row: &Row) -> anyhow::Result<Delivery> {
    Ok(Delivery {
        channel: row.word("channel", Channel::from_name)?,
        state: row.word("state", DeliveryState::from_name)?,
        attempts: row.get("attempts")?,
        reason: row.get("reason")?,
    })
}
