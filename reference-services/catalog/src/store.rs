//! The SQL of products, stock and reservations. `api`, `events` and `keeper`
//! hand it typed values. A reservation and the pieces it moves change together.

use anyhow::Context as _;
use chassis::invariants::Checking;
use chassis::{Chassis, Checks, Message, Messaging, Operation, Store, Write};
use contracts::catalog::{
    CatalogEvent, Category, Description, Product, Reservation, ReservationState, Reserve, Stock,
    TOPIC,
};
use contracts::invariants::Invariant;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::assortment::Article;
use crate::domain::{
    HELD_FOR_MS, Outcome, Pieces, REFILL_BELOW, REFILL_PIECES, Step, advance, search,
};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

const SELECT: Operation = Operation { name: "SELECT", collection: "products" };
const SEARCH: Operation = Operation { name: "SELECT", collection: "product_words" };
const CHANGE: Operation = Operation { name: "UPDATE", collection: "products" };
const STOCK: Operation = Operation { name: "SELECT", collection: "stock" };
const RECEIVE: Operation = Operation { name: "UPDATE", collection: "stock" };
const RESERVE: Operation = Operation { name: "INSERT", collection: "reservations" };
const MOVE: Operation = Operation { name: "UPDATE", collection: "reservations" };

/// Most reservations that expire in one round.
const MAX_EXPIRED_AT_ONCE: u32 = 100;

/// Products, stock and reservations.
#[derive(Debug, Clone)]
pub(crate) struct Catalog {
    store: Store,
    messaging: Messaging,
}

/// What became of a request to reserve.
#[derive(Debug)]
pub(crate) enum Reserved {
    /// It is there, now or since an earlier request.
    Held(Reservation),
    /// The same order reserved something else before.
    Other,
    /// A line cannot be had; its number, and why.
    Refused(usize, Refusal),
}

/// Why a line cannot be reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Unknown,
    Price(i64),
    OutOfStock(i64),
}

/// What became of a change.
#[derive(Debug)]
pub(crate) enum Changed {
    New(Product),
    Done(Product),
    /// Somebody else changed it meanwhile; it has this version now.
    Stale(i64),
    /// There is no such product to be changed.
    Missing,
}

impl Catalog {
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

    /// Adds the articles that are not there yet.
    pub(crate) async fn offer(&self, articles: &[Article], now_ms: i64) -> anyhow::Result<()> {
        let mut write = self.store.begin().await?;
        for article in articles {
            let sql = "INSERT INTO products VALUES (?, ?, ?, ?, ?, 1, ?) ON CONFLICT DO NOTHING";
            sqlx::query(sql)
                .bind(article.sku)
                .bind(article.name)
                .bind(article.description)
                .bind(article.category)
                .bind(article.price_minor)
                .bind(now_ms)
                .execute(&mut *write)
                .await?;
            let sql = "INSERT INTO stock VALUES (?1, ?2, ?2, 0, 0, ?3) ON CONFLICT DO NOTHING";
            sqlx::query(sql)
                .bind(article.sku)
                .bind(article.pieces)
                .bind(article.refilled)
                .execute(&mut *write)
                .await?;
        }
        Ok(write.commit().await?)
    }

    pub(crate) async fn product(&self, sku: &str) -> anyhow::Result<Option<Product>> {
        let query = sqlx::query("SELECT * FROM products WHERE sku = ?").bind(sku);
        let row = self.store.run(SELECT, query.fetch_optional(self.store.pool())).await?;
        row.as_ref().map(product).transpose()
    }

    /// At most `limit` products behind `after`, of a category if one is named.
    pub(crate) async fn list(
        &self,
        category: Option<&str>,
        after: &str,
        limit: u32,
    ) -> anyhow::Result<Vec<Product>> {
        let sql = "SELECT * FROM products WHERE (?1 IS NULL OR category = ?1) AND sku > ?2
                   ORDER BY sku LIMIT ?3";
        let query = sqlx::query(sql).bind(category).bind(after).bind(limit);
        let rows = self.store.run(SELECT, query.fetch_all(self.store.pool())).await?;
        rows.iter().map(product).collect()
    }

