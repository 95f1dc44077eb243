//! Events from one service to another over real HTTP: none is lost, each has
//! one effect however often it is delivered, those of a key keep their order,
//! and what cannot be handled is put aside and can be tried again.

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chassis::messaging::transport::{Delivery, HttpFeed, Transport};
use chassis::store::{Source, sql, values};
use chassis::{App, Call, Callers, Chassis, Client, Handler, Message, Messaging};
use chassis::{Metrics, Migrations, Running, Store, Trouble, Write};
use contracts::invariants::Report;
use contracts::messaging::{DeadLetters, Event, Feed, Redrive, Redriven, Replay, Tally};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::net::TcpListener;

mod engines;

static MIGRATIONS: Migrations = Migrations::new(sqlx::migrate::Migrator::DEFAULT);

/// Writes what it handles into a table. Numbers that are `poison` never pass,
/// and nothing does while `broken`.
struct Book {
    broken: Arc<AtomicBool>,
}

impl Handler<Write> for Book {
    async fn handle(&self, write: &mut Write, event: &Event) -> Result<(), Trouble> {
        let number = event.body["number"]
            .as_i64()
            .ok_or_else(|| Trouble::Never("there is no number".to_owned()))?;
        let effect = sql("INSERT INTO effects (key, number) VALUES (?, ?)");
        write.execute(effect.bind(&event.key).bind(number)).await?;
        if self.broken.load(Ordering::SeqCst) {
            return Err(anyhow::anyhow!("broken for now").into());
        }
        Ok(())
    }
}

/// Delivers everything several times and in any order.
struct Unruly {
    feed: HttpFeed,
    chance: Mutex<StdRng>,
    held: Mutex<Vec<Event>>,
}

impl Transport for Unruly {
    async fn fetch(&self, after: i64, wait: Duration) -> anyhow::Result<Delivery> {
        let wait = wait.min(Duration::from_millis(20));
        let mut delivery = self.feed.fetch(after, wait).await?;
        let mut chance = self.chance.lock().unwrap();
        let mut held = self.held.lock().unwrap();
        let mut events = std::mem::take(&mut *held);
        for event in delivery.events.drain(..) {
            for _ in 0..chance.random_range(1..4) {
                let late = chance.random_bool(0.5);
                if late { held.push(event.clone()) } else { events.push(event.clone()) }
            }
        }
        events.shuffle(&mut *chance);
        delivery.events = events;
        Ok(delivery)
    }
}

struct Pair {
    producer: Running,
    messaging: Messaging,
    store: Store,
    consumer: Running,
    client: Client,
    broken: Arc<AtomicBool>,
    effects: Store,
    _folder: tempfile::TempDir,
}

