//! CloudScale's only door. Every request passes the same pipeline: rate limit,
//! token check, route. The gateway holds no data of its own.

#![forbid(unsafe_code)]

mod api;
pub mod domain;
pub mod limit;

use std::time::Duration;

use chassis::{App, Callers, Chassis, Config, Verifier};

pub use limit::{Limiter, Limits};

/// The service's name.
pub const NAME: &str = "gateway";

/// How often clients that have been quiet are forgotten.
pub const FORGET_EVERY: Duration = Duration::from_secs(10);

/// Runs the service until it is told to stop (SIGTERM or Ctrl-C).
pub async fn run(config: Config) -> anyhow::Result<()> {
    chassis::run(config, build).await
}

/// Builds the service.
pub async fn build(chassis: Chassis) -> anyhow::Result<App> {
    build_with(chassis, Limits::default()).await
}

/// Builds the service with limits of the caller's choice.
pub async fn build_with(chassis: Chassis, limits: Limits) -> anyhow::Result<App> {
    let (addresses, accounts) = (Limiter::new(limits.address), Limiter::new(limits.account));
    let forgetful = (addresses.clone(), accounts.clone());
    chassis.tasks.repeat("forget quiet clients", FORGET_EVERY, move || {
        let (addresses, accounts) = forgetful.clone();
        async move {
            addresses.forget_quiet();
            accounts.forget_quiet();
        }
    });
    let verifier = Verifier::start(&chassis);
    let refused = api::refusals(&chassis.metrics);
    let client = chassis.client.clone();
    let router = api::routes(api::State { client, verifier, addresses, accounts, refused });
    Ok(App::new(router, Callers::Anybody))
}
