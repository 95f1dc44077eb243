//! Evidence to cells: which keys a page has and what stands in them.
//!
//! Keys: `svc.NAME.*` services, `sec.ID.*` strips, `kpi.ID.*` tiles, `dN.*` diagrams, `chart.N.*`
//! and `call.*` on a service's page, `live.*` about the measuring itself, `drift.*` on
//! `/live/drift` (made there).

use crate::figures::{
    self, cell, duration, figure_cell, health_state, health_word, short_figure_cell,
};
use crate::overlay::encode;
use crate::{
    Call, Cell, Cells, ServiceView, Site, alerts, chart, drift, map, moment, objectives, service,
    spark,
};
use document::{DiagramBlock, Kpi, Page, Piece};
use evidence::{
    Bound, DEGRADED_ERROR_SHARE, DOWN_ERROR_SHARE, DiagramDrift, DiagramEvidence, EdgeEvidence,
    EdgeState, Evidence, Figure, Health, JUDGED_REQUESTS_MIN, KpiEvidence, NodeEvidence,
    Observation, ServiceEvidence, SourceFault, Strip, UndocumentedCall, Verdict,
};
use std::collections::BTreeSet;

/// So many calls that nobody drew are named under a diagram; the rest is counted.
const CALLS_NAMED_MAX: usize = 3;

/// The live values of a page of the book: `/api/live/events?page=ID`, where `ID` is [`Page::id`].
pub fn cells_for_page(site: &Site, page: &Page, evidence: &Evidence) -> Cells {
    let mut cells = frame_cells(site, evidence);
    if page.maps().next().is_some() {
        map::cells(&mut cells, &evidence.map, evidence.window);
    }
    objectives::page_cells(&mut cells, page, evidence);
    let root = site.root(&page.path);
    for (index, drawn) in site.charts.iter().enumerate() {
        cells.extend(chart::cells(index, drawn, &root));
    }
    let Some(found) = evidence.pages.get(&page.id) else { return with_shape(cells) };
    for (id, strip) in &found.strips {
        strip_cells(&mut cells, id, strip, page, evidence);
    }
    for (kpi, key) in kpis(page) {
        if let Some(measured) = found.kpis.get(kpi.index) {
            kpi_cells(&mut cells, &key, kpi, measured);
        }
    }
    for block in diagrams(page) {
        if let Some(measured) = found.diagrams.get(block.index) {
            diagram_cells(&mut cells, block, measured, evidence.window);
            if let Some(drift) = evidence.drift_of(&page.id, block.index) {
                note_cells(&mut cells, block, drift, &evidence.drift.observation);
            }
        }
    }
    with_shape(cells)
}

/// The live values of `/live/services` and of all pages below `/live/` but a service's own; their
/// `ID` is `live/services`.
pub fn cells_for_services(site: &Site, evidence: &Evidence) -> Cells {
    with_shape(frame_cells(site, evidence))
}

/// The live values of `/live/services/NAME`; its `ID` is `live/services/NAME`.
pub fn cells_for_service(site: &Site, view: &ServiceView, evidence: &Evidence) -> Cells {
    let mut cells = frame_cells(site, evidence);
    service_cells(&mut cells, &view.service);
    let root = site.root(&format!("live/services/{}", encode(&view.service.id.0)));
    alerts::service_alert_cells(&mut cells, &evidence.alerts, &view.service.id.0);
    for (index, drawn) in view.charts.iter().chain(&view.saturation).enumerate() {
        cells.extend(chart::cells(index, drawn, &root));
    }
    service::cells(&mut cells, site, view, evidence);
    for (side, calls) in [("in", &view.calls_in), ("out", &view.calls_out)] {
        calls.iter().for_each(|call| call_cells(&mut cells, side, call));
    }
    with_shape(cells)
}

/// The KPIs of a page with the key of each: by its id, and by its number too where an id comes
/// again.
pub(crate) fn kpis(page: &Page) -> Vec<(&Kpi, String)> {
    let mut seen = BTreeSet::new();
    let all = page.pieces.iter().flat_map(|piece| match piece {
        Piece::KpiGrid(grid) => grid.as_slice(),
        Piece::Figure(one) => std::slice::from_ref(&**one),
        _ => &[],
    });
    all.map(|kpi| {
        let known = !seen.insert(kpi.id.clone());
        let key =
            if known { format!("kpi.{}-{}", kpi.id, kpi.index) } else { format!("kpi.{}", kpi.id) };
        (kpi, key)
    })
    .collect()
}

/// The diagrams of a page.
pub(crate) fn diagrams(page: &Page) -> impl Iterator<Item = &DiagramBlock> {
    page.pieces.iter().filter_map(|piece| match piece {
        Piece::Diagram(block) => Some(&**block),
        _ => None,
    })
}

