//! Charts: what one shows, its fixed parts, and the cells that move it.
//!
//! `loggia` hands in the points of each line; templates write the frame, and the same cells are pushed to
//! the open page. The drawing is a square of 1000 units that is stretched to whatever room there is, so
//! its words stand beside it in HTML and never grow or shrink with it.

mod block;
mod data;
mod m4;
mod outline;
mod scale;

use crate::figures::{amount, clock, duration};
use crate::{Cell, Cells};
use std::cmp::Reverse;
use std::collections::BTreeMap;

pub(crate) use block::block;
pub use data::{chart_csv, chart_json};
pub use m4::m4;
use scale::Scale;

/// Units of the drawing from left to right and from top to bottom.
const SIDE: f64 = 1000.0;
/// What the address of an objective's chart begins with.
pub(crate) const OBJECTIVE: &str = "objective=";
/// Parts that the value axis is divided into.
const ROWS: usize = 3;
/// Parts that the time axis is divided into.
const COLUMNS: i64 = 3;
/// A line is thinned out to so many columns of pixels.
const PIXELS: usize = 400;
/// Exemplars that are shown, the newest.
pub(crate) const EXEMPLARS_MAX: usize = 16;
/// A line needs a colour; further series of a chart are not drawn.
pub const CHART_SERIES_MAX: usize = 8;

/// A chart over a span of time.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    /// For instance `Rate`.
    pub title: String,
    /// What is measured, in a few words: `req/s by route`.
    pub note: String,
    /// Unit of the values, as in [`evidence::KpiEvidence::unit`]: `s`, `ratio`, `1/s`, `bytes`, empty.
    pub unit: String,
    /// How its lines are drawn.
    pub kind: ChartKind,
    /// The lines; the first ones get the most distinct colours.
    pub series: Vec<ChartSeries>,
    /// Lines that there is no room for.
    pub more: usize,
    /// A bound in the base unit, drawn as a dashed line.
    pub threshold: Option<f64>,
    /// Traces that were counted in it, oldest first.
    pub exemplars: Vec<ChartExemplar>,
    /// What happened meanwhile, oldest first.
    pub marks: Vec<ChartMark>,
    /// Which time it shows.
    pub span: ChartSpan,
    /// What is asked for it, as the query part of an address: its data are at `/api/live/chart?SOURCE`.
    /// Empty where they cannot be asked for.
    pub source: String,
    /// Why it has no lines, when asking failed.
    pub fault: Option<String>,
}

/// How lines are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ChartKind {
    /// As lines.
    #[default]
    Line,
    /// As lines with the area below them.
    Area,
    /// As a bar for each step; several series stand on each other.
    Bar,
    /// As areas that stand on each other.
    Stacked,
}

/// The time that a chart shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChartSpan {
    /// The left end, milliseconds since 1970.
    pub from: i64,
    /// The right end.
    pub to: i64,
    /// Between two points.
    pub step: i64,
    /// Whether it moves on with the present.
    pub live: bool,
}

/// One line of a chart.
#[derive(Debug, Clone, Default)]
pub struct ChartSeries {
    /// Name in the legend.
    pub name: String,
    /// Time in milliseconds since 1970 and the value in the base unit, one for each step, oldest first;
    /// `None` is a gap.
    pub points: Vec<(i64, Option<f64>)>,
    /// The same with what lies between the steps, for the drawing; empty where that is the same.
    pub fine: Vec<(i64, Option<f64>)>,
}

/// A trace that a chart's figures counted.
#[derive(Debug, Clone)]
pub struct ChartExemplar {
    /// Milliseconds since 1970.
    pub at: i64,
    /// What was measured of it, in the chart's unit.
    pub value: f64,
    /// Its id, 32 hexadecimal digits.
    pub trace_id: String,
}

/// Something that happened while a chart was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartMark {
    /// Milliseconds since 1970.
    pub at: i64,
    /// When it was over, for what lasts.
    pub until: Option<i64>,
    /// What it is.
    pub kind: MarkKind,
    /// In words: `version 1.4.2 to 1.5.0`.
    pub words: String,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MarkKind {
    /// Another version runs.
    Deploy,
    /// A process began anew.
    Restart,
    /// An alert fired.
    Alert,
}

