//! What holds on a server that several replicas share: they start on an empty
//! database at once, their writers take turns, a key has one answer over all of
//! them, and the server may go away and come back.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::routing::post;
use chassis::config::Engines;
use chassis::messaging::Journal;
use chassis::store::{Source, sql, values};
use chassis::{Answer, App, Call, Callers, Chassis, Client, Failure, Idempotency, IdempotencyKey};
use chassis::{Message, Messaging, Metrics, Migrations, Operation, Reply, Running, Store, Write};
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

mod engines;

static MIGRATIONS: Migrations = Migrations::new(sqlx::migrate::Migrator::DEFAULT);
const ADD: Operation = Operation { name: "INSERT", collection: "notes" };

/// One replica of a service that keeps notes.
#[derive(Clone)]
struct Notes {
    store: Store,
    messaging: Messaging,
    idempotency: Idempotency,
}

impl Notes {
    async fn open(chassis: &Chassis) -> anyhow::Result<Self> {
        let store = Store::open(chassis, &MIGRATIONS).await?;
        let table = "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT) STRICT";
        store.prepare(&[table]).await?;
        let messaging = Messaging::open(chassis, &store).await?;
        let idempotency = Idempotency::open(chassis, &store).await?;
        Ok(Self { store, messaging, idempotency })
    }

    /// Reads how many notes there are, and publishes the next number.
    async fn add(&self) -> anyhow::Result<i64> {
        let work = async |write: &mut Write| {
            let count: i64 = write.one(sql("SELECT COUNT(*) FROM notes"), values).await?;
            write.execute(sql("INSERT INTO notes (text) VALUES (?)").bind("note")).await?;
            let event = json!({ "kind": "noted", "body": { "number": count } });
            self.messaging.publish(write, Message::new("notes", "key", &event)).await?;
            Ok(count + 1)
        };
        self.store.write(ADD, work).await
    }
}

async fn add(State(notes): State<Notes>, key: IdempotencyKey) -> Result<Answer, Failure> {
    let worker = notes.clone();
    let work = async move {
        let count = worker.add().await?;
        Ok(Answer::json(http::StatusCode::CREATED, &json!({ "notes": count })))
    };
    notes.idempotency.once("notes".to_owned(), key, b"", work).await
}

struct Replica {
    running: Running,
    notes: Notes,
}

