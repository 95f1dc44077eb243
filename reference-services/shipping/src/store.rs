//! The SQL of shipments. `api`, `events` and `carrier` hand it typed values.
//! What others want to know goes into the outbox in the same transaction.

use anyhow::Context as _;
use chassis::invariants::Checking;
use chassis::{Chassis, Checks, Message, Messaging, Operation, Store, Write};
use contracts::invariants::Invariant;
use contracts::shipping::{Schedule, Shipment, ShipmentEvent, ShipmentState, TOPIC};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use tracing::Instrument;
use uuid::Uuid;

use crate::domain::{Outcome, Step, advance};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

const SELECT: Operation = Operation { name: "SELECT", collection: "shipments" };
const INSERT: Operation = Operation { name: "INSERT", collection: "shipments" };
const UPDATE: Operation = Operation { name: "UPDATE", collection: "shipments" };

/// Most shipments that the carrier moves in one round.
const MAX_MOVED_AT_ONCE: u32 = 200;

/// The shipments.
#[derive(Debug, Clone)]
pub(crate) struct Shipments {
    store: Store,
    messaging: Messaging,
}

impl Shipments {
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

    /// The order's shipment, which is booked in this state where there is none.
    /// None: the order booked another one before.
    pub(crate) async fn book(
        &self,
        request: &Schedule,
        state: ShipmentState,
        now_ms: i64,
    ) -> anyhow::Result<Option<Shipment>> {
        let sql = "INSERT INTO shipments VALUES (?1, ?2, ?3, ?4, NULL, ?5, ?5)
                   ON CONFLICT DO NOTHING";
        let insert = sqlx::query(sql)
            .bind(request.order.to_string())
            .bind(request.customer.to_string())
            .bind(request.pieces)
            .bind(state.name())
            .bind(now_ms);
        let work = async {
            let mut write = self.store.begin().await?;
            insert.execute(&mut *write).await?;
            let found = find(&mut write, request.order).await?.context("it was just written")?;
            write.commit().await?;
            anyhow::Ok(found)
        };
        let found = self.store.run(INSERT, work).await?;
        let asked = (request.customer, request.pieces);
        Ok(Some(found).filter(|found| (found.customer, found.pieces) == asked))
    }

    /// Calls a shipment off, be it booked or not: a booking that comes late finds
    /// it so. None: the order booked another one.
    pub(crate) async fn cancel(
        &self,
        request: &Schedule,
        now_ms: i64,
    ) -> anyhow::Result<Option<(Shipment, Outcome)>> {
        let booked = self.book(request, ShipmentState::Cancelled, now_ms).await?;
        if booked.is_none() {
            return Ok(None);
        }
        let work = async {
            let mut write = self.store.begin().await?;
            let moved = self.advance(&mut write, request.order, Step::Cancel, None, now_ms).await?;
            write.commit().await?;
            anyhow::Ok(moved)
        };
        self.store.run(UPDATE, work).await
    }

    /// Moves a shipment within a transaction; the carrier does the next thing at
    /// `due_ms`. None: there is no such shipment.
    pub(crate) async fn advance(
        &self,
        write: &mut Write,
        order: Uuid,
        step: Step,
        due_ms: Option<i64>,
        now_ms: i64,
    ) -> anyhow::Result<Option<(Shipment, Outcome)>> {
        let Some(mut found) = find(write, order).await? else { return Ok(None) };
        let outcome = advance(found.state, step);
        if let Outcome::Becomes(state) = outcome {
            (found.state, found.updated_ms) = (state, now_ms);
            let sql = "UPDATE shipments SET state = ?, due_ms = ?, updated_ms = ?
                       WHERE order_id = ?";
            sqlx::query(sql)
                .bind(state.name())
                .bind(due_ms)
                .bind(now_ms)
                .bind(order.to_string())
                .execute(&mut **write)
                .await?;
            let event = match state {
                ShipmentState::Dispatched => Some(ShipmentEvent::Dispatched { order }),
                ShipmentState::Delivered => Some(ShipmentEvent::Delivered { order }),
                _ => None,
            };
            if let Some(event) = event {
                self.messaging.publish(write, Message::new(TOPIC, order, &event)).await?;
            }
        }
        Ok(Some((found, outcome)))
    }

    /// The carrier moves a shipment: a trace of its own, for no request asked.
    pub(crate) async fn carry(
        &self,
        shipment: &Shipment,
        step: Step,
        due_ms: Option<i64>,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        let span = tracing::info_span!(
            target: chassis::telemetry::SPANS, "carrier", otel.name = "carrier update"
        );
        let work = async {
            let mut write = self.store.begin().await?;
            self.advance(&mut write, shipment.order, step, due_ms, now_ms).await?;
            anyhow::Ok(write.commit().await?)
        };
        self.store.run(UPDATE, work).instrument(span).await
    }

    /// Shipments of which the carrier's next step is due. Not traced: it looks in
    /// vain nearly every time.
    pub(crate) async fn due(&self, now_ms: i64) -> anyhow::Result<Vec<Shipment>> {
        let sql = "SELECT * FROM shipments WHERE due_ms <= ? ORDER BY due_ms LIMIT ?";
        let query = sqlx::query(sql).bind(now_ms).bind(MAX_MOVED_AT_ONCE);
        query.fetch_all(self.store.pool()).await?.iter().map(shipment).collect()
    }

    pub(crate) async fn by_order(&self, order: Uuid) -> anyhow::Result<Option<Shipment>> {
        let query = sqlx::query("SELECT * FROM shipments WHERE order_id = ?");
        let query = query.bind(order.to_string()).fetch_optional(self.store.pool());
        self.store.run(SELECT, query).await?.as_ref().map(shipment).transpose()
    }

    async fn every_shipment_moves(&self) -> anyhow::Result<Vec<Invariant>> {
        let sql = "SELECT COUNT(*), COALESCE(SUM(state IN ('released', 'dispatched')), 0),
                     COALESCE(SUM((state IN ('released', 'dispatched')) <> (due_ms IS NOT NULL)), 0)
                   FROM shipments";
        let (all, moving, stuck): (i64, i64, i64) =
            sqlx::query_as(sql).fetch_one(self.store.pool()).await?;
        let says = format!(
            "{moving} of {all} shipments are on their way, and the carrier knows when to move \
             them; {stuck} are off"
        );
        let figures = [("shipments", all), ("moving", moving), ("wrong", stuck)];
        Ok(vec![Invariant::new("shipments_move_on", stuck == 0, says, &figures)])
    }
}

impl Checks for Shipments {
    fn check(&self) -> Checking<'_> {
        Box::pin(self.every_shipment_moves())
    }
}

async fn find(write: &mut Write, order: Uuid) -> anyhow::Result<Option<Shipment>> {
    let query = sqlx::query("SELECT * FROM shipments WHERE order_id = ?");
    let row = query.bind(order.to_string()).fetch_optional(&mut **write).await?;
    row.as_ref().map(shipment).transpose()
}

fn shipment(row: &SqliteRow) -> anyhow::Result<Shipment> {
    let state: &str = row.try_get("state")?;
    Ok(Shipment {
        order: Uuid::parse_str(row.try_get("order_id")?)?,
        customer: Uuid::parse_str(row.try_get("customer")?)?,
        pieces: row.try_get("pieces")?,
        state: ShipmentState::from_name(state)
            .with_context(|| format!("`{state}` is no state of a shipment"))?,
        created_ms: row.try_get("created_ms")?,
        updated_ms: row.try_get("updated_ms")?,
    })
}
