//! Objectives: their rows in documents and on `/live/objectives`, and the page of each.
//!
//! `evidence` measures and judges; here its numbers get words, bars and live cells. Keys: `slo.ID.*`.

use crate::by_verdict::{self, Choice};
use crate::cells::{Cell, Cells, Values};
use crate::chart::{self, ChartFrame};
use crate::figures::{self, amount, cell, duration, figure_cell, number};
use crate::frame::{Frame, Place, View, service_href};
use crate::live::{frame_cells, with_shape};
use crate::overlay::encode;
use crate::problems::written;
use crate::{Chart, ChartKind, ChartSeries, ChartSpan, Site, spark};
use askama::Template;
use document::{Objective, Page};
use evidence::{BurnRate, Evidence, Figure, ObjectiveEvidence, Severity, Verdict};

/// Where one stands in a document or the list.
struct Row<'a> {
    key: String,
    title: &'a str,
    target: String,
    period: String,
    budgeted: bool,
    /// Its own page; none where no server stands behind.
    href: Option<String>,
    services: Vec<Link>,
    places: Vec<Link>,
}

struct Link {
    text: String,
    href: String,
}

#[derive(Template)]
#[template(path = "objective_list.html")]
struct ListTemplate<'a> {
    rows: Vec<Row<'a>>,
    values: Values<'a>,
}

#[derive(Template)]
#[template(path = "objectives.html")]
struct ObjectivesTemplate<'a> {
    frame: Frame<'a>,
    choices: Vec<Choice>,
    rows: Vec<Row<'a>>,
    values: Values<'a>,
    none_at_all: bool,
}

#[derive(Template)]
#[template(path = "objective.html")]
struct ObjectiveTemplate<'a> {
    frame: Frame<'a>,
    row: Row<'a>,
    description: Option<&'a str>,
    chart: ChartFrame,
    history: String,
    alerts: Vec<AlertRow>,
    queries: &'a [(String, String)],
}

struct AlertRow {
    key: String,
    severity: &'static str,
    factor: String,
    long: String,
    short: String,
}

/// Which objectives are listed: `holds`, `at-risk`, `violated` and the other states of a verdict; any other word lists all.
pub fn render_objectives(site: &Site, evidence: &Evidence, shown: &str) -> String {
    let cells = cells_for_objectives(site, evidence);
    let frame = Frame::new(site, &place("live/objectives", "Objectives"), Some(evidence), &cells);
    let verdicts: Vec<Verdict> = evidence.objectives.iter().map(|one| one.verdict).collect();
    let choices = by_verdict::choices(&format!("{}live/objectives", frame.root), shown, &verdicts);
    let listed = evidence.objectives.iter().filter(|one| by_verdict::is_shown(shown, one.verdict));
    written(&ObjectivesTemplate {
        rows: listed.map(|one| row(site, &frame.root, one)).collect(),
        choices,
        values: Values(&cells),
        none_at_all: evidence.objectives.is_empty(),
        frame,
    })
}

/// `/live/objectives/ID`; `None` when there is no such objective.
pub fn render_objective(site: &Site, evidence: &Evidence, id: &str) -> Option<String> {
    let found = evidence.objectives.iter().find(|one| one.id == id)?;
    let cells = cells_for_objective(site, evidence, id)?;
    let path = format!("live/objectives/{}", encode(id));
    let frame = Frame::new(site, &place(&path, &found.title), Some(evidence), &cells);
    let alerts = found.burns.iter().enumerate().map(|(nth, burn)| AlertRow {
        key: format!("slo.{id}.burn.{nth}"),
        severity: severity(burn.severity),
        factor: number(burn.factor),
        long: duration(f64::from(burn.long_s)),
        short: duration(f64::from(burn.short_s)),
    });
    Some(written(&ObjectiveTemplate {
        row: row(site, &frame.root, found),
        description: found.description.as_deref(),
        chart: chart::frame(0, &history_chart(found, site.now_ms, site.at)),
        history: duration(f64::from(found.history_s)),
        alerts: alerts.collect(),
        queries: &found.queries,
        frame,
    }))
}

fn place<'a>(path: &'a str, title: &str) -> Place<'a> {
    Place {
        path,
        id: path,
        title: title.to_owned(),
        view: View::Objectives,
        page: None,
        service: None,
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Page => "page",
        Severity::Ticket => "ticket",
    }
}

fn row<'a>(site: &Site, root: &str, found: &'a ObjectiveEvidence) -> Row<'a> {
    let services = found
        .services
        .iter()
        .map(|service| Link { text: service.0.clone(), href: service_href(root, &service.0) });
    let places = found.places.iter().filter_map(|place| {
        let page = site.book.page(&place.page)?;
        let section = place.section.as_ref().and_then(|id| page.section(id));
        let path = page.path.split('/').map(encode).collect::<Vec<_>>().join("/");
        let anchor =
            section.map_or_else(String::new, |section| format!("#{}", encode(&section.id)));
        let text = section.map_or(&page.title, |section| &section.title);
        Some(Link { text: text.clone(), href: format!("{root}{path}{anchor}") })
    });
    Row {
        key: format!("slo.{}", found.id),
        title: &found.title,
        target: found.target.clone(),
        period: period(found.period_s),
        budgeted: found.share.is_some(),
        href: site.live.then(|| format!("{root}live/objectives/{}", encode(&found.id))),
        services: if site.live { services.collect() } else { Vec::new() },
        places: places.collect(),
    }
}

