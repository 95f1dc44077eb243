//! `/live/traces/ID`: a trace's spans over time.

use crate::figures::{date_time, duration};
use crate::frame::{Frame, Place, View};
use crate::logs::{LogRow, log_rows};
use crate::problems::written;
use crate::{Cells, Documented, Site, cells_for_services};
use askama::Template;
use evidence::Evidence;
use std::sync::Arc;
use traces::{Attribute, LogRecord, Parent, Row, Status, Trace};

/// Rows of one waterfall; of a longer trace the first ones are shown, and the page says so.
const ROWS_MAX: usize = 2_000;
/// Colours that services are told apart by, `c0` to `c7` in `css/panels.css`.
const COLOURS: usize = 8;
/// Parts that the time axis is divided into.
const TICKS: u32 = 4;
/// A bar is never narrower than this, in percent of the whole.
const BAR_MIN: f64 = 0.25;
/// A duration stands right of its bar up to this end, in percent, and left of it beyond.
const LABEL_RIGHT_MAX: f64 = 84.0;
/// A duration stands left of its bar from this start on, in percent, else inside it.
const LABEL_LEFT_MIN: f64 = 14.0;
/// Deeper spans are indented no further.
const DEPTH_MAX: usize = 12;

#[derive(Template)]
#[template(path = "trace.html")]
struct TraceTemplate<'a> {
    frame: Frame<'a>,
    id: String,
    operation: &'a str,
    service: &'a str,
    duration: String,
    spans: String,
    service_count: String,
    started: String,
    errors: usize,
    documented: &'a [Documented],
    notes: Vec<String>,
    legend: Vec<(&'a str, usize, usize)>,
    ticks: Vec<(u32, String)>,
    rows: Vec<SpanRow<'a>>,
    logs: Vec<LogRow<'a>>,
    no_logs: &'static str,
}

struct SpanRow<'a> {
    colour: usize,
    service: &'a str,
    name: &'a str,
    kind: &'static str,
    id: String,
    depth: usize,
    failed: bool,
    missing: bool,
    skewed: bool,
    start: String,
    width: String,
    critical: Vec<(String, String)>,
    side: &'static str,
    at: String,
    duration: String,
    offset: String,
    own: String,
    critical_text: Option<String>,
    message: Option<&'a str>,
    parent_text: Option<String>,
    tables: Vec<Table>,
    links: Vec<(String, String)>,
}

struct Table {
    title: String,
    pairs: Vec<(String, String)>,
}

/// `/live/traces/ID`: the waterfall, with every span's details in it, and what services wrote down in it.
pub fn render_trace(
    site: &Site,
    trace: &Trace,
    logs: &[Arc<LogRecord>],
    documented: &[Documented],
    evidence: Option<&Evidence>,
) -> String {
    let cells = evidence.map_or_else(Cells::new, |evidence| cells_for_services(site, evidence));
    let root = &trace.root().span;
    let id = trace.id.to_string();
    let path = format!("live/traces/{id}");
    let place = Place {
        path: &path,
        id: "live/services",
        title: format!("{} · trace", root.name),
        view: View::Traces,
        page: None,
        service: None,
    };
    let frame = Frame::new(site, &place, evidence, &cells);
    let palette = Palette::new(trace);
    let scale = Scale { start: trace.start_ns, length: trace.duration_ns().max(1) };
    let rows = trace.rows.iter().take(ROWS_MAX).enumerate();
    written(&TraceTemplate {
        operation: &root.name,
        service: &root.resource.service,
        duration: seconds(trace.duration_ns()),
        spans: counted(trace.rows.len(), "span"),
        service_count: counted(trace.services.len(), "service"),
        started: date_time(trace.start_ns.div_euclid(1_000_000)),
        errors: trace.errors,
        documented,
        notes: notes(trace),
        legend: palette.legend(trace),
        ticks: (0..=TICKS).map(|nth| tick(nth, trace.duration_ns())).collect(),
        rows: rows
            .map(|(nth, row)| span_row(&frame.root, trace, nth, row, &palette, &scale))
            .collect(),
        logs: log_rows(&frame.root, logs, Some(trace.id)),
        no_logs: "No service wrote a log record with this trace's id, or it was dropped to make room.",
        id,
        frame,
    })
}

fn notes(trace: &Trace) -> Vec<String> {
    let mut notes = Vec::new();
    if trace.missing_parents > 0 {
        notes.push(format!(
            "{} not there: still on the way, sampled out or lost. What hangs on them is shown as its own tree; load the page again to look for them.",
            if trace.missing_parents == 1 { "1 parent is".to_owned() } else { format!("{} parents are", trace.missing_parents) }
        ));
    }
    if trace.rows.iter().any(|row| row.skewed) {
        notes.push("Some spans begin before their parents: clocks of different hosts disagree. Times are shown as they came.".to_owned());
    }
    if trace.rows.len() > ROWS_MAX {
        notes.push(format!("The first {ROWS_MAX} of {} spans are shown.", trace.rows.len()));
    }
    notes
}

