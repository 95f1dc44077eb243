//! `/live/services/NAME`: how one service does, and everything that says why.
//!
//! `loggia` gathers what is shown; here it gets its words and its places.

use crate::alerts::{self, AlertRow};
use crate::cells::Values;
use crate::chart::{self, ChartFrame};
use crate::figures::{self, cell, clock, date_time, duration, figure_cell};
use crate::frame::{Frame, Place, View, service_href};
use crate::live::kpis;
use crate::logs::{LogRow, log_rows};
use crate::overlay::encode;
use crate::problems::written;
use crate::traces::{TraceRow, palette, trace_rows};
use crate::{
    Call, Cell, Cells, Change, ChartSpan, Documented, Golden, MarkKind, ServiceView, Site,
    Unmeasured, cells_for_service, objectives,
};
use askama::Template;
use evidence::{Evidence, Figure, KpiEvidence};

/// Ranges offered where charts are, in seconds: `?from=now-900s`.
pub const QUICK_RANGES_S: [u32; 6] = [300, 900, 3_600, 21_600, 86_400, 604_800];
/// After a change of less than this share nothing is said: figures always move a little.
const SAME_SHARE: f64 = 0.1;

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
    when: Option<String>,
    when_short: String,
    /// Without the ends of a zoom.
    now: String,
    charts: Vec<ChartFrame>,
    saturation: Vec<ChartFrame>,
    unmeasured: &'a [Unmeasured],
    instances: Vec<InstanceRow<'a>>,
    routes: Vec<RouteRow<'a>>,
    changes: Vec<ChangeRow<'a>>,
    objectives: Option<String>,
    claims: Vec<ClaimRow<'a>>,
    lists: [TraceTable; 2],
    logs: Vec<LogRow<'a>>,
    no_logs: &'static str,
    sides: Vec<Side<'a>>,
}

pub(crate) struct Range {
    pub(crate) href: String,
    pub(crate) text: String,
    pub(crate) current: bool,
}

struct InstanceRow<'a> {
    name: &'a str,
    key: String,
}

struct RouteRow<'a> {
    route: &'a str,
    href: String,
    key: String,
}

struct ChangeRow<'a> {
    clock: String,
    date: String,
    words: &'a str,
    badge: (&'static str, &'static str),
    window: String,
    /// What is compared, before and after, and how the difference is to be taken.
    pairs: [(&'static str, String, String, &'static str); 3],
}

struct ClaimRow<'a> {
    key: String,
    label: &'a str,
    claim: &'a str,
    href: String,
    page: &'a str,
}

/// A list of traces.
struct TraceTable {
    title: &'static str,
    traces: Vec<TraceRow>,
    no_traces: &'static str,
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

#[derive(Template)]
#[template(path = "trace_table.html")]
struct TraceTableTemplate<'a> {
    traces: &'a [TraceRow],
    no_traces: &'a str,
}

impl TraceTable {
    fn html(&self) -> String {
        written(&TraceTableTemplate { traces: &self.traces, no_traces: self.no_traces })
    }
}

/// `/live/services/NAME`.
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
    let both: Vec<_> = view.traces.iter().chain(&view.slowest).cloned().collect();
    let colours = palette(Some(evidence), &both);
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
    let drawn = |from: usize, charts: &[crate::Chart]| -> Vec<ChartFrame> {
        charts.iter().enumerate().map(|(nth, one)| chart::frame(from + nth, one)).collect()
    };
    written(&ServiceTemplate {
        name,
        encoded: encode(name),
        key: format!("svc.{name}"),
        documented: &view.documented,
        links: links.collect(),
        owner: config.and_then(|config| config.owner.as_deref()),
        alerts: alerts::of_service(&frame.root, &evidence.alerts, name),
        ranges: ranges(site.at, view.span),
        when: zoomed(site.at, view.span).then(|| when(view.span)),
        when_short: format!("{} to {}", clock(view.span.from), clock(view.span.to)),
        now: "?".to_owned(),
        charts: drawn(0, &view.charts),
        saturation: drawn(view.charts.len(), &view.saturation),
        unmeasured: &view.unmeasured,
        instances: view
            .instances
            .iter()
            .map(|one| InstanceRow { name: &one.name, key: format!("inst.{}", one.name) })
            .collect(),
        routes: routes(&frame.root, view, name),
        changes: view.changes.iter().map(change).collect(),
        objectives: objectives::of_service(site, &frame.root, evidence, name, Values(&cells)),
        claims: claims(site, &frame.root, evidence, name).map(|(row, _)| row).collect(),
        lists: [
            TraceTable {
                title: "Recent",
                traces: trace_rows(&frame.root, &view.traces, &colours),
                no_traces: "No trace of it yet. Traces come over OTLP, by default at port 4317 or 4318.",
            },
            TraceTable {
                title: "Slowest",
                traces: trace_rows(&frame.root, &view.slowest, &colours),
                no_traces: "No trace of it in this time.",
            },
        ],
        logs: log_rows(&frame.root, &view.logs, None),
        no_logs: "It wrote nothing down. Logs come over OTLP, by default at port 4317 or 4318.",
        sides: sides
            .map(|(title, none, side, calls)| calls_side(&frame.root, title, none, side, calls))
            .into(),
        frame,
    })
}

