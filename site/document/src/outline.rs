//! Which files are pages, in which order, and the tree that the sidebar shows: `SUMMARY.md`, else the
//! folders.
//!
//! `draft` hands in all files of the source folder and gets them back in reading order.

use crate::book::natural_key;
use crate::draft::SummaryAnchor;
use crate::summary::{self, Entry, Item};
use crate::{Chapter, Draft, OutlineItem, Page, links, suggest};
use diagnostics::{Code, Diagnostic, Severity, SourceFile};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Name of the file that says which pages there are.
const SUMMARY: &str = "SUMMARY.md";
/// Folders that are nested deeper than this are shown as if they stood at this depth.
const DEPTH_MAX: usize = 32;

/// Puts files in reading order. With `create_missing`, a chapter without a file becomes a page with a
/// title and nothing else.
pub(crate) fn order(mut files: Vec<SourceFile>, create_missing: bool) -> Draft {
    files.sort_by_cached_key(|file| natural_key(file.path()));
    let Some(at) = files.iter().position(|file| file.path() == SUMMARY) else {
        return Draft { files, ..Draft::default() };
    };
    let source = files.remove(at);
    let mut planner = Planner {
        summary: &source,
        places: files.iter().enumerate().map(|(at, file)| (file.path(), at)).collect(),
        taken: HashSet::new(),
        chosen: Vec::new(),
        made: create_missing.then(Vec::new),
        anchors: Vec::new(),
        findings: Vec::new(),
    };
    let summary = summary::read(source.text());
    for mistake in &summary.mistakes {
        planner.findings.push(
            Diagnostic::at(Code::Summary, &source, mistake.span.clone(), mistake.message)
                .with_help(mistake.help),
        );
    }
    let plan = planner.plan(&summary.items);
    let Planner { mut findings, chosen, taken, made, anchors, .. } = planner;
    findings.sort_by_key(|found| (found.line, found.column));
    let left: Vec<&str> = files
        .iter()
        .enumerate()
        .filter(|(at, _)| !taken.contains(at))
        .map(|(_, file)| file.path())
        .collect();
    findings.extend(note_left_out(&source, &left));
    let made = made.unwrap_or_default();
    let file = |at: usize| files.get(at).or_else(|| made.get(at - files.len())).cloned();
    let files = chosen.into_iter().filter_map(file).collect();
    Draft { files, plan: Some(plan), anchors, findings, ..Draft::default() }
}

/// Finds the files of a summary's entries.
struct Planner<'a> {
    summary: &'a SourceFile,
    /// Path to index in the list of files.
    places: HashMap<&'a str, usize>,
    taken: HashSet<usize>,
    /// Indices into the list of files, and beyond its end into `made`.
    chosen: Vec<usize>,
    /// Pages for chapters without a file, where they are wanted.
    made: Option<Vec<SourceFile>>,
    anchors: Vec<SummaryAnchor>,
    findings: Vec<Diagnostic>,
}

impl Planner<'_> {
    fn plan(&mut self, items: &[Item]) -> Vec<OutlineItem> {
        let mut outline = Vec::new();
        for item in items {
            match item {
                Item::Part(title) => outline.push(OutlineItem::Part(title.clone())),
                Item::Separator => outline.push(OutlineItem::Separator),
                Item::Entry(entry) => {
                    outline.extend(self.chapter(entry).map(OutlineItem::Chapter));
                }
            }
        }
        outline
    }

    /// `None` for a link to elsewhere without anything below it.
    fn chapter(&mut self, entry: &Entry) -> Option<Chapter> {
        let (path, _, _) = links::parts(&entry.target);
        let elsewhere = links::kind(path) != links::Kind::Inside;
        let page = if path.is_empty() || elsewhere { None } else { self.page(path, entry) };
        let children: Vec<Chapter> =
            entry.children.iter().filter_map(|child| self.chapter(child)).collect();
        let number: String = entry.number.iter().map(|part| format!("{part}.")).collect();
        (!elsewhere || !children.is_empty()).then(|| Chapter {
            title: entry.title.clone(),
            number: (!number.is_empty()).then_some(number),
            page,
            children,
        })
    }

    fn page(&mut self, path: &str, entry: &Entry) -> Option<String> {
        let wanted = links::resolve(SUMMARY, &links::decode(path)).unwrap_or_default();
        let mut report = |code, message: String, help: String| {
            let found = Diagnostic::at(code, self.summary, entry.span.clone(), message);
            self.findings.push(found.with_help(help));
        };
        let Some(&at) = self.places.get(wanted.as_str()) else {
            if wanted.is_empty() {
                let message = format!("`{path}` leads out of the book");
                report(Code::Summary, message, "name a file below the source folder".to_owned());
            } else {
                let help = suggest::help(&wanted, "files", self.places.keys().copied());
                report(Code::BrokenLink, format!("no file `{wanted}`"), help);
                return self.stand_in(&wanted, &entry.title);
            }
            return None;
        };
        if let (_, _, Some(fragment)) = links::parts(&entry.target) {
            self.anchors.push(anchor(self.summary, entry, &wanted, fragment));
        }
        if self.taken.insert(at) {
            self.chosen.push(at);
        } else {
            let help = "a file is a chapter once: take one of the lines out";
            report(Code::Summary, format!("`{wanted}` is listed twice"), help.to_owned());
        }
        links::markdown_stem(&wanted).map(str::to_owned)
    }
}

