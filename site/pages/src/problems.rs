//! Findings of authors' mistakes as HTML: the panel over a page, and blocks that could not be read.

use askama::Template;
use diagnostics::{Diagnostic, Severity};

/// A finding as templates read it.
pub(crate) struct Finding<'a> {
    pub(crate) severity: &'static str,
    pub(crate) code: &'static str,
    pub(crate) message: &'a str,
    pub(crate) label: &'a str,
    pub(crate) help: Option<&'a str>,
    pub(crate) file: &'a str,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) lines: Vec<Line<'a>>,
}

/// A line of an excerpt, cut where the mark begins and ends.
pub(crate) struct Line<'a> {
    pub(crate) number: String,
    pub(crate) before: &'a str,
    pub(crate) marked: &'a str,
    pub(crate) after: &'a str,
}

impl<'a> Finding<'a> {
    pub(crate) fn new(found: &'a Diagnostic) -> Self {
        Self {
            severity: match found.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            },
            code: found.code.as_str(),
            message: &found.message,
            label: &found.label,
            help: found.help.as_deref(),
            file: &found.file,
            line: found.line,
            column: found.column,
            lines: lines(found),
        }
    }
}

fn lines(found: &Diagnostic) -> Vec<Line<'_>> {
    let excerpt = &found.excerpt;
    let mut at = 0;
    let mut lines = Vec::new();
    for (nth, text) in excerpt.text.split('\n').enumerate() {
        let cut = |offset: usize| {
            let mut inside = offset.saturating_sub(at).min(text.len());
            while !text.is_char_boundary(inside) {
                inside -= 1;
            }
            inside
        };
        let (start, end) = (cut(excerpt.start), cut(excerpt.end.max(excerpt.start)));
        lines.push(Line {
            number: format!("{:>4} ", excerpt.first_line as usize + nth),
            before: &text[..start],
            marked: &text[start..end],
            after: &text[end..],
        });
        at += text.len() + 1;
    }
    lines
}

#[derive(Template)]
#[template(path = "problems.html")]
struct Panel<'a> {
    title: String,
    findings: Vec<Finding<'a>>,
    kept: bool,
    open: bool,
}

/// The panel over a page; empty without findings. `kept` says that the page shows its last good
/// version because of them. The server sends it as `event: problems` with `{"html": …}`.
pub fn render_problems(problems: &[Diagnostic], kept: bool) -> String {
    let errors = problems.iter().filter(|found| found.is_error()).count();
    let title = match (problems.len(), errors) {
        (1, 1) => "1 error".to_owned(),
        (1, _) => "1 finding".to_owned(),
        (all, 0) => format!("{all} findings"),
        (all, errors) if all == errors => format!("{all} errors"),
        (all, errors) => format!("{all} findings, {errors} of them errors"),
    };
    let findings = problems.iter().map(Finding::new).collect();
    written(&Panel { title, findings, kept, open: errors > 0 })
}

#[derive(Template)]
#[template(path = "broken.html")]
struct Broken<'a> {
    finding: Finding<'a>,
    language: &'a str,
    source: &'a str,
}

/// A block that could not be read: its finding and its source.
pub(crate) fn broken(language: &str, source: &str, finding: &Diagnostic) -> String {
    written(&Broken { finding: Finding::new(finding), language, source })
}

/// A template's text. The only error a template of ours can give is one of the formatter, and a
/// string takes everything.
pub(crate) fn written(template: &impl Template) -> String {
    template.render().expect("templates write into a string")
}
