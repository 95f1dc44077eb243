//! Found traces over time and duration: a drawing in which each is a mark that leads to it.
//!
//! `traces` lays it out. Places are in percent of the drawing, so that it fits every width; the scale of durations is
//! logarithmic, because the slow ones are a hundred times as slow as the others.

use crate::figures::{clock, date_time, duration};
use crate::palette::Palette;
use ::traces::TraceSummary;

/// Parts that the time axis is divided into.
const COLUMNS: i64 = 4;
/// Lines across at most.
const ROWS_MAX: i32 = 6;
/// The shortest time that the drawing covers, milliseconds.
const SPAN_MIN_MS: i64 = 1_000;
/// Marks keep this distance from the sides, in percent.
const ROOM: f64 = 1.5;
/// A time axis longer than this names days.
const DAY_MS: i64 = 86_400_000;

/// The drawing.
pub(crate) struct Scatter {
    pub(crate) columns: Vec<(String, String)>,
    pub(crate) rows: Vec<(String, String)>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) low_ns: f64,
    pub(crate) high_ns: f64,
}

/// One trace.
pub(crate) struct Mark {
    pub(crate) href: String,
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) failed: bool,
    pub(crate) colour: usize,
    pub(crate) words: String,
}

/// `None` without traces. The ends are those that were asked for, or else of what was found.
pub(crate) fn scatter(
    root: &str,
    found: &[TraceSummary],
    (from, to): (Option<i64>, Option<i64>),
    palette: &Palette,
) -> Option<Scatter> {
    let starts = || found.iter().map(TraceSummary::start_ms);
    let (first, last) = (starts().min()?, starts().max()?);
    let from_ms = from.unwrap_or(first).min(first);
    let to_ms = to.unwrap_or(last).max(last).max(from_ms + SPAN_MIN_MS);
    let length = |trace: &TraceSummary| (trace.duration_ns as f64).max(1_000.0);
    let longest = found.iter().map(length).fold(1_000.0, f64::max);
    let shortest = found.iter().map(length).fold(longest, f64::min);
    let (low, high) = (shortest.log10().floor(), (longest * 1.05).log10().ceil());
    let x =
        |ms: i64| ROOM + (ms - from_ms) as f64 / (to_ms - from_ms) as f64 * (100.0 - 2.0 * ROOM);
    let y = |ns: f64| (high - ns.log10()) / (high - low) * 100.0;
    let mut sorted: Vec<&TraceSummary> = found.iter().collect();
    sorted.sort_by_key(|trace| trace.start_ns);
    let mark = |trace: &TraceSummary| Mark {
        href: format!("{root}live/traces/{}", trace.id),
        x: format!("{:.2}", x(trace.start_ms())),
        y: format!("{:.2}", y(length(trace))),
        failed: trace.errors > 0,
        colour: palette.colour(&trace.root_service),
        words: words(trace),
    };
    let every = (((high - low) as i32) / ROWS_MAX + 1).max(1);
    let decades = (low as i32..=high as i32).filter(|decade| (decade - low as i32) % every == 0);
    Some(Scatter {
        columns: (0..=COLUMNS)
            .map(|nth| {
                let at = from_ms + (to_ms - from_ms) * nth / COLUMNS;
                let text = if to_ms - from_ms > DAY_MS { date_time(at) } else { clock(at) };
                (format!("{:.2}", x(at)), text.trim_end_matches(" UTC").to_owned())
            })
            .collect(),
        rows: decades
            .map(|decade| {
                let ns = 10f64.powi(decade);
                (format!("{:.2}", y(ns)), duration(ns / 1e9))
            })
            .collect(),
        marks: sorted.into_iter().map(mark).collect(),
        from_ms,
        to_ms,
        low_ns: 10f64.powf(low),
        high_ns: 10f64.powf(high),
    })
}

fn words(trace: &TraceSummary) -> String {
    let failed = match trace.errors {
        0 => String::new(),
        1 => ", 1 span failed".to_owned(),
        many => format!(", {many} spans failed"),
    };
    format!(
        "{} {}, {}{failed}, {} UTC",
        trace.root_service,
        trace.root_operation,
        duration(trace.duration_s()),
        clock(trace.start_ms())
    )
}