impl ChartKind {
    /// The word that authors write.
    pub fn word(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Area => "area",
            Self::Bar => "bar",
            Self::Stacked => "stacked",
        }
    }

    /// The kind that is written so.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Line, Self::Area, Self::Bar, Self::Stacked].into_iter().find(|k| k.word() == word)
    }

    fn stacks(self) -> bool {
        matches!(self, Self::Bar | Self::Stacked)
    }
}

impl MarkKind {
    /// Its word in data and style sheets.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Restart => "restart",
            Self::Alert => "alert",
        }
    }
}

impl ChartSpan {
    /// Where a moment stands from left to right, in units of the drawing.
    fn x(self, at: i64) -> f64 {
        let length = (self.to - self.from).max(1) as f64;
        SIDE * (at - self.from) as f64 / length
    }

    fn holds(self, at: i64) -> bool {
        (self.from..=self.to).contains(&at)
    }

    pub(crate) fn seconds(self) -> f64 {
        (self.to - self.from) as f64 / 1000.0
    }
}

/// A chart's fixed parts.
pub(crate) struct ChartFrame {
    pub(crate) index: usize,
    pub(crate) title: String,
    pub(crate) note: String,
    /// The span that it covers, in words.
    pub(crate) range: String,
    /// The same for people who do not see it, with its last values.
    pub(crate) label: String,
    pub(crate) kind: &'static str,
    /// Keys of the words at the value axis and their places in percent from the top.
    pub(crate) rows: Vec<(f64, String)>,
    /// Places at the time axis in percent, words, and the moment.
    pub(crate) columns: Vec<Column>,
    pub(crate) series: Vec<Line>,
    pub(crate) more: String,
    /// Keys of places for exemplars.
    pub(crate) exemplars: Vec<String>,
    pub(crate) marks: Vec<&'static str>,
    pub(crate) source: String,
    /// `source` with the ends of the span, for the table.
    pub(crate) csv: String,
    pub(crate) explore: Option<String>,
    /// It shows one length of time only.
    pub(crate) fixed: bool,
    pub(crate) summary: Vec<[String; 5]>,
    pub(crate) fault: String,
}

/// A word at the time axis.
pub(crate) struct Column {
    pub(crate) x: f64,
    pub(crate) text: String,
    pub(crate) class: &'static str,
}

/// A line's legend.
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) area: bool,
}

impl ChartFrame {
    /// Key of the whole.
    pub(crate) fn cell_of(&self) -> String {
        format!("chart.{}", self.index)
    }

    /// Key of one of its parts.
    pub(crate) fn cell(&self, part: &str) -> String {
        format!("chart.{}.{part}", self.index)
    }
}

/// Where the lines and words of a chart stand.
pub(crate) fn frame(index: usize, chart: &Chart) -> ChartFrame {
    let rows =
        (0..=ROWS).map(|row| (100.0 * row as f64 / ROWS as f64, format!("chart.{index}.y{row}")));
    let range = duration(chart.span.seconds());
    let when = match chart.span.live {
        true => format!("over the last {range}"),
        false => format!("{} to {} UTC", clock(chart.span.from), clock(chart.span.to)),
    };
    let places = if chart.source.contains("exemplars=") { EXEMPLARS_MAX } else { 0 };
    let query = data::first_query(&chart.source);
    ChartFrame {
        index,
        title: chart.title.clone(),
        note: chart.note.clone(),
        label: data::words(chart, &when),
        range,
        kind: chart.kind.word(),
        rows: rows.collect(),
        columns: columns(chart.span),
        series: (0..chart.series.len().min(CHART_SERIES_MAX))
            .map(|nth| Line {
                key: format!("chart.{index}.s{nth}"),
                area: chart.kind != ChartKind::Line,
            })
            .collect(),
        more: match chart.more {
            0 => String::new(),
            more => format!("and {more} more: the CSV has them all"),
        },
        exemplars: (0..places).map(|nth| format!("chart.{index}.x{nth}")).collect(),
        marks: [MarkKind::Alert, MarkKind::Deploy, MarkKind::Restart].map(MarkKind::word).into(),
        csv: match chart.source.is_empty() {
            true => String::new(),
            false => format!("{}&from={}&to={}", chart.source, chart.span.from, chart.span.to),
        },
        fixed: chart.source.starts_with(OBJECTIVE),
        explore: query.map(|query| match chart.span.live {
            true => format!("query={query}&from=now-{}s", chart.span.seconds()),
            false => format!("query={query}&from={}&to={}", chart.span.from, chart.span.to),
        }),
        source: chart.source.clone(),
        summary: data::summary(chart),
        fault: chart.fault.clone().unwrap_or_default(),
    }
}

