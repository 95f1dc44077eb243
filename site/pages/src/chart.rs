//! Line charts of a service's page: scales, paths, and the cells that move them.
//!
//! The time axis is relative to now ("−10 min"), so its labels stay put while the lines move on.

use crate::figures::{amount, clock, duration};
use crate::{Cell, Cells, Chart, ChartExemplar, ChartSeries};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The drawing's `viewBox` is 420 by 170; lines lie inside these sides.
const LEFT: f64 = 50.0;
const RIGHT: f64 = 412.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 144.0;
/// Parts that the value axis is divided into.
const STEPS: usize = 3;
/// Points further apart than this many times the usual distance are not joined.
const GAP_STEPS: i64 = 3;
/// Exemplars that are shown, the newest.
pub(crate) const EXEMPLARS_MAX: usize = 16;
/// Half the width of an exemplar's diamond.
const DIAMOND: f64 = 4.0;
/// A line needs a colour; further series of a chart are not drawn.
pub(crate) const SERIES_MAX: usize = 8;

/// A chart's fixed parts.
pub(crate) struct ChartFrame {
    pub(crate) index: usize,
    pub(crate) title: String,
    /// The span that it covers, in words.
    pub(crate) range: String,
    pub(crate) rows: Vec<(f64, String)>,
    pub(crate) columns: Vec<(f64, String)>,
    pub(crate) series: Vec<Line>,
    /// Keys of places for exemplars.
    pub(crate) exemplars: Vec<String>,
}

impl ChartFrame {
    /// Key of one of its parts.
    pub(crate) fn cell(&self, part: &str) -> String {
        format!("chart.{}.{part}", self.index)
    }
}

/// A line's legend.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) key: String,
}

/// Where the lines and words of a chart stand.
pub(crate) fn frame(index: usize, chart: &Chart, range_s: u32) -> ChartFrame {
    let rows = (0..=STEPS).map(|step| (row(step), format!("chart.{index}.y{step}"))).collect();
    let columns = (0..=3u32)
        .map(|nth| {
            let back = f64::from(range_s) * f64::from(3 - nth) / 3.0;
            let text = if nth == 3 { "now".to_owned() } else { format!("−{}", duration(back)) };
            (LEFT + (RIGHT - LEFT) * f64::from(nth) / 3.0, text)
        })
        .collect();
    let places = if chart.exemplars.is_empty() { 0 } else { EXEMPLARS_MAX };
    let exemplars = (0..places).map(|nth| format!("chart.{index}.x{nth}")).collect();
    let series = shown(chart)
        .enumerate()
        .map(|(nth, series)| Line {
            name: series.name.clone(),
            key: format!("chart.{index}.s{nth}"),
        })
        .collect();
    ChartFrame {
        index,
        title: chart.title.clone(),
        range: duration(f64::from(range_s)),
        rows,
        columns,
        series,
        exemplars,
    }
}

/// The live parts: axis labels, lines, last values, threshold, exemplars. `root` leads to the site's root.
pub(crate) fn cells(index: usize, chart: &Chart, range_s: u32, now_ms: i64, root: &str) -> Cells {
    let mut cells = Cells::new();
    let (bottom, top) = (nice_bottom(chart), nice_top(highest(chart), &chart.unit));
    let mut put = |part: String, cell: Cell| cells.insert(format!("chart.{index}.{part}"), cell);
    for step in 0..=STEPS {
        let value = bottom + (top - bottom) * (STEPS - step) as f64 / STEPS as f64;
        put(format!("y{step}"), Cell::text(amount(value, &chart.unit).text()));
    }
    let part = |value: f64| ((value - bottom) / (top - bottom)).clamp(0.0, 1.0);
    let y = |value: f64| BOTTOM - part(value) * (BOTTOM - TOP);
    for (nth, series) in shown(chart).enumerate() {
        put(format!("s{nth}"), Cell::path(line(series, range_s, now_ms, &y)));
        let last = series.points.last().and_then(|(_, value)| *value);
        let text = last
            .filter(|v| v.is_finite())
            .map_or_else(|| "no data".to_owned(), |v| amount(v, &chart.unit).text());
        put(format!("s{nth}.now"), Cell::text(text));
    }
    let bound = chart.threshold.filter(|bound| *bound <= top);
    put(
        "bound".to_owned(),
        Cell::path(bound.map_or_else(String::new, |v| format!("M{LEFT},{:.1}H{RIGHT}", y(v)))),
    );
    let words =
        bound.map_or_else(String::new, |v| format!("bound {}", amount(v, &chart.unit).text()));
    put("bound.text".to_owned(), Cell::text(words));
    let none = shown(chart).all(|series| series.points.iter().all(|(_, value)| value.is_none()));
    put("empty".to_owned(), Cell::text(if none { "no data in this range" } else { "" }));
    let x = |at: i64| x_of(at, range_s, now_ms);
    let mut chosen = slowest(chart, range_s, now_ms).into_iter();
    let places = if chart.exemplars.is_empty() { 0 } else { EXEMPLARS_MAX };
    for nth in 0..places {
        let (path, link, words) = chosen.next().map_or_else(Default::default, |one| {
            let words = format!(
                "a trace of {}, {} UTC",
                amount(one.value, &chart.unit).text(),
                clock(one.at)
            );
            let link = format!("{root}live/traces/{}", one.trace_id);
            (diamond(x(one.at), y(one.value)), link, words)
        });
        put(format!("x{nth}"), Cell::path(path));
        put(format!("x{nth}.to"), Cell { u: Some(link), h: Some(words), ..Cell::default() });
    }
    cells
}

