//! The SQL of orders: the facts, and the read model that follows from them in
//! the same transaction. `api`, `saga` and `events` hand it typed values.

use anyhow::Context as _;
use chassis::invariants::Checking;
use chassis::{Chassis, Checks, CrashPoints, Message, Messaging, Operation, Store, Write};
use contracts::invariants::Invariant;
use contracts::money::{Currency, Money};
use contracts::orders::{Line, Order, OrderEvent, OrderState, TOPIC};
use contracts::shipping::ShipmentState;
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use uuid::Uuid;

use crate::aggregate::{Aggregate, FORM, Fact, Phase, upcast};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

const SELECT: Operation = Operation { name: "SELECT", collection: "orders" };
const INSERT: Operation = Operation { name: "INSERT", collection: "orders" };
const APPEND: Operation = Operation { name: "INSERT", collection: "order_facts" };
const REBUILD: Operation = Operation { name: "SELECT", collection: "order_facts" };

/// How long a saga may stay open when nothing is broken, in milliseconds.
pub(crate) const ENDS_WITHIN_MS: i64 = 60_000;

/// The orders.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    store: Store,
    messaging: Messaging,
    crash: CrashPoints,
}

/// What is needed to write an order.
#[derive(Debug)]
pub(crate) struct NewOrder {
    pub(crate) customer: Uuid,
    pub(crate) key: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) total: Money,
    pub(crate) now_ms: i64,
}