/// Words at the time axis: how long ago while it moves on, else the time of day.
fn columns(span: ChartSpan) -> Vec<Column> {
    let seconds = span.seconds();
    let column = |nth: i64| Column {
        x: 100.0 * nth as f64 / COLUMNS as f64,
        text: match (span.live, nth) {
            (true, COLUMNS) => "now".to_owned(),
            (true, _) => {
                format!("−{}", duration(seconds * (COLUMNS - nth) as f64 / COLUMNS as f64))
            }
            (false, _) => data::axis_time(span.from + (span.to - span.from) * nth / COLUMNS, span),
        },
        class: match nth {
            0 => "start",
            COLUMNS => "end",
            _ => "mid",
        },
    };
    (0..=COLUMNS).map(column).collect()
}

/// The live parts: axis, lines, last values, threshold, exemplars, marks. `root` leads to the site's root.
pub(crate) fn cells(index: usize, chart: &Chart, root: &str) -> Cells {
    let mut cells = Cells::new();
    let drawn = outline::stack(chart);
    let scale = Scale::of(chart, &drawn);
    let mut put = |part: String, cell: Cell| cells.insert(format!("chart.{index}{part}"), cell);
    let span = chart.span;
    let ends = format!("{} {} {} {} {}", span.from, span.to, span.step, scale.bottom, scale.top);
    put(String::new(), Cell { s: Some(ends), ..Cell::default() });
    for row in 0..=ROWS {
        let value = scale.at(row);
        put(format!(".y{row}"), Cell::text(amount(value, &chart.unit).text()));
    }
    for (nth, (series, line)) in chart.series.iter().zip(&drawn).enumerate() {
        let (path, area) = outline::draw(chart, line, &scale);
        put(format!(".s{nth}"), Cell::path(path));
        if chart.kind != ChartKind::Line {
            put(format!(".s{nth}.area"), Cell::path(area));
        }
        put(format!(".s{nth}.name"), Cell::text(series.name.as_str()));
        put(format!(".s{nth}.now"), Cell::text(data::last(series, &chart.unit)));
    }
    let bound = chart.threshold.filter(|bound| scale.holds(*bound));
    let y = bound.map(|value| scale.y(value));
    put(".bound".to_owned(), Cell::path(y.map_or_else(String::new, |y| format!("M0,{y:.0}H1000"))));
    let words =
        bound.map_or_else(String::new, |v| format!("bound {}", amount(v, &chart.unit).text()));
    put(".bound.text".to_owned(), Cell { p: y.map(|y| place(SIDE, y)), ..Cell::text(words) });
    put(".empty".to_owned(), Cell::text(empty(chart)));
    for kind in [MarkKind::Alert, MarkKind::Deploy, MarkKind::Restart] {
        put(format!(".{}", kind.word()), Cell::path(outline::marks(chart, kind)));
    }
    if chart.source.contains("exemplars=") {
        exemplar_cells(&mut put, chart, &scale, root);
    }
    cells
}

fn empty(chart: &Chart) -> &str {
    let none = chart.series.iter().all(|series| series.points.iter().all(|(_, v)| v.is_none()));
    match (&chart.fault, none) {
        (Some(_), _) => "the query failed",
        (None, true) => "no data in this range",
        (None, false) => "",
    }
}

fn exemplar_cells(
    put: &mut impl FnMut(String, Cell) -> Option<Cell>,
    chart: &Chart,
    scale: &Scale,
    root: &str,
) {
    let mut chosen = slowest(chart).into_iter();
    for nth in 0..EXEMPLARS_MAX {
        let cell = chosen.next().map_or_else(
            || Cell {
                u: Some(String::new()),
                h: Some(String::new()),
                p: Some(place(-SIDE, 0.0)),
                ..Cell::default()
            },
            |one| Cell {
                u: Some(format!("{root}live/traces/{}", one.trace_id)),
                h: Some(exemplar_words(one, &chart.unit)),
                p: Some(place(chart.span.x(one.at), scale.y(one.value))),
                ..Cell::default()
            },
        );
        put(format!(".x{nth}"), cell);
    }
}

