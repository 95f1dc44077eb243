//! `cloudscale run SERVICE`, and the plan of the fleet that `up` runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use chassis::config::Engines;
use clap::ValueEnum;

use crate::cli::{Run, Service};
use crate::engines;

/// How a service's memory is managed by glibc (mallopt(3)); other allocators do
/// not look. By default each thread that hashes a password keeps its megabytes
/// for the next hash, which made `auth` ten times as large as it need be.
const MEMORY: [(&str, &str); 2] =
    [("MALLOC_ARENA_MAX", "2"), ("MALLOC_MMAP_THRESHOLD_", "1048576")];

impl Service {
    /// Why there can be one replica only, if so. What the others keep is in their
    /// database, which replicas share.
    fn alone(self) -> Option<&'static str> {
        match self {
            Self::Gateway => Some(
                "customers know its one port, and several gateways would each let the whole rate \
                 of requests through",
            ),
            Self::Analytics => Some(
                "its watermarks follow what one process hears of each source, and each of two \
                 would hear a part only",
            ),
            _ => None,
        }
    }

    /// The service's name everywhere: labels, folders, addresses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Payments => "payments",
            Self::Catalog => "catalog",
            Self::Shipping => "shipping",
            Self::Orders => "orders",
            Self::Users => "users",
            Self::Notifications => "notifications",
            Self::Analytics => "analytics",
            Self::Gateway => "gateway",
        }
    }
}

/// Runs one service in this process until SIGTERM or Ctrl-C.
pub(crate) fn main(Run { service, engines }: &Run) -> anyhow::Result<ExitCode> {
    fleet::process::die_with_parent()?;
    let mut config = chassis::Config::from_env(service.name())?;
    config.engines = engines.engines()?;
    chassis::block_on(async {
        match service {
            Service::Auth => auth::run(config).await,
            Service::Payments => payments::run(config).await,
            Service::Catalog => catalog::run(config).await,
            Service::Shipping => shipping::run(config).await,
            Service::Orders => orders::run(config).await,
            Service::Users => users::run(config).await,
            Service::Notifications => notifications::run(config).await,
            Service::Analytics => analytics::run(config).await,
            Service::Gateway => gateway::run(config).await,
        }
    })
    .context("cannot start the runtime")??;
    Ok(ExitCode::SUCCESS)
}

/// One replica of each service to begin with, those first that others call. The gateway is
/// open to the outside, so its port is known beforehand.
pub(crate) fn plan(
    program: PathBuf,
    gateway_port: u16,
    seed: u64,
    engines: &Engines,
) -> Vec<fleet::Service> {
    let services = Service::value_variants().iter().map(|service| {
        let name = service.name();
        let mut planned = fleet::Service::new(name, program.clone(), &["run", name]);
        planned.alone = service.alone();
        if *service == Service::Gateway {
            planned.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, gateway_port)));
        }
        planned.env.push((chassis::config::variables::SEED.to_owned(), seed.to_string()));
        planned.env.extend(engines::environment(engines));
        let asked_otherwise = |name: &str| std::env::var_os(name).is_some();
        let memory = MEMORY.iter().filter(|(name, _)| !asked_otherwise(name));
        planned.env.extend(memory.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        planned
    });
    services.collect()
}
