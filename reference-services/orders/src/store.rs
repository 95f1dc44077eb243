//! The SQL of orders. `api` and `settle` hand it typed values and get orders back.

use anyhow::Context as _;
use chassis::{Chassis, Operation, Store};
use contracts::money::{Currency, Money};
use contracts::orders::{Line, Order, OrderState};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

const SELECT: Operation = Operation { name: "SELECT", collection: "orders" };
const INSERT: Operation = Operation { name: "INSERT", collection: "orders" };
const UPDATE: Operation = Operation { name: "UPDATE", collection: "orders" };

/// The orders.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    store: Store,
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

/// An order's place among the pending ones. The default stands before all.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Position {
    created_ms: i64,
    id: Uuid,
}

impl Position {
    pub(crate) fn of(order: &Order) -> Self {
        Self { created_ms: order.created_ms, id: order.id }
    }
}

impl Orders {
    pub(crate) async fn open(chassis: &Chassis) -> anyhow::Result<Self> {
        Ok(Self { store: Store::open(chassis, &MIGRATIONS).await? })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The customer's order with this key, which is written first where there
    /// is none. None: the key stands for another order. (The key's answer may be
    /// gone, after its time or with a process, and then only this row tells.)
    pub(crate) async fn place(&self, new: &NewOrder) -> anyhow::Result<Option<Order>> {
        let sql = "INSERT INTO orders (id, customer, idempotency_key, state, lines, total_minor,
                     currency, created_ms, updated_ms)
                   VALUES (?, ?, ?, 'pending', ?, ?, ?, ?, ?)
                   ON CONFLICT (customer, idempotency_key) DO NOTHING";
        let insert = sqlx::query(sql)
            .bind(Uuid::now_v7().to_string())
            .bind(new.customer.to_string())
            .bind(&new.key)
            .bind(serde_json::to_string(&new.lines)?)
            .bind(new.total.minor)
            .bind(new.total.currency.code())
            .bind(new.now_ms)
            .bind(new.now_ms);
        let find = "SELECT * FROM orders WHERE customer = ? AND idempotency_key = ?";
        let find = sqlx::query(find).bind(new.customer.to_string()).bind(&new.key);
        let work = async {
            let mut write = self.store.begin().await?;
            insert.execute(&mut *write).await?;
            let row = find.fetch_one(&mut *write).await?;
            write.commit().await?;
            order(&row)
        };
        let found = self.store.run(INSERT, work).await?;
        Ok(Some(found).filter(|found| found.lines == new.lines && found.total == new.total))
    }

    /// Ends an order that is pending. False: it had ended before.
    pub(crate) async fn end(&self, ended: &Order) -> anyhow::Result<bool> {
        let sql = "UPDATE orders SET state = ?, payment = ?, updated_ms = ?
                   WHERE id = ? AND state = 'pending'";
        let update = sqlx::query(sql)
            .bind(ended.state.name())
            .bind(ended.payment.map(|id| id.to_string()))
            .bind(ended.updated_ms)
            .bind(ended.id.to_string());
        let work = async {
            let mut write = self.store.begin().await?;
            let done = update.execute(&mut *write).await?;
            write.commit().await?;
            Ok::<_, sqlx::Error>(done.rows_affected() == 1)
        };
        Ok(self.store.run(UPDATE, work).await?)
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

    /// At most `limit` pending orders that were placed before `before_ms`, the
    /// oldest first, beginning behind `after`. Not traced: it looks in vain
    /// nearly every time.
    pub(crate) async fn pending(
        &self,
        before_ms: i64,
        after: Position,
        limit: u32,
    ) -> anyhow::Result<Vec<Order>> {
        let sql = "SELECT * FROM orders WHERE state = 'pending' AND created_ms < ?
                     AND (created_ms, id) > (?, ?)
                   ORDER BY created_ms, id LIMIT ?";
        let query = sqlx::query(sql)
            .bind(before_ms)
            .bind(after.created_ms)
            .bind(after.id.to_string())
            .bind(limit);
        query.fetch_all(self.store.pool()).await?.iter().map(order).collect()
    }

    /// The number of pending orders.
    pub(crate) async fn count_pending(&self) -> anyhow::Result<i64> {
        let query = sqlx::query_scalar("SELECT COUNT(*) FROM orders WHERE state = 'pending'");
        Ok(query.fetch_one(self.store.pool()).await?)
    }
}

fn order(row: &SqliteRow) -> anyhow::Result<Order> {
    let (state, code): (&str, &str) = (row.try_get("state")?, row.try_get("currency")?);
    let currency = Currency::from_code(code).with_context(|| format!("`{code}` is no currency"))?;
    let payment: Option<&str> = row.try_get("payment")?;
    Ok(Order {
        id: Uuid::parse_str(row.try_get("id")?)?,
        customer: Uuid::parse_str(row.try_get("customer")?)?,
        state: OrderState::from_name(state)
            .with_context(|| format!("`{state}` is no state of an order"))?,
        lines: serde_json::from_str(row.try_get("lines")?)?,
        total: Money { minor: row.try_get("total_minor")?, currency },
        payment: payment.map(Uuid::parse_str).transpose()?,
        reason: None,
        shipment: None,
        created_ms: row.try_get("created_ms")?,
        updated_ms: row.try_get("updated_ms")?,
    })
}
