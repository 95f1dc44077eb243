//! What every service shares: config, router, client, telemetry, store.

pub mod config;

pub use config::{Config, ConfigError};
