//! `comrak` as the oracle: generated documents and GitHub's extensions read the same to both.
//!
//! Compared is the HTML without what each adds of its own (ids, classes, words for screen readers,
//! links back from footnotes). Set `LOGGIA_TEST_SEED` to one that was printed to see a run again.

#![allow(clippy::unwrap_used)]

use super::options;
use super::spec::{normalise, render, told};
use crate::MarkdownOptions;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// Documents of each kind in a run.
const CASES: u32 = 1_000;
/// The two libraries read rare nests of emphasis and strikethrough differently (`_~~s~~ _a__`), so the
/// documents are the same at each run; `LOGGIA_TEST_SEED` asks for others.
const SEED: u64 = 20_261_121;
/// Attributes that say something of the document.
const KEPT: &[&str] = &["href", "src", "alt", "title", "start", "align", "checked"];

fn theirs(markdown: &str) -> String {
    let mut options = comrak::Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.alerts = true;
    options.extension.description_lists = false;
    options.render.r#unsafe = true;
    plain(&comrak::markdown_to_html(markdown, &options))
}

fn ours(markdown: &str) -> String {
    let all = options(&MarkdownOptions { smart_punctuation: false, ..MarkdownOptions::default() });
    let ours = pulldown_cmark::Options::ENABLE_HEADING_ATTRIBUTES
        | pulldown_cmark::Options::ENABLE_DEFINITION_LIST;
    plain(&render(markdown, all - ours))
}

/// The HTML with the names of elements, the attributes that count, and the text.
fn plain(html: &str) -> String {
    let mut out = String::new();
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        let end = at + tag_end(&rest[at..]);
        let tag = &rest[at..end];
        rest = &rest[end..];
        let name = tag.trim_start_matches(['<', '/']).split([' ', '>', '\n']).next().unwrap();
        if tag.contains("\"footnote-back") {
            rest = &rest[rest.find("</a>").unwrap() + 4..];
            out.truncate(out.trim_end().len());
        } else if matches!(name, "div" | "section") {
            let shown = if tag.contains("alert") { "alert" } else { "" };
            if !tag.starts_with("</") {
                open.push(shown);
            } else if open.pop() == Some("alert") {
                out.push_str("</blockquote>");
            }
            if shown == "alert" && !tag.starts_with("</") {
                out.push_str("<blockquote>");
            }
        } else if tag.starts_with("</") {
            out.push_str(tag);
        } else {
            out.push_str(&format!("<{name}{}>", attributes(tag)));
        }
    }
    out.push_str(rest);
    // Before the paragraph of a loose item, or in it.
    normalise(&out)
        .replace("<tbody></tbody>", "")
        .replace("<input><p>", "<p><input> ")
        .replace("<input checked><p>", "<p><input checked> ")
}

/// Bytes up to the end of the tag, which may have brackets in quotes.
fn tag_end(tag: &str) -> usize {
    let mut quoted = false;
    let end = tag.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b'>' && !quoted
    });
    end.map_or(tag.len(), |end| end + 1)
}

fn attributes(tag: &str) -> String {
    let value = |key: &str| {
        let start = tag.find(&format!(" {key}=\""))? + key.len() + 3;
        Some(&tag[start..start + tag[start..].find('"')?])
    };
    let kept = KEPT.iter().filter_map(|key| match (*key, value(key)) {
        ("checked", _) => tag.contains(" checked").then(|| " checked".to_owned()),
        ("href", Some(address)) if address.starts_with("#fn") => None,
        (key, value) => value.map(|value| format!(" {key}=\"{value}\"")),
    });
    kept.collect()
}

fn check(markdown: &str) {
    assert_eq!(ours(markdown), theirs(markdown), "ours, and the oracle's, of:\n{markdown}\n");
}

