//! The SQL of orders: what happens to one is written with the read model that
//! follows from it in one transaction (`facts` has the facts themselves). `api`, `saga` and `events` hand it typed values.

use anyhow::Context as _;
use std::collections::BTreeMap;

use chassis::invariants::Checking;
use chassis::store::{Row, Source as _, sql, values};
use chassis::{
    Chassis, Checks, CrashPoints, Message, Messaging, Migrations, Operation, Store, Write,
};
use contracts::invariants::Invariant;
use contracts::money::{Currency, Money};
use contracts::orders::{Happened, Line, Order, OrderEvent, OrderState, TOPIC};
use contracts::shipping::ShipmentState;
use uuid::Uuid;

use crate::aggregate::{Aggregate, Fact, Phase};
use crate::facts::{history, load, replay, write_fact, write_snapshot};

static MIGRATIONS: Migrations = Migrations::with_postgres(
    sqlx::migrate!("./migrations"),
    sqlx::migrate!("./migrations/postgres"),
);

const SELECT: Operation = Operation { name: "SELECT", collection: "orders" };
const INSERT: Operation = Operation { name: "INSERT", collection: "orders" };
const APPEND: Operation = Operation { name: "INSERT", collection: "order_facts" };
const REBUILD: Operation = Operation { name: "SELECT", collection: "order_facts" };

const BY_ID: &str = "SELECT * FROM orders WHERE id = ?";

/// How long a saga may stay open when nothing is broken, in milliseconds.
pub(crate) const ENDS_WITHIN_MS: i64 = 60_000;

/// An order's snapshot is made anew after so many facts.
const SNAPSHOT_EVERY: i64 = 16;

/// How long an open saga is left to the replica that drives it, from its last
/// step on: longer than a step takes. One that died takes its own up again at
/// once when it is back.
pub(crate) const DRIVEN_FOR_MS: i64 = 10_000;

