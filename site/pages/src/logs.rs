//! `/live/logs`: the search form and the records found; also the records of one trace.

use crate::figures::{clock, date_time};
use crate::frame::{Frame, Place, View};
use crate::log_facets::{Facet, Histogram, facets, histogram};
use crate::overlay::encode;
use crate::problems::written;
use crate::{Cells, LogFilters, LogSearchView, Problems, Site, cells_for_services};
use ::traces::{LogRecord, TraceId};
use askama::Template;
use evidence::Evidence;
use std::sync::Arc;

/// How many records the form offers to show.
const LIMITS: [usize; 4] = [50, 100, 200, 500];
/// The least severities that the form offers.
const SEVERITIES: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

#[derive(Template)]
#[template(path = "logs.html")]
struct LogsTemplate<'a> {
    frame: Frame<'a>,
    at: String,
    text: &'a str,
    services: Vec<(&'a str, bool)>,
    severities: Vec<(&'static str, bool)>,
    trace: &'a str,
    span: &'a str,
    from: &'a str,
    to: &'a str,
    limits: Vec<(usize, bool)>,
    problems: &'a Problems,
    count: String,
    looked_at: String,
    histogram: Option<Histogram>,
    facets: Vec<Facet>,
    narrowed: usize,
    tail: Option<Tail>,
    logs: Vec<LogRow<'a>>,
    no_logs: &'static str,
}

/// What the page asks for new records with.
struct Tail {
    api: String,
    cursor: u64,
    on: bool,
}

#[derive(Template)]
#[template(path = "log_rows.html")]
struct RowsTemplate<'a> {
    logs: Vec<LogRow<'a>>,
}

impl LogsTemplate<'_> {
    /// What is wrong with a field, or ``.
    fn wrong(&self, field: &str) -> &str {
        self.problems.get(field).map_or("", String::as_str)
    }
}

/// Attributes that stand in the line of a record, and characters of each.
const BRIEF_MAX: usize = 4;
const BRIEF_CHARS: usize = 60;

/// A record as the tables show it.
pub(crate) struct LogRow<'a> {
    pub(crate) clock: String,
    pub(crate) date: String,
    /// Milliseconds since 1970.
    pub(crate) ms: i64,
    pub(crate) severity: &'static str,
    pub(crate) state: &'static str,
    pub(crate) service: &'a str,
    pub(crate) body: &'a str,
    pub(crate) trace: Option<String>,
    pub(crate) to_trace: &'static str,
    pub(crate) pairs: Vec<(&'a str, String)>,
    /// Own attributes for the line itself, as far as they fit.
    pub(crate) brief: Vec<(&'a str, String)>,
}

/// `/live/logs`: the form, what was found has in common, and the records.
pub fn render_logs<'a>(
    site: &'a Site,
    view: &'a LogSearchView,
    evidence: Option<&'a Evidence>,
) -> String {
    let cells = evidence.map_or_else(Cells::new, |evidence| cells_for_services(site, evidence));
    let place = Place {
        path: "live/logs",
        id: "live/services",
        title: "Logs".to_owned(),
        view: View::Logs,
        page: None,
        service: None,
    };
    let frame = Frame::new(site, &place, evidence, &cells);
    let filters = &view.filters;
    let is = |chosen: &Option<String>, name: &str| {
        chosen.as_deref().is_some_and(|chosen| chosen.eq_ignore_ascii_case(name))
    };
    let mut limits: Vec<(usize, bool)> =
        LIMITS.iter().map(|count| (*count, *count == filters.limit)).collect();
    if filters.limit > 0 && !LIMITS.contains(&filters.limit) {
        limits.push((filters.limit, true));
    }
    let facets = facets(&frame.root, view);
    // What is over does not grow.
    let open = view.to_ms.is_none() && view.problems.is_empty();
    written(&LogsTemplate {
        at: clock(site.now_ms),
        text: &filters.text,
        services: view.services.iter().map(|n| (n.as_str(), is(&filters.service, n))).collect(),
        severities: SEVERITIES.iter().map(|n| (*n, is(&filters.severity, n))).collect(),
        trace: filters.trace.as_deref().unwrap_or(""),
        span: filters.span.as_deref().unwrap_or(""),
        from: filters.from.as_deref().unwrap_or(""),
        to: filters.to.as_deref().unwrap_or(""),
        limits,
        problems: &view.problems,
        count: match (view.records.len(), view.counted.len()) {
            (1, 1) => "1 record".to_owned(),
            (found, all) if found >= all => format!("{found} records"),
            (found, all) => format!("{found} of {all} records"),
        },
        looked_at: match view.more_than {
            Some(most) => format!("counted over the newest {most} that fit"),
            None => "counted over all that fit".to_owned(),
        },
        histogram: histogram(&frame.root, view, site.now_ms),
        narrowed: facets.iter().flat_map(|facet| &facet.values).filter(|one| one.chosen).count(),
        facets,
        tail: open.then(|| Tail {
            api: format!("{}api/live/logs{}", frame.root, query(filters, &["from", "to", "tail"])),
            cursor: view.cursor,
            on: filters.tail,
        }),
        logs: log_rows(&frame.root, &view.records, None),
        no_logs: "No record matches. Logs come over OTLP, by default at port 4317 or 4318; the oldest go when there are too many.",
        frame,
    })
}

