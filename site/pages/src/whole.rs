//! The whole book on one page, for printing: links between its pages become links within it.
//!
//! `extras` asks. Ids of each page get a prefix of their own, so that two pages with a heading of the
//! same name do not meet.

use crate::cells::Values;
use crate::markup::escape;
use crate::navigation::Tree;
use crate::page::Body;
use crate::problems::written;
use crate::{Cells, Site, cells_for_page, extras, theme};
use askama::Template;
use document::Page;
use evidence::Evidence;
use std::collections::HashMap;

/// Attributes that name one id of the page or several.
const IDS: &[&str] = &[
    "id",
    "for",
    "name",
    "aria-labelledby",
    "aria-describedby",
    "aria-controls",
    "popovertarget",
    "headers",
];
/// Attributes that hold an address.
const ADDRESSES: &[&str] = &["href", "xlink:href", "src", "poster"];

#[derive(Template)]
#[template(path = "whole.html")]
struct WholeTemplate<'a> {
    site: &'a Site<'a>,
    language: &'a str,
    title: &'a str,
    description: Option<&'a str>,
    home: String,
    style: String,
    mode: &'static str,
    contents: String,
    chapters: Vec<Chapter>,
}

struct Chapter {
    id: String,
    html: String,
}

impl WholeTemplate<'_> {
    fn asset(&self, name: &str) -> String {
        format!("{}{}", self.site.root(extras::PRINT), self.site.assets.path(name))
    }
}

/// The page with everything.
pub(crate) fn render(site: &Site, evidence: Option<&Evidence>) -> String {
    let pages = &site.book.pages;
    let root = site.root(extras::PRINT);
    let paths = pages.iter().map(|page| page.path.as_str()).chain([extras::GLOSSARY]);
    let numbers = paths.enumerate().map(|(at, path)| (path, at)).collect();
    let places = Places { numbers, root: &root };
    let none = Cells::new();
    let tree = Tree::new(site, "", None, &[], Values(&none)).whole().html();
    let look = crate::frame::look(site, site.book.pages.first().map(|page| &**page));
    let glossary = extras::has(site, extras::GLOSSARY).then(|| Chapter {
        id: format!("p{}", pages.len()),
        html: moved(&extras::glossary(site), extras::GLOSSARY, Some(pages.len()), &places),
    });
    let chapters = pages.iter().enumerate().map(|(at, page)| Chapter {
        id: format!("p{at}"),
        html: moved(&chapter(site, page, evidence), &page.path, Some(at), &places),
    });
    written(&WholeTemplate {
        language: if site.book.config.language.is_empty() {
            "en"
        } else {
            &site.book.config.language
        },
        title: site.title(),
        description: site.book.config.description.as_deref(),
        style: theme::style(look),
        mode: theme::mode(look, &site.book.config),
        home: if site.live { root.clone() } else { format!("{root}index.html") },
        contents: moved(&tree, extras::PRINT, None, &places),
        chapters: chapters.chain(glossary).collect(),
        site,
    })
}

/// Where each page stands on the page with everything.
struct Places<'a> {
    /// Number by address below the root.
    numbers: HashMap<&'a str, usize>,
    /// Prefix that leads to the root: empty, or ending in `/`.
    root: &'a str,
}

fn chapter(site: &Site, page: &Page, evidence: Option<&Evidence>) -> String {
    let cells = evidence.map_or_else(Cells::new, |evidence| cells_for_page(site, page, evidence));
    let body = Body::new(site, page, evidence, &cells).html();
    let head = match (&page.hero, page.sections.iter().any(|section| section.level == 1)) {
        (Some(hero), _) => {
            let subtitle = hero.subtitle.as_deref().map(|text| format!("<p>{}</p>", escape(text)));
            let (title, subtitle) = (escape(&hero.title), subtitle.unwrap_or_default());
            format!("<section class=\"hero\"><h1>{title}</h1>{subtitle}</section>\n")
        }
        (None, true) => String::new(),
        (None, false) => format!("<h1>{}</h1>\n", escape(&page.title)),
    };
    head + &body
}

/// `html` of the page at `path` as it stands on the page with everything. Ids get the prefix of the
/// page with that number.
fn moved(html: &str, path: &str, number: Option<usize>, places: &Places) -> String {
    attributes(html, |name, value| {
        let own = |id: &str| number.map_or_else(|| id.to_owned(), |at| format!("p{at}-{id}"));
        if IDS.contains(&name) {
            return Some(value.split_whitespace().map(own).collect::<Vec<_>>().join(" "));
        }
        if ADDRESSES.contains(&name) {
            return address(value, path, number, places);
        }
        let pieces = value.split("url(#").collect::<Vec<_>>();
        (pieces.len() > 1).then(|| pieces.join(&format!("url(#{}", own(""))))
    })
}

