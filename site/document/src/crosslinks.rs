//! Links between pages: does the page, the anchor or the file exist?
//!
//! `book` asks once all pages are read.

use crate::addresses::SERVED;
use crate::draft::SummaryAnchor;
use crate::{Link, Page, Piece, links, suggest};
use diagnostics::{Code, Diagnostic, Severity};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Broken links reported per book; looking for the name that was meant costs time for each.
const FINDINGS_MAX: usize = 100;

/// Links out of the book that are reported beside those.
const NOTES_MAX: usize = 100;

/// Adds a finding for every link that leads nowhere.
pub(crate) fn check(
    pages: &[Arc<Page>],
    assets: Option<&[String]>,
    findings: &mut Vec<Diagnostic>,
) {
    let map = Map::new(pages, assets);
    let links = pages.iter().flat_map(|page| page.links.iter().map(move |link| (&**page, link)));
    let broken = links.filter_map(|(page, link)| map.check(page, link));
    add(broken, findings);
}

/// As [`check`], for links that the pages do not know of themselves: a list for each page.
pub(crate) fn check_more(
    pages: &[Arc<Page>],
    links: &[Vec<Link>],
    assets: &[String],
    findings: &mut Vec<Diagnostic>,
) {
    let map = Map::new(pages, Some(assets));
    let links = pages.iter().zip(links);
    let links = links.flat_map(|(page, links)| links.iter().map(move |link| (&**page, link)));
    let broken = links.filter_map(|(page, link)| map.check(page, link));
    add(broken, findings);
}

/// Adds the first broken links and the first notes: many of these do not hide those.
fn add(found: impl Iterator<Item = Diagnostic>, findings: &mut Vec<Diagnostic>) {
    let (mut broken, mut notes) = (0, 0);
    for finding in found {
        let (count, max) = match finding.severity {
            Severity::Note => (&mut notes, NOTES_MAX),
            _ => (&mut broken, FINDINGS_MAX),
        };
        *count += 1;
        if *count <= max {
            findings.push(finding);
        }
        if broken == FINDINGS_MAX {
            return;
        }
    }
}

/// As [`check`], for links of the summary to places on pages.
pub(crate) fn check_summary(
    pages: &[Arc<Page>],
    anchors: Vec<SummaryAnchor>,
    findings: &mut Vec<Diagnostic>,
) {
    if anchors.is_empty() {
        return;
    }
    let by_source: HashMap<&str, &Arc<Page>> =
        pages.iter().map(|page| (page.source.as_str(), page)).collect();
    let broken = anchors.into_iter().filter_map(|SummaryAnchor { page, fragment, broken }| {
        let target = by_source.get(page.as_str())?;
        let wanted = anchor_of(&fragment);
        let known = || target.anchors.iter().map(String::as_str);
        let sound = wanted.is_empty() || wanted == "top" || known().any(|id| id == wanted);
        (!sound).then(|| broken.with_help(suggest::help(&wanted, "ids", known())))
    });
    findings.extend(broken.take(FINDINGS_MAX));
}

/// The id that a fragment means.
fn anchor_of(fragment: &str) -> String {
    let rewritten = links::rewrite(&format!("#{fragment}"));
    links::decode(&rewritten[1..])
}

/// Whether `anchor` is a diagram of the page, `figure-0`, or a box in it, `figure-0:orders`.
fn is_figure(page: &Page, anchor: &str) -> bool {
    let Some(rest) = anchor.strip_prefix("figure-") else { return false };
    let (number, name) = rest.split_once(':').map_or((rest, None), |(at, name)| (at, Some(name)));
    page.pieces.iter().any(|piece| match piece {
        Piece::Diagram(block) if block.index.to_string() == number => name.is_none_or(|name| {
            let hyphens = |c: char| if c.is_whitespace() { '-' } else { c };
            let mut nodes = block.drawing.nodes.iter();
            nodes.any(|node| node.id.chars().map(hyphens).eq(name.chars()))
        }),
        _ => false,
    })
}

struct Map<'p> {
    /// Pages by the path of their source.
    by_source: HashMap<&'p str, &'p Page>,
    /// Pages by their address.
    by_path: HashMap<&'p str, &'p Page>,
    anchors: HashMap<&'p str, HashSet<&'p str>>,
    folders: HashSet<String>,
    assets: Option<HashSet<&'p str>>,
}

