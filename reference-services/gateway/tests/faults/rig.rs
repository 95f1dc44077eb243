//! The rig: services that count and fail, gateways before them, tenants with
//! tokens, and the seed.

#![allow(unreachable_pub)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use chassis::{Call, CallError, Chassis, Client, Config, Metrics, Reply, Running};
use contracts::accounts::{Claims, ROLE_CUSTOMER, TOKEN_AUDIENCE, TOKEN_ISSUER};
use contracts::invariants::Report;
use gateway::{Found, Settings};
use http::{HeaderValue, StatusCode, header};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use uuid::Uuid;

/// How long a case waits for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The seed of this run, printed so that it can be repeated.
pub fn seed(test: &str) -> u64 {
    let wanted = std::env::var("CLOUDSCALE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = wanted.unwrap_or_else(|| rand::random::<u32>().into());
    println!("{test}: CLOUDSCALE_TEST_SEED={seed}");
    seed
}

/// How a service behaves.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Share of the requests that it answers with 503.
    pub failed: f64,
    /// How long it takes, in milliseconds: between the two.
    pub takes_ms: (u64, u64),
}

impl Manner {
    pub const GOOD: Self = Self { failed: 0.0, takes_ms: (0, 2) };
    pub const DOWN: Self = Self { failed: 1.0, takes_ms: (0, 5) };
}

/// A request as the service saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub at: Instant,
    pub until: Option<Instant>,
    pub tenant: String,
}

/// A service that remembers what it was asked. It has a runtime of its own, so
/// that it can be killed with its connections.
#[derive(Debug)]
pub struct Service {
    pub address: SocketAddr,
    state: Arc<State>,
    runtime: Option<Runtime>,
}

#[derive(Debug)]
struct State {
    manner: Mutex<Manner>,
    chance: Mutex<StdRng>,
    seen: Mutex<Vec<Seen>>,
    active: AtomicUsize,
    body: Mutex<String>,
    requested: Mutex<Vec<String>>,
}

impl Service {
    pub fn start(seed: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let state = Arc::new(State {
            manner: Mutex::new(Manner::GOOD),
            chance: Mutex::new(StdRng::seed_from_u64(seed)),
            seen: Mutex::default(),
            active: AtomicUsize::new(0),
            body: Mutex::new("{}".to_owned()),
            requested: Mutex::default(),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let answering = Arc::clone(&state);
        let router = Router::new()
            .route("/health/ready", axum::routing::get(|| async { StatusCode::OK }))
            // Housekeeping is no call.
            .route("/openapi.json", axum::routing::get(|| async { StatusCode::NOT_FOUND }))
            .fallback(move |request: Request| answer(Arc::clone(&answering), request));
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await
        });
        Self { address, state, runtime: Some(runtime) }
    }

    pub fn behave(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }

