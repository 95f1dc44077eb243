//! What Markdown becomes in a browser: code with its button, tabs, formulas, and all the rest.

use crate::browser;
use std::path::Path;
use std::process::Command;
use tests::{binary, repository, run_to_end, serve};

/// A book with a page that has everything, and one with what other generators read.
fn write_book(dir: &Path) {
    std::fs::create_dir(dir.join("src")).unwrap();
    for page in ["index.md", "moved.md"] {
        let from = repository().join("tests/doors/markdown").join(page);
        std::fs::copy(from, dir.join("src").join(page)).unwrap();
    }
    let book = "[book]\ntitle = \"Markdown\"\n\n[output.loggia]\nmath = true\n";
    std::fs::write(dir.join("book.toml"), book).unwrap();
}

#[test]
fn markdown_in_the_browser() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    write_book(dir.path());
    let (_program, url) = serve(dir.path());
    browser::run("markdown.mjs", &[&format!("{url}/")]);
    browser::run("axe.mjs", &[&url, "/", "/moved.html"]);
}

#[test]
fn blocks_of_other_generators() {
    let dir = tempfile::tempdir().unwrap();
    write_book(dir.path());
    let output = run_to_end(Command::new(binary("loggia")).arg("build").current_dir(dir.path()));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    let html = std::fs::read_to_string(dir.path().join("book/moved.html")).unwrap();
    for (kind, title) in [
        ("note", "Note"),
        ("tip", "My title"),
        ("caution", "Take care"),
        ("warning", "Mind the gap"),
    ] {
        let start = format!(
            "<div class=\"alert alert-{kind}\" role=\"note\"><p class=\"alert-title\">{title}</p>"
        );
        assert!(html.contains(&start), "{start}");
    }
    for (words, count) in [
        ("<details><summary>Click me</summary>", 1),
        ("<details open=\"\"><summary>Question</summary>", 1),
        ("<div class=\"tabs\">", 2),
        ("<section class=\"tab\" data-tab=\"config.", 2),
        ("data-tab=\"macOS\"", 1),
        ("<span class=\"line marked added\">", 1),
        ("data-line=\"7\"", 1),
        ("<p>The end.</p>", 1),
    ] {
        assert_eq!(html.matches(words).count(), count, "{words}: {html}");
    }
    let mut written = ["[!code", "highlight-next", ":::", "!!!", "???", "==="].iter();
    assert!(!written.any(|sign| html.contains(sign)), "nothing of it is left as text");
    let beside = std::fs::read_to_string(dir.path().join("book/moved.md")).unwrap();
    assert!(beside.contains(":::tip[My title]"), "the Markdown beside the page is the author's");
}

#[test]
fn all_of_it_is_sound() {
    let dir = tempfile::tempdir().unwrap();
    write_book(dir.path());
    let output = run_to_end(Command::new(binary("loggia")).arg("check").arg(dir.path()));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
}

/// A folder with names and bytes that nobody would write on purpose.
#[cfg(unix)]
#[test]
fn loops_and_bytes_that_are_no_text() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path();
    std::fs::create_dir_all(place.join("deep/er")).unwrap();
    symlink(place, place.join("deep/er/round")).unwrap();
    symlink("self.md", place.join("self.md")).unwrap();
    symlink("nowhere.md", place.join("gone.md")).unwrap();
    for (name, bytes) in [
        ("index.md", &b"# Sound\n"[..]),
        ("latin.md", b"# Caf\xe9\n"),
        ("half.md", b"# \xf0\x9f\x8f"),
        ("nul.md", b"# a\0b\n\nc\rd\r\r\ne"),
        ("deep/er/low.md", b"# Low\n"),
    ] {
        std::fs::write(place.join(name), bytes).unwrap();
    }
    let out = place.join("out");
    let output = run_to_end(
        Command::new(binary("loggia")).arg("build").arg(place).arg("--dest-dir").arg(&out),
    );
    let words = String::from_utf8_lossy(&output.stderr).replace("\r", "\\r");
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(!words.contains("panicked") && words.lines().count() < 60, "{words}");
    for name in ["latin.md", "half.md"] {
        assert!(words.contains(name), "nothing is said of {name}:\n{words}");
    }
    for page in ["index.html", "nul.html", "deep/er/low.html"] {
        assert!(out.join(page).is_file(), "{page} is missing:\n{words}");
    }
}
