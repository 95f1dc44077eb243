//! Markdown to typed pages: front matter, headings, blocks, links, glossary, navigation, `book.toml`.
//!
//! `loggia` reads the files and hands in their text; `evidence` reads what is bound to what; `pages`
//! turns blocks into HTML. This crate does no I/O and knows nothing of telemetry: it says *what* is
//! bound (ids, queries, claims in words), never whether it holds.

mod book;
mod config;
mod model;
mod page;

pub use model::*;
pub use page::parse_page;