/// Which live elements there are, as one short text: pages that show other elements differ in it.
pub(crate) fn with_shape(mut cells: Cells) -> Cells {
    // FNV-1a: no cryptography is needed to notice a change, and the value is stable between runs.
    let hash = cells
        .keys()
        .flat_map(|key| key.bytes().chain([0]))
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    cells.insert("shape".to_owned(), Cell::text(format!("{hash:016x}")));
    cells
}

pub(crate) fn frame_cells(site: &Site, evidence: &Evidence) -> Cells {
    let mut cells = Cells::new();
    cells.insert("live.at".to_owned(), Cell::text(moment::chip_words(site, evidence.at)));
    let window = duration(f64::from(evidence.window));
    let as_of = (!site.live).then(|| figures::as_of(evidence.at));
    let when = as_of.as_ref().map_or_else(String::new, |words| format!(", {words}"));
    let words = format!("measured over the last {window}{when}");
    cells.insert("live.window".to_owned(), Cell::text(words));
    // Baked figures grow old where nobody sees it, so each says when it was measured.
    if let Some(words) = as_of {
        cells.insert("live.as-of".to_owned(), Cell::text(words));
    }
    fault_cells(&mut cells, evidence);
    evidence.services.iter().for_each(|service| service_cells(&mut cells, service));
    cells.insert("live.up".to_owned(), Cell::text(answering(&evidence.services)));
    if site.live {
        alerts::mark_cells(&mut cells, &evidence.alerts);
    }
    cells
}

/// Engines that do not answer: which and why, and how old is what they told.
fn fault_cells(cells: &mut Cells, evidence: &Evidence) {
    if evidence.faults.is_empty() {
        return;
    }
    let told = |fault: &SourceFault| {
        let why = fault.why.lines().next().unwrap_or_default();
        format!(
            "{} has not answered since {} UTC: {why}.",
            fault.engine,
            figures::clock(fault.since)
        )
    };
    let age = |fault: &SourceFault| match fault.answered {
        Some(at) => {
            let seconds = evidence.at.saturating_sub(at).max(0) as f64 / 1000.0;
            format!("The {} shown are {} old.", fault.source, duration(seconds.round()))
        }
        None => format!("There are no {} yet.", fault.source),
    };
    let joined = |words: Vec<String>| Cell::text(words.join(" "));
    let faults = &evidence.faults;
    cells.insert("live.fault".to_owned(), joined(faults.iter().map(told).collect()));
    cells.insert("live.fault-age".to_owned(), joined(faults.iter().map(age).collect()));
}

/// How many services answer, by their metrics and by the traces of those that call them.
fn answering(services: &[ServiceEvidence]) -> String {
    let count = |is: fn(&&ServiceEvidence) -> bool| services.iter().filter(is).count();
    let up = count(|service| service.up > 0);
    let (known, traced) = (count(|service| service.instances > 0), count(|service| service.traced));
    match (known, traced) {
        (_, 0) => format!("{up} of {known} services answer"),
        (0, 1) => "1 service seen in traces".to_owned(),
        (0, _) => format!("{traced} services seen in traces"),
        _ => format!("{up} of {known} services answer, {traced} more seen in traces"),
    }
}

fn service_cells(cells: &mut Cells, service: &ServiceEvidence) {
    let id = &service.id.0;
    let mut put = |part: &str, cell: Cell| cells.insert(format!("svc.{id}.{part}"), cell);
    let why = format!("{id}: {}", described(service.health, &service.reason));
    put("health", cell(health_word(service.health), health_state(service.health), why));
    put("reason", cell(service.reason.as_str(), health_state(service.health), ""));
    put("rate", figure_cell(&service.rate, "1/s"));
    put("p95", figure_cell(&service.p95, "s"));
    put("errors", figure_cell(&service.errors, "ratio"));
    put(
        "up",
        match service.instances {
            0 => cell("not measured", "no-data", "no replica is scraped or reports by itself"),
            all => Cell::text(format!("{} of {all}", service.up)),
        },
    );
    put("version", Cell::text(service.version.as_deref().unwrap_or("unknown")));
}

fn described(health: Health, reason: &str) -> String {
    let word = health_word(health);
    if reason.is_empty() || reason == word { word.to_owned() } else { format!("{word}, {reason}") }
}

