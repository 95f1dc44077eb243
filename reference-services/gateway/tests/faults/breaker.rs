//! Invariant 12: the breaker makes legal moves only, and while it is half open
//! the service gets at most as many calls at once as there may be probes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::upstream::breaker;
use gateway::{Policies, Settings};
use tokio::task::JoinSet;

use crate::rig::{Door, Manner, Seen, Service, quote_once, seed, until};

/// The most probes that there may be.
const PROBES: u32 = 3;

/// The checker: at most so many calls were under way at once after `from`.
fn few_at_once(seen: &[Seen], from: Instant, most: u32) -> Result<(), String> {
    let seen: Vec<_> = seen.iter().filter(|seen| seen.at >= from).collect();
    for one in &seen {
        let with = seen
            .iter()
            .filter(|other| other.at <= one.at && other.until.is_none_or(|until| until > one.at));
        let count = with.count();
        if count > most as usize {
            return Err(format!("{count} calls at once"));
        }
    }
    Ok(())
}

/// An outage that the breaker opens in, with many callers. Answers what the
/// service saw once it was open, and what the gateway says of itself.
async fn outage(seed: u64, probes: u32) -> (Result<(), String>, bool, usize) {
    let service = Service::start(seed);
    let breaker = breaker::Policy {
        open_for: Duration::from_millis(150),
        open_at_most: Duration::from_millis(300),
        probes,
        ..breaker::Policy::default()
    };
    let policies = Policies { breaker, ..Policies::default() };
    let settings = Settings { policies, ..Settings::default() };
    let door = Arc::new(Door::open(&[("shipping", service.address)], settings).await);
    service.behave(Manner { failed: 1.0, takes_ms: (20, 60) });
    let end = Instant::now() + Duration::from_secs(3);
    let mut callers = JoinSet::new();
    for _ in 0..16 {
        let door = Arc::clone(&door);
        callers.spawn(async move {
            let mut opened = None;
            while Instant::now() < end {
                let reply = door.send(quote_once()).await.unwrap();
                let text = String::from_utf8(reply.body.to_vec()).unwrap();
                if text.contains("circuit-open") {
                    opened.get_or_insert_with(Instant::now);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            opened.expect("the breaker opens")
        });
    }
    let mut opened = Vec::new();
    while let Some(at) = callers.join_next().await {
        opened.push(at.unwrap());
    }
    // What was under way when it opened has ended by then.
    let from = *opened.iter().min().unwrap() + Duration::from_millis(500);
    let seen = service.seen();
    let judged = few_at_once(&seen, from, PROBES);
    let probed = seen.iter().filter(|seen| seen.at >= from).count();
    service.behave(Manner::GOOD);
    until("recovery", async || door.status(quote_once()).await == 200).await;
    let report = door.report().await;
    let legal = report.figure("breakers_move_legally", "illegal") == Some(0);
    (judged, legal && report.holds, probed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_breaker_moves_legally_and_probes_gently() {
    let seed = seed("breaker");
    let (judged, holds, probed) = outage(seed, PROBES).await;
    assert_eq!(judged, Ok(()), "seed {seed}");
    assert!(holds, "seed {seed}");
    assert!(probed > 3, "it was probed {probed} times");
    let (planted, ..) = outage(seed, 12).await;
    assert!(planted.is_err(), "twelve probes are not found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_service_does_not_take_up_the_gateway() {
    let seed = seed("bulkhead");
    let (slow, quick) = (Service::start(seed), Service::start(seed));
    slow.behave(Manner { failed: 0.0, takes_ms: (400, 600) });
    let policies = Policies { places: 8, ..Policies::default() };
    let settings = Settings { policies, ..Settings::default() };
    let peers = [("shipping", slow.address), ("catalog", quick.address)];
    let door = Arc::new(Door::open(&peers, settings).await);
    let mut callers = JoinSet::new();
    for _ in 0..40 {
        let door = Arc::clone(&door);
        callers.spawn(async move { door.status(quote_once()).await });
    }
    until("eight calls", async || slow.active() == 8).await;
    for _ in 0..20 {
        assert_eq!(door.status(chassis::Call::get("gateway", "/v1/categories")).await, 200);
    }
    let mut statuses = Vec::new();
    while let Some(status) = callers.join_next().await {
        statuses.push(status.unwrap());
    }
    let passed = statuses.iter().filter(|status| **status == 200).count();
    let refused = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!((passed, refused), (8, 32), "seed {seed}");
    let text = door.metrics().await;
    assert!(text.contains("gateway_refused_total{reason=\"bulkhead\"} 32"), "{text}");
}
