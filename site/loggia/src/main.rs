//! The `loggia` executable.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    loggia::cli::run(loggia::cli::Arguments::parse())
}