fn strip_cells(cells: &mut Cells, id: &str, strip: &Strip, page: &Page, evidence: &Evidence) {
    let mut put = |part: &str, cell: Cell| cells.insert(format!("sec.{id}.{part}"), cell);
    let troubled: Vec<&str> = evidence
        .services
        .iter()
        .filter(|service| strip.services.contains(&service.id) && service.health > Health::Healthy)
        .map(|service| service.id.0.as_str())
        .collect();
    let title = page.sections.iter().find(|section| section.id == id).map_or(id, |s| &s.title);
    let why = match troubled.as_slice() {
        [] => format!("{title}: {}", health_word(strip.health)),
        names => format!("{title}: {}, because of {}", health_word(strip.health), names.join(", ")),
    };
    put("health", cell(health_word(strip.health), health_state(strip.health), why));
    put("rate", figure_cell(&strip.rate, "1/s"));
    put("p95", figure_cell(&strip.p95, "s"));
    put("errors", figure_cell(&strip.errors, "ratio"));
}

pub(crate) fn kpi_cells(cells: &mut Cells, key: &str, kpi: &Kpi, measured: &KpiEvidence) {
    let mut put = |part: &str, cell: Cell| cells.insert(format!("{key}{part}"), cell);
    let (word, state) = figures::verdict(measured.verdict);
    let unmeasured = measured.verdict == Verdict::Unproven && measured.value == Figure::NoData;
    let shown = figures::show(&measured.value, &measured.unit);
    if unmeasured {
        put(
            ".value",
            cell(kpi.value.as_str(), "claim", "what the document states; nothing measures it"),
        );
        put(".unit", Cell::text(""));
    } else {
        put(".value", cell(shown.amount.number, shown.state, shown.why.unwrap_or_default()));
        put(".unit", Cell::text(shown.amount.unit));
    }
    put("", Cell::state(state, ""));
    put(".verdict", cell(word, state, measured.reason.as_str()));
    put(".reason", Cell::text(measured.reason.as_str()));
    let drawn = spark::draw(&measured.history, measured.bound);
    put(".line", Cell::path(drawn.line));
    put(".area", Cell::path(drawn.area));
    put(".bound", Cell::path(drawn.bound));
}

fn diagram_cells(cells: &mut Cells, block: &DiagramBlock, measured: &DiagramEvidence, window: u32) {
    let prefix = format!("d{}", block.index);
    let label = |id: &str| label_of(block, id);
    for (id, node) in &measured.nodes {
        let why = node_words(&label(id), node);
        cells.insert(format!("{prefix}.n.{id}"), Cell::state(health_state(node.health), why));
        figures3(cells, &format!("{prefix}.n.{id}"), &node.rate, &node.p95, &node.errors);
    }
    for edge in &block.drawing.edges {
        let Some(seen) = measured.edges.get(&edge.id) else { continue };
        let key = format!("{prefix}.e.{}", edge.id);
        let words = edge_words(&label(&edge.from), &label(&edge.to), seen);
        cells.insert(key.clone(), Cell::state(edge_state(seen, window), words));
        flow_cell(&mut *cells, &key, seen.state, &seen.rate);
        match seen.state {
            EdgeState::NeverSeen => three(cells, &key, &cell("not seen", "never-seen", "")),
            EdgeState::Idle => three(cells, &key, &cell("idle", "idle", "")),
            EdgeState::Confirmed => figures3(cells, &key, &seen.rate, &seen.p95, &seen.errors),
        }
    }
}

fn label_of(block: &DiagramBlock, id: &str) -> String {
    let node = block.drawing.nodes.iter().find(|node| node.id == id);
    node.map_or(id, |node| node.label.as_str()).to_owned()
}

pub(crate) fn figures3(cells: &mut Cells, key: &str, rate: &Figure, p95: &Figure, errors: &Figure) {
    cells.insert(format!("{key}.rate"), short_figure_cell(rate, "1/s"));
    cells.insert(format!("{key}.p95"), short_figure_cell(p95, "s"));
    cells.insert(format!("{key}.errors"), short_figure_cell(errors, "ratio"));
}

/// How heavy a line is and whether it moves: `none` without traffic, else the rate's power of ten.
pub(crate) fn flow_cell(cells: &mut Cells, key: &str, state: EdgeState, rate: &Figure) {
    let level = match (state, rate) {
        (EdgeState::Confirmed, Figure::Value(rate)) if *rate > 0.0 => match *rate {
            rate if rate < 1.0 => "trickle",
            rate if rate < 10.0 => "ones",
            rate if rate < 100.0 => "tens",
            rate if rate < 1000.0 => "hundreds",
            _ => "thousands",
        },
        _ => "none",
    };
    let cell = Cell { s: Some(level.to_owned()), ..Cell::default() };
    cells.insert(format!("{key}.flow"), cell);
}

pub(crate) fn three(cells: &mut Cells, key: &str, same: &Cell) {
    for part in ["rate", "p95", "errors"] {
        cells.insert(format!("{key}.{part}"), same.clone());
    }
}

