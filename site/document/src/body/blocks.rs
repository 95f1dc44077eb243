//! Headings, tables and fences: blocks that leave more than HTML behind.

use super::{Body, services};
use crate::fences::Fence;
use crate::frontmatter::split_words;
use crate::html::escape;
use crate::{ChartBlock, DiagramBlock, MapBlock, Piece, Section, headings};
use diagnostics::{Code, Severity};
use pulldown_cmark::{Alignment, HeadingLevel};
use std::ops::Range;
use std::sync::Arc;

/// What to do about a diagram where the parser has no better advice.
const DIAGRAM_HELP: &str = "compare the marked line with Mermaid's syntax for this kind of diagram";

/// What may stand in a `service-map` fence.
const OBJECTIVES_HELP: &str = "write `name:` with `target: 99.9%`, `window: 30d` and `service: orders` below it, \
    or an OpenSLO document";
const MAP_HELP: &str = "write nothing, or any of `caption: ...`, `focus: orders`, \
     `groups: owner` (or `layer`) and `direction: down` (or `right`)";

const CHART_HELP: &str = "write `query:` with PromQL, or `series:` with a list of `name` and `query`, and any of \
     `title`, `unit`, `range: 6h`, `threshold`, `type` (line, area, bar or stacked) and `service`";

impl Body<'_, '_, '_, '_> {
    /// A term that is defined: mdBook gives it an id too, from the same row of numbers.
    pub(super) fn end_term(&mut self) {
        let html = self.writer().end_part();
        self.in_term = false;
        let id = self.ids.unique(&self.slug());
        self.writer().html(&format!("<dt id=\"{}\">{html}</dt>\n", escape(&id)));
        self.out.anchors.push(id);
    }

    /// The id that the words of a heading or term ask for.
    fn slug(&self) -> String {
        match self.config.markdown.for_mdbook {
            true => headings::mdbook_slug(&self.id_text),
            false => headings::slug(&self.id_text),
        }
    }

    /// The id for a heading whose author wrote none.
    fn own_id(&mut self, html: &mut String) -> String {
        let wanted = self.slug();
        match self.takes_over(&wanted, html) {
            true => wanted,
            false => self.ids.unique(&wanted),
        }
    }

    /// Ids with and without the hyphen that an emoji leaves at an end: links to either lead here.
    fn other_address(&mut self, id: &str) {
        let other = match self.config.markdown.for_mdbook {
            true => headings::slug(&self.id_text),
            false => headings::mdbook_slug(&self.id_text),
        };
        let alike = other.trim_matches('-') == id.trim_matches('-') && !other.is_empty();
        if alike && other != id && self.ids.take(&other) {
            self.writer().html(&format!("<span id=\"{}\"></span>", escape(&other)));
            self.out.anchors.push(other);
        }
    }

    pub(super) fn start_table(&mut self, columns: Vec<Alignment>) {
        self.columns = columns;
        self.tables += 1;
        let title = self.open_sections.last().map(|index| self.out.sections[*index].title.clone());
        let label = match title {
            Some(title) => format!("Table {}: {}", self.tables, escape(&title)),
            None => format!("Table {}", self.tables),
        };
        let html = format!(
            "<div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><table>\n"
        );
        self.writer().open(&html, "</table></div>\n");
    }

    pub(super) fn start_cell(&mut self) {
        let align = match self.columns.get(self.column) {
            Some(Alignment::Left) => " align=\"left\"",
            Some(Alignment::Center) => " align=\"center\"",
            Some(Alignment::Right) => " align=\"right\"",
            _ => "",
        };
        self.column += 1;
        if self.in_head {
            self.writer().open(&format!("<th scope=\"col\"{align}>"), "</th>");
        } else {
            self.writer().open(&format!("<td{align}>"), "</td>");
        }
    }

