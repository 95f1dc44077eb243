//! A text with its name: turns byte offsets into lines, columns and excerpts.

use crate::Excerpt;
use std::ops::Range;
use std::sync::Arc;

/// Lines shown before and after the marked one.
const CONTEXT_LINES: usize = 1;
/// A marked range is cut to this many lines in an excerpt.
const EXCERPT_LINES_MAX: usize = 6;

/// One file's path, as the author knows it, and its text. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFile {
    path: Arc<str>,
    text: Arc<str>,
}

impl SourceFile {
    /// Takes the path relative to the book, with `/` between its parts.
    pub fn new(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// The path relative to the book.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column, both from 1, the column in characters.
    pub fn position(&self, offset: usize) -> (u32, u32) {
        let offset = self.floor(offset);
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        let column = self.text[line_start..offset].chars().count() + 1;
        (saturate(line), saturate(column))
    }

    /// Byte offset of the start of a line counted from 1; the end of the text when there is none.
    pub fn line_start(&self, line: u32) -> usize {
        let mut start = 0;
        for _ in 1..line {
            match self.text[start..].find('\n') {
                Some(at) => start += at + 1,
                None => return self.text.len(),
            }
        }
        start
    }

    pub(crate) fn excerpt(&self, span: Range<usize>) -> Excerpt {
        let start = self.floor(span.start);
        let end = self.floor(span.end.max(start));
        let text = &*self.text;
        let mut from = text[..start].rfind('\n').map_or(0, |at| at + 1);
        for _ in 0..CONTEXT_LINES {
            from = text[..from.saturating_sub(1)].rfind('\n').map_or(0, |at| at + 1);
        }
        let lines_marked = text[start..end].matches('\n').count().min(EXCERPT_LINES_MAX - 1);
        let mut to = start;
        for _ in 0..=lines_marked + CONTEXT_LINES {
            match text[to..].find('\n') {
                Some(at) => to += at + 1,
                None => to = text.len(),
            }
        }
        let shown = text[from..to].trim_end_matches(['\n', '\r']);
        let limit = shown.len();
        Excerpt {
            first_line: self.position(from).0,
            text: shown.to_owned(),
            start: (start - from).min(limit),
            end: (end - from).min(limit),
        }
    }

    fn floor(&self, offset: usize) -> usize {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

fn saturate(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_excerpts() {
        let file = SourceFile::new("a.md", "eins\nzwei ü drei\nvier\nfünf");
        for (needle, line, column, excerpt) in [
            ("eins", 1, 1, "eins\nzwei ü drei"),
            ("drei", 2, 8, "eins\nzwei ü drei\nvier"),
            ("fünf", 4, 1, "vier\nfünf"),
        ] {
            let at = file.text().find(needle).expect("needle is in the text");
            assert_eq!(file.position(at), (line, column), "{needle}");
            let cut = file.excerpt(at..at + needle.len());
            assert_eq!(cut.text, excerpt, "{needle}");
            assert_eq!(&cut.text[cut.start..cut.end], needle);
        }
    }
}