impl Planner<'_> {
    /// mdBook would write the missing file; the author's folder is not ours, so the page is made up.
    fn stand_in(&mut self, path: &str, title: &str) -> Option<String> {
        let made = self.made.as_mut()?;
        let id = links::markdown_stem(path)?.to_owned();
        if let Some(last) = self.findings.last_mut() {
            last.severity = Severity::Warning;
        }
        if !made.iter().any(|file| file.path() == path) {
            self.chosen.push(self.places.len() + made.len());
            made.push(SourceFile::new(path, format!("# {title}\n")));
        }
        Some(id)
    }
}

fn anchor(summary: &SourceFile, entry: &Entry, page: &str, fragment: &str) -> SummaryAnchor {
    let place = crate::findings::place_of(summary.text(), entry.span.clone(), &entry.target);
    let message = format!("no heading of `{page}` has the id `{fragment}`");
    let broken = Diagnostic::at(Code::BrokenLink, summary, place, message);
    SummaryAnchor { page: page.to_owned(), fragment: fragment.to_owned(), broken }
}

/// mdBook builds only what the summary lists, and so do we; the author may not know.
fn note_left_out(summary: &SourceFile, left: &[&str]) -> Option<Diagnostic> {
    const SHOWN: usize = 3;
    let shown: Vec<String> = left.iter().take(SHOWN).map(|path| format!("`{path}`")).collect();
    let more = if left.len() > SHOWN { ", ..." } else { "" };
    let message = match left.len() {
        0 => return None,
        1 => format!("one file is not listed and is left out: {}", shown[0]),
        many => format!("{many} files are not listed and are left out: {}{more}", shown.join(", ")),
    };
    let note = Diagnostic::at(Code::Orphan, summary, 0..0, message);
    Some(note.with_help("list them in `SUMMARY.md`, or delete `SUMMARY.md` to build all"))
}

/// The outline of a book without a summary; `pages` are in the order of [`natural_key`].
pub(crate) fn of_folders(pages: &[Arc<Page>]) -> Vec<OutlineItem> {
    branch(pages, 0).into_iter().map(OutlineItem::Chapter).collect()
}

/// The chapters of pages that share their first `depth` folders.
fn branch(pages: &[Arc<Page>], depth: usize) -> Vec<Chapter> {
    let mut chapters: Vec<Chapter> = Vec::new();
    let mut rest = pages;
    while let Some(first) = rest.first() {
        let Some(folder) = folder(first, depth) else {
            chapters.push(leaf(first));
            rest = &rest[1..];
            continue;
        };
        let inside = rest.iter().take_while(|page| self::folder(page, depth) == Some(folder));
        let (group, after) = rest.split_at(inside.count());
        rest = after;
        let mut children = branch(group, depth + 1);
        let opens_folder = first.id.rsplit('/').next().is_some_and(links::is_index)
            && self::folder(first, depth + 1).is_none();
        if opens_folder {
            let mut parent = children.remove(0);
            parent.children = children;
            chapters.push(parent);
        } else if let Some(beside) = chapters.last_mut().filter(|chapter| {
            chapter.page.as_deref().and_then(|id| id.rsplit('/').next()) == Some(folder)
        }) {
            // `guide.md` beside the folder `guide` opens it.
            beside.children = children;
        } else {
            chapters.push(Chapter { title: title_of(folder), children, ..Chapter::default() });
        }
    }
    chapters
}

fn leaf(page: &Page) -> Chapter {
    Chapter { title: page.title.clone(), page: Some(page.id.clone()), ..Chapter::default() }
}

/// The folder of a page at this depth; `None` when the page itself stands there.
fn folder(page: &Page, depth: usize) -> Option<&str> {
    let mut parts = page.id.split('/');
    let name = parts.nth(depth)?;
    (depth < DEPTH_MAX && parts.next().is_some()).then_some(name)
}

/// `getting-started` becomes `Getting started`.
fn title_of(folder: &str) -> String {
    let words = folder.replace(['-', '_'], " ");
    let mut letters = words.trim().chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => folder.to_owned(),
    }
}
