//! What shipping hears: that an order is complete and may leave the house.

use chassis::messaging::decode;
use chassis::{Chassis, Handler, Trouble, Write};
use contracts::messaging::Event;
use contracts::orders::OrderEvent;

use crate::carrier::Carrier;
use crate::domain::{Outcome, Step};
use crate::store::Shipments;

pub(crate) fn subscribe(shipments: &Shipments, carrier: &Carrier, chassis: &Chassis) {
    let orders = Orders { shipments: shipments.clone(), carrier: carrier.clone() };
    shipments.messaging().subscribe(chassis, "orders", orders);
}

struct Orders {
    shipments: Shipments,
    carrier: Carrier,
}

impl Handler<Write> for Orders {
    async fn handle(&self, write: &mut Write, event: &Event) -> Result<(), Trouble> {
        let known = decode(event).map_err(|error| Trouble::Never(error.to_string()))?;
        let OrderEvent::Completed { order, .. } = known else { return Ok(()) };
        let now_ms = chassis::clock::now_ms();
        let due = Some(self.carrier.fetched_at_ms(now_ms));
        match self.shipments.advance(write, order, Step::Release, due, now_ms).await? {
            Some((_, Outcome::Becomes(_) | Outcome::Already)) => Ok(()),
            // Called off since: the cancellation overtook the event.
            Some((_, Outcome::Refused)) => Ok(()),
            None => Err(Trouble::Never(format!("order `{order}` has no shipment"))),
        }
    }
}
