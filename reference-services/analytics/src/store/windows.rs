//! Windows in tables: an event is added with the rules of `crate::windows`, and
//! windows are closed when the watermark passes their end.

use std::collections::BTreeMap;

use anyhow::Context as _;
use chassis::Write;
use chassis::store::{Row, Source as _, sql, values};
use uuid::Uuid;

use crate::domain::{MAX_KEYS, OTHERS, SERIES, SESSIONS, Series, Source};
use crate::sketch::Sketch;
use crate::watermark::{NEVER, lowest};
use crate::windows::{Operator, Pane, Sum};

use super::{Applied, Desk, told};

/// States of windows in the table.
pub(super) const OPEN: i64 = 0;
pub(super) const CLOSED: i64 = 1;
pub(super) const FINAL: i64 = 2;

/// What a round of closing did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Closed {
    /// Windows that the watermark passed, by series.
    pub(crate) closed: BTreeMap<&'static str, u64>,
    /// Watermarks as they are now.
    pub(crate) watermarks: BTreeMap<&'static str, i64>,
}

impl Desk {
    fn operator(&self, series: Series) -> Operator {
        Operator { shape: series.shape, lateness_ms: self.lateness_ms }
    }

    /// Adds what an event measures to its windows. True: a window that was closed
    /// before says something else now.
    pub(super) async fn add(
        &self,
        write: &mut Write,
        applied: Applied<'_>,
    ) -> anyhow::Result<bool> {
        let Applied { measure, watermark_ms, .. } = applied;
        let operator = self.operator(measure.series);
        let key = self.key(write, applied).await?;
        let panes = panes(write, measure.series, &key, measure.at_ms).await?;
        let sum = Sum::one(measure.amount, measure.series.sampled);
        let change = operator.add(&panes, measure.at_ms, &sum, watermark_ms);
        let mut told_otherwise = false;
        for start_ms in &change.gone {
            let delete =
                sql("DELETE FROM windows WHERE series = ?1 AND key = ?2 AND start_ms = ?3");
            let delete = delete.bind(measure.series.name).bind(&key).bind(*start_ms);
            write.execute(delete).await?;
        }
        for pane in &change.put {
            let state = if pane.end_ms <= watermark_ms { CLOSED } else { OPEN };
            told_otherwise |= state == CLOSED;
            put(write, measure.series, &key, pane, state).await?;
        }
        told_otherwise |= panes.iter().any(|pane| pane.end_ms <= watermark_ms);
        for start_ms in &change.late {
            note_late(write, applied, &key, *start_ms).await?;
        }
        let late = i64::try_from(change.late.len())?;
        let touched = i64::try_from(change.put.len())? + late;
        let count = sql("UPDATE series SET applied = applied + ?2, late = late + ?3
                         WHERE name = ?1");
        write.execute(count.bind(measure.series.name).bind(touched).bind(late)).await?;
        Ok(told_otherwise)
    }

    /// The key of an event, or that of all others when its window has too many.
    async fn key(&self, write: &mut Write, applied: Applied<'_>) -> anyhow::Result<String> {
        let Applied { measure, .. } = applied;
        let key = measure.key.clone();
        if !measure.series.open_keys {
            return Ok(key);
        }
        let start_ms = measure.series.shape.spans(measure.at_ms).first().map_or(0, |span| span.0);
        let known = sql("SELECT COUNT(*) FROM windows
                         WHERE series = ?1 AND key = ?2 AND start_ms = ?3");
        let known = known.bind(measure.series.name).bind(&key).bind(start_ms);
        if write.one::<i64>(known, values).await? > 0 {
            return Ok(key);
        }
        let keys = sql("SELECT COUNT(*) FROM windows WHERE series = ?1 AND start_ms = ?2");
        let keys: i64 = write.one(keys.bind(measure.series.name).bind(start_ms), values).await?;
        Ok(if keys < MAX_KEYS { key } else { OTHERS.to_owned() })
    }

    /// Sets the marks of sources and the watermarks that follow, closes windows
    /// and judges those that are final, in one transaction. A source without a
    /// mark is given up.
    pub(crate) async fn close(
        &self,
        marks: &BTreeMap<Source, Option<i64>>,
        now_ms: i64,
    ) -> anyhow::Result<Closed> {
        let mut write = self.store.begin().await?;
        let mut now = BTreeMap::new();
        for (source, mark) in marks {
            let Some(mark) = *mark else {
                now.insert(*source, None);
                continue;
            };
            let set =
                sql("UPDATE sources SET mark_ms = CASE WHEN mark_ms < ?2 THEN ?2 ELSE mark_ms END
                           WHERE name = ?1 RETURNING mark_ms");
            let kept: i64 = write.one(set.bind(source.name()).bind(mark), values).await?;
            now.insert(*source, Some(kept));
        }
        let mut done = Closed::default();
        for series in SERIES {
            let sources = series.sources.iter();
            let lowest = lowest(sources.map(|source| now.get(source).copied().flatten()));
            let set = sql("UPDATE series SET watermark_ms =
                             CASE WHEN watermark_ms < ?2 THEN ?2 ELSE watermark_ms END
                           WHERE name = ?1 RETURNING watermark_ms");
            let set = set.bind(series.name).bind(lowest.unwrap_or(NEVER));
            let watermark_ms: i64 = write.one(set, values).await?;
            let closed = self.finish(&mut write, series, watermark_ms).await?;
            self.judge(&mut write, series, watermark_ms, now_ms).await?;
            done.closed.insert(series.name, closed);
            done.watermarks.insert(series.name, watermark_ms);
        }
        if done.closed.values().any(|closed| *closed > 0) {
            told(&mut write).await?;
        }
        self.crash.at("windows.closed");
        write.commit().await?;
        Ok(done)
    }

    async fn finish(
        &self,
        write: &mut Write,
        series: Series,
        watermark_ms: i64,
    ) -> anyhow::Result<u64> {
        let close = sql("UPDATE windows SET state = ?3, revision = revision + 1
                         WHERE series = ?1 AND end_ms <= ?2 AND state < 1");
        let close = close.bind(series.name).bind(watermark_ms).bind(CLOSED);
        let closed = write.execute(close).await?;
        let end = sql("UPDATE windows SET state = ?3
                       WHERE series = ?1 AND end_ms <= ?2 AND state < 2");
        let last_ms = watermark_ms.saturating_sub(self.lateness_ms);
        write.execute(end.bind(series.name).bind(last_ms).bind(FINAL)).await?;
        Ok(closed)
    }

    /// Forgets whose sessions there were; how many events they had stays known.
    pub(super) async fn forget_customer(
        &self,
        write: &mut Write,
        customer: Uuid,
    ) -> anyhow::Result<()> {
        let count = sql("UPDATE series SET forgotten = forgotten + (
                           SELECT COALESCE(CAST(SUM(events) AS BIGINT), 0) FROM windows
                           WHERE windows.series = ?1 AND windows.key = ?2)
                         WHERE name = ?1");
        write.execute(count.bind(SESSIONS.name).bind(customer)).await?;
        let delete = sql("DELETE FROM windows WHERE series = ?1 AND key = ?2");
        write.execute(delete.bind(SESSIONS.name).bind(customer)).await?;
        let late = sql("DELETE FROM late_events WHERE series = ?1 AND key = ?2");
        write.execute(late.bind(SESSIONS.name).bind(customer)).await?;
        told(write).await
    }
}

async fn panes(
    write: &mut Write,
    series: Series,
    key: &str,
    at_ms: i64,
) -> anyhow::Result<Vec<Pane>> {
    let (from, to) = series.shape.reach(at_ms);
    let touched = sql("SELECT start_ms, end_ms, events, amount, sketch FROM windows
                       WHERE series = ?1 AND key = ?2 AND start_ms < ?3 AND end_ms > ?4
                       ORDER BY start_ms");
    write.all(touched.bind(series.name).bind(key).bind(to).bind(from), pane).await
}

fn pane(row: &Row) -> anyhow::Result<Pane> {
    let text: &str = row.get("sketch")?;
    let sketch = Sketch::decode(text).context("`sketch` cannot be read")?;
    Ok(Pane {
        start_ms: row.get("start_ms")?,
        end_ms: row.get("end_ms")?,
        sum: Sum { events: row.get("events")?, amount: row.get("amount")?, sketch },
    })
}

async fn put(
    write: &mut Write,
    series: Series,
    key: &str,
    pane: &Pane,
    state: i64,
) -> anyhow::Result<()> {
    let put = sql("INSERT INTO windows
                     (series, key, start_ms, end_ms, events, amount, sketch, state, revision)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1)
                   ON CONFLICT (series, key, start_ms) DO UPDATE SET
                     end_ms = ?4, events = ?5, amount = ?6, sketch = ?7, state = ?8,
                     revision = windows.revision + 1");
    let put = put.bind(series.name).bind(key).bind(pane.start_ms).bind(pane.end_ms);
    let put = put.bind(pane.sum.events).bind(pane.sum.amount).bind(pane.sum.sketch.encode());
    write.execute(put.bind(state)).await?;
    Ok(())
}

async fn note_late(
    write: &mut Write,
    applied: Applied<'_>,
    key: &str,
    start_ms: i64,
) -> anyhow::Result<()> {
    let Applied { event, measure, watermark_ms, nth, now_ms } = applied;
    let note = sql("INSERT INTO late_events
                      (event, series, start_ms, key, at_ms, amount, watermark_ms, noted_ms, nth)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    let note = note.bind(event).bind(measure.series.name).bind(start_ms).bind(key);
    let note = note.bind(measure.at_ms).bind(measure.amount).bind(watermark_ms);
    write.execute(note.bind(now_ms).bind(nth)).await?;
    Ok(())
}
