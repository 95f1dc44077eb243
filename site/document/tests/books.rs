//! Books of several pages: order, reuse, links between pages.

use diagnostics::{Severity, SourceFile};
use document::{Book, Config};
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
        ("sub/a.md", "x"),
        ("gone.md", "x"),
        ("SUMMARY.md", summary),
    ]);
    let seen: Vec<&str> = book.pages.iter().map(|page| page.source.as_str()).collect();
    assert_eq!(seen, ["README.md", "b.md", "sub/a.md"]);
    let found: Vec<_> =
        book.diagnostics.iter().map(|f| (f.code.as_str(), f.severity, f.line)).collect();
    assert_eq!(found, [("L004", Severity::Error, 10), ("L010", Severity::Note, 1)]);
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
        let book = Book::assemble_with_assets(
            Config::without_file(),
            files(&[("a.md", &text), ("b.md", "# Two\n"), ("sub/README.md", ""), ("sub/c.md", "")]),
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
