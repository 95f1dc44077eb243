//! Mistakes of authors as values: where one is, what was expected and how to mend it.
//!
//! `document`, `diagram` and `evidence` make them; `loggia` prints them and `pages` shows them in
//! the page. This crate reads no file: a [`SourceFile`] is handed in with its text.

mod code;
mod explain;
mod human;
mod machine;
mod sarif;
mod source;

pub use code::{Code, Severity};
pub use explain::{explain, explain_all};
pub use human::{Colour, render_all};
pub use machine::{render_github, render_json};
pub use sarif::render_sarif;
pub use source::{Part, SourceFile};

use serde::Serialize;

/// One finding about one place in one file.
///
/// It carries its own excerpt, so that it can be printed, sent as JSON or shown in a page after the
/// source has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Which rule found it.
    pub code: Code,
    /// Whether the build fails because of it.
    pub severity: Severity,
    /// What is wrong, in lower case and without a final stop.
    pub message: String,
    /// A few words at the marked place; empty when the message says it all.
    pub label: String,
    /// How to mend it.
    pub help: Option<String>,
    /// Path as the author knows it, relative to the book.
    pub file: String,
    /// Line of the first marked character, from 1.
    pub line: u32,
    /// Column of the first marked character in characters, from 1.
    pub column: u32,
    /// The lines around the place.
    pub excerpt: Excerpt,
}

/// A few source lines with the marked range inside them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    /// Number of the first line of `text`, from 1.
    pub first_line: u32,
    /// Whole lines, without the final newline.
    pub text: String,
    /// Byte offsets into `text` of what is marked.
    pub start: usize,
    /// End of the marked bytes, exclusive.
    pub end: usize,
}

impl Diagnostic {
    /// A finding at the bytes `span` of `file`; a span past the end is cut to the text.
    ///
    /// ```
    /// use diagnostics::{Code, Diagnostic, SourceFile};
    /// let file = SourceFile::new("intro.md", "# Hello\n[x](nowhere.md)\n");
    /// let found = Diagnostic::at(Code::BrokenLink, &file, 8..23, "no page `nowhere.md`")
    ///     .with_help("the pages are: `intro.md`");
    /// assert_eq!((found.line, found.column), (2, 1));
    /// ```
    pub fn at(
        code: Code,
        file: &SourceFile,
        span: std::ops::Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        let (line, column) = file.position(span.start);
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            label: String::new(),
            help: None,
            file: file.path().to_owned(),
            line,
            column,
            excerpt: file.excerpt(span),
        }
    }

    /// Adds words at the marked place.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the build must end with a failure.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
