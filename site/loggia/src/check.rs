//! `loggia check`: reads the book as `build` does and prints what is wrong with it.

use crate::cli::{EXIT_FINDINGS, Format, Talk};
use crate::{report, source};
use std::path::Path;
use std::process::ExitCode;

/// Checks the book in `dir`: exit code 0 when nothing fails, else 1.
pub fn run(dir: &Path, format: Format, strict: bool, talk: Talk) -> anyhow::Result<ExitCode> {
    let read = source::read(dir)?;
    let book = read.assemble(None);
    let findings = report::findings(&read, &book);
    report::print_as(&findings, format);
    if format == Format::Human && !talk.quiet {
        let pages = book.pages.len();
        let what = report::count(&findings).unwrap_or_else(|| "nothing to mend".to_owned());
        eprintln!("checked {pages} page{}: {what}", if pages == 1 { "" } else { "s" });
    }
    Ok(if report::fails(&findings, strict) {
        ExitCode::from(EXIT_FINDINGS)
    } else {
        ExitCode::SUCCESS
    })
}
