//! The files of a book in order, before they are parsed: here includes are filled in and preprocessors
//! have their turn.
//!
//! `loggia` makes one of what it read and hands it to [`crate::Book::assemble_draft`].

use crate::include::{self, Read};
use crate::preprocess::{self, JsonBook};
use crate::{CodeCache, Config, OutlineItem, outline};
use diagnostics::{Diagnostic, SourceFile};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What is to become a book.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// The pages in reading order.
    pub files: Vec<SourceFile>,
    /// The outline by the summary; `None` where there is none.
    pub(crate) plan: Option<Vec<OutlineItem>>,
    /// Path of a page to what `{{#title}}` says in it.
    pub(crate) titles: HashMap<String, String>,
    /// Links of the summary to places on pages.
    pub(crate) anchors: Vec<SummaryAnchor>,
    /// What is wrong with the summary, the includes and the preprocessors.
    pub findings: Vec<Diagnostic>,
    /// Code that was coloured before; what is new is added.
    pub code: Arc<CodeCache>,
}

/// A link of the summary to a place on a page, which is known once the page was read.
#[derive(Debug, Clone)]
pub(crate) struct SummaryAnchor {
    /// Path of the page's file.
    pub(crate) page: String,
    /// What stands behind the `#`.
    pub(crate) fragment: String,
    /// What is wrong when there is no such place.
    pub(crate) broken: Diagnostic,
}

impl Draft {
    /// Puts files in order; paths are relative to the source folder.
    pub fn of(files: Vec<SourceFile>) -> Self {
        outline::order(files, false)
    }

    /// As [`Draft::of`], with what `book.toml` says of chapters that have no file.
    pub fn of_book(files: Vec<SourceFile>, config: &Config) -> Self {
        outline::order(files, config.mdbook.create_missing == Some(true))
    }

    /// Whether a `SUMMARY.md` says what the pages are.
    pub fn has_summary(&self) -> bool {
        self.plan.is_some()
    }

    /// Fills in the includes of all pages. What comes back are the files that each page asked for.
    pub fn expand_includes(&mut self, read: Read<'_>) -> BTreeMap<String, BTreeSet<String>> {
        let mut asked = BTreeMap::new();
        for file in &mut self.files {
            if !file.text().contains("{{") {
                continue;
            }
            let done = include::expand_includes(file, read);
            if !done.reads.is_empty() {
                asked.insert(file.path().to_owned(), done.reads);
            }
            if let Some(title) = done.title {
                self.titles.insert(file.path().to_owned(), title);
            }
            self.findings.extend(done.findings);
            *file = done.file;
        }
        asked
    }

    /// The book as mdBook hands it to preprocessors; with `indexed`, after its own `index` has run.
    pub fn to_json(&self, indexed: bool) -> serde_json::Value {
        let book = JsonBook::of(self, indexed);
        serde_json::to_value(book).unwrap_or_default()
    }

    /// Takes the book as a preprocessor made it; the error is a reason in words.
    pub fn take_json(&mut self, bytes: &[u8]) -> Result<(), String> {
        let book: JsonBook = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        preprocess::take(self, book);
        Ok(())
    }
}