fn tick(nth: u32, length_ns: i64) -> (u32, String) {
    let text = if nth == 0 {
        "0".to_owned()
    } else {
        seconds((i128::from(length_ns) * i128::from(nth) / i128::from(TICKS)) as i64)
    };
    (nth * 100 / TICKS, text)
}

/// Services in the order in which they come first.
struct Palette<'a>(Vec<&'a str>);

impl<'a> Palette<'a> {
    fn new(trace: &'a Trace) -> Self {
        let mut names: Vec<&str> = Vec::new();
        for row in &trace.rows {
            let name: &'a str = &row.span.resource.service;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Self(names)
    }

    fn colour(&self, service: &str) -> usize {
        self.0.iter().position(|name| *name == service).unwrap_or(0) % COLOURS
    }

    fn legend(&self, trace: &Trace) -> Vec<(&'a str, usize, usize)> {
        let count = |name: &str| trace.services.get(&Arc::from(name)).copied().unwrap_or(0);
        self.0.iter().map(|name| (*name, self.colour(name), count(name))).collect()
    }
}

/// Nanoseconds to percent of the trace.
struct Scale {
    start: i64,
    length: i64,
}

impl Scale {
    fn at(&self, ns: i64) -> f64 {
        (ns - self.start) as f64 / self.length as f64 * 100.0
    }
}

fn span_row<'a>(
    root: &str,
    trace: &'a Trace,
    nth: usize,
    row: &'a Row,
    palette: &Palette,
    scale: &Scale,
) -> SpanRow<'a> {
    let span = &row.span;
    let (start, end) = (scale.at(span.start_ns), scale.at(span.start_ns + span.duration_ns()));
    let width = (end - start).clamp(BAR_MIN, 100.0);
    let (side, at) = match (start, end) {
        (_, end) if end <= LABEL_RIGHT_MAX => ("right", end.max(start + width)),
        (start, _) if start >= LABEL_LEFT_MIN => ("left", 100.0 - start),
        _ => ("inside", start),
    };
    let segments = trace.critical_path.iter().filter(|segment| segment.row == nth);
    let share =
        |from: i64, to: i64| (percent(scale.at(from)), percent(scale.at(to) - scale.at(from)));
    SpanRow {
        colour: palette.colour(&span.resource.service),
        service: &span.resource.service,
        name: &span.name,
        kind: span.kind.name(),
        id: span.span_id.to_string(),
        depth: row.depth.min(DEPTH_MAX),
        failed: span.is_error(),
        missing: matches!(row.parent, Parent::Missing(_)),
        skewed: row.skewed,
        start: percent(start.min(100.0 - BAR_MIN)),
        width: percent(width),
        critical: segments.map(|segment| share(segment.start_ns, segment.end_ns)).collect(),
        side,
        at: percent(at),
        duration: seconds(span.duration_ns()),
        offset: seconds(span.start_ns - trace.start_ns),
        own: seconds(row.self_ns),
        critical_text: (row.critical_ns > 0).then(|| seconds(row.critical_ns)),
        message: match &span.status {
            Status::Error(message) => Some(message),
            _ => None,
        },
        parent_text: match row.parent {
            Parent::Missing(id) => Some(format!("Its parent {id} is not there.")),
            _ => None,
        },
        tables: tables(row, trace.start_ns),
        links: span
            .links
            .iter()
            .map(|link| {
                (format!("trace {}", link.trace_id), format!("{root}live/traces/{}", link.trace_id))
            })
            .collect(),
    }
}

fn tables(row: &Row, start_ns: i64) -> Vec<Table> {
    let span = &row.span;
    let mut tables = vec![Table { title: "Attributes".to_owned(), pairs: pairs(&span.attributes) }];
    for event in &span.events {
        let title = format!("{} after {}", event.name, seconds(event.time_ns - start_ns));
        let mut pairs = pairs(&event.attributes);
        if pairs.is_empty() {
            pairs.push(("event".to_owned(), event.name.to_string()));
        }
        tables.push(Table { title, pairs });
    }
    tables.push(Table { title: "Resource".to_owned(), pairs: pairs(&span.resource.attributes) });
    tables.retain(|table| !table.pairs.is_empty());
    tables
}

fn pairs(attributes: &[Attribute]) -> Vec<(String, String)> {
    attributes.iter().map(|one| (one.key.to_string(), one.value.text().into_owned())).collect()
}

fn percent(value: f64) -> String {
    format!("{:.2}", value.clamp(-100.0, 200.0))
}

fn seconds(ns: i64) -> String {
    duration(ns as f64 / 1e9)
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
