//! Prints findings for people and machines. `build`, `check` and `serve` hand them in.

use crate::cli::Format;
use diagnostics::{Colour, Diagnostic, Severity, render_all};
use document::Book;
use std::io::IsTerminal;

/// Every finding of a book: its own first, then page by page.
pub(crate) fn findings(book: &Book) -> Vec<Diagnostic> {
    let mut all = book.diagnostics.clone();
    all.extend(book.pages.iter().flat_map(|page| page.diagnostics.iter().cloned()));
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
pub(crate) fn print_as(findings: &[Diagnostic], format: Format) -> anyhow::Result<()> {
    match format {
        Format::Human => print(findings),
        Format::Json => println!("{}", serde_json::to_string_pretty(findings)?),
        Format::Github => findings.iter().for_each(|found| println!("{}", annotation(found))),
    }
    Ok(())
}

/// A workflow command of GitHub Actions, with its characters escaped as that format asks.
fn annotation(found: &Diagnostic) -> String {
    let level = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut message = found.message.clone();
    if let Some(help) = &found.help {
        message.push_str("\nhelp: ");
        message.push_str(help);
    }
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| escape(text).replace(':', "%3A").replace(',', "%2C");
    format!(
        "::{level} file={},line={},col={},title={}::{}",
        property(&found.file),
        found.line,
        found.column,
        property(found.code.as_str()),
        escape(&message)
    )
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

/// Whether findings make a command fail.
pub(crate) fn fails(findings: &[Diagnostic], strict: bool) -> bool {
    let least = if strict { Severity::Warning } else { Severity::Error };
    findings.iter().any(|found| found.severity >= least)
}
