//! CloudScale's orders: place, read, list, call off. An order is written first;
//! a saga then has it paid for, its pieces reserved and its shipment booked, or
//! undoes all of that. Whatever interrupts a saga, it is taken up again.

#![forbid(unsafe_code)]

mod api;
pub mod domain;

pub mod aggregate;
pub mod saga;
mod steps;

mod events;
mod facts;
mod store;

use chassis::{App, Callers, Chassis, Config, Idempotency, Verifier};

/// The service's name.
pub const NAME: &str = "orders";

/// Runs the service until it is told to stop (SIGTERM or Ctrl-C).
pub async fn run(config: Config) -> anyhow::Result<()> {
    chassis::run(config, build).await
}

/// Builds the service.
pub async fn build(chassis: Chassis) -> anyhow::Result<App> {
    let orders = store::Orders::open(&chassis).await?;
    let store = orders.store().clone();
    let idempotency = Idempotency::open(&chassis, &store).await?;
    let verifier = Verifier::start(&chassis);
    let sagas = saga::Sagas::new(orders.clone(), &chassis);
    sagas.start();
    events::subscribe(&orders, &chassis);
    let (messaging, checks) = (orders.messaging().clone(), orders.clone());
    let router = api::routes(api::State { orders, sagas, idempotency, verifier });
    let app = App::new(router, Callers::Services).describe(include_str!("../openapi.json"));
    Ok(app.store(store).messaging(messaging).checks(checks))
}