    /// At most `limit` products with all of `words`, the best first.
    pub(crate) async fn search(
        &self,
        words: &str,
        category: Option<&str>,
        limit: u32,
    ) -> anyhow::Result<Vec<Product>> {
        let Some(words) = search(words) else { return Ok(Vec::new()) };
        let sql = "SELECT products.* FROM product_words JOIN products
                     ON products.rowid = product_words.rowid
                   WHERE product_words MATCH ?1
                     AND (?2 IS NULL OR products.category = ?2)
                   ORDER BY bm25(product_words, 4.0, 1.0, 2.0), products.sku LIMIT ?3";
        let query = sqlx::query(sql).bind(words).bind(category).bind(limit);
        let rows = self.store.run(SEARCH, query.fetch_all(self.store.pool())).await?;
        rows.iter().map(product).collect()
    }

    pub(crate) async fn categories(&self) -> anyhow::Result<Vec<Category>> {
        let sql = "SELECT category, COUNT(*) FROM products GROUP BY category ORDER BY category";
        let query = sqlx::query_as(sql).fetch_all(self.store.pool());
        let rows: Vec<(String, i64)> = self.store.run(SELECT, query).await?;
        Ok(rows.into_iter().map(|(name, products)| Category { name, products }).collect())
    }

    /// Adds a product (`version` none) or changes the one of this version.
    pub(crate) async fn change(
        &self,
        sku: &str,
        version: Option<i64>,
        wanted: &Description,
        now_ms: i64,
    ) -> anyhow::Result<Changed> {
        let work = async {
            let mut write = self.store.begin().await?;
            let found: Option<i64> =
                sqlx::query_scalar("SELECT version FROM products WHERE sku = ?")
                    .bind(sku)
                    .fetch_optional(&mut *write)
                    .await?;
            match (found, version) {
                (Some(found), wanted) if wanted != Some(found) => return Ok(Changed::Stale(found)),
                (None, Some(_)) => return Ok(Changed::Missing),
                _ => {}
            }
            let changed = self.write_product(&mut write, sku, wanted, now_ms).await?;
            write.commit().await?;
            Ok(if found.is_some() { Changed::Done(changed) } else { Changed::New(changed) })
        };
        self.store.run(CHANGE, work).await
    }

    async fn write_product(
        &self,
        write: &mut Write,
        sku: &str,
        wanted: &Description,
        now_ms: i64,
    ) -> anyhow::Result<Product> {
        let sql = "INSERT INTO products VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)
                   ON CONFLICT (sku) DO UPDATE SET name = ?2, description = ?3, category = ?4,
                     price_minor = ?5, version = version + 1, updated_ms = ?6
                   RETURNING *";
        let row = sqlx::query(sql)
            .bind(sku)
            .bind(&wanted.name)
            .bind(&wanted.description)
            .bind(&wanted.category)
            .bind(wanted.price_minor)
            .bind(now_ms)
            .fetch_one(&mut **write)
            .await?;
        let changed = product(&row)?;
        let sql = "INSERT INTO stock VALUES (?, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING";
        sqlx::query(sql).bind(sku).execute(&mut **write).await?;
        let event = CatalogEvent::ProductChanged { sku: sku.to_owned(), version: changed.version };
        self.messaging.publish(write, Message::new(TOPIC, sku, &event)).await?;
        Ok(changed)
    }

    pub(crate) async fn stock(&self, sku: &str) -> anyhow::Result<Option<Stock>> {
        let query = sqlx::query("SELECT * FROM stock WHERE sku = ?").bind(sku);
        let row = self.store.run(STOCK, query.fetch_optional(self.store.pool())).await?;
        row.as_ref().map(stock).transpose()
    }

    /// Notes that pieces came in. None: there is no such product.
    pub(crate) async fn receive(&self, sku: &str, pieces: i64) -> anyhow::Result<Option<Stock>> {
        let work = async {
            let mut write = self.store.begin().await?;
            let Some(stock) = self.add_pieces(&mut write, sku, pieces).await? else {
                return Ok(None);
            };
            write.commit().await?;
            Ok(Some(stock))
        };
        self.store.run(RECEIVE, work).await
    }