/// `30 days`, where days are whole.
fn period(seconds: u32) -> String {
    const DAY_S: u32 = 86_400;
    match seconds {
        0 => String::new(),
        DAY_S => "1 day".to_owned(),
        s if s % DAY_S == 0 => format!("{} days", s / DAY_S),
        s => duration(f64::from(s)),
    }
}

/// The objectives of a service.
pub(crate) fn of_service<'a>(
    site: &Site,
    root: &str,
    evidence: &'a Evidence,
    service: &str,
    values: Values<'a>,
) -> Option<String> {
    let about = |one: &&ObjectiveEvidence| one.services.iter().any(|id| id.0 == service);
    let rows: Vec<Row<'a>> =
        evidence.objectives.iter().filter(about).map(|one| row(site, root, one)).collect();
    (!rows.is_empty()).then(|| written(&ListTemplate { rows, values }))
}

/// The cells of a service's objectives.
pub(crate) fn service_cells(cells: &mut Cells, evidence: &Evidence, service: &str) {
    let about = |one: &&ObjectiveEvidence| one.services.iter().any(|id| id.0 == service);
    evidence.objectives.iter().filter(about).for_each(|one| objective_cells(cells, one));
}

/// An `slo` block of a page.
pub(crate) fn block(
    site: &Site,
    root: &str,
    page: &Page,
    objectives: &[Objective],
    evidence: Option<&Evidence>,
    values: Values<'_>,
) -> String {
    let rows = objectives.iter().map(|objective| {
        let measured = evidence.and_then(|evidence| measured(page, objective, evidence));
        match measured {
            Some(measured) => Row { places: Vec::new(), ..row(site, root, measured) },
            None => Row {
                key: format!("slo.{}", objective.id),
                title: &objective.title,
                target: objective.target.replace('_', " "),
                period: objective.window.replace('_', " "),
                budgeted: false,
                href: None,
                services: Vec::new(),
                places: Vec::new(),
            },
        }
    });
    let list = written(&ListTemplate { rows: rows.collect(), values });
    format!("<div class=\"objectives-block wide\">{list}</div>\n")
}

/// What is known of an objective that stands on a page.
fn measured<'e>(
    page: &Page,
    objective: &Objective,
    evidence: &'e Evidence,
) -> Option<&'e ObjectiveEvidence> {
    evidence.objectives.iter().find(|found| {
        let numbered = found.id.strip_prefix(&objective.id).is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix('-').is_some_and(|n| n.parse::<u32>().is_ok())
        });
        numbered
            && found.title == objective.title
            && found.target == objective.target.replace('_', " ")
            && found.places.iter().any(|place| place.page == page.id)
    })
}

/// The cells of a page's objectives.
pub(crate) fn page_cells(cells: &mut Cells, page: &Page, evidence: &Evidence) {
    for (_, objective) in page.objectives() {
        if let Some(found) = measured(page, objective, evidence) {
            objective_cells(cells, found);
        }
    }
}

/// The live values of `/live/objectives`; its `ID` is `live/objectives`.
pub fn cells_for_objectives(site: &Site, evidence: &Evidence) -> Cells {
    let mut cells = frame_cells(site, evidence);
    let all = &evidence.objectives;
    let holding =
        all.iter().filter(|one| matches!(one.verdict, Verdict::Holds | Verdict::AtRisk)).count();
    let words = match all.len() {
        0 => String::new(),
        1 => format!("{holding} of 1 holds"),
        count => format!("{holding} of {count} hold"),
    };
    cells.insert("slo.words".to_owned(), Cell::text(words));
    all.iter().for_each(|one| objective_cells(&mut cells, one));
    with_shape(cells)
}

/// The live values of `/live/objectives/ID`; `None` when there is no such objective.
pub fn cells_for_objective(site: &Site, evidence: &Evidence, id: &str) -> Option<Cells> {
    let found = evidence.objectives.iter().find(|one| one.id == id)?;
    let mut cells = frame_cells(site, evidence);
    objective_cells(&mut cells, found);
    cells.extend(chart::cells(0, &history_chart(found, site.now_ms, site.at), ""));
    let mut put = |part: &str, cell: Cell| cells.insert(format!("slo.{id}.{part}"), cell);
    put("events", figure_cell(&found.events, ""));
    if let Some(budget) = &found.budget {
        put("left-time", figure_cell(&budget.left_s, "s"));
        put("whole", Cell::text(format!("of {}", duration(budget.total_s))));
    }
    let lasts = match found.burn {
        Figure::Value(rate) if rate > 0.0 => {
            let lasts = duration(f64::from(found.period_s) / rate);
            format!("at this rate a whole budget lasts {lasts}")
        }
        Figure::Value(_) => "nothing is spent".to_owned(),
        _ => String::new(),
    };
    put("lasts", Cell::text(lasts));
    for (nth, burn) in found.burns.iter().enumerate() {
        let (word, state, why) = alert_words(burn);
        put(&format!("burn.{nth}.long"), times(&burn.long));
        put(&format!("burn.{nth}.short"), times(&burn.short));
        put(&format!("burn.{nth}.state"), cell(word, state, why));
    }
    Some(with_shape(cells))
}

