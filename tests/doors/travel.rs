//! Visits between pages while figures stream and files change; a theme that changes while it is served;
//! a site that stands in a folder of its server.

use crate::{browser, navigation};
use std::fs;
use std::path::Path;
use std::process::Command;
use tests::{binary, run_to_end, serve};

const TOML: &str = "[book]\nsrc = \".\"\n[output.loggia.services.orders]\n";
const FILLER: &str = "A paragraph that takes some room on the page.\n\n";

fn write_book(dir: &Path) {
    let filler = FILLER.repeat(40);
    // A figure that is another one at each tick.
    let clock = "```kpi-grid\n[{\"label\": \"Clock\", \"value\": \"< 60\", \"query\": \"time() % 60\"}]\n```\n\n";
    let first = format!(
        "---\nglossary:\n  - {{term: quay, definition: Where ships lie.}}\n---\n\
         # First\n\n{clock}CLOSED\n\n{filler}"
    );
    let second = format!(
        "# Second\n\n{clock}OPENED at the quay.\n\n```rust tab=\"Rust\"\nfn main() {{}}\n```\n\n\
         ```go tab=\"Go\"\npackage main\n```\n\n```mermaid\ngraph LR\n  orders[Orders] --> log[Log]\n```\n\n{filler}"
    );
    for (name, text) in [("book.toml", TOML), ("first.md", &first), ("second.md", &second)] {
        fs::write(dir.join(name), text).unwrap();
    }
}

#[test]
fn visits_figures_and_changes_do_not_meet() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    write_book(dir.path());
    let (_program, url) = serve(dir.path());
    browser::run("travel.mjs", &[&url, dir.path().to_str().unwrap()]);
}

#[test]
fn a_theme_changes_while_it_is_served() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    navigation::write_book(dir.path());
    let theme = dir.path().join("theme");
    fs::create_dir(&theme).unwrap();
    fs::write(theme.join("custom.css"), "main h1 { color: rgb(200, 0, 0) }").unwrap();
    fs::write(theme.join("header.html"), "<p>Draft of March</p>").unwrap();
    let (_program, url) = serve(dir.path());
    browser::run("theme.mjs", &[&format!("{url}/guide/pilots.html"), theme.to_str().unwrap()]);
}

#[test]
fn a_theme_file_that_cannot_be_used_is_told() {
    for (name, bytes, words) in [
        ("head.html", &b"<p>\xff"[..], "is not UTF-8"),
        ("custom.css", &b"\xfe\xff"[..], "is not UTF-8"),
        ("footer.html", &b"<p>sound</p>"[..], ""),
        ("img/wave.png", &b"\x89PNG\xff"[..], ""),
    ] {
        let dir = tempfile::tempdir().unwrap();
        navigation::write_book(dir.path());
        let path = dir.path().join("theme").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let mut command = Command::new(binary("loggia"));
        let output = run_to_end(command.arg("build").arg(dir.path()).env("NO_COLOR", "1"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let told = said.contains(&format!("theme/{name}"));
        assert_eq!((told, said.contains(words)), (!words.is_empty(), true), "{name}: {said}");
    }
}

#[test]
fn a_site_stands_in_a_folder_of_its_server() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    navigation::write_book(dir.path());
    let mut command = Command::new(binary("loggia"));
    command.arg("build").arg(dir.path()).args(["--base-url", "https://example.org/docs/"]);
    let output = run_to_end(&mut command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    browser::run("prefix.mjs", &[dir.path().join("book").to_str().unwrap()]);
}
