//! Books of several pages: order, reuse, links between pages.

use diagnostics::{Severity, SourceFile};
use document::{Book, Chapter, Config, OutlineItem};
use std::sync::Arc;

fn files(files: &[(&str, &str)]) -> Vec<SourceFile> {
    files.iter().map(|(path, text)| SourceFile::new(*path, *text)).collect()
}

fn book(of: &[(&str, &str)]) -> Book {
    Book::assemble(Config::without_file(), files(of), None)
}

#[test]
fn order_and_addresses() {
    for (paths, expected) in [
        (
            &["b.md", "a.md", "index.md", "guide/z.md", "guide/README.md"][..],
            &["index.html", "a.html", "b.html", "guide/index.html", "guide/z.html"][..],
        ),
        (&["b.md", "A.md"], &["A.html", "b.html"]),
    ] {
        let book = book(&paths.iter().map(|path| (*path, "text")).collect::<Vec<_>>());
        let seen: Vec<&str> = book.pages.iter().map(|page| page.path.as_str()).collect();
        assert_eq!(seen, expected);
        assert_eq!(book.diagnostics, []);
    }
}

#[test]
fn a_summary_gives_the_order() {
    let summary = "# Summary\n\n[Intro](README.md)\n\n# Part\n\n- [B](b.md)\n  - [A](./sub/a.md#x)\n- [Draft]()\n\
                   - [Gone](gnoe.md)\n\n---\n\n[Web](https://e.org)\n";
    let book = book(&[
        ("README.md", "x"),
        ("b.md", "x"),
        ("sub/a.md", "# X"),
        ("gone.md", "x"),
        ("SUMMARY.md", summary),
    ]);
    let seen: Vec<&str> = book.pages.iter().map(|page| page.source.as_str()).collect();
    assert_eq!(seen, ["README.md", "b.md", "sub/a.md"]);
    let found: Vec<_> =
        book.diagnostics.iter().map(|f| (f.code.as_str(), f.severity, f.line)).collect();
    assert_eq!(found, [("L004", Severity::Error, 10), ("L042", Severity::Note, 1)]);
    assert_eq!(book.diagnostics[0].help.as_deref(), Some("did you mean `gone.md`?"));
}

#[test]
fn links_between_pages() {
    let others = ["img/x.png".to_owned()];
    for (link, expected) in [
        ("b.md", None),
        ("b.html", None),
        ("b.md#two", None),
        ("b.md#-two", None),
        ("b.md#old", None),
        ("b.md#figure-0", None),
        ("b.md#figure-0:x", None),
        ("b.md#figure-0:z", Some(("no heading of `b.md` has the id `figure-0:z`", ""))),
        ("b.md#figure-1", Some(("no heading of `b.md` has the id `figure-1`", ""))),
        ("#here", None),
        ("#top", None),
        ("sub/", None),
        ("sub/c.md", None),
        ("sub", None),
        ("img/x.png", None),
        ("img/", None),
        ("/b.md", None),
        ("/live/services/orders", None),
        ("https://e.org/nowhere.md", None),
        ("mailto:a@b", None),
        ("bb.md", Some(("no page `bb.md`", "did you mean `b.md`?"))),
        ("b.md#too", Some(("no heading of `b.md` has the id `too`", "did you mean `two`?"))),
        ("#her", Some(("no heading of this page has the id `her`", "did you mean `here`?"))),
        ("img/y.png", Some(("no file `img/y.png`", "did you mean `img/x.png`?"))),
        ("../a.md", Some(("`../a.md` leads out of the book", "link to a page"))),
    ] {
        let text = format!("# Here\n\nsee [it]({link})\n");
        let two = "# Two\n\n<a name=\"old\"></a>\n\n```mermaid\ngraph LR\n  x[X] --> y\n```\n";
        let book = Book::assemble_with_assets(
            Config::without_file(),
            files(&[("a.md", &text), ("b.md", two), ("sub/README.md", ""), ("sub/c.md", "")]),
            &others,
            None,
        );
        match (book.diagnostics.as_slice(), expected) {
            ([], None) => {}
            ([found], Some((message, help))) => {
                assert_eq!(found.message, message);
                assert!(found.help.as_deref().is_some_and(|h| h.starts_with(help)), "{found:?}");
                assert_eq!((found.code.as_str(), &*found.file), ("L004", "a.md"));
                assert_eq!((found.line, found.column), (3, 10), "{link}");
            }
            (found, _) => panic!("{link}: {found:#?}"),
        }
    }
    let unknown = book(&[("a.md", "[x](img/y.png)")]);
    assert_eq!(unknown.diagnostics, [], "nobody said which files there are");
}

