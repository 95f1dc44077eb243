//! A page of the book: its pieces in turn, with evidence where something is bound.

use crate::cells::Values;
use crate::frame::{Frame, Place, View, service_href};
use crate::markup::escape;
use crate::objectives;
use crate::overlay::{self, Overlay, encode};
use crate::problems::{broken, render_problems, written};
use crate::spots::{Spot, spots};
use crate::{Cells, Site, cells_for_page, chart, drift, extras, figure_page, live, map};
use askama::Template;
use diagnostics::Diagnostic;
use document::{DiagramBlock, Hero, Kpi, Page, Piece};
use evidence::{Evidence, PageEvidence};
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "page.html")]
struct PageTemplate<'a> {
    frame: Frame<'a>,
    hero: Option<&'a Hero>,
    heading: Option<&'a str>,
    body: String,
    edit: Option<String>,
}

/// A page of the book. A page that follows its source shows `problems`, all that is wrong with its
/// newest text; `kept` says that the page is the last good version because of them.
pub fn render_page(
    site: &Site,
    page: &Page,
    evidence: Option<&Evidence>,
    problems: &[Diagnostic],
    kept: bool,
) -> String {
    let cells = evidence.map_or_else(Cells::new, |evidence| cells_for_page(site, page, evidence));
    let place = Place {
        path: &page.path,
        id: &page.id,
        title: page.title.clone(),
        view: View::Docs,
        page: Some(page),
        service: None,
    };
    let mut frame = Frame::new(site, &place, evidence, &cells);
    frame.problems =
        if site.version.is_some() { render_problems(problems, kept) } else { String::new() };
    let body = Body::new(site, page, evidence, &cells).html();
    let titled = page.sections.iter().any(|section| section.level == 1);
    written(&PageTemplate {
        hero: page.hero.as_ref(),
        heading: (!titled).then_some(page.title.as_str()),
        edit: edit_link(site, page),
        frame,
        body,
    })
}

fn edit_link(site: &Site, page: &Page) -> Option<String> {
    let template = site.book.config.edit_url_template.as_deref()?;
    // As mdBook's: from the folder of `book.toml`.
    let folder = site.book.config.src.split('/').filter(|part| !matches!(*part, "" | "."));
    let source = folder.chain(page.source.split('/')).map(encode).collect::<Vec<_>>().join("/");
    let href = template.replace("{path}", &source);
    (href.starts_with("https://") || href.starts_with("http://")).then_some(href)
}

/// Ids of the pages of a page's KPIs, by index.
fn kpi_pages(site: &Site, page: &Page) -> BTreeMap<usize, String> {
    if !site.live || page.kpis().next().is_none() {
        return BTreeMap::new();
    }
    let figures = evidence::stated_figures(site.book, 0).into_iter();
    let here = figures.flat_map(|figure| {
        let told = figure.statements.into_iter().filter(|told| told.page == page.id);
        told.map(|told| (told.index, figure.id.clone())).collect::<Vec<_>>()
    });
    here.collect()
}

/// Writes a page's pieces.
pub(crate) struct Body<'a> {
    site: &'a Site<'a>,
    page: &'a Page,
    evidence: Option<&'a Evidence>,
    found: Option<&'a PageEvidence>,
    values: Values<'a>,
    root: String,
    kpi_keys: BTreeMap<usize, String>,
    /// Where each KPI of the page has its own page; empty where no server stands behind.
    kpi_pages: BTreeMap<usize, String>,
}

impl<'a> Body<'a> {
    pub(crate) fn new(
        site: &'a Site,
        page: &'a Page,
        evidence: Option<&'a Evidence>,
        cells: &'a Cells,
    ) -> Self {
        Self {
            site,
            page,
            evidence,
            found: evidence.and_then(|evidence| evidence.pages.get(&page.id)),
            values: Values(cells),
            root: site.root(&page.path),
            kpi_pages: kpi_pages(site, page),
            kpi_keys: live::kpis(page).into_iter().map(|(kpi, key)| (kpi.index, key)).collect(),
        }
    }

    pub(crate) fn html(&self) -> String {
        self.page.pieces.iter().map(|piece| self.piece(piece)).collect()
    }

