//! Any text becomes a page whose HTML is balanced.

#![allow(clippy::unwrap_used)]

use diagnostics::SourceFile;
use document::{Book, Config, parse_page};
use proptest::prelude::*;
use std::io::Write as _;
use std::sync::mpsc;
use std::time::{Duration, Instant};

mod flat;

/// Every hostile page is read within this time, on a machine with other things to do.
const DEADLINE: Duration = Duration::from_secs(120);
/// Time for four times the input: 4 where it grows in step, 16 where it grows with the square.
const GROWTH_MAX: f64 = 16.0;
/// Shorter runs say nothing about growth.
const MEASURED: Duration = Duration::from_millis(1_500);

const VOID: &[&str] = &["br", "hr", "img", "wbr", "col", "source", "input"];

/// Every element is closed, in order, and what is between the tags holds no stray brackets.
fn check_balanced(source: &str) {
    let page = parse_page(&SourceFile::new("a.md", source), &Config::without_file());
    let html = flat::html(&page);
    let mut open: Vec<String> = Vec::new();
    let mut rest = html.as_str();
    while let Some(at) = rest.find(['<', '>']) {
        assert!(rest[at..].starts_with('<'), "stray `>` for {source:?}:\n{html}");
        let end =
            tag_end(&rest[at..]).unwrap_or_else(|| panic!("open tag for {source:?}:\n{html}"));
        let tag = &rest[at + 1..at + end];
        rest = &rest[at + end + 1..];
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name), "{source:?}:\n{html}"),
            None => {
                let name = tag.split([' ', '\n']).next().unwrap_or_default();
                assert!(name.bytes().all(|b| b.is_ascii_alphanumeric()), "{tag} in {source:?}");
                if !VOID.contains(&name) {
                    open.push(name.to_owned());
                }
            }
        }
    }
    assert_eq!(open, Vec::<String>::new(), "{source:?}:\n{html}");
    let lower = html.to_lowercase();
    assert!(
        !lower.contains("<script") && !lower.contains("href=\"javascript"),
        "{source:?}:\n{html}"
    );
}

fn tag_end(tag: &str) -> Option<usize> {
    let mut quoted = false;
    tag.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b'>' && !quoted
    })
}

/// Pieces of Markdown that like to be nested wrongly.
fn part() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "# h ",
        "## x {#a services=\"b c\"}",
        "\n",
        "\n\n",
        "- ",
        "  ",
        "    ",
        "> ",
        "> [!NOTE]\n",
        "1. ",
        "```mermaid\n",
        "```kpi-grid\n[{\"label\":\"a\",\"value\":\"b\"}]\n",
        "```glossary\n",
        "```\n",
        "~~~\n",
        "```json frontmatter\n{\"title\":1}",
        "---\n",
        "+++\n",
        "title: x\n",
        "| a | b |\n|--|--|\n",
        "| c |\n",
        "*",
        "**",
        "_",
        "~~",
        "`",
        "[",
        "](kpi:a)",
        "](b.md)",
        "](javascript:x)",
        "![",
        "[^1]",
        "[^1]: note\n",
        "<b>",
        "</b>",
        "<div>\n",
        "</div>\n",
        "<details>",
        "<p>",
        "</p>",
        "<!--",
        "-->",
        "<script>",
        "</script>",
        "<a href=\"x\" ",
        "<td>",
        "\"",
        "&",
        "&amp;",
        "<",
        ">",
        ": def\n",
        "[x] ",
        "\\",
        "\t",
        "\r\n",
        "\0",
        "\u{feff}",
        "é",
        "🏗️",
        "─│┌┐\n",
        "â”Œ",
        "{#a}",
        "term ",
        "http://a.b",
        "<http://a.b>",
        "\n=====\n",
        "<img src=x",
        "/>",
    ]);
    prop_oneof![8 => fixed.prop_map(str::to_owned), 1 => "\\PC{0,6}", 1 => ".{0,4}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mixture_of_markdown(parts in prop::collection::vec(part(), 0..40)) {
        check_balanced(&parts.concat());
    }

    #[test]
    fn any_string(text in "(?s).{0,200}") {
        check_balanced(&text);
    }
}

