//! What orders hears: how far the shipments have come.

use chassis::messaging::decode;
use chassis::{Chassis, Handler, Trouble, Write};
use contracts::messaging::Event;
use contracts::shipping::{ShipmentEvent, ShipmentState};

use crate::aggregate::Fact;
use crate::facts::load;
use crate::store::Orders;

pub(crate) fn subscribe(orders: &Orders, chassis: &Chassis) {
    orders.messaging().subscribe(chassis, "shipping", Shipments { orders: orders.clone() });
}

struct Shipments {
    orders: Orders,
}

impl Handler<Write> for Shipments {
    async fn handle(&self, write: &mut Write, event: &Event) -> Result<(), Trouble> {
        let known = decode(event).map_err(|error| Trouble::Never(error.to_string()))?;
        let (order, shipment) = match known {
            ShipmentEvent::Dispatched { order } => (order, ShipmentState::Dispatched),
            ShipmentEvent::Delivered { order } => (order, ShipmentState::Delivered),
        };
        let saga = load(write, order).await?;
        let Some(saga) = saga else {
            return Err(Trouble::Never(format!("there is no order `{order}`")));
        };
        let now_ms = chassis::clock::now_ms();
        let fact = Fact::Moved { shipment };
        // The transaction holds the write lock: nobody can have been faster.
        // Whoever drives the saga finds it changed, and lets go of it: it is nobody's.
        self.orders.append_within(write, &saga, &fact, now_ms, "").await?;
        Ok(())
    }
}
