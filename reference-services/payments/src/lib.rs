//! CloudScale's payments: authorise, capture, void, refund, and a ledger that
//! sums to zero. `orders` calls it; customers read their own payments through the
//! gateway. It calls a payment provider, which is simulated in the process.

#![forbid(unsafe_code)]

mod api;
pub mod domain;
pub mod provider;
mod store;

use chassis::{App, Callers, Chassis, Config, Idempotency, Verifier};

pub use provider::Provider;

/// The service's name.
pub const NAME: &str = "payments";

/// Runs the service until it is told to stop (SIGTERM or Ctrl-C).
pub async fn run(config: Config) -> anyhow::Result<()> {
    chassis::run(config, build).await
}

/// Builds the service.
pub async fn build(chassis: Chassis) -> anyhow::Result<App> {
    let provider = Provider::new(chassis.config.seed);
    build_with(chassis, provider).await
}

/// Builds the service with a provider of the caller's choice.
pub async fn build_with(chassis: Chassis, provider: Provider) -> anyhow::Result<App> {
    let payments = store::Payments::open(&chassis).await?;
    let store = payments.store().clone();
    let idempotency = Idempotency::open(&chassis, &store).await?;
    let verifier = Verifier::start(&chassis);
    let counters = api::Counters::new(&chassis.metrics);
    let (messaging, checks) = (payments.messaging().clone(), payments.clone());
    let router = api::routes(api::State { payments, provider, idempotency, verifier, counters });
    let app = App::new(router, Callers::Services).describe(include_str!("../openapi.json"));
    Ok(app.store(store).messaging(messaging).checks(checks))
}
