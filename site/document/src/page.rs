//! One Markdown file to a [`Page`].

use crate::{Config, Page, Piece};
use diagnostics::SourceFile;

/// Reads one Markdown file; its path is relative to the source folder. Never fails: what cannot be
/// read is in [`Page::diagnostics`].
pub fn parse_page(file: &SourceFile, _config: &Config) -> Page {
    let id = file.path().strip_suffix(".md").unwrap_or(file.path()).to_owned();
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new(file.text()));
    Page {
        path: format!("{id}.html"),
        title: id.clone(),
        id,
        source: file.path().to_owned(),
        pieces: vec![Piece::Html(html)],
        file: file.clone(),
        ..Page::default()
    }
}
