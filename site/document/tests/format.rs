//! Formatting keeps what a page says, and formatting again changes nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use diagnostics::SourceFile;
use document::{Config, Formatted, Page, Piece, format_page, parse_page};
use proptest::prelude::*;
use std::path::PathBuf;

mod flat;

fn page(text: &str) -> Page {
    parse_page(&SourceFile::new("a.md", text), &Config::without_file())
}

fn format(text: &str) -> Formatted {
    format_page(&SourceFile::new("a.md", text), &Config::without_file())
}

/// All that the reader gets, by other means than the formatter's own comparison.
fn seen(page: &Page) -> (String, String, Vec<String>) {
    let blocks = page.pieces.iter().map(|piece| match piece {
        Piece::Diagram(block) => block.source.clone(),
        Piece::KpiGrid(kpis) => format!("{kpis:?}"),
        Piece::BoxDrawing(html) => html.clone(),
        Piece::Broken { source, .. } => source.clone(),
        _ => String::new(),
    });
    let head = format!("{:?} {:?} {:?} {:?}", page.title, page.sections, page.hero, page.theme);
    (flat::html(page), head, blocks.collect())
}

/// Checks both promises and returns what came out.
fn check(source: &str) -> Formatted {
    let formatted = format(source);
    let text = &formatted.text;
    assert_eq!(
        seen(&page(&source.replace("\r\n", "\n"))),
        seen(&page(&text.replace("\r\n", "\n"))),
        "{source:?}\n{text:?}"
    );
    assert_eq!(format(text).text, *text, "twice is once: {source:?}");
    formatted
}

#[test]
fn the_even_form() {
    for (source, expected) in [
        ("", ""),
        ("a", "a\n"),
        ("a\n\n\n\nb\n\n\n", "a\n\nb\n"),
        ("\n\na\n", "a\n"),
        ("Title\n===\ntext\n", "# Title\n\ntext\n"),
        ("Sub\n---\n", "## Sub\n"),
        ("#   T   ##\ntext", "# T\n\ntext\n"),
        ("## T {#id services=\"auth users\"}  \n", "## T {#id services=\"auth users\"}\n"),
        ("* a\n* b\n  * c\n", "- a\n- b\n  - c\n"),
        ("+ a\n\n+ b\n", "- a\n\n- b\n"),
        ("* a\n\n- b\n", "* a\n\n- b\n"),
        ("- [ ] a\n- [x] b\n", "- [ ] a\n- [x] b\n"),
        ("a  \nb   \n", "a\\\nb\n"),
        ("a\r\n\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"),
        ("|a|b|\n|-|:-:|\n|long|x|\n", "| a    |  b  |\n| ---- | :-: |\n| long |  x  |\n"),
        ("- x\n\n  |a|\n  |-|\n  |bc|\n", "- x\n\n  | a   |\n  | --- |\n  | bc  |\n"),
        (
            "text\n```rust\nlet a;  \n\n\n```\nmore\n",
            "text\n\n```rust\nlet a;  \n\n\n```\n\nmore\n",
        ),
        (
            "```mermaid\ngraph TD\n  A-->B  \n\n\n  B-->C\n```\n",
            "```mermaid\ngraph TD\n  A-->B  \n\n\n  B-->C\n```\n",
        ),
        (
            "```kpi-grid\n[{\"label\":\"x\",\n\"value\":\"1\"}]\n```\n",
            "```kpi-grid\n[{ \"label\": \"x\", \"value\": \"1\" }]\n```\n",
        ),
        ("```kpi-grid\n[{\"label\":\"x\"\n```\n", "```kpi-grid\n[{\"label\":\"x\"\n```\n"),
        (
            "```json frontmatter\n{\"title\":\"x\"}\n```\n# A\n",
            "```json frontmatter\n{ \"title\": \"x\" }\n```\n# A\n",
        ),
        ("---\ntitle: x  \n---\n# A\nb\n", "---\ntitle: x  \n---\n# A\n\nb\n"),
        ("+++\ntitle = 'x'\n+++\n\n# A\n", "+++\ntitle = 'x'\n+++\n\n# A\n"),
        (
            "{{#include a.md:2:5}}\n{{#include b.md}}\n",
            "{{#include a.md:2:5}}\n{{#include b.md}}\n",
        ),
        ("a[^1] b[^n]\n\n[^1]: one\n[^n]: two\n", "a[^1] b[^n]\n\n[^1]: one\n[^n]: two\n"),
        ("[a]\n\n[a]: x.md\n[b]: y.md\n\n\n\ntext\n", "[a]\n\n[a]: x.md\n[b]: y.md\n\ntext\n"),
        ("Term\n: Meaning\n", "Term\n: Meaning\n"),
        ("> [!NOTE]\n> Text  \n", "> [!NOTE]\n> Text\n"),
        ("<div>\n\n*a*\n\n</div>\n", "<div>\n\n*a*\n\n</div>\n"),
        ("<!-- toc -->\ntext\n", "<!-- toc -->\ntext\n"),
        ("$$\na  \nb\n$$\n", "$$\na  \nb\n$$\n"),
        ("`a  \nb`\n", "`a\nb`\n"),
    ] {
        let formatted = check(source);
        // Where a construct's meaning hangs on its spaces the author's text stays.
        let stays = source.starts_with('`') && formatted.text == source;
        assert!(
            formatted.text == expected || stays,
            "{source:?}\n got {:?}\nwant {expected:?}",
            formatted.text
        );
    }
}