#[test]
fn hostile_pages_end() {
    let many = |part: &str, count: usize| part.repeat(count);
    for source in [
        many("> ", 5_000) + "x",
        many("- ", 2_000) + "x",
        many("[", 20_000),
        many("*a ", 20_000),
        many("<b>", 20_000),
        many("</b>", 20_000),
        many("<b>", 20_000) + &many("</i>", 20_000),
        many("<p>\n\n", 5_000),
        many("<b ", 5_000),
        many("<b a=\"", 5_000),
        many("<!--", 5_000),
        many("&", 20_000),
        many("# same\n\n", 10_000),
        many("```a\n\n# x\n", 3_000),
        many("[^a] ", 20_000),
        many("[x](nowhere.md) ", 10_000),
        many("![", 10_000),
        "a".repeat(1_000_000),
        "\0".repeat(1_000),
        format!("---\n{}\n---\n", many("a: [", 2_000)),
        format!("```json frontmatter\n{}\n```\n", many("[", 50_000)),
        format!("```kpi-grid\n{}\n```\n", many("[", 50_000)),
        format!("+++\n{}\n+++\n", many("a = [", 2_000)),
    ] {
        check_balanced(&source);
    }
}

type Source = fn(usize) -> String;

/// Name and text of hostile pages of size `n`; the last one read is 10,000.
const GROWING: &[(&str, Source)] = &[
    ("one line of 8 MB", |n| "words ".repeat(n * 140)),
    ("headings", |n| "# same\n\n".repeat(n)),
    ("headings with ids", |n| (0..n).map(|at| format!("## a {{#i{at}}}\n\n")).collect()),
    ("ids above headings", |n| "<a id=\"x\"></a>\n\n## X\n\n".repeat(n)),
    ("quotes in each other", |n| "> ".repeat(n) + "x"),
    ("lists in each other", |n| "- ".repeat(n) + "x"),
    ("numbered lists in each other", |n| "1. ".repeat(n) + "x"),
    ("quotes and lists in turn", |n| "> - ".repeat(n) + "x"),
    ("brackets", |n| "[".repeat(n) + &"]".repeat(n)),
    ("links in each other", |n| "[a](".repeat(n)),
    ("images in each other", |n| "![".repeat(n) + &"](x)".repeat(n)),
    ("links", |n| "[x](nowhere.md) ".repeat(n)),
    ("emphasis in each other", |n| "*a **b ".repeat(n) + &"** *".repeat(n)),
    ("emphasis that never ends", |n| "*a _b".repeat(n)),
    ("struck", |n| "~~a ~b".repeat(n)),
    ("footnotes", |n| (0..n).map(|at| format!("[^{at}]\n\n[^{at}]: x\n\n")).collect()),
    ("footnotes never defined", |n| "[^a] ".repeat(n)),
    ("footnotes in footnotes", |n| {
        (0..n).map(|at| format!("[^{at}]: [^{}]\n\n", at + 1)).collect()
    }),
    ("columns of a table", |n| {
        format!("{}|\n{}|\n{}|\n", "|a".repeat(n), "|-".repeat(n), "|b".repeat(n))
    }),
    ("rows of a table", |n| format!("|a|b|\n|-|-|\n{}", "|c|\n".repeat(n))),
    ("references", |n| (0..n).map(|at| format!("[a{at}]: /b\n\n[a{at}]\n\n")).collect()),
    ("definitions", |n| "term\n: meaning\n\n".repeat(n)),
    ("zero bytes", |n| "a\0".repeat(n)),
    ("carriage returns", |n| "a\r\r# b\r".repeat(n)),
    ("fences never closed", |n| "```a\n\n# x\n".repeat(n)),
    ("hidden lines", |n| format!("```rust {{1-99}} linenos\n{}```\n", "# a\nb\n".repeat(n))),
    ("tabs", |n| "```sh tab=\"a\"\nb\n```\n\n".repeat(n)),
    ("blocks in colons", |n| ":::note\na\n".repeat(n) + &":::\n".repeat(n)),
    ("blocks by indentation", |n| "!!! note\n    a\n\n=== \"b\"\n    c\n\n".repeat(n)),
    ("marks in code", |n| {
        format!("```js\n{}```\n", "// highlight-start\na // [!code ++]\n".repeat(n))
    }),
    ("backticks", |n| (0..n / 50).map(|at| "`".repeat(at) + " ").collect()),
    ("tags never closed", |n| "<b>".repeat(n)),
    ("tags closed only", |n| "</b>".repeat(n)),
    ("attributes never closed", |n| "<b a=\"".repeat(n)),
    ("comments never closed", |n| "a <!-- ".repeat(n)),
    ("declarations never closed", |n| "a <!A <? <![CDATA[ ".repeat(n)),
    ("ampersands", |n| "&a".repeat(n)),
    ("ends of lines", |n| "\n".repeat(n * 10)),
    ("strokes", |n| "─│┌ a\n".repeat(n)),
];

