//! What Markdown becomes in a browser: code with its button, tabs, formulas, and all the rest.

use crate::browser;
use std::path::Path;
use std::process::Command;
use tests::{binary, repository, run_to_end, serve};

/// A book with one page that has everything.
fn write_book(dir: &Path) {
    let page = repository().join("tests/doors/markdown/index.md");
    std::fs::create_dir(dir.join("src")).unwrap();
    std::fs::copy(page, dir.join("src/index.md")).unwrap();
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
    browser::run("axe.mjs", &[&url, "/"]);
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
