//! The `loggia` executable.

use clap::Parser;
use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Drawing, parsing and searching make many small strings on several threads.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    loggia::cli::run(loggia::cli::Arguments::parse())
}
