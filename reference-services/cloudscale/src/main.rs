//! One executable that runs CloudScale and its book.
//!
//! `cloudscale up` ([`up`]) starts the site ([`site`]) in its own process and
//! each service ([`services`]) and the traffic ([`traffic`]) as further
//! processes of this same executable; other commands ([`status`], [`control`])
//! find it by its data folder. This is the only crate that sees both
//! the product and the reference services.

mod cli;

mod console;
mod engines;
mod folder;
mod ports;
mod settings;
mod site;
mod up;

mod control;
mod services;
mod status;
mod traffic;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::console::Console;
use crate::settings::Refusal;

/// Something failed while it ran.
const FAILED: u8 = 1;
/// What was asked for cannot be done as asked: an option, a port, a folder.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Up(options) => up::main(options),
        Command::Run(options) => services::main(&options),
        Command::Traffic(options) => traffic::main(options),
        Command::Status(options) => status::main(&options),
        Command::Scale(options) => control::scale(&options),
        Command::Fault(options) => control::fault(&options),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            Console::errors().error(&error);
            let refused = error.downcast_ref::<Refusal>().is_some();
            ExitCode::from(if refused { REFUSED } else { FAILED })
        }
    }
}