    async fn add_pieces(
        &self,
        write: &mut Write,
        sku: &str,
        pieces: i64,
    ) -> anyhow::Result<Option<Stock>> {
        let sql = "UPDATE stock SET received = received + ?2, on_hand = on_hand + ?2
                   WHERE sku = ?1 RETURNING *";
        let query = sqlx::query(sql).bind(sku).bind(pieces);
        let Some(row) = query.fetch_optional(&mut **write).await? else { return Ok(None) };
        let event = CatalogEvent::StockReceived { sku: sku.to_owned(), pieces };
        self.messaging.publish(write, Message::new(TOPIC, sku, &event)).await?;
        Ok(Some(stock(&row)?))
    }

    /// Lets more of what runs low come in.
    pub(crate) async fn refill(&self) -> anyhow::Result<()> {
        let sql = "SELECT sku FROM stock WHERE refilled = 1 AND on_hand < ?";
        let query = sqlx::query_scalar(sql).bind(REFILL_BELOW);
        let low: Vec<String> = query.fetch_all(self.store.pool()).await?;
        for sku in low {
            self.receive(&sku, REFILL_PIECES).await?;
        }
        Ok(())
    }

    /// Sets the pieces of an order aside, all of them or none.
    pub(crate) async fn reserve(&self, request: &Reserve, now_ms: i64) -> anyhow::Result<Reserved> {
        let work = async {
            let mut write = self.store.begin().await?;
            let order = request.order.to_string();
            if let Some(found) = reservation(&mut write, request.order).await? {
                let same = found.state == ReservationState::Released
                    || same_lines(&mut write, request).await?;
                return Ok(if same { Reserved::Held(found) } else { Reserved::Other });
            }
            let sql = "INSERT INTO reservations VALUES (?, 'held', ?, ?)";
            sqlx::query(sql)
                .bind(&order)
                .bind(now_ms + HELD_FOR_MS)
                .bind(now_ms)
                .execute(&mut *write)
                .await?;
            for (at, line) in request.lines.iter().enumerate() {
                let pieces = i64::from(line.quantity);
                let refused =
                    take(&mut write, &order, &line.sku, pieces, line.unit_price_minor).await?;
                if let Some(refusal) = refused {
                    return Ok(Reserved::Refused(at, refusal));
                }
            }
            write.commit().await?;
            Ok(Reserved::Held(Reservation {
                order: request.order,
                state: ReservationState::Held,
                expires_ms: now_ms + HELD_FOR_MS,
            }))
        };
        self.store.run(RESERVE, work).await
    }

    /// Moves a reservation on. None: there is none.
    pub(crate) async fn step(
        &self,
        order: Uuid,
        step: Step,
    ) -> anyhow::Result<Option<(Reservation, Outcome)>> {
        let work = async {
            let mut write = self.store.begin().await?;
            let Some((_, outcome)) = self.advance(&mut write, order, step).await? else {
                return Ok(None);
            };
            let now = reservation(&mut write, order).await?;
            write.commit().await?;
            Ok(now.map(|now| (now, outcome)))
        };
        self.store.run(MOVE, work).await
    }

    /// Gives the pieces of an order back. Where nothing is reserved, that is
    /// noted: a request to reserve that comes late finds it so.
    pub(crate) async fn release(
        &self,
        order: Uuid,
        now_ms: i64,
    ) -> anyhow::Result<(Reservation, Outcome)> {
        let work = async {
            let mut write = self.store.begin().await?;
            let sql = "INSERT INTO reservations VALUES (?1, 'released', ?2, ?2)
                       ON CONFLICT DO NOTHING";
            let insert = sqlx::query(sql).bind(order.to_string()).bind(now_ms);
            insert.execute(&mut *write).await?;
            let moved = self.advance(&mut write, order, Step::Release).await?;
            let (_, outcome) = moved.context("the row was just written")?;
            let now = reservation(&mut write, order).await?.context("the row was just read")?;
            write.commit().await?;
            Ok((now, outcome))
        };
        self.store.run(MOVE, work).await
    }

