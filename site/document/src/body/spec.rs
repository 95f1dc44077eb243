//! The CommonMark specification's own examples, through our walk and our writer.
//!
//! Without what we add by design: heading ids, sanitising, rewritten links, frames around code.

#![allow(clippy::unwrap_used)]

use super::*;
use diagnostics::SourceFile;

/// How many examples the specification 0.31.2 has.
const EXAMPLES: usize = 652;

pub(super) fn render(markdown: &str, options: Options) -> String {
    let file = SourceFile::new("a.md", markdown);
    let (origin, config, code) = (Origin::new(0), Config::without_file(), CodeCache::default());
    let mut findings = Findings::new(&file);
    let none = crate::BookTerms::default();
    let terms = Terms::new(&[], false, &none);
    let stems = crate::addresses::Stems::default();
    let addresses = crate::addresses::Addresses::new("a.md", &stems, true);
    let mut body = Body::new(markdown, &origin, terms, &config, (&code, addresses), &mut findings);
    body.bare = true;
    body.read(options);
    let pieces = body.finish().pieces;
    pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Html(html) => html,
            other => panic!("{other:?}"),
        })
        .collect()
}

/// What is not compared, outside of `<pre>`: spaces beside tags of blocks and how many spaces there
/// are elsewhere; everywhere: `<br />` against `<br>`, `&quot;` against `"`.
pub(super) fn normalise(html: &str) -> String {
    const BLOCKS: &str =
        " p blockquote ul ol li hr h1 h2 h3 h4 h5 h6 pre div table thead tbody tr td th ";
    let mut out = String::new();
    let mut rest = html;
    let mut pre = 0;
    while let Some(at) = rest.find('<') {
        text(&rest[..at], pre > 0, &mut out);
        let end = rest[at..].find('>').map_or(rest.len(), |end| at + end + 1);
        let tag = rest[at..end].replace(" />", ">").replace("/>", ">");
        rest = &rest[end..];
        let name =
            tag.trim_matches(['<', '>', '/']).split([' ', '\n', '/']).next().unwrap_or_default();
        if name == "pre" {
            pre = if tag.starts_with("</") { 0 } else { 1 };
        }
        if BLOCKS.contains(&format!(" {name} ")) {
            out.truncate(out.trim_end_matches([' ', '\n']).len());
            out.push_str(&tag);
            if pre == 0 {
                rest = rest.trim_start_matches([' ', '\n']);
            }
        } else {
            out.push_str(&tag);
        }
    }
    text(rest, pre > 0, &mut out);
    out.trim().to_owned()
}

fn text(text: &str, pre: bool, out: &mut String) {
    let text = text.replace("&quot;", "\"");
    if pre {
        return out.push_str(&text);
    }
    for c in text.chars() {
        let space = matches!(c, ' ' | '\n');
        if !space {
            out.push(c);
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
    }
}

/// Markdown and HTML of every example in the specification's text.
fn examples(spec: &str) -> Vec<(String, String)> {
    let fence = "`".repeat(32);
    let mut found = Vec::new();
    let opening = format!("{fence} example");
    let mut parts = spec.split(&opening);
    parts.next();
    for part in parts {
        let part = &part[part.find('\n').unwrap() + 1..];
        let part = &part[..part.find(&fence).unwrap()];
        let (markdown, html) =
            part.strip_prefix(".\n").map(|html| ("", html)).unwrap_or_else(|| {
                let (markdown, html) = part.split_once("\n.\n").unwrap();
                (markdown, html)
            });
        let markdown = if markdown.is_empty() { String::new() } else { format!("{markdown}\n") };
        found.push((markdown.replace('→', "\t"), html.replace('→', "\t")));
    }
    found
}

/// Says something that is shown also when the test passes.
pub(super) fn told(words: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "{words}").unwrap();
}

#[test]
fn every_example_of_the_specification() {
    let place = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/browser/node_modules/commonmark-spec/spec.txt"
    );
    let Ok(spec) = std::fs::read_to_string(place) else {
        let prepared = std::env::var_os("LOGGIA_TEST_BROWSER").is_some();
        assert!(!prepared, "`tests/run` installs the specification, but `{place}` is not there");
        return told("SKIPPED: no CommonMark specification; `./tests/run` installs it");
    };
    let examples = examples(&spec);
    assert_eq!(examples.len(), EXAMPLES);
    let mut failed = Vec::new();
    for (index, (markdown, expected)) in examples.iter().enumerate() {
        let (ours, theirs) = (normalise(&render(markdown, Options::empty())), normalise(expected));
        if ours != theirs {
            failed.push(format!(
                "example {}\n{markdown}\nours:   {ours}\ntheirs: {theirs}",
                index + 1
            ));
        }
    }
    told(&format!("{} of {EXAMPLES} examples of CommonMark 0.31.2", EXAMPLES - failed.len()));
    assert!(failed.is_empty(), "{} differ:\n{}", failed.len(), failed.join("\n\n"));
}