/// Records as they stand in the list, for what is added to it.
pub fn render_log_rows(site: &Site, records: &[Arc<LogRecord>]) -> String {
    written(&RowsTemplate { logs: log_rows(&site.base, records, None) })
}

/// The address of a search, from its `?` on, without some of the fields.
pub(crate) fn query(filters: &LogFilters, without: &[&str]) -> String {
    let limit = filters.limit.to_string();
    let text = Some(filters.text.clone()).filter(|text| !text.trim().is_empty());
    let tail = filters.tail.then(|| "1".to_owned());
    let pairs = [
        ("q", &text),
        ("service", &filters.service),
        ("severity", &filters.severity),
        ("trace", &filters.trace),
        ("span", &filters.span),
        ("from", &filters.from),
        ("to", &filters.to),
        ("limit", &Some(limit)),
        ("tail", &tail),
    ];
    let given = pairs.into_iter().filter(|(name, _)| !without.contains(name));
    let given = given.filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let all: Vec<String> = given.map(|(name, value)| format!("{name}={}", encode(value))).collect();
    format!("?{}", all.join("&"))
}

/// Rows; on the page of a trace none links to it again.
pub(crate) fn log_rows<'a>(
    root: &str,
    records: &'a [Arc<LogRecord>],
    of_trace: Option<TraceId>,
) -> Vec<LogRow<'a>> {
    records.iter().map(|record| log_row(root, record, of_trace)).collect()
}

/// One row; on the page of a trace it leads to its span there.
pub(crate) fn log_row<'a>(
    root: &str,
    record: &'a LogRecord,
    of_trace: Option<TraceId>,
) -> LogRow<'a> {
    let ms = record.moment_ns().div_euclid(1_000_000);
    let (severity, state) = severity(record.severity);
    let (here, span) = (record.trace_id.is_some() && record.trace_id == of_trace, record.span_id);
    LogRow {
        clock: format!("{}.{:03}", clock(ms), ms.rem_euclid(1000)),
        date: date_time(ms),
        ms,
        severity,
        state,
        service: record.service(),
        body: if record.body.is_empty() { &record.event } else { &record.body },
        trace: record.trace_id.map(|id| match span {
            Some(span) => format!("{root}live/traces/{id}?span={span}#span-{span}"),
            None => format!("{root}live/traces/{id}"),
        }),
        to_trace: if here { "Its span" } else { "The request in which it was written" },
        pairs: pairs(record),
        brief: record
            .attributes
            .iter()
            .take(BRIEF_MAX)
            .map(|one| (short(&one.key), one.value.text().chars().take(BRIEF_CHARS).collect()))
            .collect(),
    }
}

/// `status_code` of `http.response.status_code`.
fn short(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn pairs(record: &LogRecord) -> Vec<(&str, String)> {
    let mut pairs = Vec::new();
    if !record.event.is_empty() {
        pairs.push(("event", record.event.to_string()));
    }
    let own = record.attributes.iter().chain(record.resource.attributes.iter());
    pairs.extend(own.map(|one| (&*one.key, one.value.text().into_owned())));
    if let Some(id) = record.trace_id {
        pairs.push(("trace", id.to_string()));
    }
    if let Some(id) = record.span_id {
        pairs.push(("span", id.to_string()));
    }
    pairs
}

/// The word for a number of OTLP's, and how it looks.
fn severity(number: u8) -> (&'static str, &'static str) {
    match number {
        0 => ("unsaid", ""),
        1..=4 => ("trace", ""),
        5..=8 => ("debug", ""),
        9..=12 => ("info", "healthy"),
        13..=16 => ("warn", "degraded"),
        17..=20 => ("error", "down"),
        _ => ("fatal", "down"),
    }
}