fn alert_words(burn: &BurnRate) -> (&'static str, &'static str, &'static str) {
    match burn {
        BurnRate { reachable: false, .. } => (
            "cannot fire",
            "no-data",
            "even with every event bad this target does not burn so fast",
        ),
        BurnRate { firing: true, .. } => ("firing", "violated", "both spans burn faster"),
        BurnRate { too_few: true, .. } => {
            ("too few events", "no-data", "with so few events one failure would say too much")
        }
        BurnRate { long: Figure::Value(_), .. } => {
            ("quiet", "holds", "not both spans burn so fast")
        }
        _ => ("no data", "no-data", "nothing was measured in this span"),
    }
}

fn objective_cells(cells: &mut Cells, found: &ObjectiveEvidence) {
    let (word, state) = figures::verdict(found.verdict);
    let mut put = |part: &str, cell: Cell| cells.insert(format!("slo.{}{part}", found.id), cell);
    put("", Cell::state(state, ""));
    put(".verdict", cell(word, state, found.reason.as_str()));
    put(".reason", Cell::text(found.reason.as_str()));
    put(".value", figure_cell(&found.value, &found.unit));
    let (left, width) = match found.budget.as_ref().map(|budget| &budget.left) {
        Some(Figure::Value(left)) => {
            let percent = (left.clamp(0.0, 1.0) * 100.0).floor();
            let words = match *left {
                left if left < 0.0 => format!("{} over", amount(-left, "ratio").text()),
                _ => format!("{percent} % left"),
            };
            (words, percent)
        }
        Some(other) => (figures::show(other, "ratio").amount.text(), 0.0),
        None => (String::new(), 0.0),
    };
    put(".left", Cell::text(left));
    put(".fill", Cell::path(if width > 0.0 { format!("M0,3H{width}") } else { String::new() }));
    let burn = times(&found.burn);
    let words = match (&found.burn, &found.budget) {
        (Figure::Value(_), Some(_)) => format!("burn {}", burn.t.as_deref().unwrap_or_default()),
        _ => String::new(),
    };
    put(".burn", Cell::text(words));
    put(".rate", burn);
    let bound = found.share.map(|_| 0.0);
    let drawn = spark::draw(&found.history, bound);
    put(".line", Cell::path(drawn.line));
    put(".area", Cell::path(drawn.area));
    put(".bound", Cell::path(drawn.bound));
}

/// `6.1×`.
fn times(rate: &Figure) -> Cell {
    match rate {
        Figure::Value(rate) => cell(format!("{}×", number(*rate)), "value", ""),
        other => figure_cell(other, ""),
    }
}

/// What was left of the budget, or the value, as a chart that ends at `now_ms`; `None` when there is no such objective.
/// `at` is the moment of the past that is shown, in milliseconds since 1970.
pub fn objective_chart(
    evidence: &Evidence,
    id: &str,
    now_ms: i64,
    at: Option<i64>,
) -> Option<Chart> {
    let found = evidence.objectives.iter().find(|one| one.id == id)?;
    Some(history_chart(found, now_ms, at))
}

fn history_chart(found: &ObjectiveEvidence, now_ms: i64, shown: Option<i64>) -> Chart {
    let moment = shown.map_or_else(String::new, |at| format!("&at={}", at.div_euclid(1000)));
    let count = i64::try_from(found.history.len()).unwrap_or(0).max(1);
    let step_ms = (i64::from(found.history_s) * 1000 / count).max(1);
    // Steps of the clock: otherwise the whole line would move a little at every tick.
    let end = now_ms - now_ms.rem_euclid(step_ms.min(60_000));
    let at = |nth: usize| end - step_ms * (count - 1 - i64::try_from(nth).unwrap_or(0));
    let points = found.history.iter().enumerate().map(|(nth, value)| (at(nth), *value));
    let budgeted = found.share.is_some();
    Chart {
        title: if budgeted { "Error budget left" } else { "Measured" }.to_owned(),
        unit: if budgeted { "ratio".to_owned() } else { found.unit.clone() },
        kind: if budgeted { ChartKind::Area } else { ChartKind::Line },
        series: vec![ChartSeries {
            name: if budgeted { "left" } else { "value" }.to_owned(),
            points: points.collect(),
            ..ChartSeries::default()
        }],
        threshold: budgeted.then_some(0.0),
        span: ChartSpan {
            from: end - i64::from(found.history_s) * 1000,
            to: end,
            step: step_ms,
            live: shown.is_none(),
        },
        source: format!("{}{}{moment}", chart::OBJECTIVE, encode(&found.id)),
        ..Chart::default()
    }
}
