//! Findings as a compiler would print them, for a terminal.

use crate::{Diagnostic, Severity};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// Whether the output may hold ANSI colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// ANSI escapes.
    Always,
}

/// All findings, each with its excerpt and help line, and an empty line after each.
pub fn render_all(findings: &[Diagnostic], colour: Colour) -> String {
    let renderer = match colour {
        Colour::Never => Renderer::plain(),
        Colour::Always => Renderer::styled(),
    };
    findings.iter().map(|found| render(found, &renderer) + "\n\n").collect()
}

fn render(found: &Diagnostic, renderer: &Renderer) -> String {
    let level = match found.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mark = AnnotationKind::Primary
        .span(found.excerpt.start..found.excerpt.end)
        .label((!found.label.is_empty()).then_some(found.label.as_str()));
    let snippet = Snippet::source(found.excerpt.text.as_str())
        .line_start(found.excerpt.first_line as usize)
        .path(found.file.as_str())
        .annotation(mark);
    let mut group =
        level.primary_title(found.message.as_str()).id(found.code.as_str()).element(snippet);
    if let Some(help) = &found.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group]).to_string()
}
