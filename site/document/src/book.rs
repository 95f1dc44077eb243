//! Pages to a book: reading order, reuse of unchanged pages, links across pages.
//!
//! `loggia` hands in configuration and files each time something changed; `draft` has put them in order
//! and filled in their includes.

use crate::terms::BookTerms;
use crate::{
    Book, Chapter, Config, Draft, OutlineItem, Page, Piece, addresses, crosslinks, links, outline,
    page,
};
use diagnostics::{Code, Diagnostic, SourceFile};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

impl Book {
    /// Makes a book of Markdown files whose paths are relative to the source folder, with `/`
    /// between their parts. `previous` lends its pages where text and configuration are unchanged.
    ///
    /// Links to files that are no pages (images, downloads) are not checked; see
    /// [`Book::assemble_with_assets`].
    pub fn assemble(config: Config, files: Vec<SourceFile>, previous: Option<&Book>) -> Self {
        Self::assemble_draft(config, Draft::of(files), None, previous)
    }

    /// As [`Book::assemble`], and links to files that are no pages are checked against `assets`:
    /// the paths of all other files below the source folder.
    pub fn assemble_with_assets(
        config: Config,
        files: Vec<SourceFile>,
        assets: &[String],
        previous: Option<&Book>,
    ) -> Self {
        Self::assemble_draft(config, Draft::of(files), Some(assets), previous)
    }

    /// As [`Book::assemble_with_assets`], of files that are in order already.
    pub fn assemble_draft(
        config: Config,
        draft: Draft,
        assets: Option<&[String]>,
        previous: Option<&Book>,
    ) -> Self {
        let Draft { files, plan, titles, anchors, mut findings, code } = draft;
        code.make_room();
        let same_config = previous.filter(|book| book.config == config);
        let terms = match config.own_terms_only {
            true => BookTerms::default(),
            false => terms(&files, &config, &by_source(same_config)),
        };
        // A page's terms stand in it: with other terms every page is another one.
        let known = by_source(same_config.filter(|book| *book.terms == terms));
        let stems = addresses::stems(files.iter().map(SourceFile::path));
        let moved = same_config.is_some_and(|book| {
            addresses::stems(book.pages.iter().map(|page| page.source.as_str())) != stems
        });
        let same_links =
            |page: &Page| !moved || !page.links.iter().any(|link| addresses::is_bare(&link.target));
        let names = names(plan.as_deref().unwrap_or_default());
        let read = |file: &SourceFile| {
            let id = links::markdown_stem(file.path()).unwrap_or(file.path());
            let listed_as = names.get(id).copied();
            match known.get(file.path()) {
                Some(page)
                    if page.file == *file
                        && page.listed_as.as_deref() == listed_as
                        && same_links(page) =>
                {
                    Arc::clone(page)
                }
                _ => {
                    let title = titles.get(file.path()).map(String::as_str);
                    let around = page::Around { code: &code, terms: &terms, stems: &stems };
                    Arc::new(page::parse(file, &config, around, title, listed_as))
                }
            }
        };
        let pages: Vec<Arc<Page>> = files.par_iter().map(read).collect();
        same_address(&pages, &mut findings);
        crosslinks::check_summary(&pages, anchors, &mut findings);
        crosslinks::check(&pages, assets, &mut findings);
        let outline = plan.unwrap_or_else(|| outline::of_folders(&pages));
        let terms = Arc::new(terms);
        let mut book = Self { config, pages, outline, terms, diagnostics: Vec::new() };
        book.diagnostics = findings.into_iter().filter_map(|found| book.admit(found)).collect();
        book
    }

    /// The page with this [`Page::id`].
    pub fn page(&self, id: &str) -> Option<&Arc<Page>> {
        self.pages.iter().find(|page| page.id == id)
    }

    /// The page with this [`Page::path`].
    pub fn page_at(&self, path: &str) -> Option<&Arc<Page>> {
        self.pages.iter().find(|page| page.path == path)
    }

    /// Findings of the book and of all its pages, in reading order.
    pub fn all_diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().chain(self.pages.iter().flat_map(|page| &page.diagnostics))
    }
}

/// What `SUMMARY.md` calls each page.
fn names(plan: &[OutlineItem]) -> HashMap<&str, &str> {
    fn add<'p>(chapter: &'p Chapter, names: &mut HashMap<&'p str, &'p str>) {
        if let Some(page) = &chapter.page {
            names.entry(page).or_insert(&chapter.title);
        }
        chapter.children.iter().for_each(|child| add(child, names));
    }
    let mut names = HashMap::new();
    for item in plan {
        if let OutlineItem::Chapter(chapter) = item {
            add(chapter, &mut names);
        }
    }
    names
}

fn by_source(book: Option<&Book>) -> HashMap<&str, &Arc<Page>> {
    let pages = book.into_iter().flat_map(|book| &book.pages);
    pages.map(|page| (page.source.as_str(), page)).collect()
}

/// What all pages define, in the book's order.
fn terms(files: &[SourceFile], config: &Config, known: &HashMap<&str, &Arc<Page>>) -> BookTerms {
    let of_file = |file: &SourceFile| match known.get(file.path()) {
        Some(page) if page.file == *file => {
            let shown = page.pieces.iter().any(|piece| matches!(piece, Piece::Glossary));
            (page.glossary.clone(), shown)
        }
        _ => page::glossary(file, config),
    };
    let found: Vec<_> = files
        .par_iter()
        .map(|file| {
            let (entries, shown) = of_file(file);
            (entries, shown.then(|| links::page_path(file.path())))
        })
        .collect();
    BookTerms::of(found.into_iter())
}

/// `README.md` and `index.md` of one folder would both be its `index.html`.
fn same_address(pages: &[Arc<Page>], findings: &mut Vec<Diagnostic>) {
    let mut first: HashMap<&str, &Page> = HashMap::new();
    for page in pages {
        if let Some(other) = first.insert(&page.path, page) {
            let message =
                format!("`{}` and `{}` both become `{}`", other.source, page.source, page.path);
            findings.push(
                Diagnostic::at(Code::Config, &page.file, 0..0, message)
                    .with_help("rename one of them"),
            );
        }
    }
}

/// Key for the order of a book without a summary: the index of a folder first, then by name.
pub(crate) fn natural_key(path: &str) -> Vec<(u8, String)> {
    let stem = links::markdown_stem(path).unwrap_or(path);
    let parts: Vec<&str> = stem.split('/').collect();
    let last = parts.len() - 1;
    let rank = |(at, part): (usize, &&str)| {
        let first = at == last && links::is_index(part);
        (u8::from(!first), part.to_lowercase())
    };
    parts.iter().enumerate().map(rank).collect()
}
