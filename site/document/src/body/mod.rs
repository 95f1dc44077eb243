//! The body of a page: Markdown events to pieces, sections and findings.
//!
//! `page` hands in the text below the front matter. The walk is one loop over
//! `pulldown-cmark`'s events; what is typed (fences, figures, headings) leaves it through the writer.

mod blocks;
mod code;
mod elements;
mod formulas;
mod inline;
mod notes;

#[cfg(test)]
mod spec;

#[cfg(test)]
mod oracle;

use crate::addresses::Addresses;
use crate::fences::Fence;
use crate::findings::{Findings, Origin, place_of};
use crate::headings::Ids;
use crate::html::{Writer, escape};
use crate::terms::Terms;
use crate::{
    CodeCache, Config, GlossaryEntry, Link, MarkdownOptions, Piece, Section, ServiceId, suggest,
};
use diagnostics::Code;
use elements::element;
use formulas::Formula;
use inline::{Figure, Image};
use notes::Footnotes;
use pulldown_cmark::{
    Alignment, CodeBlockKind, Event, Options, Parser, Tag, TagEnd, TextMergeWithOffset,
};
use std::collections::HashSet;
use std::ops::Range;

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

pub(crate) fn options(markdown: &MarkdownOptions) -> Options {
    let mut options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_GFM
        | Options::ENABLE_DEFINITION_LIST;
    options.set(Options::ENABLE_SMART_PUNCTUATION, markdown.smart_punctuation);
    options.set(Options::ENABLE_MATH, markdown.math);
    options
}

/// Walks over `text`, whose places in the file `origin` knows.
pub(crate) fn walk(
    text: &str,
    origin: &Origin,
    terms: Terms<'_>,
    config: &Config,
    (code, addresses): (&CodeCache, Addresses<'_>),
    findings: &mut Findings<'_>,
) -> Walked {
    let anchors = terms.anchors();
    let mut body = Body::new(text, origin, terms, config, (code, addresses), findings);
    for anchor in anchors {
        body.ids.take(&anchor);
        body.out.anchors.push(anchor);
    }
    body.read(options(&config.markdown));
    body.finish()
}

/// Glossary terms that fences add, read before the walk so that prose above them is linked. `None`
/// when the page has no place for its glossary.
pub(crate) fn glossary_fences(
    text: &str,
    markdown: &MarkdownOptions,
) -> Option<Vec<GlossaryEntry>> {
    if !text.contains("glossary") {
        return None;
    }
    let mut entries: Option<Vec<GlossaryEntry>> = None;
    let mut open: Option<Fence> = None;
    for (event, span) in Parser::new_ext(text, options(markdown)).into_offset_iter() {
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
    coloured: &'t CodeCache,
    addresses: Addresses<'t>,
    findings: &'f mut Findings<'a>,
    out: Walked,
    ids: Ids,
    /// Those of the author's own tags that no heading took over.
    raw_ids: HashSet<String>,
    terms: Terms<'g>,
    /// The page's, and above it one for each footnote that is open.
    writers: Vec<Writer>,
    /// Indices of the sections around the current place, from the outermost.
    open_sections: Vec<usize>,
    diagrams: usize,
    maps: usize,
    charts: usize,
    kpis: usize,
    tables: usize,
    heading: Option<Range<usize>>,
    heading_text: String,
    /// The text of a heading or defined term as mdBook makes its id of it.
    id_text: String,
    in_term: bool,
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
    /// Whether fences with tabs were written and the next one would join them.
    in_tabs: bool,
    formula: Option<Formula>,
    /// As the CommonMark specification writes it: nothing of ours is added.
    bare: bool,
}

impl<'t, 'g, 'f, 'a> Body<'t, 'g, 'f, 'a> {
    fn new(
        text: &'t str,
        origin: &'t Origin,
        terms: Terms<'g>,
        config: &'t Config,
        (code, addresses): (&'t CodeCache, Addresses<'t>),
        findings: &'f mut Findings<'a>,
    ) -> Self {
        Self {
            text,
            origin,
            config,
            coloured: code,
            addresses,
            findings,
            out: Walked::default(),
            ids: Ids::default(),
            raw_ids: HashSet::new(),
            terms,
            writers: vec![Writer::default()],
            open_sections: Vec::new(),
            diagrams: 0,
            maps: 0,
            charts: 0,
            kpis: 0,
            tables: 0,
            heading: None,
            heading_text: String::new(),
            id_text: String::new(),
            in_term: false,
            links: 0,
            figure: None,
            image: None,
            code: None,
            raw: None,
            columns: Vec::new(),
            column: 0,
            in_head: false,
            footnotes: Footnotes::default(),
            in_tabs: false,
            formula: None,
            bare: false,
        }
    }

    fn read(&mut self, options: Options) {
        let parser = Parser::new_ext(self.text, options);
        for (event, span) in TextMergeWithOffset::new(parser.into_offset_iter()) {
            self.event(event, span);
        }
    }
}

impl Body<'_, '_, '_, '_> {
    fn writer(&mut self) -> &mut Writer {
        let last = self.writers.len() - 1;
        &mut self.writers[last]
    }

    fn event(&mut self, event: Event<'_>, span: Range<usize>) {
        if self.in_tabs {
            self.end_tabs(&event);
        }
        if self.formula.is_some() && !matches!(event, Event::Text(_) | Event::SoftBreak) {
            self.drop_formula();
        }
        match event {
            Event::Start(tag) => self.start(tag, span),
            Event::End(tag) => self.end(tag, span),
            Event::Text(text) => self.prose(&text, span),
            Event::Code(code) => {
                self.inline(&code, |text| format!("<code>{}</code>", escape(text)))
            }
            Event::InlineMath(math) => self.inline_formula(&math, false, span),
            Event::DisplayMath(math) => self.inline_formula(&math, true, span),
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
            Event::SoftBreak => match &mut self.formula {
                Some(formula) => formula.text.push('\n'),
                None => self.inline("\n", str::to_owned),
            },
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
                self.id_text.clear();
                self.heading = Some(span);
            }
            Tag::CodeBlock(kind) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => Some(info.to_string()),
                    CodeBlockKind::Indented => None,
                };
                self.code = Some(Fence { info, text: String::new(), span });
            }
            Tag::DefinitionListTitle => {
                self.writer().begin_part();
                self.id_text.clear();
                self.in_term = true;
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
            TagEnd::DefinitionListTitle => self.end_term(),
            TagEnd::HtmlBlock => {
                if let Some((html, span)) = self.raw.take() {
                    self.writer().new_line();
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
        if self.config.markdown.mathjax && self.image.is_none() && self.figure.is_none() {
            return self.text_with_formulas(text, span);
        }
        self.plain_prose(text, span);
    }

    fn plain_prose(&mut self, text: &str, span: Range<usize>) {
        self.check_footnotes(span);
        let linked = self.heading.is_none() && self.links == 0;
        if linked && self.figure.is_none() && self.image.is_none() {
            if self.in_term {
                self.id_text.push_str(text);
            }
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
        if (self.heading.is_some() || self.in_term) && self.image.is_none() {
            self.id_text.push_str(text);
        }
    }

    fn finish(mut self) -> Walked {
        self.drop_formula();
        if std::mem::take(&mut self.in_tabs) {
            self.writer().close();
        }
        while self.writers.len() > 1 {
            self.end_footnote();
        }
        self.write_footnotes();
        self.out.pieces = self.writers.pop().map(Writer::finish).unwrap_or_default();
        self.out
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
