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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, SourceFile};

    fn check(text: &str, span: std::ops::Range<usize>, label: &str, expected: &[&str]) {
        let file = SourceFile::new("guide/a.md", text);
        let found = Diagnostic::at(Code::BrokenLink, &file, span, "no page `x.md`")
            .with_label(label)
            .with_help("did you mean `y.md`?");
        let shown = render_all(&[found], Colour::Never);
        for part in expected {
            assert!(shown.contains(part), "no {part:?} in\n{shown}");
        }
        assert!(!shown.contains('\u{1b}'), "plain text has no escapes");
    }

    #[test]
    fn excerpts_with_marks() {
        check(
            "one\nsee [x](x.md) now\nthree\n",
            12..16,
            "here",
            &[
                "error[L004]: no page `x.md`",
                "--> guide/a.md:2:9",
                "2 | see [x](x.md) now",
                "^^^^ here",
                "help: did you mean `y.md`?",
            ],
        );
        check("", 0..0, "", &["error[L004]: no page `x.md`", "guide/a.md:1:1"]);
        check("ü🏗️ x", 0..2, "", &["1 | ü🏗️ x", "^"]);
        check("a\r\nb\r\n", 3..4, "", &["guide/a.md:2:1", "2 | b"]);
        check("a\tb\0c", 3..4, "", &["guide/a.md:1:4"]);
        check("a\n", 90..99, "", &["guide/a.md"]);
        let many = "line\n".repeat(100);
        check(&many, 10..400, "", &["guide/a.md:3:1"]);
    }

    #[test]
    fn colours_are_escapes() {
        let file = SourceFile::new("a.md", "x");
        let shown = render_all(&[Diagnostic::at(Code::Encoding, &file, 0..1, "m")], Colour::Always);
        assert!(shown.contains('\u{1b}') && shown.contains("L007"));
    }
}
