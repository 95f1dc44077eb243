//! CloudScale for a test: the real services in this process, on free ports and
//! empty folders, and a client at the gateway's door.

#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use chassis::config::Engines;
use chassis::{Call, Chassis, Client, Config, Metrics, Reply, Running};
use contracts::accounts::{Account, Credentials, Session};
use contracts::money::Currency;
use contracts::orders::{Line, PlaceOrder};
use gateway::Limits;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use payments::Provider;
use shipping::Carrier;
use tempfile::TempDir;
use tokio::net::TcpListener;

#[path = "../../../../chassis/tests/engines/mod.rs"]
pub mod engines;

pub struct System {
    pub client: Client,
    pub services: BTreeMap<&'static str, Running>,
    pub addresses: BTreeMap<String, SocketAddr>,
    pub folder: TempDir,
    pub engines: Engines,
}

/// What a test may change.
pub struct Setting {
    pub limits: Limits,
    pub declined_share: f64,
    pub refused_share: f64,
    pub fetched_ms: Range<i64>,
    pub notifications: notifications::Settings,
    pub users_keys: Option<String>,
    pub accounts: auth::Settings,
    /// Left in the folder of `auth` before it starts.
    pub old_signing_key: Option<Vec<u8>>,
    pub without: &'static [&'static str],
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            declined_share: 0.0,
            refused_share: 0.0,
            // Nothing moves while a test looks.
            fetched_ms: 600_000..600_001,
            notifications: notifications::Settings::default(),
            users_keys: None,
            accounts: auth::Settings::default(),
            old_signing_key: None,
            without: &[],
        }
    }
}

const NAMES: [&str; 9] = [
    "analytics",
    "auth",
    "users",
    "catalog",
    "notifications",
    "orders",
    "payments",
    "shipping",
    "gateway",
];

pub const PASSWORD: &str = "correct horse battery";