/// The cells that only the page of a service has: replicas, routes, objectives and claims.
pub(crate) fn cells(cells: &mut Cells, site: &Site, view: &ServiceView, evidence: &Evidence) {
    for one in &view.instances {
        let mut put =
            |part: &str, cell: Cell| cells.insert(format!("inst.{}.{part}", one.name), cell);
        let (word, state) = if one.up { ("up", "healthy") } else { ("down", "down") };
        put("up", cell(word, state, ""));
        put("version", Cell::text(one.version.as_deref().unwrap_or("unknown")));
        let since = one.since.map_or_else(
            || cell("unknown", "no-data", "process_start_time_seconds is not measured"),
            |since| {
                let seconds = (site.now_ms - since).max(0) as f64 / 1000.0;
                cell(format!("{} ago", coarse(seconds)), "value", date_time(since))
            },
        );
        put("since", since);
        put("memory", figure_cell(&one.memory, "bytes"));
        put("cpu", figure_cell(&one.cpu, "ratio"));
    }
    for one in &view.routes {
        let mut put =
            |part: &str, cell: Cell| cells.insert(format!("route.{}.{part}", one.route), cell);
        put("rate", figure_cell(&one.rate, "1/s"));
        put("errors", figure_cell(&one.errors, "ratio"));
        put("p50", figure_cell(&one.p50, "s"));
        put("p95", figure_cell(&one.p95, "s"));
    }
    let name = view.service.id.0.as_str();
    objectives::service_cells(cells, evidence, name);
    for (row, measured) in claims(site, "", evidence, name) {
        let (word, state) = figures::verdict(measured.verdict);
        cells.insert(format!("{}.verdict", row.key), cell(word, state, measured.reason.as_str()));
        cells.insert(format!("{}.value", row.key), figure_cell(&measured.value, &measured.unit));
    }
}

/// Whole minutes and hours: seconds of an uptime of days say nothing and move at every tick.
fn coarse(seconds: f64) -> String {
    let unit = match seconds {
        s if s < 60.0 => 1.0,
        s if s < 3_600.0 => 60.0,
        s if s < 86_400.0 => 360.0,
        _ => 8_640.0,
    };
    duration((seconds / unit).floor() * unit)
}

/// The figures of the book that are about a service.
fn claims<'a>(
    site: &Site<'a>,
    root: &str,
    evidence: &'a Evidence,
    service: &str,
) -> impl Iterator<Item = (ClaimRow<'a>, &'a KpiEvidence)> {
    let (root, service) = (root.to_owned(), service.to_owned());
    site.book.pages.iter().flat_map(move |page| {
        let found = evidence.pages.get(&page.id);
        let about = kpis(page)
            .into_iter()
            .filter(|(kpi, _)| kpi.service.as_ref().is_some_and(|id| id.0 == service));
        let rows: Vec<_> = about
            .filter_map(|(kpi, key)| {
                let measured = found?.kpis.get(kpi.index)?;
                let section = page.sections.iter().rev().find(|one| one.kpis.contains(&kpi.index));
                let path = page.path.split('/').map(encode).collect::<Vec<_>>().join("/");
                let anchor =
                    section.map_or_else(String::new, |one| format!("#{}", encode(&one.id)));
                let row = ClaimRow {
                    key: format!("claim.{}.{key}", page.id),
                    label: &kpi.label,
                    claim: kpi.claim.as_deref().unwrap_or(&kpi.value),
                    href: format!("{root}{path}{anchor}"),
                    page: section.map_or(page.title.as_str(), |one| one.title.as_str()),
                };
                Some((row, measured))
            })
            .collect();
        rows
    })
}

/// Whether the reader chose an end for the charts.
pub(crate) fn zoomed(at: Option<i64>, span: ChartSpan) -> bool {
    !span.live && at != Some(span.to)
}

