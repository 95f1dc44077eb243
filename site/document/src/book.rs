//! Pages to a book: reading order, reuse of unchanged pages, links across pages.

use crate::{Book, Config, DiagramBlock, Kpi, Page, Piece, parse_page};
use diagnostics::SourceFile;
use std::sync::Arc;

impl Book {
    /// Makes a book of Markdown files whose paths are relative to the source folder, with `/`
    /// between their parts. `previous` lends its pages where text and configuration are unchanged.
    ///
    /// Links to files that are no pages (images, downloads) are not checked; see
    /// [`Book::assemble_with_assets`].
    pub fn assemble(config: Config, files: Vec<SourceFile>, previous: Option<&Book>) -> Self {
        Self::build(config, files, None, previous)
    }

    /// As [`Book::assemble`], and links to files that are no pages are checked against `assets`:
    /// the paths of all other files below the source folder.
    pub fn assemble_with_assets(
        config: Config,
        files: Vec<SourceFile>,
        assets: &[String],
        previous: Option<&Book>,
    ) -> Self {
        Self::build(config, files, Some(assets), previous)
    }

    fn build(
        config: Config,
        files: Vec<SourceFile>,
        _assets: Option<&[String]>,
        _previous: Option<&Book>,
    ) -> Self {
        let pages = files.iter().map(|file| Arc::new(parse_page(file, &config))).collect();
        Self { config, pages, diagnostics: Vec::new() }
    }

    /// The page with this [`Page::id`].
    pub fn page(&self, id: &str) -> Option<&Arc<Page>> {
        self.pages.iter().find(|page| page.id == id)
    }

    /// Findings of the book and of all its pages, in reading order.
    pub fn all_diagnostics(&self) -> impl Iterator<Item = &diagnostics::Diagnostic> {
        self.diagnostics.iter().chain(self.pages.iter().flat_map(|page| &page.diagnostics))
    }
}

impl Page {
    /// Every figure of the page, tiles and figures in prose, in order of [`Kpi::index`].
    pub fn kpis(&self) -> impl Iterator<Item = &Kpi> {
        self.pieces.iter().flat_map(|piece| match piece {
            Piece::KpiGrid(kpis) => kpis.as_slice(),
            Piece::Figure(kpi) => std::slice::from_ref(&**kpi),
            _ => &[],
        })
    }

    /// Every diagram of the page, in order of [`DiagramBlock::index`].
    pub fn diagrams(&self) -> impl Iterator<Item = &DiagramBlock> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Diagram(block) => Some(&**block),
            _ => None,
        })
    }
}

impl crate::GlossaryEntry {
    /// The `id` of its place in the glossary: `glossary-event-driven`.
    pub fn anchor(&self) -> String {
        format!("glossary-{}", self.term.to_lowercase().replace(' ', "-"))
    }
}
