//! `/live/explore`: a query, its answer as a chart and a table, and how it gets into a page.
//!
//! `loggia` asks the engine; here the answer gets its words and its drawing.

use crate::chart::{self, ChartFrame};
use crate::figures::{amount, clock, date_time, duration, number};
use crate::frame::{Frame, Place, View};
use crate::problems::written;
use crate::service::{short, when, zoomed};
use crate::{Cells, Chart, ChartSpan, QUICK_RANGES_S, Site, cells_for_services};
use askama::Template;
use evidence::Evidence;

/// Series in the table; the rest is counted.
const ROWS_MAX: usize = 200;

/// What is explored, and what came out.
#[derive(Debug, Clone)]
pub struct ExploreView {
    /// PromQL as it was typed.
    pub query: String,
    /// The time that the chart shows.
    pub span: ChartSpan,
    /// What came out; `None` when nothing was asked.
    pub answer: Option<Result<Explored, ExploreFault>>,
    /// Names of functions and aggregations, for completion.
    pub functions: Vec<&'static str>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Explored {
    /// Name of each series and its value now, in the engine's order.
    pub now: Vec<(String, f64)>,
    /// An answer that is no number: text, or the samples of a range as text.
    pub text: Option<String>,
    /// The same over the range; none for what cannot be drawn.
    pub chart: Option<Chart>,
    /// Remarks of the engine: warnings, and what looks like a mistake.
    pub notes: Vec<String>,
    /// Seconds that it took.
    pub took_s: f64,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExploreFault {
    /// In words.
    pub message: String,
    /// The byte of the query at which it is wrong, where that is known.
    pub at: Option<usize>,
}

#[derive(Template)]
#[template(path = "explore.html")]
struct ExploreTemplate<'a> {
    frame: Frame<'a>,
    query: &'a str,
    ranges: Vec<(String, String, bool)>,
    when: Option<String>,
    at: String,
    names: String,
    fault: Option<FaultPart<'a>>,
    answer: Option<AnswerPart<'a>>,
    examples: Vec<(&'static str, String)>,
    markdown: String,
}

/// The query around the place of its fault.
struct FaultPart<'a> {
    message: &'a str,
    before: &'a str,
    wrong: &'a str,
    after: &'a str,
}

struct AnswerPart<'a> {
    count: String,
    took: String,
    chart: Option<ChartFrame>,
    rows: Vec<(&'a str, String)>,
    more: usize,
    text: Option<&'a str>,
    notes: &'a [String],
    csv: String,
    /// When it was so, unless that is now.
    when: Option<String>,
}

/// What people ask first.
const EXAMPLES: &[(&str, &str)] = &[
    ("Who answers", "up"),
    (
        "Requests a second by service",
        "sum by (job) (rate(http_server_request_duration_seconds_count[1m]))",
    ),
    (
        "95th percentile by service",
        "histogram_quantile(0.95, sum by (job, le) (rate(http_server_request_duration_seconds_bucket[1m])))",
    ),
    (
        "Calls between services, from traces",
        "sum by (client, server) (rate(traces_service_graph_request_total[1m]))",
    ),
    ("Most series by name", "topk(10, count by (__name__) ({__name__=~\".+\"}))"),
];

/// `/live/explore`.
pub fn render_explore(site: &Site, view: &ExploreView, evidence: Option<&Evidence>) -> String {
    let mut cells = evidence.map_or_else(Cells::new, |evidence| cells_for_services(site, evidence));
    let (mut fault, mut answer) = (None, None);
    match &view.answer {
        None => {}
        Some(Err(found)) => fault = Some(fault_part(&view.query, found)),
        Some(Ok(found)) => {
            if let Some(drawn) = &found.chart {
                cells.extend(chart::cells(0, drawn, "../"));
            }
            answer = Some(answer_part(found, view));
        }
    }
    let place = Place {
        path: "live/explore",
        id: "live/services",
        title: "Explore".to_owned(),
        view: View::Explore,
        page: None,
        service: None,
    };
    let frame = Frame::new(site, &place, evidence, &cells);
    let shown_s = (view.span.to - view.span.from) / 1000;
    let range = |seconds: &u32| {
        let typed = format!("now-{}", short(*seconds).replace(' ', ""));
        (typed, duration(f64::from(*seconds)), view.span.live && i64::from(*seconds) == shown_s)
    };
    let link = |query: &str| format!("?query={}", crate::overlay::encode(query));
    let tile = serde_json::json!([{ "label": "…", "value": "< …", "query": view.query }]);
    written(&ExploreTemplate {
        query: &view.query,
        ranges: QUICK_RANGES_S.iter().map(range).collect(),
        when: zoomed(site.at, view.span).then(|| when(view.span)),
        at: clock(site.now_ms),
        names: view.functions.join(" "),
        fault,
        answer,
        examples: EXAMPLES.iter().map(|(words, query)| (*words, link(query))).collect(),
        markdown: format!("```kpi-grid\n{tile}\n```"),
        frame,
    })
}

fn fault_part<'a>(query: &'a str, found: &'a ExploreFault) -> FaultPart<'a> {
    let at = found.at.map_or(query.len(), |at| query.floor_char_boundary(at.min(query.len())));
    let rest = &query[at..];
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let first = rest.chars().next();
    let length = match first {
        Some(c) if is_word(c) => rest.find(|c: char| !is_word(c)).unwrap_or(rest.len()),
        Some(c) => c.len_utf8(),
        None => 0,
    };
    FaultPart {
        message: &found.message,
        before: &query[..at],
        wrong: &rest[..length],
        after: &rest[length..],
    }
}

fn answer_part<'a>(found: &'a Explored, view: &ExploreView) -> AnswerPart<'a> {
    let rows = found.now.iter().take(ROWS_MAX);
    AnswerPart {
        count: match found.now.len() {
            1 => "1 series".to_owned(),
            count => format!("{} series", number(count as f64)),
        },
        took: amount(found.took_s, "s").text(),
        chart: found.chart.as_ref().map(|drawn| chart::frame(0, drawn)),
        rows: rows.map(|(name, value)| (name.as_str(), exact(*value))).collect(),
        more: found.now.len().saturating_sub(ROWS_MAX),
        text: found.text.as_deref(),
        notes: &found.notes,
        csv: format!(
            "?query={}&{}&format=csv",
            crate::overlay::encode(&view.query),
            match view.span.live {
                true => format!("from=now-{}s", view.span.seconds()),
                false => format!("from={}&to={}", view.span.from, view.span.to),
            }
        ),
        when: (!view.span.live).then(|| date_time(view.span.to)),
    }
}

/// All digits, as the engine would say them.
fn exact(value: f64) -> String {
    match value {
        v if v.is_nan() => "NaN".to_owned(),
        v if v.is_infinite() => if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        v => v.to_string(),
    }
}
