//! Invariant 15: a bad version is rolled back by itself, a good one is not, a
//! tenant stays with his version, and draining a replica fails no request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chassis::Call;
use gateway::upstream::{budget, release};
use gateway::{Policies, Settings};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::rig::{Door, Manner, Service, Signer, found, quote_once, seed, told, until, with_token};

/// Tenants that call.
const TENANTS: u128 = 40;

/// Calls of a trial.
const CALLS: usize = 800;

/// Calls that a bad version may get before it is rolled back.
const PATIENT: usize = 200;

/// What was seen of a trial.
#[derive(Debug)]
struct Trial {
    /// Calls that the new version got until the last quarter, and in it.
    canary: (usize, usize),
    /// Tenants who were with both versions.
    torn: usize,
    /// What the gateway says of itself.
    rolled_back: i64,
    holds: bool,
}

/// The checker for a bad version.
fn rolled_back(trial: &Trial) -> Result<(), String> {
    let good = trial.canary.0 > 0
        && trial.canary.0 <= PATIENT
        && trial.canary.1 == 0
        && trial.rolled_back == 1
        && trial.holds;
    if good { Ok(()) } else { Err(format!("{trial:?}")) }
}

async fn trial(seed: u64, bad: f64, policy: release::Policy) -> Trial {
    let (signer, stable, canary) =
        (Signer::start(seed), Service::start(seed), Service::start(seed + 1));
    let fails = |failed| Manner { failed, ..Manner::GOOD };
    stable.behave(fails(0.01));
    canary.behave(fails(bad));
    let replicas =
        vec![found("orders", &stable, "1", None), found("orders", &canary, "2", Some(30))];
    let (_sender, told) = told(replicas);
    // Without repetition, each tenant's calls arrive where he belongs only.
    let budget = budget::Policy { attempts: 1, ..budget::Policy::default() };
    let policies = Policies { release: policy, budget, ..Policies::default() };
    let settings = Settings { policies, replicas: Some(told), ..Settings::default() };
    let door = Door::open(&[("auth", signer.auth.address)], settings).await;
    let tokens: Vec<_> = (0..TENANTS).map(|tenant| signer.token(tenant)).collect();
    let mut chance = StdRng::seed_from_u64(seed);
    let mut late = 0;
    for number in 0..CALLS {
        if number == CALLS * 3 / 4 {
            late = canary.count();
        }
        let token = &tokens[chance.random_range(0..tokens.len())];
        let _ = door.send(with_token(Call::get("gateway", "/v1/orders"), token)).await.unwrap();
    }
    // Who was with the new version until the last call that it got, and with the old one before.
    let seen = canary.seen();
    let last = seen.last().map(|seen| seen.at);
    let with_canary: BTreeSet<_> = seen.into_iter().map(|seen| seen.tenant).collect();
    let before = stable.seen().into_iter().filter(|seen| last.is_some_and(|last| seen.at < last));
    let torn = before.map(|seen| seen.tenant).collect::<BTreeSet<_>>();
    let torn = torn.intersection(&with_canary).count();
    let report = door.report().await;
    let name = "what_was_rolled_back_gets_nobody";
    let rolled_back = report.figure(name, "rolled_back").unwrap();
    Trial {
        canary: (late, canary.count() - late),
        torn,
        rolled_back,
        holds: report.holds && report.figure(name, "calls_afterwards") == Some(0),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_version_is_rolled_back_and_a_good_one_stays() {
    let seed = seed("release");
    let bad = trial(seed, 0.4, release::Policy::default()).await;
    assert_eq!(rolled_back(&bad), Ok(()), "seed {seed}");
    assert_eq!(bad.torn, 0, "seed {seed}: tenants were with both versions");
    let good = trial(seed, 0.01, release::Policy::default()).await;
    assert_eq!((good.rolled_back, good.torn), (0, 0), "seed {seed}");
    let share = (good.canary.0 + good.canary.1) as f64 / CALLS as f64;
    assert!((0.05..0.6).contains(&share), "seed {seed}: {good:?}");
    // A judge who sees nothing.
    let blind = release::Policy { least_calls: u64::MAX, ..release::Policy::default() };
    let planted = trial(seed, 0.4, blind).await;
    assert!(rolled_back(&planted).is_err(), "a blind judge is not found: {planted:?}");
}

/// Calls that may not be repeated, without a pause, while a replica is taken
/// out. Answers how many failed.
async fn replaced(seed: u64, drained: bool) -> (BTreeMap<u16, usize>, usize) {
    let (mut old, new) = (Service::start(seed), Service::start(seed + 1));
    let slow = Manner { failed: 0.0, takes_ms: (5, 40) };
    old.behave(slow);
    new.behave(slow);
    let both = vec![found("shipping", &old, "1", None), found("shipping", &new, "1", None)];
    let (sender, told) = told(both.clone());
    let settings = Settings { replicas: Some(told), ..Settings::default() };
    let door = Arc::new(Door::open(&[], settings).await);
    let over = Arc::new(AtomicBool::new(false));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (door, over) = (Arc::clone(&door), Arc::clone(&over));
        callers.spawn(async move {
            let mut statuses = BTreeMap::new();
            while !over.load(Ordering::SeqCst) {
                *statuses.entry(door.status(quote_once()).await).or_insert(0) += 1;
            }
            statuses
        });
    }
    until("calls to both", async || old.count() > 50 && new.count() > 50).await;
    if drained {
        let mut draining = both.clone();
        draining[0].draining = true;
        sender.send(draining).unwrap();
        until("the end of its calls", async || {
            tokio::time::sleep(Duration::from_millis(100)).await;
            old.active() == 0
        })
        .await;
    }
    let served = old.count();
    old.kill();
    tokio::time::sleep(Duration::from_millis(300)).await;
    over.store(true, Ordering::SeqCst);
    let mut all = BTreeMap::new();
    while let Some(statuses) = callers.join_next().await {
        for (status, count) in statuses.unwrap() {
            *all.entry(status).or_insert(0) += count;
        }
    }
    (all, served)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_a_replica_fails_no_request() {
    let seed = seed("draining");
    let (statuses, served) = replaced(seed, true).await;
    assert_eq!(statuses.keys().collect::<Vec<_>>(), [&200], "seed {seed}: {statuses:?}");
    assert!(served > 50);
    let (planted, _) = replaced(seed, false).await;
    assert!(planted.keys().any(|status| *status != 200), "a kill fails nothing: {planted:?}");
}
