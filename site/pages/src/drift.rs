//! `/live/drift`: what the diagrams draw against what the traces show, page by page.
//!
//! `evidence` judges; here the rows get their words, links and live cells.

use crate::Site;
use crate::cells::{Cell, Cells};
use crate::figures::{self, amount, cell, clock, date_time, duration, number};
use crate::frame::{Frame, Place, View};
use crate::live::{diagrams, frame_cells, with_shape};
use crate::overlay::{crossed, encode};
use crate::problems::written;
use askama::Template;
use evidence::{CallsSeen, DiagramDrift, DrawnCall, EdgeState, Evidence, Observation, PageDrift};
use std::collections::BTreeMap;

/// Below this share of traced requests traffic counts as sampled; metrics and traces are never counted
/// at quite the same moment.
const SAMPLED_SHARE_MAX: f64 = 0.9;

#[derive(Template)]
#[template(path = "drift.html")]
struct DriftTemplate<'a> {
    frame: Frame<'a>,
    pages: Vec<PagePart<'a>>,
}

struct PagePart<'a> {
    title: &'a str,
    href: String,
    key: String,
    diagrams: Vec<DiagramPart<'a>>,
}

struct DiagramPart<'a> {
    anchor: String,
    caption: &'a str,
    href: String,
    key: String,
    scenario: bool,
    rows: Vec<Row>,
    mends: bool,
}

struct Row {
    key: String,
    from: String,
    to: String,
    /// Names in traces, where the boxes are called otherwise.
    names: String,
    traces: String,
    example: Option<String>,
}

/// `/live/drift`.
pub fn render_drift(site: &Site, evidence: &Evidence) -> String {
    let cells = cells_for_drift(site, evidence);
    let place = Place {
        path: "live/drift",
        id: "live/drift",
        title: "Drift".to_owned(),
        view: View::Drift,
        page: None,
        service: None,
    };
    let frame = Frame::new(site, &place, Some(evidence), &cells);
    let pages =
        evidence.drift.pages.iter().map(|page| page_part(site, &frame.root, page, evidence));
    written(&DriftTemplate { pages: pages.collect(), frame })
}

/// The live values of `/live/drift`; its `ID` is `live/drift`.
pub fn cells_for_drift(site: &Site, evidence: &Evidence) -> Cells {
    let mut cells = frame_cells(site, evidence);
    let drift = &evidence.drift;
    let all = drift.pages.iter().flat_map(|page| &page.diagrams);
    put_ratio(&mut cells, "drift", drift.conformance, all);
    let (observed, sampling) = observed(&drift.observation);
    cells.insert("drift.observed".to_owned(), Cell::text(observed));
    cells.insert("drift.sampling".to_owned(), sampling);
    for page in &drift.pages {
        put_ratio(&mut cells, &page_key(page), page.conformance, &page.diagrams);
        for diagram in &page.diagrams {
            diagram_cells(
                &mut cells,
                &diagram_key(page, diagram),
                diagram,
                drift.observation.traces,
            );
        }
    }
    with_shape(cells)
}

/// Where a diagram stands on `/live/drift`.
pub(crate) fn anchor(page: &str, diagram: usize) -> String {
    format!("{page}.figure-{diagram}")
}

fn page_key(page: &PageDrift) -> String {
    format!("drift.{}", page.id)
}

fn diagram_key(page: &PageDrift, diagram: &DiagramDrift) -> String {
    format!("drift.{}.d{}", page.id, diagram.index)
}

fn page_part<'a>(
    site: &Site,
    root: &str,
    page: &'a PageDrift,
    evidence: &Evidence,
) -> PagePart<'a> {
    let path = page.path.split('/').map(encode).collect::<Vec<_>>().join("/");
    let href = format!("{root}{path}");
    let part = |diagram: &'a DiagramDrift| DiagramPart {
        anchor: anchor(&page.id, diagram.index),
        caption: &diagram.caption,
        href: format!("{href}#figure-{}", diagram.index),
        key: diagram_key(page, diagram),
        scenario: diagram.scenario,
        rows: rows(site, root, page, diagram, evidence),
        mends: !diagram.mend.is_empty(),
    };
    let diagrams = page.diagrams.iter().map(part).collect();
    PagePart { title: &page.title, key: page_key(page), diagrams, href }
}

