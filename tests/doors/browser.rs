//! Runs the scripts of `tests/browser` in headless Chromium.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::{Program, binary, free_port, repository, run_to_end};

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
    let port = free_port().to_string();
    let mut program = serve(dir.path(), &port);
    program.wait_for("Ctrl-C", Duration::from_secs(10)).unwrap();
    run("reload.mjs", &[&format!("http://127.0.0.1:{port}/"), file.to_str().unwrap()]);
}

fn serve(dir: &Path, port: &str) -> Program {
    Program::start(Command::new(binary("loggia")).arg("serve").arg(dir).args([
        "--port",
        port,
        "--otlp-grpc-port",
        "0",
        "--otlp-http-port",
        "0",
    ]))
    .unwrap()
}

fn long_page() -> String {
    let filler = "A paragraph that takes some room on the page.\n\n".repeat(40);
    format!(
        "# Page\n\nTEXT ABOVE\n\n{filler}## Far down {{#far-down}}\n\nTEXT BELOW\n\n{filler}## The end\n"
    )
}
