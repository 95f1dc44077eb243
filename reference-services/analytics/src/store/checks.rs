//! What must always hold of analytics, what it comes to in figures, and what is
//! forgotten: windows, ways of orders and late events that are old.

use std::collections::BTreeMap;

use chassis::invariants::Checking;
use chassis::messaging::Journal as _;
use chassis::store::{Row, Source as _, sql, values};
use chassis::{Checks, Write};
use contracts::invariants::Invariant;

use crate::domain::{SERIES, Source};

use super::Desk;

/// How long windows and ways of orders are kept behind the watermark.
pub(crate) const KEPT_MS: i64 = 7 * 24 * 3600 * 1000;

/// Most windows of one series; the oldest that are final go.
pub(crate) const MAX_WINDOWS: i64 = 100_000;

/// Most late events that are kept; their number stays known.
pub(crate) const MAX_LATE: i64 = 10_000;

/// Most ways of orders.
pub(crate) const MAX_JOURNEYS: i64 = 500_000;

/// What there is, for gauges.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    /// Watermark and late events of each series.
    pub(crate) series: Vec<(String, i64, i64)>,
    /// Windows by series and state.
    pub(crate) windows: Vec<(String, i64, i64)>,
    /// Events of clients that wait.
    pub(crate) queued: i64,
}

impl Desk {
    pub(crate) async fn figures(&self) -> anyhow::Result<Figures> {
        let mut reader = self.store.reader();
        let series = sql("SELECT name, watermark_ms, late FROM series");
        let windows = sql("SELECT series, state, COUNT(*) FROM windows GROUP BY series, state");
        Ok(Figures {
            series: reader.all(series, values).await?,
            windows: reader.all(windows, values).await?,
            queued: self.queued().await?,
        })
    }

    /// What is known of each source: its newest event and the mark that follows.
    pub(crate) async fn newest(&self) -> anyhow::Result<BTreeMap<Source, i64>> {
        let all = sql("SELECT name, newest_ms FROM sources");
        let all: Vec<(String, i64)> = self.store.reader().all(all, values).await?;
        let named = |name: &str| Source::ALL.into_iter().find(|source| source.name() == name);
        Ok(all.into_iter().filter_map(|(name, newest)| Some((named(&name)?, newest))).collect())
    }

    /// When the oldest event of each source that waits to be handled happened.
    pub(crate) async fn oldest_waiting(&self) -> anyhow::Result<Vec<(String, i64)>> {
        self.messaging.journal().oldest_waiting().await
    }

    /// Forgets what is old.
    pub(crate) async fn forget_old(&self, now_ms: i64) -> anyhow::Result<()> {
        for series in SERIES {
            let mut write = self.store.begin().await?;
            forget_windows(&mut write, series.name).await?;
            write.commit().await?;
        }
        let mut write = self.store.begin().await?;
        let late = sql("DELETE FROM late_events WHERE noted_ms < COALESCE((
                          SELECT noted_ms FROM late_events
                          ORDER BY noted_ms DESC LIMIT 1 OFFSET ?1), ?2)");
        write.execute(late.bind(MAX_LATE).bind(now_ms - KEPT_MS)).await?;
        let ways = sql("DELETE FROM journeys WHERE seen_ms < COALESCE((
                          SELECT seen_ms FROM journeys
                          ORDER BY seen_ms DESC LIMIT 1 OFFSET ?1), ?2)");
        write.execute(ways.bind(MAX_JOURNEYS).bind(now_ms - KEPT_MS)).await?;
        Ok(write.commit().await?)
    }
}

async fn forget_windows(write: &mut Write, series: &str) -> anyhow::Result<()> {
    let bound = sql("SELECT start_ms FROM windows WHERE series = ?1
                     ORDER BY start_ms DESC LIMIT 1 OFFSET ?2");
    let bound: Option<i64> = write.optional(bound.bind(series).bind(MAX_WINDOWS), values).await?;
    let mark = sql("SELECT watermark_ms FROM series WHERE name = ?1").bind(series);
    let mark: i64 = write.one(mark, values).await?;
    let before_ms = mark.saturating_sub(KEPT_MS).max(bound.unwrap_or(i64::MIN));
    let count = sql("UPDATE series SET forgotten = forgotten + (
                       SELECT COALESCE(CAST(SUM(events) AS BIGINT), 0) FROM windows
                       WHERE windows.series = ?1 AND windows.start_ms < ?2 AND windows.state = 2)
                     WHERE name = ?1");
    write.execute(count.bind(series).bind(before_ms)).await?;
    let delete = sql("DELETE FROM windows WHERE series = ?1 AND start_ms < ?2 AND state = 2");
    write.execute(delete.bind(series).bind(before_ms)).await?;
    Ok(())
}

impl Checks for Desk {
    fn check(&self) -> Checking<'_> {
        Box::pin(async move {
            let mut found = self.windows_hold_all().await?;
            found.push(self.every_handled_event_has_its_effect().await?);
            found.push(self.sessions_are_apart().await?);
            Ok(found)
        })
    }
}

impl Desk {
    /// Events in windows, late and forgotten are what was applied.
    async fn windows_hold_all(&self) -> anyhow::Result<Vec<Invariant>> {
        let query = sql("SELECT name, applied, late, forgotten,
                           (SELECT COALESCE(CAST(SUM(events) AS BIGINT), 0) FROM windows
                            WHERE windows.series = series.name) AS within
                         FROM series ORDER BY name");
        let read = |row: &Row| {
            let name: String = row.get("name")?;
            let (applied, late): (i64, i64) = (row.get("applied")?, row.get("late")?);
            let (forgotten, within): (i64, i64) = (row.get("forgotten")?, row.get("within")?);
            let figures = [
                ("applied", applied),
                ("within", within),
                ("late", late),
                ("forgotten", forgotten),
            ];
            Ok(Invariant::new(
                &format!("windows_of_{}_hold_all_events", name.replace('-', "_")),
                applied == within + late + forgotten,
                format!(
                    "{applied} events were added to {name}: {within} are in windows, {late} came \
                     late, {forgotten} were in windows that are forgotten"
                ),
                &figures,
            ))
        };
        self.store.reader().all(query, read).await
    }

    /// What the sources count in the transaction of the effect is what the inbox
    /// counts as handled.
    async fn every_handled_event_has_its_effect(&self) -> anyhow::Result<Invariant> {
        let query = sql("SELECT
                           (SELECT CAST(SUM(events) AS BIGINT) FROM sources),
                           (SELECT COALESCE(CAST(SUM(handled) AS BIGINT), 0) FROM inbox_cursors)");
        let (effects, handled): (i64, i64) = self.store.reader().one(query, values).await?;
        Ok(Invariant::new(
            "handled_events_have_one_effect",
            effects == handled,
            format!("{handled} events were handled, and {effects} have had their effect"),
            &[("handled", handled), ("effects", effects)],
        ))
    }

    /// Sessions of one customer that meet would be one.
    async fn sessions_are_apart(&self) -> anyhow::Result<Invariant> {
        let query = sql("SELECT COUNT(*) FROM windows one JOIN windows other
                           ON other.series = one.series AND other.key = one.key
                           AND other.start_ms > one.start_ms AND other.start_ms < one.end_ms
                         WHERE one.series = 'sessions'");
        let meet: i64 = self.store.reader().one(query, values).await?;
        let says = format!("{meet} sessions meet another of their customer");
        Ok(Invariant::new("sessions_are_apart", meet == 0, says, &[("meet", meet)]))
    }
}
