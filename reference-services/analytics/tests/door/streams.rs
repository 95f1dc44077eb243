//! Any order of events, any repetition and any kill gives the answer of a batch:
//! nothing is missing but what came late, and that is counted and kept. What is
//! drawn follows from a seed that is printed; `ANALYTICS_SEED` sets it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use analytics::domain::SERIES;
use chassis::clock::now_ms;
use contracts::analytics::{ClientEvent, Funnel, Join, LateEvents, TopProducts, WindowState};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::batch::{Added, MINUTE_MS, Table, table, told};
use crate::rig::{PATIENCE, Rig};

const LATENESS_MS: i64 = 20_000;
const BOUND_MS: i64 = 2_000;
const ORDERS: usize = 60;
const STEPS: usize = 24;
/// Where the service dies, beside any other place.
const POINTS: [&str; 6] = [
    "inbox.received",
    "inbox.effect",
    "inbox.committed",
    "window.written",
    "windows.closed",
    "doorstep.written",
];

/// Something that happens, and when it becomes known.
struct Happening {
    known_ms: i64,
    what: What,
}

enum What {
    Published { producer: &'static str, kind: &'static str, key: String, at_ms: i64, body: Value },
    Posted { account: Uuid, event: ClientEvent },
}

/// What happens, and what it comes to.
#[derive(Default)]
struct World {
    happenings: Vec<Happening>,
    added: Vec<Added>,
    posted: i64,
    placed: i64,
    paid: i64,
    unpaid: i64,
    pieces: BTreeMap<String, i64>,
    first_ms: i64,
}

impl World {
    /// A shop for six minutes, long ago. Everything becomes known within `reach_ms`,
    /// but a share of `straggling`, which does at the end.
    fn draw(chance: &mut StdRng, reach_ms: i64, straggling: f64) -> Self {
        let first_ms = (now_ms() - 3 * 3_600_000) / MINUTE_MS * MINUTE_MS;
        let mut world = Self { first_ms, ..Self::default() };
        let customers: Vec<Uuid> = (0..4).map(|_| Uuid::now_v7()).collect();
        let mut happen = |chance: &mut StdRng, at_ms: i64, what: What| {
            let straggles = chance.random_bool(straggling);
            let delay = if straggles { 3_600_000 } else { chance.random_range(0..=reach_ms) };
            world.happenings.push(Happening { known_ms: at_ms + delay, what });
        };
        for _ in 0..ORDERS {
            let customer = *customers.choose(chance).unwrap();
            let at_ms = first_ms + chance.random_range(0..6 * MINUTE_MS);
            let order = Uuid::now_v7().to_string();
            let mut add = |series, key: &str, at_ms, amount| {
                world.added.push(Added { series, key: key.to_owned(), at_ms, amount });
            };
            let lines: Vec<(&str, i64)> = (0..chance.random_range(1..4))
                .map(|_| {
                    (*["tea", "mug", "kettle"].choose(chance).unwrap(), chance.random_range(1..5))
                })
                .collect();
            let pieces = lines.iter().map(|line| line.1).sum();
            add("orders", "all", at_ms, pieces);
            add("orders-sliding", "all", at_ms, pieces);
            add("sessions", &customer.to_string(), at_ms, 0);
            for (sku, pieces) in &lines {
                add("products", sku, at_ms, *pieces);
                *world.pieces.entry((*sku).to_owned()).or_default() += pieces;
            }
            let total = json!({ "minor": 100 * pieces, "currency": "EUR" });
            let lines: Vec<Value> = lines
                .iter()
                .map(|(sku, n)| json!({ "sku": sku, "quantity": n, "unit_price_minor": 100 }))
                .collect();
            let placed =
                json!({ "order": order, "customer": customer, "total": total, "lines": lines });
            world.placed += 1;
            let mut tell = |chance: &mut StdRng, producer, kind, at_ms, body| {
                let key = order.clone();
                happen(chance, at_ms, What::Published { producer, kind, key, at_ms, body });
            };
            tell(chance, "orders", "placed", at_ms, placed);
            if chance.random_bool(0.2) {
                world.unpaid += 1;
                continue;
            }
            world.paid += 1;
            let took_ms = chance.random_range(50..5_000);
            let paid_ms = at_ms + took_ms;
            let currency = *["EUR", "USD"].choose(chance).unwrap();
            let amount = json!({ "minor": 100 * pieces, "currency": currency });
            let payment = Uuid::now_v7();
            let captured = json!({ "payment": payment, "order": order, "amount": amount });
            add("revenue", currency, paid_ms, 100 * pieces);
            add("latency", "all", paid_ms, took_ms);
            tell(chance, "payments", "captured", paid_ms, captured.clone());
            if chance.random_bool(0.1) {
                add("revenue", currency, paid_ms + 9_000, -100 * pieces);
                tell(chance, "payments", "refunded", paid_ms + 9_000, captured);
            } else {
                add("shipments", "all", paid_ms + 500, 1);
                tell(chance, "shipping", "dispatched", paid_ms + 500, json!({ "order": order }));
            }
        }
        for _ in 0..80 {
            let account = *customers.choose(chance).unwrap();
            let at_ms = first_ms + chance.random_range(0..6 * MINUTE_MS);
            let kind = "page_viewed";
            let mut add = |series, key: String, amount| {
                world.added.push(Added { series, key, at_ms, amount });
            };
            add("activity", kind.to_owned(), 1);
            add("sessions", account.to_string(), 1);
            let body = json!({ "page": "/" });
            let event = ClientEvent {
                id: Uuid::now_v7(),
                kind: kind.to_owned(),
                at_ms,
                version: None,
                body,
            };
            world.posted += 1;
            happen(chance, at_ms, What::Posted { account, event });
        }
        world.happenings.sort_by_key(|happening| happening.known_ms);
        world
    }

