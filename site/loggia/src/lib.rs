//! The `loggia` command and server: the only part of the site that reads files, listens and prints.
//!
//! - [`cli`]: what can be typed, and what it answers
//! - [`source`]: reads a folder of Markdown into a [`document::Book`]
//! - [`build`], [`check`], [`fmt`], [`init`], [`new`]: the commands that end
//! - [`search`]: the index that readers search in
//! - [`serve`]: the live server; `cloudscale up` starts it as a library

pub mod build;
pub mod check;
pub mod cli;
pub mod fmt;
pub mod init;
pub mod new;
mod out;
mod prepare;
mod preprocessor;
mod report;
mod rules;
pub mod search;
pub mod serve;
pub mod source;
mod theme;