/// The orders.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    store: Store,
    messaging: Messaging,
    crash: CrashPoints,
    /// The name of this replica.
    driver: String,
    /// When this process came to be: what its name drove before, nobody drives now.
    started_ms: i64,
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
        let driver = chassis.config.instance.clone();
        let (crash, started_ms) = (chassis.crash.clone(), chassis::clock::now_ms());
        Ok(Self { store, messaging, crash, driver, started_ms })
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
        let mut placed = false;
        let work = async |write: &mut Write| {
            let known = sql("SELECT id FROM orders WHERE customer = ? AND idempotency_key = ?");
            let known = known.bind(new.customer).bind(&new.key);
            let found: Option<Uuid> = write.optional(known, values).await?;
            if let Some(id) = found {
                let saga = load(write, id).await?;
                let saga = saga.with_context(|| format!("order `{id}` has no facts"))?;
                let order = &saga.order;
                return Ok((order.lines == new.lines && order.total == new.total).then_some(saga));
            }
            let saga = self.begin(write, new).await?;
            self.crash.at("order.written");
            placed = true;
            Ok(Some(saga))
        };
        let saga = self.store.write(INSERT, work).await?;
        if placed {
            self.crash.at("order.placed");
        }
        Ok(saga)
    }

    async fn begin(&self, write: &mut Write, new: &NewOrder) -> anyhow::Result<Aggregate> {
        let NewOrder { customer, key, lines, total, now_ms } = new;
        let (customer, total, now_ms) = (*customer, *total, *now_ms);
        let (key, lines) = (key.clone(), lines.clone());
        let fact = Fact::Placed { customer, key, lines: lines.clone(), total };
        let order = Uuid::now_v7();
        let saga = Aggregate::begin(order, &fact, now_ms).context("an order begins so")?;
        write_fact(write, &saga, &fact, now_ms).await?;
        write_order(write, &saga, &self.driver).await?;
        let context = serde_json::to_string(&chassis::messaging::context())?;
        let trace = sql("UPDATE orders SET context = ? WHERE id = ?");
        write.execute(trace.bind(context).bind(order)).await?;
        let event = OrderEvent::Placed { order, customer, total, lines };
        self.messaging.publish(write, Message::new(TOPIC, order, &event)).await?;
        Ok(saga)
    }

    /// An order from its facts.
    pub(crate) async fn load(&self, id: Uuid) -> anyhow::Result<Option<Aggregate>> {
        load(&mut self.store.reader(), id).await
    }

    /// Writes a fact. None: another one was written since `saga` was read.
    pub(crate) async fn append(
        &self,
        saga: &Aggregate,
        fact: &Fact,
        now_ms: i64,
    ) -> anyhow::Result<Option<Aggregate>> {
        let work = async |write: &mut Write| {
            self.append_within(write, saga, fact, now_ms, &self.driver).await
        };
        self.store.write(APPEND, work).await
    }

    /// As [`Orders::append`], within a transaction. The saga, if it stays open, is
    /// left to `driver`; to nobody where that is empty.
    pub(crate) async fn append_within(
        &self,
        write: &mut Write,
        saga: &Aggregate,
        fact: &Fact,
        now_ms: i64,
        driver: &str,
    ) -> anyhow::Result<Option<Aggregate>> {
        anyhow::ensure!(saga.allows(fact), "{fact:?} cannot follow in {:?}", saga.phase);
        let next = saga.clone().apply(fact, now_ms);
        if !write_fact(write, &next, fact, now_ms).await? {
            return Ok(None);
        }
        write_order(write, &next, driver).await?;
        if next.version % SNAPSHOT_EVERY == 0 {
            write_snapshot(write, &next).await?;
        }
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
        let mut write = self.store.begin().await?;
        let attempts = sql("SELECT attempts FROM orders WHERE id = ? AND open = 1").bind(id);
        let attempts: Option<u32> = write.optional(attempts, values).await?;
        if let Some(attempts) = attempts {
            let pause_ms = (*pause_ms.start() << attempts.min(10)).min(*pause_ms.end());
            let sql = sql(
                "UPDATE orders SET attempts = attempts + 1, next_try_ms = ?, driven_until_ms = 0
                     WHERE id = ?",
            );
            write.execute(sql.bind(now_ms + pause_ms).bind(id)).await?;
        }
        Ok(write.commit().await?)
    }

    /// At most `limit` of the things that happened to an order, after the fact
    /// with the number `after`.
    pub(crate) async fn history(
        &self,
        id: Uuid,
        after: i64,
        limit: u32,
    ) -> anyhow::Result<Vec<Happened>> {
        history(&mut self.store.reader(), id, after, limit).await
    }

    pub(crate) async fn by_id(&self, id: Uuid) -> anyhow::Result<Option<Order>> {
        self.store.optional(SELECT, sql(BY_ID).bind(id), order).await
    }

    /// At most `limit` orders of a customer, the newest first, older than `before`.
    pub(crate) async fn of_customer(
        &self,
        customer: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> anyhow::Result<Vec<Order>> {
        let query = sql("SELECT * FROM orders WHERE customer = ? AND id < ?
                   ORDER BY id DESC LIMIT ?")
        .bind(customer)
        .bind(before.unwrap_or(Uuid::max()))
        .bind(limit);
        self.store.all(SELECT, query, order).await
    }

    /// At most `limit` sagas that are open and due, and that nobody drives. Not traced: it looks in vain nearly every time.
    pub(crate) async fn open_sagas(&self, now_ms: i64, limit: u32) -> anyhow::Result<Vec<Uuid>> {
        let open = sql("SELECT id FROM orders WHERE open = 1 AND next_try_ms <= ?1
                     AND (driven_until_ms <= ?1 OR driver = ?2 AND driven_until_ms <= ?3)
                   ORDER BY next_try_ms, id LIMIT ?4");
        let before = self.started_ms + DRIVEN_FOR_MS;
        let open = open.bind(now_ms).bind(&self.driver).bind(before).bind(limit);
        self.store.reader().all(open, values).await
    }

    /// Takes an open saga for this replica, and answers the trace in which its order
    /// was placed. None: another one was faster.
    pub(crate) async fn take(
        &self,
        id: Uuid,
        now_ms: i64,
    ) -> anyhow::Result<Option<BTreeMap<String, String>>> {
        let take = sql("UPDATE orders SET driver = ?1, driven_until_ms = ?2
                   WHERE id = ?3 AND open = 1
                     AND (driven_until_ms <= ?4 OR driver = ?1 AND driven_until_ms <= ?5)
                   RETURNING context");
        let take = take.bind(&self.driver).bind(now_ms + DRIVEN_FOR_MS).bind(id).bind(now_ms);
        let take = take.bind(self.started_ms + DRIVEN_FOR_MS);
        let mut write = self.store.begin().await?;
        let taken = write.optional(take, |row| row.json("context")).await?;
        write.commit().await?;
        Ok(taken)
    }

    /// The number of open sagas, and when the order of the oldest was placed.
    pub(crate) async fn count_open(&self) -> anyhow::Result<(i64, Option<i64>)> {
        let open = sql("SELECT COUNT(*), MIN(created_ms) FROM orders WHERE open = 1");
        self.store.reader().one(open, values).await
    }

    /// Writes the whole read model and the snapshots anew from the facts, and says
    /// how many orders there are and how many of them differ from what stood there
    /// before.
    pub(crate) async fn rebuild(&self) -> anyhow::Result<(u64, u64)> {
        let work = async |write: &mut Write| {
            let ids = sql("SELECT DISTINCT order_id FROM order_facts ORDER BY order_id");
            let ids: Vec<Uuid> = write.all(ids, values).await?;
            let (mut orders, mut differ) = (0, 0);
            for id in ids {
                let replayed = replay(write, id).await?.context("it has facts")?;
                let before = write.optional(sql(BY_ID).bind(id), order).await?;
                orders += 1;
                if before.as_ref() != Some(&replayed.saga.order) || !replayed.snapshot_was_right {
                    differ += 1;
                    write_order(write, &replayed.saga, "").await?;
                    write_snapshot(write, &replayed.saga).await?;
                }
            }
            let gone = sql("DELETE FROM orders WHERE id NOT IN (SELECT order_id FROM order_facts)");
            differ += write.execute(gone).await?;
            Ok((orders, differ))
        };
        self.store.write(REBUILD, work).await
    }

    async fn sagas_end(&self) -> anyhow::Result<Vec<Invariant>> {
        let mut reader = self.store.reader();
        let oldest_ms = chassis::clock::now_ms() - ENDS_WITHIN_MS;
        let counts = sql("SELECT COUNT(*), COUNT(*) FILTER (WHERE open = 1),
                     COUNT(*) FILTER (WHERE open = 1 AND updated_ms < ?) FROM orders");
        let (orders, open, late): (i64, i64, i64) =
            reader.one(counts.bind(oldest_ms), values).await?;
        let seconds = ENDS_WITHIN_MS / 1000;
        let ends = Invariant::new(
            "sagas_end",
            late == 0,
            format!(
                "{open} of {orders} sagas are under way, {late} of them without a step in {seconds} s"
            ),
            &[("orders", orders), ("open", open), ("late", late)],
        );
        let behind = sql("SELECT COUNT(*) FROM orders FULL JOIN
                     (SELECT order_id, MAX(version) AS latest FROM order_facts
                      GROUP BY order_id) AS facts
                     ON order_id = id
                   WHERE id IS NULL OR latest IS NULL OR latest <> version");
        let behind: i64 = reader.one(behind, values).await?;
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

/// Writes an order's row of the read model. Its saga, if it is open, is left to
/// `driver` for a while.
async fn write_order(write: &mut Write, saga: &Aggregate, driver: &str) -> anyhow::Result<()> {
    let order = &saga.order;
    let row = sql("INSERT INTO orders (id, customer, idempotency_key, state, lines, total_minor,
                 currency, payment, created_ms, updated_ms, version, reason, shipment, open,
                 driver, driven_until_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
               ON CONFLICT (id) DO UPDATE SET state = ?4, payment = ?8, updated_ms = ?10,
                 version = ?11, reason = ?12, shipment = ?13, open = ?14, attempts = 0,
                 next_try_ms = 0, customer = ?2, idempotency_key = ?3, lines = ?5,
                 total_minor = ?6, currency = ?7, created_ms = ?9, driver = ?15,
                 driven_until_ms = ?16")
    .bind(order.id)
    .bind(order.customer)
    .bind(&saga.key)
    .bind(order.state.name())
    .bind(serde_json::to_string(&order.lines)?)
    .bind(order.total.minor)
    .bind(order.total.currency.code())
    .bind(order.payment)
    .bind(order.created_ms)
    .bind(order.updated_ms)
    .bind(saga.version)
    .bind(order.reason.as_deref())
    .bind(order.shipment.map(ShipmentState::name))
    .bind(saga.phase != Phase::Rest)
    .bind(driver)
    .bind(if driver.is_empty() { 0 } else { order.updated_ms + DRIVEN_FOR_MS });
    write.execute(row).await?;
    Ok(())
}

fn order(row: &Row) -> anyhow::Result<Order> {
    let shipment: Option<&str> = row.get("shipment")?;
    Ok(Order {
        id: row.get("id")?,
        customer: row.get("customer")?,
        state: row.word("state", OrderState::from_name)?,
        lines: row.json("lines")?,
        total: Money {
            minor: row.get("total_minor")?,
            currency: row.word("currency", Currency::from_code)?,
        },
        payment: row.get("payment")?,
        reason: row.get("reason")?,
        shipment: shipment.and_then(ShipmentState::from_name),
        created_ms: row.get("created_ms")?,
        updated_ms: row.get("updated_ms")?,
    })
}