    fn piece(&self, piece: &Piece) -> String {
        match piece {
            Piece::Html(html) => self.prose(html),
            Piece::Heading { section, html } => self.heading(*section, html),
            Piece::Diagram(block) => self.diagram(block),
            Piece::KpiGrid(kpis) => self.grid(kpis),
            Piece::Glossary => self.glossary(),
            Piece::BoxDrawing(html) => {
                format!("<pre class=\"boxes wide\" tabindex=\"0\">{html}</pre>\n")
            }
            Piece::ServiceMap(block) => {
                map::figure(self.site, &self.root, block, self.evidence, self.values)
            }
            Piece::Chart(block) => chart::block(self.site, &self.root, block, self.values),
            Piece::Objectives(objectives) => objectives::block(
                self.site,
                &self.root,
                self.page,
                objectives,
                self.evidence,
                self.values,
            ),
            Piece::Figure(kpi) => self.figure(kpi),
            Piece::Broken { language, source, finding } => broken(language, source, finding),
        }
    }

    /// A term leads to the page that shows its definition, else to the glossary of the book.
    fn prose(&self, html: &str) -> String {
        const OPEN: &str = "<dfn data-term=\"";
        let mut pieces = html.split(OPEN);
        let mut out = pieces.next().unwrap_or_default().to_owned();
        let glossary = extras::has(self.site, extras::GLOSSARY);
        for piece in pieces {
            let parts = piece.split_once("\" tabindex=\"0\"").and_then(|(term, rest)| {
                let (word, rest) = rest.split_once("</dfn>")?;
                let (page, anchor) = match term.rsplit_once('#') {
                    Some(found) => found,
                    None => (glossary.then_some(extras::GLOSSARY)?, term),
                };
                Some(format!("<a href=\"{}{page}#{anchor}\"{word}</a>{rest}", escape(&self.root)))
            });
            match parts {
                Some(linked) => out.push_str(&linked),
                None => out.extend([OPEN, piece]),
            }
        }
        out
    }

    fn heading(&self, index: usize, html: &str) -> String {
        let Some(section) = self.page.sections.get(index) else { return html.to_owned() };
        let (level, id) = (section.level.clamp(1, 6), escape(&section.id));
        let class = escape(&section.classes.join(" "));
        let class = if class.is_empty() { class } else { format!(" class=\"{class}\"") };
        let title = escape(&section.title);
        format!(
            "<h{level} id=\"{id}\"{class}>{html}<a class=\"anchor\" href=\"#{id}\" aria-label=\"Link to {title}\">#</a></h{level}>\n{}",
            self.strip(&section.id)
        )
    }

    fn strip(&self, id: &str) -> String {
        let Some(strip) = self.found.and_then(|found| found.strips.get(id)) else {
            return String::new();
        };
        let services = strip.services.iter().map(|service| StripService {
            href: service_href(&self.root, &service.0),
            key: format!("svc.{}", service.0),
            name: &service.0,
        });
        let first = strip.services.first().map_or_else(String::new, |service| encode(&service.0));
        written(&StripTemplate {
            services: services.collect(),
            key: format!("sec.{id}"),
            traces: format!("{}live/traces?service={first}", self.root),
            live: self.site.live,
            values: self.values,
        })
    }

    fn diagram(&self, block: &DiagramBlock) -> String {
        let measured = self.found.and_then(|found| found.diagrams.get(block.index));
        let overlay = measured
            .zip(self.evidence)
            .filter(|(measured, _)| !measured.nodes.is_empty() || !measured.edges.is_empty())
            .map(|(measured, evidence)| {
                overlay::lay(self.site, &self.root, block, measured, evidence)
            });
        let drift = self.evidence.and_then(|found| found.drift_of(&self.page.id, block.index));
        let anchor = encode(&drift::anchor(&self.page.id, block.index));
        written(&FigureTemplate {
            index: block.index,
            caption: &block.caption,
            svg: &block.drawing.svg,
            source: &block.source,
            kind: &block.drawing.kind,
            width: block.drawing.view_box.width.round().max(1.0),
            spots: spots(block),
            prefix: format!("d{}", block.index),
            overlay,
            bare: drift.is_none(),
            drift: self.site.live.then(|| format!("{}live/drift#{anchor}", self.root)),
            values: self.values,
        })
    }