impl System {
    pub async fn start(setting: Setting) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut listeners = BTreeMap::new();
        let mut addresses = BTreeMap::new();
        for name in NAMES {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.insert(name.to_owned(), listener.local_addr().unwrap());
            listeners.insert(name, listener);
        }
        let config = Config::read("client", |_| None).unwrap();
        let client = Client::new(addresses.clone(), Metrics::new(&config));
        let engines = engines::fresh().await;
        let mut system = Self { client, services: BTreeMap::new(), addresses, folder, engines };
        for (name, listener) in listeners {
            if !setting.without.contains(&name) {
                system.start_one(name, listener, &setting).await;
            }
        }
        system
    }

    /// Starts a service that the test left out before, at its address.
    pub async fn start_late(&mut self, name: &'static str) {
        let listener = TcpListener::bind(self.addresses[name]).await.unwrap();
        self.start_one(name, listener, &Setting::default()).await;
    }

    /// As [`System::start_late`], with another setting.
    pub async fn start_again(&mut self, name: &'static str, setting: &Setting) {
        let listener = TcpListener::bind(self.addresses[name]).await.unwrap();
        self.start_one(name, listener, setting).await;
    }

    async fn start_one(&mut self, name: &'static str, listener: TcpListener, setting: &Setting) {
        let mut config = engines::config(name, self.folder.path(), &self.engines);
        config.peers = self.addresses.clone();
        let running = match name {
            "auth" => {
                if let Some(der) = &setting.old_signing_key {
                    std::fs::create_dir_all(&config.data_dir).unwrap();
                    std::fs::write(config.data_dir.join(auth::signing::OLD_KEY_FILE), der).unwrap();
                }
                let settings = setting.accounts.clone();
                let build = |chassis: Chassis| auth::build_with(chassis, settings);
                chassis::start(config, listener, build).await
            }
            "analytics" => chassis::start(config, listener, analytics::build).await,
            "catalog" => chassis::start(config, listener, catalog::build).await,
            "shipping" => {
                let carrier = Carrier::new(Some(1)).refusing(setting.refused_share);
                let carrier = carrier.taking(setting.fetched_ms.clone(), 1..50);
                let build = |chassis: Chassis| shipping::build_with(chassis, carrier);
                chassis::start(config, listener, build).await
            }
            "notifications" => {
                let settings = setting.notifications.clone();
                let build = |chassis: Chassis| notifications::build_with(chassis, settings);
                chassis::start(config, listener, build).await
            }
            "users" => {
                let keys = setting.users_keys.clone();
                let build =
                    async |chassis: Chassis| users::build_with(chassis, keys.as_deref()).await;
                chassis::start(config, listener, build).await
            }
            "orders" => chassis::start(config, listener, orders::build).await,
            "payments" => {
                let provider = Provider::new(Some(1)).declining(setting.declined_share);
                let build = |chassis: Chassis| payments::build_with(chassis, provider);
                chassis::start(config, listener, build).await
            }
            _ => {
                let limits = setting.limits;
                let build = |chassis: Chassis| gateway::build_with(chassis, limits);
                chassis::start(config, listener, build).await
            }
        };
        self.services.insert(name, running.unwrap());
    }

    /// Stops one service; the others go on.
    pub async fn stop_one(&mut self, name: &str) {
        self.services.remove(name).unwrap().stop().await;
    }

    pub fn data_dir(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Changes a service's database behind its back.
    pub async fn meddle(&self, name: &str, sql: String) {
        engines::meddle(&engines::config(name, self.folder.path(), &self.engines), sql).await;
    }

    /// All that a service keeps, as it lies there.
    pub async fn kept(&self, name: &str) -> Vec<(String, Vec<u8>)> {
        engines::kept(&engines::config(name, self.folder.path(), &self.engines)).await
    }

    /// What traces and figures call the database.
    pub fn database(&self) -> &'static str {
        engines::system(&self.engines)
    }

    pub async fn send(&self, call: Call) -> Reply {
        self.client.call(call).await.unwrap()
    }

    pub async fn get(&self, path: &str, token: &str) -> Reply {
        self.send(with_token(Call::get("gateway", path), token)).await
    }

    pub async fn place(&self, token: &str, key: &str, order: &PlaceOrder) -> Reply {
        let call = Call::post("gateway", "/v1/orders").json(order).idempotency_key(key);
        self.send(with_token(call, token)).await
    }

    pub async fn log_in(&self, email: &str, password: &str) -> Reply {
        let credentials = Credentials { email: email.to_owned(), password: password.to_owned() };
        self.send(Call::post("gateway", "/v1/login").json(&credentials)).await
    }

    /// A new customer and its token.
    pub async fn customer(&self, email: &str) -> (Account, String) {
        let credentials = Credentials { email: email.to_owned(), password: PASSWORD.to_owned() };
        let registered = self.send(Call::post("gateway", "/v1/register").json(&credentials)).await;
        assert_eq!(registered.status, 201, "{registered:?}");
        let session: Session = self.log_in(email, PASSWORD).await.json().unwrap();
        (registered.json().unwrap(), session.access_token)
    }

    pub async fn stop(self) {
        for (_, running) in self.services {
            running.stop().await;
        }
    }
}

pub fn with_token(call: Call, token: &str) -> Call {
    if token.is_empty() {
        return call;
    }
    call.header(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).unwrap())
}

/// An order that costs `price` in all, from 1 on: of tea at 450 and bags at 1.
pub fn order(price: i64) -> PlaceOrder {
    let line = |sku: &str, quantity, minor| Line {
        sku: sku.to_owned(),
        quantity: u32::try_from(quantity).unwrap(),
        unit_price_minor: minor,
    };
    let lines = [line("tea", price / 450, 450), line("bag", price % 450, 1)];
    let lines = lines.into_iter().filter(|line| line.quantity > 0).collect();
    PlaceOrder { lines, currency: Currency::Eur }
}
