//! One walk over a page's text for what can be seen in it alone.
//!
//! `checks` hands in a page that was read already. Included text is walked over as well: what is found
//! in it stands at the include.

use super::{ExternalLink, above, finding};
use crate::findings::place_of;
use crate::{Link, MarkdownOptions, Page, body, links, raw};
use diagnostics::{Code, Diagnostic};
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Findings of one page; a hostile page would have more than anybody reads.
const FINDINGS_MAX: usize = crate::findings::FINDINGS_MAX;

/// What was seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) findings: Vec<Diagnostic>,
    pub(super) external: Vec<ExternalLink>,
    /// Links inside the book that the page does not know of: those of its tiles.
    pub(super) links: Vec<Link>,
}

struct Walk<'p> {
    page: &'p Page,
    seen: Seen,
    level: u8,
    /// Links that are open: where they began, and whether anything was in them.
    links: Vec<(Range<usize>, bool)>,
    /// Images that are open, likewise.
    images: Vec<(Range<usize>, bool)>,
    ids: HashSet<String>,
    footnotes: HashMap<String, (Range<usize>, bool)>,
    tiles: Option<Range<usize>>,
    html: Option<Range<usize>>,
}

pub(super) fn page(page: &Page, markdown: &MarkdownOptions) -> Seen {
    let above = above(page);
    let text = &page.file.text()[above.body..];
    let mut walk = Walk {
        page,
        seen: Seen::default(),
        level: 0,
        links: Vec::new(),
        images: Vec::new(),
        ids: page.sections.iter().map(|section| section.id.clone()).collect(),
        footnotes: HashMap::new(),
        tiles: None,
        html: None,
    };
    let call = page.hero.as_ref().and_then(|hero| hero.call_to_action.as_ref());
    if let Some(call) = call {
        walk.web(&call.link, above.span.clone());
    }
    for (event, span) in Parser::new_ext(text, body::options(markdown)).into_offset_iter() {
        walk.event(event, above.body + span.start..above.body + span.end);
    }
    walk.finish()
}

