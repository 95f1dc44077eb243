//! Programs that others wrote and the tests run: servers, command lines and client libraries. `tests/run` installs them and
//! says so with an environment variable; without it the tests that need them are skipped, in words.

use crate::repository;
use std::path::PathBuf;
use std::process::Command;

/// The folder into which `tests/clients/install` put everything; set by `tests/run`.
const FOLDER: &str = "LOGGIA_TEST_SERVERS";

/// A program from a Debian package, or `None` with a message when `tests/run` did not install it.
pub fn foreign(program: &str) -> Option<PathBuf> {
    let path = folder(program)?.join("root/usr/bin").join(program);
    assert!(path.is_file(), "`{}` was not installed by tests/clients/install", path.display());
    Some(path)
}

/// A script below `tests/clients`, ready to get its arguments: Python in an environment with the packages of
/// `requirements.txt`, or Node with those of `package.json`.
pub fn client(script: &str) -> Option<Command> {
    let folder = folder(script)?;
    let path = repository().join("tests/clients").join(script);
    let mut command = match script.split('/').next() {
        Some("python") => Command::new(folder.join("python/bin/python")),
        _ => Command::new("node"),
    };
    command.arg(path);
    Some(command)
}

fn folder(wanted: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(FOLDER);
    if folder.is_none() {
        eprintln!("SKIPPED: `{wanted}` is not installed; ./tests/run does that");
    }
    folder.map(PathBuf::from)
}
