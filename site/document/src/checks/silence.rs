//! What authors do not want to hear: for the next block by a comment, for a page by its front matter,
//! for the book by `book.toml`.
//!
//! `page` and `book` ask for their findings, `checks` for the others.

use crate::findings::Findings;
use crate::frontmatter::Above;
use crate::{CheckRules, MarkdownOptions};
use diagnostics::{Code, Diagnostic, Severity};
use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use std::ops::Range;

/// Word that begins a comment of ours.
const WORD: &str = "loggia-ignore";

/// What one page silences.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Silenced {
    /// Codes of the front matter.
    page: Vec<Code>,
    /// Codes of comments, each with the lines that it is about, from 1.
    blocks: Vec<(Code, Range<u32>)>,
}

impl Silenced {
    /// Whether the page silences the code, anywhere.
    pub(crate) fn names(&self, code: Code) -> bool {
        self.page.contains(&code) || self.blocks.iter().any(|(silenced, _)| *silenced == code)
    }
}

/// The finding as it is wanted, or `None`.
pub(crate) fn policy(
    mut found: Diagnostic,
    rules: &CheckRules,
    page: Option<&Silenced>,
) -> Option<Diagnostic> {
    let here = |silenced: &Silenced| {
        let block =
            |(code, lines): &(Code, Range<u32>)| *code == found.code && lines.contains(&found.line);
        silenced.page.contains(&found.code) || silenced.blocks.iter().any(block)
    };
    if rules.ignore.contains(&found.code) || page.is_some_and(here) {
        return None;
    }
    if rules.deny.contains(&found.code) {
        found.severity = Severity::Error;
    } else if rules.warn.contains(&found.code) {
        found.severity = Severity::Warning;
    }
    Some(found)
}

/// Reads what a page silences; codes that do not exist are reported.
pub(crate) fn silenced(
    above: &Above,
    markdown: &MarkdownOptions,
    findings: &mut Findings<'_>,
) -> Silenced {
    let mut silenced = Silenced::default();
    let text = findings.file().text();
    for name in &above.matter.checks.ignore.0 {
        match Code::named(name) {
            Some(code) => silenced.page.push(code),
            None => {
                let span = crate::findings::place_of(text, above.span.clone(), name);
                unknown(name, span, findings);
            }
        }
    }
    if text[above.body..].contains(WORD) {
        comments(above.body, markdown, &mut silenced, findings);
    }
    silenced
}

/// Reports a code that does not exist.
pub(crate) fn unknown(name: &str, span: Range<usize>, findings: &mut Findings<'_>) {
    let codes = Code::ALL.iter().map(|code| code.as_str());
    let help = match crate::suggest::nearest(name, codes) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`loggia check --explain` lists all codes".to_owned(),
    };
    findings.report(Code::UnknownCode, span, format!("no check has the code `{name}`"), help);
}

fn comments(
    body: usize,
    markdown: &MarkdownOptions,
    silenced: &mut Silenced,
    findings: &mut Findings<'_>,
) {
    let file = findings.file();
    let text = &file.text()[body..];
    let mut waiting: Vec<Code> = Vec::new();
    let mut html: Option<Range<usize>> = None;
    for (event, span) in Parser::new_ext(text, crate::body::options(markdown)).into_offset_iter() {
        match event {
            Event::Start(Tag::HtmlBlock) => html = Some(span),
            Event::End(TagEnd::HtmlBlock) => {
                let block = html.take().unwrap_or(span);
                match codes(text, &block) {
                    Some(names) => {
                        for name in names {
                            let place = body + name.start..body + name.end;
                            match Code::named(&text[name]) {
                                Some(code) => waiting.push(code),
                                None => unknown(&file.text()[place.clone()], place, findings),
                            }
                        }
                    }
                    None => silence(&mut waiting, &block, body, silenced, file),
                }
            }
            Event::Start(_) | Event::Rule => silence(&mut waiting, &span, body, silenced, file),
            Event::End(TagEnd::Item | TagEnd::BlockQuote(_)) => waiting.clear(),
            _ => {}
        }
    }
}

fn silence(
    waiting: &mut Vec<Code>,
    block: &Range<usize>,
    body: usize,
    silenced: &mut Silenced,
    file: &diagnostics::SourceFile,
) {
    if waiting.is_empty() {
        return;
    }
    let text = &file.text()[body..];
    let end = block.start + text[block.clone()].trim_end().len();
    let (first, last) = (file.position(body + block.start).0, file.position(body + end).0);
    silenced.blocks.extend(waiting.drain(..).map(|code| (code, first..last + 1)));
}

/// Places of the codes in a block that is a comment of ours.
fn codes(text: &str, block: &Range<usize>) -> Option<Vec<Range<usize>>> {
    let source = text[block.clone()].trim();
    let inside = source.strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    let list = inside.strip_prefix(WORD)?;
    let offset = list.as_ptr() as usize - text.as_ptr() as usize;
    let word = |c: char| !c.is_whitespace() && c != ',';
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(start) = list[at..].find(word).map(|skip| at + skip) {
        let length = list[start..].find(|c| !word(c)).unwrap_or(list.len() - start);
        places.push(offset + start..offset + start + length);
        at = start + length;
    }
    Some(places)
}
