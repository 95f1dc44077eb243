//! `/live/traces`: the search form and what it found.

use crate::figures::{clock, date_time, duration};
use crate::frame::{Frame, Place, View};
use crate::overlay::encode;
use crate::palette::Palette;
use crate::problems::written;
use crate::scatter::{Scatter, scatter};
use crate::{Cells, Problems, Site, TraceFilters, TraceSearchView, cells_for_services};
use ::traces::TraceSummary;
use askama::Template;
use evidence::Evidence;

/// How many traces the form offers to show.
const LIMITS: [usize; 4] = [20, 50, 100, 200];
/// Services named in one line; the others are counted.
const PARTS_MAX: usize = 4;

#[derive(Template)]
#[template(path = "traces.html")]
struct TracesTemplate<'a> {
    frame: Frame<'a>,
    at: String,
    services: Vec<(&'a str, bool)>,
    operation: &'a str,
    calls: &'a str,
    attributes: &'a str,
    operations: &'a [String],
    min: &'a str,
    max: &'a str,
    from: &'a str,
    to: &'a str,
    limits: Vec<(usize, bool)>,
    errors_only: bool,
    slowest_first: bool,
    problems: &'a Problems,
    problem: Option<&'a str>,
    plot: Option<Scatter>,
    looked_at: String,
    orders: [(&'static str, String, bool); 2],
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
    pub(crate) services: Vec<Part>,
    /// Services that have no room.
    pub(crate) others: usize,
    /// All of them, in words.
    pub(crate) all: String,
    pub(crate) errors: usize,
}

/// A service's part in a trace.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) colour: usize,
    pub(crate) spans: usize,
    pub(crate) errors: usize,
}

impl TracesTemplate<'_> {
    /// What is wrong with a field, or ``.
    fn wrong(&self, field: &str) -> &str {
        self.problems.get(field).map_or("", String::as_str)
    }
}

/// `/live/traces`: the form and the traces found.
pub fn render_traces<'a>(
    site: &'a Site,
    view: &'a TraceSearchView,
    evidence: Option<&'a Evidence>,
) -> String {
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
    let text = |text: &'a Option<String>| text.as_deref().unwrap_or("");
    let palette = palette(evidence, &view.plotted);
    written(&TracesTemplate {
        at: clock(site.now_ms),
        services: view.services.iter().map(|name| (name.as_str(), chosen(name))).collect(),
        operation: text(&filters.operation),
        operations: &view.operations,
        calls: text(&filters.calls),
        attributes: text(&filters.attributes),
        min: text(&filters.min_duration),
        max: text(&filters.max_duration),
        from: text(&filters.from),
        to: text(&filters.to),
        limits,
        errors_only: filters.errors_only,
        slowest_first: filters.slowest_first,
        problems: &view.problems,
        problem: view.problem.as_deref(),
        plot: scatter(&frame.root, &view.plotted, (view.from_ms, view.to_ms), &palette),
        looked_at: match view.more_than {
            Some(most) => {
                format!("the newest {most} that fit; there may be more: narrow the search")
            }
            None => format!("all {} that fit", view.plotted.len()),
        },
        orders: [("newest first", false), ("slowest first", true)].map(|(words, slowest)| {
            let filters = TraceFilters { slowest_first: slowest, ..filters.clone() };
            (words, href(&frame.root, &filters), slowest == view.filters.slowest_first)
        }),
        count: match (found, view.plotted.len()) {
            (1, 1) => "1 trace".to_owned(),
            (found, all) if found == all => format!("{found} traces"),
            (found, all) => format!("{found} of {all} traces"),
        },
        traces: trace_rows(&frame.root, &view.results, &palette),
        no_traces: "No trace matches. Traces come over OTLP, by default at port 4317 or 4318; the oldest go when there are too many.",
        frame,
    })
}

/// The address of a search.
fn href(root: &str, filters: &TraceFilters) -> String {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for (name, value) in [
        ("service", &filters.service),
        ("operation", &filters.operation),
        ("calls", &filters.calls),
        ("attributes", &filters.attributes),
        ("min", &filters.min_duration),
        ("max", &filters.max_duration),
        ("from", &filters.from),
        ("to", &filters.to),
    ] {
        pairs.extend(value.as_deref().map(|value| (name, value)));
    }
    let limit = filters.limit.to_string();
    pairs.extend(filters.errors_only.then_some(("errors", "1")));
    pairs.extend(filters.slowest_first.then_some(("sort", "slowest")));
    pairs.push(("limit", &limit));
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    format!("{root}live/traces?{}", pairs.join("&"))
}

/// The colours of all services of the traces.
pub(crate) fn palette(evidence: Option<&Evidence>, found: &[TraceSummary]) -> Palette {
    let seen = found.iter().flat_map(|trace| trace.services.iter().map(|part| &*part.service));
    Palette::new(evidence, seen)
}

/// Rows with bars in proportion to the longest trace among them.
pub(crate) fn trace_rows(root: &str, found: &[TraceSummary], palette: &Palette) -> Vec<TraceRow> {
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
        services: parts(trace, palette),
        others: trace.services.len().saturating_sub(PARTS_MAX),
        all: trace
            .services
            .iter()
            .map(|part| match part.errors {
                0 => format!("{} {}", part.service, part.spans),
                failed => format!("{} {} ({failed} failed)", part.service, part.spans),
            })
            .collect::<Vec<_>>()
            .join(", "),
        errors: trace.errors,
    };
    found.iter().map(row).collect()
}

/// Those with most spans, and before them those that failed.
fn parts(trace: &TraceSummary, palette: &Palette) -> Vec<Part> {
    let mut sorted: Vec<_> = trace.services.iter().collect();
    sorted.sort_by_key(|part| std::cmp::Reverse((part.errors > 0, part.spans)));
    let part = |part: &::traces::ServiceSpans| Part {
        name: part.service.to_string(),
        colour: palette.colour(&part.service),
        spans: part.spans,
        errors: part.errors,
    };
    sorted.into_iter().take(PARTS_MAX).map(part).collect()
}
