//! The real documents: every text of the source stands on the page.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use tests::{binary, run_to_end, shared};

#[test]
fn seeds_build_with_two_encoding_warnings_and_lose_nothing() {
    let Some(seeds) = shared("seeds") else { return };
    let out = tempfile::tempdir().unwrap();
    let site = out.path().join("site");
    let output = run_to_end(
        Command::new(binary("loggia"))
            .args(["build".as_ref(), seeds.as_os_str(), "-d".as_ref(), site.as_os_str()])
            .env("NO_COLOR", "1"),
    );
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words}");
    let warned: BTreeSet<&str> = words
        .lines()
        .filter(|line| line.starts_with("warning") || line.starts_with("error"))
        .collect();
    assert_eq!(warned.len(), 2, "{words}");
    assert!(
        warned.iter().all(|line| line.contains("L007") && line.contains("Windows-125")),
        "{words}"
    );

    let mut pages = 0;
    for entry in fs::read_dir(&seeds).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "md") {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let html = fs::read_to_string(site.join(path.file_name().unwrap()).with_extension("html"))
            .unwrap();
        check_page(&path.display().to_string(), &source, &html);
        pages += 1;
    }
    assert_eq!(pages, 5);
}

fn check_page(name: &str, source: &str, html: &str) {
    let text = plain(html);
    let squeezed = squeeze(&text);
    let expected = Expected::of(source);
    assert!(expected.words.len() > 10, "{name}: the test found {} texts", expected.words.len());
    let mut missing: Vec<&String> =
        expected.words.iter().filter(|words| !squeezed.contains(&squeeze(words))).collect();
    // Columns matter in code and drawings, so their lines must be there as they are.
    missing.extend(expected.lines.iter().filter(|line| !text.contains(line.as_str())));
    assert!(missing.is_empty(), "{name}: {} not on the page: {missing:#?}", missing.len());
}

/// What a reader of the source would look for, found by simple means of the test's own.
#[derive(Default)]
struct Expected {
    words: Vec<String>,
    lines: Vec<String>,
}

impl Expected {
    fn of(source: &str) -> Self {
        let mut found = Self::default();
        let mut fence: Option<String> = None;
        let mut body = String::new();
        for line in source.lines() {
            match (&fence, line.trim_start().strip_prefix("```")) {
                (None, Some(language)) => fence = Some(language.trim().to_owned()),
                (Some(language), Some(_)) => {
                    found.block(language, &body);
                    body.clear();
                    fence = None;
                }
                (Some(_), None) => {
                    body.push_str(line);
                    body.push('\n');
                }
                (None, None) => found.line(line),
            }
        }
        found
    }

    fn line(&mut self, line: &str) {
        let line = line.trim();
        if line == "---" {
            return; // a rule, not a text
        }
        if line.starts_with('|') {
            if !line.contains("---") {
                self.words.extend(line.trim_matches('|').split('|').map(bare));
            }
            return;
        }
        let without_mark = line
            .trim_start_matches('#')
            .trim_start_matches("- ")
            .trim_start_matches(|c: char| c.is_ascii_digit());
        let without_mark = without_mark.strip_prefix(". ").unwrap_or(without_mark);
        let words = bare(without_mark.split(" {#").next().unwrap());
        if !words.is_empty() {
            self.words.push(words);
        }
    }

    fn block(&mut self, language: &str, body: &str) {
        match language {
            "mermaid" => self.words.extend(labels(body)),
            "kpi-grid" | "json frontmatter" => {
                let json: serde_json::Value = serde_json::from_str(body).unwrap();
                self.json(&json);
            }
            "glossary" => {}
            _ => self.lines.extend(body.lines().map(|line| line.trim_end().to_owned())),
        }
    }

    fn json(&mut self, json: &serde_json::Value) {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        for kpi in json.as_array().into_iter().flatten() {
            self.words.extend([text(&kpi["label"]), text(&kpi["value"])]);
        }
        for entry in json["glossary"].as_array().into_iter().flatten() {
            self.words.extend([text(&entry["term"]), text(&entry["definition"])]);
        }
        for key in ["title", "subtitle"] {
            self.words.push(text(&json["hero"][key]));
        }
        self.words.push(text(&json["hero"]["callToAction"]["text"]));
    }
}

/// Texts in brackets, between bars and after `participant`.
fn labels(mermaid: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in mermaid.lines().map(str::trim) {
        if line.starts_with("style ") {
            continue;
        }
        if let Some(name) = line.strip_prefix("participant ") {
            found.push(name.to_owned());
        } else if let Some((_, message)) = line.split_once("->>").or(line.split_once("-->>")) {
            found.push(message.split_once(':').unwrap().1.trim().to_owned());
        }
        if let Some(title) = line.strip_prefix("subgraph ") {
            found.push(title.trim_matches('"').to_owned());
            continue;
        }
        for (open, close) in [('[', ']'), ('{', '}'), ('|', '|')] {
            let mut rest = line;
            while let Some(from) = rest.find(open) {
                let Some(len) = rest[from + 1..].find(close) else { break };
                let label = &rest[from + 1..from + 1 + len];
                found.push(label.trim_matches(['(', ')', '"']).to_owned());
                rest = &rest[from + 1 + len + 1..];
            }
        }
    }
    found
}

fn bare(markdown: &str) -> String {
    markdown.replace("**", "").replace('`', "").trim().to_owned()
}

/// The text of HTML: tags dropped, entities decoded. The definition of a term, which is hidden until
/// it is pointed at, stands inside its sentence and is left out.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut sentence = String::new();
    for (nth, part) in html.split("<span class=\"term-tip\"").enumerate() {
        let after_tip = part.split_once("</span>").map_or(part, |(_, after)| after);
        sentence.push_str(if nth == 0 { part } else { after_tip });
    }
    let mut rest = sentence.as_str();
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        rest = &rest[open..];
        rest = &rest[rest.find('>').map_or(rest.len(), |close| close + 1)..];
    }
    text.push_str(rest);
    for (entity, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#34;", "\""),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, character);
    }
    text
}

fn squeeze(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}