    /// Moves a reservation and its pieces within a transaction. It was in the
    /// state that is returned; none: there is no reservation.
    pub(crate) async fn advance(
        &self,
        write: &mut Write,
        order: Uuid,
        step: Step,
    ) -> anyhow::Result<Option<(ReservationState, Outcome)>> {
        let Some(found) = reservation(write, order).await? else { return Ok(None) };
        let outcome = advance(found.state, step);
        if let Outcome::Becomes(state, pieces) = outcome {
            let sql = "UPDATE reservations SET state = ?, updated_ms = ? WHERE order_id = ?";
            sqlx::query(sql)
                .bind(state.name())
                .bind(chassis::clock::now_ms())
                .bind(order.to_string())
                .execute(&mut **write)
                .await?;
            move_pieces(write, order, pieces).await?;
        }
        Ok(Some((found.state, outcome)))
    }

    /// Ends reservations whose time is over, and says how many.
    pub(crate) async fn expire(&self, now_ms: i64) -> anyhow::Result<u64> {
        let sql = "SELECT order_id FROM reservations WHERE state = 'held' AND expires_ms < ?
                   ORDER BY expires_ms LIMIT ?";
        let query = sqlx::query_scalar(sql).bind(now_ms).bind(MAX_EXPIRED_AT_ONCE);
        let late: Vec<String> = query.fetch_all(self.store.pool()).await?;
        let mut expired = 0;
        for order in late {
            self.step(Uuid::parse_str(&order)?, Step::Expire).await?;
            expired += 1;
        }
        Ok(expired)
    }

    /// All pieces, by where they are.
    pub(crate) async fn pieces(&self) -> anyhow::Result<[(&'static str, i64); 4]> {
        let sql = "SELECT COALESCE(SUM(received), 0), COALESCE(SUM(on_hand), 0),
                     COALESCE(SUM(reserved), 0), COALESCE(SUM(shipped), 0) FROM stock";
        let sums: (i64, i64, i64, i64) = sqlx::query_as(sql).fetch_one(self.store.pool()).await?;
        let (received, on_hand, reserved, shipped) = sums;
        Ok([
            ("received", received),
            ("on_hand", on_hand),
            ("reserved", reserved),
            ("shipped", shipped),
        ])
    }

    async fn stock_adds_up(&self) -> anyhow::Result<Vec<Invariant>> {
        let wrong = "SELECT COUNT(*) FROM stock WHERE received <> on_hand + reserved + shipped
                       OR MIN(on_hand, reserved, shipped) < 0";
        let wrong: i64 = sqlx::query_scalar(wrong).fetch_one(self.store.pool()).await?;
        let [received, on_hand, reserved, shipped] = self.pieces().await?;
        let sums = [received, on_hand, reserved, shipped];
        let adds_up = Invariant::new(
            "stock_adds_up",
            wrong == 0,
            format!(
                "{} on hand, {} reserved and {} shipped of {} received; {wrong} products are off",
                on_hand.1, reserved.1, shipped.1, received.1
            ),
            &sums.iter().copied().chain([("wrong", wrong)]).collect::<Vec<_>>(),
        );
        // In one statement, so at one moment.
        let sql = "SELECT COUNT(*) FROM stock LEFT JOIN (
                     SELECT sku,
                       SUM(CASE WHEN state IN ('held', 'confirmed') THEN pieces END) AS held,
                       SUM(CASE WHEN state = 'shipped' THEN pieces END) AS gone
                     FROM reservation_lines JOIN reservations USING (order_id) GROUP BY sku
                   ) USING (sku)
                   WHERE reserved <> COALESCE(held, 0) OR shipped <> COALESCE(gone, 0)";
        let apart: i64 = sqlx::query_scalar(sql).fetch_one(self.store.pool()).await?;
        let matches = Invariant::new(
            "stock_matches_reservations",
            apart == 0,
            format!(
                "what is reserved and shipped is what the reservations say; {apart} products are \
                 off"
            ),
            &[("wrong", apart)],
        );
        Ok(vec![adds_up, matches])
    }
}

impl Checks for Catalog {
    fn check(&self) -> Checking<'_> {
        Box::pin(self.stock_adds_up())
    }
}

