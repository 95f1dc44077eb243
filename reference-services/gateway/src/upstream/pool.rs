//! The replicas of one peer as discovery tells them: those that everybody gets,
//! and those of a version on trial. Replicas that stay keep what was learnt of
//! them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::endpoint::Endpoint;
use super::release::{Policy, Trial};

/// A replica as discovery tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The service that it is one of.
    pub peer: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its version.
    pub version: String,
    /// The version is on trial with so many percent of the tenants.
    pub canary: Option<u8>,
    /// It was told to end, and takes no more requests.
    pub draining: bool,
}

/// Replicas of one peer.
#[derive(Debug, Default)]
pub struct Pool {
    /// Those that everybody gets.
    pub stable: Vec<Arc<Endpoint>>,
    /// Those of the version on trial.
    pub canary: Vec<Arc<Endpoint>>,
    /// The trial.
    pub trial: Option<Arc<Trial>>,
}

impl Pool {
    /// The pool after discovery told `found`.
    pub fn follow(&self, found: &[&Found], policy: Policy, now: Instant) -> Self {
        let endpoint = |found: &&Found| {
            let known = self
                .all()
                .find(|known| known.address == found.address && known.version == found.version);
            let endpoint = known.cloned().unwrap_or_else(|| {
                Arc::new(Endpoint::new(found.address, found.version.clone(), now))
            });
            endpoint.set_draining(found.draining);
            endpoint
        };
        let on_trial = found.iter().find_map(|found| Some((found.version.clone(), found.canary?)));
        let trial = on_trial.map(|(version, percent)| self.try_out(version, percent, policy));
        let is_canary = |found: &&&Found| found.canary.is_some();
        Self {
            stable: found.iter().filter(|found| !is_canary(found)).map(endpoint).collect(),
            canary: found.iter().filter(is_canary).map(endpoint).collect(),
            trial,
        }
    }

    fn try_out(&self, version: String, percent: u8, policy: Policy) -> Arc<Trial> {
        let known = self.trial.as_ref().filter(|trial| trial.version == version);
        let trial = known.cloned();
        let trial = trial.unwrap_or_else(|| Arc::new(Trial::new(version, percent, policy)));
        trial.set_percent(percent);
        trial
    }

    /// Every replica.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.stable.iter().chain(&self.canary)
    }

    /// The replicas that a tenant's call may go to, and whether those are on trial.
    pub fn group(&self, key: u64) -> (&[Arc<Endpoint>], bool) {
        let trial = self.trial.as_ref();
        let wanted = trial.is_some_and(|trial| trial.wants(key)) && !self.canary.is_empty();
        let rolled_back = trial.is_some_and(|trial| trial.rolled_back());
        match (wanted, self.stable.is_empty()) {
            (true, _) => (&self.canary, true),
            // Nobody else is there: better the new version than none.
            (false, true) if !rolled_back => (&self.canary, true),
            (false, _) => (&self.stable, false),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(port: u16, version: &str, canary: Option<u8>) -> Found {
        Found {
            peer: "catalog".to_owned(),
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            version: version.to_owned(),
            canary,
            draining: false,
        }
    }

    fn follow(pool: &Pool, all: &[Found]) -> Pool {
        pool.follow(&all.iter().collect::<Vec<_>>(), Policy::default(), Instant::now())
    }

    #[test]
    fn what_stays_keeps_what_was_learnt() {
        let one = follow(&Pool::default(), &[found(1, "1", None), found(2, "2", Some(10))]);
        let two =
            follow(&one, &[found(1, "1", None), found(2, "2", Some(20)), found(3, "1", None)]);
        assert!(Arc::ptr_eq(&one.stable[0], &two.stable[0]));
        assert!(Arc::ptr_eq(one.trial.as_ref().unwrap(), two.trial.as_ref().unwrap()));
        assert_eq!((two.stable.len(), two.canary.len()), (2, 1));
        let promoted = follow(&two, &[found(2, "2", None)]);
        assert!(promoted.trial.is_none() && Arc::ptr_eq(&promoted.stable[0], &two.canary[0]));
        let other = follow(&two, &[found(2, "3", Some(5))]);
        assert_eq!(other.trial.unwrap().record().version, "3");
    }

    #[test]
    fn a_version_that_was_rolled_back_gets_nobody() {
        let pool = follow(&Pool::default(), &[found(1, "1", None), found(2, "2", Some(100))]);
        assert!(pool.group(7).1);
        let trial = pool.trial.clone().unwrap();
        (0..100).for_each(|_| {
            trial.ended(false, false);
            trial.ended(true, true);
        });
        assert!(!pool.group(7).1);
        let again = follow(&pool, &[found(1, "1", None), found(2, "2", Some(100))]);
        assert!(!again.group(7).1, "discovery still lists it");
    }
}
