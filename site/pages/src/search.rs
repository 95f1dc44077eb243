//! The page for searching, `search.html`: results where a server made them, and the list of pages.
//! `loggia` hands in what was found.

use crate::frame::{Frame, Place, View};
use crate::markup::escape;
use crate::overlay::encode;
use crate::problems::written;
use crate::{Cells, Site, live};
use askama::Template;
use evidence::Evidence;

/// Address of the page for searching below the site's root.
pub const SEARCH_PATH: &str = "search.html";

/// What a search found, as the page shows it.
#[derive(Debug, Clone, Default)]
pub struct SearchView {
    /// As the reader typed it.
    pub query: String,
    /// What there is to say about the results, in a sentence; empty before anything was asked.
    pub said: String,
    /// Best first.
    pub groups: Vec<SearchGroup>,
}

/// A page, term or service with the sections that were found in it.
#[derive(Debug, Clone)]
pub struct SearchGroup {
    /// `Term` or `Service`; empty for a page.
    pub kind: String,
    /// Address below the site's root.
    pub url: String,
    /// Its title.
    pub title: String,
    /// What was found in it.
    pub hits: Vec<SearchHit>,
}

/// A section.
#[derive(Debug, Clone)]
pub struct SearchHit {
    /// Behind `#`; empty for the top.
    pub anchor: String,
    /// The heading; empty for the top.
    pub title: String,
    /// Text in turn: not found, found, not found, ...
    pub excerpt: Vec<String>,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchTemplate<'a> {
    frame: Frame<'a>,
    query: &'a str,
    said: &'a str,
    groups: Vec<GroupShown<'a>>,
    pages: Vec<(String, &'a str)>,
}

struct GroupShown<'a> {
    href: String,
    title: &'a str,
    kind: &'a str,
    place: &'a str,
    text: Option<String>,
    hits: Vec<HitShown<'a>>,
}

struct HitShown<'a> {
    href: String,
    title: &'a str,
    text: String,
}

/// The page for searching. A static build hands in an empty view: there the script fills it.
pub fn render_search(site: &Site, view: &SearchView, evidence: Option<&Evidence>) -> String {
    let cells = evidence.map_or_else(Cells::new, |found| live::cells_for_services(site, found));
    let place = Place {
        path: SEARCH_PATH,
        id: "live/services",
        title: "Search".to_owned(),
        view: View::Docs,
        page: None,
        service: None,
    };
    let root = site.root(SEARCH_PATH);
    let pages = &site.book.pages;
    written(&SearchTemplate {
        frame: Frame::new(site, &place, evidence, &cells),
        query: &view.query,
        said: &view.said,
        groups: view.groups.iter().map(|group| shown(&root, &view.query, group)).collect(),
        pages: pages.iter().map(|page| (format!("{root}{}", page.path), &*page.title)).collect(),
    })
}

fn shown<'a>(root: &str, query: &str, group: &'a SearchGroup) -> GroupShown<'a> {
    let href = |anchor: &str| address(root, &group.url, anchor, query);
    let top = group.hits.iter().find(|hit| hit.anchor.is_empty());
    let sections = group.hits.iter().filter(|hit| !hit.anchor.is_empty());
    GroupShown {
        href: href(""),
        title: &group.title,
        kind: &group.kind,
        place: &group.url,
        text: top.map(|hit| marked(&hit.excerpt)),
        hits: sections
            .map(|hit| HitShown {
                href: href(&hit.anchor),
                title: &hit.title,
                text: marked(&hit.excerpt),
            })
            .collect(),
    }
}

fn address(root: &str, url: &str, anchor: &str, query: &str) -> String {
    let (path, own) = url.split_once('#').unwrap_or((url, ""));
    let anchor = if anchor.is_empty() { own } else { anchor };
    let query = match path.starts_with("live/") {
        true => String::new(),
        false => format!("?highlight={}", encode(query)),
    };
    let hash = if anchor.is_empty() { String::new() } else { format!("#{}", encode(anchor)) };
    format!("{root}{path}{query}{hash}")
}

fn marked(excerpt: &[String]) -> String {
    let part = |(at, text): (usize, &String)| match at % 2 {
        0 => escape(text),
        _ => format!("<mark>{}</mark>", escape(text)),
    };
    excerpt.iter().enumerate().map(part).collect()
}
