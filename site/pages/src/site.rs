//! What all pages of one book have in common.

use crate::{Assets, Chart, Navigation};
use document::Book;

/// A book with everything that its pages need apart from their own content.
#[derive(Clone)]
pub struct Site<'a> {
    /// The book.
    pub book: &'a Book,
    /// The tree of that book.
    pub navigation: &'a Navigation,
    /// The theme's files.
    pub assets: &'a Assets,
    /// Whether a server with telemetry stands behind the page: live values, links to `/live/`.
    pub live: bool,
    /// For pages that follow changes of their sources: what they are shown from, another number for
    /// each change. An open page that names another one than the server's is fetched again.
    pub version: Option<u64>,
    /// Where the site's root is: empty for links relative to each page (the page then also opens
    /// from a file), else a prefix that ends in `/`, such as `/docs/` or `https://example.org/docs/`.
    pub base: String,
    /// Where the site will stand on the web, ending in `/`, where that is known: `https://example.org/docs/`.
    pub url: Option<String>,
    /// The charts of the page that is shown, in the order of its fences; none where nothing is measured.
    pub charts: &'a [Chart],
    /// The moment that is shown, in milliseconds since 1970.
    pub now_ms: i64,
    /// The same when a reader chose a moment of the past: links within the site keep it, and nothing
    /// moves.
    pub at: Option<i64>,
    /// Since when telemetry is kept and until when, milliseconds since 1970: how far back a reader may go.
    /// `None` where there is none or no server.
    pub kept: Option<(i64, i64)>,
    /// Names and values that stand in the page's address beside its times, for a form that keeps them.
    pub asked: &'a [(String, String)],
}

impl Site<'_> {
    /// Prefix that leads from the page at `path` (such as `guide/intro.html` or
    /// `live/services/orders`) to the site's root: empty or ending in `/`.
    pub(crate) fn root(&self, path: &str) -> String {
        if self.base.is_empty() {
            "../".repeat(path.matches('/').count())
        } else {
            self.base.clone()
        }
    }

    /// Name of the book: from its configuration, else from its first page.
    pub(crate) fn title(&self) -> &str {
        let first = || {
            let page = self.book.pages.first()?;
            Some(page.hero.as_ref().map_or(page.title.as_str(), |hero| hero.title.as_str()))
        };
        self.book.config.title.as_deref().or_else(first).unwrap_or("Loggia")
    }
}