impl Pair {
    /// A producer and a consumer; with a seed, what lies between them is unruly.
    async fn start(unruly: Option<u64>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engines = engines::fresh().await;
        let config = |name: &str| engines::config(name, folder.path(), &engines);
        let (parts, listener) = (Arc::new(Mutex::new(None)), bind().await);
        let told = Arc::clone(&parts);
        let build = async |chassis: Chassis| {
            let store = Store::open(&chassis, &MIGRATIONS).await?;
            let messaging = Messaging::open(&chassis, &store).await?;
            *told.lock().unwrap() = Some((messaging.clone(), store.clone()));
            let router = axum::Router::new();
            Ok(App::new(router, Callers::Services).store(store).messaging(messaging))
        };
        let producer = chassis::start(config("producer"), listener, build).await.unwrap();
        let (messaging, store) = parts.lock().unwrap().take().unwrap();

        let mut settings = config("consumer");
        settings.peers.insert("producer".to_owned(), producer.address);
        let broken = Arc::new(AtomicBool::new(false));
        let (handler, parts) = (Book { broken: Arc::clone(&broken) }, Arc::new(Mutex::new(None)));
        let told = Arc::clone(&parts);
        let build = async move |chassis: Chassis| {
            let store = Store::open(&chassis, &MIGRATIONS).await?;
            let table = "CREATE TABLE effects (at INTEGER PRIMARY KEY, key TEXT, number INTEGER)";
            store.prepare(&[table]).await?;
            let messaging = Messaging::open(&chassis, &store).await?;
            match unruly {
                None => messaging.subscribe(&chassis, "producer", handler),
                Some(seed) => {
                    let feed = HttpFeed::new(chassis.client.clone(), "producer");
                    let chance = Mutex::new(StdRng::seed_from_u64(seed));
                    let between = Unruly { feed, chance, held: Mutex::default() };
                    messaging.subscribe_through(&chassis, "producer", between, handler);
                }
            }
            *told.lock().unwrap() = Some(store.clone());
            let router = axum::Router::new();
            Ok(App::new(router, Callers::Services).store(store).messaging(messaging))
        };
        let consumer = chassis::start(settings, bind().await, build).await.unwrap();
        let effects = parts.lock().unwrap().take().unwrap();
        let peers = [("producer", producer.address), ("consumer", consumer.address)];
        let peers = peers.map(|(name, address)| (name.to_owned(), address)).into();
        let client = Client::new(peers, Metrics::new(&config("client")));
        let _folder = folder;
        Self { producer, messaging, store, consumer, client, broken, effects, _folder }
    }

    async fn publish(&self, key: &str, body: Value) {
        let mut write = self.store.begin().await.unwrap();
        let message = Message::new("numbers", key, &json!({ "kind": "counted", "body": body }));
        self.messaging.publish(&mut write, message).await.unwrap();
        write.commit().await.unwrap();
    }

    async fn effects(&self) -> Vec<(String, i64)> {
        let effects = sql("SELECT key, number FROM effects ORDER BY at");
        self.effects.reader().all(effects, values).await.unwrap()
    }

    async fn tally(&self) -> Tally {
        let reply = self.client.call(Call::get("consumer", "/internal/inbox")).await.unwrap();
        reply.json::<Vec<Tally>>().unwrap().pop().unwrap_or_default()
    }

    async fn dead(&self) -> DeadLetters {
        let call = Call::get("consumer", "/internal/dead-letters");
        self.client.call(call).await.unwrap().json().unwrap()
    }