fn node_words(label: &str, node: &NodeEvidence) -> String {
    let name = match &node.bound {
        Bound::Service(id) => format!("service {}", id.0),
        Bound::Database(name) => format!("database {name}"),
        Bound::Queue(name) => format!("queue {name}"),
        Bound::External(name) => format!("external {name}"),
    };
    let health = health_word(node.health);
    format!("{label} ({name}): {health}, {}", figures_words(&node.rate, &node.p95, &node.errors))
}

fn edge_words(from: &str, to: &str, edge: &EdgeEvidence) -> String {
    let what = match edge.state {
        EdgeState::Confirmed => figures_words(&edge.rate, &edge.p95, &edge.errors),
        EdgeState::Idle => edge.last_seen.map_or_else(
            || "idle, not seen in the window".to_owned(),
            |at| format!("idle, not seen in the window, last at {} UTC", figures::clock(at)),
        ),
        EdgeState::NeverSeen => "not seen in traces so far, which does not mean absent".to_owned(),
    };
    format!("{from} to {to} ({} → {}): {what}", edge.from, edge.to)
}

pub(crate) fn figures_words(rate: &Figure, p95: &Figure, errors: &Figure) -> String {
    // As short as in the pill, whose text is a part of these words.
    let text = |figure, unit| short_figure_cell(figure, unit).t.unwrap_or_default();
    format!("{}, p95 {}, errors {}", text(rate, "1/s"), text(p95, "s"), text(errors, "ratio"))
}

fn edge_state(edge: &EdgeEvidence, window: u32) -> &'static str {
    state_of_calls(edge.state, (&edge.rate, &edge.errors), window)
}

/// The look of calls by how many of them fail, where there are enough in the window (seconds) to
/// judge, as for services.
pub(crate) fn state_of_calls(
    state: EdgeState,
    (rate, errors): (&Figure, &Figure),
    window: u32,
) -> &'static str {
    let judged =
        matches!(rate, Figure::Value(rate) if rate * f64::from(window) >= JUDGED_REQUESTS_MIN);
    match (state, errors) {
        (EdgeState::NeverSeen, _) => "never-seen",
        (EdgeState::Idle, _) => "idle",
        (_, Figure::Value(share)) if judged && *share >= DOWN_ERROR_SHARE => "down",
        (_, Figure::Value(share)) if judged && *share >= DEGRADED_ERROR_SHARE => "degraded",
        _ => "healthy",
    }
}

/// The bar under a diagram: what was seen and not drawn, and the other way round.
fn note_cells(
    cells: &mut Cells,
    block: &DiagramBlock,
    drift: &DiagramDrift,
    observation: &Observation,
) {
    let rate = |rate: f64| figures::amount(rate, "1/s").text();
    let missing =
        |call: &UndocumentedCall| format!("{} → {} ({})", call.from, call.to, rate(call.seen.rate));
    let seen: Vec<String> = drift.undocumented.iter().map(missing).collect();
    let unseen: Vec<String> = drift::never_seen(drift)
        .map(|call| {
            format!("{} → {}", label_of(block, &call.from_node), label_of(block, &call.to_node))
        })
        .collect();
    // Before the first trace nothing is known: neither good nor bad.
    let nothing = observation.traces == 0;
    let state = match () {
        () if nothing => "no-data",
        () if seen.is_empty() && unseen.is_empty() => "healthy",
        () => "degraded",
    };
    let words = match nothing {
        true => "no traces yet".to_owned(),
        false => drift::confirmed_words(drift.confirmed, drift.judged),
    };
    let why = format!(
        "{}; {} of the {} drawn edges have both ends bound to something that runs",
        drift::observed(observation).0,
        drift.drawn.len(),
        block.drawing.edges.len()
    );
    let prefix = format!("d{}", block.index);
    let mut put = |part: &str, cell: Cell| cells.insert(format!("{prefix}.{part}"), cell);
    let list = |names: &[String]| {
        cell(listed(names), if names.is_empty() { "none" } else { "some" }, names.join("; "))
    };
    put("note", Cell::state(state, ""));
    put("seen", list(&seen));
    put(
        "unseen",
        if nothing { cell("nothing to compare with yet", "none", "") } else { list(&unseen) },
    );
    put("confirmed", cell(words, state, why));
}

fn listed(names: &[String]) -> String {
    match names.len() {
        0 => "none".to_owned(),
        n if n <= CALLS_NAMED_MAX => names.join(", "),
        n => format!("{} and {} more", names[..CALLS_NAMED_MAX].join(", "), n - CALLS_NAMED_MAX),
    }
}

fn call_cells(cells: &mut Cells, side: &str, call: &Call) {
    let key = format!("call.{side}.{}", call.peer);
    cells.insert(format!("{key}.rate"), figure_cell(&call.rate, "1/s"));
    cells.insert(format!("{key}.p95"), figure_cell(&call.p95, "s"));
    cells.insert(format!("{key}.errors"), figure_cell(&call.errors, "ratio"));
}
