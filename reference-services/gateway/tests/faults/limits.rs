//! Invariant 11: over all gateways, no tenant gets more than his limit and burst
//! in any window, also while the store of the limits is away; and who keeps to
//! his limit is served whatever another one does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chassis::Call;
use chassis::config::Secret;
use gateway::limit::redis::Redis;
use gateway::limit::{Allowance, Asked, Away, Buckets, Memory, Taking};
use gateway::{Limits, Settings, Shared};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use crate::rig::{Door, Service, Signer, seed, with_token};

const PER_SECOND: u32 = 20;
const BURST: u32 = 10;

/// A store that can be away.
#[derive(Debug)]
struct Store {
    buckets: Box<dyn Buckets>,
    away: AtomicBool,
}

impl Buckets for Store {
    fn take<'a>(&'a self, asked: Asked<'a>) -> Taking<'a> {
        if self.away.load(Ordering::SeqCst) {
            return Box::pin(async { Err(Away("on purpose".to_owned())) });
        }
        self.buckets.take(asked)
    }
}

/// The checker: `passed` are the moments at which requests came through, each
/// between when it was sent and when its answer came. `slack` is how much more
/// time the limit may have had than is seen from outside.
fn within_limits(passed: &mut [(Instant, Instant)], slack: Duration) -> Result<(), String> {
    passed.sort_by_key(|(sent, _)| *sent);
    for (first, (_, from)) in passed.iter().enumerate() {
        // Those that were surely admitted after `from`, by when they were sent.
        let later: Vec<_> = passed[first..].iter().filter(|(sent, _)| sent >= from).collect();
        for (more, (_, to)) in later.iter().enumerate() {
            let time = (to.saturating_duration_since(*from) + slack).as_secs_f64();
            let most = f64::from(BURST) + f64::from(PER_SECOND) * time;
            if (more + 1) as f64 > most.ceil() + 1.0 {
                return Err(format!("{} requests in {time:.3} s", more + 1));
            }
        }
    }
    // And from the very first one on.
    let (Some(first), Some(last)) = (passed.first(), passed.iter().map(|(_, to)| to).max()) else {
        return Err("nothing passed".to_owned());
    };
    let time = (*last - first.0 + slack).as_secs_f64();
    let most = f64::from(BURST) + f64::from(PER_SECOND) * time;
    match passed.len() as f64 <= most {
        true => Ok(()),
        false => Err(format!("{} requests in {time:.3} s", passed.len())),
    }
}

/// What an abuser and a modest tenant got out of two gateways.
struct Outcome {
    abuser: Vec<(Instant, Instant)>,
    refused: usize,
    modest: (usize, usize),
}

async fn abuse(seed: u64, shared: Option<Arc<Store>>, outage: bool) -> Outcome {
    let (signer, orders) = (Signer::start(seed), Service::start(seed));
    let limits = Limits { account: Allowance::new(PER_SECOND, BURST), ..Limits::default() };
    let settings = || Settings {
        limits,
        shared: shared.clone().map(|buckets| Shared { buckets, replicas: Arc::new(2.into()) }),
        ..Settings::default()
    };
    let peers = [("auth", signer.auth.address), ("orders", orders.address)];
    let doors = [
        Arc::new(Door::open(&peers, settings()).await),
        Arc::new(Door::open(&peers, settings()).await),
    ];
    let call = |tenant| with_token(Call::get("gateway", "/v1/orders"), &signer.token(tenant));
    let start = Instant::now();
    let end = start + Duration::from_millis(2_400);
    let mut abusers = JoinSet::new();
    for caller in 0..8 {
        let (doors, call) = (doors.clone(), call(1));
        let mut chance = StdRng::seed_from_u64(seed + caller);
        abusers.spawn(async move {
            let (mut passed, mut refused) = (Vec::new(), 0);
            while Instant::now() < end {
                let sent = Instant::now();
                match doors[chance.random_range(0..2)].status(call.clone()).await {
                    200 => passed.push((sent, Instant::now())),
                    429 => refused += 1,
                    other => panic!("{other}"),
                }
                tokio::time::sleep(Duration::from_millis(chance.random_range(0..4))).await;
            }
            (passed, refused)
        });
    }
    // A quarter of what he may, evenly.
    let modest = {
        let (doors, call) = (doors.clone(), call(2));
        tokio::spawn(async move {
            let (mut served, mut sent) = (0, 0);
            while Instant::now() < end {
                served += usize::from(doors[sent % 2].status(call.clone()).await == 200);
                sent += 1;
                tokio::time::sleep(Duration::from_millis(1_000 / u64::from(PER_SECOND / 4))).await;
            }
            (served, sent)
        })
    };
    if let Some(store) = shared.filter(|_| outage) {
        tokio::time::sleep(Duration::from_millis(600)).await;
        store.away.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(900)).await;
        store.away.store(false, Ordering::SeqCst);
    }
    let (mut abuser, mut refused) = (Vec::new(), 0);
    while let Some(joined) = abusers.join_next().await {
        let (passed, more) = joined.unwrap();
        abuser.extend(passed);
        refused += more;
    }
    Outcome { abuser, refused, modest: modest.await.unwrap() }
}

fn store(buckets: Box<dyn Buckets>) -> Arc<Store> {
    Arc::new(Store { buckets, away: AtomicBool::new(false) })
}

/// The Redis server that the environment names, if any.
fn redis() -> Option<Redis> {
    match std::env::var("CLOUDSCALE_TEST_REDIS") {
        Ok(url) => Some(Redis::open(&Secret::new(&url)).unwrap()),
        Err(_) => {
            eprintln!("not on Redis: CLOUDSCALE_TEST_REDIS names none");
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tenant_gets_more_than_his_limit_over_two_gateways() {
    let seed = seed("limits");
    let memory = || Some(Box::new(Memory::full()) as Box<dyn Buckets>);
    let redis = || redis().map(|redis| Box::new(redis) as Box<dyn Buckets>);
    let cases = [(memory(), false), (memory(), true), (redis(), false), (redis(), true)];
    for (buckets, outage) in cases {
        let Some(buckets) = buckets else { continue };
        let mut seen = abuse(seed, Some(store(buckets)), outage).await;
        // One replica may notice so much later than the other.
        let slack = if outage { Duration::from_millis(250) } else { Duration::ZERO };
        let judged = within_limits(&mut seen.abuser, slack);
        assert_eq!(judged, Ok(()), "seed {seed}, outage: {outage}");
        assert!(seen.refused > 20, "seed {seed}: he did not abuse anything");
        let least = if outage { 15 } else { BURST as usize + 25 };
        assert!(seen.abuser.len() > least, "seed {seed}: only {} passed", seen.abuser.len());
        let (served, sent) = seen.modest;
        assert!(sent > 6, "seed {seed}: he was held up: {sent}");
        let lost = if outage { 2 } else { 0 };
        assert!(served + lost >= sent, "seed {seed}, outage {outage}: {served} of {sent}");
    }
    // Each gateway for itself: twice as much.
    let mut planted = abuse(seed, None, false).await;
    let judged = within_limits(&mut planted.abuser, Duration::ZERO);
    assert!(judged.is_err(), "two limits are not found: {} passed", planted.abuser.len());
}