impl Orders {
    pub(crate) async fn open(chassis: &Chassis) -> anyhow::Result<Self> {
        let store = Store::open(chassis, &MIGRATIONS).await?;
        let messaging = Messaging::open(chassis, &store).await?;
        Ok(Self { store, messaging, crash: chassis.crash.clone() })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    /// The customer's order with this key, which is written first where there
    /// is none. None: the key stands for another order. (The key's answer may be
    /// gone, after its time or with a process, and then only this row tells.)
    pub(crate) async fn place(&self, new: &NewOrder) -> anyhow::Result<Option<Aggregate>> {
        let work = async {
            let mut write = self.store.begin().await?;
            let sql = "SELECT id FROM orders WHERE customer = ? AND idempotency_key = ?";
            let found: Option<String> = sqlx::query_scalar(sql)
                .bind(new.customer.to_string())
                .bind(&new.key)
                .fetch_optional(&mut *write)
                .await?;
            if let Some(id) = found {
                let saga = load(&mut write, Uuid::parse_str(&id)?).await?;
                let saga = saga.with_context(|| format!("order `{id}` has no facts"))?;
                let order = &saga.order;
                return Ok((order.lines == new.lines && order.total == new.total).then_some(saga));
            }
            let saga = self.begin(&mut write, new).await?;
            self.crash.at("order.written");
            write.commit().await?;
            self.crash.at("order.placed");
            Ok(Some(saga))
        };
        self.store.run(INSERT, work).await
    }

    async fn begin(&self, write: &mut Write, new: &NewOrder) -> anyhow::Result<Aggregate> {
        let NewOrder { customer, key, lines, total, now_ms } = new;
        let (customer, total, now_ms) = (*customer, *total, *now_ms);
        let (key, lines) = (key.clone(), lines.clone());
        let fact = Fact::Placed { customer, key, lines, total };
        let order = Uuid::now_v7();
        let saga = Aggregate::begin(order, &fact, now_ms).context("an order begins so")?;
        write_fact(write, &saga, &fact, now_ms).await?;
        write_order(write, &saga).await?;
        let event = OrderEvent::Placed { order, customer, total };
        self.messaging.publish(write, Message::new(TOPIC, order, &event)).await?;
        Ok(saga)
    }

    /// An order from its facts.
    pub(crate) async fn load(&self, id: Uuid) -> anyhow::Result<Option<Aggregate>> {
        let mut connection = self.store.pool().acquire().await?;
        load(&mut connection, id).await
    }

    /// Writes a fact. None: another one was written since `saga` was read.
    pub(crate) async fn append(
        &self,
        saga: &Aggregate,
        fact: &Fact,
        now_ms: i64,
    ) -> anyhow::Result<Option<Aggregate>> {
        let work = async {
            let mut write = self.store.begin().await?;
            let next = self.append_within(&mut write, saga, fact, now_ms).await?;
            if next.is_some() {
                write.commit().await?;
            }
            Ok(next)
        };
        self.store.run(APPEND, work).await
    }

    /// As [`Orders::append`], within a transaction.
    pub(crate) async fn append_within(
        &self,
        write: &mut Write,
        saga: &Aggregate,
        fact: &Fact,
        now_ms: i64,
    ) -> anyhow::Result<Option<Aggregate>> {
        anyhow::ensure!(saga.allows(fact), "{fact:?} cannot follow in {:?}", saga.phase);
        let next = saga.clone().apply(fact, now_ms);
        if !write_fact(write, &next, fact, now_ms).await? {
            return Ok(None);
        }
        write_order(write, &next).await?;
        if let Some(event) = told(saga, &next) {
            let message = Message::new(TOPIC, next.order.id, &event);
            self.messaging.publish(write, message).await?;
        }
        Ok(Some(next))
    }

    /// Lets an open saga wait: the longer, the older its order is.
    pub(crate) async fn postpone(
        &self,
        id: Uuid,
        pause_ms: std::ops::RangeInclusive<i64>,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        // Each attempt doubles the pause.
        let sql = "UPDATE orders SET attempts = attempts + 1,
                     next_try_ms = ?2 + MIN(?3 * (1 << MIN(attempts, 10)), ?4)
                   WHERE id = ?1 AND open = 1";
        let update = sqlx::query(sql)
            .bind(id.to_string())
            .bind(now_ms)
            .bind(*pause_ms.start())
            .bind(*pause_ms.end());
        let mut write = self.store.begin().await?;
        update.execute(&mut *write).await?;
        Ok(write.commit().await?)
    }

    pub(crate) async fn by_id(&self, id: Uuid) -> anyhow::Result<Option<Order>> {
        let query = sqlx::query("SELECT * FROM orders WHERE id = ?").bind(id.to_string());
        let row = self.store.run(SELECT, query.fetch_optional(self.store.pool())).await?;
        row.as_ref().map(order).transpose()
    }

    /// At most `limit` orders of a customer, the newest first, older than `before`.
    pub(crate) async fn of_customer(
        &self,
        customer: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> anyhow::Result<Vec<Order>> {
        let sql = "SELECT * FROM orders WHERE customer = ? AND id < ? ORDER BY id DESC LIMIT ?";
        let query = sqlx::query(sql)
            .bind(customer.to_string())
            .bind(before.unwrap_or(Uuid::max()).to_string())
            .bind(limit);
        let rows = self.store.run(SELECT, query.fetch_all(self.store.pool())).await?;
        rows.iter().map(order).collect()
    }

    /// At most `limit` sagas that are open and due. Not traced: it looks in vain
    /// nearly every time.
    pub(crate) async fn open_sagas(&self, now_ms: i64, limit: u32) -> anyhow::Result<Vec<Uuid>> {
        let sql = "SELECT id FROM orders WHERE open = 1 AND next_try_ms <= ?
                   ORDER BY next_try_ms, id LIMIT ?";
        let query = sqlx::query_scalar(sql).bind(now_ms).bind(limit);
        let ids: Vec<String> = query.fetch_all(self.store.pool()).await?;
        ids.iter().map(|id| Ok(Uuid::parse_str(id)?)).collect()
    }

    /// The number of open sagas, and when the order of the oldest was placed.
    pub(crate) async fn count_open(&self) -> anyhow::Result<(i64, Option<i64>)> {
        let sql = "SELECT COUNT(*), MIN(created_ms) FROM orders WHERE open = 1";
        Ok(sqlx::query_as(sql).fetch_one(self.store.pool()).await?)
    }

    /// Writes the whole read model anew from the facts, and says how many orders
    /// there are and how many of them differ from what stood there before.
    pub(crate) async fn rebuild(&self) -> anyhow::Result<(u64, u64)> {
        let work = async {
            let mut write = self.store.begin().await?;
            let sql = "SELECT DISTINCT order_id FROM order_facts ORDER BY order_id";
            let ids: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *write).await?;
            let (mut orders, mut differ) = (0, 0);
            for id in ids {
                let id = Uuid::parse_str(&id)?;
                let saga = load(&mut write, id).await?.context("it has facts")?;
                let before = sqlx::query("SELECT * FROM orders WHERE id = ?")
                    .bind(id.to_string())
                    .fetch_optional(&mut *write)
                    .await?;
                let before = before.as_ref().map(order).transpose()?;
                orders += 1;
                if before.as_ref() != Some(&saga.order) {
                    differ += 1;
                    write_order(&mut write, &saga).await?;
                }
            }
            let sql = "DELETE FROM orders WHERE id NOT IN (SELECT order_id FROM order_facts)";
            differ += sqlx::query(sql).execute(&mut *write).await?.rows_affected();
            write.commit().await?;
            anyhow::Ok((orders, differ))
        };
        self.store.run(REBUILD, work).await
    }

    async fn sagas_end(&self) -> anyhow::Result<Vec<Invariant>> {
        let oldest_ms = chassis::clock::now_ms() - ENDS_WITHIN_MS;
        let sql = "SELECT COUNT(*), COALESCE(SUM(open), 0),
                     COALESCE(SUM(open = 1 AND updated_ms < ?), 0) FROM orders";
        let (orders, open, late): (i64, i64, i64) =
            sqlx::query_as(sql).bind(oldest_ms).fetch_one(self.store.pool()).await?;
        let seconds = ENDS_WITHIN_MS / 1000;
        let ends = Invariant::new(
            "sagas_end",
            late == 0,
            format!(
                "{open} of {orders} sagas are under way, {late} of them without a step in {seconds} s"
            ),
            &[("orders", orders), ("open", open), ("late", late)],
        );
        let sql = "SELECT COUNT(*) FROM orders FULL JOIN
                     (SELECT order_id, MAX(version) AS latest FROM order_facts GROUP BY order_id)
                     ON order_id = id
                   WHERE id IS NULL OR latest IS NULL OR latest <> version";
        let behind: i64 = sqlx::query_scalar(sql).fetch_one(self.store.pool()).await?;
        let says =
            format!("{behind} of {orders} orders in the read model are not what their facts say");
        let follows = Invariant::new(
            "read_model_follows_facts",
            behind == 0,
            says,
            &[("orders", orders), ("behind", behind)],
        );
        Ok(vec![ends, follows])
    }
}

impl Checks for Orders {
    fn check(&self) -> Checking<'_> {
        Box::pin(self.sagas_end())
    }
}

