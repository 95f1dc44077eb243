//! CloudScale's services as processes on ports of their own, started and killed one by one, and a
//! customer at their door.

use super::faults::Proxy;
use super::picture::{Events, Fate, Picture, Pieces, Seen};
use chassis::config::Engines;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tests::{Answer, binary, free_port, get, send, send_signal, until};
use tokio::runtime::Runtime;

#[path = "../../../reference-services/chassis/tests/engines/mod.rs"]
mod engines;

/// The services, those first that others call.
const SERVICES: [&str; 8] =
    ["auth", "payments", "catalog", "shipping", "orders", "users", "notifications", "gateway"];
/// Who hears events of whom.
pub(super) const CONSUMERS: [(&str, &str); 3] =
    [("shipping", "orders"), ("orders", "shipping"), ("catalog", "shipping")];
/// Products that are bought, with their prices.
const PRODUCTS: [(&str, i64); 3] = [("tea", 450), ("mug", 890), ("kettle", 5_450)];
/// How long a start, an end or an answer is waited for.
const SOON: Duration = Duration::from_secs(20);
/// How often what is waited for is asked for again.
const ASKED_AGAIN: Duration = Duration::from_secs(1);

/// An order as it is sent.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) key: String,
    body: Vec<u8>,
}

/// Where customers ask, and as whom.
#[derive(Debug, Clone)]
pub(super) struct Door {
    gateway: String,
    token: String,
}

#[derive(Debug)]
pub(super) struct Fleet {
    ports: BTreeMap<&'static str, u16>,
    processes: BTreeMap<&'static str, Child>,
    /// Those of `orders`, by the peer that stands behind.
    peers_of_orders: BTreeMap<&'static str, u16>,
    pub(super) proxies: Vec<Proxy>,
    folder: tempfile::TempDir,
    engines: Engines,
    token: String,
}

impl Fleet {
    /// Starts everything; what `orders` says to the `relayed` peers passes a proxy.
    pub(super) fn start(relayed: &[&'static str]) -> Self {
        let ports: BTreeMap<_, _> = SERVICES.map(|name| (name, free_port())).into();
        let mut fleet = Self {
            peers_of_orders: ports.clone(),
            ports,
            processes: BTreeMap::new(),
            proxies: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
            engines: Runtime::new().unwrap().block_on(engines::fresh()),
            token: String::new(),
        };
        for peer in relayed {
            let proxy = Proxy::start(fleet.ports[peer]);
            fleet.peers_of_orders.insert(peer, proxy.port);
            fleet.proxies.push(proxy);
        }
        for name in SERVICES {
            fleet.spawn(name, None);
        }
        SERVICES.iter().for_each(|name| fleet.wait_until_ready(name));
        fleet.token = fleet.sign_in();
        fleet
    }

    pub(super) fn door(&self) -> Door {
        Door { gateway: self.url("gateway"), token: self.token.clone() }
    }

    fn url(&self, service: &str) -> String {
        format!("http://127.0.0.1:{}", self.ports[service])
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    fn spawn(&mut self, name: &'static str, crash_at: Option<&str>) {
        let ports = if name == "orders" { &self.peers_of_orders } else { &self.ports };
        let peers: Vec<_> =
            ports.iter().map(|(peer, port)| format!("{peer}=127.0.0.1:{port}")).collect();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log(name));
        let mut command = Command::new(binary("cloudscale"));
        command
            .args(["run", name])
            .env("CLOUDSCALE_LISTEN", format!("127.0.0.1:{}", self.ports[name]))
            .env("CLOUDSCALE_PEERS", peers.join(","))
            .env("CLOUDSCALE_DATA_DIR", self.folder.path().join(name))
            .env("CLOUDSCALE_SEED", "1")
            .envs(engines::environment(&self.engines))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.unwrap());
        if let Some(point) = crash_at {
            command.env("CLOUDSCALE_CRASH_AT", point);
        }
        self.processes.insert(name, command.spawn().unwrap());
    }