impl<'p> Map<'p> {
    fn new(pages: &'p [Arc<Page>], assets: Option<&'p [String]>) -> Self {
        let files = pages.iter().map(|page| page.source.as_str());
        let others = assets.unwrap_or_default().iter().map(String::as_str);
        let mut folders = HashSet::from([String::new()]);
        for path in files.chain(others) {
            folders.extend(path.match_indices('/').map(|(at, _)| path[..=at].to_owned()));
        }
        let anchors = |page: &'p Arc<Page>| {
            (page.source.as_str(), page.anchors.iter().map(String::as_str).collect())
        };
        Self {
            by_source: pages.iter().map(|page| (page.source.as_str(), &**page)).collect(),
            by_path: pages.iter().map(|page| (page.path.as_str(), &**page)).collect(),
            anchors: pages.iter().map(anchors).collect(),
            folders,
            assets: assets.map(|all| all.iter().map(String::as_str).collect()),
        }
    }

    fn check(&self, page: &Page, link: &Link) -> Option<Diagnostic> {
        let (path, _, fragment) = links::parts(&link.target);
        let path = links::decode(path);
        if path.is_empty() {
            return self.check_anchor(page, page, link, fragment?);
        }
        let Some(resolved) = links::resolve(&page.source, &path) else {
            let message = format!("`{path}` leads out of the book");
            let help =
                "link to a page or file below the source folder, or to an address on the web";
            let mut found = finding(page, link, message, help.to_owned());
            if links::markdown_stem(&path).is_none() {
                // The Rust book links to `../std/`, which stands beside it on the same host: nobody
                // but that host can say whether it is there.
                found.severity = Severity::Note;
            }
            return Some(found);
        };
        if SERVED.iter().any(|served| resolved.starts_with(served)) {
            return None;
        }
        let as_folder = format!("{}/index.html", resolved.trim_end_matches('/'));
        let as_folder = as_folder.trim_start_matches('/');
        let target = self
            .by_source
            .get(resolved.as_str())
            .or_else(|| self.by_path.get(resolved.as_str()))
            .or_else(|| self.by_path.get(as_folder))
            .or_else(|| self.by_path.get(format!("{resolved}.html").as_str()));
        match (target, fragment) {
            (Some(target), Some(fragment)) => self.check_anchor(page, target, link, fragment),
            (Some(_), None) => None,
            (None, _) => self.check_file(page, link, &resolved),
        }
    }

    fn check_anchor(
        &self,
        page: &Page,
        target: &Page,
        link: &Link,
        fragment: &str,
    ) -> Option<Diagnostic> {
        let anchor = anchor_of(fragment);
        let anchors = self.anchors.get(target.source.as_str())?;
        if anchor.is_empty()
            || anchor == "top"
            || anchors.contains(anchor.as_str())
            || is_figure(target, &anchor)
        {
            return None;
        }
        let message = match page.source == target.source {
            true => format!("no heading of this page has the id `{anchor}`"),
            false => format!("no heading of `{}` has the id `{anchor}`", target.source),
        };
        let known = target.anchors.iter().map(String::as_str);
        Some(finding(page, link, message, suggest::help(&anchor, "ids", known)))
    }

    /// A path that is no page: sound when it is another file, or when nobody said which there are.
    fn check_file(&self, page: &Page, link: &Link, resolved: &str) -> Option<Diagnostic> {
        let folder = resolved.ends_with('/') || self.folders.contains(&format!("{resolved}/"));
        if folder && self.folders.contains(&format!("{}/", resolved.trim_end_matches('/'))) {
            return None;
        }
        let is_page = links::markdown_stem(resolved).is_some() || resolved.ends_with(".html");
        let known = self.assets.as_ref().map(|assets| assets.contains(resolved));
        if known == Some(true) || (!is_page && known.is_none()) {
            return None;
        }
        let (what, names): (&str, Vec<&str>) = if is_page {
            ("pages", self.by_source.keys().copied().collect())
        } else {
            ("files", self.assets.iter().flatten().copied().collect())
        };
        let mut names = names;
        names.sort_unstable();
        let given = match resolved.strip_suffix(".html") {
            Some(stem) if is_page => format!("{stem}.md"),
            _ => resolved.to_owned(),
        };
        let message = format!("no {} `{resolved}`", if is_page { "page" } else { "file" });
        Some(finding(page, link, message, suggest::help(&given, what, names.iter().copied())))
    }
}

fn finding(page: &Page, link: &Link, message: String, help: String) -> Diagnostic {
    let span = crate::findings::place_of(page.file.text(), link.span.clone(), &link.target);
    Diagnostic::at(Code::BrokenLink, &page.file, span, message).with_help(help)
}
