//! The body of a page: Markdown events to pieces, sections and findings.
//!
//! `page` hands in the text below the front matter. The walk is one loop over
//! `pulldown-cmark`'s events; what is typed (fences, figures, headings) leaves it through the writer.

use crate::fences::{Fence, Kind};
use crate::findings::{Findings, Origin, place_of};
use crate::frontmatter::split_words;
use crate::headings::{self, Ids};
use crate::html::{Writer, escape, escape_address};
use crate::terms::Terms;
use crate::{Config, DiagramBlock, GlossaryEntry, Link, Piece, Section, ServiceId};
use crate::{boxes, kpi, links, raw, suggest};
use diagnostics::Code;
use pulldown_cmark::{
    Alignment, BlockQuoteKind, CodeBlockKind, Event, HeadingLevel, LinkType, Options, Parser, Tag,
    TagEnd, TextMergeWithOffset,
};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// What the walk over a body yields.
#[derive(Default)]
pub(crate) struct Walked {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) sections: Vec<Section>,
    pub(crate) links: Vec<Link>,
    pub(crate) anchors: Vec<String>,
    pub(crate) title: Option<String>,
    /// Fences that the author never closed, as bytes of the body.
    pub(crate) unclosed: Vec<Range<usize>>,
}

pub(crate) fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_GFM
        | Options::ENABLE_DEFINITION_LIST
}

/// Walks over `text`, whose places in the file `origin` knows.
pub(crate) fn walk(
    text: &str,
    origin: &Origin,
    terms: Terms<'_>,
    config: &Config,
    findings: &mut Findings<'_>,
) -> Walked {
    let anchors = terms.anchors();
    let mut body = Body {
        text,
        origin,
        config,
        findings,
        out: Walked::default(),
        ids: Ids::default(),
        terms,
        writers: vec![Writer::default()],
        open_sections: Vec::new(),
        diagrams: 0,
        kpis: 0,
        tables: 0,
        heading: None,
        heading_text: String::new(),
        links: 0,
        figure: None,
        image: None,
        code: None,
        raw: None,
        columns: Vec::new(),
        column: 0,
        in_head: false,
        footnotes: Footnotes::default(),
    };
    for anchor in anchors {
        body.ids.take(&anchor);
        body.out.anchors.push(anchor);
    }
    let parser = Parser::new_ext(text, options());
    for (event, span) in TextMergeWithOffset::new(parser.into_offset_iter()) {
        body.event(event, span);
    }
    body.finish()
}

/// Glossary terms that fences add, read before the walk so that prose above them is linked. `None`
/// when the page has no place for its glossary.
pub(crate) fn glossary_fences(text: &str) -> Option<Vec<GlossaryEntry>> {
    if !text.contains("glossary") {
        return None;
    }
    let mut entries: Option<Vec<GlossaryEntry>> = None;
    let mut open: Option<Fence> = None;
    for (event, span) in Parser::new_ext(text, options()).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                open = Some(Fence { info: Some(info.to_string()), text: String::new(), span });
            }
            Event::Text(text) => {
                if let Some(fence) = &mut open {
                    fence.text.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                let fence = open.take().filter(|fence| fence.language() == "glossary");
                if let Some(Ok(terms)) = fence.map(|fence| fence.terms()) {
                    entries.get_or_insert_default().extend(terms);
                }
            }
            _ => {}
        }
    }
    entries
}

struct Body<'t, 'g, 'f, 'a> {
    text: &'t str,
    origin: &'t Origin,
    config: &'t Config,
    findings: &'f mut Findings<'a>,
    out: Walked,
    ids: Ids,
    terms: Terms<'g>,
    /// The page's, and above it one for each footnote that is open.
    writers: Vec<Writer>,
    /// Indices of the sections around the current place, from the outermost.
    open_sections: Vec<usize>,
    diagrams: usize,
    kpis: usize,
    tables: usize,
    heading: Option<Range<usize>>,
    heading_text: String,
    /// Links that are open around the current place.
    links: usize,
    figure: Option<Figure>,
    image: Option<Image>,
    code: Option<Fence>,
    raw: Option<(String, Range<usize>)>,
    columns: Vec<Alignment>,
    column: usize,
    in_head: bool,
    footnotes: Footnotes,
}

struct Figure {
    id: String,
    text: String,
}

struct Image {
    address: String,
    title: String,
    alt: String,
    /// Images inside its alternative text.
    depth: usize,
}

