//! `/live/traces`: the search form and what it found.

use crate::figures::{clock, date_time, duration};
use crate::frame::{Frame, Place, View};
use crate::problems::written;
use crate::{Cells, Site, TraceSearchView, cells_for_services};
use ::traces::TraceSummary;
use askama::Template;
use evidence::Evidence;

/// How many traces the form offers to show.
const LIMITS: [usize; 4] = [20, 50, 100, 200];

#[derive(Template)]
#[template(path = "traces.html")]
struct TracesTemplate<'a> {
    frame: Frame<'a>,
    at: String,
    services: Vec<(&'a str, bool)>,
    operation: &'a str,
    to: &'a str,
    operations: &'a [String],
    min: &'a str,
    limits: Vec<(usize, bool)>,
    errors_only: bool,
    problem: Option<&'a str>,
    count: String,
    traces: Vec<TraceRow>,
    no_traces: &'static str,
}

/// A found trace as the tables show it.
pub(crate) struct TraceRow {
    pub(crate) href: String,
    pub(crate) clock: String,
    pub(crate) date: String,
    pub(crate) service: String,
    pub(crate) operation: String,
    pub(crate) has_root: bool,
    pub(crate) duration: String,
    pub(crate) share: String,
    pub(crate) spans: usize,
    pub(crate) services: String,
    pub(crate) service_count: usize,
    pub(crate) errors: usize,
}

/// `/live/traces`: the form and the traces found.
pub fn render_traces(site: &Site, view: &TraceSearchView, evidence: Option<&Evidence>) -> String {
    let cells = evidence.map_or_else(Cells::new, |evidence| cells_for_services(site, evidence));
    let place = Place {
        path: "live/traces",
        id: "live/services",
        title: "Traces".to_owned(),
        view: View::Traces,
        page: None,
        service: None,
    };
    let frame = Frame::new(site, &place, evidence, &cells);
    let filters = &view.filters;
    let chosen = |name: &str| filters.service.as_deref() == Some(name);
    let mut limits: Vec<(usize, bool)> =
        LIMITS.iter().map(|count| (*count, *count == filters.limit)).collect();
    if filters.limit > 0 && !LIMITS.contains(&filters.limit) {
        limits.push((filters.limit, true));
    }
    let found = view.results.len();
    written(&TracesTemplate {
        at: clock(site.now_ms),
        services: view.services.iter().map(|name| (name.as_str(), chosen(name))).collect(),
        operation: filters.operation.as_deref().unwrap_or(""),
        operations: &view.operations,
        to: filters.to.as_deref().unwrap_or(""),
        min: filters.min_duration.as_deref().unwrap_or(""),
        limits,
        errors_only: filters.errors_only,
        problem: view.problem.as_deref(),
        count: if found == 1 { "1 trace".to_owned() } else { format!("{found} traces") },
        traces: trace_rows(&frame.root, &view.results),
        no_traces: "No trace matches. Traces come over OTLP, by default at port 4317 or 4318; the oldest go when there are too many.",
        frame,
    })
}

/// Rows with bars in proportion to the longest trace among them.
pub(crate) fn trace_rows(root: &str, found: &[TraceSummary]) -> Vec<TraceRow> {
    let longest = found.iter().map(|trace| trace.duration_ns).max().unwrap_or(0).max(1);
    let row = |trace: &TraceSummary| TraceRow {
        href: format!("{root}live/traces/{}", trace.id),
        clock: clock(trace.start_ms()),
        date: date_time(trace.start_ms()),
        service: trace.root_service.to_string(),
        operation: trace.root_operation.to_string(),
        has_root: trace.has_root,
        duration: duration(trace.duration_s()),
        share: format!("{:.1}", trace.duration_ns as f64 / longest as f64 * 100.0),
        spans: trace.span_count,
        services: trace.services.iter().map(|part| &*part.service).collect::<Vec<_>>().join(", "),
        service_count: trace.services.len(),
        errors: trace.errors,
    };
    found.iter().map(row).collect()
}