/// Takes pieces off the stock for an order, if there are so many at this price.
async fn take(
    write: &mut Write,
    order: &str,
    sku: &str,
    pieces: i64,
    price_minor: i64,
) -> anyhow::Result<Option<Refusal>> {
    let price: Option<i64> = sqlx::query_scalar("SELECT price_minor FROM products WHERE sku = ?")
        .bind(sku)
        .fetch_optional(&mut **write)
        .await?;
    match price {
        None => return Ok(Some(Refusal::Unknown)),
        Some(price) if price != price_minor => return Ok(Some(Refusal::Price(price))),
        Some(_) => {}
    }
    let sql = "UPDATE stock SET on_hand = on_hand - ?2, reserved = reserved + ?2
               WHERE sku = ?1 AND on_hand >= ?2";
    let done = sqlx::query(sql).bind(sku).bind(pieces).execute(&mut **write).await?;
    if done.rows_affected() == 0 {
        let left = sqlx::query_scalar("SELECT on_hand FROM stock WHERE sku = ?")
            .bind(sku)
            .fetch_one(&mut **write)
            .await?;
        return Ok(Some(Refusal::OutOfStock(left)));
    }
    let sql = "INSERT INTO reservation_lines VALUES (?1, ?2, ?3)
               ON CONFLICT (order_id, sku) DO UPDATE SET pieces = pieces + ?3";
    sqlx::query(sql).bind(order).bind(sku).bind(pieces).execute(&mut **write).await?;
    Ok(None)
}

async fn move_pieces(write: &mut Write, order: Uuid, pieces: Pieces) -> anyhow::Result<()> {
    let sql = match pieces {
        Pieces::Stay => return Ok(()),
        Pieces::Return => {
            "UPDATE stock SET reserved = reserved - lines.pieces, on_hand = on_hand + lines.pieces
             FROM (SELECT sku, pieces FROM reservation_lines WHERE order_id = ?) AS lines
             WHERE lines.sku = stock.sku"
        }
        Pieces::Leave => {
            "UPDATE stock SET reserved = reserved - lines.pieces, shipped = shipped + lines.pieces
             FROM (SELECT sku, pieces FROM reservation_lines WHERE order_id = ?) AS lines
             WHERE lines.sku = stock.sku"
        }
    };
    sqlx::query(sql).bind(order.to_string()).execute(&mut **write).await?;
    Ok(())
}

async fn reservation(write: &mut Write, order: Uuid) -> anyhow::Result<Option<Reservation>> {
    let query = sqlx::query("SELECT * FROM reservations WHERE order_id = ?");
    let row = query.bind(order.to_string()).fetch_optional(&mut **write).await?;
    let Some(row) = row else { return Ok(None) };
    let state: &str = row.try_get("state")?;
    let state = ReservationState::from_name(state)
        .with_context(|| format!("`{state}` is no state of a reservation"))?;
    Ok(Some(Reservation { order, state, expires_ms: row.try_get("expires_ms")? }))
}

/// Whether an order reserved just these pieces before.
async fn same_lines(write: &mut Write, request: &Reserve) -> anyhow::Result<bool> {
    let sql = "SELECT sku, pieces FROM reservation_lines WHERE order_id = ? ORDER BY sku";
    let query = sqlx::query_as(sql).bind(request.order.to_string());
    let found: Vec<(String, i64)> = query.fetch_all(&mut **write).await?;
    let mut wanted = std::collections::BTreeMap::new();
    for line in &request.lines {
        *wanted.entry(line.sku.clone()).or_default() += i64::from(line.quantity);
    }
    Ok(found.into_iter().eq(wanted))
}

fn product(row: &SqliteRow) -> anyhow::Result<Product> {
    Ok(Product {
        sku: row.try_get("sku")?,
        name: row.try_get("name")?,
        description: row.try_get("description")?,
        category: row.try_get("category")?,
        price_minor: row.try_get("price_minor")?,
        version: row.try_get("version")?,
        updated_ms: row.try_get("updated_ms")?,
    })
}

fn stock(row: &SqliteRow) -> anyhow::Result<Stock> {
    Ok(Stock {
        sku: row.try_get("sku")?,
        received: row.try_get("received")?,
        on_hand: row.try_get("on_hand")?,
        reserved: row.try_get("reserved")?,
        shipped: row.try_get("shipped")?,
    })
}