/// What is not drawn first, then the edges as drawn.
fn rows(
    site: &Site,
    root: &str,
    page: &PageDrift,
    diagram: &DiagramDrift,
    evidence: &Evidence,
) -> Vec<Row> {
    let known = |name: &str| evidence.services.iter().any(|service| service.id.0 == name);
    let labels = labels(site, &page.id, diagram.index);
    let label = |id: &str| labels.get(id).map_or(id, String::as_str).to_owned();
    let key = diagram_key(page, diagram);
    let row =
        |key: String, nodes: (&str, &str), (from, to): (&str, &str), seen: Option<&CallsSeen>| {
            Row {
                key,
                from: label(nodes.0),
                to: label(nodes.1),
                names: format!("{from} → {to}"),
                traces: crossed(site, root, [from, to].map(|name| (name, known(name)))),
                example: seen
                    .map(|seen| format!("{root}live/traces/{}", encode(&seen.example_trace))),
            }
        };
    let undocumented = diagram.undocumented.iter().map(|call| {
        let nodes = (call.from_node.as_str(), call.to_node.as_str());
        row(
            missing_key(&key, &call.from, &call.to),
            nodes,
            (&call.from, &call.to),
            Some(&call.seen),
        )
    });
    let drawn = diagram.drawn.iter().map(|call| {
        let nodes = (call.from_node.as_str(), call.to_node.as_str());
        row(drawn_key(&key, call), nodes, (&call.from, &call.to), call.seen.as_ref())
    });
    undocumented.chain(drawn).collect()
}

fn labels(site: &Site, page: &str, diagram: usize) -> BTreeMap<String, String> {
    let Some(page) = site.book.page(page) else { return BTreeMap::new() };
    let block = diagrams(page).find(|block| block.index == diagram);
    let nodes = block.into_iter().flat_map(|block| &block.drawing.nodes);
    let named = nodes.filter(|node| !node.label.is_empty());
    named.map(|node| (node.id.clone(), node.label.clone())).collect()
}

fn drawn_key(key: &str, call: &DrawnCall) -> String {
    format!("{key}.e.{}", call.edge)
}

fn missing_key(key: &str, from: &str, to: &str) -> String {
    format!("{key}.u.{from}>{to}")
}

fn diagram_cells(cells: &mut Cells, key: &str, diagram: &DiagramDrift, traces: u64) {
    put_ratio(cells, key, diagram.conformance, [diagram]);
    if !diagram.mend.is_empty() {
        cells.insert(format!("{key}.mend"), Cell::text(diagram.mend.join("\n")));
    }
    for call in &diagram.undocumented {
        let why = match &call.queue {
            Some(queue) => format!("messages through the queue {queue}, which is not drawn either"),
            None => "seen in traces, and no line leads from one to the other".to_owned(),
        };
        let state = cell("not drawn", "degraded", why);
        seen_cells(cells, &missing_key(key, &call.from, &call.to), state, Some(&call.seen));
    }
    for call in &diagram.drawn {
        seen_cells(cells, &drawn_key(key, call), state(call, traces), call.seen.as_ref());
    }
}

fn state(call: &DrawnCall, traces: u64) -> Cell {
    match (&call.unjudged, call.state) {
        (Some(why), _) => cell("not judged", "no-data", format!("{why}, so calls would not show")),
        (None, EdgeState::Confirmed) => cell("confirmed", "healthy", "seen in the window"),
        (None, EdgeState::Idle) => cell("idle", "idle", "seen before the window, not in it"),
        (None, EdgeState::NeverSeen) => {
            let why =
                format!("not in {} traces, which does not mean absent", number(traces as f64));
            cell("never seen", "never-seen", why)
        }
    }
}

