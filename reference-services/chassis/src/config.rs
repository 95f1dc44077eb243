//! A service's settings as one struct of values, read once from the
//! environment that the supervisor (or a person) prepared. Every other part of
//! the chassis is handed this struct and never looks at the environment itself.

use std::collections::BTreeMap;
use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

mod engines;
mod secret;

pub use engines::{Engines, Servers};
pub use secret::Secret;

/// The variables that a service reads.
pub mod variables {
    /// Address to bind when no open socket was handed over.
    pub const LISTEN: &str = "CLOUDSCALE_LISTEN";
    /// Name of this replica, for example `orders-1`.
    pub const INSTANCE: &str = "CLOUDSCALE_INSTANCE";
    /// Folder that this replica owns.
    pub const DATA_DIR: &str = "CLOUDSCALE_DATA_DIR";
    /// Peers as `name=address` pairs with commas between them.
    pub const PEERS: &str = "CLOUDSCALE_PEERS";
    /// Address of the fleet that tells which replicas there are, if there is one.
    pub const DISCOVERY: &str = "CLOUDSCALE_DISCOVERY";
    /// Version that this replica says it is.
    pub const VERSION: &str = "CLOUDSCALE_VERSION";
    /// Log filter, in the syntax of `tracing_subscriber::EnvFilter`.
    pub const LOG: &str = "CLOUDSCALE_LOG";
    /// `json` or `text`.
    pub const LOG_FORMAT: &str = "CLOUDSCALE_LOG_FORMAT";
    /// Address of an OTLP/gRPC collector.
    pub const OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    /// Place at which the process dies, for tests: `NAME` or `NAME:N`.
    pub const CRASH_AT: &str = "CLOUDSCALE_CRASH_AT";
    /// Seed of whatever a service draws by chance (the simulated provider).
    pub const SEED: &str = "CLOUDSCALE_SEED";
    /// `embedded` or `servers`.
    pub const ENGINES: &str = "CLOUDSCALE_ENGINES";
    /// URL of the PostgreSQL database of all services.
    pub const POSTGRES: &str = "CLOUDSCALE_POSTGRES";
    /// File that holds that URL instead.
    pub const POSTGRES_FILE: &str = "CLOUDSCALE_POSTGRES_FILE";
    /// URL of the Redis server that gateways share their rate limits in.
    pub const REDIS: &str = "CLOUDSCALE_REDIS";
    /// File that holds that URL instead.
    pub const REDIS_FILE: &str = "CLOUDSCALE_REDIS_FILE";
    /// Token that whoever lets a service have faults must know.
    pub const CONTROL_TOKEN: &str = "CLOUDSCALE_CONTROL_TOKEN";
    /// File that holds that token instead.
    pub const CONTROL_TOKEN_FILE: &str = "CLOUDSCALE_CONTROL_TOKEN_FILE";
}

/// How log lines look on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One JSON object a line, with `trace_id` and `span_id`.
    #[default]
    Json,
    /// For people.
    Text,
}

/// What a service needs to know to run.
#[derive(Debug, Clone)]
pub struct Config {
    /// The service's name: label `job`, resource attribute `service.name`.
    pub service: String,
    /// The replica's name: label `instance`, `service.instance.id`.
    pub instance: String,
    /// Version of the service as telemetry shows it.
    pub version: String,
    /// Where to listen when no open socket is handed over. Port 0 picks one.
    pub listen: SocketAddr,
    /// Folder for everything the replica keeps: its database, its keys.
    pub data_dir: PathBuf,
    /// Peers by service name.
    pub peers: BTreeMap<String, SocketAddr>,
    /// Where the fleet tells which replicas there are; none: those in `peers`.
    pub discovery: Option<SocketAddr>,
    /// Where spans go, for example `http://127.0.0.1:4317`; none: nowhere.
    pub otlp_endpoint: Option<String>,
    /// Log filter, for example `info` or `orders=debug,info`.
    pub log_filter: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Seed for chance; none: from the operating system.
    pub seed: Option<u64>,
    /// Place at which the process dies; see [`crate::crash`].
    pub crash_at: Option<String>,
    /// What keeps its data and carries its events.
    pub engines: Engines,
    /// What gives leave to let it have faults; none: nobody may.
    pub control_token: Option<Secret>,
}

/// A variable that does not say what it should.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "`{variable}` is `{value}`, which is not {expected}\nhelp: for example `{variable}={example}`"
)]
pub struct ConfigError {
    variable: &'static str,
    value: String,
    expected: &'static str,
    example: &'static str,
}

