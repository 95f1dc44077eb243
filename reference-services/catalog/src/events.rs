//! What the catalog hears: its own changes, which empty the cache of each replica,
//! and from `shipping` that pieces left the house.

use chassis::messaging::decode;
use chassis::{Chassis, Handler, Trouble, Write};
use contracts::catalog::CatalogEvent;
use contracts::messaging::Event;
use contracts::shipping::ShipmentEvent;

use crate::cache::Products;
use crate::domain::{Outcome, Step};
use crate::store::Catalog;

pub(crate) fn subscribe(catalog: &Catalog, products: &Products, chassis: &Chassis) {
    let messaging = catalog.messaging();
    messaging.subscribe(chassis, "shipping", Shipments { catalog: catalog.clone() });
    let products = products.clone();
    messaging.overhear(chassis, move |event| {
        // A kind of event that is not known concerns no product.
        if let Ok(CatalogEvent::ProductChanged { sku, version }) = decode(event) {
            products.forget(&sku, version);
        }
    });
}

/// Pieces of an order that was dispatched are shipped.
struct Shipments {
    catalog: Catalog,
}

impl Handler<Write> for Shipments {
    async fn handle(&self, write: &mut Write, event: &Event) -> Result<(), Trouble> {
        let event = decode(event).map_err(|error| Trouble::Never(error.to_string()))?;
        let ShipmentEvent::Dispatched { order } = event else { return Ok(()) };
        match self.catalog.advance(write, order, Step::Ship).await? {
            Some((_, Outcome::Becomes(..) | Outcome::Already)) => Ok(()),
            Some((state, Outcome::Refused)) => Err(Trouble::Never(format!(
                "the pieces of order `{order}` left the house, but are {}",
                state.name()
            ))),
            None => Err(Trouble::Never(format!("nothing was reserved for order `{order}`"))),
        }
    }
}
