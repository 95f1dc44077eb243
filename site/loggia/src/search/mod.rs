//! Search of the book: an index of our own, made of the typed pages and cut into small scripts that
//! the reader's browser loads as it needs them.
//!
//! `build` writes what [`write()`] gives; `serve` keeps an [`Index`] in memory, replaces what changed in
//! it, and answers and encodes files from it as they are asked for. Plain scripts instead of JSON: they also load where a book is opened from
//! `file://`. The walk: `text` (page to documents) -> `words` (text to words) -> `postings` (words to
//! places) -> `files` (places to scripts), and `find` for readers without script.

mod correct;
mod files;
mod find;
mod forms;
mod postings;
mod services;
mod text;
mod words;

pub use files::Parts;
pub use find::{Found, Group, Hit};
pub use postings::Index;
pub use services::Service;
pub use text::{Doc, Kind, Section};

use document::Book;

/// Folder of the index below the site's root.
pub const FOLDER: &str = "assets/search/";

/// Hands the files of the search index to `write`, as paths below the site's root with their content.
/// Services lead to the section that describes them.
///
/// # Errors
///
/// The first one of `write`.
pub fn write<E: Send>(
    book: &Book,
    write: impl Fn(&str, &[u8]) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let index = Index::of(book, &services::documented(book));
    index.write_all(|name, bytes| write(&format!("{FOLDER}{name}"), bytes))
}
