//! Code blocks, tabs and formulas: what an author writes behind a fence, and what comes of it.

use diagnostics::SourceFile;
use document::{Book, CodeCache, Config, Draft, Page, highlight, parse_page_with};
use std::sync::Arc;

mod flat;

fn page(book: &str, markdown: &str) -> Page {
    let (config, found) = Config::parse(&SourceFile::new("book.toml", book));
    assert_eq!(found, []);
    parse_page_with(&SourceFile::new("a.md", markdown), &config, &CodeCache::default())
}

/// The HTML of `markdown` holds all of `parts`, in this order.
fn check(book: &str, markdown: &str, parts: &[&str]) {
    let page = page(book, markdown);
    let html = flat::html(&page);
    assert_eq!(page.diagnostics, [], "{markdown}");
    let mut rest = html.as_str();
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("no {part:?} in its place:\n{html}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn words_behind_a_fence() {
    for (markdown, parts) in [
        (
            "```rust,ignore,editable\nx\n```\n",
            &["<code class=\"language-rust ignore editable\">x\n</code>"][..],
        ),
        ("```text title=\"a <b>\"\nx\n```\n", &["<p class=\"code-title\">a &lt;b&gt;</p>"]),
        (
            "```text {2}\na\nb\nc\n```\n",
            &[
                "<span class=\"line\">a\n</span><span class=\"line marked\">b\n</span><span class=\"line\">c\n</span></code>",
            ],
        ),
        (
            "```text linenos=9\na\nb\n```\n",
            &[
                "<span class=\"line\" data-line=\"9\">a\n",
                "<span class=\"line\" data-line=\"10\">b\n",
            ],
        ),
        (
            "```rust\n# use a;\n## b\n#[x]\nlet c;\n#\n```\n",
            &[
                "<input type=\"checkbox\"> Show hidden lines",
                "<span class=\"boring\"><span class=\"h-k\">use</span> a;\n</span>",
                "<span class=\"line\"># b\n</span>",
                "<span class=\"line\"><span class=\"h-m\">#[x]</span>\n</span>",
                "<span class=\"boring\">\n</span></code>",
            ],
        ),
        (
            "```python hidelines=!!!\n!!!a\nb\n```\n",
            &["<span class=\"boring\">a\n</span><span class=\"line\">b\n</span>"],
        ),
        ("```rust {1\n```\n", &["<code class=\"language-rust\"></code>"]),
    ] {
        check("", markdown, parts);
    }
    let book = "[output.html.code.hidelines]\npython = \"~\"\n";
    check(book, "```python\n~a\nb\n```\n", &["<span class=\"boring\">a\n</span>"]);
}

#[test]
fn fences_with_tabs_stand_together() {
    let two = "```sh tab=\"Linux\"\na\n```\n\n```sh tab=\"Mac\"\nb\n```\n";
    check(
        "",
        &format!("{two}\ntext\n\n{two}\n"),
        &[
            "<div class=\"tabs\">\n<section class=\"tab\" data-tab=\"Linux\" aria-label=\"Linux\">",
            "</section>\n<section class=\"tab\" data-tab=\"Mac\"",
            "</section>\n</div>\n<p>text</p>\n<div class=\"tabs\">",
            "</section>\n</div>\n",
        ],
    );
    let inside: String = two.lines().map(|line| format!("  {line}\n")).collect();
    check("", &format!("- x\n\n{inside}"), &["<div class=\"tabs\">", "</div>\n</li>"]);
    check("", "```sh tab=\"One\"\na\n```\n\n# H\n", &["</section>\n</div>\n", "<h1"]);
}

#[test]
fn formulas_only_where_they_are_asked_for() {
    let on = "[output.loggia]\nmath = true\n";
    let jax = "[output.html]\nmathjax-support = true\n";
    for (book, markdown, parts) in [
        ("", "from $5 to $6, \\\\(x\\\\)\n", &["<p>from $5 to $6, \\(x\\)</p>"][..]),
        (
            "",
            "```math\nx^2\n```\n",
            &["<p class=\"math\" tabindex=\"0\"><math display=\"block\">", "<msup>"],
        ),
        (on, "so $x^2$ is\n", &["so <math display=\"inline\">", "</math> is"]),
        (on, "from $5 and $6 on\n", &["<p>from $5 and $6 on</p>"]),
        (on, "$$\n\\frac{a}{b}\n$$\n", &["<math display=\"block\">", "<mfrac>"]),
        (jax, "so \\\\(x^2\\\\) is\n", &["so <math display=\"inline\">", "</math> is"]),
        (jax, "\\\\[\nx^2\n\\\\]\n", &["<math display=\"block\">"]),
        (jax, "open \\\\( *x*\n", &["open \\( <em>x</em>"]),
        (jax, "$5 and `\\\\(x\\\\)`\n", &["$5 and <code>\\\\(x\\\\)</code>"]),
    ] {
        check(book, markdown, parts);
    }
}

#[test]
fn a_broken_formula_is_told_and_shown() {
    for (book, markdown, line) in [
        ("", "# A\n\n```math\n\\frac{a\n```\n", 4),
        ("[output.loggia]\nmath = true\n", "# A\n\nso $\\nosuch{<b>}$\n", 3),
    ] {
        let page = page(book, markdown);
        let found: Vec<_> = page.diagnostics.iter().map(|f| (f.code.as_str(), f.line)).collect();
        assert_eq!(found, [("L030", line)], "{markdown}");
        let html = flat::html(&page);
        assert!(html.contains("\\frac{a") || html.contains("\\nosuch{&lt;b&gt;}"), "{html}");
    }
    let hostile =
        page("[output.loggia]\nmath = true\n", "$\\text{</annotation><script>x</script>}$\n");
    assert!(!flat::html(&hostile).contains("<script"));
}

#[test]
fn smart_punctuation_as_in_mdbook() {
    check("", "\"a\" -- b\n", &["<p>“a” – b</p>"]);
    check(
        "[output.html]\nsmart-punctuation = false\n",
        "\"a\" -- b\n",
        &["<p>&quot;a&quot; -- b</p>"],
    );
}

/// Tags away and entities undone: what is left of coloured code.
fn plain(html: &str) -> String {
    flat::text(html)
}

#[test]
fn colours_keep_every_character() {
    for (language, text, class) in [
        (
            "rust",
            "fn main() { println!(\"{}\", 'a'); } // x\n",
            "<span class=\"h-m\">println!</span>",
        ),
        (
            "rust",
            "r#\"a\"b\"# 'static b'\\'' /* /* */ */ x\n",
            "<span class=\"h-c\">/* /* */ */</span>",
        ),
        (
            "rs",
            "#![allow(x[0])]\nlet r#type = 1_000.5e-3_f64;\n",
            "<span class=\"h-n\">1_000.5e-3_f64</span>",
        ),
        (
            "json",
            "{\"a\": \"b\", \"c\": [1, true]}\n",
            "<span class=\"h-v\">&quot;a&quot;</span>: <span class=\"h-s\">&quot;b&quot;</span>",
        ),
        ("toml", "[a.b]\nc = \"x=y\" # z\n", "<span class=\"h-h\">[a.b]</span>"),
        (
            "yaml",
            "a:\n  - b: c # d\n  - http://x\n",
            "<span class=\"h-v\">b</span>: c <span class=\"h-c\"># d</span>",
        ),
        (
            "console",
            "$ cargo run --release\n   Compiling a # b\n",
            "<span class=\"h-p\">$ </span>cargo run <span class=\"h-v\">--release</span>",
        ),
        ("bash", "if [ -n \"$X\" ]; then echo ${Y}; fi\n", "<span class=\"h-k\">if</span>"),
        ("diff", "--- a\n+++ b\n-x\n+y\n", "<span class=\"h-d\">-x</span>"),
        ("python", "@x\ndef f(a='b'): return None\n", "<span class=\"h-f\">f</span>"),
        ("SQL", "SELECT count(*) FROM a -- b\n", "<span class=\"h-k\">SELECT</span>"),
        (
            "cpp",
            "#include <a>\nint main() { return 0x1F; }\n",
            "<span class=\"h-s\">&lt;a&gt;</span>",
        ),
        (
            "js",
            "const a = `x\ny`; f(1)\n",
            "<span class=\"h-s\">`x</span>\n<span class=\"h-s\">y`</span>",
        ),
        ("haskell", "main = putStrLn \"x\" -- y\n", "<span class=\"h-c\">-- y</span>"),
        ("html", "<b class=\"x\">y</b>\n", "<span class=\"h-k\">b</span>"),
        ("css", "a { color: red }\n", "<span class="),
        ("scala", "object A { val x = 1 }\n", "<span class="),
        ("no-such", "a < b\n", "a &lt; b"),
        ("text", "let a\n", "let a"),
    ] {
        let html = highlight(language, text);
        assert!(html.contains(class), "{language}: {html}");
        assert_eq!(plain(&html), text, "{language}");
        for line in html.split('\n') {
            assert_eq!(line.matches("<span").count(), line.matches("</span>").count(), "{html}");
        }
    }
}

#[test]
fn coloured_code_is_lent_to_the_next_book() {
    let files = |text: &str| {
        let code = "```haskell\nmain = putStrLn \"x\"\n```\n";
        vec![SourceFile::new("a.md", format!("# A\n\n{text}\n\n{code}"))]
    };
    let draft = |text: &str| Draft::of(files(text));
    let (first, mut second) = (draft("one"), draft("two"));
    second.code = Arc::clone(&first.code);
    let code = Arc::clone(&first.code);
    let first = Book::assemble_draft(Config::without_file(), first, None, None);
    assert_eq!(code.len(), 1);
    let next = Book::assemble_draft(Config::without_file(), second, None, Some(&first));
    assert_eq!(code.len(), 1, "coloured once");
    let (old, new) = (flat::html(&first.pages[0]), flat::html(&next.pages[0]));
    assert_eq!(old.replace("one", "two"), new);
}
