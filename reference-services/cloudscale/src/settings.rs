//! From the options of `up` to what really runs: checked, with every default
//! filled in. What cannot be done as asked is a [`Refusal`].

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use chassis::config::Engines;
use thiserror::Error;

use crate::cli;
use crate::folder;
use crate::ports::{self, Wanted};

/// What was asked for cannot be done as asked; exit code 2.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Refusal(pub(crate) String);

/// What `up` runs.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The book.
    pub(crate) book: PathBuf,
    /// Databases, logs, lock and note.
    pub(crate) data_dir: PathBuf,
    /// What the traffic is drawn from.
    pub(crate) seed: u64,
    /// What keeps the services' data.
    pub(crate) engines: Engines,
}

impl Settings {
    /// Finds folders and looks at ports, and changes nothing.
    pub(crate) fn check(options: &cli::Up) -> anyhow::Result<Self> {
        let book = folder::book(options.book.as_deref())?;
        let data_dir = folder::data_dir(options.data_dir.as_deref(), &book)?;
        ports::check(&[
            Wanted { host: &options.hostname, port: options.port, option: "--port" },
            Wanted { host: "127.0.0.1", port: options.gateway_port, option: "--gateway-port" },
            Wanted {
                host: &options.hostname,
                port: options.otlp_grpc_port,
                option: "--otlp-grpc-port",
            },
            Wanted {
                host: &options.hostname,
                port: options.otlp_http_port,
                option: "--otlp-http-port",
            },
        ])?;
        let engines = options.engines.engines()?;
        Ok(Self { book, data_dir, engines, seed: options.seed.unwrap_or_else(seed_of_the_moment) })
    }
}

/// A seed that is short enough to be typed again.
pub(crate) fn seed_of_the_moment() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_micros())
}
