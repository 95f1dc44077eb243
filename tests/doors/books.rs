//! Books of mdBook's: includes, preprocessors, redirects, added files, at the command line and in the
//! server.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::{binary, get, run_to_end, serve, within};

const SOON: Duration = Duration::from_secs(20);

/// Writes files, each as path and text; programs are made to run.
fn book(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if text.starts_with("#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    dir
}

/// Builds; what was printed, and whether it succeeded.
fn build(dir: &Path) -> (String, bool) {
    let mut command = Command::new(binary("loggia"));
    let output = run_to_end(command.args(["build", "."]).current_dir(dir).env("NO_COLOR", "1"));
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.success())
}

#[test]
fn includes_are_filled_in_or_found_wrong() {
    let listing = "// ANCHOR: part\nfn part() {}\n// ANCHOR_END: part\nfn rest() {}\n";
    for (directive, shown, finding) in [
        ("{{#include ../listings/a.rs:part}}", "part()", None),
        ("{{#rustdoc_include ../listings/a.rs:part}}", "part()", None),
        ("{{#include ../listings/a.rs:4}}", "rest()", None),
        ("\\{{#include ../listings/a.rs}}", "{{#include ../listings/a.rs}}", None),
        ("{{#include ../listings/b.rs}}", "{{#include", Some("error[L037]: cannot include")),
        (
            "{{#include ../listings/a.rs:prat}}",
            "",
            Some("warning[L037]: `../listings/a.rs` has no anchor `prat`"),
        ),
        ("{{#include ../../outside.md}}", "{{#include", Some("error[L037]: cannot include")),
        ("{{#include page.md}}", "{{#include", Some("error[L037]: `page.md` includes itself")),
        ("{{#include twice.md}}", "once", Some("(in `twice.md`, line 2)")),
    ] {
        let page = format!("# Page\n\nabove\n\n{directive}\n");
        let outer = book(&[
            ("outside.md", "no business of the book's"),
            ("book/book.toml", "[book]\ntitle = \"B\"\n"),
            ("book/src/SUMMARY.md", "- [Page](page.md)\n"),
            ("book/src/page.md", &page),
            ("book/src/twice.md", "once\n{{#include twice.md}}\n"),
            ("book/listings/a.rs", listing),
        ]);
        let (printed, _) = build(&outer.path().join("book"));
        let html = fs::read_to_string(outer.path().join("book/book/page.html")).unwrap();
        let words = html.replace("&#123;", "{");
        assert!(words.contains(shown), "{directive}: {html}");
        assert!(!html.contains("no business"), "{directive}");
        match finding {
            Some(finding) => {
                assert!(printed.contains(finding), "{directive}: {printed}");
                assert!(printed.contains("page.md:5:1"), "{directive}: {printed}");
            }
            None => assert!(!printed.contains("L037"), "{directive}: {printed}"),
        }
    }
}

/// Shouts: turns the word `quiet` into `LOUD` in every chapter, and adds a chapter.
const SHOUT: &str = r##"#!/bin/sh
if [ "$1" = supports ]; then [ "$2" = html ]; exit; fi
sed -e 's/quiet/LOUD/g' -e 's/^\[{.*},{"items":\[/{"items":[{"Chapter":{"name":"New","content":"# New\\n","number":null,"sub_items":[],"path":"new.md","source_path":null,"parent_names":[]}},/' -e 's/\]$//'
"##;

#[test]
fn preprocessors_run_or_say_why_not() {
    for (script, settings, shown, finding) in [
        (SHOUT, "", "LOUD", None),
        (SHOUT, "renderers = [\"epub\"]\n", "quiet", None),
        ("#!/bin/sh\nexit 1\n", "", "quiet", None),
        (
            "#!/bin/sh\n[ \"$1\" = supports ] && exit 0\necho dead >&2\nexit 3\n",
            "",
            "quiet",
            Some("it said: dead"),
        ),
        (
            "#!/bin/sh\ncat >/dev/null\necho hello\n",
            "",
            "quiet",
            Some("did not answer with a book"),
        ),
    ] {
        let toml = format!("[preprocessor.shout]\ncommand = \"./shout.sh\"\n{settings}");
        let dir = book(&[
            ("book.toml", &toml),
            ("shout.sh", script),
            ("src/SUMMARY.md", "- [Page](page.md)\n"),
            ("src/page.md", "# Page\n\nso quiet\n"),
        ]);
        let (printed, success) = build(dir.path());
        let html = fs::read_to_string(dir.path().join("book/page.html")).unwrap();
        assert!(html.contains(&format!("so {shown}")), "{script}: {printed}");
        assert_eq!(dir.path().join("book/new.html").exists(), shown == "LOUD", "{script}");
        assert_eq!(success, finding.is_none(), "{script}: {printed}");
        if let Some(finding) = finding {
            assert!(printed.contains("error[L036]"), "{script}: {printed}");
            assert!(printed.contains(finding), "{script}: {printed}");
            assert!(printed.contains("book.toml:1:15"), "{script}: {printed}");
        }
    }
    for (settings, finding) in [("", true), ("optional = true\n", false)] {
        let toml = format!("[preprocessor.x]\ncommand = \"no-such-program-here\"\n{settings}");
        let dir =
            book(&[("book.toml", &toml), ("src/SUMMARY.md", "[A](a.md)\n"), ("src/a.md", "# A\n")]);
        let (printed, success) = build(dir.path());
        assert_eq!((printed.contains("L036"), success), (finding, !finding), "{printed}");
    }
}

const MOVED: &str = "[output.html]\nadditional-css = [\"extra/my.css\"]\nadditional-js = [\"my.js\"]\n\
    [output.html.redirect]\n\"/old/page.html\" = \"../page.html\"\n\"both.html\" = \"page.html\"\n\
    \"both.html#x\" = \"other.html\"\n\"page.html#gone\" = \"other.html#here\"\n";