/// Where an address of the page at `path` leads from the page with everything.
fn address(value: &str, path: &str, number: Option<usize>, places: &Places) -> Option<String> {
    let (file, fragment) = value.split_once('#').unwrap_or((value, ""));
    let target = match file {
        "" => number,
        file if !places.root.is_empty() && file.starts_with(places.root) => {
            Some(*places.numbers.get(&file[places.root.len()..])?)
        }
        file if file.starts_with('/') || file.contains(':') => return None,
        file => places.numbers.get(decoded(&joined(path, file)).as_str()).copied(),
    };
    match (target, fragment) {
        (Some(at), "") => Some(format!("#p{at}")),
        (Some(at), fragment) => Some(format!("#p{at}-{fragment}")),
        (None, _) if file.is_empty() => None,
        (None, "") => Some(joined(path, file)),
        (None, fragment) => Some(format!("{}#{fragment}", joined(path, file))),
    }
}

/// `file` as seen from the root, where it was relative to the page at `path`.
fn joined(path: &str, file: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// An address with `%20` and the like as the characters they stand for.
fn decoded(address: &str) -> String {
    let bytes = address.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = (byte == b'%').then(|| address.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(found) => {
                out.push(found);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `html` with the values of attributes replaced where `replace` gives another one. Reads what our
/// own pages and authors' raw HTML hold; what is no tag is copied as it is.
fn attributes(html: &str, mut replace: impl FnMut(&str, &str) -> Option<String>) -> String {
    let mut out = String::with_capacity(html.len() + html.len() / 16);
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let length = match rest.strip_prefix("<!--") {
            Some(comment) => comment.find("-->").map_or(rest.len(), |end| end + 7),
            None if rest[1..].starts_with(|c: char| c.is_ascii_alphabetic()) => {
                tag(rest, &mut out, &mut replace);
                rest = &rest[tag_length(rest)..];
                continue;
            }
            None => 1,
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out + rest
}

/// Bytes of the tag at the start of `html`, quotes respected.
fn tag_length(html: &str) -> usize {
    let mut quote = None;
    for (at, byte) in html.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if byte == open => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => return at + 1,
            _ => {}
        }
    }
    html.len()
}

fn tag(html: &str, out: &mut String, replace: &mut impl FnMut(&str, &str) -> Option<String>) {
    let mut rest = &html[..tag_length(html)];
    while let Some(equals) = rest.find('=') {
        let name = rest[..equals].trim_end().rsplit(|c: char| c.is_whitespace() || c == '/').next();
        let after = rest[equals + 1..].trim_start();
        let start = rest.len() - after.len();
        let quoted = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (from, to) = match quoted {
            Some(quote) => {
                let end = after[1..].find(quote).map_or(rest.len(), |end| start + 1 + end);
                (start + 1, end)
            }
            None => {
                let end = after.find(|c: char| c.is_whitespace() || c == '>');
                (start, end.map_or(rest.len(), |end| start + end))
            }
        };
        let value = &rest[from.min(to)..to];
        out.push_str(&rest[..from.min(to)]);
        match replace(&name.unwrap_or_default().to_ascii_lowercase(), value) {
            Some(other) => out.push_str(&other),
            None => out.push_str(value),
        }
        rest = &rest[to..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_ids_lead_within_the_page() {
        let numbers = HashMap::from([("a.html", 0), ("guide/b.html", 1), ("guide/c d.html", 2)]);
        let places = Places { numbers, root: "/docs/" };
        for (given, expected) in [
            ("<h2 id=\"x\">a = b</h2>", "<h2 id=\"p1-x\">a = b</h2>"),
            ("<a href=\"#x\">", "<a href=\"#p1-x\">"),
            ("<a href='../a.html#y' id=z>", "<a href='#p0-y' id=p1-z>"),
            ("<a href=\"c%20d.html\">", "<a href=\"#p2\">"),
            ("<a href=\"https://x.org/a.html#y\">", "<a href=\"https://x.org/a.html#y\">"),
            ("<a href=\"/docs/a.html#y\">", "<a href=\"#p0-y\">"),
            ("<a href=\"/docs/live/map\">", "<a href=\"/docs/live/map\">"),
            ("<a href=\"/live/map#y\">", "<a href=\"/live/map#y\">"),
            ("<img src=\"../img/a.png\" alt=\"id=1\">", "<img src=\"img/a.png\" alt=\"id=1\">"),
            ("<path marker-end=\"url(#m)\"/>", "<path marker-end=\"url(#p1-m)\"/>"),
            ("<p aria-labelledby=\"a b\">", "<p aria-labelledby=\"p1-a p1-b\">"),
            ("<!-- <a href=\"#x\"> --> 1 < 2", "<!-- <a href=\"#x\"> --> 1 < 2"),
            ("<a href=\"#x", "<a href=\"#p1-x"),
            ("<a href=", "<a href=#p1"),
            ("<br/><", "<br/><"),
        ] {
            assert_eq!(moved(given, "guide/b.html", Some(1), &places), expected);
        }
    }
}