fn shown(chart: &Chart) -> impl Iterator<Item = &ChartSeries> {
    chart.series.iter().take(SERIES_MAX)
}

fn row(step: usize) -> f64 {
    TOP + (BOTTOM - TOP) * step as f64 / STEPS as f64
}

fn highest(chart: &Chart) -> f64 {
    let values =
        shown(chart).flat_map(|series| series.points.iter().filter_map(|(_, value)| *value));
    let high = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    match chart.threshold {
        Some(bound) if bound < high * 3.0 => high.max(bound * 1.1),
        _ => high,
    }
}

/// 0, or a round number below the lowest value.
fn nice_bottom(chart: &Chart) -> f64 {
    let values =
        shown(chart).flat_map(|series| series.points.iter().filter_map(|(_, value)| *value));
    let low = values.filter(|value| value.is_finite()).fold(0.0, f64::min);
    if low < 0.0 { -nice_top(-low, "") } else { 0.0 }
}

/// The next round number of which a third is round too.
fn nice_top(high: f64, unit: &str) -> f64 {
    if high <= 0.0 {
        return match unit {
            "ratio" => 0.03,
            "s" => 0.03,
            _ => 3.0,
        };
    }
    let decade = 10f64.powf((high / STEPS as f64).log10().floor());
    let step = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let fits = step.into_iter().map(|s| s * decade * STEPS as f64).find(|top| *top >= high);
    let top = fits.unwrap_or(30.0 * decade);
    if unit == "ratio" && high <= 1.0 { top.min(1.0) } else { top }
}

fn line(series: &ChartSeries, range_s: u32, now_ms: i64, y: &dyn Fn(f64) -> f64) -> String {
    let start = now_ms - i64::from(range_s) * 1000;
    let x = |at: i64| x_of(at, range_s, now_ms);
    let step = usual_step(series);
    let (mut path, mut before) = (String::new(), None);
    for (at, value) in series.points.iter().filter(|(at, _)| *at >= start && *at <= now_ms) {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            before = None;
            continue;
        };
        let joined = before.is_some_and(|before| at - before <= step.saturating_mul(GAP_STEPS));
        let _ = write!(path, "{}{:.1},{:.1}", if joined { 'L' } else { 'M' }, x(*at), y(value));
        before = Some(*at);
    }
    path
}

/// Where a moment stands from left to right.
fn x_of(at: i64, range_s: u32, now_ms: i64) -> f64 {
    let since = at - (now_ms - i64::from(range_s) * 1000);
    LEFT + (RIGHT - LEFT) * since as f64 / (f64::from(range_s.max(1)) * 1000.0)
}

/// The largest exemplar of each part of the range, the newest part first.
fn slowest(chart: &Chart, range_s: u32, now_ms: i64) -> Vec<&ChartExemplar> {
    let part_ms = (i64::from(range_s) * 1000 / EXEMPLARS_MAX as i64).max(1);
    let mut parts: BTreeMap<Reverse<i64>, &ChartExemplar> = BTreeMap::new();
    let inside = |one: &&ChartExemplar| (LEFT..=RIGHT).contains(&x_of(one.at, range_s, now_ms));
    for one in chart.exemplars.iter().filter(inside) {
        // Parts of the clock rather than of the range: otherwise others would be chosen at every tick.
        let part = parts.entry(Reverse(one.at.div_euclid(part_ms))).or_insert(one);
        if one.value > part.value {
            *part = one;
        }
    }
    parts.into_values().collect()
}

fn diamond(x: f64, y: f64) -> String {
    format!(
        "M{x:.1},{:.1}l{DIAMOND},{DIAMOND} -{DIAMOND},{DIAMOND} -{DIAMOND},-{DIAMOND}Z",
        y - DIAMOND
    )
}

fn usual_step(series: &ChartSeries) -> i64 {
    let mut steps: Vec<i64> = series.points.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_axes() {
        for (high, unit, top) in [
            (52.0, "1/s", 60.0),
            (0.412, "s", 0.45),
            (0.0, "ratio", 0.03),
            (1.0, "ratio", 1.0),
            (7.0, "", 7.5),
        ] {
            assert!(
                (nice_top(high, unit) - top).abs() < 1e-9,
                "{high} {unit}: {}",
                nice_top(high, unit)
            );
        }
    }

    #[test]
    fn gaps_stay_gaps() {
        let points = vec![
            (0, Some(1.0)),
            (1000, Some(2.0)),
            (2000, None),
            (3000, Some(1.0)),
            (9000, Some(1.0)),
        ];
        let chart = Chart {
            title: "Rate".to_owned(),
            unit: "1/s".to_owned(),
            series: vec![ChartSeries { name: "all".to_owned(), points }],
            threshold: None,
            exemplars: vec![
                ChartExemplar { at: -5, value: 9.0, trace_id: "old".to_owned() },
                ChartExemplar { at: 5_000, value: 1.0, trace_id: "ab".to_owned() },
            ],
        };
        let cells = cells(0, &chart, 10, 10_000, "/");
        assert_eq!(cells["chart.0.x0.to"].u.as_deref(), Some("/live/traces/ab"));
        assert!(cells["chart.0.x0"].d.as_ref().is_some_and(|d| d.starts_with("M231.0,")));
        assert_eq!(
            (cells["chart.0.x1.to"].u.as_deref(), cells["chart.0.x1"].d.as_deref()),
            (Some(""), Some(""))
        );
        let path = cells["chart.0.s0"].d.clone().expect("a line has an outline");
        assert_eq!(path.matches('M').count(), 3, "{path}");
        assert_eq!(cells["chart.0.empty"].t.as_deref(), Some(""));
    }
}
