//! The service as a process of its own on a socket that the test holds open, and
//! peers in the test: feeds that repeat themselves, and keys for tokens.

use std::collections::BTreeMap;
use std::env;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use chassis::config::Engines;
use chassis::{Call, Client, Config, Metrics, Reply};
use command_fds::{CommandFdExt, FdMapping};
use contracts::accounts::{TOKEN_AUDIENCE, TOKEN_ISSUER};
use contracts::analytics::{Accepted, ClientEvent, PostEvents, Series, Window};
use contracts::invariants::Report;
use contracts::messaging::{DeadLetters, Event, Feed, Tally};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

#[path = "../../../chassis/tests/engines/mod.rs"]
pub mod engines;

const SERVICE: &str = "CLOUDSCALE_TEST_SERVICE";
const PRODUCERS: [&str; 5] = ["orders", "payments", "shipping", "catalog", "users"];
/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(240);
/// What stands before the 32 secret bytes of an Ed25519 key in PKCS #8 (RFC 8410).
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Is the service when the environment asks for it; a test that passes otherwise.
#[test]
fn service() {
    if env::var(SERVICE).is_err() {
        return;
    }
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    let config = Config::from_env(analytics::NAME).unwrap();
    chassis::block_on(analytics::run(config)).unwrap().unwrap();
}

/// What a producer has published, in the order of its feed, and how much of it
/// may be seen.
#[derive(Default)]
pub struct Published {
    pub events: Vec<Event>,
    pub seen: usize,
    /// Events that are given again at each request.
    pub again: usize,
}

type Shelf = Arc<Mutex<Published>>;

pub struct Rig {
    socket: TcpListener,
    process: Option<Child>,
    pub client: Client,
    pub feeds: BTreeMap<&'static str, Shelf>,
    folder: tempfile::TempDir,
    engines: Engines,
    signer: (EncodingKey, Header),
    peers: String,
    config: Config,
    lateness_ms: i64,
}

#[derive(serde::Deserialize)]
struct Asked {
    after: usize,
    limit: usize,
}

