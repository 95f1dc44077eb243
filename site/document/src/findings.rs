//! Collects what is wrong with one file, and turns places in its body into places in the file.
//!
//! Every module that reads a page's text reports here; `page` takes the list.

use diagnostics::{Code, Diagnostic, Part, SourceFile};
use std::ops::Range;

/// Findings kept per page; a hostile page would otherwise cost the square of its length.
pub(crate) const FINDINGS_MAX: usize = 200;

pub(crate) struct Findings<'a> {
    file: &'a SourceFile,
    list: Vec<Diagnostic>,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(file: &'a SourceFile) -> Self {
        Self { file, list: Vec::new() }
    }

    pub(crate) fn file(&self) -> &'a SourceFile {
        self.file
    }

    pub(crate) fn add(&mut self, found: Diagnostic) {
        if self.list.len() < FINDINGS_MAX {
            self.list.push(found);
        }
    }

    /// A finding with a line of help.
    pub(crate) fn report(
        &mut self,
        code: Code,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.list.len() < FINDINGS_MAX {
            self.add(Diagnostic::at(code, self.file, span, message).with_help(help));
        }
    }

    /// In the order of the text.
    pub(crate) fn into_list(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|found| (found.line, found.column));
        self.list
    }
}

/// A body's text cut from a file, with blocks of other generators translated, and closing fences put in
/// where the author forgot them.
pub(crate) struct Origin {
    /// Where the body begins in the file, in bytes.
    start: usize,
    /// What the parts of the translated body stand for; empty where nothing was translated.
    parts: Vec<Part>,
    /// Where text was put in (bytes of the mended body) and how much, in order.
    inserted: Vec<(usize, usize)>,
}

impl Origin {
    pub(crate) fn new(start: usize) -> Self {
        Self { start, parts: Vec::new(), inserted: Vec::new() }
    }

    /// As [`Origin::new`], of a body that was made from the file's.
    pub(crate) fn translated(start: usize, parts: Vec<Part>) -> Self {
        Self { start, parts, inserted: Vec::new() }
    }

    /// Notes that `length` bytes were put in at `at`, behind all earlier ones.
    pub(crate) fn insert(&mut self, at: usize, length: usize) {
        self.inserted.push((at, length));
    }

    /// Byte of the file that stands at byte `at` of the body.
    pub(crate) fn in_file(&self, at: usize) -> usize {
        let added: usize = self
            .inserted
            .iter()
            .take_while(|(place, _)| *place < at)
            .map(|(place, length)| (*length).min(at - place))
            .sum();
        self.start + self.in_source(at - added)
    }

    /// Byte of the file's own body that stands at byte `at` of the translated one.
    fn in_source(&self, at: usize) -> usize {
        let after = self.parts.partition_point(|part| part.at <= at);
        match self.parts.get(after.saturating_sub(1)) {
            Some(part) if part.verbatim => {
                (part.from.start + at.saturating_sub(part.at)).min(part.from.end)
            }
            Some(part) => part.from.start,
            None => at,
        }
    }

    pub(crate) fn span(&self, span: &Range<usize>) -> Range<usize> {
        self.in_file(span.start)..self.in_file(span.end)
    }
}

/// The place of `needle` inside `within`, or all of `within` where it does not stand literally.
pub(crate) fn place_of(text: &str, within: Range<usize>, needle: &str) -> Range<usize> {
    match text.get(within.clone()).and_then(|part| part.find(needle)) {
        Some(at) if !needle.is_empty() => within.start + at..within.start + at + needle.len(),
        _ => within,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_maps_back_over_inserted_text() {
        let mut origin = Origin::new(100);
        origin.insert(10, 4);
        origin.insert(30, 4);
        for (body, file) in [(0, 100), (10, 110), (12, 110), (14, 110), (20, 116), (40, 132)] {
            assert_eq!(origin.in_file(body), file, "{body}");
        }
    }
}