#[test]
fn the_extensions_of_github() {
    for markdown in [
        // Tables.
        "| a | b |\n|---|:-:|\n| `x|y` | c\\|d |\n| one |\n| 1 | 2 | 3 |\n",
        "a | b\n--|--:\n1 | 2\n\ntext\n",
        "| a |\n| - |\n",
        "| a | b |\n| - |\n| c | d |\n",
        "| a |\n|---|\n| x |\n> quote\n",
        "text\n| a |\n|---|\n| b |\n",
        "| a |\n|---|\n| b |\ntext\n\n# h\n",
        "- | a |\n  |---|\n  | **b** [c](d) |\n",
        "> | a |\n> |:--|\n> | b |\n",
        "| a\\\\|b |\n",
        // Strikethrough.
        "~~a~~ ~b~ ~~~c~~~ a~~b~~c ~~ d~~ ~~a **b~~ c**\n",
        "~~one\ntwo~~ ~~a ~~b~~ c~~\n",
        // Task lists.
        "- [ ] a\n- [x] b\n- [X] c\n- [y] d\n- [] e\n- [x]f\n",
        "- [ ] a\n\n  more\n- [x] b\n  1. [ ] c\n",
        "1. [x] a\n2. b\n\n[ ] no list\n",
        // Alerts.
        "> [!NOTE]\n> a\n\n> [!tip]\n> b\n\n> [!IMPORTANT]\n> c\n\n> [!WARNING]\n> d\n\n> [!CAUTION]\n> e\n",
        "> [!NOTE]\n> - a\n>   > b\n>\n> ```\n> c\n> ```\n",
        "> [!NOSUCH]\n> a\n\n> \\[!NOTE]\n> b\n\n> a\n> [!NOTE]\n",
        "> [!NOTE]\n> text\nthat goes on\n",
        // Footnotes.
        "a[^1] b[^two] c[^1]\n\n[^1]: one\n[^two]: two\n",
        "a[^b]\n\n[^b]: one\n\n    two\n\n    - three\n",
        "a[^b] and [^c]\n\n[^c]: c\n\n[^b]: b, after `c`\n",
        "a[^none] `[^1]` \\[^1]\n\n[^1]: unused\n\nb[^1]\n",
        "*a[^1]* **b**[^2]\n\n> c[^1]\n\n[^1]: x[^2]\n[^2]: y\n",
        "- a[^1]\n- b\n\n[^1]: x\n",
    ] {
        check(markdown);
    }
}

/// Where the two read a text differently, and both ways are kept: a change is noticed.
#[test]
fn differences_that_are_known() {
    for (markdown, ours_has, theirs_has) in DIFFERENCES {
        let (ours, theirs) = (ours(markdown), theirs(markdown));
        assert_ne!(ours, theirs, "{markdown:?} is no difference any more");
        assert!(ours.contains(ours_has), "{markdown:?}: {ours}");
        assert!(theirs.contains(theirs_has), "{markdown:?}: {theirs}");
    }
}

/// Markdown, a part of our HTML, and a part of the oracle's.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    // An image's alternative text is text: tags in it are left out, not shown as signs.
    ("![<b>x</b>](y.png)", "alt=\"x\"", "alt=\"&lt;b&gt;"),
    // An alert's first line may be indented: `[!NOTE]` is part of a paragraph that goes on.
    ("> [!NOTE]\n>     a\n", "<p>a</p>", "<pre><code>a"),
    ("> [!NOTE]\na\n", "<p>a</p></blockquote>", "</blockquote><p>a</p>"),
    // The specification: a star between a sign and a letter cannot close.
    ("*~~s~~*a", "*<del>s</del>*a", "<em><del>s</del></em>a"),
    // The specification: a link cannot contain another one, at any depth.
    ("[[[a](b)][c]](d)", "](d)", "<a href=\"d\">"),
    // The specification: an empty line between two blocks of an item makes the list loose.
    ("- ***\n\n  a", "<p>a</p>", "<hr>a"),
    ("- [b]: /c\n\n  a", "<p>a</p>", "<li>a</li>"),
];

/// Text inside a line.
fn inline() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        8 => "[a-z]{1,6}",
        1 => prop::sample::select(vec![
            "&amp;", "&#35;", "\\*", "\\_", "\\`", "\\[", "<b>x</b>", "<!-- c -->", "<https://a.b/c?d=e&f>",
            "<me@a.b>", "`a`", "``a ` b``", "` `", "é", "日本", "🏗️", "a.b", "1. x", "!", "\"q\"", "a_b_c",
            "5 * 3", "x < y", "~~s~~", "\\\\", "a\\", "&nosuch;",
        ]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let several = prop::collection::vec(inner, 1..4).prop_map(|parts| parts.join(" "));
        prop_oneof![
            several.clone(),
            several.clone().prop_map(|text| starred("*", &text)),
            several.clone().prop_map(|text| starred("**", &text)),
            several.clone().prop_map(|text| format!("_{text}_")),
            several.clone().prop_map(|text| format!("[{}](to.md)", without_brackets(&text))),
            several
                .clone()
                .prop_map(|text| format!("[{}](<to (b).md> 'title')", without_brackets(&text))),
            several.clone().prop_map(|text| format!("![{}](x.png \"t\")", without_tags(&text))),
            several.prop_map(|text| format!("[{}][ref]", without_brackets(&text))),
        ]
    })
}

/// Text between stars. Struck text at the edge of stars in stars is a known difference: of three equal
/// lines of a paragraph, our engine reads the middle one otherwise.
fn starred(stars: &str, text: &str) -> String {
    match text.contains('~') && text.contains('*') {
        true => text.to_owned(),
        false => format!("{stars}{text}{stars}"),
    }
}

