//! Mistakes of authors: file, line, column, excerpt and help; the rest is built; nothing is lost.

use std::fs;
use std::path::Path;
use std::process::Command;
use tests::{binary, run_to_end};

/// Name, text, code, line, column, words of the message or help.
const CASES: &[(&str, &str, &str, u64, u64, &str)] = &[
    (
        "json.md",
        "```json frontmatter\n{\n  \"title\": \"x\",\n  \"hero\": [}\n```\n# Page\n",
        "L001",
        4,
        12,
        "front matter",
    ),
    ("yaml.md", "---\ntitle: ok\nglossary: [\n---\n# Page\n", "L001", 0, 0, "front matter"),
    ("toml.md", "+++\ntitle = \n+++\n# Page\n", "L001", 2, 0, "front matter"),
    ("fence.md", "# Page\n\n```rust\nfn main() {}\n", "L002", 3, 1, "never closed"),
    ("diagram.md", "# Page\n\n```mermaid\ngraph TD\n  A[Open --> B\n```\n", "L003", 5, 0, ""),
    (
        "kpi.md",
        "# Page\n\n```kpi-grid\n[\n  { \"label\": \"x\" \"value\": \"1\" }\n]\n```\n",
        "L005",
        5,
        18,
        "",
    ),
    ("service.md", "# Page {#p services=\"ordrs\"}\n", "L006", 1, 0, "orders"),
    ("link.md", "# Page\n\nSee [there](jsn.md).\n", "L004", 3, 13, "json.md"),
    ("anchor.md", "# Page\n\nSee [there](#pagee).\n", "L004", 3, 13, "page"),
    (
        "query.md",
        "# Page\n\n```kpi-grid\n[{\"label\": \"x\", \"value\": \"1\", \"query\": \"sum(rate(\"}]\n```\n",
        "L012",
        4,
        0,
        "PromQL",
    ),
];

fn book(dir: &Path) {
    fs::create_dir(dir.join("src")).unwrap();
    fs::write(
        dir.join("book.toml"),
        "[book]\ntitle = \"Bad\"\n\n[output.loggia.services.orders]\n",
    )
    .unwrap();
    fs::write(dir.join("src/index.md"), "# A sound page\n\nAll is well.\n").unwrap();
    for (name, text, ..) in CASES {
        fs::write(dir.join("src").join(name), text).unwrap();
    }
}

#[test]
fn every_mistake_is_reported_at_its_place() {
    let dir = tempfile::tempdir().unwrap();
    book(dir.path());
    let mut check = Command::new(binary("loggia"));
    check.args(["check", "--format", "json"]).arg(dir.path());
    let output = run_to_end(&mut check);
    assert_eq!(output.status.code(), Some(1));
    let found: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    for (name, _, code, line, column, words) in CASES {
        let of_file: Vec<_> = found
            .iter()
            .filter(|f| f["file"].as_str().is_some_and(|file| file.ends_with(&format!("/{name}"))))
            .collect();
        let Some(finding) = of_file.iter().find(|f| f["code"] == *code) else {
            panic!("{name}: no {code} among {of_file:#?}");
        };
        assert!(*line == 0 || finding["line"] == *line, "{name}: {finding:#}");
        assert!(*column == 0 || finding["column"] == *column, "{name}: {finding:#}");
        let said = format!("{} {} {}", finding["message"], finding["label"], finding["help"]);
        assert!(said.to_lowercase().contains(&words.to_lowercase()), "{name}: {said}");
        assert!(finding["help"].is_string(), "{name}: no help line: {finding:#}");
        assert_ne!(finding["excerpt"]["text"], "", "{name}: {finding:#}");
    }
}

#[test]
fn build_builds_the_rest_and_exits_1() {
    let dir = tempfile::tempdir().unwrap();
    book(dir.path());
    let output = run_to_end(
        Command::new(binary("loggia")).arg("build").arg(dir.path()).env("NO_COLOR", "1"),
    );
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("diagram.md:5"), "{words}");
    assert!(words.contains("help:"), "{words}");
    for page in ["index", "json", "fence", "diagram", "kpi", "service", "link"] {
        let html = fs::read_to_string(dir.path().join(format!("book/{page}.html"))).unwrap();
        assert!(html.contains("</html>"), "{page}");
    }
    let index = fs::read_to_string(dir.path().join("book/index.html")).unwrap();
    assert!(index.contains("All is well."));
}

#[test]
fn book_toml_mistakes_are_reported_at_their_place() {
    for (text, line, words) in [
        ("[book]\ntitle = 3\n", 2, "string"),
        ("[book\n", 1, ""),
        ("[output.loggia]\nscrape = \"x\"\n", 2, ""),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("src")).unwrap();
        fs::write(dir.path().join("src/index.md"), "# Page\n").unwrap();
        fs::write(dir.path().join("book.toml"), text).unwrap();
        let output = run_to_end(
            Command::new(binary("loggia")).args(["check", "--format", "json"]).arg(dir.path()),
        );
        let found: Vec<serde_json::Value> =
            serde_json::from_slice(&output.stdout).unwrap_or_default();
        let finding = found.iter().find(|f| f["code"] == "L010");
        let finding = finding.unwrap_or_else(|| panic!("{text}: {found:#?}"));
        assert_eq!(finding["line"], line, "{finding:#}");
        assert!(finding["message"].to_string().contains(words), "{finding:#}");
    }
}
