//! One span in full: what it is, its attributes, events, links, logs, sender, and where the book explains its service.
//!
//! The waterfall shows it below a row; `/live/traces/ID/spans/SPAN` shows it by itself, which is also where the
//! waterfall of a long trace fetches it from.

use crate::figures::{date_time, duration};
use crate::frame::{Frame, Place, View, service_href};
use crate::logs::{LogRow, log_row};
use crate::problems::written;
use crate::{Cells, Documented, Site, TraceView, cells_for_services};
use ::traces::{Attribute, Parent, Row, Status, Trace};
use askama::Template;
use evidence::Evidence;

/// Log records of one span that are shown; the search has the others.
const LOGS_MAX: usize = 20;

/// What is shown of a span.
pub(crate) struct Details<'a> {
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) service: &'a str,
    pub(crate) service_href: String,
    pub(crate) kind: &'static str,
    pub(crate) status: &'static str,
    pub(crate) message: Option<&'a str>,
    pub(crate) facts: Vec<(&'static str, String)>,
    pub(crate) parent: Option<(String, String)>,
    pub(crate) missing: Option<String>,
    pub(crate) documented: Vec<(&'a str, String)>,
    pub(crate) tables: Vec<Table>,
    pub(crate) links: Vec<LinkedTo>,
    pub(crate) logs: Vec<LogRow<'a>>,
    pub(crate) logs_href: String,
    pub(crate) more_logs: usize,
    pub(crate) zoom: Option<String>,
}

/// Names and values below a heading.
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) pairs: Vec<(String, String)>,
}

/// Another span that it is related to.
pub(crate) struct LinkedTo {
    pub(crate) text: String,
    pub(crate) href: String,
    pub(crate) pairs: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "span.html")]
struct SpanTemplate<'a> {
    frame: Frame<'a>,
    name: &'a str,
    duration: String,
    started: String,
    back: String,
    details: Details<'a>,
}

/// `/live/traces/ID/spans/SPAN`: the row with this index by itself.
pub fn render_span(
    site: &Site,
    view: &TraceView,
    index: usize,
    evidence: Option<&Evidence>,
) -> String {
    let cells = evidence.map_or_else(Cells::new, |evidence| cells_for_services(site, evidence));
    let row = &view.trace.rows[index];
    let span = &row.span;
    let path = format!("live/traces/{}/spans/{}", view.trace.id, span.span_id);
    let place = Place {
        path: &path,
        id: "live/services",
        title: format!("{} · span", span.name),
        view: View::Traces,
        page: None,
        service: None,
    };
    let frame = Frame::new(site, &place, evidence, &cells);
    written(&SpanTemplate {
        name: &span.name,
        duration: seconds(span.duration_ns()),
        started: date_time(span.start_ns.div_euclid(1_000_000)),
        back: span_href(&frame.root, view.trace, index),
        details: details(&frame.root, view, index, None),
        frame,
    })
}

/// Its place in the waterfall, opened there.
pub(crate) fn span_href(root: &str, trace: &Trace, index: usize) -> String {
    let id = trace.rows[index].span.span_id;
    format!("{root}live/traces/{}?span={id}#span-{id}", trace.id)
}

/// What is shown of the row with this index.
pub(crate) fn details<'a>(
    root: &str,
    view: &TraceView<'a>,
    index: usize,
    zoom: Option<String>,
) -> Details<'a> {
    let trace = view.trace;
    let row = &trace.rows[index];
    let span = &row.span;
    let own = view.logs.iter().filter(|record| record.span_id == Some(span.span_id));
    let (shown, all) = (own.clone().take(LOGS_MAX), own.count());
    let documented = view.documented.get(span.service()).map_or(&[][..], Vec::as_slice);
    Details {
        trace: trace.id.to_string(),
        id: span.span_id.to_string(),
        service: &span.resource.service,
        service_href: service_href(root, span.service()),
        kind: span.kind.name(),
        status: match &span.status {
            Status::Unset => "not said",
            Status::Ok => "ok",
            Status::Error(_) => "error",
        },
        message: match &span.status {
            Status::Error(message) => Some(message),
            _ => None,
        },
        facts: facts(trace, row),
        parent: match row.parent {
            Parent::Row(parent) => {
                Some((trace.rows[parent].span.name.to_string(), span_href(root, trace, parent)))
            }
            _ => None,
        },
        missing: match row.parent {
            Parent::Missing(id) => Some(id.to_string()),
            _ => None,
        },
        documented: documented
            .iter()
            .map(|place: &Documented| (place.title.as_str(), format!("{root}{}", place.href)))
            .collect(),
        tables: tables(row, trace.start_ns),
        links: links(root, row),
        logs: shown.map(|record| log_row(root, record, Some(trace.id))).collect(),
        logs_href: format!("{root}live/logs?trace={}&span={}", trace.id, span.span_id),
        more_logs: all.saturating_sub(LOGS_MAX),
        zoom,
    }
}

fn facts(trace: &Trace, row: &Row) -> Vec<(&'static str, String)> {
    let span = &row.span;
    let mut facts = vec![
        ("begins", format!("{} after the trace", seconds(span.start_ns - trace.start_ns))),
        ("lasts", seconds(span.duration_ns())),
        ("of its own", seconds(row.self_ns)),
    ];
    if row.critical_ns > 0 {
        facts.push(("on the critical path", seconds(row.critical_ns)));
    }
    if row.children > 0 {
        facts.push(("spans below", row.descendants.to_string()));
    }
    facts
}

fn tables(row: &Row, start_ns: i64) -> Vec<Table> {
    let span = &row.span;
    let mut tables = vec![Table { title: "Attributes".to_owned(), pairs: pairs(&span.attributes) }];
    for event in &span.events {
        let title = format!("Event {} after {}", event.name, seconds(event.time_ns - start_ns));
        let mut pairs = pairs(&event.attributes);
        if pairs.is_empty() {
            pairs.push(("event".to_owned(), event.name.to_string()));
        }
        tables.push(Table { title, pairs });
    }
    let mut sender = pairs(&span.resource.attributes);
    if !span.scope.name.is_empty() {
        let version = if span.scope.version.is_empty() { "" } else { " " };
        let text = format!("{}{version}{}", span.scope.name, span.scope.version);
        sender.push(("instrumentation".to_owned(), text));
    }
    let (process, resource): (Vec<_>, Vec<_>) =
        sender.into_iter().partition(|(key, _)| key.starts_with("process."));
    tables.push(Table { title: "Resource".to_owned(), pairs: resource });
    tables.push(Table { title: "Process".to_owned(), pairs: process });
    tables.retain(|table| !table.pairs.is_empty());
    tables
}

fn links(root: &str, row: &Row) -> Vec<LinkedTo> {
    let link = |link: &::traces::Link| {
        let (trace, span) = (link.trace_id, link.span_id);
        LinkedTo {
            text: format!("span {span} of trace {trace}"),
            href: format!("{root}live/traces/{trace}?span={span}#span-{span}"),
            pairs: pairs(&link.attributes),
        }
    };
    row.span.links.iter().map(link).collect()
}

fn pairs(attributes: &[Attribute]) -> Vec<(String, String)> {
    attributes.iter().map(|one| (one.key.to_string(), one.value.text().into_owned())).collect()
}

pub(crate) fn seconds(ns: i64) -> String {
    duration(ns as f64 / 1e9)
}