/// The quick ranges; each ends now, or at the moment of the past that is shown.
pub(crate) fn ranges(at: Option<i64>, span: ChartSpan) -> Vec<Range> {
    let chosen = (span.to - span.from) / 1000;
    let one = |seconds: &u32| {
        let short = short(*seconds);
        let href = match at {
            // Links of a moment keep it by themselves.
            Some(at) => format!("?from={}", at - i64::from(*seconds) * 1000),
            None => format!("?from=now-{}", short.replace(' ', "")),
        };
        let ends = span.live || at == Some(span.to);
        Range { href, current: ends && i64::from(*seconds) == chosen, text: short }
    };
    QUICK_RANGES_S.iter().map(one).collect()
}

/// `15 m`, as on a button.
pub(crate) fn short(seconds: u32) -> String {
    match seconds {
        s if s % 86_400 == 0 && s > 86_400 => format!("{} d", s / 86_400),
        s if s % 3_600 == 0 => format!("{} h", s / 3_600),
        s => format!("{} m", s / 60),
    }
}

/// A fixed time in words.
pub(crate) fn when(span: ChartSpan) -> String {
    let same_day = date_time(span.from).get(..10) == date_time(span.to).get(..10);
    let from = date_time(span.from).replace(" UTC", "");
    let to = if same_day { clock(span.to) } else { date_time(span.to).replace(" UTC", "") };
    format!("{from} to {to} UTC")
}

fn routes<'a>(root: &str, view: &'a ServiceView, service: &str) -> Vec<RouteRow<'a>> {
    let row = |one: &'a crate::RouteFigures| RouteRow {
        route: &one.route,
        href: format!(
            "{root}live/traces?service={}&operation={}",
            encode(service),
            encode(&one.route)
        ),
        key: format!("route.{}", one.route),
    };
    view.routes.iter().map(row).collect()
}

fn change(change: &Change) -> ChangeRow<'_> {
    let mark = &change.mark;
    let pair = |name, of: fn(&Golden) -> &Figure, unit: &str, more_is_worse: bool| {
        let (before, after) = (of(&change.before), of(&change.after));
        let text = |figure: &Figure| match figure {
            Figure::Loading => "not yet".to_owned(),
            known => figures::show(known, unit).amount.text(),
        };
        (name, text(before), text(after), judged(before, after, more_is_worse))
    };
    ChangeRow {
        clock: clock(mark.at),
        date: date_time(mark.at),
        words: &mark.words,
        badge: match mark.kind {
            MarkKind::Deploy => ("deploy", "at-risk"),
            _ => ("restart", "no-data"),
        },
        window: duration(f64::from(change.window_s)),
        pairs: [
            pair("Rate", |golden| &golden.rate, "1/s", false),
            pair("Errors", |golden| &golden.errors, "ratio", true),
            pair("p95", |golden| &golden.p95, "s", true),
        ],
    }
}

/// Whether more of something is worse after than before; more requests are neither.
fn judged(before: &Figure, after: &Figure, more_is_worse: bool) -> &'static str {
    match (before, after) {
        (Figure::Value(before), Figure::Value(after)) if more_is_worse => {
            let slack = before.abs() * SAME_SHARE;
            match after - before {
                more if more > slack => "worse",
                less if less < -slack => "better",
                _ => "same",
            }
        }
        _ => "same",
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_worse_when_more_fails_or_takes_longer() {
        let value = Figure::Value;
        for (before, after, expected) in [
            (value(0.1), value(0.2), "worse"),
            (value(0.2), value(0.1), "better"),
            (value(0.2), value(0.21), "same"),
            (value(0.0), value(0.01), "worse"),
            (Figure::NoTraffic, value(0.1), "same"),
        ] {
            assert_eq!(judged(&before, &after, true), expected);
            assert_eq!(judged(&before, &after, false), "same");
        }
    }

    #[test]
    fn times_are_said_as_shortly_as_they_can() {
        assert_eq!(short(300), "5 m");
        assert_eq!(short(86_400), "24 h");
        assert_eq!(short(604_800), "7 d");
        assert_eq!(coarse(59.9), "59 s");
        assert_eq!(coarse(119.0), "1 min");
        let span = ChartSpan { from: 0, to: 60_000, step: 1000, live: false };
        assert_eq!(when(span), "1970-01-01 00:00:00 to 00:01:00 UTC");
        assert_eq!(
            when(ChartSpan { to: 90_000_000, ..span }),
            "1970-01-01 00:00:00 to 1970-01-02 01:00:00 UTC"
        );
    }
}
