//! What is drawn against what is seen. Reads the calls of the last minutes; `pages` shows it at
//! `/live/drift`, `loggia check --live` asks for it.
//!
//! "Not seen" is never "absent": [`Observation`] says how much was looked at, and an edge whose caller
//! sends no spans is not judged at all.

use crate::binding::Names;
use crate::calls::{Calls, Flow, Missing, same};
use crate::overlay::Drawn;
use crate::{Bound, EdgeState, Evidence, Figure, ServiceEvidence, bind_drawing};
use document::{Book, DiagramBlock, Page};
use serde::{Deserialize, Serialize};
use traces::{Connection, NodeKind, ServiceGraph};

/// Seconds of calls that drift is judged by: the longest that are counted. Shorter ones would report
/// every rare call as gone.
pub const DRIFT_WINDOW_S: u32 = 15 * 60;
/// Requests a second below which metrics and traces are not compared.
const COMPARED_RATE_MIN: f64 = 0.5;
/// Diagram types in which `A --> B` is a line from box to box.
const ARROWS: [&str; 4] = ["flowchart", "block", "class", "state"];

/// What is drawn against what is seen, for the whole book.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// How much was looked at.
    pub observation: Observation,
    /// Confirmed of all judged edges of the book, 0 to 1; `None` when none can be judged.
    pub conformance: Option<f64>,
    /// Pages with a diagram that has something to judge, in the book's order.
    pub pages: Vec<PageDrift>,
}

/// How much was looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Seconds over which calls are counted.
    pub window_s: f64,
    /// Seconds of it since the first span came in.
    pub covered_s: f64,
    /// Traces that began to arrive in it.
    pub traces: u64,
    /// Sides of calls whose other side never came and has no name.
    pub unpaired: u64,
    /// Share of the requests counted by metrics that traces show too, 0 to 1: less than 1 is sampled
    /// traffic. `None` where there is nothing to compare.
    pub traced_share: Option<f64>,
}

/// The diagrams of one page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PageDrift {
    /// [`document::Page::id`].
    pub id: String,
    /// [`document::Page::title`].
    pub title: String,
    /// [`document::Page::path`].
    pub path: String,
    /// [`document::Page::source`].
    pub source: String,
    /// Confirmed of judged edges.
    pub conformance: Option<f64>,
    /// Those with something to judge, in the page's order.
    pub diagrams: Vec<DiagramDrift>,
}

/// One diagram.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DiagramDrift {
    /// [`document::DiagramBlock::index`].
    pub index: usize,
    /// Its caption.
    pub caption: String,
    /// Whether it shows one scenario: what else its participants do is then not missing.
    pub scenario: bool,
    /// Edges seen in the window.
    pub confirmed: usize,
    /// Edges that can be judged.
    pub judged: usize,
    /// Confirmed of judged edges, 0 to 1; `None` when none can be judged.
    pub conformance: Option<f64>,
    /// Every edge between bound boxes, in the order of the text.
    pub drawn: Vec<DrawnCall>,
    /// Calls seen in the window between boxes of the diagram and not drawn, by name.
    pub undocumented: Vec<UndocumentedCall>,
    /// Lines of Mermaid that would mend the diagram: edges for calls that are not drawn, comments for
    /// edges that were never seen.
    pub mend: Vec<String>,
}

/// An edge as drawn, with what was seen of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrawnCall {
    /// [`diagram::Edge::id`].
    pub edge: String,
    /// Box where it begins.
    pub from_node: String,
    /// Box where it ends.
    pub to_node: String,
    /// Caller's name in traces.
    pub from: String,
    /// Callee's name in traces.
    pub to: String,
    /// Whether it was seen.
    pub state: EdgeState,
    /// Why it cannot be judged though it was never seen.
    pub unjudged: Option<String>,
    /// What was seen.
    pub seen: Option<CallsSeen>,
}

/// Calls that nobody drew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UndocumentedCall {
    /// The caller's box.
    pub from_node: String,
    /// The callee's box.
    pub to_node: String,
    /// Caller's name in traces.
    pub from: String,
    /// Callee's name in traces.
    pub to: String,
    /// The queue between both, where the diagram does not show it.
    pub queue: Option<String>,
    /// What was seen.
    pub seen: CallsSeen,
}