#[test]
fn seeds_and_our_own_book_keep_their_meaning() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    for folder in ["content", "../shared/seeds"] {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
            println!("skipped: {folder} is not there");
            continue;
        };
        for path in entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "md"))
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let formatted = check(&text);
            println!("{}: {} places kept", path.display(), formatted.kept.len());
        }
    }
}

#[test]
fn what_cannot_be_proven_stays_and_is_named() {
    let formatted = check("a\rb\n\n\n\nc");
    assert_eq!((formatted.text.as_str(), formatted.kept.len()), ("a\rb\n\n\n\nc", 1));
}

/// Constructs that like to lean on each other.
fn part() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "# h\n",
        "Title\n=====\n",
        "Sub\n---\n",
        "## x ## {#a services=\"b c\"}\n",
        "\n",
        "\n\n\n",
        "* a\n",
        "+ b\n",
        "- c\n",
        "1. d\n",
        "2) e\n",
        "  ",
        "    ",
        "\t",
        "> ",
        "> q\n",
        "text  \n",
        "more\\\n",
        "text",
        "*em*",
        "**st",
        "`co  de`",
        "``` js\n",
        "```\n",
        "~~~\n",
        "| a | b |\n|--|:-:|\n| c |\n",
        "a|b\n-|-\n1|2\n",
        "***\n",
        "---\n",
        "<div>\n",
        "</div>\n",
        "<!-- c -->\n",
        "[a]: b.md\n",
        "[a]",
        "[^1]",
        "[^1]: foot\n",
        "    code  \n",
        "- [ ] t\n",
        "Term\n: def\n",
        "> [!NOTE]\n> n\n",
        "$x$",
        "$$\ny\n$$\n",
        "{{#include x.md}}\n",
        "```kpi-grid\n[{\"label\":\"x\",\"value\":\"1\"}]\n```\n",
        "```mermaid\ngraph TD\n A-->B\n```\n",
        "---\ntitle: t\n---\n",
        "![i](p.png)",
        "<b>",
        "\\",
        "* * *\n",
        "- \n",
        "#\n",
        "| x\n",
    ]);
    prop_oneof![8 => fixed.prop_map(str::to_owned), 1 => "[ -~]{0,12}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_page_keeps_its_meaning(parts in prop::collection::vec(part(), 0..24)) {
        check(&parts.concat());
    }
}
