//! Prints findings for people and machines. `build`, `check` and `serve` hand them in.

use crate::cli::Format;
use crate::out::put;
use crate::source::Source;
use diagnostics::{
    Code, Colour, Diagnostic, Severity, render_all, render_github, render_json, render_sarif,
};
use document::Book;
use std::io::IsTerminal;

/// Every finding of a book: its own first, then page by page. Paths are given as somebody in the
/// folder of the command can open them.
pub(crate) fn findings(read: &Source, book: &Book) -> Vec<Diagnostic> {
    let mut all: Vec<Diagnostic> = book.all_diagnostics().cloned().collect();
    for found in &mut all {
        found.file = read.path_from_here(&found.file);
    }
    all
}

/// Prints findings to standard error as a compiler would.
pub(crate) fn print(findings: &[Diagnostic]) {
    let colour = if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        Colour::Always
    } else {
        Colour::Never
    };
    eprint!("{}", render_all(findings, colour));
}

/// Prints findings to standard output in a format that was asked for.
pub(crate) fn print_as(findings: &[Diagnostic], format: Format) {
    match format {
        Format::Human => print(findings),
        Format::Json => put(&(render_json(findings) + "\n")),
        Format::Github => put(&render_github(findings)),
        Format::Sarif => put(&(render_sarif(findings) + "\n")),
    }
}

/// `2 errors, 1 warning`, or nothing where there are none.
pub(crate) fn count(findings: &[Diagnostic]) -> Option<String> {
    let number = |severity, one: &str| {
        let n = findings.iter().filter(|f| f.severity == severity).count();
        (n > 0).then(|| format!("{n} {one}{}", if n == 1 { "" } else { "s" }))
    };
    let parts: Vec<String> = [
        number(Severity::Error, "error"),
        number(Severity::Warning, "warning"),
        number(Severity::Note, "note"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The code of the first of the worst findings.
pub(crate) fn worst(findings: &[Diagnostic]) -> Option<Code> {
    // The last of several that are equally bad would win: hence from behind.
    findings.iter().rev().max_by_key(|found| found.severity).map(|found| found.code)
}

/// Whether findings make a command fail.
pub(crate) fn fails(findings: &[Diagnostic], strict: bool) -> bool {
    let least = if strict { Severity::Warning } else { Severity::Error };
    findings.iter().any(|found| found.severity >= least)
}