#[test]
fn links_inside_blocks_of_other_generators() {
    for (text, line, column) in [
        ("!!! note\n    one\n\n    see [it](gone.md)\n", 4, 14),
        (":::tip[Title]\n- [it](gone.md)\n:::\n", 2, 8),
        ("=== \"A\"\n    a\n\n=== \"B\"\n    [it](gone.md)\n\nmore\n", 5, 10),
        ("::: details\n!!! note\n    x\n:::\n\n```js\na\n\n## H\n\n[it](gone.md)\n", 11, 6),
    ] {
        let found = book(&[("a.md", text)]).diagnostics;
        let link = found.iter().find(|found| found.code.as_str() == "L004");
        let place = link.map(|link| (link.line, link.column));
        assert_eq!(place, Some((line, column)), "{text}: {found:#?}");
    }
}

#[test]
fn unchanged_pages_are_reused() {
    let first = book(&[("a.md", "a"), ("b.md", "b")]);
    let again = |config: Config, b: &str| {
        let next = Book::assemble(config, files(&[("a.md", "a"), ("b.md", b)]), Some(&first));
        [0, 1].map(|at| Arc::ptr_eq(&first.pages[at], &next.pages[at]))
    };
    assert_eq!(again(Config::without_file(), "b"), [true, true]);
    assert_eq!(again(Config::without_file(), "c"), [true, false]);
    let other = Config { language: "de".to_owned(), ..Config::without_file() };
    assert_eq!(again(other, "b"), [false, false]);
}

#[test]
fn two_files_with_one_address() {
    let book = book(&[("README.md", ""), ("index.md", "")]);
    assert_eq!(book.diagnostics.len(), 1);
    assert!(book.diagnostics[0].message.contains("both become `index.html`"));
}

/// One line for each item: number, title, and the page in angle brackets.
fn outline(book: &Book) -> Vec<String> {
    fn show(chapter: &Chapter, depth: usize, out: &mut Vec<String>) {
        let number = chapter.number.as_deref().unwrap_or_default();
        let page = chapter.page.as_deref().map(|id| format!(" <{id}>")).unwrap_or_default();
        out.push(format!("{}{number}{}{page}", "  ".repeat(depth), chapter.title));
        chapter.children.iter().for_each(|child| show(child, depth + 1, out));
    }
    let mut out = Vec::new();
    for item in &book.outline {
        match item {
            OutlineItem::Part(title) => out.push(format!("# {title}")),
            OutlineItem::Separator => out.push("---".to_owned()),
            OutlineItem::Chapter(chapter) => show(chapter, 0, &mut out),
        }
    }
    out
}

#[test]
fn outlines() {
    let with_summary = book(&[
        ("README.md", "x"),
        ("with space.md", "x"),
        ("sub/a.md", "# Another title\n"),
        (
            "SUMMARY.md",
            "# Summary\n\n[Hello](README.md)\n\n# Part\n\n- [Space](with%20space.md)\n  - [A](./sub/a.md)\n- [Draft]()\n\n---\n",
        ),
    ]);
    assert_eq!(with_summary.diagnostics, []);
    assert_eq!(
        outline(&with_summary),
        ["Hello <README>", "# Part", "1.Space <with space>", "  1.1.A <sub/a>", "2.Draft", "---",]
    );
    let folders = book(&[
        ("README.md", "# Start\n"),
        ("guide/README.md", "# Guide\n"),
        ("guide/z.md", "# Z\n"),
        ("guide/deep-end/a.md", "# A\n"),
        ("ops.md", "# Operations\n"),
        ("ops/night.md", "# Night\n"),
        ("apart/one.md", "# One\n"),
    ]);
    assert_eq!(
        outline(&folders),
        [
            "Start <README>",
            "Apart",
            "  One <apart/one>",
            "Guide <guide/README>",
            "  Deep end",
            "    A <guide/deep-end/a>",
            "  Z <guide/z>",
            "Operations <ops>",
            "  Night <ops/night>",
        ]
    );
}

#[test]
fn a_broken_summary_has_places() {
    let book = book(&[
        ("a.md", "x"),
        ("b.md", "x"),
        (
            "SUMMARY.md",
            "- [A](a.md)\n- no link\n- [Again](a.md)\n- [Out](../b.md)\n\n[End](b.md)\n\n- [B](b.md)\n",
        ),
    ]);
    let found: Vec<_> = book
        .diagnostics
        .iter()
        .map(|f| (f.code.as_str(), f.line, f.column, f.message.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("L035", 2, 1, "a list item must begin with a link"),
            ("L035", 3, 3, "`a.md` is listed twice"),
            ("L035", 4, 3, "`../b.md` leads out of the book"),
            ("L035", 8, 1, "numbered chapters cannot follow suffix chapters"),
            ("L035", 8, 3, "`b.md` is listed twice"),
        ]
    );
}
