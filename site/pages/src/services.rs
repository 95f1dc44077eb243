//! `/live/services` and `/live/services/NAME`.

use crate::alerts::{self, AlertRow};
use crate::chart::{self, ChartFrame};
use crate::frame::{Frame, Place, View, service_href};
use crate::overlay::encode;
use crate::problems::written;
use crate::traces::{TraceRow, palette, trace_rows};
use crate::{Call, Documented, ServiceView, Site, cells_for_service, cells_for_services};
use askama::Template;
use evidence::Evidence;

/// Ranges offered on a service's page, in seconds: `?range=900`.
pub const RANGES_S: [u32; 4] = [300, 900, 1_800, 3_600];

#[derive(Template)]
#[template(path = "services.html")]
struct ServicesTemplate<'a> {
    frame: Frame<'a>,
    rows: Vec<ServiceRow<'a>>,
}

struct ServiceRow<'a> {
    name: &'a str,
    title: &'a str,
    href: String,
    key: String,
}

/// `/live/services`: every service in a table.
pub fn render_services(site: &Site, evidence: &Evidence) -> String {
    let cells = cells_for_services(site, evidence);
    let place = Place {
        path: "live/services",
        id: "live/services",
        title: "Services".to_owned(),
        view: View::Services,
        page: None,
        service: None,
    };
    let frame = Frame::new(site, &place, Some(evidence), &cells);
    let rows = evidence.services.iter().map(|service| ServiceRow {
        name: &service.id.0,
        title: &service.title,
        href: service_href(&frame.root, &service.id.0),
        key: format!("svc.{}", service.id.0),
    });
    written(&ServicesTemplate { rows: rows.collect(), frame })
}

#[derive(Template)]
#[template(path = "service.html")]
struct ServiceTemplate<'a> {
    frame: Frame<'a>,
    name: &'a str,
    encoded: String,
    key: String,
    documented: &'a [Documented],
    links: Vec<(&'static str, &'a str)>,
    owner: Option<&'a str>,
    alerts: Vec<AlertRow<'a>>,
    ranges: Vec<Range>,
    range_s: u32,
    charts: Vec<ChartFrame>,
    traces: Vec<TraceRow>,
    no_traces: &'static str,
    sides: Vec<Side<'a>>,
}

struct Range {
    seconds: u32,
    text: String,
    current: bool,
}

struct Side<'a> {
    title: &'static str,
    none: &'static str,
    calls: Vec<CallRow<'a>>,
}

struct CallRow<'a> {
    peer: &'a str,
    kind: &'a str,
    href: Option<String>,
    key: String,
}

/// `/live/services/NAME`: charts, traces, calls and where it is documented.
pub fn render_service(site: &Site, view: &ServiceView, evidence: &Evidence) -> String {
    let cells = cells_for_service(site, view, evidence);
    let name = view.service.id.0.as_str();
    let path = format!("live/services/{name}");
    // A slash in a name is encoded in the address, so it is no folder.
    let address = format!("live/services/{}", encode(name));
    let place = Place {
        path: &address,
        id: &path,
        title: name.to_owned(),
        view: View::Services,
        page: None,
        service: Some(name),
    };
    let frame = Frame::new(site, &place, Some(evidence), &cells);
    let config = site.book.config.services.get(&view.service.id);
    let links = [
        ("runbook", config.and_then(|config| config.runbook.as_deref())),
        ("repository", config.and_then(|config| config.repository.as_deref())),
    ];
    let links = links
        .into_iter()
        .filter_map(|(word, href)| Some((word, href.filter(|href| is_web(href))?)));
    let sides = [
        ("Depends on", "It called nobody in this window.", "out", &view.calls_out),
        ("Called by", "Nobody called it in this window.", "in", &view.calls_in),
    ];
    written(&ServiceTemplate {
        name,
        encoded: encode(name),
        key: format!("svc.{name}"),
        documented: &view.documented,
        links: links.collect(),
        owner: config.and_then(|config| config.owner.as_deref()),
        alerts: alerts::of_service(&frame.root, &evidence.alerts, name),
        ranges: RANGES_S.iter().map(|seconds| range(*seconds, view.range_s)).collect(),
        range_s: view.range_s,
        charts: view
            .charts
            .iter()
            .enumerate()
            .map(|(nth, drawn)| chart::frame(nth, drawn, view.range_s))
            .collect(),
        traces: trace_rows(&frame.root, &view.traces, &palette(Some(evidence), &view.traces)),
        no_traces: "No trace of it yet. Traces come over OTLP, by default at port 4317 or 4318.",
        sides: sides
            .map(|(title, none, side, calls)| calls_side(&frame.root, title, none, side, calls))
            .into(),
        frame,
    })
}

fn range(seconds: u32, chosen: u32) -> Range {
    let text = if seconds < 3_600 {
        format!("{} m", seconds / 60)
    } else {
        format!("{} h", seconds / 3_600)
    };
    Range { seconds, text, current: seconds == chosen }
}

fn calls_side<'a>(
    root: &str,
    title: &'static str,
    none: &'static str,
    side: &str,
    calls: &'a [Call],
) -> Side<'a> {
    let row = |call: &'a Call| CallRow {
        peer: &call.peer,
        kind: &call.kind,
        href: (call.kind == "service").then(|| service_href(root, &call.peer)),
        key: format!("call.{side}.{}", call.peer),
    };
    Side { title, none, calls: calls.iter().map(row).collect() }
}

fn is_web(href: &str) -> bool {
    href.starts_with("https://") || href.starts_with("http://")
}