/// Evidence of calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallsSeen {
    /// Calls in the window; 0 when they were seen before it.
    pub calls: u64,
    /// Calls a second over the time observed.
    pub rate: f64,
    /// When first seen, milliseconds since 1970.
    pub first_seen: i64,
    /// When last seen, milliseconds since 1970.
    pub last_seen: i64,
    /// A trace that holds such a call, as 32 hex digits.
    pub example_trace: String,
}

impl DrawnCall {
    /// Whether it counts for conformance.
    pub fn is_judged(&self) -> bool {
        self.unjudged.is_none()
    }
}

impl Evidence {
    /// The drift of one diagram.
    pub fn drift_of(&self, page: &str, diagram: usize) -> Option<&DiagramDrift> {
        let page = self.drift.pages.iter().find(|found| found.id == page)?;
        page.diagrams.iter().find(|found| found.index == diagram)
    }
}

/// Drift of all pages by the calls in `observed`, a graph over [`DRIFT_WINDOW_S`]; `recent` is the
/// graph of the moment in which `services` were measured.
pub(crate) fn drift(
    book: &Book,
    names: &Names,
    services: &[ServiceEvidence],
    recent: &ServiceGraph,
    observed: &ServiceGraph,
) -> Drift {
    let observation = Observation {
        window_s: observed.window_s,
        covered_s: observed.covered_s,
        traces: observed.traces,
        unpaired: observed.expired,
        traced_share: traced_share(book, services, recent),
    };
    let calls = Calls::new(observed, &book.config);
    let pages: Vec<PageDrift> = book
        .pages
        .iter()
        .map(|page| page_drift(page, names, &calls, &observation))
        .filter(|page| !page.diagrams.is_empty())
        .collect();
    let all = pages.iter().flat_map(|page| &page.diagrams);
    Drift { conformance: conformance(all), observation, pages }
}

fn page_drift(
    page: &Page,
    names: &Names,
    calls: &Calls<'_>,
    observation: &Observation,
) -> PageDrift {
    let judge = |block: &DiagramBlock| {
        let bound = bind_drawing(&block.drawing, names);
        diagram_drift(&Drawn::new(block, &bound), calls, observation)
    };
    let something =
        |drift: &DiagramDrift| !drift.drawn.is_empty() || !drift.undocumented.is_empty();
    let diagrams: Vec<_> = page.diagrams().map(judge).filter(something).collect();
    PageDrift {
        id: page.id.clone(),
        title: page.title.clone(),
        path: page.path.clone(),
        source: page.source.clone(),
        conformance: conformance(&diagrams),
        diagrams,
    }
}

fn conformance<'a>(diagrams: impl IntoIterator<Item = &'a DiagramDrift>) -> Option<f64> {
    let (mut confirmed, mut judged) = (0, 0);
    for diagram in diagrams {
        confirmed += diagram.confirmed;
        judged += diagram.judged;
    }
    (judged > 0).then(|| confirmed as f64 / judged as f64)
}

fn diagram_drift(drawn: &Drawn<'_>, calls: &Calls<'_>, observation: &Observation) -> DiagramDrift {
    let walk = drawn.walk();
    let edges: Vec<DrawnCall> = drawn
        .calls(&walk, calls)
        .into_iter()
        .map(|(edge, from, to)| {
            let flow = calls.between(from, to);
            let hidden = flow.latest.is_none() && !calls.would_show(from, to);
            DrawnCall {
                edge: edge.id.clone(),
                from_node: edge.from.clone(),
                to_node: edge.to.clone(),
                from: from.name().to_owned(),
                to: to.name().to_owned(),
                state: flow.state(),
                unjudged: hidden.then(|| unjudged(from, to)),
                seen: seen(&flow),
            }
        })
        .collect();
    let undocumented: Vec<UndocumentedCall> = if drawn.is_scenario() {
        Vec::new()
    } else {
        let missing = calls.missing(&drawn.ends, &walk);
        missing.iter().filter_map(|missing| undocumented(drawn, missing)).collect()
    };
    let judged = edges.iter().filter(|edge| edge.is_judged()).count();
    let confirmed = edges.iter().filter(|edge| edge.state == EdgeState::Confirmed).count();
    DiagramDrift {
        index: drawn.block.index,
        caption: drawn.block.caption.clone(),
        scenario: drawn.is_scenario(),
        confirmed,
        judged,
        conformance: (judged > 0).then(|| confirmed as f64 / judged as f64),
        mend: mend(&drawn.block.drawing.kind, &edges, &undocumented, observation),
        drawn: edges,
        undocumented,
    }
}

