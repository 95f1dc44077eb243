//! What is asked for: windows by range and page, sums over them, the ways of
//! orders, alerts, and what came late.

use std::collections::BTreeMap;

use anyhow::Context as _;
use chassis::store::{Row, Source as _, sql, values};
use contracts::analytics::{Alert, Cohort, Join, LateEvent, LateEvents, Sold, Window, WindowState};

use crate::domain::{JOIN_WITHIN_MS, LATENCY, PRODUCTS, Series};
use crate::sketch::Sketch;
use crate::watermark::NEVER;

use super::windows::{CLOSED, OPEN};
use super::{Desk, SELECT};

/// A part of time: from the first on, to before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Range {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
}

/// A part of a list: behind a start and key, and how many.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Page {
    pub(crate) after: (i64, String),
    pub(crate) limit: u32,
}

impl Desk {
    /// Grows whenever closed windows may say something else.
    pub(crate) async fn version(&self) -> anyhow::Result<i64> {
        let version = sql("SELECT value FROM versions WHERE name = 'results'");
        self.store.reader().one(version, values).await
    }

    /// Up to where all events of a series are believed to have come.
    pub(crate) async fn watermark(&self, series: Series) -> anyhow::Result<Option<i64>> {
        let mark = sql("SELECT watermark_ms FROM series WHERE name = ?1").bind(series.name);
        let mark: i64 = self.store.reader().one(mark, values).await?;
        Ok((mark != NEVER).then_some(mark))
    }