    /// Lets it all become known step by step, with kills in between.
    async fn happen(&self, rig: &mut Rig, chance: &mut StdRng, kills: bool) {
        for shelf in rig.feeds.values() {
            shelf.lock().unwrap().again = chance.random_range(0..20);
        }
        let step = self.happenings.len().div_ceil(STEPS);
        for (number, happenings) in self.happenings.chunks(step).enumerate() {
            if number + 2 == STEPS {
                // The watermark follows, so that stragglers are late.
                tokio::time::sleep(Duration::from_millis(1_300)).await;
            }
            if kills && chance.random_bool(0.35) {
                let point = POINTS.choose(chance).filter(|_| chance.random_bool(0.7));
                let point = point.map(|point| format!("{point}:{}", chance.random_range(1..9)));
                rig.kill(point.as_deref()).await;
            }
            self.tell(rig, happenings, chance).await;
            tokio::time::sleep(Duration::from_millis(chance.random_range(0..80))).await;
        }
        rig.kill(None).await;
        rig.quiet(self.posted).await;
    }

    async fn tell(&self, rig: &mut Rig, happenings: &[Happening], chance: &mut StdRng) {
        for Happening { what, .. } in happenings {
            match what {
                What::Published { producer, kind, key, at_ms, body } => {
                    rig.publish(producer, kind, key, *at_ms, body.clone());
                }
                What::Posted { account, event } => {
                    for _ in 0..chance.random_range(1..3) {
                        rig.post_until_taken(*account, std::slice::from_ref(event)).await;
                    }
                }
            }
        }
        rig.show_all();
    }
}

async fn results(rig: &Rig, open: bool) -> Table {
    let mut table = Table::new();
    for series in SERIES {
        table.extend(told(series.name, &rig.windows(series.name, open).await));
    }
    table
}

/// The difference between what is told and what a batch says: nothing, if all is well.
async fn wrong(rig: &Rig, world: &World, open: bool) -> Vec<String> {
    let late: LateEvents = rig.read("/v1/analytics/late?limit=500").await;
    let told = results(rig, open).await;
    let expected = table(&world.added, &late.events);
    let counted: i64 = late.counts.values().sum();
    let mut wrong: Vec<String> = told
        .iter()
        .filter(|(window, sum)| expected.get(*window) != Some(sum))
        .map(|(window, sum)| format!("told {window:?} {sum:?}: {:?}", expected.get(window)))
        .collect();
    let missing = expected.keys().filter(|window| !told.contains_key(*window));
    wrong.extend(missing.map(|window| format!("missing {window:?}")));
    if counted != i64::try_from(late.events.len()).unwrap() {
        wrong.push(format!("{counted} are counted as late, and {} kept", late.events.len()));
    }
    wrong
}