#[derive(Default)]
struct Footnotes {
    /// Label to number, counted by first reference.
    numbers: HashMap<String, usize>,
    /// References so far, by number - 1.
    references: Vec<usize>,
    /// Definitions by label, in the order of the text.
    definitions: Vec<(String, Vec<Piece>)>,
    open: Vec<String>,
}

impl Body<'_, '_, '_, '_> {
    fn writer(&mut self) -> &mut Writer {
        let last = self.writers.len() - 1;
        &mut self.writers[last]
    }

    fn event(&mut self, event: Event<'_>, span: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, span),
            Event::End(tag) => self.end(tag, span),
            Event::Text(text) => self.prose(&text, span),
            Event::Code(code) => {
                self.inline(&code, |text| format!("<code>{}</code>", escape(text)))
            }
            Event::InlineMath(math) | Event::DisplayMath(math) => {
                self.inline(&math, |text| format!("<code class=\"math\">{}</code>", escape(text)));
            }
            Event::Html(html) => match &mut self.raw {
                Some((block, _)) => block.push_str(&html),
                None => self.write_raw(&html, span),
            },
            Event::InlineHtml(html) => {
                if self.image.is_none() && self.figure.is_none() {
                    self.write_raw(&html, span);
                }
            }
            Event::FootnoteReference(label) => self.footnote_reference(&label),
            Event::SoftBreak => self.inline("\n", str::to_owned),
            Event::HardBreak => self.inline("\n", |_| "<br>\n".to_owned()),
            Event::Rule => self.writer().html("<hr>\n"),
            Event::TaskListMarker(done) => {
                let (checked, word) = if done { (" checked", "done") } else { ("", "to do") };
                let html =
                    format!("<input type=\"checkbox\" disabled{checked} aria-label=\"{word}\"> ");
                self.writer().html(&html);
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>, span: Range<usize>) {
        match tag {
            Tag::Heading { .. } => {
                self.writer().begin_part();
                self.heading_text.clear();
                self.heading = Some(span);
            }
            Tag::CodeBlock(kind) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => Some(info.to_string()),
                    CodeBlockKind::Indented => None,
                };
                self.code = Some(Fence { info, text: String::new(), span });
            }
            Tag::HtmlBlock => self.raw = Some((String::new(), span)),
            Tag::Link { link_type, dest_url, title, .. } => {
                self.start_link(link_type, &dest_url, &title, span);
            }
            Tag::Image { dest_url, title, .. } => self.start_image(&dest_url, &title, span),
            Tag::FootnoteDefinition(label) => {
                self.footnotes.open.push(label.to_string());
                self.writers.push(Writer::default());
            }
            Tag::Table(columns) => self.start_table(columns),
            Tag::TableCell => self.start_cell(),
            tag if self.figure.is_none() && self.image.is_none() => self.start_element(&tag),
            _ => {}
        }
    }

    fn start_element(&mut self, tag: &Tag<'_>) {
        if matches!(tag, Tag::TableHead) {
            (self.in_head, self.column) = (true, 0);
        }
        if matches!(tag, Tag::TableRow) {
            self.column = 0;
        }
        let (open, close) = element(tag);
        self.writer().open(&open, close);
    }

    fn end(&mut self, tag: TagEnd, span: Range<usize>) {
        match tag {
            TagEnd::Heading(level) => self.end_heading(level, span),
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::HtmlBlock => {
                if let Some((html, span)) = self.raw.take() {
                    self.write_raw(&html, span);
                }
            }
            TagEnd::Link => self.end_link(),
            TagEnd::Image => self.end_image(),
            TagEnd::FootnoteDefinition => self.end_footnote(),
            TagEnd::TableHead => {
                self.in_head = false;
                self.writer().close();
                self.writer().open("<tbody>\n", "</tbody>");
            }
            TagEnd::Table => {
                self.writer().close();
                self.writer().close();
            }
            _ if self.figure.is_none() && self.image.is_none() => self.writer().close(),
            _ => {}
        }
    }

    /// Text of any kind: into the block, figure or image that is open, else onto the page.
    fn prose(&mut self, text: &str, span: Range<usize>) {
        if let Some(fence) = &mut self.code {
            fence.text.push_str(text);
            return;
        }
        if let Some((block, _)) = &mut self.raw {
            block.push_str(text);
            return;
        }
        self.check_footnotes(span);
        let linked = self.heading.is_none() && self.links == 0;
        if linked && self.figure.is_none() && self.image.is_none() {
            let html = self.terms.link(text);
            self.writer().html(&html);
        } else {
            self.inline(text, escape);
        }
    }

    /// Inline content that is `text` to whoever wants plain text, and `html` of it on the page.
    fn inline(&mut self, text: &str, html: impl Fn(&str) -> String) {
        if let Some(image) = &mut self.image {
            image.alt.push_str(text);
        } else if let Some(figure) = &mut self.figure {
            figure.text.push_str(text);
        } else {
            let html = html(text);
            self.writer().html(&html);
        }
        if self.heading.is_some() && self.image.is_none() {
            self.heading_text.push_str(text);
        }
    }

    fn write_raw(&mut self, html: &str, span: Range<usize>) {
        let last = self.writers.len() - 1;
        let brought = raw::write(html, &mut self.writers[last]);
        let span = self.origin.span(&span);
        for id in brought.ids {
            self.ids.take(&id);
            self.out.anchors.push(id);
        }
        for target in brought.links {
            self.remember_link(&target, span.clone());
        }
    }

    fn remember_link(&mut self, target: &str, span: Range<usize>) {
        if links::kind(target) == links::Kind::Inside {
            self.out.links.push(Link { target: target.trim().to_owned(), span });
        }
    }

    fn start_link(&mut self, link: LinkType, address: &str, title: &str, span: Range<usize>) {
        if self.figure.is_some() || self.image.is_some() {
            return;
        }
        if link == LinkType::Email {
            let html = format!("<a href=\"mailto:{}\">", escape_address(address));
            return self.open_link(&html, "</a>");
        }
        let file_span = self.origin.span(&span);
        match links::kind(address) {
            links::Kind::Figure(id) if self.heading.is_none() && self.links == 0 => {
                self.figure = Some(Figure { id: id.to_owned(), text: String::new() });
            }
            links::Kind::Figure(_) => self.open_link("", ""),
            links::Kind::Forbidden(scheme) => {
                let place = place_of(self.findings.file().text(), file_span, address);
                self.findings.report(
                    Code::BrokenLink,
                    place,
                    format!("links with `{scheme}:` are not allowed"),
                    "write an address with `https:`, `http:` or `mailto:`, or one relative to the page",
                );
                self.open_link("", "");
            }
            kind => {
                let rel = if kind == links::Kind::External { " rel=\"noopener\"" } else { "" };
                self.remember_link(address, file_span);
                let href = escape_address(&links::rewrite(address.trim()));
                let html = format!("<a href=\"{href}\"{}{rel}>", title_attribute(title));
                self.open_link(&html, "</a>");
            }
        }
    }

    fn open_link(&mut self, html: &str, close: &'static str) {
        self.links += 1;
        self.writer().open(html, close);
    }

    fn end_link(&mut self) {
        if self.image.is_some() {
            return;
        }
        if let Some(figure) = self.figure.take() {
            let kpi = kpi::figure(self.kpis, &figure.id, figure.text.trim().to_owned());
            self.count_kpi();
            self.writer().piece(Piece::Figure(Box::new(kpi)));
        } else if self.links > 0 {
            self.links -= 1;
            self.writer().close();
        }
    }

    fn start_image(&mut self, address: &str, title: &str, span: Range<usize>) {
        if let Some(image) = &mut self.image {
            image.depth += 1;
            return;
        }
        let span = self.origin.span(&span);
        self.remember_link(address, span);
        self.image = Some(Image {
            address: address.to_owned(),
            title: title.to_owned(),
            alt: String::new(),
            depth: 0,
        });
    }

    fn end_image(&mut self) {
        let Some(mut image) = self.image.take() else { return };
        if image.depth > 0 {
            image.depth -= 1;
            self.image = Some(image);
            return;
        }
        let title = title_attribute(&image.title);
        let alt = escape(&image.alt);
        let html = match links::safe(&image.address) {
            Some(address) => format!(
                "<img src=\"{}\" alt=\"{alt}\"{title} loading=\"lazy\">",
                escape_address(&address)
            ),
            None => alt,
        };
        self.inline("", |_| html.clone());
    }

    fn start_table(&mut self, columns: Vec<Alignment>) {
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

    fn start_cell(&mut self) {
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

    fn end_heading(&mut self, level: HeadingLevel, span: Range<usize>) {
        let html = self.writer().end_part().trim().to_owned();
        let span = self.heading.take().unwrap_or(span);
        let title = self.heading_text.split_whitespace().collect::<Vec<_>>().join(" ");
        let source = self.text[span.clone()].trim_end();
        let mut section = Section { level: level as u8, title, ..Section::default() };
        section.id = self.attributes(&mut section, source, span.start);
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

    /// Reads the braces behind a heading into `section` and returns its id.
    fn attributes(&mut self, section: &mut Section, source: &str, start: usize) -> String {
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
            return self.ids.unique(&headings::slug(&section.title));
        };
        if self.ids.take(&id) {
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

    fn end_code(&mut self) {
        let Some(fence) = self.code.take() else { return };
        if fence.is_unclosed(self.text) {
            self.out.unclosed.push(fence.span.clone());
        }
        match fence.kind() {
            Kind::Mermaid => self.mermaid(&fence),
            Kind::KpiGrid => self.kpi_grid(&fence),
            Kind::Glossary => self.glossary(&fence),
            Kind::Boxes => self.writer().piece(Piece::BoxDrawing(boxes::render(&fence.text))),
            Kind::Code => self.writer().html(&fence.html()),
        }
    }

    fn mermaid(&mut self, fence: &Fence) {
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
                self.broken(fence, Code::Diagram, at, error.message, error.help);
            }
        }
    }

    fn kpi_grid(&mut self, fence: &Fence) {
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
            kpis.push(tile.into_kpi(self.kpis, service, self.config));
            self.count_kpi();
        }
        self.writer().piece(Piece::KpiGrid(kpis));
    }

    fn count_kpi(&mut self) {
        for open in &self.open_sections {
            self.out.sections[*open].kpis.push(self.kpis);
        }
        self.kpis += 1;
    }

    fn glossary(&mut self, fence: &Fence) {
        match fence.terms() {
            Ok(_) => self.writer().piece(Piece::Glossary),
            Err((message, at)) => {
                let message = format!("the glossary cannot be read as YAML: {message}");
                let help = "write a list of `- term: ...` with `definition: ...` below, or nothing";
                self.broken(fence, Code::Block, at, message, Some(help.to_owned()));
            }
        }
    }

    fn broken(
        &mut self,
        fence: &Fence,
        code: Code,
        at: usize,
        message: String,
        help: Option<String>,
    ) {
        let page = (self.text, self.origin, &*self.findings);
        let finding = fence.finding(code, at, message, help, page);
        self.findings.add(finding.clone());
        self.writer().piece(Piece::Broken {
            language: fence.language().to_owned(),
            source: fence.text.clone(),
            finding: Box::new(finding),
        });
    }

    fn footnote_reference(&mut self, label: &str) {
        if self.image.is_some() || self.figure.is_some() {
            return;
        }
        let next = self.footnotes.numbers.len() + 1;
        let number = *self.footnotes.numbers.entry(label.to_owned()).or_insert(next);
        if number > self.footnotes.references.len() {
            self.footnotes.references.push(0);
        }
        let count = &mut self.footnotes.references[number - 1];
        *count += 1;
        let again = if *count > 1 { format!("-{count}") } else { String::new() };
        let id = if self.heading.is_some() {
            String::new() // a heading's HTML is shown twice: in the page and in its contents
        } else {
            format!(" id=\"fnref:{number}{again}\"")
        };
        let html = format!(
            "<sup class=\"footnote\"{id}><a href=\"#fn:{number}\" role=\"doc-noteref\">{number}</a></sup>"
        );
        self.writer().html(&html);
    }

    fn end_footnote(&mut self) {
        let label = self.footnotes.open.pop().unwrap_or_default();
        if let Some(writer) = self.writers.pop_if(|_| true) {
            self.footnotes.definitions.push((label, writer.finish()));
        }
    }

    /// `[^x]` that stayed text because nothing defines it.
    fn check_footnotes(&mut self, span: Range<usize>) {
        let source = self.text.get(span.clone()).unwrap_or_default();
        let mut from = 0;
        while let Some(at) = source[from..].find("[^") {
            let start = from + at;
            from = start + 2;
            let Some(length) = source[from..].find([']', ' ', '\n']) else { return };
            let escaped = self.text[..span.start + start].ends_with('\\');
            if length == 0 || escaped || !source[from + length..].starts_with(']') {
                continue;
            }
            let label = &source[from..from + length];
            let place = span.start + start..span.start + from + length + 1;
            self.findings.report(
                Code::Footnote,
                self.origin.span(&place),
                format!("the footnote `{label}` is never defined"),
                format!("add a line `[^{label}]: ...`"),
            );
        }
    }

    fn finish(mut self) -> Walked {
        while self.writers.len() > 1 {
            self.end_footnote();
        }
        self.write_footnotes();
        self.out.pieces = self.writers.pop().map(Writer::finish).unwrap_or_default();
        self.out
    }

    /// All footnotes at the end, in the order of their numbers; unused ones last.
    fn write_footnotes(&mut self) {
        if self.footnotes.definitions.is_empty() {
            return;
        }
        let mut notes = std::mem::take(&mut self.footnotes.definitions);
        let numbers = std::mem::take(&mut self.footnotes.numbers);
        let number_of = |label: &str| numbers.get(label).copied();
        notes.sort_by_key(|(label, _)| number_of(label).unwrap_or(usize::MAX));
        self.writer().open(
            "<section class=\"footnotes\" role=\"doc-endnotes\" aria-label=\"Footnotes\"><ol>\n",
            "</ol></section>\n",
        );
        for (label, pieces) in notes {
            match number_of(&label) {
                Some(number) => {
                    self.writer().open(&format!("<li id=\"fn:{number}\">"), "</li>\n");
                    self.writer().append(pieces);
                    let back = format!(
                        "<a class=\"footnote-back\" href=\"#fnref:{number}\" role=\"doc-backlink\" \
                         aria-label=\"back to the text\">↩</a>"
                    );
                    self.writer().html(&back);
                }
                None => {
                    self.writer().open("<li>", "</li>\n");
                    self.writer().append(pieces);
                }
            }
            self.writer().close();
        }
        self.writer().close();
    }
}

