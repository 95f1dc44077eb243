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
    /// What the author wrote, where the text was made from it.
    written: Option<Arc<Written>>,
}

/// The author's text, and which of its bytes each part of the made text stands for.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    text: Arc<str>,
    parts: Vec<Part>,
}

/// A run of bytes of a text that was made from another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where it begins in the made text; it ends where the next part begins.
    pub at: usize,
    /// The bytes of the written text that it stands for.
    pub from: Range<usize>,
    /// Whether both are the same bytes; else the whole of `from` is the place of every byte.
    pub verbatim: bool,
}

impl SourceFile {
    /// Takes the path relative to the book, with `/` between its parts.
    pub fn new(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { path: path.into(), text: text.into(), written: None }
    }

    /// The same file with a text that was made from it, for instance by filling in includes. `parts`
    /// stand in the order of the made text. Positions and excerpts stay those of what was written.
    ///
    /// ```
    /// use diagnostics::{Part, SourceFile};
    /// let written = SourceFile::new("a.md", "one\nTWO\nthree\n");
    /// let made = written.remade("one\n2\n2\n2\nthree\n", vec![
    ///     Part { at: 0, from: 0..4, verbatim: true },
    ///     Part { at: 4, from: 4..7, verbatim: false },
    ///     Part { at: 9, from: 7..14, verbatim: true },
    /// ]);
    /// assert_eq!(made.position(8), (2, 1));
    /// assert_eq!(made.position(10), (3, 1));
    /// ```
    #[must_use]
    pub fn remade(&self, text: impl Into<Arc<str>>, parts: Vec<Part>) -> Self {
        let written = Written { text: Arc::clone(&self.text), parts };
        let path = Arc::clone(&self.path);
        Self { path, text: text.into(), written: Some(Arc::new(written)) }
    }

    /// What the author wrote: [`SourceFile::text`] unless that was made from it.
    pub fn written(&self) -> &str {
        self.written.as_ref().map_or(&*self.text, |written| &*written.text)
    }

    /// The bytes of [`SourceFile::written`] that `span` of the text stands for.
    fn in_written(&self, span: Range<usize>) -> Range<usize> {
        let Some(written) = &self.written else { return span };
        let part = |offset: usize| {
            let after = written.parts.partition_point(|part| part.at <= offset);
            written.parts.get(after.saturating_sub(1))
        };
        let start = part(span.start).map_or(0, |part| match part.verbatim {
            true => part.from.start + span.start.saturating_sub(part.at),
            false => part.from.start,
        });
        let end = part(span.end.saturating_sub(1).max(span.start)).map_or(start, |part| match part
            .verbatim
        {
            true => part.from.start + span.end.saturating_sub(part.at),
            false => part.from.end,
        });
        start..end.max(start)
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
        self.position_in_written(self.in_written(offset..offset).start)
    }

    fn position_in_written(&self, offset: usize) -> (u32, u32) {
        let text = self.written();
        let offset = floor(text, offset);
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        let column = text[line_start..offset].chars().count() + 1;
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
        let span = self.in_written(span);
        let text = self.written();
        let start = floor(text, span.start);
        let end = floor(text, span.end.max(start));
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
            first_line: self.position_in_written(from).0,
            text: shown.to_owned(),
            start: (start - from).min(limit),
            end: (end - from).min(limit),
        }
    }
}

fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
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
