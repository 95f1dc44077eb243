//! CloudScale's accounts and tokens: register, log in, ask about a session, and
//! publish the keys with which every service checks tokens by itself. Of new
//! accounts others hear by an event.

#![forbid(unsafe_code)]

mod api;
pub mod domain;
pub mod password;
pub mod signing;
mod store;

use anyhow::Context as _;
use chassis::token::Keys;
use chassis::{App, Callers, Chassis, Config, Verifier};

/// The service's name.
pub const NAME: &str = "auth";

/// Runs the service until it is told to stop (SIGTERM or Ctrl-C).
pub async fn run(config: Config) -> anyhow::Result<()> {
    chassis::run(config, build).await
}

/// Builds the service.
pub async fn build(chassis: Chassis) -> anyhow::Result<App> {
    let accounts = store::Accounts::open(&chassis).await?;
    let (store, messaging) = (accounts.store().clone(), accounts.messaging().clone());
    let file = chassis.config.data_dir.join(signing::KEY_FILE);
    let signer = signing::Signer::open(&file)
        .with_context(|| format!("cannot read or make the key `{}`", file.display()))?;
    let verifier = Verifier::fixed(Keys::of(&signer.published()), &chassis);
    let passwords = password::Passwords::new()?;
    let counters = api::Counters::new(&chassis.metrics);
    let router = api::routes(api::State { accounts, signer, verifier, passwords, counters });
    let app = App::new(router, Callers::Services).describe(include_str!("../openapi.json"));
    Ok(app.store(store).messaging(messaging))
}
