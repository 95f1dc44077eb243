//! What an address that an author writes on a page becomes in the built site.
//!
//! `book` knows which pages there are and hands it to `page`; `body` and `raw` ask while they write.

use crate::links::{self, Kind};
use std::collections::HashSet;

/// Addresses of all pages, without `.html`.
pub(crate) type Stems = HashSet<String>;

/// Addresses that a server of the book answers itself.
pub(crate) const SERVED: &[&str] = &["live/", "api/", "prometheus/", "jaeger/", "assets/"];

/// A page's place among the others.
#[derive(Clone, Copy)]
pub(crate) struct Addresses<'a> {
    /// Path of the page's file.
    page: &'a str,
    stems: &'a Stems,
    /// Whether `/a.md` is a page of this book: mdBook leaves such addresses to the host.
    rooted: bool,
}

/// The stems of files.
pub(crate) fn stems<'p>(sources: impl Iterator<Item = &'p str>) -> Stems {
    let pages = sources.map(links::page_path);
    pages.filter_map(|page| page.strip_suffix(".html").map(str::to_owned)).collect()
}

/// Whether a link may be that of a page without its ending: then it depends on which pages there are.
pub(crate) fn is_bare(target: &str) -> bool {
    let (path, ..) = links::parts(target);
    let name = path.rsplit('/').next().unwrap_or_default();
    !name.is_empty() && links::markdown_stem(name).is_none() && !name.ends_with(".html")
}

impl<'a> Addresses<'a> {
    pub(crate) fn new(page: &'a str, stems: &'a Stems, rooted: bool) -> Self {
        Self { page, stems, rooted }
    }

    /// The address of a link: `b.md#x` and, where there is a page `b.md`, also `b#x` become `b.html#x`;
    /// `/b.md` becomes relative to the page, so that the site may stand in any folder.
    pub(crate) fn href(&self, address: &str) -> String {
        if links::kind(address) != Kind::Inside {
            return address.to_owned();
        }
        let rewritten = links::rewrite(address);
        let (path, ..) = links::parts(&rewritten);
        let rest = &rewritten[path.len()..];
        let ending = if self.is_page_without_ending(path) { ".html" } else { "" };
        format!("{}{ending}{rest}", self.relative(path))
    }

    /// The address of a picture or another file.
    pub(crate) fn file(&self, address: &str) -> String {
        match links::kind(address) {
            Kind::Inside => self.relative(address),
            _ => address.to_owned(),
        }
    }

    fn is_page_without_ending(&self, path: &str) -> bool {
        let page = || links::resolve(self.page, &links::decode(path));
        !self.stems.is_empty()
            && is_bare(path)
            && page().is_some_and(|page| self.stems.contains(&page))
    }

    fn relative(&self, path: &str) -> String {
        let served = |path: &str| SERVED.iter().any(|served| path.starts_with(served));
        match path.strip_prefix('/') {
            Some(below) if self.rooted && !served(below) => {
                let up = "../".repeat(self.page.matches('/').count());
                if up.is_empty() && below.is_empty() { "./".to_owned() } else { up + below }
            }
            _ => path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_to_pages() {
        let stems = stems(["a.md", "guide/b.md", "guide/README.md", "v1.2.md"].into_iter());
        let addresses = Addresses::new("guide/b.md", &stems, true);
        for (address, expected) in [
            ("../a.md#x", "../a.html#x"),
            ("../a#x", "../a.html#x"),
            ("/a?q#x", "../a.html?q#x"),
            ("./b", "./b.html"),
            ("/guide/b.md", "../guide/b.html"),
            ("/guide/", "../guide/"),
            ("/", "../"),
            ("../v1.2", "../v1.2.html"),
            ("../LICENSE", "../LICENSE"),
            ("#x", "#x"),
            ("", ""),
            ("/live/map", "/live/map"),
            ("//host/a", "//host/a"),
            ("https://host/a", "https://host/a"),
            ("/img/x.png", "../img/x.png"),
        ] {
            assert_eq!(addresses.href(address), expected, "{address}");
        }
        assert_eq!(addresses.file("/x.png"), "../x.png");
        assert_eq!(Addresses::new("a.md", &stems, true).href("/"), "./");
        assert_eq!(Addresses::new("guide/b.md", &stems, false).href("/a.md"), "/a.html");
    }
}
