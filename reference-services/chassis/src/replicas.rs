//! Which replicas of each peer there are. The settings name one address of each;
//! a fleet, if there is one, tells at `GET /status` which of them take requests.
//! [`crate::client`] asks here whom to call.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::client::{Call, Client};
use crate::serve::Chassis;

/// How often the fleet is asked.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// A replica as the fleet tells it; what a caller does not need is left out.
#[derive(Debug, Deserialize)]
struct Replica {
    name: String,
    address: Option<SocketAddr>,
    state: String,
    #[serde(default)]
    canary_percent: Option<u8>,
}

/// Peers and their replicas. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Replicas {
    fixed: Arc<BTreeMap<String, SocketAddr>>,
    found: Arc<RwLock<BTreeMap<String, Vec<SocketAddr>>>>,
    next: Arc<AtomicUsize>,
}

impl Replicas {
    /// One replica of each peer.
    pub(crate) fn new(fixed: BTreeMap<String, SocketAddr>) -> Self {
        Self { fixed: Arc::new(fixed), found: Arc::default(), next: Arc::default() }
    }

    /// One that takes requests; another one each time. None: nobody is called so.
    pub(crate) fn one_of(&self, peer: &str) -> Option<SocketAddr> {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        match found.get(peer).map(Vec::as_slice) {
            None | Some([]) => self.fixed.get(peer).copied(),
            Some(all) => Some(all[self.next.fetch_add(1, Ordering::Relaxed) % all.len()]),
        }
    }

    fn told(&self, replicas: Vec<Replica>) {
        let mut found: BTreeMap<String, Vec<SocketAddr>> = BTreeMap::new();
        for replica in replicas {
            // What is on trial gets only what the gateway sends it. Who does not take
            // requests is left out; where that is everybody, the address of the settings stays.
            if replica.state == "ready"
                && replica.canary_percent.is_none()
                && let Some(address) = replica.address
            {
                found.entry(replica.name).or_default().push(address);
            }
        }
        *self.found.write().unwrap_or_else(PoisonError::into_inner) = found;
    }
}

/// Follows what the fleet tells, if there is one.
pub(crate) fn follow(chassis: &Chassis) {
    let Some(fleet) = chassis.config.discovery else { return };
    let client: Client = chassis.client.clone();
    chassis.tasks.repeat("ask the fleet for peers", ASK_EVERY, move || {
        let client = client.clone();
        async move {
            let call = Call::get("fleet", "/status").untraced();
            let deadline = Instant::now() + ASK_EVERY;
            let Ok(reply) = client.call_at(&call, fleet, 1, deadline).await else { return };
            // A fleet that says nothing sensible changes nothing.
            if let Ok(replicas) = reply.json() {
                client.replicas().told(replicas);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_take_requests_are_asked_in_turn() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let replica = |name: &str, port, state: &str, canary_percent| Replica {
            name: name.to_owned(),
            address: Some(at(port)),
            state: state.to_owned(),
            canary_percent,
        };
        let replicas = Replicas::new(BTreeMap::from([("catalog".to_owned(), at(1))]));
        let asked = |times| (0..times).map(|_| replicas.one_of("catalog")).collect::<Vec<_>>();
        assert_eq!(asked(2), [Some(at(1)); 2]);
        assert_eq!(replicas.one_of("nobody"), None);
        replicas.told(vec![
            replica("catalog", 1, "ready", None),
            replica("catalog", 2, "ready", None),
            replica("catalog", 3, "stopping", None),
            replica("catalog", 4, "restarting", None),
            replica("catalog", 5, "ready", Some(10)),
        ]);
        let mut four = asked(4);
        four.sort_unstable();
        assert_eq!(four, [Some(at(1)), Some(at(1)), Some(at(2)), Some(at(2))]);
        replicas.told(vec![replica("catalog", 2, "restarting", None)]);
        assert_eq!(asked(2), [Some(at(1)); 2], "better one that may come back than none");
    }
}