fn moved() -> tempfile::TempDir {
    book(&[
        ("book.toml", MOVED),
        ("extra/my.css", "p { color: red }"),
        ("my.js", "window.mine = 1;"),
        ("src/SUMMARY.md", "- [Page](page.md)\n- [Other](other.md)\n"),
        ("src/page.md", "# Page\n\n{{#include ../part.txt}}\n"),
        ("src/other.md", "# Other\n"),
        ("part.txt", "first words"),
    ])
}

#[test]
fn redirects_and_added_files_are_written() {
    let dir = moved();
    let (printed, success) = build(dir.path());
    assert!(success, "{printed}");
    let read = |path: &str| fs::read_to_string(dir.path().join("book").join(path)).unwrap();
    let old = read("old/page.html");
    assert!(old.contains("content=\"0; URL=../page.html\""), "{old}");
    assert!(old.contains("rel=\"canonical\" href=\"../page.html\""), "{old}");
    assert!(read("both.html").contains("\"x\":\"other.html\""));
    let page = read("page.html");
    assert!(page.contains("\"gone\":\"other.html#here\""), "{page}");
    assert!(page.contains("href=\"extra/my.css\"") && page.contains("src=\"my.js\""), "{page}");
    assert!(read("extra/my.css").contains("red") && read("my.js").contains("mine"));

    let wrong = book(&[
        ("book.toml", "[output.html.redirect]\n\"a.html\" = \"b.html\"\n"),
        ("src/SUMMARY.md", "[A](a.md)\n"),
        ("src/a.md", "# A\n"),
    ]);
    let (printed, success) = build(wrong.path());
    assert!(!success && printed.contains("error[L038]"), "{printed}");
    assert!(printed.contains("book.toml:2:1"), "{printed}");
}

#[test]
fn the_server_redirects_and_follows_included_files() {
    let dir = moved();
    let (_program, url) = serve(dir.path());
    let url = |path: &str| format!("{url}/{path}");
    let old = get(&url("old/page.html")).unwrap();
    assert_eq!(old.status, 308, "{}", old.headers);
    assert!(old.headers.contains("location: ../page.html"), "{}", old.headers);
    assert_eq!(get(&url("both.html")).unwrap().status, 200, "its fragments part ways in the page");
    assert!(get(&url("extra/my.css")).unwrap().text().contains("red"));
    assert!(get(&url("page.html")).unwrap().text().contains("first words"));
    let (markdown, list) = (get(&url("page.md")).unwrap(), get(&url("llms.txt")).unwrap());
    assert!(markdown.status == 200 && markdown.headers.contains("text/markdown"));
    assert!(list.text().contains("(page.md)"), "{}", list.text());
    fs::write(dir.path().join("part.txt"), "other words").unwrap();
    within("the included file to be read again", SOON, || {
        get(&url("page.html")).unwrap().text().contains("other words")
    });
}

/// What mdBook's settings of the page's frame do: `[output.html]` with `shown` and `hidden` in a page.
#[test]
fn settings_of_the_frame() {
    const BRANCH: &str = "<details data-fold=\"below.html\" open>";
    const NUMBER: &str = "<span class=\"no num\">2.1.</span>";
    for (toml, shown, hidden) in [
        ("", &[BRANCH, NUMBER, "data-mode=\"auto\"", "print.html"][..], &["icon source"][..]),
        ("no-section-label = true\n", &[BRANCH], &["no num"]),
        ("[output.html.fold]\nenable = true\n", &["data-fold=\"below.html\""], &[BRANCH]),
        ("[output.html.fold]\nenable = true\nlevel = 1\n", &[BRANCH], &[]),
        ("[output.html.fold]\nenable = false\nlevel = 0\n", &[BRANCH], &[]),
        (
            "git-repository-url = \"https://e.org/book\"\n",
            &["<a class=\"icon source\" href=\"https://e.org/book\""],
            &[],
        ),
        ("git-repository-url = \"javascript:x\"\n", &[], &["icon source", "javascript:x"]),
        ("default-theme = \"coal\"\n", &["data-mode=\"dark\""], &[]),
        ("[output.html.print]\nenable = false\n", &[], &["print.html"]),
        ("[output.html.search]\nenable = false\n", &[], &["href=\"search.html"]),
        ("[output.loggia]\n", &[NUMBER], &[BRANCH]),
    ] {
        let dir = book(&[
            ("book.toml", &format!("[output.html]\n{toml}")),
            ("src/SUMMARY.md", "- [Page](page.md)\n- [Below](below.md)\n  - [Deep](deep.md)\n"),
            ("src/page.md", "# Page\n"),
            ("src/below.md", "# Below\n"),
            ("src/deep.md", "# Deep\n"),
        ]);
        let (printed, success) = build(dir.path());
        assert!(success, "{toml}: {printed}");
        let html = fs::read_to_string(dir.path().join("book/page.html")).unwrap();
        for words in shown {
            assert!(html.contains(words), "{toml}: no {words} in {html}");
        }
        for words in hidden {
            assert!(!html.contains(words), "{toml}: {words} in {html}");
        }
    }
}

#[test]
fn no_page_for_wrong_addresses_where_none_is_wanted() {
    for (toml, there) in [("", true), ("[output.html]\ninput-404 = \"\"\n", false)] {
        let files = [("book.toml", toml), ("src/SUMMARY.md", "[A](a.md)\n"), ("src/a.md", "# A\n")];
        let dir = book(&files);
        let (printed, success) = build(dir.path());
        assert!(success, "{printed}");
        assert_eq!(dir.path().join("book/404.html").exists(), there, "{toml}");
    }
}
