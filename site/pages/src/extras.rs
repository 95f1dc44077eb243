//! Pages that a book has besides its own: the glossary of all its terms, everything on one page for
//! printing, and the contents of a large book.
//!
//! `loggia` asks which there are, writes them with a build and answers with them when served.

use crate::frame::{Frame, Place, View};
use crate::markup::escape;
use crate::navigation::{CONTENTS, Tree};
use crate::problems::written;
use crate::{Cells, Site, cells_for_services, whole};
use askama::Template;
use document::{Book, GlossaryEntry, Page};
use evidence::Evidence;
use std::collections::{BTreeMap, HashSet};

/// Address of the glossary.
pub(crate) const GLOSSARY: &str = "glossary.html";
/// Address of the whole book on one page, as mdBook has it.
pub(crate) const PRINT: &str = "print.html";
/// A book with more pages has no print view: no browser lays it out in reasonable time.
const PRINT_PAGES_MAX: usize = 1000;

/// Addresses below the root of the pages that the book has besides its own.
pub fn extras<'a>(site: &Site<'a>) -> &'a [&'static str] {
    &site.navigation.extras
}

/// The page at one of the addresses that [`extras`] names; `None` for any other.
pub fn render_extra(site: &Site, path: &str, evidence: Option<&Evidence>) -> Option<String> {
    if !has(site, path) {
        return None;
    }
    Some(match path {
        GLOSSARY => plain(site, GLOSSARY, "Glossary", &glossary(site), evidence),
        PRINT => whole::render(site, evidence),
        _ => {
            let cells = Cells::new();
            let root = site.root(CONTENTS);
            let tree = Tree::new(site, &root, None, &[], crate::cells::Values(&cells)).whole();
            let body = format!("<h1>Contents</h1>\n<div class=\"contents\">{}</div>", tree.html());
            plain(site, CONTENTS, "Contents", &body, evidence)
        }
    })
}

/// Whether the book has the page at `path`.
pub(crate) fn has(site: &Site, path: &str) -> bool {
    site.navigation.extras.contains(&path)
}

/// What [`extras`] names; asked once per version of the book.
pub(crate) fn of_book(book: &Book, cut: bool) -> Vec<&'static str> {
    let terms = book.pages.iter().any(|page| !page.glossary.is_empty());
    let pages = book.pages.len();
    let print = !book.config.no_print && (2..=PRINT_PAGES_MAX).contains(&pages);
    let wanted = [(GLOSSARY, terms), (PRINT, print), (CONTENTS, cut)];
    let free = |path: &str| book.pages.iter().all(|page| page.path != path);
    let found = wanted.into_iter().filter(|(path, wanted)| *wanted && free(path));
    found.map(|(path, _)| path).collect()
}

#[derive(Template)]
#[template(path = "plain.html")]
struct PlainTemplate<'a> {
    frame: Frame<'a>,
    body: &'a str,
}

fn plain(site: &Site, path: &str, title: &str, body: &str, evidence: Option<&Evidence>) -> String {
    let cells = evidence.map_or_else(Cells::new, |evidence| cells_for_services(site, evidence));
    let place = Place {
        path,
        id: "live/services",
        title: title.to_owned(),
        view: View::Docs,
        page: None,
        service: None,
    };
    written(&PlainTemplate { frame: Frame::new(site, &place, evidence, &cells), body })
}

/// A definition with the pages that give it.
type Meaning<'a> = (&'a GlossaryEntry, Vec<&'a Page>);

/// All terms from A to Z, with the pages that define them.
pub(crate) fn glossary(site: &Site) -> String {
    let mut letters: BTreeMap<String, BTreeMap<String, Vec<Meaning>>> = BTreeMap::new();
    for page in &site.book.pages {
        for entry in &page.glossary {
            let key = entry.term.trim().to_lowercase();
            let meanings = letters.entry(letter(&key)).or_default().entry(key).or_default();
            match meanings.iter_mut().find(|(known, _)| known.definition == entry.definition) {
                Some((_, pages)) => pages.push(page),
                None => meanings.push((entry, vec![page])),
            }
        }
    }
    let root = site.root(GLOSSARY);
    let mut html =
        String::from("<h1>Glossary</h1>\n<nav class=\"letters\" aria-label=\"Letters\">");
    for (at, letter) in letters.keys().enumerate() {
        html.push_str(&format!("<a href=\"#letter-{at}\">{}</a> ", escape(letter)));
    }
    html.push_str("</nav>\n");
    let mut taken = HashSet::new();
    for (at, (letter, terms)) in letters.iter().enumerate() {
        html.push_str(&format!("<h2 id=\"letter-{at}\">{}</h2>\n", escape(letter)));
        html.push_str("<dl class=\"glossary wide\">\n");
        terms.values().for_each(|meanings| term(&mut html, meanings, &root, &mut taken));
        html.push_str("</dl>\n");
    }
    html
}

fn term(html: &mut String, meanings: &[Meaning], root: &str, taken: &mut HashSet<String>) {
    let Some((first, _)) = meanings.first() else { return };
    let anchor = first.anchor();
    let id = match taken.insert(anchor.clone()) {
        true => format!(" id=\"{}\"", escape(&anchor)),
        false => String::new(),
    };
    html.push_str(&format!("<div{id}><dt>{}</dt>", escape(first.term.trim())));
    for (entry, pages) in meanings {
        html.push_str(&format!("<dd>{}<small>in ", escape(&entry.definition)));
        let links = pages.iter().map(|page| {
            let anchor = entry.anchor();
            let shown = page.anchors.contains(&anchor);
            let fragment = if shown { format!("#{anchor}") } else { String::new() };
            let href = escape(&format!("{root}{}{fragment}", page.path));
            format!("<a href=\"{href}\">{}</a>", escape(&page.title))
        });
        html.push_str(&links.collect::<Vec<_>>().join(", "));
        html.push_str("</small></dd>");
    }
    html.push_str("</div>\n");
}

/// The letter that a term stands under; what begins with none stands under `#`.
fn letter(term: &str) -> String {
    let first = term.chars().find(|c| c.is_alphanumeric());
    match first.filter(|c| c.is_alphabetic()) {
        Some(letter) => letter.to_uppercase().collect(),
        None => "#".to_owned(),
    }
}
