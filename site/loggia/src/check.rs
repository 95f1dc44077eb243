//! `loggia check`: reads the book as `build` does and prints what is wrong with it; with `--live` also
//! what a running server says about its claims and diagrams.

mod boxes;
mod live;
mod place;

use crate::cli::{EXIT_FINDINGS, Format, Talk};
use crate::{report, source};
use std::path::Path;
use std::process::ExitCode;

/// A server to ask.
#[derive(Debug, Clone)]
pub struct Live {
    /// Its address, such as `http://127.0.0.1:3000`.
    pub url: String,
    /// Seconds of traces that it must have seen before its diagrams are judged.
    pub observe_s: u32,
}

/// Checks the book in `dir`: exit code 0 when nothing fails, else 1. An error when a server is to be
/// asked and cannot be.
pub fn run(
    dir: &Path,
    format: Format,
    strict: bool,
    live: Option<&Live>,
    talk: Talk,
) -> anyhow::Result<ExitCode> {
    let read = source::read(dir)?;
    let book = read.assemble(None);
    let mut findings = report::findings(&read, &book);
    let mut more = boxes::unsure(&book);
    let mut told = None;
    if let Some(live) = live {
        let progress = format == Format::Human && !talk.quiet;
        let answer = live::ask(&book, live, progress)?;
        more.extend(answer.findings);
        told = Some(answer.summary);
    }
    for found in &mut more {
        found.file = read.path_from_here(&found.file);
    }
    findings.extend(more);
    report::print_as(&findings, format);
    if format == Format::Human && !talk.quiet {
        let pages = book.pages.len();
        let what = report::count(&findings).unwrap_or_else(|| "nothing to mend".to_owned());
        eprintln!("checked {pages} page{}: {what}", if pages == 1 { "" } else { "s" });
        if let Some(told) = told {
            eprintln!("{told}");
        }
    }
    Ok(if report::fails(&findings, strict) {
        ExitCode::from(EXIT_FINDINGS)
    } else {
        ExitCode::SUCCESS
    })
}
