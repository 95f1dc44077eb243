//! The services behind the gateway: which replicas there are ([`discovery`]),
//! how well they do, and how calls to them are kept within bounds ([`peer`]).
//! The pipeline names a peer and hands a call over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::{Call, Chassis, Client, Failure, Reply};
use tokio::sync::watch;

pub mod breaker;
pub mod budget;
pub mod discovery;
pub mod endpoint;
mod figures;
pub mod peer;
pub mod pool;
pub mod release;

pub use breaker::State;
pub use figures::Figures;
pub use peer::{Order, Peer};
pub use pool::Found;

/// Most calls to one peer that are under way at once, in each gateway.
pub const PLACES: usize = 128;

/// Most of them for one tenant, so that nobody takes a peer away from all others.
pub const PLACES_OF_ONE: usize = PLACES / 4;

/// How often each replica is asked whether it is ready.
pub const CHECK_EVERY: Duration = Duration::from_millis(1_000);

/// Time for that answer.
pub const CHECK_TIMEOUT: Duration = Duration::from_millis(500);

/// Where a replica says whether it is ready.
const READY_PATH: &str = "/health/ready";

/// The bounds on calls to each peer.
#[derive(Debug, Clone, Copy)]
pub struct Policies {
    /// Most calls that are under way at once.
    pub places: usize,
    /// Most of them for one tenant.
    pub places_of_one: usize,
    /// When calls end at the gateway.
    pub breaker: breaker::Policy,
    /// What is sent again.
    pub budget: budget::Policy,
    /// When a version on trial has failed.
    pub release: release::Policy,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            places: PLACES,
            places_of_one: PLACES_OF_ONE,
            breaker: breaker::Policy::default(),
            budget: budget::Policy::default(),
            release: release::Policy::default(),
        }
    }
}

/// Every peer. Clones share them.
#[derive(Debug, Clone)]
pub struct Upstreams {
    client: Client,
    peers: Arc<BTreeMap<String, Peer>>,
}

impl Upstreams {
    /// The peers that `names` has, with the replicas that `told` tells of.
    pub fn start<'a>(
        chassis: &Chassis,
        names: impl Iterator<Item = &'a str>,
        told: watch::Receiver<Vec<Found>>,
        policies: Policies,
        figures: &Figures,
    ) -> Self {
        let now = Instant::now();
        let peer = |name: &str| Peer::new(name, policies, figures.clone(), now);
        let peers = names.map(|name| (name.to_owned(), peer(name))).collect();
        let this = Self { client: chassis.client.clone(), peers: Arc::new(peers) };
        this.follow(&told.borrow());
        let (checked, figures) = (this.clone(), figures.clone());
        chassis.tasks.repeat("check replicas", CHECK_EVERY, move || {
            let (upstreams, figures) = (checked.clone(), figures.clone());
            async move { upstreams.check(&figures).await }
        });
        let (followed, stop) = (this.clone(), chassis.tasks.stopping());
        chassis.tasks.repeat("follow discovery", Duration::from_millis(50), move || {
            let (upstreams, mut told, stop) = (followed.clone(), told.clone(), stop.clone());
            async move {
                upstreams.follow(&told.borrow_and_update());
                tokio::select! {
                    changed = told.changed() => match changed {
                        Ok(()) => upstreams.follow(&told.borrow_and_update()),
                        // Nobody is there to tell anything new.
                        Err(_) => stop.cancelled().await,
                    },
                    () = stop.cancelled() => {}
                }
            }
        });
        this
    }

    /// Every peer, by its name.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.peers.values()
    }

    /// Makes a call to `peer`. Any status is a reply.
    pub async fn call(&self, peer: &str, order: Order) -> Result<Reply, Failure> {
        match self.peers.get(peer) {
            Some(peer) => peer.call(&self.client, order).await,
            None => Err(chassis::CallError::UnknownPeer(peer.to_owned()).into()),
        }
    }

    fn follow(&self, told: &[Found]) {
        let now = Instant::now();
        for peer in self.peers() {
            let found: Vec<_> = told.iter().filter(|found| found.peer == peer.name).collect();
            peer.follow(&found, now);
        }
    }

    /// Asks every replica whether it is ready, all at once.
    async fn check(&self, figures: &Figures) {
        let mut asked = tokio::task::JoinSet::new();
        for peer in self.peers() {
            for endpoint in peer.pool().all() {
                let (client, endpoint) = (self.client.clone(), Arc::clone(endpoint));
                let name = peer.name.clone();
                asked.spawn(async move {
                    let call = Call::get(&name, READY_PATH).untraced();
                    let deadline = Instant::now() + CHECK_TIMEOUT;
                    let reply = client.call_at(&call, endpoint.address, 1, deadline).await;
                    match reply.map(|reply| reply.status.as_u16()) {
                        Ok(503) => endpoint.says_no(),
                        Ok(status) => {
                            endpoint.checked(status < 500);
                        }
                        Err(_) => {
                            endpoint.checked(false);
                        }
                    }
                });
            }
        }
        while asked.join_next().await.is_some() {}
        self.peers().for_each(|peer| figures.show(peer));
    }
}
