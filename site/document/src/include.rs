//! Fills in what mdBook's `links` preprocessor does: `{{#include}}`, `{{#rustdoc_include}}`,
//! `{{#playground}}` and `{{#title}}`; `\{{#` is written as it stands.
//!
//! `loggia` hands in a page's file and a way to read others; the file that comes back keeps the places
//! of what the author wrote.

use crate::directive::{self, Directive, Place, What};
use crate::lines;
use diagnostics::{Code, Diagnostic, Part, Severity, SourceFile};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Includes inside included files are followed this far.
const DEPTH_MAX: usize = 10;
/// Includes filled in per page, those inside included files counted too.
const INCLUDES_MAX: usize = 2_000;
/// A page does not grow beyond this.
const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Reads a file by its path below the source folder, which may begin with `../`; the error is a reason
/// in words.
pub type Read<'a> = &'a (dyn Fn(&str) -> Result<Arc<str>, String> + Sync);

/// A page with its includes filled in.
#[derive(Debug, Clone)]
pub struct Expanded {
    /// The page's file with the text that is to be parsed.
    pub file: SourceFile,
    /// What `{{#title}}` says.
    pub title: Option<String>,
    /// Paths that were asked for, found or not: when one of them changes, so does the page.
    pub reads: BTreeSet<String>,
    /// What is wrong with its includes.
    pub findings: Vec<Diagnostic>,
}

/// Fills in the includes of one page.
///
/// ```
/// use diagnostics::SourceFile;
/// let page = SourceFile::new("guide/a.md", "before\n{{#include ../b.txt:2}}\nafter\n");
/// let read = |path: &str| match path {
///     "b.txt" => Ok("one\ntwo\n".into()),
///     _ => Err("no such file".to_owned()),
/// };
/// let expanded = document::expand_includes(&page, &read);
/// assert_eq!(expanded.file.text(), "before\ntwo\nafter\n");
/// ```
pub fn expand_includes(file: &SourceFile, read: Read<'_>) -> Expanded {
    let mut filler = Filler {
        file,
        read,
        title: None,
        reads: BTreeSet::new(),
        findings: Vec::new(),
        left: INCLUDES_MAX,
        bytes: file.text().len(),
    };
    let made = file.text().contains("{{").then(|| filler.fill_page()).flatten();
    Expanded {
        file: made.unwrap_or_else(|| file.clone()),
        title: filler.title,
        reads: filler.reads,
        findings: filler.findings,
    }
}

struct Filler<'a> {
    file: &'a SourceFile,
    read: Read<'a>,
    title: Option<String>,
    reads: BTreeSet<String>,
    findings: Vec<Diagnostic>,
    /// Includes that may still be filled in.
    left: usize,
    bytes: usize,
}

/// Where an include was found: the place in the page, and the files on the way to it.
struct Way<'a> {
    /// The outermost include in the page.
    span: &'a std::ops::Range<usize>,
    /// Path of the file that the text comes from, and of those that include it.
    files: &'a [String],
    /// Line in that file; 0 in the page itself.
    line: usize,
}