/// Services by name; unknown ones are reported and left out.
pub(crate) fn services(
    names: &[String],
    place: Range<usize>,
    config: &Config,
    findings: &mut Findings<'_>,
) -> Vec<ServiceId> {
    let mut known = Vec::new();
    for name in names {
        match config.service(name) {
            Some(id) if known.contains(&id) => {}
            Some(id) => known.push(id),
            None => {
                let ids = config.services.keys().map(|id| id.0.as_str());
                let place = place_of(findings.file().text(), place.clone(), name);
                findings.report(
                    Code::UnknownService,
                    place,
                    format!("no service `{name}`"),
                    suggest::help(name, "services", ids),
                );
            }
        }
    }
    known
}

fn title_attribute(title: &str) -> String {
    if title.is_empty() { String::new() } else { format!(" title=\"{}\"", escape(title)) }
}

/// Opening and closing text of the elements that need nothing else.
fn element(tag: &Tag<'_>) -> (String, &'static str) {
    let (open, close) = match tag {
        Tag::Paragraph => ("<p>", "</p>\n"),
        Tag::BlockQuote(Some(kind)) => return alert(*kind),
        Tag::BlockQuote(None) => ("<blockquote>\n", "</blockquote>\n"),
        Tag::List(Some(1)) => ("<ol>\n", "</ol>\n"),
        Tag::List(Some(start)) => return (format!("<ol start=\"{start}\">\n"), "</ol>\n"),
        Tag::List(None) => ("<ul>\n", "</ul>\n"),
        Tag::Item => ("<li>", "</li>\n"),
        Tag::DefinitionList => ("<dl>\n", "</dl>\n"),
        Tag::DefinitionListTitle => ("<dt>", "</dt>\n"),
        Tag::DefinitionListDefinition => ("<dd>", "</dd>\n"),
        Tag::TableHead => ("<thead><tr>", "</tr></thead>\n"),
        Tag::TableRow => ("<tr>", "</tr>\n"),
        Tag::Emphasis => ("<em>", "</em>"),
        Tag::Strong => ("<strong>", "</strong>"),
        Tag::Strikethrough => ("<del>", "</del>"),
        Tag::Superscript => ("<sup>", "</sup>"),
        Tag::Subscript => ("<sub>", "</sub>"),
        _ => ("", ""),
    };
    (open.to_owned(), close)
}

/// `> [!NOTE]`, with its word: colour alone says nothing.
fn alert(kind: BlockQuoteKind) -> (String, &'static str) {
    let (class, word) = match kind {
        BlockQuoteKind::Note => ("note", "Note"),
        BlockQuoteKind::Tip => ("tip", "Tip"),
        BlockQuoteKind::Important => ("important", "Important"),
        BlockQuoteKind::Warning => ("warning", "Warning"),
        BlockQuoteKind::Caution => ("caution", "Caution"),
    };
    let open = format!(
        "<div class=\"alert alert-{class}\" role=\"note\"><p class=\"alert-title\">{word}</p>\n"
    );
    (open, "</div>\n")
}
