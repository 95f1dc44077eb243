//! `/live/figures` and `/live/figures/ID`: every figure that the book states, and the page of each.
//!
//! `evidence` says what is stated and measured, `loggia` fetches the history and the traces. Keys: `fig.ID.*`, and those of
//! the chart.

use crate::by_verdict::{self, Choice};
use crate::cells::Cells;
use crate::chart::{self, ChartFrame};
use crate::figures::{self, clock, duration};
use crate::frame::{Frame, Place, View, service_href};
use crate::live::{frame_cells, kpi_cells, with_shape};
use crate::overlay::encode;
use crate::problems::written;
use crate::service::{Range, ranges, when, zoomed};
use crate::traces::{TraceRow, palette, trace_rows};
use crate::{Chart, ChartSpan, Site};
use ::traces::TraceSummary;
use askama::Template;
use evidence::{Evidence, StatedFigure, Statement, Verdict, stated_figures};
use std::collections::BTreeSet;

/// Exemplars that are listed, the largest.
const EXEMPLARS_MAX: usize = 8;

/// What `loggia` found for the page of one figure.
#[derive(Debug, Clone)]
pub struct FigureView {
    /// Which.
    pub figure: StatedFigure,
    /// Its history; `None` when nothing measures it.
    pub chart: Option<Chart>,
    /// Traces of its services in that time.
    pub traces: Vec<TraceSummary>,
}

/// Where a figure has its page, from the site's root.
pub(crate) fn href(root: &str, id: &str) -> String {
    format!("{root}live/figures/{}", encode(id))
}

/// Where a statement stands on its page.
pub(crate) fn anchor(index: usize) -> String {
    format!("figure:{index}")
}

struct Row<'a> {
    key: String,
    label: &'a str,
    words: &'a str,
    href: String,
    /// Where else it is stated: title and address.
    places: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "figures.html")]
struct FiguresTemplate<'a> {
    frame: Frame<'a>,
    choices: Vec<Choice>,
    rows: Vec<Row<'a>>,
    none_at_all: bool,
}

struct Told<'a> {
    key: String,
    words: &'a str,
    parsed: Option<String>,
    page: String,
    title: String,
    href: String,
    inline: bool,
}

struct Covering<'a> {
    title: &'a str,
    target: &'a str,
    href: String,
    key: String,
}

struct Exemplar {
    href: String,
    value: String,
    clock: String,
}

#[derive(Template)]
#[template(path = "figure_page.html")]
struct FigureTemplate<'a> {
    frame: Frame<'a>,
    key: String,
    label: &'a str,
    words: &'a str,
    parsed: Option<String>,
    unit: &'static str,
    ranges: Vec<Range>,
    when: Option<String>,
    when_short: String,
    now: String,
    chart: Option<ChartFrame>,
    told: Vec<Told<'a>>,
    services: Vec<(String, &'a str, String)>,
    objectives: Vec<Covering<'a>>,
    exemplars: Vec<Exemplar>,
    traces: Vec<TraceRow>,
    no_traces: &'static str,
    query: Option<&'a str>,
    window: String,
}

/// The live values of `/live/figures`; its `ID` is `live/figures`.
pub fn cells_for_figures(site: &Site, evidence: &Evidence) -> Cells {
    let mut cells = frame_cells(site, evidence);
    for figure in stated_figures(site.book, evidence.window) {
        statement_cells(
            &mut cells,
            &format!("fig.{}", figure.id),
            &figure.statements[0],
            site,
            evidence,
        );
    }
    with_shape(cells)
}

/// The live values of `/live/figures/ID`; its `ID` is `live/figures/ID`.
pub fn cells_for_figure(site: &Site, view: &FigureView, evidence: &Evidence) -> Cells {
    let mut cells = frame_cells(site, evidence);
    let key = format!("fig.{}", view.figure.id);
    for (nth, statement) in view.figure.statements.iter().enumerate() {
        let key = if nth == 0 { key.clone() } else { format!("{key}:{nth}") };
        statement_cells(&mut cells, &key, statement, site, evidence);
    }
    for objective in covering(&view.figure, evidence) {
        let (word, state) = figures::verdict(objective.verdict);
        let cell = figures::cell(word, state, objective.reason.as_str());
        cells.insert(format!("slo.{}.verdict", objective.id), cell);
    }
    if let Some(drawn) = &view.chart {
        cells.extend(chart::cells(0, drawn, &site.root("live/figures/id")));
    }
    with_shape(cells)
}

fn statement_cells(
    cells: &mut Cells,
    key: &str,
    statement: &Statement,
    site: &Site,
    evidence: &Evidence,
) {
    let page = site.book.page(&statement.page);
    let kpi = page.and_then(|page| page.kpis().find(|kpi| kpi.index == statement.index));
    if let (Some(kpi), Some(measured)) = (kpi, statement.measured(evidence)) {
        kpi_cells(cells, key, kpi, measured);
    }
}

/// The objectives about one of its services.
fn covering<'e>(
    figure: &StatedFigure,
    evidence: &'e Evidence,
) -> impl Iterator<Item = &'e evidence::ObjectiveEvidence> {
    let services = figure.services.clone();
    evidence
        .objectives
        .iter()
        .filter(move |one| one.services.iter().any(|service| services.contains(service)))
}

