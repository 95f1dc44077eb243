//! Findings for programs: JSON, and the lines that GitHub turns into notes beside the source.

use crate::{Diagnostic, Severity};

/// All findings as one JSON array, with every field of [`Diagnostic`].
pub fn render_json(findings: &[Diagnostic]) -> String {
    serde_json::to_string_pretty(findings).expect("findings hold only texts and numbers")
}

/// One workflow command a line: `::error file=a.md,line=2,col=1,title=L004 broken link::...`.
pub fn render_github(findings: &[Diagnostic]) -> String {
    findings.iter().map(|found| github(found) + "\n").collect()
}

fn github(found: &Diagnostic) -> String {
    let command = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let help = found.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    format!(
        "::{command} file={},line={},col={},title={}::{}",
        property(&found.file),
        found.line,
        found.column,
        property(&format!("{} {}", found.code, found.code.title())),
        data(&format!("{}{help}", found.message)),
    )
}

/// GitHub reads a message up to the end of the line and undoes these three escapes.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// In a property `:` and `,` end the value, too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, SourceFile};

    fn findings() -> Vec<Diagnostic> {
        let file = SourceFile::new("a,b.md", "one\ntwo 100%\n");
        let mut note = Diagnostic::at(Code::Config, &file, 0..3, "a note");
        note.severity = Severity::Note;
        vec![
            Diagnostic::at(Code::BrokenLink, &file, 4..7, "no page `two`\nat 100%")
                .with_help("add it"),
            note,
        ]
    }

    #[test]
    fn github_lines() {
        assert_eq!(
            render_github(&findings()),
            "::error file=a%2Cb.md,line=2,col=1,title=L004 broken link::no page `two`%0Aat 100%25%0Ahelp: add it\n\
             ::notice file=a%2Cb.md,line=1,col=1,title=L010 broken configuration::a note\n"
        );
        assert_eq!(render_github(&[]), "");
    }

    #[test]
    fn json_fields() {
        let json: serde_json::Value =
            serde_json::from_str(&render_json(&findings())).expect("it is JSON");
        for (pointer, expected) in [
            ("/0/code", "L004".into()),
            ("/0/severity", "error".into()),
            ("/0/file", "a,b.md".into()),
            ("/0/line", 2.into()),
            ("/0/column", 1.into()),
            ("/0/help", "add it".into()),
            ("/0/excerpt/first_line", 1.into()),
            ("/0/excerpt/text", "one\ntwo 100%".into()),
            ("/1/severity", "note".into()),
            ("/1/help", serde_json::Value::Null),
        ] {
            assert_eq!(json.pointer(pointer), Some(&expected), "{pointer}: {json}");
        }
    }
}