async fn replica(folder: &std::path::Path, engines: &Engines, number: u32) -> Replica {
    let mut config = engines::config("notes", &folder.join(number.to_string()), engines);
    config.instance = format!("notes-{number}");
    let built = Arc::new(std::sync::Mutex::new(None));
    let told = Arc::clone(&built);
    let build = async move |chassis: Chassis| {
        let notes = Notes::open(&chassis).await?;
        *told.lock().unwrap() = Some(notes.clone());
        let router = axum::Router::new().route("/v1/notes", post(add)).with_state(notes.clone());
        Ok(App::new(router, Callers::Services).store(notes.store).messaging(notes.messaging))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = chassis::start(config, listener, build).await.unwrap();
    let notes = built.lock().unwrap().take().unwrap();
    Replica { running, notes }
}

fn client(addresses: &[SocketAddr]) -> Client {
    let config = engines::config("client", "".as_ref(), &Engines::Embedded);
    let names = addresses.iter().enumerate();
    let peers: BTreeMap<_, _> =
        names.map(|(number, address)| (format!("notes-{number}"), *address)).collect();
    Client::new(peers, Metrics::new(&config))
}

async fn post_note(client: &Client, peer: &'static str, key: &str) -> Reply {
    let call = Call::post(peer, "/v1/notes").idempotency_key(key).timeout(Duration::from_secs(10));
    client.call(call).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_take_turns_and_places_become_visible_in_their_order() {
    let Some(server) = engines::server_or_skip() else { return };
    let engines = engines::database(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let (one, two, three) = tokio::join!(
        replica(folder.path(), &engines, 0),
        replica(folder.path(), &engines, 1),
        replica(folder.path(), &engines, 2)
    );
    let (done, journal) = (Arc::new(AtomicBool::new(false)), three.notes.messaging.journal());
    let writers = [&one, &two, &one, &two].map(|replica| {
        let notes = replica.notes.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                notes.add().await.unwrap();
            }
        })
    });
    let (finished, reader) = (Arc::clone(&done), journal.clone());
    let reading = tokio::spawn(async move {
        let (mut after, mut numbers) = (0, Vec::new());
        loop {
            let last = finished.load(Ordering::SeqCst);
            let feed = reader.feed(after, 100).await.unwrap();
            for event in &feed.events {
                assert_eq!((event.position, event.previous), (after + 1, after), "{event:?}");
                after = event.position;
                numbers.push(event.body["number"].as_i64().unwrap());
            }
            if last && feed.events.is_empty() {
                return numbers;
            }
        }
    });
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    // What each had read was still so when it wrote.
    assert_eq!(reading.await.unwrap(), (0..200).collect::<Vec<_>>());
    for replica in [one, two, three] {
        replica.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_has_one_answer_over_all_replicas() {
    let Some(server) = engines::server_or_skip() else { return };
    let engines = engines::database(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let one = replica(folder.path(), &engines, 0).await;
    let two = replica(folder.path(), &engines, 1).await;
    let client = client(&[one.running.address, two.running.address]);
    for round in 0..20 {
        let key = format!("key-{round}");
        let (first, second) =
            tokio::join!(post_note(&client, "notes-0", &key), post_note(&client, "notes-1", &key));
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 201), "{round}");
        assert_eq!(first.body, second.body, "{round}");
    }
    for replica in [one, two] {
        replica.running.stop().await;
    }
}

/// How many transactions are open in the database.
async fn open_transactions(database: &PgConnectOptions) -> i64 {
    let mut connection = database.connect().await.unwrap();
    let open = "SELECT COUNT(*) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                  AND state LIKE 'idle in transaction%'";
    sqlx::query_scalar(open).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_is_given_up_or_waits_in_vain_leaves_nothing_open() {
    let Some(server) = engines::server_or_skip() else { return };
    let engines = engines::database(&server).await;
    let Engines::Servers(servers) = &engines else { unreachable!() };
    let database: PgConnectOptions = servers.postgres.expose().parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let one = replica(folder.path(), &engines, 0).await;
    let two = replica(folder.path(), &engines, 1).await;

    // Given up after any time, as requests are whose client goes away.
    for round in 0..400_u64 {
        let pause = Duration::from_micros(round * 7 % 2_000);
        let first = tokio::time::timeout(pause, one.notes.add());
        let second = tokio::time::timeout(pause, two.notes.add());
        let _ = tokio::join!(first, second);
    }
    let deadline = Instant::now() + Duration::from_secs(3);
    while open_transactions(&database).await > 0 {
        assert!(Instant::now() < deadline, "a transaction that was given up is open still");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // Somebody else holds the turn for longer than it is waited for.
    let mut holder = database.connect().await.unwrap();
    let held = "SELECT pg_advisory_lock((l.classid::BIGINT << 32) | l.objid::BIGINT)
                FROM pg_locks l WHERE l.locktype = 'advisory'
                  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                LIMIT 1";
    let write = one.notes.store.begin().await.unwrap();
    let waiting = tokio::spawn(async move {
        sqlx::query(held).execute(&mut holder).await.unwrap();
        holder
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(write);
    let holder = waiting.await.unwrap();
    let refused = one.notes.add().await.unwrap_err();
    assert!(format!("{refused:#}").contains("lock timeout"), "{refused:#}");
    holder.close().await.unwrap();
    for _ in 0..20 {
        one.notes.add().await.unwrap();
        two.notes.add().await.unwrap();
    }
    assert_eq!(open_transactions(&database).await, 0);
    for replica in [one, two] {
        replica.running.stop().await;
    }
}

/// A way to the server that can be cut.
struct Way {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
    epoch: Arc<AtomicU32>,
}

impl Way {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, epoch) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (is_cut, now) = (Arc::clone(&cut), Arc::clone(&epoch));
        tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let (born, now) = (now.load(Ordering::SeqCst), Arc::clone(&now));
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        () = async {
                            while now.load(Ordering::SeqCst) == born {
                                tokio::time::sleep(Duration::from_millis(5)).await;
                            }
                        } => {}
                    }
                });
            }
        });
        Self { address, cut, epoch }
    }

    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_away_is_told_and_found_again() {
    let Some(server) = engines::server_or_skip() else { return };
    let Engines::Servers(servers) = engines::database(&server).await else { unreachable!() };
    let database: PgConnectOptions = servers.postgres.expose().parse().unwrap();
    let far = format!("{}:{}", database.get_host(), database.get_port()).parse().unwrap();
    let way = Way::to(far).await;
    let through = database.host("127.0.0.1").port(way.address.port());
    let folder = tempfile::tempdir().unwrap();
    let replica = replica(folder.path(), &engines::on(&through), 0).await;
    let client = client(&[replica.running.address]);
    let ready = async || {
        let call = Call::get("notes-0", "/health/ready").timeout(Duration::from_secs(10));
        client.call(call).await.unwrap().status.as_u16()
    };
    assert_eq!(ready().await, 200);
    assert_eq!(post_note(&client, "notes-0", "before").await.status, 201);

    way.cut();
    let deadline = Instant::now() + Duration::from_secs(20);
    while ready().await != 503 {
        assert!(Instant::now() < deadline);
    }
    let refused = post_note(&client, "notes-0", "while").await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"), "{refused:?}");
    let problem = String::from_utf8(refused.body.to_vec()).unwrap();
    assert!(problem.contains("urn:cloudscale:problem:unavailable"), "{problem}");
    assert!(!problem.contains("127.0.0.1"), "{problem}");

    way.mend();
    let deadline = Instant::now() + Duration::from_secs(20);
    while ready().await != 200 {
        assert!(Instant::now() < deadline);
    }
    let again = post_note(&client, "notes-0", "while").await;
    assert_eq!((again.status.as_u16(), &again.body[..]), (201, br#"{"notes":2}"#.as_slice()));
    replica.running.stop().await;
}