    /// Waits until so many events are settled, and checks that all are somewhere.
    async fn settled(&self, count: i64) -> Tally {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let tally = self.tally().await;
            assert_eq!(tally.delivered, tally.handled + tally.dead + tally.in_flight, "{tally:?}");
            if tally.handled + tally.dead >= count && tally.in_flight == 0 {
                return tally;
            }
            assert!(Instant::now() < deadline, "{tally:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stop(self) {
        self.consumer.stop().await;
        self.producer.stop().await;
    }
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Each key's numbers, 0, 1, 2, ... each once and in order.
fn check_order(effects: &[(String, i64)], keys: usize, numbers: i64) {
    for key in 0..keys {
        let key = format!("key-{key}");
        let seen: Vec<_> =
            effects.iter().filter(|(of, _)| *of == key).map(|(_, number)| *number).collect();
        assert_eq!(seen, (0..numbers).collect::<Vec<_>>(), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_and_disorder_have_one_effect_each_and_keep_the_order_of_a_key() {
    let seed = rand::random();
    println!("seed {seed}");
    let pair = Pair::start(Some(seed)).await;
    for number in 0..40 {
        for key in 0..3 {
            pair.publish(&format!("key-{key}"), json!({ "number": number })).await;
        }
    }
    let tally = pair.settled(120).await;
    assert_eq!((tally.delivered, tally.handled, tally.dead), (120, 120, 0), "seed {seed}");
    assert!(tally.duplicates > 0, "seed {seed}: nothing was delivered twice");
    check_order(&pair.effects().await, 3, 40);

    // Everything once more, from the start: no effect.
    let replay = Replay { producer: "producer".to_owned(), after: 0 };
    let call = Call::post("consumer", "/internal/replay").json(&replay);
    assert_eq!(pair.client.call(call).await.unwrap().status, 200);
    let deadline = Instant::now() + Duration::from_secs(10);
    while pair.tally().await.duplicates < tally.duplicates + 120 {
        assert!(Instant::now() < deadline, "seed {seed}: {:?}", pair.tally().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    check_order(&pair.effects().await, 3, 40);
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_there_if_and_only_if_its_effect_is() {
    let pair = Pair::start(None).await;
    for commits in [true, false, true] {
        let mut write = pair.store.begin().await.unwrap();
        let body = json!({ "kind": "counted", "body": { "number": i64::from(commits) } });
        let message = Message::new("numbers", "key", &body);
        pair.messaging.publish(&mut write, message).await.unwrap();
        if commits {
            write.commit().await.unwrap();
        }
    }
    let call = Call::get("producer", "").path("/internal/outbox?after=0");
    let feed: Feed = pair.client.call(call).await.unwrap().json().unwrap();
    let places: Vec<_> = feed.events.iter().map(|event| (event.position, event.previous)).collect();
    assert_eq!((places, feed.last), (vec![(1, 0), (2, 1)], 2), "places have no gaps");
    assert_eq!(pair.settled(2).await.handled, 2);
    let metrics = pair.client.call(Call::get("producer", "/metrics")).await.unwrap();
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    let counted =
        "messaging_published_total{kind=\"counted\",messaging_destination_name=\"numbers\"} 2";
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_tried_again_and_poison_is_put_aside() {
    let pair = Pair::start(None).await;
    pair.broken.store(true, Ordering::SeqCst);
    pair.publish("key-0", json!({ "number": 0 })).await;
    pair.publish("key-0", json!({ "number": 1 })).await;
    pair.publish("bad", json!({ "words": "none" })).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while pair.dead().await.count == 0 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(pair.effects().await.is_empty(), "an attempt that failed has left something");
    assert_eq!(pair.tally().await.in_flight, 2);
    pair.broken.store(false, Ordering::SeqCst);
    let tally = pair.settled(3).await;
    assert_eq!((tally.handled, tally.dead), (2, 1));
    check_order(&pair.effects().await, 1, 2);

    let dead = pair.dead().await;
    let letter = &dead.letters[0];
    assert_eq!((letter.event.key.as_str(), letter.error.as_str()), ("bad", "there is no number"));
    for ids in [vec![letter.event.id], Vec::new()] {
        let call = Call::post("consumer", "/internal/dead-letters/redrive").json(&Redrive { ids });
        let redriven: Redriven = pair.client.call(call).await.unwrap().json().unwrap();
        assert_eq!(redriven.redriven, 1);
        pair.settled(3).await;
        assert_eq!(pair.dead().await.count, 1, "it is as bad as before");
    }
    check_order(&pair.effects().await, 1, 2);
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_event_is_noticed() {
    let pair = Pair::start(None).await;
    pair.publish("key-0", json!({ "number": 0 })).await;
    pair.settled(1).await;
    let report = async || {
        let reply = pair.client.call(Call::get("consumer", "/invariants")).await.unwrap();
        reply.json::<Report>().unwrap()
    };
    let before = report().await;
    assert!(before.holds && before.invariants[0].figures["delivered"] == 1, "{before:?}");
    let meddle = sql("UPDATE inbox_cursors SET handled = 0");
    pair.effects.reader().execute(meddle).await.unwrap();
    let after = report().await;
    assert!(!after.holds && !after.invariants[0].holds, "{after:?}");
    let metrics = pair.client.call(Call::get("consumer", "/metrics")).await.unwrap();
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    let flag = "invariant_holds{invariant=\"events_of_producer_are_accounted_for\"} 0";
    assert!(metrics.lines().any(|line| line == flag), "{metrics}");
    pair.stop().await;
}
