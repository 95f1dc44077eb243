//! The order of pages: `SUMMARY.md` as mdBook knows it, else index first and then by name.
//!
//! `book` hands in all files of the source folder.

use crate::book::natural_key;
use crate::{links, suggest};
use diagnostics::{Code, Diagnostic, Severity, SourceFile};
use pulldown_cmark::{Event, Parser, Tag};
use std::collections::HashMap;

/// Files in reading order, and what is wrong with the summary.
pub(crate) struct Order {
    pub(crate) files: Vec<SourceFile>,
    pub(crate) findings: Vec<Diagnostic>,
}

pub(crate) fn order(mut files: Vec<SourceFile>) -> Order {
    files.sort_by_cached_key(|file| natural_key(file.path()));
    let Some(at) = files.iter().position(|file| file.path() == "SUMMARY.md") else {
        return Order { files, findings: Vec::new() };
    };
    let summary = files.remove(at);
    let mut places: HashMap<&str, usize> =
        files.iter().enumerate().map(|(at, file)| (file.path(), at)).collect();
    let mut findings = Vec::new();
    let mut chosen = Vec::new();
    for (event, span) in Parser::new(summary.text()).into_offset_iter() {
        let Event::Start(Tag::Link { dest_url, .. }) = event else { continue };
        let (path, _, _) = links::parts(&dest_url);
        if path.is_empty() || links::kind(path) != links::Kind::Inside {
            continue; // a draft, or a link to elsewhere
        }
        let wanted = links::resolve("SUMMARY.md", &links::decode(path)).unwrap_or_default();
        match places.remove(wanted.as_str()) {
            Some(at) => chosen.push(at),
            None if files.iter().any(|file| file.path() == wanted) => {} // listed twice
            None => {
                let help = suggest::help(&wanted, "files", files.iter().map(|file| file.path()));
                let message = format!("no file `{wanted}`");
                findings.push(
                    Diagnostic::at(Code::BrokenLink, &summary, span, message).with_help(help),
                );
            }
        }
    }
    let mut left: Vec<usize> = places.into_values().collect();
    left.sort_unstable();
    let left: Vec<&str> = left.into_iter().map(|at| files[at].path()).collect();
    findings.extend(note_left_out(&summary, &left));
    let files = chosen.into_iter().map(|at| files[at].clone()).collect();
    Order { files, findings }
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
    let mut note = Diagnostic::at(Code::Config, summary, 0..0, message)
        .with_help("list them in `SUMMARY.md`, or delete `SUMMARY.md` to build all");
    note.severity = Severity::Note;
    Some(note)
}
