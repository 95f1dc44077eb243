//! What readers see of the book: the last good version of each page, and what is wrong with the
//! newest one. The watcher hands in new books; routes and streams read.

use diagnostics::{Code, Diagnostic};
use document::{Book, Page};
use pages::{Assets, Navigation};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The book as it is served.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// As parsed from the newest text; lends unchanged pages to the next one.
    newest: Arc<Book>,
    /// As served.
    pub(crate) book: Arc<Book>,
    /// Its tree.
    pub(crate) navigation: Arc<Navigation>,
    /// The theme's files.
    pub(crate) assets: Arc<Assets>,
    /// Findings by page id; those of the book as a whole stand under every page.
    problems: BTreeMap<String, Vec<Diagnostic>>,
    everywhere: Vec<Diagnostic>,
    /// Another number for each change. It begins with the server's start in milliseconds since 1970, so
    /// that pages of an earlier one are told apart.
    pub(crate) version: u64,
}

impl Shown {
    /// The first version: there is no better one to keep, so a broken page is shown as far as it goes.
    pub(crate) fn first(book: Book, assets: Arc<Assets>, now_ms: i64) -> Self {
        Self { version: now_ms.unsigned_abs(), ..Self::with(Arc::new(book), assets, None) }
    }

    /// The next version. A page whose new text loses something (a diagram that does not parse, front
    /// matter that cannot be read) stays as it was; its findings are shown above it.
    pub(crate) fn next(&self, book: Book, assets: Arc<Assets>) -> Self {
        Self::with(Arc::new(book), assets, Some(self))
    }

    /// The newest parsed book, whether it is served or not.
    pub(crate) fn newest(&self) -> &Book {
        &self.newest
    }

    /// What is wrong with a page, and with the book as a whole.
    pub(crate) fn problems(&self, page: &str) -> Vec<Diagnostic> {
        let own = self.problems.get(page).into_iter().flatten();
        self.everywhere.iter().chain(own).cloned().collect()
    }

    /// Whether a page is served as its last good version, because the newest one loses something.
    pub(crate) fn is_kept(&self, page: &str) -> bool {
        match (self.book.page(page), self.newest.page(page)) {
            (Some(served), Some(newest)) => !Arc::ptr_eq(served, newest),
            (served, None) => served.is_some(),
            (None, Some(_)) => false,
        }
    }

    fn with(newest: Arc<Book>, assets: Arc<Assets>, before: Option<&Self>) -> Self {
        let served: HashMap<&str, &Arc<Page>> = before
            .into_iter()
            .flat_map(|shown| shown.book.pages.iter().map(|page| (page.id.as_str(), page)))
            .collect();
        let fresh: HashSet<&str> = newest.pages.iter().map(|page| page.id.as_str()).collect();
        let kept = |page: &Arc<Page>| -> Arc<Page> {
            match served.get(page.id.as_str()) {
                Some(old) if loses_content(page) => Arc::clone(old),
                _ => Arc::clone(page),
            }
        };
        let config_broken = newest.diagnostics.iter().any(|found| found.code == Code::Config);
        let config = match before {
            Some(before) if config_broken => before.book.config.clone(),
            _ => newest.config.clone(),
        };
        let mut pages: Vec<Arc<Page>> = newest.pages.iter().map(kept).collect();
        let unreadable = |page: &Page| {
            newest
                .diagnostics
                .iter()
                .any(|found| found.code == Code::Unreadable && found.file == page.source)
        };
        // A file that cannot be read any more makes no page: the last one stays at its place.
        for (place, old) in before.iter().flat_map(|shown| shown.book.pages.iter().enumerate()) {
            if !fresh.contains(old.id.as_str()) && unreadable(old) {
                pages.insert(place.min(pages.len()), Arc::clone(old));
            }
        }
        let book = Book {
            config,
            pages,
            outline: newest.outline.clone(),
            terms: Arc::clone(&newest.terms),
            diagnostics: newest.diagnostics.clone(),
        };
        let mut problems: BTreeMap<String, Vec<Diagnostic>> = newest
            .pages
            .iter()
            .filter(|page| !page.diagnostics.is_empty())
            .map(|page| (page.id.clone(), page.diagnostics.clone()))
            .collect();
        let mut everywhere = Vec::new();
        for found in &newest.diagnostics {
            match book.pages.iter().find(|page| page.source == found.file) {
                Some(page) => problems.entry(page.id.clone()).or_default().push(found.clone()),
                None => everywhere.push(found.clone()),
            }
        }
        let navigation = Arc::new(Navigation::new(&book));
        let version = before.map_or(0, |before| before.version + 1);
        Self { newest, book: Arc::new(book), navigation, assets, problems, everywhere, version }
    }
}

/// Whether some of the author's content cannot be shown as it now stands.
fn loses_content(page: &Page) -> bool {
    page.diagnostics.iter().any(|found| {
        matches!(
            found.code,
            Code::FrontMatter
                | Code::UnclosedFence
                | Code::Diagram
                | Code::KpiGrid
                | Code::Unreadable
        )
    })
}
