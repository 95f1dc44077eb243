//! What the tests of drawings share: the test data beside the repository and the check that an SVG
//! holds nothing that runs, loads or leaves.

#![allow(dead_code, unreachable_pub)]

use roxmltree::{Document, Node};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A file of the shared data, or nothing (said on the screen) where it is absent.
pub fn shared(path: &str) -> Option<String> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    match std::fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) => {
            eprintln!("SKIPPED: {} is absent ({error})", file.display());
            None
        }
    }
}

/// The cases of a JSON file of the shared data: name and Mermaid text.
pub fn cases(path: &str) -> Vec<(String, String)> {
    let Some(text) = shared(path) else {
        return Vec::new();
    };
    let list: serde_json::Value = serde_json::from_str(&text).expect("the suite is JSON");
    let text = |case: &serde_json::Value, key: &str| {
        case[key].as_str().expect("a case has this text").to_owned()
    };
    list.as_array()
        .expect("the suite is a list")
        .iter()
        .map(|case| (text(case, "name"), text(case, "src")))
        .collect()
}

/// Every Mermaid fence of the seeds, named by file and number. Two of the files were once decoded
/// wrongly; they are read like the others.
pub fn seeds() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/seeds");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("SKIPPED: {} is absent", folder.display());
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::read(&file).expect("a seed can be read");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let fences = text.split("```mermaid").skip(1);
        for (number, fence) in fences.enumerate() {
            let source = fence.split("```").next().unwrap_or("").trim_start_matches('\r');
            found.push((format!("{name}-{number}"), source.trim_start_matches('\n').to_owned()));
        }
    }
    found
}

/// All words that the drawing shows, without title and description.
pub fn shown(svg: &str) -> String {
    let document = Document::parse(svg).expect("a drawing is XML");
    document
        .descendants()
        .filter(Node::is_text)
        .filter(|text| {
            !text.ancestors().any(|node| matches!(node.tag_name().name(), "title" | "desc"))
        })
        .filter_map(|text| text.text())
        .collect()
}

/// Letters and digits only, lower case.
pub fn letters(text: &str) -> String {
    text.chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

const ELEMENTS: [&str; 20] = [
    "svg",
    "a",
    "circle",
    "clipPath",
    "defs",
    "desc",
    "ellipse",
    "g",
    "line",
    "linearGradient",
    "marker",
    "path",
    "polygon",
    "polyline",
    "radialGradient",
    "rect",
    "stop",
    "text",
    "tspan",
    "title",
];

/// What is wrong with an SVG that a page is to embed; nothing when it is clean.
pub fn dirt(svg: &str, prefix: &str) -> Vec<String> {
    let document = match Document::parse(svg) {
        Ok(document) => document,
        Err(error) => return vec![format!("it is no XML: {error}")],
    };
    let mut found = Vec::new();
    let mut ids = BTreeSet::new();
    let own = format!("{prefix}-");
    for node in document.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        if !ELEMENTS.contains(&name) {
            found.push(format!("element `{name}`"));
        }
        if node.tag_name().namespace() != Some("http://www.w3.org/2000/svg") {
            found.push(format!("namespace of `{name}`"));
        }
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            let lower = value.to_ascii_lowercase().replace(char::is_whitespace, "");
            if name.starts_with("on") || matches!(name, "style" | "src" | "srcdoc" | "xml:base") {
                found.push(format!("attribute `{name}`"));
            }
            if name == "id" && (!value.starts_with(&own) || !ids.insert(value.to_owned())) {
                found.push(format!("id `{value}`"));
            }
            let runs = ["javascript:", "vbscript:", "data:"]
                .iter()
                .any(|scheme| lower.starts_with(scheme));
            if name == "href" && (runs || lower.starts_with("//") || lower.is_empty()) {
                found.push(format!("link to `{value}`"));
            }
            if lower.contains("url(") && !lower.starts_with(&format!("url(#{}", own.to_lowercase()))
            {
                found.push(format!("address `{value}` in `{name}`"));
            }
        }
    }
    found
}
