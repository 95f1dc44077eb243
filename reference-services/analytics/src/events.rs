//! What analytics hears: the events of orders, payments, shipping, catalog and
//! users, and those of clients. Each is checked against its schema; one that is
//! unknown or does not keep to it is a dead letter at once, with the reason, and
//! is taken when it is redriven after its schema was registered.

use std::sync::Arc;
use std::time::Duration;

use chassis::clock::now_ms;
use chassis::messaging::transport::{HttpFeed, Transport};
use chassis::{Chassis, Handler, Store, Trouble, Write};
use contracts::messaging::Event;
use tokio::sync::RwLock;

use crate::domain::{self, Source};
use crate::sources::{Doorstep, Posted, Pulses, Watched};
use crate::store::{Desk, Registry, load};

/// Where an event of a client says which version of its schema it keeps to.
pub(crate) const VERSION: &str = "cloudscale-schema-version";

/// How often versions that other replicas registered are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The schemas, in memory. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Schemas {
    registry: Arc<RwLock<Registry>>,
    store: Store,
}

impl Schemas {
    pub(crate) async fn open(store: &Store) -> anyhow::Result<Self> {
        let registry = Arc::new(RwLock::new(load(store).await?));
        Ok(Self { registry, store: store.clone() })
    }

    /// Reads them again.
    pub(crate) async fn refresh(&self) -> anyhow::Result<()> {
        *self.registry.write().await = load(&self.store).await?;
        Ok(())
    }

    async fn fault(&self, source: Source, event: &Event) -> Option<String> {
        let subject = format!("{}.{}", source.name(), event.kind);
        let version = match event.context.get(VERSION) {
            Some(text) => match text.parse() {
                Ok(version) => Some(version),
                Err(_) => return Some(format!("`{text}` is no version")),
            },
            None => None,
        };
        self.registry.read().await.fault(&subject, version, &event.body)
    }
}

pub(crate) fn subscribe(
    desk: &Desk,
    schemas: &Schemas,
    pulses: &Pulses,
    posted: &Posted,
    chassis: &Chassis,
) {
    for source in Source::ALL {
        let listener = Listener { source, desk: desk.clone(), schemas: schemas.clone() };
        match source {
            Source::Clients => {
                let doorstep = Doorstep { desk: desk.clone(), posted: posted.clone() };
                listen(listener, doorstep, pulses, chassis);
            }
            _ => {
                let feed = HttpFeed::new(chassis.client.clone(), source.name());
                listen(listener, feed, pulses, chassis);
            }
        }
    }
    let schemas = schemas.clone();
    chassis.tasks.repeat("look for schemas", LOOK_EVERY, move || {
        let schemas = schemas.clone();
        async move {
            if let Err(error) = schemas.refresh().await {
                tracing::warn!(error = format!("{error:#}"), "the schemas cannot be read");
            }
        }
    });
}

fn listen(listener: Listener, transport: impl Transport, pulses: &Pulses, chassis: &Chassis) {
    let source = listener.source;
    let watched = Watched { source, transport, pulses: pulses.clone() };
    let messaging = listener.desk.messaging().clone();
    messaging.subscribe_through(chassis, source.name(), watched, listener);
}

#[derive(Debug)]
struct Listener {
    source: Source,
    desk: Desk,
    schemas: Schemas,
}

impl Handler<Write> for Listener {
    async fn handle(&self, write: &mut Write, event: &Event) -> Result<(), Trouble> {
        if let Some(fault) = self.schemas.fault(self.source, event).await {
            return Err(Trouble::Never(fault));
        }
        let read = domain::read(self.source, event);
        let facts = read.map_err(|error| Trouble::Never(error.to_string()))?;
        Ok(self.desk.apply(write, self.source, event, facts, now_ms()).await?)
    }
}
