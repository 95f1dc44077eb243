//! What keeps a service's data and carries its events: parts of the process
//! itself, or servers. [`super::Config`] reads it from the environment.

use std::fs;

use super::{ConfigError, Secret, variables};

/// What keeps a service's data and carries its events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Engines {
    /// Everything in the process: SQLite in its folder, events over HTTP.
    #[default]
    Embedded,
    /// Servers that several replicas and machines share.
    Servers(Servers),
}

/// Where the servers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers {
    /// URL of the PostgreSQL database in which each service has a schema.
    pub postgres: Secret,
    /// URL of the Redis server in which gateways share their rate limits; none:
    /// each keeps its own.
    pub redis: Option<Secret>,
}

impl Engines {
    /// Reads what `get` knows of the variables of [`super::variables`].
    pub fn read(get: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        match get(variables::ENGINES).as_deref() {
            None | Some("embedded") => Ok(Self::Embedded),
            Some("servers") => {
                let (variable, file) = (variables::POSTGRES, variables::POSTGRES_FILE);
                let postgres = secret(&get, variable, file)?.ok_or(ConfigError {
                    variable,
                    value: String::new(),
                    expected: "the URL of a PostgreSQL database, which `servers` need",
                    example: "postgres://USER:PASSWORD@127.0.0.1:5432/cloudscale",
                })?;
                let redis = secret(&get, variables::REDIS, variables::REDIS_FILE)?;
                Ok(Self::Servers(Servers { postgres, redis }))
            }
            Some(other) => Err(ConfigError {
                variable: variables::ENGINES,
                value: other.to_owned(),
                expected: "`embedded` or `servers`",
                example: "embedded",
            }),
        }
    }
}

/// A secret from a variable, or else from the file that another one names.
pub(super) fn secret(
    get: impl Fn(&'static str) -> Option<String>,
    variable: &'static str,
    file: &'static str,
) -> Result<Option<Secret>, ConfigError> {
    if let Some(value) = get(variable) {
        return Ok(Some(Secret::new(&value)));
    }
    let Some(path) = get(file) else { return Ok(None) };
    match fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => Ok(Some(Secret::new(&text))),
        _ => Err(ConfigError {
            variable: file,
            value: path,
            expected: "a file that can be read and holds the value",
            example: "/run/secrets/value",
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const URL: &str = "postgres://u:hush@127.0.0.1/d";

    fn read(pairs: &[(&str, &str)]) -> Result<Engines, ConfigError> {
        Engines::read(|variable| {
            pairs.iter().find(|(name, _)| *name == variable).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn engines_are_embedded_unless_servers_are_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, format!("{URL}\n")).unwrap();
        let servers = Engines::Servers(Servers { postgres: Secret::new(URL), redis: None });
        let asked = (variables::ENGINES, "servers");
        for (pairs, engines) in [
            (vec![(variables::POSTGRES, URL)], Engines::Embedded),
            (vec![asked, (variables::POSTGRES, URL)], servers.clone()),
            (vec![asked, (variables::POSTGRES_FILE, file.to_str().unwrap())], servers),
        ] {
            assert_eq!(read(&pairs).unwrap(), engines);
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let asked = (variables::ENGINES, "servers");
        for (pairs, named) in [
            (vec![asked], variables::POSTGRES),
            (vec![asked, (variables::POSTGRES_FILE, "nowhere/at/all")], "nowhere/at/all"),
        ] {
            let message = read(&pairs).unwrap_err().to_string();
            assert!(message.contains(named) && message.contains("help:"), "{message}");
        }
    }
}
