//! Findings as SARIF 2.1.0 (OASIS), which code hosts and editors read.
//!
//! Places are 1-based; columns count UTF-16 code units, as `columnKind` says.

use crate::{Code, Diagnostic, Severity, explain};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The schema that the output follows.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// Name and version of the fingerprint; a new way to compute it gets a new version.
const FINGERPRINT: &str = "loggiaFinding/v1";

/// One SARIF log with one run: every code as a rule with its page as help, every finding as a result.
pub fn render_sarif(findings: &[Diagnostic]) -> String {
    let rules: Vec<Value> = Code::ALL.iter().map(|code| rule(*code)).collect();
    let mut seen = HashMap::new();
    let results: Vec<Value> = findings.iter().map(|found| result(found, &mut seen)).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Loggia",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            }},
            "columnKind": "utf16CodeUnits",
            "invocations": [{ "executionSuccessful": true }],
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&log).expect("a log holds only texts and numbers")
}

fn rule(code: Code) -> Value {
    let page = explain(code);
    let meaning = code.page().split("\n\n").nth(1).unwrap_or_default().trim().replace('\n', " ");
    json!({
        "id": code.as_str(),
        "name": format!("{code:?}"),
        "shortDescription": { "text": code.title() },
        "fullDescription": { "text": meaning },
        "help": { "text": page, "markdown": page },
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn result(found: &Diagnostic, seen: &mut HashMap<u64, usize>) -> Value {
    let help = found.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let mark = hash(&[found.code.as_str(), &found.file, &found.message, marked_line(found)]);
    let nth = seen.entry(mark).or_default();
    *nth += 1;
    json!({
        "ruleId": found.code.as_str(),
        "ruleIndex": Code::ALL.iter().position(|code| *code == found.code),
        "level": level(found.severity),
        "message": { "text": format!("{}{help}", found.message) },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&found.file) },
            "region": region(found),
        }}],
        "partialFingerprints": { FINGERPRINT: format!("{mark:016x}:{nth}") },
    })
}

/// Lines of the excerpt count from its own first line; columns are counted inside their line.
fn region(found: &Diagnostic) -> Value {
    let excerpt = &found.excerpt;
    let place = |at: usize| {
        let before = &excerpt.text[..at];
        let line = before.matches('\n').count() as u64 + u64::from(excerpt.first_line);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        (line.max(1), before[start..].encode_utf16().count() as u64 + 1)
    };
    let ((line, column), (end_line, end_column)) = (place(excerpt.start), place(excerpt.end));
    json!({
        "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column,
    })
}

fn marked_line(found: &Diagnostic) -> &str {
    let text = &found.excerpt.text;
    let start = text[..found.excerpt.start].rfind('\n').map_or(0, |at| at + 1);
    text[start..].lines().next().unwrap_or_default().trim()
}

/// FNV-1a over the parts, each with an end that no text holds: the same in every version and on every
/// machine, and not affected by lines that are added above.
fn hash(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A path as a URI reference.
fn uri(path: &str) -> String {
    let mut out = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.replace('\\', "/").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SourceFile;

    fn check(path: &str, text: &str, marked: &str, region: [u64; 4], uri: &str) {
        let at = text.find(marked).expect("the mark is in the text");
        let file = SourceFile::new(path, text);
        let found = Diagnostic::at(Code::BrokenLink, &file, at..at + marked.len(), "m");
        let log: Value = serde_json::from_str(&render_sarif(&[found])).expect("it is JSON");
        let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
        let keys = ["startLine", "startColumn", "endLine", "endColumn"];
        let got = keys.map(|key| place["region"][key].as_u64().expect("a number"));
        assert_eq!(got, region, "{text}");
        assert_eq!(place["artifactLocation"]["uri"], uri, "{path}");
    }

    #[test]
    fn regions_count_utf16_and_paths_are_uris() {
        check("a.md", "one\ntwo x\n", "x", [2, 5, 2, 6], "a.md");
        check("a.md", "🏗️ ü x\n", "x", [1, 7, 1, 8], "a.md");
        check("a.md", "a\nb c\nd e\n", "c\nd", [2, 3, 3, 2], "a.md");
        check("das ä/b#.md", "x", "x", [1, 1, 1, 2], "das%20%C3%A4/b%23.md");
        check("/root/a.md", "x", "x", [1, 1, 1, 2], "file:///root/a.md");
    }

    #[test]
    fn fingerprints_stay_when_lines_move_and_tell_twins_apart() {
        let marks = |text: &str| -> Vec<String> {
            let file = SourceFile::new("a.md", text);
            let places = text.match_indices("x.md").map(|(at, _)| at);
            let found: Vec<_> = places
                .map(|at| Diagnostic::at(Code::BrokenLink, &file, at..at + 4, "no page"))
                .collect();
            let log: Value = serde_json::from_str(&render_sarif(&found)).expect("it is JSON");
            let results = log["runs"][0]["results"].as_array().expect("a list");
            let mark = |r: &Value| r["partialFingerprints"][FINGERPRINT].to_string();
            results.iter().map(mark).collect()
        };
        let before = marks("see x.md\n\nsee x.md\n\nalso x.md\n");
        assert_eq!(before, marks("New.\n\nsee x.md\n\nsee x.md\n\nalso x.md\n"));
        assert_ne!(before[0], before[1]);
        assert_ne!(before[0], before[2]);
    }
}