async fn feed(State(shelf): State<Shelf>, Query(asked): Query<Asked>) -> Json<Feed> {
    let given = {
        let shelf = shelf.lock().unwrap();
        let from = asked.after.saturating_sub(shelf.again);
        let to = shelf.seen.min(asked.after + asked.limit.min(40));
        shelf.events.get(from..to).filter(|_| to > asked.after).unwrap_or_default().to_vec()
    };
    if given.is_empty() {
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    Json(Feed { events: given, last: 0 })
}

async fn serve(router: Router) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

impl Rig {
    /// A service whose sources never go idle, so that the events alone say what
    /// time it is; [`Rig::let_time_pass`] ends that.
    pub async fn start(lateness_ms: i64) -> Self {
        let secret = [PKCS8_HEAD.as_slice(), &rand::random::<[u8; 32]>()].concat();
        let key = EncodingKey::from_ed_der(&secret);
        let mut public = Jwk::from_encoding_key(&key, Algorithm::EdDSA).unwrap();
        public.common.key_id = Some("test".to_owned());
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some("test".to_owned());
        let keys = JwkSet { keys: vec![public] };
        let jwks =
            Router::new().route(chassis::token::KEYS_PATH, get(move || async { Json(keys) }));
        let mut peers = vec![format!("auth={}", serve(jwks).await)];
        let mut feeds = BTreeMap::new();
        for producer in PRODUCERS {
            let shelf = Shelf::default();
            let routes = Router::new().route("/internal/outbox", get(feed));
            let address = serve(routes.with_state(Arc::clone(&shelf))).await;
            peers.push(format!("{producer}={address}"));
            feeds.insert(producer, shelf);
        }
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let addresses = BTreeMap::from([("analytics".to_owned(), socket.local_addr().unwrap())]);
        let metrics = Metrics::new(&Config::read("client", |_| None).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let engines = engines::fresh().await;
        let config = engines::config(analytics::NAME, folder.path(), &engines);
        let mut rig = Self {
            socket,
            process: None,
            client: Client::new(addresses, metrics),
            feeds,
            folder,
            engines,
            signer: (key, header),
            peers: peers.join(","),
            config,
            lateness_ms,
        };
        rig.run(lateness_ms, i64::MAX).await;
        rig
    }

    async fn run(&mut self, lateness_ms: i64, idle_ms: i64) {
        self.spawn(lateness_ms, idle_ms, None);
        self.wait_until_ready().await;
    }

    fn spawn(&mut self, lateness_ms: i64, idle_ms: i64, crash_at: Option<&str>) {
        let socket = OwnedFd::from(self.socket.try_clone().unwrap());
        let path = self.folder.path().join("log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", "rig::service", "--nocapture"])
            .env(SERVICE, "1")
            .env("LISTEN_FDS", "1")
            .env("CLOUDSCALE_DATA_DIR", &self.config.data_dir)
            .env("CLOUDSCALE_PEERS", &self.peers)
            .env(analytics::variables::LATENESS_MS, lateness_ms.to_string())
            .env(analytics::variables::IDLE_MS, idle_ms.to_string())
            .envs(engines::environment(&self.engines))
            .stdout(Stdio::null())
            .stderr(log)
            .fd_mappings(vec![FdMapping { parent_fd: socket, child_fd: 3 }])
            .unwrap();
        if let Some(point) = crash_at {
            command.env("CLOUDSCALE_CRASH_AT", point);
        }
        self.process = Some(command.spawn().unwrap());
    }

    async fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ready = self.client.call(Call::get("analytics", "/health/ready")).await;
            if ready.is_ok_and(|reply| reply.status == 200) {
                return;
            }
            // One that dies while it starts, at the place that was named, starts never.
            if self.process.as_mut().unwrap().try_wait().unwrap().is_some() {
                return;
            }
            assert!(Instant::now() < deadline, "it is not ready: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// `kill -9`, and a start that may lead to a place at which it dies.
    pub async fn kill(&mut self, crash_at: Option<&str>) {
        self.end();
        self.spawn(self.lateness_ms, i64::MAX, crash_at);
        self.wait_until_ready().await;
    }

    /// Starts it again if it has died.
    pub async fn revive(&mut self) {
        if self.process.as_mut().unwrap().try_wait().unwrap().is_some() {
            self.run(self.lateness_ms, i64::MAX).await;
        }
    }

    /// Restarts it so that empty sources follow the clock.
    pub async fn let_time_pass(&mut self) {
        self.end();
        self.run(self.lateness_ms, 100).await;
    }

    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            let id = Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap();
            let _ = kill_process(id, Signal::KILL);
            process.wait().unwrap();
        }
    }

    /// Puts an event on a producer's shelf; it is seen when [`Published::seen`] says so.
    pub fn publish(&self, producer: &str, kind: &str, key: &str, at_ms: i64, body: Value) -> Uuid {
        let id = Uuid::now_v7();
        let mut shelf = self.feeds[producer].lock().unwrap();
        let position = i64::try_from(shelf.events.len() + 1).unwrap();
        shelf.events.push(Event {
            id,
            topic: "test".to_owned(),
            key: key.to_owned(),
            position,
            previous: 0,
            kind: kind.to_owned(),
            body,
            context: BTreeMap::new(),
            published_ms: at_ms,
        });
        id
    }

    /// Lets everything be seen that is on the shelves.
    pub fn show_all(&self) {
        for shelf in self.feeds.values() {
            let mut shelf = shelf.lock().unwrap();
            shelf.seen = shelf.events.len();
        }
    }

    pub fn token(&self, account: Uuid, roles: &[&str]) -> String {
        let now_s = u64::try_from(chassis::clock::now_ms() / 1000).unwrap();
        let claims = serde_json::json!({
            "iss": TOKEN_ISSUER, "aud": TOKEN_AUDIENCE, "sub": account, "jti": Uuid::now_v7(),
            "sid": Uuid::now_v7(), "iat": now_s, "exp": now_s + 600, "roles": roles,
        });
        encode(&self.signer.1, &claims, &self.signer.0).unwrap()
    }

    pub async fn send(&self, call: Call, token: &str) -> Reply {
        let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
        let call = call.header(AUTHORIZATION, value).timeout(Duration::from_secs(10));
        self.client.call(call).await.unwrap()
    }

    fn analyst(&self) -> String {
        self.token(Uuid::nil(), &["customer", "administrator"])
    }

    /// What an analyst reads.
    pub async fn read<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        let call = Call::get("analytics", "").path(path.to_owned());
        let reply = self.send(call, &self.analyst()).await;
        assert_eq!(reply.status, 200, "{path} {reply:?}");
        reply.json().unwrap()
    }

    pub async fn register(&self, subject: &str, schema: Value) -> Reply {
        let body = serde_json::json!({ "subject": subject, "schema": schema });
        let call = Call::post("analytics", "/v1/analytics/schemas").json(&body);
        self.send(call, &self.analyst()).await
    }

    pub async fn post(&self, account: Uuid, events: &[ClientEvent]) -> Reply {
        let body = PostEvents { events: events.to_vec() };
        self.post_json(account, &body).await
    }

    pub async fn post_json(&self, account: Uuid, body: &impl Serialize) -> Reply {
        let call = Call::post("analytics", "/v1/analytics/events").json(body);
        self.send(call, &self.token(account, &["customer"])).await
    }

    /// Posts again and again until it is taken, also while the service is away.
    pub async fn post_until_taken(&mut self, account: Uuid, events: &[ClientEvent]) -> Accepted {
        let deadline = Instant::now() + PATIENCE;
        let body = PostEvents { events: events.to_vec() };
        loop {
            let token = self.token(account, &["customer"]);
            let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
            let call = Call::post("analytics", "/v1/analytics/events").json(&body);
            let sent = self.client.call(call.header(AUTHORIZATION, value)).await;
            if let Ok(reply) = sent.as_ref().map(|reply| reply.json::<Accepted>())
                && let Ok(accepted) = reply
            {
                return accepted;
            }
            assert!(Instant::now() < deadline, "{sent:?} {}", self.log());
            self.revive().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Every window of a series, page by page.
    pub async fn windows(&self, name: &str, open: bool) -> Vec<Window> {
        let mut windows = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!(
                "/v1/analytics/series/{name}?from_ms=0&to_ms=9000000000000&limit=37&open={open}{after}"
            );
            let page: Series = self.read(&path).await;
            windows.extend(page.windows);
            match page.next {
                Some(next) => after = format!("&after={}", next.replace('~', "%7E")),
                None => return windows,
            }
        }
    }

    pub async fn plain<T: serde::de::DeserializeOwned>(&self, path: &'static str) -> T {
        self.client.call(Call::get("analytics", path)).await.unwrap().json().unwrap()
    }

    /// Waits until its figures say this.
    pub async fn measured(&self, line: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reply = self.client.call(Call::get("analytics", "/metrics")).await.unwrap();
            let text = String::from_utf8(reply.body.to_vec()).unwrap();
            if text.contains(line) {
                return;
            }
            assert!(Instant::now() < deadline, "{line} is not in {text}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub async fn dead(&self) -> DeadLetters {
        self.plain("/internal/dead-letters").await
    }

    pub async fn redrive(&self) -> u64 {
        let call = Call::post("analytics", "/internal/dead-letters/redrive")
            .json(&serde_json::json!({ "ids": [] }));
        let done: contracts::messaging::Redriven =
            self.client.call(call).await.unwrap().json().unwrap();
        done.redriven
    }

    pub async fn invariants(&self) -> Report {
        self.plain("/invariants").await
    }

    /// Waits until everything that was published or posted (so many) is handled or dead.
    pub async fn quiet(&self, posted: i64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let tallies: Vec<Tally> = self.plain("/internal/inbox").await;
            let of = |name: &str| {
                tallies.iter().find(|tally| tally.producer == name).cloned().unwrap_or_default()
            };
            let done = |name: &str, wanted: i64| {
                let tally = of(name);
                tally.delivered == wanted && tally.in_flight == 0
            };
            let feeds = self.feeds.iter().all(|(name, shelf)| {
                done(name, i64::try_from(shelf.lock().unwrap().seen).unwrap())
            });
            if feeds && done("clients", posted) {
                assert!(!self.log().contains("panicked"), "{}", self.log());
                return;
            }
            assert!(Instant::now() < deadline, "{tallies:?} {}", self.log());
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Changes its database behind its back.
    pub async fn meddle(&self, sql: &str) {
        engines::meddle(&self.config, sql.to_owned()).await;
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.end();
    }
}
