//! CloudScale's orders: place, read, list. An order is written first and paid
//! for afterwards, through `payments`; whatever interrupts that, the order is
//! settled later by asking `payments` what became of it.

#![forbid(unsafe_code)]

mod api;
pub mod domain;
mod payment;
pub mod settle;
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
    let payments = payment::Payments::new(chassis.client.clone());
    let settler = settle::Settler::new(orders.clone(), payments, &chassis.metrics);
    settler.start(&chassis.tasks);
    let router = api::routes(api::State { orders, settler, idempotency, verifier });
    Ok(App::new(router, Callers::Services).store(store))
}