fn exemplar_words(one: &ChartExemplar, unit: &str) -> String {
    format!("a trace of {}, {} UTC", amount(one.value, unit).text(), clock(one.at))
}

/// A place in percent of the drawing.
fn place(x: f64, y: f64) -> String {
    format!("{:.2} {:.2}", x * 100.0 / SIDE, y * 100.0 / SIDE)
}

/// The largest exemplar of each part of the range, the newest part first.
fn slowest(chart: &Chart) -> Vec<&ChartExemplar> {
    let part_ms = ((chart.span.to - chart.span.from) / EXEMPLARS_MAX as i64).max(1);
    let mut parts: BTreeMap<Reverse<i64>, &ChartExemplar> = BTreeMap::new();
    for one in chart.exemplars.iter().filter(|one| chart.span.holds(one.at)) {
        // Parts of the clock rather than of the range: otherwise others would be chosen at every tick.
        let part = parts.entry(Reverse(one.at.div_euclid(part_ms))).or_insert(one);
        if one.value > part.value {
            *part = one;
        }
    }
    parts.into_values().take(EXEMPLARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(kind: ChartKind) -> Chart {
        let points = |of: &[Option<f64>]| {
            of.iter().enumerate().map(|(nth, v)| (nth as i64 * 1000, *v)).collect::<Vec<_>>()
        };
        Chart {
            title: "Rate".to_owned(),
            unit: "1/s".to_owned(),
            kind,
            series: vec![
                ChartSeries {
                    name: "all".to_owned(),
                    points: points(&[Some(1.0), Some(2.0), None, Some(1.0), Some(3.0)]),
                    ..ChartSeries::default()
                },
                ChartSeries {
                    name: "some".to_owned(),
                    points: points(&[Some(1.0), None, None, Some(1.0), Some(1.0)]),
                    ..ChartSeries::default()
                },
            ],
            exemplars: vec![
                ChartExemplar { at: -5, value: 9.0, trace_id: "old".to_owned() },
                ChartExemplar { at: 2_000, value: 1.0, trace_id: "ab".to_owned() },
            ],
            marks: vec![ChartMark {
                at: 1_000,
                until: None,
                kind: MarkKind::Deploy,
                words: String::new(),
            }],
            span: ChartSpan { from: 0, to: 4_000, step: 1_000, live: true },
            source: "query=x&exemplars=x".to_owned(),
            ..Chart::default()
        }
    }

    #[test]
    fn gaps_stay_gaps_and_traces_lead_to_themselves() {
        let cells = cells(0, &chart(ChartKind::Line), "/");
        assert_eq!(cells["chart.0.x0"].u.as_deref(), Some("/live/traces/ab"));
        assert!(cells["chart.0.x0"].p.as_ref().is_some_and(|p| p.starts_with("50.00 ")));
        assert_eq!(cells["chart.0.x1"].u.as_deref(), Some(""));
        let path = cells["chart.0.s0"].d.clone().expect("a line has an outline");
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert_eq!(cells["chart.0.empty"].t.as_deref(), Some(""));
        assert_eq!(cells["chart.0"].s.as_deref(), Some("0 4000 1000 0 3"));
        assert_eq!(cells["chart.0.deploy"].d.as_deref(), Some("M250,0V1000"));
        assert_eq!(cells["chart.0.restart"].d.as_deref(), Some(""));
    }

    #[test]
    fn stacks_stand_on_each_other_without_making_zeros_of_gaps() {
        let cells = cells(0, &chart(ChartKind::Stacked), "/");
        assert_eq!(cells["chart.0"].s.as_deref(), Some("0 4000 1000 0 4.5"));
        let top = cells["chart.0.s1"].d.clone().expect("a line has an outline");
        assert_eq!(top.matches('M').count(), 2, "{top}");
        let bars = super::cells(0, &chart(ChartKind::Bar), "/");
        let area = bars["chart.0.s0.area"].d.clone().expect("bars are areas");
        assert_eq!(area.matches('M').count(), 4, "{area}");
    }
}
