//! `loggia check`: reads the book as `build` does and prints what is wrong with it; with `--live` also
//! what a running server says about its claims and diagrams, with `--external` whether links to the web
//! lead somewhere. `loggia check --explain` says what a code
//! means.

mod boxes;
mod external;
mod live;
mod place;

pub use external::External;

use crate::cli::{EXIT_FINDINGS, Format, Talk};
use crate::{out, report, source};
use anyhow::bail;
use diagnostics::Code;
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

/// What is to be checked, and how findings are printed.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// How findings are printed.
    pub format: Format,
    /// Whether warnings fail.
    pub strict: bool,
    /// A running server to ask.
    pub live: Option<Live>,
    /// Whether links to the web are asked for.
    pub external: Option<External>,
}

/// Prints the page of a code, or a line for each code when none is named.
pub fn explain(code: &str) -> anyhow::Result<ExitCode> {
    if code.is_empty() || code.eq_ignore_ascii_case("all") {
        out::put(&diagnostics::explain_all());
        return Ok(ExitCode::SUCCESS);
    }
    let Some(code) = Code::named(code) else {
        bail!("no code `{code}`\nhelp: `loggia check --explain` lists all codes");
    };
    out::put(&diagnostics::explain(code));
    Ok(ExitCode::SUCCESS)
}

/// Checks the book in `dir`: exit code 0 when nothing fails, else 1. An error when a server is to be
/// asked and cannot be.
pub fn run(dir: &Path, wanted: &Wanted, talk: Talk) -> anyhow::Result<ExitCode> {
    let format = wanted.format;
    let read = source::read(dir)?;
    let book = read.assemble(None);
    let mut findings = report::findings(&read, &book);
    let checked = book.check(&read.assets, read.has_summary());
    let mut more = checked.findings;
    more.extend(boxes::unsure(&book).into_iter().filter_map(|found| book.admit(found)));
    let mut told = Vec::new();
    let progress = format == Format::Human && !talk.quiet;
    if let Some(external) = &wanted.external {
        let answer = external::ask(&checked.external, external, &book.config.check, progress);
        more.extend(answer.findings.into_iter().filter_map(|found| book.admit(found)));
        told.push(answer.summary);
    }
    if let Some(live) = &wanted.live {
        let answer = live::ask(&book, live, progress)?;
        more.extend(answer.findings.into_iter().filter_map(|found| book.admit(found)));
        told.push(answer.summary);
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
        for line in told {
            eprintln!("{line}");
        }
        if let Some(worst) = report::worst(&findings) {
            eprintln!("`loggia check --explain {worst}` says more, and how to silence it");
        }
    }
    Ok(if report::fails(&findings, wanted.strict) {
        ExitCode::from(EXIT_FINDINGS)
    } else {
        ExitCode::SUCCESS
    })
}
