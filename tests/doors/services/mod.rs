//! CloudScale under faults: real processes die at every crash point of the saga, are killed and paused
//! at random, and lose answers; then everything heals, and what must hold is checked from outside.
//!
//! `people` lets those die that hear of customers. `running` starts the processes, `faults` hurts them, `picture` is what is seen of their data
//! afterwards, and what must hold of it.

mod faults;
mod people;
mod picture;
mod running;

use faults::{Chance, Proxy};
use picture::{Fate, Picture, violations};
use running::{CONSUMERS, Fleet, Placed};
use rustix::process::Signal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Sagas and events settle within this time once nothing is broken any more.
const QUIET: Duration = Duration::from_secs(60);
/// How long the faults last.
const CHAOS: Duration = Duration::from_secs(12);

/// Where `orders` may die while it places an order.
fn points_forth() -> Vec<String> {
    let steps = ["authorise", "reserve", "schedule", "confirm", "capture"];
    let mut points: Vec<_> =
        ["order.written", "order.placed", "outbox.written"].map(str::to_owned).into();
    points.extend(around(&steps));
    points
}

/// Where `orders` may die while it calls an order off.
fn points_back() -> Vec<String> {
    around(&["ask", "undo_capture", "undo_schedule", "undo_reserve", "undo_authorise"])
}

fn around(phases: &[&str]) -> Vec<String> {
    let whens = ["before", "after", "noted"];
    phases.iter().flat_map(|phase| whens.map(|when| format!("saga.{phase}.{when}"))).collect()
}

#[test]
fn a_kill_at_every_crash_point_of_the_saga_is_settled() {
    let mut fleet = Fleet::start(&[]);
    let door = fleet.door();
    let mut placed = Vec::new();
    for point in points_forth() {
        fleet.restart_to_die("orders", &point);
        let order = fleet.place_one_that_is_wanted(&mut placed);
        fleet.died("orders", &point, || _ = door.place(&order));
        fleet.start_again("orders");
        // Sent again with the same key, as the customer would.
        let fate = fleet.place_until_known(&order);
        placed.push((order, fate));
    }
    for point in points_back() {
        fleet.restart_to_die("orders", &point);
        let (order, id) = loop {
            let order = fleet.place_one_that_is_wanted(&mut placed);
            // A step that is refused leads there without being called off.
            let Some(id) = fleet.id_unless_dead("orders", &order) else {
                break (order, String::new());
            };
            if fleet.cancel(&id) != Some(409) {
                break (order, id);
            }
            // The carrier was faster, and it has left already.
            placed.push((order, Fate::Answered(201)));
        };
        fleet.died("orders", &point, || _ = door.cancel(&id));
        fleet.start_again("orders");
        let fate = fleet.place_until_known(&order);
        placed.push((order, fate));
    }
    // Consumers die between what was delivered, its effect, and the next event.
    for (consumer, producer) in CONSUMERS {
        for point in ["inbox.received", "inbox.effect", "inbox.committed"] {
            // What shipping tells comes later than the order, what orders tells at once.
            let early =
                (producer == "shipping").then(|| fleet.place_one_that_is_wanted(&mut placed));
            fleet.restart_to_die(consumer, point);
            let order = early.unwrap_or_else(|| fleet.place_one_that_is_wanted(&mut placed));
            fleet.died(consumer, point, || _ = door.place(&order));
            fleet.start_again(consumer);
            let fate = fleet.place_until_known(&order);
            placed.push((order, fate));
        }
    }
    settled(&fleet, &placed, "crash points");
}

#[test]
fn random_faults_lose_no_money_no_stock_and_no_event() {
    let seed = std::env::var("LOGGIA_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) * 7919);
    println!("seed {seed} (again with LOGGIA_TEST_SEED={seed})");
    let mut fleet = Fleet::start(&["payments", "catalog", "shipping"]);
    let (stop, next) = (AtomicBool::new(false), AtomicU64::new(0));
    let door = fleet.door();
    let mut placed: Vec<(Placed, Fate)> = std::thread::scope(|scope| {
        let customers: Vec<_> = (0..4)
            .map(|customer| {
                let (door, stop, next) = (&door, &stop, &next);
                scope.spawn(move || {
                    let mut chance = Chance::new(seed ^ (customer + 1));
                    let mut placed = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let order = door.new_order(next.fetch_add(1, Ordering::Relaxed));
                        let fate = door.place(&order);
                        if fate == Fate::Answered(201) && chance.one_in(6) {
                            door.cancel_by_key(&order);
                        }
                        placed.push((order, fate));
                        std::thread::sleep(Duration::from_millis(chance.below(60)));
                    }
                    placed
                })
            })
            .collect();
        let mut chance = Chance::new(seed);
        fleet.proxies.iter().for_each(|proxy| proxy.lose_answers(seed, 8));
        let end = Instant::now() + CHAOS;
        while Instant::now() < end {
            fleet.hurt(&mut chance);
        }
        fleet.proxies.iter().for_each(Proxy::heal);
        stop.store(true, Ordering::Relaxed);
        customers.into_iter().flat_map(|customer| customer.join().unwrap()).collect()
    });
    fleet.heal();
    assert!(placed.len() > 20, "seed {seed}: only {} orders were sent", placed.len());
    for (order, fate) in &mut placed {
        if !matches!(fate, Fate::Answered(201 | 402 | 409)) {
            *fate = fleet.place_until_known(order);
        }
    }
    settled(&fleet, &placed, &format!("seed {seed}"));
}

