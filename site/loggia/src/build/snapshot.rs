//! Asks a running server what it measured, once, so that the figures can be baked into a site of
//! plain files.

use crate::serve::charts::{kind, snapshot_source};
use anyhow::Context;
use document::{Book, ChartBlock};
use evidence::Evidence;
use pages::{Chart, ChartSeries, ChartSpan};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Charts by the id of their page.
pub(super) type Charts = BTreeMap<String, Vec<Chart>>;

/// One answer takes no longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// An answer is no larger, bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The evidence of the server at `url`.
pub(super) fn take(url: &str) -> anyhow::Result<Evidence> {
    let address = format!("{}/api/live/evidence", url.trim_end_matches('/'));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let text = runtime
        .block_on(telemetry::fetch(&address, ANSWER_WITHIN, ANSWER_BYTES_MAX))
        .map_err(|why| {
            anyhow::anyhow!(
                "cannot take a snapshot of `{url}`: {why}\nhelp: name a running `loggia serve`, such as http://127.0.0.1:3000, or build without --snapshot"
            )
        })?;
    let mut evidence: Evidence = serde_json::from_str(&text)
        .with_context(|| format!("`{address}` answers something else than this Loggia does"))?;
    // Where its nodes stand is no part of the answer.
    evidence.map.place(None, 0);
    Ok(evidence)
}

/// The charts of each page, by [`document::Page::id`], as the server at `url` measured them. A chart that
/// it cannot draw is empty; the page says so.
pub(super) fn charts(url: &str, book: &Book) -> anyhow::Result<Charts> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut all = Charts::new();
    for page in &book.pages {
        for block in page.charts() {
            let source = snapshot_source(block);
            let address = format!("{}/api/live/chart?{source}", url.trim_end_matches('/'));
            let asked = telemetry::fetch(&address, ANSWER_WITHIN, ANSWER_BYTES_MAX);
            let told = runtime.block_on(asked).ok();
            let told = told.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            all.entry(page.id.clone()).or_default().push(drawn(block, told));
        }
    }
    Ok(all)
}

/// The answer of `/api/live/chart`, as far as a drawing needs it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    from: i64,
    to: i64,
    step: i64,
    times: Vec<i64>,
    series: Vec<ToldLine>,
}

#[derive(Deserialize)]
struct ToldLine {
    name: String,
    values: Vec<Option<f64>>,
}

fn drawn(block: &ChartBlock, told: Told) -> Chart {
    let line = |line: ToldLine| ChartSeries {
        name: line.name,
        points: told.times.iter().copied().zip(line.values).collect(),
        ..ChartSeries::default()
    };
    Chart {
        title: block.title.clone(),
        unit: block.options.unit.clone(),
        kind: kind(block.options.style),
        threshold: block.options.threshold,
        series: told.series.into_iter().map(line).collect(),
        span: ChartSpan { from: told.from, to: told.to, step: told.step, live: false },
        ..Chart::default()
    }
}
