//! Runs test scripts, Prometheus's own where they are at hand and ours, and prints how each file fares.
//!
//! Cases that read or expect native histograms are counted apart: they are out of scope.
#![allow(clippy::unwrap_used)]

mod expectation;
mod script;
mod series_line;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use script::{Outcome, Script};

/// Prints a line, also where the output of a test that passes is held back.
macro_rules! say {
    ($($words:tt)*) => {
        std::io::stderr().write_all(format!("{}\n", format_args!($($words)*)).as_bytes()).expect("standard error can be written to")
    };
}

/// Share of the float cases that must pass: all of them did when this was last raised.
const FLOOR: f64 = 1.0;

#[test]
fn prometheus_scripts_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/suites/promql");
    if !folder.is_dir() {
        say!("skipped: the folder `shared/suites/promql` is not beside the repository");
        return;
    }
    run_folder(&folder);
}

#[test]
fn own_scripts_pass() {
    run_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts"));
}

fn run_folder(folder: &Path) {
    let mut total = (0, 0);
    say!("{:24} {:>7} {:>7} {:>7}", "file", "passed", "failed", "native");
    for file in script_files(folder) {
        let (passed, failed) = run_file(&file);
        total = (total.0 + passed, total.1 + failed);
    }
    let share = total.0 as f64 / (total.0 + total.1).max(1) as f64;
    say!("float cases: {} of {} pass, {:.2} %", total.0, total.0 + total.1, share * 100.0);
    assert!(share >= FLOOR, "only {:.2} % of the float cases pass", share * 100.0);
}

fn script_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "test")).collect();
    files.sort();
    files
}

fn run_file(file: &Path) -> (usize, usize) {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
    let outcomes = Script::parse(&text).run();
    let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|(_, o)| wanted(o)).count();
    let passed = count(|o| matches!(o, Outcome::Passed));
    let failed = count(|o| matches!(o, Outcome::Failed(_)));
    say!("{name:24} {passed:7} {failed:7} {:7}", count(|o| matches!(o, Outcome::Native)));
    for (place, outcome) in &outcomes {
        if let Outcome::Failed(reason) = outcome {
            say!("  {name}:{place}\n    {}", reason.replace('\n', "\n    "));
        }
    }
    (passed, failed)
}
