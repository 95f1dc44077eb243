//! The charts of the book's pages: from the fence to what is asked.

use super::{Asked, Line, Span};
use crate::serve::App;
use crate::serve::tick::now_ms;
use document::{ChartBlock, ChartStyle, Page};
use pages::{Chart, ChartKind};

/// The range when the author names none, seconds.
const USUAL_RANGE_S: u32 = 900;

/// The charts of a page, over the span that the reader chose or else the author's, which ends at the
/// moment of the past `at` or now.
pub(in crate::serve) fn of_page(
    app: &App,
    page: &Page,
    span: Option<Span>,
    at: Option<i64>,
) -> Vec<Chart> {
    let now = now_ms();
    let draw = |block: &ChartBlock| {
        let own = || Span { length_ms: i64::from(range_s(block)) * 1000, end: at };
        asked(block).chart(app, span.unwrap_or_else(own), now, false)
    };
    page.charts().map(draw).collect()
}

/// What a running server is asked for a chart's data: the query part of an address.
pub(crate) fn snapshot_source(block: &ChartBlock) -> String {
    format!("{}&from=now-{}s", asked(block).source(), range_s(block))
}

/// As the templates and data know it.
pub(crate) fn kind(style: ChartStyle) -> ChartKind {
    match style {
        ChartStyle::Line => ChartKind::Line,
        ChartStyle::Area => ChartKind::Area,
        ChartStyle::Bar => ChartKind::Bar,
        ChartStyle::Stacked => ChartKind::Stacked,
    }
}

fn range_s(block: &ChartBlock) -> u32 {
    block.options.range_s.unwrap_or(USUAL_RANGE_S)
}

fn asked(block: &ChartBlock) -> Asked {
    let options = &block.options;
    let line =
        |line: &document::ChartLine| Line { name: line.name.clone(), query: line.query.clone() };
    Asked {
        title: block.title.clone(),
        unit: options.unit.clone(),
        kind: kind(options.style),
        threshold: options.threshold,
        lines: options.lines.iter().map(line).collect(),
        service: block.service.as_ref().map(|id| id.0.clone()),
        ..Asked::default()
    }
}
