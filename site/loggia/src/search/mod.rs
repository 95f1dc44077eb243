//! Search of the book: an index of our own, made of the typed pages and cut into small scripts that
//! the reader's browser loads as it needs them.
//!
//! `build` writes what [`index`] gives; `serve` keeps an [`Index`] in memory, replaces what changed in
//! it and answers from it. Plain scripts instead of JSON: they also load where a book is opened from
//! `file://`. The walk: `text` (page to documents) -> `words` (text to words) -> `postings` (words to
//! places) -> `files` (places to scripts), and `find` for readers without script.

mod files;
mod find;
mod postings;
mod services;
mod text;
mod words;

pub use find::{Found, Group, Hit};
pub use postings::Index;
pub use services::Service;
pub use text::{Doc, Kind, Section};

use document::Book;

/// Folder of the index below the site's root.
pub const FOLDER: &str = "assets/search/";

/// The files of the search index, as paths below the site's root with their content. Services lead to
/// the section that describes them.
pub fn index(book: &Book) -> impl Iterator<Item = (String, Vec<u8>)> + use<> {
    let services = services::documented(book);
    let index = Index::of(book, &services);
    index.files().into_iter().map(|(name, bytes)| (format!("{FOLDER}{name}"), bytes))
}