/// `/live/figures`: those with one verdict (`holds`, `at-risk`, `violated` and so on); any other word lists all.
pub fn render_figures(site: &Site, evidence: &Evidence, shown: &str) -> String {
    let cells = cells_for_figures(site, evidence);
    let all = stated_figures(site.book, evidence.window);
    let place = place("live/figures", "live/figures", "Figures");
    let frame = Frame::new(site, &place, Some(evidence), &cells);
    let verdict = |figure: &StatedFigure| {
        figure.statements[0].measured(evidence).map_or(Verdict::Unproven, |found| found.verdict)
    };
    let verdicts: Vec<Verdict> = all.iter().map(verdict).collect();
    let choices = by_verdict::choices(&format!("{}live/figures", frame.root), shown, &verdicts);
    let listed = all.iter().filter(|one| by_verdict::is_shown(shown, verdict(one)));
    let rows = listed.map(|figure| Row {
        key: format!("fig.{}", figure.id),
        label: &figure.label,
        words: &figure.statements[0].words,
        href: href(&frame.root, &figure.id),
        places: places(site, &frame.root, figure),
    });
    written(&FiguresTemplate { rows: rows.collect(), choices, none_at_all: all.is_empty(), frame })
}

/// `/live/figures/ID`: what is stated, what was measured, since when, by what, and where to look next.
pub fn render_figure(site: &Site, view: &FigureView, evidence: &Evidence) -> String {
    let cells = cells_for_figure(site, view, evidence);
    let figure = &view.figure;
    let path = format!("live/figures/{}", encode(&figure.id));
    let id = format!("live/figures/{}", figure.id);
    let frame = Frame::new(site, &place(&path, &id, &figure.label), Some(evidence), &cells);
    let root = frame.root.clone();
    let key = format!("fig.{}", figure.id);
    let span = view.chart.as_ref().map_or_else(ChartSpan::default, |chart| chart.span);
    let told = figure.statements.iter().enumerate().filter_map(|(nth, one)| {
        let (title, href) = told_at(site, &root, one)?;
        Some(Told {
            key: if nth == 0 { key.clone() } else { format!("{key}:{nth}") },
            words: &one.words,
            parsed: one.claim.as_ref().map(evidence::Claim::words),
            page: site.book.page(&one.page).map(|page| page.title.clone()).unwrap_or_default(),
            title,
            href,
            inline: one.inline,
        })
    });
    let mut exemplars: Vec<_> = view.chart.iter().flat_map(|chart| &chart.exemplars).collect();
    exemplars.sort_by(|a, b| b.value.total_cmp(&a.value));
    let exemplars = exemplars.into_iter().take(EXEMPLARS_MAX).map(|one| Exemplar {
        href: format!("{root}live/traces/{}", one.trace_id),
        value: figures::amount(one.value, "s").text(),
        clock: clock(one.at),
    });
    written(&FigureTemplate {
        label: &figure.label,
        words: &figure.statements[0].words,
        parsed: figure.statements[0].claim.as_ref().map(evidence::Claim::words),
        unit: unit_words(&figure.unit),
        ranges: ranges(site.at, span),
        when: zoomed(site.at, span).then(|| when(span)),
        when_short: format!("{} to {}", clock(span.from), clock(span.to)),
        now: site.at.map_or_else(|| "?".to_owned(), |at| format!("?at={at}")),
        chart: view.chart.as_ref().map(|drawn| chart::frame(0, drawn)),
        told: told.collect(),
        services: figure
            .services
            .iter()
            .map(|service| {
                (service_href(&root, &service.0), service.0.as_str(), format!("svc.{}", service.0))
            })
            .collect(),
        objectives: covering(figure, evidence)
            .map(|one| Covering {
                title: &one.title,
                target: &one.target,
                href: format!("{root}live/objectives/{}", encode(&one.id)),
                key: format!("slo.{}", one.id),
            })
            .collect(),
        exemplars: exemplars.collect(),
        traces: trace_rows(&root, &view.traces, &palette(Some(evidence), &view.traces)),
        no_traces: "No trace of its services in this span.",
        query: figure.query.as_deref(),
        window: duration(f64::from(evidence.window)),
        key,
        frame,
    })
}

/// Where it is stated, each section once.
fn places(site: &Site, root: &str, figure: &StatedFigure) -> Vec<(String, String)> {
    let mut seen = BTreeSet::new();
    let first = figure.statements.iter().filter(|told| seen.insert((&told.page, &told.section)));
    first.filter_map(|told| told_at(site, root, told)).collect()
}

/// Title and address of the place of a statement.
fn told_at(site: &Site, root: &str, told: &Statement) -> Option<(String, String)> {
    let page = site.book.page(&told.page)?;
    let section = told.section.as_ref().and_then(|id| page.section(id));
    let path = page.path.split('/').map(encode).collect::<Vec<_>>().join("/");
    let title = section.map_or(&page.title, |section| &section.title);
    Some((title.clone(), format!("{root}{path}#{}", anchor(told.index))))
}

fn unit_words(unit: &str) -> &'static str {
    match unit {
        "s" => "a duration",
        "ratio" => "a share",
        "1/s" => "a rate",
        "bytes" => "a size",
        _ => "a number",
    }
}

fn place<'a>(path: &'a str, id: &'a str, title: &str) -> Place<'a> {
    Place { path, id, title: title.to_owned(), view: View::Figures, page: None, service: None }
}