impl Filler<'_> {
    /// `None` where nothing was to be filled in.
    fn fill_page(&mut self) -> Option<SourceFile> {
        let text = self.file.text();
        let mut made = String::with_capacity(text.len());
        let mut parts = Vec::new();
        let mut done = 0;
        let files = [self.file.path().to_owned()];
        for found in directive::find(text) {
            let way = Way { span: &found.span, files: &files, line: 0 };
            let Some(filled) = self.fill(&found, &way) else { continue };
            let before = done..found.span.start;
            parts.push(Part { at: made.len(), from: before.clone(), verbatim: true });
            made.push_str(&text[before]);
            parts.push(Part { at: made.len(), from: found.span.clone(), verbatim: false });
            made.push_str(&filled);
            done = found.span.end;
        }
        if done == 0 {
            return None;
        }
        parts.push(Part { at: made.len(), from: done..text.len(), verbatim: true });
        made.push_str(&text[done..]);
        Some(self.file.remade(made, parts))
    }

    /// The text for one directive; `None` leaves it as it stands.
    fn fill(&mut self, found: &Directive<'_>, way: &Way<'_>) -> Option<String> {
        let (path, text) = match &found.what {
            What::Escaped(text) => return Some((*text).to_owned()),
            What::Title(title) => {
                self.title = Some((*title).to_owned());
                return Some(String::new());
            }
            What::Include { path, .. } | What::Playground { path, .. } => {
                self.text_of(path, way)?
            }
        };
        let inner = match &found.what {
            What::Playground { attributes, .. } => {
                let comma = if attributes.is_empty() { "" } else { "," };
                let end = if text.ends_with('\n') { "" } else { "\n" };
                format!("```rust{comma}{}\n{text}{end}```\n", attributes.join(","))
            }
            What::Include { place, rest_hidden, .. } => {
                self.check_place(&path, &text, place, way);
                lines::take(&text, place, *rest_hidden)
            }
            What::Escaped(_) | What::Title(_) => String::new(),
        };
        self.bytes += inner.len();
        if self.bytes > PAGE_BYTES_MAX {
            self.report(way, "the page grows too large with this include", "include less of it");
            return None;
        }
        Some(self.fill_inside(inner, path, way))
    }

    /// Includes inside an included text; their paths start at its file.
    fn fill_inside(&mut self, text: String, path: String, way: &Way<'_>) -> String {
        if !text.contains("{{") {
            return text;
        }
        let mut files = way.files.to_vec();
        files.push(path);
        let mut made = String::with_capacity(text.len());
        let mut done = 0;
        for found in directive::find(&text) {
            let line = text[..found.span.start].matches('\n').count() + 1;
            let inner = Way { span: way.span, files: &files, line };
            let Some(filled) = self.fill(&found, &inner) else { continue };
            made.push_str(&text[done..found.span.start]);
            made.push_str(&filled);
            done = found.span.end;
        }
        made.push_str(&text[done..]);
        made
    }

    /// Path below the source folder and text of an included file.
    fn text_of(&mut self, path: &str, way: &Way<'_>) -> Option<(String, Arc<str>)> {
        let from = way.files.last().map_or("", String::as_str);
        let path = join(from, path);
        if way.files.contains(&path) {
            let message = format!("`{path}` includes itself");
            self.report(way, &message, "take the include out, or include a part of the file");
            return None;
        }
        if way.files.len() > DEPTH_MAX {
            let message = format!("includes are nested more than {DEPTH_MAX} deep");
            self.report(way, &message, "include the innermost file directly");
            return None;
        }
        if self.left == 0 {
            let message = format!("the page holds more than {INCLUDES_MAX} includes");
            self.report(way, &message, "split the page");
            return None;
        }
        self.left -= 1;
        self.reads.insert(path.clone());
        match (self.read)(&path) {
            Ok(text) => Some((path, text)),
            Err(reason) => {
                let message = format!("cannot include `{path}`: {reason}");
                self.report(
                    way,
                    &message,
                    "the path starts at the folder of the file it stands in",
                );
                None
            }
        }
    }

    fn check_place(&mut self, path: &str, text: &str, place: &Place, way: &Way<'_>) {
        match place {
            Place::Anchor(name) if !lines::has_anchor(text, name) => {
                let message = format!("`{path}` has no anchor `{name}`");
                let help = format!("mark the first line with `ANCHOR: {name}` in a comment");
                self.warn(way, &message, &help);
            }
            Place::Lines { from, .. } if *from > 0 && *from >= text.lines().count() => {
                let message = format!("`{path}` has only {} lines", text.lines().count());
                self.warn(way, &message, "name lines that exist, or an anchor");
            }
            Place::Anchor(_) | Place::Lines { .. } => {}
        }
    }

    /// For what mdBook lets pass: nothing is put in, and the page is built.
    fn warn(&mut self, way: &Way<'_>, message: &str, help: &str) {
        let before = self.findings.len();
        self.report(way, message, help);
        self.findings.iter_mut().skip(before).for_each(|found| found.severity = Severity::Warning);
    }

    fn report(&mut self, way: &Way<'_>, message: &str, help: &str) {
        let within = match (way.line, way.files.last()) {
            (0, _) | (_, None) => String::new(),
            (line, Some(file)) => format!(" (in `{file}`, line {line})"),
        };
        if self.findings.len() < crate::findings::FINDINGS_MAX {
            self.findings.push(
                Diagnostic::at(
                    Code::Include,
                    self.file,
                    way.span.clone(),
                    format!("{message}{within}"),
                )
                .with_help(help),
            );
        }
    }
}

/// The path of `to`, named in the file `from`; `..` above the source folder is kept.
fn join(from: &str, to: &str) -> String {
    if to.starts_with('/') {
        return to.to_owned();
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in to.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}