    pub(super) fn end_heading(&mut self, level: HeadingLevel, span: Range<usize>) {
        let mut html = self.writer().end_part().trim().to_owned();
        if self.bare {
            self.heading = None;
            return self.writer().html(&format!("<{level}>{html}</{level}>\n"));
        }
        let span = self.heading.take().unwrap_or(span);
        let title = self.heading_text.split_whitespace().collect::<Vec<_>>().join(" ");
        let source = self.text[span.clone()].trim_end();
        let mut section = Section { level: level as u8, title, ..Section::default() };
        section.id = self.attributes(&mut section, &mut html, source, span.start);
        self.other_address(&section.id);
        if section.level == 1 && self.out.title.is_none() && !section.title.is_empty() {
            self.out.title = Some(section.title.clone());
        }
        if section.level <= 2 {
            self.terms.next_section();
        }
        let index = self.out.sections.len();
        let sections = &self.out.sections;
        self.open_sections.retain(|open| sections[*open].level < section.level);
        self.open_sections.push(index);
        self.out.anchors.push(section.id.clone());
        self.out.sections.push(section);
        self.writer().piece(Piece::Heading { section: index, html });
    }

    /// Whether `id` is that of an empty tag right above the heading, or in it, which gives it up: mdBook
    /// writes it twice, and links to it lead to the same place.
    fn takes_over(&mut self, id: &str, heading: &mut String) -> bool {
        if !self.raw_ids.contains(id) {
            return false;
        }
        let attribute = format!(" id=\"{id}\"");
        if heading.contains(&attribute) {
            *heading = heading.replace(&attribute, "");
        } else if !self.writer().release_id(id) {
            return false;
        }
        self.raw_ids.remove(id)
    }

    /// Reads the braces behind a heading into `section` and returns its id.
    fn attributes(
        &mut self,
        section: &mut Section,
        html: &mut String,
        source: &str,
        start: usize,
    ) -> String {
        let braces = source.trim_end_matches(['#', '=', '-', ' ', '\n', '\r', '\t']).ends_with('}');
        let found = if braces { headings::attributes(source) } else { Default::default() };
        section.classes = found.classes;
        for (key, value, span) in found.pairs {
            if matches!(key.as_str(), "services" | "service") {
                let place = self.origin.span(&(start + span.start..start + span.end));
                section.services =
                    services(&split_words(&value), place, self.config, self.findings);
            }
        }
        let Some((id, span)) = found.id.filter(|(id, _)| !id.is_empty()) else {
            return self.own_id(html);
        };
        if self.ids.take(&id) || self.takes_over(&id, html) {
            return id;
        }
        let place = self.origin.span(&(start + span.start..start + span.end));
        let made = self.ids.unique(&id);
        self.findings.report(
            Code::DuplicateId,
            place,
            format!("the id `{id}` stands twice on this page"),
            format!("give one of them another id; this one is `{made}` for now"),
        );
        made
    }

    pub(super) fn mermaid(&mut self, fence: &Fence) {
        let index = self.diagrams;
        match diagram::draw(&fence.text, &format!("d{index}-")) {
            Ok(drawing) => {
                self.diagrams += 1;
                let sections = &mut self.out.sections;
                let above = self.open_sections.last().map(|at| sections[*at].title.clone());
                for open in &self.open_sections {
                    sections[*open].diagrams.push(index);
                }
                let caption = drawing.title.clone().or(above).unwrap_or_default();
                self.writer().piece(Piece::Diagram(Box::new(DiagramBlock {
                    index,
                    caption,
                    source: fence.text.clone(),
                    drawing: Arc::new(drawing),
                })));
            }
            Err(error) => {
                let at = fence.offset(error.line, error.column);
                let help = error.help.or_else(|| Some(DIAGRAM_HELP.to_owned()));
                self.broken(fence, Code::Diagram, at, error.message, help);
            }
        }
    }

