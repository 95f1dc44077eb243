//! Keeps the stock in order beside the requests: reservations that nobody
//! confirmed expire, and what runs low is refilled (by a supplier who is
//! simulated, and always delivers).

use std::time::Duration;

use chassis::Chassis;
use chassis::clock::now_ms;
use prometheus::IntGaugeVec;

use crate::store::Catalog;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(crate) fn start(catalog: &Catalog, chassis: &Chassis) {
    let pieces = chassis.metrics.gauges(
        "catalog_stock_pieces",
        "Pieces in stock over all products, by where they are.",
        &["place"],
    );
    let catalog = catalog.clone();
    chassis.tasks.repeat("keep the stock", LOOK_EVERY, move || {
        let (catalog, pieces) = (catalog.clone(), pieces.clone());
        async move {
            if let Err(error) = look(&catalog, &pieces).await {
                tracing::warn!(error = format!("{error:#}"), "the stock was not looked after");
            }
        }
    });
}

async fn look(catalog: &Catalog, pieces: &IntGaugeVec) -> anyhow::Result<()> {
    let expired = catalog.expire(now_ms()).await?;
    if expired > 0 {
        tracing::info!(expired, "reservations have expired");
    }
    catalog.refill().await?;
    for (place, sum) in catalog.pieces().await? {
        pieces.with_label_values(&[place]).set(sum);
    }
    Ok(())
}
