//! Invariant 13: during an outage the service gets at most 1.1 times the calls
//! that clients make, and afterwards everything works again without a hand.

use std::time::Duration;

use gateway::upstream::{breaker, budget};
use gateway::{Policies, Settings};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::rig::{Door, Manner, Service, quote, seed, until};

/// Calls of clients during the outage.
const CALLS: usize = 400;

/// What was seen of an outage.
#[derive(Debug)]
struct Outage {
    asked: usize,
    arrived: usize,
    recovered: bool,
}

/// The checker.
fn storm(outage: &Outage) -> Result<(), String> {
    let most = outage.asked as f64 * 1.1;
    if outage.arrived as f64 > most {
        return Err(format!("{outage:?}: more than {most} calls arrived"));
    }
    if !outage.recovered {
        return Err(format!("{outage:?}: it did not recover"));
    }
    Ok(())
}

async fn outage(seed: u64, policies: Policies) -> Outage {
    let service = Service::start(seed);
    let settings = Settings { policies, ..Settings::default() };
    let door = Door::open(&[("shipping", service.address)], settings).await;
    for number in 0..50 {
        assert_eq!(door.status(quote(number)).await, 200, "nothing is wrong yet");
    }
    let before = service.count();
    let mut chance = StdRng::seed_from_u64(seed);
    let mut failed = 0;
    for number in 0..CALLS {
        // Down for good, or now and then: as a service that dies under its load.
        let down = number < CALLS / 2 || chance.random_bool(0.8);
        service.behave(if down { Manner::DOWN } else { Manner::GOOD });
        failed += usize::from(door.status(quote(number)).await != 200);
    }
    assert!(failed > CALLS / 2, "that was no outage");
    let arrived = service.count() - before;
    service.behave(Manner::GOOD);
    let mut recovered = false;
    for number in 0..2_000 {
        if door.status(quote(number)).await == 200 {
            recovered = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    door.running.stop().await;
    Outage { asked: CALLS, arrived, recovered }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_causes_no_storm_and_passes_by_itself() {
    let seed = seed("storm");
    let patient = breaker::Policy { least_calls: u32::MAX, ..breaker::Policy::default() };
    // The budget alone, without a breaker that would hide it.
    let alone = Policies { breaker: patient, ..Policies::default() };
    let with_budget = outage(seed, alone).await;
    assert_eq!(storm(&with_budget), Ok(()), "seed {seed}");
    let with_both = outage(seed, Policies::default()).await;
    assert_eq!(storm(&with_both), Ok(()), "seed {seed}");
    assert!(with_both.arrived < with_budget.arrived / 2, "the breaker spares it: {with_both:?}");

    let bug = Policies { budget: budget::Policy { share: 1.0, reserve: 10, attempts: 2 }, ..alone };
    let planted = outage(seed, bug).await;
    assert!(storm(&planted).is_err(), "a budget without a bound is not found: {planted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_dies_costs_nothing_that_can_be_sent_again() {
    let seed = seed("replica");
    let (mut dies, stays) = (Service::start(seed), Service::start(seed + 1));
    let replicas = vec![
        crate::rig::found("shipping", &dies, "1", None),
        crate::rig::found("shipping", &stays, "1", None),
    ];
    let (_sender, told) = crate::rig::told(replicas);
    let settings = Settings { replicas: Some(told), ..Settings::default() };
    let door = Door::open(&[], settings).await;
    until("calls to both", async || {
        assert_eq!(door.status(quote(0)).await, 200);
        dies.count() > 20 && stays.count() > 20
    })
    .await;
    // So many repetitions are saved up by then.
    for number in 0..100 {
        assert_eq!(door.status(quote(number)).await, 200);
    }
    dies.kill();
    for number in 0..100 {
        assert_eq!(door.status(quote(number)).await, 200, "seed {seed}");
    }
    let stays_alone = "gateway_replicas{service_peer_name=\"shipping\",state=\"usable\"} 1";
    until("the dead replica", async || door.metrics().await.contains(stays_alone)).await;
    door.running.stop().await;
}
