//! Hot reload in a browser, and pages opened from files.

use crate::browser;
use std::fs;
use std::path::Path;
use std::process::Command;
use tests::{binary, run_to_end, serve};

fn book(dir: &Path) {
    let filler = "A paragraph that takes some room on the page.\n\n".repeat(30);
    let page = format!(
        "# Page\n\nSelected words stay selected. [A link](index.md)\n\n<details><summary>More</summary>\n\nInside.\n\n</details>\n\n```\n{}\n```\n\n{filler}## Far down {{#far-down}}\n\nTEXT BELOW\n\n{filler}## The end\n",
        "a long line ".repeat(60)
    );
    fs::write(dir.join("index.md"), page).unwrap();
}

#[test]
fn hot_reload_changes_what_changed_and_nothing_else() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    book(dir.path());
    let (_program, url) = serve(dir.path());
    browser::run("hot.mjs", &[&format!("{url}/"), dir.path().to_str().unwrap()]);
}

#[test]
fn a_built_site_opens_from_its_files() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("book");
    fs::create_dir(&source).unwrap();
    book(&source);
    fs::write(source.join("second.md"), "# Second\n\n[back](index.md)\n").unwrap();
    let out = dir.path().join("out");
    let built =
        run_to_end(Command::new(binary("loggia")).arg("build").arg(&source).arg("-d").arg(&out));
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    browser::run("from_file.mjs", &[out.to_str().unwrap()]);
}
