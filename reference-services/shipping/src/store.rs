//! The SQL of shipments. `api`, `events` and `carrier` hand it typed values.
//! What others want to know goes into the outbox in the same transaction.

use chassis::invariants::Checking;
use chassis::store::{Row, Source, sql, values};
use chassis::{Chassis, Checks, Message, Messaging, Migrations, Operation, Store, Write};
use contracts::invariants::Invariant;
use contracts::shipping::{Schedule, Shipment, ShipmentEvent, ShipmentState, TOPIC};
use tracing::Instrument;
use uuid::Uuid;

use crate::domain::{Outcome, Step, advance};

static MIGRATIONS: Migrations = Migrations::new(sqlx::migrate!("./migrations"));

const SELECT: Operation = Operation { name: "SELECT", collection: "shipments" };
const INSERT: Operation = Operation { name: "INSERT", collection: "shipments" };
const UPDATE: Operation = Operation { name: "UPDATE", collection: "shipments" };

const BY_ORDER: &str = "SELECT * FROM shipments WHERE order_id = ?";

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
        let insert = sql("INSERT INTO shipments VALUES (?1, ?2, ?3, ?4, NULL, ?5, ?5)
                   ON CONFLICT DO NOTHING")
        .bind(request.order)
        .bind(request.customer)
        .bind(request.pieces)
        .bind(state.name())
        .bind(now_ms);
        let work = async |write: &mut Write| {
            write.execute(insert).await?;
            write.one(sql(BY_ORDER).bind(request.order), shipment).await
        };
        let found = self.store.write(INSERT, work).await?;
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
        let work = async |write: &mut Write| {
            self.advance(write, request.order, Step::Cancel, None, now_ms).await
        };
        self.store.write(UPDATE, work).await
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
        let found = write.optional(sql(BY_ORDER).bind(order), shipment).await?;
        let Some(mut found) = found else { return Ok(None) };
        let outcome = advance(found.state, step);
        if let Outcome::Becomes(state) = outcome {
            (found.state, found.updated_ms) = (state, now_ms);
            let update = sql("UPDATE shipments SET state = ?, due_ms = ?, updated_ms = ?
                       WHERE order_id = ?");
            let update = update.bind(state.name()).bind(due_ms).bind(now_ms).bind(order);
            write.execute(update).await?;
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
    /// False: it was moved already, by another replica's carrier.
    pub(crate) async fn carry(
        &self,
        shipment: &Shipment,
        step: Step,
        due_ms: Option<i64>,
        now_ms: i64,
    ) -> anyhow::Result<bool> {
        let span = tracing::info_span!(
            target: chassis::telemetry::SPANS, "carrier", otel.name = "carrier update"
        );
        let work = async |write: &mut Write| {
            self.advance(write, shipment.order, step, due_ms, now_ms).await
        };
        let moved = self.store.write(UPDATE, work).instrument(span).await?;
        Ok(matches!(moved, Some((_, Outcome::Becomes(_)))))
    }

    /// Shipments of which the carrier's next step is due. Not traced: it looks in
    /// vain nearly every time.
    pub(crate) async fn due(&self, now_ms: i64) -> anyhow::Result<Vec<Shipment>> {
        let due = sql("SELECT * FROM shipments WHERE due_ms <= ? ORDER BY due_ms LIMIT ?");
        self.store.reader().all(due.bind(now_ms).bind(MAX_MOVED_AT_ONCE), shipment).await
    }

    pub(crate) async fn by_order(&self, order: Uuid) -> anyhow::Result<Option<Shipment>> {
        self.store.optional(SELECT, sql(BY_ORDER).bind(order), shipment).await
    }

    async fn every_shipment_moves(&self) -> anyhow::Result<Vec<Invariant>> {
        let query = sql("SELECT COUNT(*),
                     COUNT(*) FILTER (WHERE state IN ('released', 'dispatched')),
                     COUNT(*) FILTER (WHERE (state IN ('released', 'dispatched'))
                                         <> (due_ms IS NOT NULL))
                   FROM shipments");
        let (all, moving, stuck): (i64, i64, i64) = self.store.reader().one(query, values).await?;
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

fn shipment(row: &Row) -> anyhow::Result<Shipment> {
    Ok(Shipment {
        order: row.get("order_id")?,
        customer: row.get("customer")?,
        pieces: row.get("pieces")?,
        state: row.word("state", ShipmentState::from_name)?,
        created_ms: row.get("created_ms")?,
        updated_ms: row.get("updated_ms")?,
    })
}