/// What others are told of a saga's step: that it has come to an end.
fn told(before: &Aggregate, after: &Aggregate) -> Option<OrderEvent> {
    if before.phase == Phase::Rest || after.phase != Phase::Rest {
        return None;
    }
    let order = after.order.id;
    match after.order.state {
        // Called off too late: it was completed before, and that was told then.
        OrderState::Paid if before.phase == Phase::Asking => None,
        OrderState::Paid => Some(OrderEvent::Completed { order, pieces: after.pieces() }),
        _ => {
            let reason = after.order.reason.clone().unwrap_or_default();
            Some(OrderEvent::Cancelled { order, reason })
        }
    }
}

/// An order from its facts, read within a transaction.
pub(crate) async fn load(
    connection: &mut SqliteConnection,
    id: Uuid,
) -> anyhow::Result<Option<Aggregate>> {
    let sql = "SELECT kind, form, body, at_ms FROM order_facts WHERE order_id = ? ORDER BY version";
    let rows = sqlx::query(sql).bind(id.to_string()).fetch_all(connection).await?;
    let mut saga: Option<Aggregate> = None;
    for row in &rows {
        let at_ms = row.try_get("at_ms")?;
        let fact = fact(row).with_context(|| format!("a fact of order `{id}` cannot be read"))?;
        saga = match saga {
            None => Aggregate::begin(id, &fact, at_ms),
            Some(saga) => Some(saga.apply(&fact, at_ms)),
        };
    }
    Ok(saga)
}

