//! Runs the scripts of `tests/browser` in headless Chromium.

use std::fs;
use std::process::Command;
use tests::{repository, run_to_end, serve};

/// Whether `tests/run` prepared Chromium; says so when it did not.
pub(crate) fn is_there() -> bool {
    let prepared = std::env::var_os("LOGGIA_TEST_BROWSER").is_some();
    if !prepared {
        eprintln!("SKIPPED: no browser was prepared; `./tests/run` does");
    }
    prepared
}

/// Runs one script and gives what it printed; panics with that when it fails.
pub(crate) fn run(script: &str, arguments: &[&str]) -> String {
    let path = repository().join("tests/browser").join(script);
    let output = run_to_end(Command::new("node").arg(path).args(arguments));
    let words = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{script}\n{words}");
    assert!(output.status.success(), "{script} {arguments:?}\n{words}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn hot_reload_keeps_the_place() {
    if !is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("index.md");
    fs::write(&file, long_page()).unwrap();
    let (_program, url) = serve(dir.path());
    run("reload.mjs", &[&format!("{url}/"), file.to_str().unwrap()]);
}

fn long_page() -> String {
    let filler = "A paragraph that takes some room on the page.\n\n".repeat(40);
    format!(
        "# Page\n\nTEXT ABOVE\n\n{filler}## Far down {{#far-down}}\n\nTEXT BELOW\n\n{filler}## The end\n"
    )
}