    /// Windows of a series that begin in a range; `open` takes those too whose end
    /// the watermark has not reached.
    pub(crate) async fn windows(
        &self,
        series: Series,
        key: Option<&str>,
        range: Range,
        page: &Page,
        open: bool,
    ) -> anyhow::Result<Vec<Window>> {
        let query = sql("SELECT * FROM windows
                         WHERE series = ?1 AND start_ms >= ?2 AND start_ms < ?3 AND state >= ?4
                           AND (start_ms > ?5 OR (start_ms = ?5 AND key > ?6))
                           AND (?7 = '' OR key = ?7)
                         ORDER BY start_ms, key LIMIT ?8");
        let query = query.bind(series.name).bind(range.from_ms).bind(range.to_ms);
        let query = query.bind(if open { OPEN } else { CLOSED });
        let query = query.bind(page.after.0).bind(&page.after.1).bind(key.unwrap_or_default());
        self.store.all(SELECT, query.bind(page.limit), window).await
    }

    /// The products that sold best in windows that begin in a range.
    pub(crate) async fn products(
        &self,
        range: Range,
        offset: u32,
        limit: u32,
    ) -> anyhow::Result<Vec<Sold>> {
        let query = sql("SELECT key, CAST(SUM(events) AS BIGINT) AS lines,
                           CAST(SUM(amount) AS BIGINT) AS pieces
                         FROM windows
                         WHERE series = ?1 AND start_ms >= ?2 AND start_ms < ?3 AND state >= ?4
                         GROUP BY key ORDER BY pieces DESC, key LIMIT ?5 OFFSET ?6");
        let query = query.bind(PRODUCTS.name).bind(range.from_ms).bind(range.to_ms).bind(CLOSED);
        let sold = |row: &Row| {
            let (lines, pieces) = (row.get("lines")?, row.get("pieces")?);
            Ok(Sold { sku: row.get("key")?, lines, pieces })
        };
        self.store.all(SELECT, query.bind(limit).bind(offset), sold).await
    }

    /// What became of the orders of each minute.
    pub(crate) async fn funnel(&self, range: Range, limit: u32) -> anyhow::Result<Vec<Cohort>> {
        let query = sql("SELECT placed_ms - placed_ms % 60000 AS start_ms, COUNT(*) AS placed,
                           COUNT(captured_ms) AS captured,
                           COUNT(*) FILTER (WHERE captured_ms IS NOT NULL
                             AND shipped_ms IS NOT NULL) AS shipped,
                           COUNT(cancelled_ms) AS cancelled
                         FROM journeys WHERE placed_ms >= ?1 AND placed_ms < ?2
                         GROUP BY placed_ms - placed_ms % 60000
                         ORDER BY placed_ms - placed_ms % 60000 LIMIT ?3");
        let cohort = |row: &Row| {
            Ok(Cohort {
                start_ms: row.get("start_ms")?,
                placed: row.get("placed")?,
                captured: row.get("captured")?,
                shipped: row.get("shipped")?,
                cancelled: row.get("cancelled")?,
            })
        };
        let query = query.bind(range.from_ms).bind(range.to_ms).bind(limit);
        self.store.all(SELECT, query, cohort).await
    }

    /// Orders beside their payments: an order waits until the watermark of both
    /// streams says that nothing can come any more.
    pub(crate) async fn join(&self) -> anyhow::Result<Join> {
        let query = sql("SELECT
              COUNT(*) FILTER (WHERE captured_ms - placed_ms <= ?1),
              COUNT(*) FILTER (WHERE captured_ms IS NULL AND placed_ms IS NOT NULL
                AND cancelled_ms IS NULL AND placed_ms + ?1 > mark),
              COUNT(*) FILTER (WHERE placed_ms IS NOT NULL AND (captured_ms - placed_ms > ?1
                OR (captured_ms IS NULL AND cancelled_ms IS NULL AND placed_ms + ?1 <= mark))),
              COUNT(*) FILTER (WHERE captured_ms IS NULL AND placed_ms IS NOT NULL
                AND cancelled_ms IS NOT NULL),
              COUNT(*) FILTER (WHERE captured_ms IS NOT NULL AND placed_ms IS NULL
                AND captured_ms <= mark)
            FROM journeys, (SELECT watermark_ms AS mark FROM series WHERE name = ?2) marks");
        let query = query.bind(JOIN_WITHIN_MS).bind(LATENCY.name);
        let read = |row: &Row| {
            Ok(Join {
                within_ms: JOIN_WITHIN_MS,
                matched: row.get(0)?,
                waiting: row.get(1)?,
                unmatched_orders: row.get(2)?,
                cancelled_orders: row.get(3)?,
                unmatched_payments: row.get(4)?,
            })
        };
        self.store.optional(SELECT, query, read).await?.context("a count has a row")
    }

    /// How many events came late, and the last of them.
    pub(crate) async fn late(&self, limit: u32) -> anyhow::Result<LateEvents> {
        let mut reader = self.store.reader();
        let counts = sql("SELECT name, late FROM series");
        let counts: Vec<(String, i64)> = reader.all(counts, values).await?;
        let events = sql("SELECT * FROM late_events ORDER BY noted_ms DESC, event, series,
                            start_ms, nth LIMIT ?1");
        let late = |row: &Row| {
            Ok(LateEvent {
                event: row.get("event")?,
                series: row.get("series")?,
                key: row.get("key")?,
                at_ms: row.get("at_ms")?,
                start_ms: row.get("start_ms")?,
                amount: row.get("amount")?,
                watermark_ms: row.get("watermark_ms")?,
            })
        };
        let events = reader.all(events.bind(limit), late).await?;
        Ok(LateEvents { counts: counts.into_iter().collect::<BTreeMap<_, _>>(), events })
    }

    /// What stood out in a range, the last first.
    pub(crate) async fn alerts(&self, range: Range, limit: u32) -> anyhow::Result<Vec<Alert>> {
        let query = sql("SELECT * FROM alerts WHERE start_ms >= ?1 AND start_ms < ?2
                         ORDER BY start_ms DESC, series, key LIMIT ?3");
        let alert = |row: &Row| {
            Ok(Alert {
                id: row.get("id")?,
                series: row.get("series")?,
                key: row.get("key")?,
                start_ms: row.get("start_ms")?,
                value: row.get("value")?,
                expected: row.get("expected")?,
                score: row.get("score")?,
            })
        };
        let query = query.bind(range.from_ms).bind(range.to_ms).bind(limit);
        self.store.all(SELECT, query, alert).await
    }
}

fn window(row: &Row) -> anyhow::Result<Window> {
    let text: &str = row.get("sketch")?;
    let sketch = Sketch::decode(text).context("`sketch` cannot be read")?;
    let state = match row.get::<i64>("state")? {
        0 => WindowState::Open,
        1 => WindowState::Closed,
        _ => WindowState::Final,
    };
    Ok(Window {
        key: row.get("key")?,
        start_ms: row.get("start_ms")?,
        end_ms: row.get("end_ms")?,
        events: row.get("events")?,
        amount: row.get("amount")?,
        state,
        revision: row.get("revision")?,
        p50: sketch.percentile(0.5),
        p95: sketch.percentile(0.95),
        p99: sketch.percentile(0.99),
    })
}