fn fact(row: &SqliteRow) -> anyhow::Result<Fact> {
    let (kind, form): (&str, i64) = (row.try_get("kind")?, row.try_get("form")?);
    let body = upcast(kind, form, serde_json::from_str(row.try_get("body")?)?);
    let tagged = match body {
        Value::Null => json!({ "kind": kind }),
        body => json!({ "kind": kind, "body": body }),
    };
    Ok(serde_json::from_value(tagged)?)
}

/// False: the order has a fact with this number already.
async fn write_fact(
    write: &mut Write,
    after: &Aggregate,
    fact: &Fact,
    now_ms: i64,
) -> anyhow::Result<bool> {
    let tagged = serde_json::to_value(fact)?;
    let kind = tagged["kind"].as_str().context("a fact says its kind")?;
    let sql = "INSERT INTO order_facts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    let done = sqlx::query(sql)
        .bind(after.order.id.to_string())
        .bind(after.version)
        .bind(kind)
        .bind(FORM)
        .bind(tagged["body"].to_string())
        .bind(now_ms)
        .execute(&mut **write)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes an order's row of the read model.
async fn write_order(write: &mut Write, saga: &Aggregate) -> anyhow::Result<()> {
    let order = &saga.order;
    let sql = "INSERT INTO orders (id, customer, idempotency_key, state, lines, total_minor,
                 currency, payment, created_ms, updated_ms, version, reason, shipment, open)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
               ON CONFLICT (id) DO UPDATE SET state = ?4, payment = ?8, updated_ms = ?10,
                 version = ?11, reason = ?12, shipment = ?13, open = ?14, attempts = 0,
                 next_try_ms = 0, customer = ?2, idempotency_key = ?3, lines = ?5,
                 total_minor = ?6, currency = ?7, created_ms = ?9";
    sqlx::query(sql)
        .bind(order.id.to_string())
        .bind(order.customer.to_string())
        .bind(&saga.key)
        .bind(order.state.name())
        .bind(serde_json::to_string(&order.lines)?)
        .bind(order.total.minor)
        .bind(order.total.currency.code())
        .bind(order.payment.map(|id| id.to_string()))
        .bind(order.created_ms)
        .bind(order.updated_ms)
        .bind(saga.version)
        .bind(&order.reason)
        .bind(order.shipment.map(ShipmentState::name))
        .bind(saga.phase != Phase::Rest)
        .execute(&mut **write)
        .await?;
    Ok(())
}

fn order(row: &SqliteRow) -> anyhow::Result<Order> {
    let (state, code): (&str, &str) = (row.try_get("state")?, row.try_get("currency")?);
    let currency = Currency::from_code(code).with_context(|| format!("`{code}` is no currency"))?;
    let payment: Option<&str> = row.try_get("payment")?;
    let shipment: Option<&str> = row.try_get("shipment")?;
    Ok(Order {
        id: Uuid::parse_str(row.try_get("id")?)?,
        customer: Uuid::parse_str(row.try_get("customer")?)?,
        state: OrderState::from_name(state)
            .with_context(|| format!("`{state}` is no state of an order"))?,
        lines: serde_json::from_str(row.try_get("lines")?)?,
        total: Money { minor: row.try_get("total_minor")?, currency },
        payment: payment.map(Uuid::parse_str).transpose()?,
        reason: row.try_get("reason")?,
        shipment: shipment.and_then(ShipmentState::from_name),
        created_ms: row.try_get("created_ms")?,
        updated_ms: row.try_get("updated_ms")?,
    })
}
