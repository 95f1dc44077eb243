//! Markdown to typed pages: front matter, headings, blocks, links, glossary, navigation, `book.toml`.
//!
//! `loggia` reads the files and hands in their text; `evidence` reads what is bound to what; `pages`
//! turns blocks into HTML. This crate does no I/O and knows nothing of telemetry: it says *what* is
//! bound (ids, queries, claims in words), never whether it holds.
//!
//! The walk: [`Config::parse`], then [`Book::assemble`], which orders the files (`summary`), reads
//! each (`page`: `encoding`, `frontmatter`, `body`) and checks the links between them (`crosslinks`).

mod model;

mod alerts;
mod config;
mod engine;
mod keep;
mod mdbook;

mod book;
mod draft;
mod outline;
mod summary;

mod align;
mod directive;
mod include;
mod lines;
mod preprocess;
mod redirect;

mod page;

mod encoding;
mod frontmatter;
mod repair;

mod body;

mod format;

mod containers;
mod fences;
mod info;
mod listing;
mod marks;

mod highlight;
mod math;

mod addresses;
mod headings;
mod links;
mod raw;
mod terms;

mod boxes;
mod chart;
mod kpi;
mod map;
mod objective;

mod crosslinks;

mod checks;

mod colour;
mod findings;
mod html;
mod suggest;

pub use alerts::{AlertConfig, ReceiverConfig, ReceiverKind, SecretPlace};
pub use checks::{Checked, DEFAULT_COLOURS, ExternalLink, Silenced};
pub use draft::Draft;
pub use engine::{EngineAddress, EngineKind, Engines};
pub use format::{Formatted, Kept, format_page};
pub use highlight::{CodeCache, highlight};
pub use include::{Expanded, Read, expand_includes};
pub use keep::{Keep, KeepPlace, parse_retention, parse_retention_size};
pub use mdbook::{MdBook, Moved};
pub use model::*;
pub use page::{parse_page, parse_page_with};
pub use preprocess::{
    Preprocessor, Step, context as preprocessor_context, steps as preprocessor_steps,
};
pub use redirect::Redirect;
pub use repair::{Doubt, Repair, repair_encoding};
pub use suggest::nearest;
pub use terms::BookTerms;
