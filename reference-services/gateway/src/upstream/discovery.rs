//! Where the replicas are. The settings name one address of each peer; a fleet,
//! if there is one, tells at `GET /status` which replicas it runs, in which
//! version and in which state. `mod` follows what is told here.

use std::net::SocketAddr;
use std::time::Duration;

use chassis::{Call, Chassis};
use serde::Deserialize;
use tokio::sync::watch;

use super::pool::Found;

/// How often the fleet is asked.
pub const ASK_EVERY: Duration = Duration::from_millis(500);

/// A replica as the fleet tells it; what the gateway does not need is left out.
#[derive(Debug, Deserialize)]
struct Replica {
    name: String,
    version: String,
    address: Option<SocketAddr>,
    state: String,
    #[serde(default)]
    canary_percent: Option<u8>,
}

/// What is known of the replicas, and will be.
pub fn start(chassis: &Chassis) -> watch::Receiver<Vec<Found>> {
    let peers = chassis.config.peers.iter();
    let told: Vec<_> = peers.map(|(name, address)| fixed(name, *address)).collect();
    let (sender, receiver) = watch::channel(told);
    if let Some(fleet) = chassis.config.discovery {
        let client = chassis.client.clone();
        chassis.tasks.repeat("ask the fleet for replicas", ASK_EVERY, move || {
            let (client, sender) = (client.clone(), sender.clone());
            async move {
                let call = Call::get("fleet", "/status").untraced();
                let deadline = std::time::Instant::now() + ASK_EVERY;
                let Ok(reply) = client.call_at(&call, fleet, 1, deadline).await else { return };
                // A fleet that says nothing sensible changes nothing.
                let Ok(replicas) = reply.json::<Vec<Replica>>() else { return };
                let found: Vec<_> = replicas.into_iter().filter_map(Replica::found).collect();
                sender.send_if_modified(|told| {
                    let news = !found.is_empty() && *told != found;
                    if news {
                        *told = found;
                    }
                    news
                });
            }
        });
    }
    receiver
}

fn fixed(name: &str, address: SocketAddr) -> Found {
    Found { peer: name.to_owned(), address, version: "1".to_owned(), canary: None, draining: false }
}

impl Replica {
    fn found(self) -> Option<Found> {
        let draining = matches!(self.state.as_str(), "stopping" | "stopped");
        Some(Found {
            peer: self.name,
            address: self.address?,
            version: self.version,
            canary: self.canary_percent,
            draining,
        })
    }
}