fn unjudged(from: &Bound, to: &Bound) -> String {
    let silent = match from {
        Bound::Service(_) | Bound::External(_) => from,
        Bound::Queue(_) | Bound::Database(_) => to,
    };
    format!("no trace came from `{}`", silent.name())
}

fn seen(flow: &Flow<'_>) -> Option<CallsSeen> {
    let latest = flow.latest?;
    Some(CallsSeen {
        calls: flow.calls,
        rate: if flow.rate.is_finite() { flow.rate } else { 0.0 },
        first_seen: flow.first_seen_ms,
        last_seen: latest.last_seen_ms,
        example_trace: latest.example_trace.to_string(),
    })
}

fn undocumented(drawn: &Drawn<'_>, missing: &Missing<'_>) -> Option<UndocumentedCall> {
    let node = |end: &Bound| {
        let nodes = &drawn.block.drawing.nodes;
        let stands_for = |id: &str| drawn.ends.get(id).is_some_and(|bound| same(bound, end));
        nodes.iter().map(|node| &node.id).find(|id| stands_for(id)).cloned()
    };
    Some(UndocumentedCall {
        from_node: node(missing.from)?,
        to_node: node(missing.to)?,
        from: missing.from.name().to_owned(),
        to: missing.to.name().to_owned(),
        queue: missing.queue.map(|queue| queue.name().to_owned()),
        seen: seen(&missing.flow)?,
    })
}

/// Lines to add to the diagram's text; the order is that of the page.
fn mend(
    kind: &str,
    drawn: &[DrawnCall],
    undocumented: &[UndocumentedCall],
    observation: &Observation,
) -> Vec<String> {
    let arrows = ARROWS.contains(&kind);
    let missing = undocumented.iter().map(|call| match (arrows, &call.queue) {
        (false, _) => format!("%% not drawn: {} to {}", call.from_node, call.to_node),
        (true, Some(queue)) => {
            format!("%% through the queue {queue}:\n{} --> {}", call.from_node, call.to_node)
        }
        (true, None) => format!("{} --> {}", call.from_node, call.to_node),
    });
    let never = drawn
        .iter()
        .filter(|call| call.state == EdgeState::NeverSeen && call.is_judged())
        .map(|call| {
            let traces = observation.traces;
            format!("%% never seen in {traces} traces: {} to {}", call.from_node, call.to_node)
        });
    missing
        .chain(never)
        .flat_map(|lines| lines.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// Requests that traces show of those that metrics count, over the services that both know. Messages
/// are left out: the metrics count requests.
fn traced_share(book: &Book, services: &[ServiceEvidence], recent: &ServiceGraph) -> Option<f64> {
    let (mut counted, mut traced) = (0.0, 0.0);
    for service in services {
        let config = book.config.services.get(&service.id);
        let name = config.and_then(|c| c.service_name.as_deref()).unwrap_or(&service.id.0);
        let mut requests = recent
            .edges
            .iter()
            .filter(|edge| {
                edge.to.kind == NodeKind::Service
                    && *edge.to.name == *name
                    && matches!(edge.connection, Connection::Call | Connection::Virtual)
            })
            .peekable();
        if let Figure::Value(rate) = service.rate
            && !service.traced
            && requests.peek().is_some()
        {
            counted += rate;
            traced += requests.map(|edge| edge.rate).filter(|rate| rate.is_finite()).sum::<f64>();
        }
    }
    let share = (traced / counted).clamp(0.0, 1.0);
    (counted >= COMPARED_RATE_MIN && share.is_finite()).then_some(share)
}