async fn all_final(rig: &Rig) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut unfinished = 0;
        for series in SERIES {
            let windows = rig.windows(series.name, true).await;
            unfinished += windows.iter().filter(|one| one.state != WindowState::Final).count();
        }
        if unfinished == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "{unfinished} windows stay open: {}", rig.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn seed(of: u64) -> StdRng {
    let given = std::env::var("ANALYTICS_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = given.unwrap_or_else(rand::random);
    println!("ANALYTICS_SEED={seed}");
    StdRng::seed_from_u64(seed.wrapping_add(of))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_order_and_any_kill_gives_the_answer_of_a_batch() {
    let mut chance = seed(0);
    let mut rig = Rig::start(LATENESS_MS).await;
    let world = World::draw(&mut chance, BOUND_MS + LATENESS_MS, 0.0);
    world.happen(&mut rig, &mut chance, true).await;
    let late: LateEvents = rig.read("/v1/analytics/late").await;
    assert_eq!(late.events, [], "within the allowed lateness nothing is late");
    assert_eq!(wrong(&rig, &world, true).await, Vec::<String>::new());

    rig.let_time_pass().await;
    all_final(&rig).await;
    assert_eq!(wrong(&rig, &world, false).await, Vec::<String>::new());
    what_else_follows(&rig, &world).await;
    let report = rig.invariants().await;
    assert!(report.holds, "{report:?}");
    planted_mistakes_are_found(&rig, &world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_what_came_late() {
    let mut chance = seed(1);
    let mut rig = Rig::start(1_000).await;
    let world = World::draw(&mut chance, 30_000, 0.1);
    world.happen(&mut rig, &mut chance, true).await;
    let late: LateEvents = rig.read("/v1/analytics/late?limit=500").await;
    assert!(!late.events.is_empty(), "nothing came late");
    assert_eq!(wrong(&rig, &world, true).await, Vec::<String>::new());
    rig.let_time_pass().await;
    all_final(&rig).await;
    assert_eq!(wrong(&rig, &world, false).await, Vec::<String>::new());
    let report = rig.invariants().await;
    assert!(report.holds, "{report:?}");
}

async fn what_else_follows(rig: &Rig, world: &World) {
    let range = format!("from_ms={}&to_ms={}", world.first_ms - MINUTE_MS, now_ms());
    let funnel: Funnel = rig.read(&format!("/v1/analytics/funnel?{range}")).await;
    let sum =
        |of: fn(&contracts::analytics::Cohort) -> i64| funnel.cohorts.iter().map(of).sum::<i64>();
    assert_eq!(sum(|cohort| cohort.placed), world.placed);
    assert_eq!(sum(|cohort| cohort.captured), world.paid);
    assert!(sum(|cohort| cohort.shipped) <= world.paid);
    let join: Join = rig.read("/v1/analytics/join").await;
    let found = (join.matched, join.unmatched_orders, join.waiting, join.unmatched_payments);
    assert_eq!(found, (world.paid, world.unpaid, 0, 0));
    let from = world.first_ms - 10 * MINUTE_MS;
    let path = format!("/v1/analytics/products?from_ms={from}&to_ms={}", now_ms());
    for _ in 0..2 {
        let top: TopProducts = rig.read(&path).await;
        let told: BTreeMap<_, _> =
            top.products.iter().map(|sold| (sold.sku.clone(), sold.pieces)).collect();
        assert_eq!(told, world.pieces);
        assert!(top.products.is_sorted_by(|one, next| one.pieces >= next.pieces));
    }
    for line in [
        "analytics_cache_total{outcome=\"hit\"}",
        "analytics_watermark_lag_seconds{series=\"revenue\"}",
        "analytics_windows{series=\"sessions\",state=\"final\"}",
        "analytics_late_events{series=\"orders\"} 0",
    ] {
        rig.measured(line).await;
    }
}

async fn planted_mistakes_are_found(rig: &Rig, world: &World) {
    let one = "(SELECT MIN(start_ms) FROM windows WHERE series = 'orders')";
    let plants = [
        (
            format!(
                "UPDATE windows SET events = events + 1 WHERE series = 'orders' AND start_ms = {one}"
            ),
            true,
        ),
        (
            format!(
                "UPDATE windows SET events = events - 1 WHERE series = 'orders' AND start_ms = {one}"
            ),
            false,
        ),
        ("UPDATE sources SET events = events + 1 WHERE name = 'orders'".to_owned(), true),
        ("UPDATE sources SET events = events - 1 WHERE name = 'orders'".to_owned(), false),
    ];
    for (place, (plant, broken)) in plants.iter().enumerate() {
        rig.meddle(plant).await;
        // What is kept in front of the tables knows nothing of this.
        rig.meddle("UPDATE versions SET value = value + 1").await;
        assert_eq!(!rig.invariants().await.holds, *broken, "{plant}");
        if place < 2 {
            assert_eq!(!wrong(rig, world, false).await.is_empty(), *broken, "{plant}");
        }
    }
}
