//! Any text becomes a page whose HTML is balanced.

use diagnostics::SourceFile;
use document::{Book, Config, parse_page};
use proptest::prelude::*;

mod flat;

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
