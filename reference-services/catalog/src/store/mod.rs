//! The SQL of products, stock and reservations. `api`, `events` and `keeper`
//! hand it typed values. A reservation and the pieces it moves change together.

use chassis::invariants::Checking;
use chassis::{Chassis, Checks, Messaging, Migrations, Store};

mod products;
mod reservations;
mod stock;

pub(crate) use products::Changed;
pub(crate) use reservations::{Refusal, Reserved};

static MIGRATIONS: Migrations = Migrations::with_postgres(
    sqlx::migrate!("./migrations"),
    sqlx::migrate!("./migrations/postgres"),
);

/// Products, stock and reservations.
#[derive(Debug, Clone)]
pub(crate) struct Catalog {
    store: Store,
    messaging: Messaging,
}

impl Catalog {
    pub(crate) async fn open(chassis: &Chassis) -> anyhow::Result<Self> {
        let store = Store::open(chassis, &MIGRATIONS).await?;
        let messaging = Messaging::open(chassis, &store).await?;
        Ok(Self { store, messaging })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn messaging(&self) -> &Messaging {
        &self.messaging
    }
}

impl Checks for Catalog {
    fn check(&self) -> Checking<'_> {
        Box::pin(self.stock_adds_up())
    }
}
