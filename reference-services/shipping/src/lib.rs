//! CloudScale's shipments: what sending costs, a place with the carrier for each
//! order, and how far it has come. `orders` books and calls off; when it says
//! that an order is complete, the carrier (simulated) may fetch it.

#![forbid(unsafe_code)]

mod api;
pub mod carrier;
pub mod domain;
mod events;
mod store;

use chassis::{App, Callers, Chassis, Config, Verifier};

pub use carrier::Carrier;

/// The service's name.
pub const NAME: &str = "shipping";

/// Runs the service until it is told to stop (SIGTERM or Ctrl-C).
pub async fn run(config: Config) -> anyhow::Result<()> {
    chassis::run(config, build).await
}

/// Builds the service.
pub async fn build(chassis: Chassis) -> anyhow::Result<App> {
    let carrier = Carrier::new(chassis.config.seed);
    build_with(chassis, carrier).await
}

/// Builds the service with a carrier of the caller's choice.
pub async fn build_with(chassis: Chassis, carrier: Carrier) -> anyhow::Result<App> {
    let shipments = store::Shipments::open(&chassis).await?;
    let store = shipments.store().clone();
    let verifier = Verifier::start(&chassis);
    let counters = api::Counters::new(&chassis.metrics);
    carrier::start(&carrier, &shipments, &chassis);
    events::subscribe(&shipments, &carrier, &chassis);
    let (messaging, checks) = (shipments.messaging().clone(), shipments.clone());
    let router = api::routes(api::State { shipments, carrier, verifier, counters });
    let app = App::new(router, Callers::Services).describe(include_str!("../openapi.json"));
    Ok(app.store(store).messaging(messaging).checks(checks))
}