    pub fn say(&self, body: &str) {
        *self.state.body.lock().unwrap() = body.to_owned();
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    pub fn requested(&self) -> Vec<String> {
        self.state.requested.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.state.seen.lock().unwrap().len()
    }

    pub fn active(&self) -> usize {
        self.state.active.load(Ordering::SeqCst)
    }

    /// Ends it at once, in the middle of whatever it does.
    pub fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn answer(state: Arc<State>, request: Request) -> Response {
    let tenant = request.headers().get(header::AUTHORIZATION);
    let tenant = tenant.map(|token| token.to_str().unwrap().to_owned()).unwrap_or_default();
    state.requested.lock().unwrap().push(request.uri().to_string());
    let place = {
        let mut seen = state.seen.lock().unwrap();
        seen.push(Seen { at: Instant::now(), until: None, tenant });
        seen.len() - 1
    };
    state.active.fetch_add(1, Ordering::SeqCst);
    let (failed, takes) = {
        let (manner, mut chance) = (*state.manner.lock().unwrap(), state.chance.lock().unwrap());
        let takes = chance.random_range(manner.takes_ms.0..=manner.takes_ms.1);
        (chance.random_bool(manner.failed), Duration::from_millis(takes))
    };
    tokio::time::sleep(takes).await;
    state.active.fetch_sub(1, Ordering::SeqCst);
    state.seen.lock().unwrap()[place].until = Some(Instant::now());
    if failed {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let body = state.body.lock().unwrap().clone();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A gateway and a client at its door that sends everything once.
#[derive(Debug)]
pub struct Door {
    pub running: Running,
    client: Client,
}

impl Door {
    pub async fn open(peers: &[(&str, SocketAddr)], settings: Settings) -> Self {
        let mut config = Config::read("gateway", |_| None).unwrap();
        config.peers = peers.iter().map(|&(name, at)| (name.to_owned(), at)).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let build = |chassis: Chassis| gateway::build_from(chassis, settings);
        let running = chassis::start(config, listener, build).await.unwrap();
        let config = Config::read("client", |_| None).unwrap();
        Self { running, client: Client::new(BTreeMap::new(), Metrics::new(&config)) }
    }

    pub async fn send(&self, call: Call) -> Result<Reply, CallError> {
        let deadline = Instant::now() + Duration::from_secs(10);
        self.client.call_at(&call, self.running.address, 1, deadline).await
    }

    pub async fn status(&self, call: Call) -> u16 {
        self.send(call).await.map_or(0, |reply| reply.status.as_u16())
    }

    pub async fn report(&self) -> Report {
        self.send(Call::get("gateway", "/invariants")).await.unwrap().json().unwrap()
    }

    pub async fn metrics(&self) -> String {
        let reply = self.send(Call::get("gateway", "/metrics")).await.unwrap();
        String::from_utf8(reply.body.to_vec()).unwrap()
    }
}

/// A request that may be sent twice.
pub fn quote(number: usize) -> Call {
    quote_once().idempotency_key(&format!("k{number}"))
}

/// A request that may not.
pub fn quote_once() -> Call {
    Call::post("gateway", "/v1/quotes").json(&serde_json::json!({"pieces": 1, "currency": "EUR"}))
}

/// Replicas as discovery would tell them.
pub fn told(found: Vec<Found>) -> (watch::Sender<Vec<Found>>, watch::Receiver<Vec<Found>>) {
    watch::channel(found)
}

pub fn found(peer: &str, service: &Service, version: &str, canary: Option<u8>) -> Found {
    Found {
        peer: peer.to_owned(),
        address: service.address,
        version: version.to_owned(),
        canary,
        draining: false,
    }
}

/// Signs tokens, and publishes the key as `auth` would.
pub struct Signer {
    key: EncodingKey,
    header: Header,
    pub auth: Service,
}

impl Signer {
    pub fn start(seed: u64) -> Self {
        // An Ed25519 key in PKCS #8 (RFC 8410), with the seed as its secret.
        let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let secret: [u8; 32] = StdRng::seed_from_u64(seed).random();
        let key = EncodingKey::from_ed_der(&[head.as_slice(), &secret].concat());
        let mut public = Jwk::from_encoding_key(&key, Algorithm::EdDSA).unwrap();
        public.common.key_id = Some("test".to_owned());
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some("test".to_owned());
        let auth = Service::start(seed);
        auth.say(&serde_json::to_string(&JwkSet { keys: vec![public] }).unwrap());
        Self { key, header, auth }
    }

    pub fn token(&self, tenant: u128) -> String {
        let now_s = u64::try_from(chassis::clock::now_ms() / 1000).unwrap();
        let claims = Claims {
            iss: TOKEN_ISSUER.to_owned(),
            sub: Uuid::from_u128(tenant),
            aud: TOKEN_AUDIENCE.to_owned(),
            exp: now_s + 600,
            iat: now_s,
            jti: Uuid::from_u128(tenant),
            sid: Uuid::new_v4(),
            roles: vec![ROLE_CUSTOMER.to_owned()],
        };
        encode(&self.header, &claims, &self.key).unwrap()
    }
}

pub fn with_token(call: Call, token: &str) -> Call {
    call.header(header::AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).unwrap())
}

/// Waits for something that must happen.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
