//! CloudScale's products: described, searched, and kept in stock. `orders`
//! reserves pieces here; customers look around through the gateway. When a
//! shipment has left the house, `shipping` says so, and its pieces are shipped.

#![forbid(unsafe_code)]

mod api;
mod assortment;
mod cache;
pub mod domain;
mod events;
mod keeper;
mod store;

use chassis::{App, Callers, Chassis, Config, Idempotency};

/// The service's name.
pub const NAME: &str = "catalog";

/// Runs the service until it is told to stop (SIGTERM or Ctrl-C).
pub async fn run(config: Config) -> anyhow::Result<()> {
    chassis::run(config, build).await
}

/// Builds the service.
pub async fn build(chassis: Chassis) -> anyhow::Result<App> {
    let catalog = store::Catalog::open(&chassis).await?;
    catalog.offer(assortment::ASSORTMENT, chassis::clock::now_ms()).await?;
    let store = catalog.store().clone();
    let idempotency = Idempotency::open(&chassis, &store).await?;
    let products = cache::Products::new(catalog.clone(), &chassis.metrics);
    let counters = api::Counters::new(&chassis.metrics);
    keeper::start(&catalog, &chassis);
    events::subscribe(&catalog, &products, &chassis);
    let (messaging, checks) = (catalog.messaging().clone(), catalog.clone());
    let router = api::routes(api::State { catalog, products, idempotency, counters });
    let app = App::new(router, Callers::Services).describe(include_str!("../openapi.json"));
    Ok(app.store(store).messaging(messaging).checks(checks))
}