/// Waits for quiet, and checks; then delivers every event once more, and checks that nothing changed.
fn settled(fleet: &Fleet, placed: &[(Placed, Fate)], what: &str) {
    let start = Instant::now();
    while let Some(busy) = fleet.busy() {
        assert!(start.elapsed() < QUIET, "{what}: {busy} {:?} after the faults", start.elapsed());
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("{what}: {} orders, quiet after {:.1?}", placed.len(), start.elapsed());
    let before = fleet.picture(placed);
    assert_eq!(violations(&before), Vec::<String>::new(), "{what}");
    assert!(before.orders.iter().any(|order| order.state == "paid"), "{what}: nothing was paid");
    for (order, _) in placed.iter().take(3) {
        assert_eq!(fleet.place_another(order), Fate::Answered(422), "{what}: {}", order.key);
    }
    let read_model = fleet.rebuild_read_model();
    assert_eq!(read_model, (placed.len() as u64, 0), "{what}: (orders, rows that differed)");
    for (service, message) in fleet.replay_everything(QUIET) {
        assert_eq!(message, "", "{what}: {service}");
    }
    let after = fleet.picture(placed);
    assert_eq!(violations(&after), Vec::<String>::new(), "{what}: after the replay");
    assert_eq!(before.money(), after.money(), "{what}: money moved in the replay");
}

#[test]
fn money_and_stock_that_are_lost_are_noticed() {
    type Plant = fn(&mut Picture);
    let plants: [(&str, Plant); 12] = [
        ("is paid and its payment is", |it| it.orders[0].payment = "authorised".to_owned()),
        ("is cancelled and its payment is", |it| it.orders[1].payment = "captured".to_owned()),
        ("the ledger has received", |it| it.received_minor += 1),
        ("is paid and its shipment is", |it| it.orders[0].shipment = "cancelled".to_owned()),
        ("is cancelled and its shipment is", |it| it.orders[1].shipment = "delivered".to_owned()),
        ("pieces are set aside or gone", |it| it.stock[0].taken += 1),
        ("does not add up", |it| it.stock[0].received += 1),
        ("has not ended", |it| it.orders[0].state = "pending".to_owned()),
        ("different orders", |it| it.orders.push(it.orders[0].clone())),
        ("holds no longer", |it| it.broken.push("orders: sagas_end".to_owned())),
        ("of 9 events", |it| it.events[0].delivered -= 1),
        ("are dead letters", |it| it.events[0].dead += 1),
    ];
    assert_eq!(violations(&Picture::sound()), Vec::<String>::new());
    for (words, plant) in plants {
        let mut picture = Picture::sound();
        plant(&mut picture);
        let found = violations(&picture);
        assert!(found.iter().any(|violation| violation.contains(words)), "{words}: {found:?}");
    }
}

/// Orders, kills and pauses.
impl Fleet {
    /// Places orders until one is not turned down: cards are declined and vans are full by chance.
    fn place_one_that_is_wanted(&self, placed: &mut Vec<(Placed, Fate)>) -> Placed {
        loop {
            let order = self.new_order(placed.len() as u64);
            match self.place(&order) {
                fate @ Fate::Answered(402 | 409) => placed.push((order, fate)),
                _ => return order,
            }
        }
    }

    fn hurt(&mut self, chance: &mut Chance) {
        let services = ["orders", "payments", "catalog", "shipping", "gateway"];
        let service = services[chance.below(services.len() as u64) as usize];
        if chance.one_in(2) {
            self.signal(service, Signal::KILL);
            std::thread::sleep(Duration::from_millis(chance.below(300)));
            self.start_again(service);
        } else {
            // Longer than a call may take, now and then.
            self.signal(service, Signal::STOP);
            std::thread::sleep(Duration::from_millis(200 + chance.below(2_400)));
            self.signal(service, Signal::CONT);
        }
        std::thread::sleep(Duration::from_millis(chance.below(400)));
    }
}
