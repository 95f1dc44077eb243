//! The SQL of analytics. `events` applies an event here within the transaction in
//! which the inbox notes that it was handled: state, place in the stream and
//! results change together or not at all, which is all there is to exactly-once
//! effects. `advance` closes windows, `api` reads.

use chassis::store::{Source as _, sql, values};
use chassis::{Chassis, CrashPoints, Message, Messaging, Migrations, Operation, Store, Write};
use contracts::analytics::{AnalyticsEvent, TOPIC};
use contracts::messaging::Event;
use prometheus::IntCounterVec;
use uuid::Uuid;

use crate::domain::{Facts, JOIN_WITHIN_MS, LATENCY, Measure, SERIES, Source, Step};
use crate::watermark::NEVER;

mod alerts;
mod checks;
mod doorstep;
mod registry;
mod results;
mod windows;

pub(crate) use doorstep::{Kept, MAX_QUEUED};
pub(crate) use registry::{Registered, Registry, is_subject, load};
pub(crate) use results::{Page, Range};

static MIGRATIONS: Migrations = Migrations::new(sqlx::migrate!("./migrations"));

const INSERT: Operation = Operation { name: "INSERT", collection: "doorstep" };
const SELECT: Operation = Operation { name: "SELECT", collection: "windows" };

/// What analytics keeps. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    store: Store,
    messaging: Messaging,
    crash: CrashPoints,
    lateness_ms: i64,
    alerts: IntCounterVec,
}

/// When an event came to which customers' effects, as `windows` writes it down.
#[derive(Debug, Clone, Copy)]
struct Applied<'a> {
    event: Uuid,
    measure: &'a Measure,
    watermark_ms: i64,
    nth: i64,
    now_ms: i64,
}

impl Desk {
    pub(crate) async fn open(chassis: &Chassis, lateness_ms: i64) -> anyhow::Result<Self> {
        let store = Store::open(chassis, &MIGRATIONS).await?;
        let messaging = Messaging::open(chassis, &store).await?;
        let alerts = chassis.metrics.counter(
            "analytics_alerts_total",
            "Windows that stood out from those before them, since the start.",
            &["series"],
        );
        let this = Self { store, messaging, crash: chassis.crash.clone(), lateness_ms, alerts };
        this.name_what_there_is().await?;
        Ok(this)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    async fn name_what_there_is(&self) -> anyhow::Result<()> {
        let mut write = self.store.begin().await?;
        for source in Source::ALL {
            let insert = sql("INSERT INTO sources (name, newest_ms, mark_ms, events)
                              VALUES (?1, ?2, ?2, 0) ON CONFLICT (name) DO NOTHING");
            write.execute(insert.bind(source.name()).bind(NEVER)).await?;
        }
        for series in SERIES {
            let insert = sql("INSERT INTO series
                                (name, watermark_ms, applied, late, forgotten, judged_ms)
                              VALUES (?1, ?2, 0, 0, 0, ?2) ON CONFLICT (name) DO NOTHING");
            write.execute(insert.bind(series.name).bind(NEVER)).await?;
        }
        Ok(write.commit().await?)
    }

    /// Brings about what follows from an event, within its transaction.
    pub(crate) async fn apply(
        &self,
        write: &mut Write,
        source: Source,
        event: &Event,
        facts: Facts,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        let at_ms = event.published_ms;
        let heard = sql("UPDATE sources SET events = events + 1,
                           newest_ms = CASE WHEN newest_ms < ?2 THEN ?2 ELSE newest_ms END
                         WHERE name = ?1");
        write.execute(heard.bind(source.name()).bind(at_ms)).await?;
        let Facts { mut measures, step, forgotten } = facts;
        if let Some((order, step)) = step {
            measures.extend(self.walk(write, order, step, at_ms, now_ms).await?);
        }
        if let Some(user) = forgotten {
            self.forget_customer(write, user).await?;
        }
        if measures.is_empty() {
            return Ok(());
        }
        let marks = sql("SELECT name, watermark_ms FROM series");
        let marks: Vec<(String, i64)> = write.all(marks, values).await?;
        let mut told_otherwise = false;
        for (nth, measure) in (0_i64..).zip(&measures) {
            let mark = marks.iter().find(|(name, _)| name == measure.series.name);
            let watermark_ms = mark.map_or(NEVER, |(_, mark)| *mark);
            let applied = Applied { event: event.id, measure, watermark_ms, nth, now_ms };
            told_otherwise |= self.add(write, applied).await?;
            self.crash.at("window.written");
        }
        if told_otherwise {
            told(write).await?;
        }
        Ok(())
    }

    /// Notes a step of an order. Whichever of order and payment comes second
    /// completes the pair, at the later of their times.
    async fn walk(
        &self,
        write: &mut Write,
        order: Uuid,
        step: Step,
        at_ms: i64,
        now_ms: i64,
    ) -> anyhow::Result<Option<Measure>> {
        let note = match step {
            Step::Placed => sql("INSERT INTO journeys (order_id, placed_ms, seen_ms)
                   VALUES (?1, ?2, ?3) ON CONFLICT (order_id) DO UPDATE SET placed_ms = ?2"),
            Step::Captured => sql("INSERT INTO journeys (order_id, captured_ms, seen_ms)
                   VALUES (?1, ?2, ?3) ON CONFLICT (order_id) DO UPDATE SET captured_ms = ?2"),
            Step::Shipped => sql("INSERT INTO journeys (order_id, shipped_ms, seen_ms)
                   VALUES (?1, ?2, ?3) ON CONFLICT (order_id) DO UPDATE SET shipped_ms = ?2"),
            Step::Cancelled => sql("INSERT INTO journeys (order_id, cancelled_ms, seen_ms)
                   VALUES (?1, ?2, ?3) ON CONFLICT (order_id) DO UPDATE SET cancelled_ms = ?2"),
        };
        write.execute(note.bind(order).bind(at_ms).bind(now_ms)).await?;
        if !matches!(step, Step::Placed | Step::Captured) {
            return Ok(None);
        }
        let pair = sql("SELECT placed_ms, captured_ms FROM journeys WHERE order_id = ?1
                        AND placed_ms IS NOT NULL AND captured_ms IS NOT NULL");
        let pair: Option<(i64, i64)> = write.optional(pair.bind(order), values).await?;
        let Some((placed, captured)) = pair else { return Ok(None) };
        let amount = (captured - placed).max(0);
        let key = crate::domain::ALL.to_owned();
        let at_ms = placed.max(captured);
        Ok((amount <= JOIN_WITHIN_MS).then_some(Measure { series: LATENCY, key, at_ms, amount }))
    }

    async fn raise(
        &self,
        write: &mut Write,
        alert: &contracts::analytics::Alert,
    ) -> anyhow::Result<()> {
        let event = AnalyticsEvent::AnomalyFound(alert.clone());
        let key = format!("{}/{}", alert.series, alert.key);
        self.messaging.publish(write, Message::new(TOPIC, key, &event)).await
    }
}

/// Notes that what was told may be told otherwise now.
async fn told(write: &mut Write) -> anyhow::Result<()> {
    let bump = sql("UPDATE versions SET value = value + 1 WHERE name = 'results'");
    write.execute(bump).await?;
    Ok(())
}