impl Walk<'_> {
    fn event(&mut self, event: Event<'_>, span: Range<usize>) {
        match event {
            Event::Start(tag) => self.open(tag, span),
            Event::End(tag) => self.close(tag),
            Event::Text(text) if !text.trim().is_empty() => self.words(),
            Event::Code(_) | Event::InlineMath(_) | Event::DisplayMath(_) => self.words(),
            Event::InlineHtml(_) => self.tags(span),
            Event::FootnoteReference(label) => {
                self.words();
                let empty = (span, true);
                self.footnotes
                    .entry(label.to_string())
                    .and_modify(|note| note.1 = true)
                    .or_insert(empty);
            }
            _ => {}
        }
    }

    fn open(&mut self, tag: Tag<'_>, span: Range<usize>) {
        match tag {
            Tag::Heading { level, .. } => self.heading(level as u8, &span),
            Tag::Link { dest_url, .. } => {
                self.web(&dest_url, span.clone());
                let figure = matches!(links::kind(&dest_url), links::Kind::Figure(_));
                self.links.push((span, figure));
            }
            Tag::Image { dest_url, .. } => {
                self.web(&dest_url, span.clone());
                self.images.push((span, false));
            }
            Tag::FootnoteDefinition(label) => {
                let used = self.footnotes.get(&*label).is_some_and(|note| note.1);
                self.footnotes.insert(label.to_string(), (span, used));
            }
            Tag::CodeBlock(CodeBlockKind::Fenced(info)) => {
                let word = info.split_whitespace().next();
                self.tiles = (word == Some("kpi-grid")).then_some(span);
            }
            Tag::HtmlBlock => self.html = Some(span),
            _ => {}
        }
    }

    fn close(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Link => {
                if let Some((span, false)) = self.links.pop() {
                    self.report(
                        Code::LinkText,
                        span,
                        "this link has no text",
                        "write what it leads to between the brackets",
                    );
                }
            }
            TagEnd::Image => match self.images.pop() {
                Some((span, false)) => self.no_words(span),
                _ => self.words(),
            },
            TagEnd::CodeBlock => {
                if let Some(span) = self.tiles.take() {
                    self.tile_links(span);
                }
            }
            TagEnd::HtmlBlock => {
                if let Some(span) = self.html.take() {
                    self.tags(span);
                }
            }
            _ => {}
        }
    }

    /// Something that can be read or heard stands here.
    fn words(&mut self) {
        for (_, filled) in self.images.iter_mut().chain(&mut self.links) {
            *filled = true;
        }
    }

    fn no_words(&mut self, span: Range<usize>) {
        // The link around it is named by its picture; one finding is enough.
        for (_, filled) in &mut self.links {
            *filled = true;
        }
        self.report(
            Code::AltText,
            span,
            "this image has no alternative text",
            "say what it shows, `![...](...)`; a mere decoration is `<img src=\"...\" alt=\"\">`",
        );
    }

    fn heading(&mut self, level: u8, span: &Range<usize>) {
        if self.level > 0 && level > self.level + 1 {
            let message =
                format!("this heading has level {level}, and the one above it {}", self.level);
            let line = self.page.file.text()[span.clone()].lines().next().unwrap_or_default();
            let place = span.start..span.start + line.len();
            let help = format!("make it level {}", self.level + 1);
            self.report(Code::HeadingLevel, place, message, help);
        }
        self.level = level;
    }

    /// Raw HTML: ids, alternative texts, links to the web.
    fn tags(&mut self, span: Range<usize>) {
        let page = self.page;
        let source = &page.file.text()[span.clone()];
        for tag in raw::tags(source) {
            let whole = span.start + tag.span.start..span.start + tag.span.end;
            let value = |key: &str| tag.attributes.iter().find(|(name, _)| name == key);
            if let Some((_, id)) = value("id")
                && !id.is_empty()
                && !self.ids.insert((*id).to_owned())
                && !self.is_a_headings(id, whole.end)
            {
                let place = place_of(page.file.text(), whole.clone(), id);
                let message = format!("the id `{id}` stands twice on this page");
                self.report(Code::DuplicateId, place, message, "give one of them another id");
            }
            if tag.name == "img" {
                match value("alt") {
                    Some(_) => self.words(),
                    None => self.no_words(whole.clone()),
                }
            }
            for key in ["href", "src"] {
                if let Some((_, address)) = value(key)
                    && links::kind(address) == links::Kind::External
                {
                    let place = place_of(page.file.text(), whole.clone(), address);
                    self.web(&address.replace("&amp;", "&"), place);
                }
            }
        }
    }

    /// Whether only tags stand between a tag that ends at `at` and a heading with its id: that one took
    /// it over.
    fn is_a_headings(&self, id: &str, at: usize) -> bool {
        let text = self.page.file.text();
        let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let mut rest = text[at..].trim_start();
        while let Some(tag) = rest.strip_prefix('<') {
            rest = tag.find('>').map_or("", |end| tag[end + 1..].trim_start());
        }
        let heading = text[line..].starts_with('#') || rest.starts_with('#');
        heading && self.page.sections.iter().any(|section| section.id == id)
    }

    fn tile_links(&mut self, span: Range<usize>) {
        let text = self.page.file.text();
        for link in self.page.kpis().filter_map(|kpi| kpi.link.as_deref()) {
            // The tile holds the address as the site has it; the author wrote that of the source.
            let written = |target: &&str| links::rewrite(target) == link;
            let strings = text[span.clone()].split('"');
            let Some(target) = strings.into_iter().find(written) else { continue };
            let start = target.as_ptr() as usize - text.as_ptr() as usize;
            let place = start..start + target.len();
            match links::kind(target) {
                links::Kind::Inside => {
                    self.seen.links.push(Link { target: target.to_owned(), span: place });
                }
                _ => self.web(target, place),
            }
        }
    }

    /// Remembers a link to the web.
    fn web(&mut self, address: &str, within: Range<usize>) {
        if links::kind(address) == links::Kind::External {
            let span = place_of(self.page.file.text(), within, address);
            let url = address.trim().to_owned();
            self.seen.external.push(ExternalLink { url, file: self.page.file.clone(), span });
        }
    }

    fn report(
        &mut self,
        code: Code,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.seen.findings.len() < FINDINGS_MAX {
            self.seen.findings.push(finding(self.page, code, span, message, help));
        }
    }

    fn finish(mut self) -> Seen {
        let mut unused: Vec<(String, Range<usize>)> = std::mem::take(&mut self.footnotes)
            .into_iter()
            .filter(|(_, (_, used))| !used)
            .map(|(label, (span, _))| (label, span))
            .collect();
        unused.sort_by_key(|(_, span)| span.start);
        for (label, span) in unused {
            let place = span.start..span.start + label.len() + 4;
            let message = format!("nothing refers to the footnote `{label}`");
            let help = format!("refer to it with `[^{label}]`, or take it out");
            self.report(Code::UnusedFootnote, place, message, help);
        }
        self.seen
    }
}