fn seen_cells(cells: &mut Cells, key: &str, state: Cell, seen: Option<&CallsSeen>) {
    let mut put = |part: &str, cell: Cell| cells.insert(format!("{key}.{part}"), cell);
    let none = || cell("none", "none", "");
    put("state", state);
    put("calls", seen.map_or_else(none, |seen| cell(number(seen.calls as f64), "value", "")));
    put("rate", seen.map_or_else(none, |seen| cell(amount(seen.rate, "1/s").text(), "value", "")));
    let at = |ms: i64| cell(clock(ms), "value", date_time(ms));
    put("first", seen.map_or_else(none, |seen| at(seen.first_seen)));
    put("last", seen.map_or_else(none, |seen| at(seen.last_seen)));
}

/// Percentage, bar and words of several diagrams.
fn put_ratio<'a>(
    cells: &mut Cells,
    key: &str,
    conformance: Option<f64>,
    diagrams: impl IntoIterator<Item = &'a DiagramDrift>,
) {
    let (mut confirmed, mut judged, mut missing, mut never) = (0, 0, 0, 0);
    for diagram in diagrams {
        confirmed += diagram.confirmed;
        judged += diagram.judged;
        missing += diagram.undocumented.len();
        never += never_seen(diagram).count();
    }
    let state = if missing + never > 0 { "degraded" } else { "healthy" };
    let (text, state) = match conformance {
        Some(share) => (amount(share, "ratio").text(), state),
        None => ("not judged".to_owned(), "no-data"),
    };
    let width = conformance.unwrap_or(0.0) * 100.0;
    let mut put = |part: &str, cell: Cell| cells.insert(format!("{key}.{part}"), cell);
    put("share", cell(text, state, "drawn edges that traces confirm, of those that can be judged"));
    put("bar", Cell { s: Some(state.to_owned()), ..Cell::path(format!("M0 3H{width:.1}")) });
    put("words", Cell::text(confirmed_words(confirmed, judged)));
    put("missing", count(missing, "degraded"));
    // "Not seen" is never "absent": no warning.
    put("never", count(never, "never-seen"));
}

fn count(number: usize, state: &str) -> Cell {
    match number {
        0 => cell("none", "none", ""),
        some => cell(some.to_string(), state, ""),
    }
}

/// `4 of 5 edges confirmed by traces`.
pub(crate) fn confirmed_words(confirmed: usize, judged: usize) -> String {
    match judged {
        0 => "no edge can be judged yet".to_owned(),
        1 => format!("{confirmed} of 1 edge confirmed by traces"),
        _ => format!("{confirmed} of {judged} edges confirmed by traces"),
    }
}

/// Edges that were never seen though they would show.
pub(crate) fn never_seen(diagram: &DiagramDrift) -> impl Iterator<Item = &DrawnCall> {
    let never = |call: &&DrawnCall| call.state == EdgeState::NeverSeen && call.is_judged();
    diagram.drawn.iter().filter(never)
}

/// How much was looked at, and how much of the traffic that was.
pub(crate) fn observed(observation: &Observation) -> (String, Cell) {
    if observation.traces == 0 {
        let words = format!("no trace in the last {}", duration(observation.window_s));
        return (words, cell("Nothing is judged before the first trace.", "no-data", ""));
    }
    let words = format!(
        "{} traces in {} of the last {}",
        number(observation.traces as f64),
        duration(observation.covered_s.min(observation.window_s).round()),
        duration(observation.window_s),
    );
    let sampling = match observation.traced_share {
        None => cell(
            "Whether all requests are traced is not known: no metrics to compare with.",
            "no-data",
            "",
        ),
        Some(share) if share < SAMPLED_SHARE_MAX => {
            let share = figures::amount(share, "ratio").text();
            let words = format!(
                "Traces show {share} of the requests that metrics count: traffic is sampled, and what is rare may be missed."
            );
            cell(words, "degraded", "")
        }
        Some(share) => {
            let share = figures::amount(share, "ratio").text();
            cell(format!("Traces show {share} of the requests that metrics count."), "value", "")
        }
    };
    (words, sampling)
}