impl Config {
    /// Reads the settings of the service `name` from the environment.
    pub fn from_env(name: &str) -> Result<Self, ConfigError> {
        Self::read(name, |variable| env::var(variable).ok())
    }

    /// As [`Config::from_env`], with the environment as an argument.
    pub fn read(
        name: &str,
        get: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let get = |variable| get(variable).filter(|value| !value.is_empty());
        let listen = get(variables::LISTEN).unwrap_or_else(|| "127.0.0.1:0".to_owned());
        Ok(Self {
            service: name.to_owned(),
            instance: get(variables::INSTANCE).unwrap_or_else(|| format!("{name}-1")),
            version: get(variables::VERSION)
                .unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
            listen: address(variables::LISTEN, &listen)?,
            data_dir: get(variables::DATA_DIR)
                .map_or_else(|| PathBuf::from("data").join(name), PathBuf::from),
            peers: peers(&get(variables::PEERS).unwrap_or_default())?,
            discovery: get(variables::DISCOVERY)
                .map(|value| address(variables::DISCOVERY, &value))
                .transpose()?,
            otlp_endpoint: get(variables::OTLP_ENDPOINT),
            log_filter: get(variables::LOG).unwrap_or_else(|| "info".to_owned()),
            log_format: log_format(get(variables::LOG_FORMAT))?,
            seed: get(variables::SEED).map(|value| seed(&value)).transpose()?,
            crash_at: get(variables::CRASH_AT),
            control_token: engines::secret(
                get,
                variables::CONTROL_TOKEN,
                variables::CONTROL_TOKEN_FILE,
            )?,
            engines: Engines::read(get)?,
        })
    }
}

fn address(variable: &'static str, value: &str) -> Result<SocketAddr, ConfigError> {
    value.parse().map_err(|_| ConfigError {
        variable,
        value: value.to_owned(),
        expected: "an address with a port",
        example: "127.0.0.1:41001",
    })
}

fn peers(value: &str) -> Result<BTreeMap<String, SocketAddr>, ConfigError> {
    let wrong = || ConfigError {
        variable: variables::PEERS,
        value: value.to_owned(),
        expected: "a list of `name=address` with commas between them",
        example: "auth=127.0.0.1:41002,orders=127.0.0.1:41003",
    };
    let pairs = value.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, address) = pair.split_once('=').ok_or_else(wrong)?;
            Ok((name.trim().to_owned(), address.trim().parse().map_err(|_| wrong())?))
        })
        .collect()
}

fn log_format(value: Option<String>) -> Result<LogFormat, ConfigError> {
    match value.as_deref() {
        None | Some("json") => Ok(LogFormat::Json),
        Some("text") => Ok(LogFormat::Text),
        Some(other) => Err(ConfigError {
            variable: variables::LOG_FORMAT,
            value: other.to_owned(),
            expected: "`json` or `text`",
            example: "json",
        }),
    }
}

fn seed(value: &str) -> Result<u64, ConfigError> {
    value.parse().map_err(|_| ConfigError {
        variable: variables::SEED,
        value: value.to_owned(),
        expected: "a whole number",
        example: "42",
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read("orders", |variable| {
            pairs.iter().find(|(name, _)| *name == variable).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn an_empty_environment_gives_the_defaults() {
        let config = read(&[(variables::PEERS, "")]).unwrap();
        assert_eq!(config.instance, "orders-1");
        assert_eq!(config.log_format, LogFormat::Json);
        assert!(config.peers.is_empty() && config.otlp_endpoint.is_none());
    }

    #[test]
    fn peers_are_read_by_name() {
        let config =
            read(&[(variables::PEERS, "auth=127.0.0.1:1, payments=127.0.0.1:2,")]).unwrap();
        assert_eq!(config.peers["payments"].port(), 2);
        assert_eq!(config.peers.len(), 2);
    }

    #[test]
    fn a_wrong_value_is_named_with_an_example() {
        let cases = [
            (variables::LISTEN, "localhost"),
            (variables::PEERS, "auth"),
            (variables::PEERS, "auth=here"),
            (variables::DISCOVERY, "here"),
            (variables::LOG_FORMAT, "xml"),
            (variables::SEED, "x"),
            (variables::ENGINES, "cloud"),
        ];
        for (variable, value) in cases {
            let message = read(&[(variable, value)]).unwrap_err().to_string();
            assert!(message.contains(variable) && message.contains("help:"), "{message}");
        }
    }
}
