//! `--engines`: what keeps the services' data, for `up` and `run`. The options
//! come first, then the environment (the variables of [`chassis::config`]).

use chassis::config::{Engines, Servers, variables};
use clap::{Args, ValueEnum};

use crate::settings::Refusal;

/// Which engines, and where they are.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Engines")]
pub(crate) struct Options {
    /// What keeps the data: a file of each service, or a PostgreSQL server [default: embedded]
    #[arg(long, value_name = "WHICH")]
    engines: Option<Which>,
    /// URL of the PostgreSQL database; one with a password belongs into CLOUDSCALE_POSTGRES,
    /// or into the file that CLOUDSCALE_POSTGRES_FILE names
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// URL of a Redis server in which gateways share their rate limits; one with a password
    /// belongs into CLOUDSCALE_REDIS, or into the file that CLOUDSCALE_REDIS_FILE names
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
}

/// What keeps the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// SQLite, in the data folder
    Embedded,
    /// PostgreSQL, which each service has a schema in
    Servers,
}

impl Options {
    /// The engines that are meant.
    pub(crate) fn engines(&self) -> anyhow::Result<Engines> {
        let refuse = |words: &str| Err(Refusal(words.to_owned()).into());
        let engines = Engines::read(|variable| self.variable(variable))
            .map_err(|wrong| Refusal(wrong.to_string()))?;
        for (option, url, variable) in [
            ("--postgres", &self.postgres, variables::POSTGRES),
            ("--redis", &self.redis, variables::REDIS),
        ] {
            match url {
                Some(_) if engines == Engines::Embedded => {
                    return refuse(&format!(
                        "`{option}` says where a server is that embedded engines do not use\n\
                         help: add --engines servers"
                    ));
                }
                Some(url) if has_password(url) => {
                    return refuse(&format!(
                        "`{option}` has a password in it, which everybody on this machine can \
                         see\nhelp: put the URL into {variable}, or into a file that \
                         {variable}_FILE names"
                    ));
                }
                _ => {}
            }
        }
        Ok(engines)
    }

    /// A variable of the environment, unless an option says otherwise.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let option = match name {
            variables::ENGINES => self.engines.map(|which| match which {
                Which::Embedded => "embedded".to_owned(),
                Which::Servers => "servers".to_owned(),
            }),
            variables::POSTGRES => self.postgres.clone(),
            variables::REDIS => self.redis.clone(),
            _ => None,
        };
        option.or_else(|| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }
}

/// What a service's process has to know of these engines. It is the owner's
/// alone to see, other than arguments.
pub(crate) fn environment(engines: &Engines) -> Vec<(String, String)> {
    let mut told = match engines {
        Engines::Embedded => vec![(variables::ENGINES, "embedded")],
        Engines::Servers(servers) => {
            vec![(variables::ENGINES, "servers"), (variables::POSTGRES, servers.postgres.expose())]
        }
    };
    if let Engines::Servers(Servers { redis: Some(redis), .. }) = engines {
        told.push((variables::REDIS, redis.expose()));
    }
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    told.into_iter().map(owned).collect()
}

fn has_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    user.contains(':') || url.contains("password=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_seen() {
        for (url, has) in [
            ("postgres://127.0.0.1:5432/cloudscale", false),
            ("postgres://user@127.0.0.1:5432/cloudscale", false),
            ("postgres://user:hush@127.0.0.1/cloudscale", true),
            ("postgres://user:hu@sh@127.0.0.1", true),
            ("postgres://127.0.0.1/cloudscale?user=u&password=hush", true),
        ] {
            assert_eq!(has_password(url), has, "{url}");
        }
    }
}
