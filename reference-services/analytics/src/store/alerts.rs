//! Judging windows that are final, each once: what was judged is noted in the
//! transaction that writes the alert and publishes it.

use std::collections::BTreeMap;

use chassis::Write;
use chassis::store::{Row, Source as _, sql, values};
use contracts::analytics::Alert;
use uuid::Uuid;

use crate::anomaly::{HISTORY, Scatter, Verdict, judge};
use crate::domain::{Judged, MINUTE_MS, Series};
use crate::watermark::NEVER;

use super::Desk;

/// Most windows of a series that are judged in one round.
const AT_ONCE: i64 = 120;

/// Most alerts that are kept; the oldest go.
pub(super) const MAX_ALERTS: i64 = 10_000;

/// The values of one key: those of windows without an event are 0.
struct Line {
    first_ms: i64,
    values: BTreeMap<i64, i64>,
}

impl Line {
    fn value(&self, start_ms: i64) -> i64 {
        self.values.get(&start_ms).copied().unwrap_or(0)
    }

    fn verdict(&self, start_ms: i64, least: Scatter) -> Option<Verdict> {
        let length = i64::try_from(HISTORY).unwrap_or(i64::MAX);
        let starts = (1..=length).rev().map(|back| start_ms - back * MINUTE_MS);
        let history: Vec<i64> =
            starts.filter(|start| *start >= self.first_ms).map(|start| self.value(start)).collect();
        judge(&history, self.value(start_ms), least)
    }

    /// The verdict on a window that stands out when the one before it did not.
    fn begins_to_stand_out(&self, start_ms: i64, least: Scatter) -> Option<Verdict> {
        let now = self.verdict(start_ms, least).filter(Verdict::stands_out)?;
        let before = self.verdict(start_ms - MINUTE_MS, least).filter(Verdict::stands_out);
        before.is_none_or(|before| before.score.signum() != now.score.signum()).then_some(now)
    }
}

impl Desk {
    /// Judges the windows of a series that became final.
    pub(super) async fn judge(
        &self,
        write: &mut Write,
        series: Series,
        watermark_ms: i64,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        let Some(judged) = series.judged else { return Ok(()) };
        if watermark_ms == NEVER {
            return Ok(());
        }
        let last_ms = watermark_ms.saturating_sub(self.lateness_ms);
        let Some(from_ms) = judged_up_to(write, series).await? else { return Ok(()) };
        let to_ms = last_ms.min(from_ms + AT_ONCE * MINUTE_MS);
        let to_ms = to_ms - to_ms.rem_euclid(MINUTE_MS);
        if to_ms < from_ms + MINUTE_MS {
            return Ok(());
        }
        let lines = lines(write, series, judged, from_ms, to_ms).await?;
        let (Judged::Events(least) | Judged::Amount(least)) = judged;
        let mut start_ms = from_ms;
        while start_ms < to_ms {
            for (key, line) in &lines {
                if let Some(verdict) = line.begins_to_stand_out(start_ms, least) {
                    let value = line.value(start_ms);
                    self.alert(write, series, (key, start_ms, value), verdict, now_ms).await?;
                }
            }
            start_ms += MINUTE_MS;
        }
        let note = sql("UPDATE series SET judged_ms = ?2 WHERE name = ?1");
        write.execute(note.bind(series.name).bind(to_ms)).await?;
        Ok(())
    }

    async fn alert(
        &self,
        write: &mut Write,
        series: Series,
        (key, start_ms, value): (&str, i64, i64),
        verdict: Verdict,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        let Verdict { expected, score } = verdict;
        let id = Uuid::now_v7();
        let insert = sql("INSERT INTO alerts (id, series, key, start_ms, value, expected, score)
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                          ON CONFLICT (series, key, start_ms) DO NOTHING");
        let insert = insert.bind(id).bind(series.name).bind(key).bind(start_ms).bind(value);
        if write.execute(insert.bind(expected).bind(score)).await? == 0 {
            return Ok(());
        }
        let (series, key) = (series.name.to_owned(), key.to_owned());
        tracing::warn!(series, key, start_ms, value, expected, score, "a window stands out");
        let alert = Alert { id, series, key, start_ms, value, expected, score };
        self.raise(write, &alert).await?;
        self.alerts.with_label_values(&[&alert.series]).inc();
        let old = sql("DELETE FROM alerts WHERE start_ms < (
                         SELECT start_ms FROM alerts ORDER BY start_ms DESC LIMIT 1 OFFSET ?1)
                       AND start_ms < ?2");
        write.execute(old.bind(MAX_ALERTS).bind(now_ms)).await?;
        Ok(())
    }
}

/// Up to where a series was judged, or where it begins; none: it is empty.
async fn judged_up_to(write: &mut Write, series: Series) -> anyhow::Result<Option<i64>> {
    let judged = sql("SELECT judged_ms FROM series WHERE name = ?1").bind(series.name);
    let judged: i64 = write.one(judged, values).await?;
    if judged != NEVER {
        return Ok(Some(judged));
    }
    let first = sql("SELECT MIN(start_ms) FROM windows WHERE series = ?1").bind(series.name);
    write.one(first, values).await
}

/// What the windows of each key say that are needed to judge those from `from_ms` to `to_ms`.
async fn lines(
    write: &mut Write,
    series: Series,
    judged: Judged,
    from_ms: i64,
    to_ms: i64,
) -> anyhow::Result<BTreeMap<String, Line>> {
    let needed_ms = from_ms - (i64::try_from(HISTORY)? + 1) * MINUTE_MS;
    let rows = sql("SELECT key, start_ms, events, amount FROM windows
                    WHERE series = ?1 AND start_ms >= ?2 AND start_ms < ?3");
    let read = |row: &Row| {
        let value: i64 = match judged {
            Judged::Events(_) => row.get("events")?,
            Judged::Amount(_) => row.get("amount")?,
        };
        Ok((row.get::<String>("key")?, row.get::<i64>("start_ms")?, value))
    };
    let rows = rows.bind(series.name).bind(needed_ms).bind(to_ms);
    let rows: Vec<(String, i64, i64)> = write.all(rows, read).await?;
    let firsts = sql("SELECT key, MIN(start_ms) FROM windows WHERE series = ?1 GROUP BY key");
    let firsts: Vec<(String, i64)> = write.all(firsts.bind(series.name), values).await?;
    let firsts: BTreeMap<String, i64> = firsts.into_iter().collect();
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    for (key, start_ms, value) in rows {
        let first_ms = firsts.get(&key).copied().unwrap_or(start_ms);
        let line = lines.entry(key).or_insert_with(|| Line { first_ms, values: BTreeMap::new() });
        line.values.insert(start_ms, value);
    }
    Ok(lines)
}
