//! Diagrams in a real browser: looking closer at them, and whether anything lies on anything else.

use crate::browser;
use std::fs;
use std::process::Command;
use std::time::Duration;
use tests::{Program, binary, free_port};

#[test]
fn a_diagram_can_be_looked_at_closely() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("index.md");
    fs::write(&file, page()).unwrap();
    let port = free_port().to_string();
    let ports = ["--port", &port, "--otlp-grpc-port", "0", "--otlp-http-port", "0"];
    let mut program =
        Program::start(Command::new(binary("loggia")).arg("serve").arg(dir.path()).args(ports))
            .unwrap();
    program.wait_for("Ctrl-C", Duration::from_secs(10)).unwrap();
    browser::run("figure.mjs", &[&format!("http://127.0.0.1:{port}/"), file.to_str().unwrap()]);
}

/// A small diagram, and a chain that is far wider than the page.
fn page() -> String {
    let chain: String = (0..20)
        .map(|at| format!("  n{at}[Step {at}] --> n{next}[Step {next}]\n", next = at + 1))
        .collect();
    let filler = "A paragraph that takes some room on the page.\n\n".repeat(20);
    format!(
        "# Page\n\n```mermaid\nflowchart LR\n  A[Web app] -->|calls| B[(Orders)]\n```\n\n\
         ```mermaid\nflowchart LR\n{chain}```\n\nTEXT BELOW\n\n{filler}"
    )
}
