//! A chart in a page of the book.

use super::{ChartFrame, frame};
use crate::Site;
use crate::cells::Values;
use crate::figures::date_time;
use crate::problems::written;
use crate::service::when;
use askama::Template;
use document::ChartBlock;

#[derive(Template)]
#[template(path = "chart_block.html")]
struct BlockTemplate<'a> {
    frame: Around<'a>,
    title: &'a str,
    when: String,
    chart: Option<ChartFrame>,
    missing: &'static str,
    queries: Vec<&'a str>,
}

/// What the figure's template reads of its page.
struct Around<'a> {
    root: &'a str,
    values: Values<'a>,
}

/// The chart as it is measured, else a sentence in its place.
pub(crate) fn block(site: &Site, root: &str, block: &ChartBlock, values: Values<'_>) -> String {
    let drawn = site.charts.get(block.index);
    let chart = drawn.map(|drawn| frame(block.index, drawn));
    let when = match (drawn, &chart) {
        (Some(drawn), Some(chart)) if drawn.span.live => format!("last {}", chart.range),
        (Some(drawn), _) if site.live => when(drawn.span),
        (Some(drawn), Some(chart)) => {
            format!("{} until {}", chart.range, date_time(drawn.span.to))
        }
        _ => String::new(),
    };
    written(&BlockTemplate {
        frame: Around { root, values },
        title: &block.title,
        when,
        chart,
        missing: "This chart is drawn from measurements: open the book with loggia serve, or build it with --snapshot.",
        queries: block.options.lines.iter().map(|line| line.query.as_str()).collect(),
    })
}