/// A link in a link is a known difference.
fn without_brackets(text: &str) -> String {
    text.replace(['[', ']'], "")
}

fn without_tags(text: &str) -> String {
    text.replace(['<', '>'], "")
}

/// Blocks, each with an empty line after it where it stands among others.
fn block() -> impl Strategy<Value = String> {
    let line = || inline().prop_map(|text| text.replace('\n', " "));
    let leaf = prop_oneof![
        6 => prop::collection::vec(line(), 1..4).prop_map(|lines| lines.join("\n")),
        2 => (1..7_usize, line()).prop_map(|(level, text)| format!("{} {text}", "#".repeat(level))),
        1 => line().prop_map(|text| format!("{text}\n---")),
        1 => line().prop_map(|text| format!("    {text}\n\n    {text}")),
        1 => line().prop_map(|text| format!("```rust\n{text}\n\n  {text}\n```")),
        1 => line().prop_map(|text| format!("~~~\n{text}\n~~~")),
        1 => line().prop_map(|text| format!("<div>\n\n{text}\n\n</div>")),
        1 => line().prop_map(|text| format!("{text}  \n{text}\\\n{text}")),
        1 => (line(), line()).prop_map(|(a, b)| format!("| {} | b |\n|:--|--:|\n| {} | c |", a.replace('|', ""), b.replace('|', ""))),
        1 => Just("***".to_owned()),
        1 => Just("[ref]: /to \"title\"".to_owned()),
        1 => Just("<!-- a\ncomment -->".to_owned()),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        let blocks = |gap: &'static str| {
            prop::collection::vec(inner.clone(), 1..4).prop_map(move |blocks| blocks.join(gap))
        };
        prop_oneof![
            2 => blocks("\n\n").prop_map(|text| prefixed(&text, "> ", "> ")),
            1 => blocks("\n\n").prop_map(|text| format!("> [!NOTE]\n> a\n>\n{}", prefixed(&text, "> ", "> "))),
            2 => prop::collection::vec(blocks("\n\n"), 1..4).prop_map(|items| list(&items, "- ", "\n")),
            1 => prop::collection::vec(blocks("\n\n"), 1..4).prop_map(|items| list(&items, "1. ", "\n\n")),
            1 => prop::collection::vec(blocks("\n\n"), 1..3).prop_map(|items| list(&items, "* ", "\n")),
        ]
    })
}

fn list(items: &[String], mark: &str, gap: &str) -> String {
    let rest = " ".repeat(mark.len());
    let items: Vec<String> = items.iter().map(|item| prefixed(item, mark, &rest)).collect();
    items.join(gap)
}

/// `first` before the first line, `rest` before the others that are not empty.
fn prefixed(text: &str, first: &str, rest: &str) -> String {
    let lines = text.lines().enumerate().map(|(at, line)| match (at, line.is_empty()) {
        (0, _) => format!("{first}{line}"),
        (_, true) => rest.trim_end().to_owned(),
        _ => format!("{rest}{line}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether all that differs is the known difference in what is loose: paragraphs in items of lists.
fn is_known(markdown: &str, ours: &str, theirs: &str) -> bool {
    let shut_at_once = ["***", "# ", "---", "]: "].iter().any(|sign| markdown.contains(sign));
    let bare = |html: &str| html.replace("<p>", "").replace("</p>", "").replace("> ", ">");
    shut_at_once && ours.contains("<li>") && bare(ours) == bare(theirs)
}

/// Runs `CASES` documents of a kind from a seed that is printed.
fn run(name: &str, documents: impl Strategy<Value = String>) {
    let seed: u64 = match std::env::var("LOGGIA_TEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => SEED,
    };
    told(&format!("{name}: {CASES} documents from LOGGIA_TEST_SEED={seed}"));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..Default::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let outcome = TestRunner::new_with_rng(config, rng).run(&documents, |markdown| {
        let (ours, theirs) = (ours(&markdown), theirs(&markdown));
        if !is_known(&markdown, &ours, &theirs) {
            prop_assert_eq!(ours, theirs, "of:\n{}\n", markdown);
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{name}, LOGGIA_TEST_SEED={seed}: {error}");
    }
}

#[test]
fn generated_documents() {
    let document =
        prop::collection::vec(block(), 1..6).prop_map(|blocks| blocks.join("\n\n") + "\n");
    run("blocks", document);
}

#[test]
fn generated_lines() {
    let lines = prop::collection::vec(inline(), 1..6).prop_map(|parts| {
        let gap = if parts.iter().any(|part| part.contains('~')) { " " } else { "" };
        parts.join(gap) + "\n"
    });
    run("lines", lines);
}
