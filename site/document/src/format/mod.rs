//! Brings one file's Markdown into an even form without changing what it says.
//!
//! `loggia fmt` hands in a file. `edits` proposes small changes of the source (found through comrak's
//! source positions), each a group that stands or falls together; here they are made, and the page is
//! read before and after by the same engine that renders it. Groups after which it would read
//! differently are found by halving and left out, so the author's own text stays there. Prose is never
//! wrapped, diagrams, code and raw HTML are never touched.

mod edits;
mod json;
mod table;

use crate::{CodeCache, Config, Page, Piece, parse_page_with};
use diagnostics::SourceFile;
use edits::Group;

/// How often a page is read to find out which changes are harmless.
const READINGS_MAX: usize = 48;
/// Rounds until nothing changes any more.
const ROUNDS_MAX: usize = 4;

/// A formatted file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formatted {
    /// The text; equal to the source when there is nothing to do, or nothing that may be done.
    pub text: String,
    /// Places that stay as the author wrote them, because the page would read differently.
    pub kept: Vec<Kept>,
}

/// A place that was left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Line in the source, from 1; 0 for the whole file.
    pub line: usize,
    /// What was not done, in words.
    pub what: &'static str,
}

/// Formats one Markdown file. Doing it again changes nothing more.
///
/// ```
/// let file = diagnostics::SourceFile::new("a.md", "Title\n=====\n* one  \n* two\n");
/// let formatted = document::format_page(&file, &document::Config::without_file());
/// assert_eq!(formatted.text, "# Title\n\n- one\n- two\n");
/// ```
pub fn format_page(file: &SourceFile, config: &Config) -> Formatted {
    let source = file.text();
    let untouched =
        |what| Formatted { text: source.to_owned(), kept: vec![Kept { line: 0, what }] };
    let unix = source.replace("\r\n", "\n");
    if unix.contains(['\r', '\0']) {
        return untouched("it holds carriage returns or NUL bytes inside its lines");
    }
    let mut desk = Desk { file, config, code: CodeCache::default(), readings: 0 };
    let meaning = desk.meaning(&unix);
    let (mut text, mut kept) = (unix.clone(), Vec::new());
    for _ in 0..ROUNDS_MAX {
        let groups = edits::propose(&text, body_start(&text, file.path()));
        let round = desk.settle(&text, &groups, &meaning);
        kept = round.kept;
        if round.text == text {
            let windows = source.contains("\r\n");
            let text = if windows { text.replace('\n', "\r\n") } else { text };
            return Formatted { text, kept };
        }
        text = round.text;
    }
    kept.clear();
    untouched("no form was found that stays the same when it is formatted again")
}

/// Where the body begins behind the front matter.
fn body_start(text: &str, path: &str) -> edits::Parts {
    let file = SourceFile::new(path, text);
    let above = crate::frontmatter::read(&mut crate::findings::Findings::new(&file));
    edits::Parts { front: above.span, body: above.body }
}

struct Desk<'a> {
    file: &'a SourceFile,
    config: &'a Config,
    /// Code is not coloured again for each reading.
    code: CodeCache,
    readings: usize,
}

impl Desk<'_> {
    /// Everything that a reader gets of a page with this text.
    fn meaning(&mut self, text: &str) -> Vec<String> {
        self.readings += 1;
        let page =
            parse_page_with(&SourceFile::new(self.file.path(), text), self.config, &self.code);
        let Page { title, description, theme, hero, glossary, sections, .. } = &page;
        let mut out = vec![
            format!("{title:?} {description:?} {theme:?} {hero:?} {glossary:?}"),
            format!("{sections:?}"),
            format!("{:?} {:?} {:?}", page.navigation, page.services, page.anchors),
        ];
        out.extend(page.links.iter().map(|link| link.target.clone()));
        out.extend(page.pieces.iter().map(shown));
        out
    }

    /// Makes all of `groups` that keep `meaning`.
    fn settle(&mut self, text: &str, groups: &[Group], meaning: &[String]) -> Formatted {
        let all: Vec<&Group> = groups.iter().collect();
        let made = edits::apply(text, &all);
        if groups.is_empty() || made == text || self.meaning(&made) == meaning {
            return Formatted { text: made, kept: Vec::new() };
        }
        let mut good: Vec<&Group> = Vec::new();
        let mut kept = Vec::new();
        let middle = all.len() / 2;
        let mut open = vec![&all[middle..], &all[..middle]];
        while let Some(some) = open.pop() {
            if some.is_empty() {
                continue;
            }
            let trial: Vec<&Group> = good.iter().chain(some).copied().collect();
            let spent = self.readings >= READINGS_MAX;
            if !spent && self.meaning(&edits::apply(text, &trial)) == meaning {
                good = trial;
            } else if some.len() == 1 || spent {
                kept.extend(some.iter().map(|group| Kept { line: group.line, what: group.what }));
            } else {
                let middle = some.len() / 2;
                open.push(&some[middle..]);
                open.push(&some[..middle]);
            }
        }
        Formatted { text: edits::apply(text, &good), kept }
    }
}

/// One piece as the reader gets it, without places in the source.
fn shown(piece: &Piece) -> String {
    match piece {
        Piece::Html(html) => html.clone(),
        Piece::Diagram(block) => format!("{} {} {}", block.index, block.caption, block.source),
        Piece::Broken { language, source, .. } => format!("{language} {source}"),
        other => format!("{other:?}"),
    }
}
