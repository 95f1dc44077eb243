//! Footnotes: numbered by first reference, written at the end of the page.

use super::Body;
use crate::Piece;
use diagnostics::Code;
use std::collections::HashMap;
use std::ops::Range;

/// Footnotes of the page so far.
#[derive(Default)]
pub(super) struct Footnotes {
    /// Label to number, counted by first reference.
    pub(super) numbers: HashMap<String, usize>,
    /// References so far, by number - 1.
    pub(super) references: Vec<usize>,
    /// Definitions by label, in the order of the text.
    pub(super) definitions: Vec<(String, Vec<Piece>)>,
    pub(super) open: Vec<String>,
}

impl Body<'_, '_, '_, '_> {
    pub(super) fn footnote_reference(&mut self, label: &str) {
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
        if self.heading.is_some() || self.in_term {
            self.id_text.push_str(&number.to_string()); // as mdBook's ids do
        }
        let html = format!(
            "<sup class=\"footnote\"{id}><a href=\"#fn:{number}\" role=\"doc-noteref\">{number}</a></sup>"
        );
        self.writer().html(&html);
    }

    pub(super) fn end_footnote(&mut self) {
        let label = self.footnotes.open.pop().unwrap_or_default();
        if let Some(writer) = self.writers.pop_if(|_| true) {
            self.footnotes.definitions.push((label, writer.finish()));
        }
    }

    /// `[^x]` that stayed text because nothing defines it.
    pub(super) fn check_footnotes(&mut self, span: Range<usize>) {
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

    /// All footnotes at the end, in the order of their numbers; unused ones last.
    pub(super) fn write_footnotes(&mut self) {
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