    fn grid(&self, kpis: &[Kpi]) -> String {
        let tiles = kpis.iter().map(|kpi| Tile {
            key: self.key(kpi),
            id: figure_page::anchor(kpi.index),
            label: &kpi.label,
            claim: kpi.claim.as_deref().unwrap_or(&kpi.value),
            href: self.kpi_href(kpi),
        });
        written(&KpisTemplate { tiles: tiles.collect(), values: self.values })
    }

    fn key(&self, kpi: &Kpi) -> String {
        self.kpi_keys.get(&kpi.index).cloned().unwrap_or_else(|| format!("kpi.{}", kpi.id))
    }

    fn kpi_href(&self, kpi: &Kpi) -> Option<String> {
        let own = || self.kpi_pages.get(&kpi.index).map(|id| figure_page::href(&self.root, id));
        kpi.link.clone().or_else(own)
    }

    /// The claim as text, and the measured value beside it where there is one.
    fn figure(&self, kpi: &Kpi) -> String {
        let (key, claim) = (self.key(kpi), escape(&kpi.value));
        let (id, href) = (figure_page::anchor(kpi.index), self.kpi_href(kpi));
        let tag = |class: &str| match &href {
            Some(href) => {
                (format!("a id=\"{id}\" class=\"{class}\" href=\"{}\"", escape(href)), "a")
            }
            None => (format!("span id=\"{id}\" class=\"{class}\""), "span"),
        };
        if !self.values.has(&key) || self.values.part_state(&key, ".value") == "claim" {
            let (open, close) = tag("inline-kpi bare");
            return if href.is_some() { format!("<{open}>{claim}</{close}>") } else { claim };
        }
        let (open, close) = tag("inline-kpi");
        let label = escape(&kpi.label);
        let (state, value) = (escape(self.values.state(&key)), self.values.figure(&key, ".value"));
        let unit = escape(self.values.part_text(&key, ".unit"));
        let key = escape(&key);
        let (now, title) = match self.values.text("live.as-of") {
            "" => ("now".to_owned(), String::new()),
            words => (escape(words), format!(" title=\"{}\"", escape(words))),
        };
        format!(
            "<{open} data-cell=\"{key}\" data-state=\"{state}\"{title}>{claim} <span class=\"now\"><span class=\"vh\">{label} {now} </span>{value} <span data-cell=\"{key}.unit\">{unit}</span><span class=\"vh\">: </span>{}</span></{close}>",
            self.values.badge(&key, ".verdict")
        )
    }

    fn glossary(&self) -> String {
        let mut html = String::from("<dl class=\"glossary wide\">\n");
        for entry in &self.page.glossary {
            let (id, term) = (escape(&entry.anchor()), escape(&entry.term));
            let definition = escape(&entry.definition);
            html.push_str(&format!(
                "<div id=\"{id}\"><dt>{term}</dt><dd>{definition}</dd></div>\n"
            ));
        }
        html + "</dl>\n"
    }
}

#[derive(Template)]
#[template(path = "strip.html")]
struct StripTemplate<'a> {
    services: Vec<StripService<'a>>,
    key: String,
    traces: String,
    live: bool,
    values: Values<'a>,
}

struct StripService<'a> {
    name: &'a str,
    href: String,
    key: String,
}

#[derive(Template)]
#[template(path = "figure.html")]
struct FigureTemplate<'a> {
    index: usize,
    caption: &'a str,
    svg: &'a str,
    source: &'a str,
    kind: &'a str,
    width: f64,
    spots: Vec<Spot<'a>>,
    prefix: String,
    overlay: Option<Overlay>,
    bare: bool,
    /// Where the drift of this diagram is told.
    drift: Option<String>,
    values: Values<'a>,
}

#[derive(Template)]
#[template(path = "kpis.html")]
struct KpisTemplate<'a> {
    tiles: Vec<Tile<'a>>,
    values: Values<'a>,
}

struct Tile<'a> {
    key: String,
    /// Of the element, so that other pages can lead to it.
    id: String,
    label: &'a str,
    claim: &'a str,
    href: Option<String>,
}