    fn wait_until_ready(&self, name: &str) {
        let start = Instant::now();
        while !get(&format!("{}/health/ready", self.url(name))).is_ok_and(|it| it.status == 200) {
            let log = || std::fs::read_to_string(self.log(name)).unwrap_or_default();
            assert!(start.elapsed() < SOON, "{name} is not ready: {}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(super) fn signal(&self, name: &str, signal: Signal) {
        send_signal(self.processes[name].id(), signal).unwrap();
    }

    /// Kills a service, and starts it so that it dies at a point.
    pub(super) fn restart_to_die(&mut self, name: &'static str, point: &str) {
        self.kill(name);
        self.spawn(name, Some(point));
        // One that dies while it starts (it has something left to do) is never ready.
        let start = Instant::now();
        while !get(&format!("{}/health/ready", self.url(name))).is_ok_and(|it| it.status == 200)
            && self.processes.get_mut(name).unwrap().try_wait().unwrap().is_none()
        {
            assert!(start.elapsed() < SOON, "{name} neither starts nor dies");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a service has died at a point. What leads there is asked for `again` now and then: the
    /// gateway, which saw the service die just before, may have let nobody through to it.
    pub(super) fn died(&mut self, name: &str, point: &str, again: impl Fn()) {
        let start = Instant::now();
        let process = self.processes.get_mut(name).unwrap();
        let mut asked = start;
        while process.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < SOON, "{name} never came to `{point}`");
            if asked.elapsed() > ASKED_AGAIN {
                again();
                asked = Instant::now();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let log = std::fs::read_to_string(self.log(name)).unwrap();
        let words = format!("dies at `{point}`");
        assert!(log.contains(&words), "{name} ended for another reason than `{point}`: {log}");
    }

    pub(super) fn start_again(&mut self, name: &'static str) {
        self.kill(name);
        self.spawn(name, None);
        self.wait_until_ready(name);
    }

    fn kill(&mut self, name: &str) {
        let process = self.processes.get_mut(name).unwrap();
        let _ = process.kill();
        let _ = process.wait();
    }

    /// Lets everybody run who was paused, and starts whoever is dead.
    pub(super) fn heal(&mut self) {
        for name in SERVICES {
            if self.processes.get_mut(name).unwrap().try_wait().unwrap().is_some() {
                self.start_again(name);
            }
            self.signal(name, Signal::CONT);
            self.wait_until_ready(name);
        }
    }

    fn sign_in(&self) -> String {
        self.door().register("ada@example.org")
    }

    /// Files in a service's folder, by their names.
    pub(super) fn files(&self, service: &str, folder: &str) -> Vec<String> {
        let folder = self.folder.path().join(service).join(folder);
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files.map(|file| file.file_name().to_string_lossy().into_owned()).collect()
    }

    /// What a service itself finds broken, and dead letters.
    pub(super) fn broken(&self, service: &str) -> Vec<String> {
        let report = self.ask(service, "/invariants");
        let invariants = report["invariants"].as_array().unwrap().iter();
        let dead = self.ask(service, "/internal/dead-letters")["count"].as_i64().unwrap();
        let failed = invariants.filter(|invariant| invariant["holds"] != true);
        let failed = failed.map(|it| format!("{service}: {} ({})", it["name"], it["says"]));
        failed.chain((dead > 0).then(|| format!("{service}: {dead} dead letters"))).collect()
    }

    pub(super) fn new_order(&self, number: u64) -> Placed {
        self.door().new_order(number)
    }

    pub(super) fn place(&self, order: &Placed) -> Fate {
        self.door().place(order)
    }

    /// Sends an order until it is known what became of it.
    pub(super) fn place_until_known(&self, order: &Placed) -> Fate {
        let start = Instant::now();
        loop {
            let fate = self.place(order);
            if let Fate::Answered(200..=299 | 402 | 409) = fate {
                return fate;
            }
            assert!(start.elapsed() < SOON, "{} is still {fate:?}", order.key);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(super) fn cancel(&self, id: &str) -> Option<u16> {
        self.door().cancel(id)
    }

    /// What becomes of another order with the same key.
    pub(super) fn place_another(&self, order: &Placed) -> Fate {
        let bag = json!({ "sku": "bag", "quantity": 7, "unit_price_minor": 1 });
        let body = json!({ "lines": [bag], "currency": "EUR" });
        self.place(&Placed { key: order.key.clone(), body: serde_json::to_vec(&body).unwrap() })
    }

    /// The id of an order, by its key; none when the service `name` has died.
    pub(super) fn id_unless_dead(&mut self, name: &str, order: &Placed) -> Option<String> {
        let door = self.door();
        let process = self.processes.get_mut(name).unwrap();
        until(&format!("{} is told", order.key), SOON, || {
            let id = door.id_of(order).map(Some);
            id.or_else(|| process.try_wait().unwrap().map(|_| None))
        })
    }

    fn ask(&self, service: &str, path: &str) -> Value {
        let answer = get(&format!("{}{path}", self.url(service))).unwrap();
        answer.json().unwrap_or_else(|_| panic!("{service} {path}: {}", answer.text()))
    }

    /// What is still under way, if anything.
    pub(super) fn busy(&self) -> Option<String> {
        let open = figure(&self.ask("orders", "/invariants"), "sagas_end", "open");
        if open > 0 {
            return Some(format!("{open} sagas are open"));
        }
        // What waits sets something moving, and what moves tells of it: only between two looks at the
        // events at which none waits, nothing can have begun to move unseen.
        if let Some(waiting) = self.waiting() {
            return Some(waiting);
        }
        let moving = figure(&self.ask("shipping", "/invariants"), "shipments_move_on", "moving");
        if moving > 0 {
            return Some(format!("{moving} shipments are on their way"));
        }
        self.waiting()
    }

    fn waiting(&self) -> Option<String> {
        let waits = |events: &Events| events.in_flight > 0 || events.delivered < events.published;
        self.events().into_iter().find(waits).map(|events| format!("{events:?}"))
    }

    fn events(&self) -> Vec<Events> {
        let of = |(consumer, producer): (&str, &str)| {
            let feed = self.ask(producer, &format!("/internal/outbox?after={}", i64::MAX));
            let inbox = self.ask(consumer, "/internal/inbox");
            let tally = inbox.as_array().unwrap().iter().find(|it| it["producer"] == producer);
            let count = |name: &str| tally.and_then(|it| it[name].as_i64()).unwrap_or(0);
            Events {
                route: format!("{producer} to {consumer}"),
                published: feed["last"].as_i64().unwrap(),
                delivered: count("delivered"),
                handled: count("handled"),
                dead: count("dead"),
                in_flight: count("in_flight"),
            }
        };
        CONSUMERS.map(of).into()
    }

    /// Everything, from outside.
    pub(super) fn picture(&self, placed: &[(Placed, Fate)]) -> Picture {
        let door = self.door();
        let orders = placed.iter().map(|(order, _)| self.see(&door, order)).collect();
        let stock = PRODUCTS.map(|(sku, _)| {
            let stock = self.ask("catalog", &format!("/v1/products/{sku}/stock"));
            let count = |name: &str| stock[name].as_i64().unwrap();
            Pieces {
                sku: sku.to_owned(),
                received: count("received"),
                on_hand: count("on_hand"),
                taken: count("reserved") + count("shipped"),
            }
        });
        let ledger = self.ask("payments", "/invariants");
        let received_minor = figure(&ledger, "ledger_matches_payments", "EUR_received_minor");
        let mut broken = Vec::new();
        for service in ["payments", "catalog", "shipping", "orders"] {
            let report = self.ask(service, "/invariants");
            let invariants = report["invariants"].as_array().unwrap().iter();
            let failed = invariants.filter(|invariant| invariant["holds"] != true);
            broken.extend(failed.map(|it| format!("{service}: {} ({})", it["name"], it["says"])));
        }
        Picture { orders, stock: stock.into(), events: self.events(), received_minor, broken }
    }

    fn see(&self, door: &Door, placed: &Placed) -> Seen {
        // The gateway may not trust a service again at once that was away.
        let id = until(&format!("{} is not lost", placed.key), SOON, || door.id_of(placed));
        let order = until(&format!("{} is read", placed.key), SOON, || {
            let answer = door.get(&format!("/v1/orders/{id}")).ok()?;
            answer.json().ok().filter(|_| answer.status == 200)
        });
        let state_at = |service: &str, path: String| {
            let headers = [("authorization", door.bearer())];
            let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
            let answer = send("GET", &format!("{}{path}", self.url(service)), &headers, b"");
            let answer = answer.unwrap();
            match answer.status {
                404 => String::new(),
                _ => answer.json().unwrap()["state"].as_str().unwrap().to_owned(),
            }
        };
        let mut pieces = BTreeMap::new();
        for line in order["lines"].as_array().unwrap() {
            let sku = line["sku"].as_str().unwrap().to_owned();
            *pieces.entry(sku).or_default() += line["quantity"].as_i64().unwrap();
        }
        Seen {
            key: placed.key.clone(),
            state: order["state"].as_str().unwrap().to_owned(),
            total_minor: order["total"]["minor"].as_i64().unwrap(),
            payment: state_at("payments", format!("/v1/payments/by-key/{id}")),
            shipment: state_at("shipping", format!("/v1/shipments/{id}")),
            pieces,
            id,
        }
    }

    /// The orders, and how many rows differed from their facts.
    pub(super) fn rebuild_read_model(&self) -> (u64, u64) {
        let url = format!("{}/internal/read-model/rebuild", self.url("orders"));
        let done = send("POST", &url, &[], b"").unwrap().json().unwrap();
        (done["orders"].as_u64().unwrap(), done["differed"].as_u64().unwrap())
    }

    /// Delivers every event again, and says of each consumer what is wrong with that.
    pub(super) fn replay_everything(&self, limit: Duration) -> Vec<(&'static str, String)> {
        let replay = |(consumer, producer): (&'static str, &str)| {
            let tally = || {
                let inbox = self.ask(consumer, "/internal/inbox");
                let of = |it: &&Value| it["producer"] == producer;
                inbox.as_array().unwrap().iter().find(of).cloned().unwrap()
            };
            let before = tally();
            let body = serde_json::to_vec(&json!({ "producer": producer, "after": 0 })).unwrap();
            let url = format!("{}/internal/replay", self.url(consumer));
            let json = [("content-type", "application/json")];
            assert_eq!(send("POST", &url, &json, &body).unwrap().status, 200);
            let wanted =
                before["duplicates"].as_i64().unwrap() + before["delivered"].as_i64().unwrap();
            let start = Instant::now();
            while tally()["duplicates"].as_i64().unwrap() < wanted {
                if start.elapsed() > limit {
                    return (consumer, format!("{} instead of {wanted} duplicates", tally()));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            (consumer, String::new())
        };
        CONSUMERS.map(replay).into()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for process in self.processes.values_mut() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Door {
    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// A new customer's token.
    pub(super) fn register(&self, email: &str) -> String {
        let who = json!({ "email": email, "password": "correct horse battery" });
        let who = serde_json::to_vec(&who).unwrap();
        let json = [("content-type", "application/json")];
        let ask = |path: &str| send("POST", &format!("{}{path}", self.gateway), &json, &who);
        assert_eq!(ask("/v1/register").unwrap().status, 201);
        let session = ask("/v1/login").unwrap().json().unwrap();
        session["access_token"].as_str().unwrap().to_owned()
    }

    /// The same door for another customer.
    pub(super) fn of(&self, token: String) -> Self {
        Self { gateway: self.gateway.clone(), token }
    }

    pub(super) fn get(&self, path: &str) -> anyhow::Result<Answer> {
        let bearer = self.bearer();
        let url = format!("{}{path}", self.gateway);
        within_limits(|| send("GET", &url, &[("authorization", &bearer)], b""))
    }

    fn post(&self, path: &str, key: &str, body: &[u8]) -> anyhow::Result<Answer> {
        let bearer = self.bearer();
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        let url = format!("{}{path}", self.gateway);
        within_limits(|| send("POST", &url, &headers, body))
    }

    /// An order that follows from its number.
    pub(super) fn new_order(&self, number: u64) -> Placed {
        let lines: Vec<_> = PRODUCTS
            .iter()
            .zip([1, 3, 7])
            .map(|((sku, price), step)| (sku, price, number / step % 3))
            .filter(|(.., quantity)| *quantity > 0)
            .map(|(sku, price, quantity)| {
                json!({ "sku": sku, "quantity": quantity, "unit_price_minor": price })
            })
            .collect();
        let tea = json!({ "sku": "tea", "quantity": 1, "unit_price_minor": 450 });
        let lines = if lines.is_empty() { vec![tea] } else { lines };
        let body = json!({ "lines": lines, "currency": "EUR" });
        Placed { key: format!("order-{number}"), body: serde_json::to_vec(&body).unwrap() }
    }

    pub(super) fn place(&self, order: &Placed) -> Fate {
        match self.post("/v1/orders", &order.key, &order.body) {
            Ok(answer) => Fate::Answered(answer.status),
            Err(_) => Fate::Unknown,
        }
    }

    pub(super) fn cancel(&self, id: &str) -> Option<u16> {
        let answer = self.post(&format!("/v1/orders/{id}/cancel"), "unused", b"");
        answer.ok().map(|answer| answer.status)
    }

    pub(super) fn cancel_by_key(&self, order: &Placed) -> Option<u16> {
        self.cancel(&self.id_of(order)?)
    }

    /// The id of an order, from the stored answer to its key.
    pub(super) fn id_of(&self, order: &Placed) -> Option<String> {
        let answer = self.post("/v1/orders", &order.key, &order.body).ok()?;
        if answer.status >= 500 {
            return None;
        }
        let answer = answer.json().ok()?;
        let id = answer["id"].as_str().map(str::to_owned);
        // A refusal names the order in words.
        id.or_else(|| Some(answer["detail"].as_str()?.split('`').nth(1)?.to_owned()))
    }
}

/// Asks again for as long as the gateway says that this account asks too much.
fn within_limits(ask: impl Fn() -> anyhow::Result<Answer>) -> anyhow::Result<Answer> {
    let start = Instant::now();
    loop {
        let answer = ask()?;
        if answer.status != 429 || start.elapsed() > SOON {
            return Ok(answer);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn figure(report: &Value, invariant: &str, figure: &str) -> i64 {
    let invariants = report["invariants"].as_array().unwrap();
    let found = invariants.iter().find(|found| found["name"] == invariant);
    found.and_then(|found| found["figures"][figure].as_i64()).unwrap_or(0)
}