    pub(super) fn kpi_grid(&mut self, fence: &Fence) {
        let tiles = match fence.tiles() {
            Ok(tiles) => tiles,
            Err((message, at)) => {
                const SHAPE: &str =
                    r#"write a list of tiles: [{ "label": "Response Time", "value": "< 200ms" }]"#;
                let message = format!("the KPI grid cannot be read as JSON: {message}");
                return self.broken(fence, Code::KpiGrid, at, message, Some(SHAPE.to_owned()));
            }
        };
        let mut kpis = Vec::new();
        for tile in tiles {
            let place = self.origin.span(&fence.span);
            let named: Vec<String> = tile.service.iter().cloned().collect();
            let service = services(&named, place, self.config, self.findings).pop();
            let mut kpi = tile.into_kpi(self.kpis, service, self.config);
            kpi.link = kpi.link.map(|link| self.addresses.href(&link));
            kpis.push(kpi);
            self.count_kpi();
        }
        self.writer().piece(Piece::KpiGrid(kpis));
    }

    pub(super) fn count_kpi(&mut self) {
        for open in &self.open_sections {
            self.out.sections[*open].kpis.push(self.kpis);
        }
        self.kpis += 1;
    }

    pub(super) fn glossary(&mut self, fence: &Fence) {
        match fence.terms() {
            Ok(_) => self.writer().piece(Piece::Glossary),
            Err((message, at)) => {
                let message = format!("the glossary cannot be read as YAML: {message}");
                let help = "write a list of `- term: ...` with `definition: ...` below, or nothing";
                self.broken(fence, Code::Block, at, message, Some(help.to_owned()));
            }
        }
    }

    pub(super) fn service_map(&mut self, fence: &Fence) {
        match fence.map() {
            Ok(options) => {
                let above =
                    self.open_sections.last().map(|at| self.out.sections[*at].title.clone());
                let caption = options.caption.clone().or(above).unwrap_or_default();
                let index = self.maps;
                self.maps += 1;
                let block = MapBlock { index, caption, options };
                self.writer().piece(Piece::ServiceMap(Box::new(block)));
            }
            Err((message, at)) => {
                let message = format!("the service map cannot be read as YAML: {message}");
                self.broken(fence, Code::Block, at, message, Some(MAP_HELP.to_owned()));
            }
        }
    }

    pub(super) fn objectives(&mut self, fence: &Fence) {
        match fence.objectives(self.config) {
            Ok(objectives) => self.writer().piece(Piece::Objectives(objectives)),
            Err((message, at)) => {
                let message = format!("the objectives cannot be read as YAML: {message}");
                self.broken(fence, Code::Block, at, message, Some(OBJECTIVES_HELP.to_owned()));
            }
        }
    }

    pub(super) fn chart(&mut self, fence: &Fence) {
        let (options, named) = match fence.chart() {
            Ok(read) => read,
            Err((message, at)) => {
                let message = format!("the chart cannot be read: {message}");
                return self.broken(fence, Code::Chart, at, message, Some(CHART_HELP.to_owned()));
            }
        };
        let place = self.origin.span(&fence.span);
        let named: Vec<String> = named.into_iter().collect();
        let service = services(&named, place, self.config, self.findings).pop();
        let above = self.open_sections.last().map(|at| self.out.sections[*at].title.clone());
        let title = options.title.clone().or(above).unwrap_or_default();
        let index = self.charts;
        self.charts += 1;
        let block = ChartBlock { index, title, service, options };
        self.writer().piece(Piece::Chart(Box::new(block)));
    }

    pub(super) fn broken(
        &mut self,
        fence: &Fence,
        code: Code,
        at: usize,
        message: String,
        help: Option<String>,
    ) {
        let page = (self.text, self.origin, &*self.findings);
        let mut finding = fence.finding(code, at, message, help, page);
        if code == Code::Diagram && self.config.markdown.for_mdbook {
            // mdBook shows the source, and its authors draw with another Mermaid in the browser.
            finding.severity = Severity::Warning;
        }
        self.findings.add(finding.clone());
        self.writer().piece(Piece::Broken {
            language: fence.language().to_owned(),
            source: fence.text.clone(),
            finding: Box::new(finding),
        });
    }
}