/// Reads and checks the page in a thread with an ordinary stack.
fn time(name: &str, source: String) -> Duration {
    let (done, waits) = mpsc::channel();
    let start = Instant::now();
    std::thread::spawn(move || {
        let page = parse_page(&SourceFile::new("a.md", source), &Config::without_file());
        let _ = done.send((start.elapsed(), page.pieces.len()));
    });
    match waits.recv_timeout(DEADLINE) {
        Ok((took, _)) => took,
        Err(error) => panic!("{name}: no page within {DEADLINE:?}: {error}"),
    }
}

#[test]
fn hostile_pages_grow_in_step() {
    let mut failed = Vec::new();
    for (name, source) in GROWING {
        let (small, large) = (time(name, source(2_500)), time(name, source(10_000)));
        let ratio = large.as_secs_f64() / small.as_secs_f64().max(1e-6);
        let line = format!(
            "{name}: {} ms, {ratio:.1} times as long for 4 times as much",
            large.as_millis()
        );
        writeln!(std::io::stderr(), "{line}").unwrap();
        // Measured again before it is believed: other tests run beside this one.
        let slow = |large: Duration, small: Duration| {
            large > MEASURED && large.as_secs_f64() > small.as_secs_f64() * GROWTH_MAX
        };
        if slow(large, small) && slow(time(name, source(10_000)), time(name, source(2_500))) {
            failed.push(line);
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_configuration(parts in prop::collection::vec(config_part(), 0..12)) {
        let text = parts.concat();
        let (config, _) = Config::parse(&SourceFile::new("book.toml", text.as_str()));
        prop_assert!(!config.src.is_empty() && !config.build_dir.is_empty());
    }

    #[test]
    fn any_book(parts in prop::collection::vec(part(), 0..20), summary in prop::option::of("(?s).{0,80}")) {
        let mut files = vec![SourceFile::new("a.md", parts.concat()), SourceFile::new("b/c.md", "[x](../a.md)")];
        files.extend(summary.map(|text| SourceFile::new("SUMMARY.md", format!("- [a](a.md)\n{text}"))));
        let book = Book::assemble_with_assets(Config::without_file(), files, &["x.png".to_owned()], None);
        prop_assert!(!book.pages.is_empty());
    }
}

fn config_part() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "[book]\n",
        "title = 1\n",
        "src = \"\"\n",
        "src = \"/\"\n",
        "[build]\n",
        "build-dir = \"/\"\n",
        "[output.loggia]\n",
        "scrape = [1, {}]\n",
        "discovery = 1\n",
        "[output.loggia.services.a]\n",
        "aliases = \"x\"\n",
        "[output.loggia.kpis.a]\n",
        "service = \"b\"\n",
        "[output]\n",
        "loggia = 1\n",
        "[",
        "\"",
        "= ",
        "\n",
        "é",
    ]);
    prop_oneof![6 => fixed.prop_map(str::to_owned), 1 => ".{0,6}"]
}
