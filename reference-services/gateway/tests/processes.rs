//! CloudScale as processes, the way the supervisor runs them: settings from the
//! environment, a socket that is handed over, spans to a collector, SIGTERM,
//! `kill -9`. This test's own executable is each of the services in turn.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::env;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chassis::config::Engines;
use chassis::{Call, Client, Config, Metrics, Reply};
use command_fds::{CommandFdExt, FdMapping};
use contracts::invariants::Report;
use contracts::orders::{Order, OrderState};
use http::{HeaderName, HeaderValue};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

#[path = "../../chassis/tests/engines/mod.rs"]
mod engines;

const SERVICE: &str = "CLOUDSCALE_TEST_SERVICE";

/// Is a service when the environment asks for one; a test that passes otherwise.
#[test]
fn service() {
    let Ok(name) = env::var(SERVICE) else { return };
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    let config = Config::from_env(&name).unwrap();
    let done = chassis::block_on(async {
        match name.as_str() {
            "auth" => auth::run(config).await,
            "catalog" => catalog::run(config).await,
            // Nothing is refused by chance here: what these tests place is to be had.
            "shipping" => {
                let carrier = shipping::Carrier::new(config.seed).refusing(0.0);
                chassis::run(config, |chassis| shipping::build_with(chassis, carrier)).await
            }
            "orders" => orders::run(config).await,
            "payments" => {
                let provider = payments::Provider::new(config.seed).declining(0.0);
                chassis::run(config, |chassis| payments::build_with(chassis, provider)).await
            }
            _ => gateway::run(config).await,
        }
    });
    done.unwrap().unwrap();
}

/// Processes on sockets that this test holds open, so that a restart takes over
/// the same address.
struct Fleet {
    sockets: BTreeMap<&'static str, TcpListener>,
    processes: BTreeMap<&'static str, Child>,
    client: Client,
    collector: SocketAddr,
    folder: tempfile::TempDir,
    engines: Engines,
}

impl Fleet {
    async fn start(collector: SocketAddr) -> Self {
        let names = ["auth", "catalog", "orders", "payments", "shipping", "gateway"];
        let sockets: BTreeMap<_, _> =
            names.map(|name| (name, TcpListener::bind("127.0.0.1:0").unwrap())).into();
        let addresses = sockets
            .iter()
            .map(|(name, socket)| ((*name).to_owned(), socket.local_addr().unwrap()))
            .collect();
        let config = Config::read("client", |_| None).unwrap();
        let client = Client::new(addresses, Metrics::new(&config));
        let folder = tempfile::tempdir().unwrap();
        let processes = BTreeMap::new();
        let engines = engines::fresh().await;
        let mut fleet = Self { sockets, processes, client, collector, folder, engines };
        for name in names {
            fleet.start_one(name);
        }
        for name in names {
            fleet.wait_until_ready(name).await;
        }
        fleet
    }

    fn start_one(&mut self, name: &'static str) {
        let peers: Vec<String> = self
            .sockets
            .iter()
            .map(|(peer, socket)| format!("{peer}={}", socket.local_addr().unwrap()))
            .collect();
        let socket = OwnedFd::from(self.sockets[name].try_clone().unwrap());
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", "service", "--nocapture"])
            .env(SERVICE, name)
            .env("LISTEN_FDS", "1")
            .env("CLOUDSCALE_INSTANCE", format!("{name}-1"))
            .env("CLOUDSCALE_DATA_DIR", self.folder.path().join(name))
            .env("CLOUDSCALE_PEERS", peers.join(","))
            .env("CLOUDSCALE_SEED", "1")
            .envs(engines::environment(&self.engines))
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", self.collector))
            .stdout(Stdio::null())
            .stderr(self.log(name))
            .fd_mappings(vec![FdMapping { parent_fd: socket, child_fd: 3 }])
            .unwrap();
        self.processes.insert(name, command.spawn().unwrap());
    }

    fn log(&self, name: &str) -> Stdio {
        let path = self.folder.path().join(format!("{name}.log"));
        std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap().into()
    }

    async fn wait_until_ready(&self, name: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            let ready = self.client.call(Call::get(name, "/health/ready")).await;
            if ready.is_ok_and(|reply| reply.status == 200) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let log = std::fs::read_to_string(self.folder.path().join(format!("{name}.log")));
        panic!("`{name}` is not ready: {log:?}");
    }

    /// Waits until the service is answering a request (or answered one).
    async fn wait_until_busy(&self, name: &str) {
        let idle = ["http_server_active_requests 0", "http_route=\"/v1/payments\""];
        loop {
            let text = self.send(Call::get(name, "/metrics")).await;
            let text = String::from_utf8(text.body.to_vec()).unwrap();
            if !text.contains(idle[0]) || text.contains(idle[1]) {
                return;
            }
        }
    }

    fn signal(&self, name: &str, signal: Signal) {
        let id = i32::try_from(self.processes[name].id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    fn wait_for_end(&mut self, name: &'static str) -> ExitStatus {
        let process = self.processes.get_mut(name).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Some(status) = process.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("`{name}` did not end");
    }

    async fn log_in(&self) -> String {
        for path in ["/v1/register", "/v1/login"] {
            let call = Call::post("gateway", path)
                .body(r#"{"email":"ada@example.org","password":"correct horse"}"#);
            let json = HeaderValue::from_static("application/json");
            let reply = self.send(call.header(http::header::CONTENT_TYPE, json)).await;
            if path == "/v1/login" {
                let session: contracts::accounts::Session = reply.json().unwrap();
                return session.access_token;
            }
        }
        unreachable!("the second path returns")
    }

    async fn send(&self, call: Call) -> Reply {
        self.client.call(call).await.unwrap()
    }

    fn as_customer(token: &str, call: Call) -> Call {
        let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
        call.header(http::header::AUTHORIZATION, value).timeout(Duration::from_secs(10))
    }

    async fn place(&self, token: &str, key: &str) -> Reply {
        let body =
            r#"{"lines":[{"sku":"tea","quantity":2,"unit_price_minor":450}],"currency":"EUR"}"#;
        let call = Call::post("gateway", "/v1/orders").body(body).idempotency_key(key);
        let json = HeaderValue::from_static("application/json");
        let call = call.header(http::header::CONTENT_TYPE, json);
        self.send(Self::as_customer(token, call)).await
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

/// A collector that keeps what it is sent: service and span.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, Span)>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let mut kept = self.0.lock().unwrap();
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.unwrap_or_default().attributes;
            assert_eq!(text(&attributes, "service.namespace").as_deref(), Some("cloudscale"));
            let service = text(&attributes, "service.name").unwrap();
            assert_eq!(text(&attributes, "service.instance.id").unwrap(), format!("{service}-1"));
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            kept.extend(spans.map(|span| (service.clone(), span)));
        }
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn start(&self) -> SocketAddr {
        // Closed again at once: tonic binds by address. The port was free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server =
            tonic::transport::Server::builder().add_service(TraceServiceServer::new(self.clone()));
        tokio::spawn(server.serve(address));
        address
    }

    /// The spans of the trace that is linked to a stranger's, when `count` of
    /// them have come.
    async fn linked_to(&self, stranger: [u8; 16], count: usize) -> Vec<(String, Span)> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let spans: Vec<_> = {
                let kept = self.0.lock().unwrap();
                let linked = |span: &Span| span.links.iter().any(|to| to.trace_id == stranger);
                let first = kept.iter().find(|(_, span)| linked(span));
                let id = first.map(|(_, span)| span.trace_id.clone()).unwrap_or_default();
                assert_ne!(id, stranger, "a trace of its own");
                kept.iter().filter(|(_, span)| span.trace_id == id).cloned().collect()
            };
            if spans.len() >= count || Instant::now() > deadline {
                return spans;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A call of a stranger with a trace of his own, which he does not record.
fn traced(call: Call, trace: [u8; 16]) -> Call {
    let hex: String = trace.iter().map(|byte| format!("{byte:02x}")).collect();
    let value = HeaderValue::try_from(format!("00-{hex}-00f067aa0ba902b7-00")).unwrap();
    // This process exports no spans, so the client leaves the header as it is.
    call.header(HeaderName::from_static("traceparent"), value)
}

/// A trace as lines `service kind name`, children indented below their parent.
fn outline(spans: &[(String, Span)], parent: &[u8], depth: usize) -> Vec<String> {
    let mut children: Vec<_> =
        spans.iter().filter(|(_, span)| span.parent_span_id == parent).collect();
    children.sort_by_key(|(_, span)| span.start_time_unix_nano);
    let mut lines = Vec::new();
    for (service, span) in children {
        let kind = SpanKind::try_from(span.kind).unwrap().as_str_name();
        let kind = kind.trim_start_matches("SPAN_KIND_").to_lowercase();
        lines.push(format!("{:depth$}{service} {kind} {}", "", span.name));
        lines.extend(outline(spans, &span.span_id, depth + 1));
    }
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_one_trace_through_every_service() {
    let collector = Collector::default();
    let fleet = Fleet::start(collector.start().await).await;
    let token = fleet.log_in().await;

    let body = r#"{"lines":[{"sku":"tea","quantity":2,"unit_price_minor":450}],"currency":"EUR"}"#;
    let json = HeaderValue::from_static("application/json");
    let call = Call::post("gateway", "/v1/orders").body(body).idempotency_key("k");
    let call = call.header(http::header::CONTENT_TYPE, json);
    let placed = fleet.send(traced(Fleet::as_customer(&token, call), [0xaa; 16])).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let expected = [
        "gateway server POST /v1/orders",
        " gateway client POST /v1/orders",
        "  orders server POST /v1/orders",
        "   orders client SELECT idempotency_keys",
        "   orders client INSERT orders",
        "    orders producer send order-events",
        "     shipping consumer process order-events",
        "   orders client POST /v1/payments",
        "    payments server POST /v1/payments",
        "     payments client SELECT idempotency_keys",
        "     payments client INSERT payments",
        "     payments client provider charge",
        "     payments client UPDATE payments",
        "     payments client INSERT idempotency_keys",
        "   orders client INSERT order_facts",
        "   orders client POST /v1/reservations",
        "    catalog server POST /v1/reservations",
        "     catalog client INSERT reservations",
        "   orders client INSERT order_facts",
        "   orders client POST /v1/shipments",
        "    shipping server POST /v1/shipments",
        "     shipping client INSERT shipments",
        "   orders client INSERT order_facts",
        "   orders client POST /v1/reservations/{id}/confirm",
        "    catalog server POST /v1/reservations/{id}/confirm",
        "     catalog client UPDATE reservations",
        "   orders client INSERT order_facts",
        "   orders client POST /v1/payments/{id}/capture",
        "    payments server POST /v1/payments/{id}/capture",
        "     payments client UPDATE payments",
        "      payments producer send payment-events",
        "   orders client INSERT order_facts",
        "    orders producer send order-events",
        "     shipping consumer process order-events",
        "   orders client INSERT idempotency_keys",
    ];
    let spans = collector.linked_to([0xaa; 16], expected.len()).await;
    assert_eq!(outline(&spans, &[], 0), expected);
    check_attributes(&spans, engines::system(&fleet.engines));

    let me = traced(Fleet::as_customer(&token, Call::get("gateway", "/v1/me")), [0xbb; 16]);
    assert_eq!(fleet.send(me).await.status, 200);
    let expected = [
        "gateway server GET /v1/me",
        " gateway client GET /v1/sessions/introspect",
        "  auth server GET /v1/sessions/introspect",
        "   auth client SELECT sessions",
    ];
    let spans = collector.linked_to([0xbb; 16], expected.len()).await;
    assert_eq!(outline(&spans, &[], 0), expected);

    // Scrapes, health checks and the fetching of keys are in no trace.
    let kept = collector.0.lock().unwrap();
    let noise = |name: &str| ["/metrics", "/health", "jwks"].iter().any(|part| name.contains(part));
    assert!(!kept.iter().any(|(_, span)| noise(&span.name)));
}

fn check_attributes(spans: &[(String, Span)], database: &str) {
    // A call and its answer have the same name: whichever has the attribute.
    let attribute = |name: &str, key: &str| {
        let mut named = spans.iter().filter(|(_, span)| span.name == name);
        named.find_map(|(_, span)| text(&span.attributes, key)).unwrap_or_default()
    };
    let cases = [
        ("POST /v1/orders", "http.route", "/v1/orders"),
        ("POST /v1/orders", "http.request.method", "POST"),
        ("POST /v1/orders", "http.response.status_code", "201"),
        ("POST /v1/orders", "url.scheme", "http"),
        ("INSERT orders", "db.system.name", database),
        ("INSERT orders", "db.namespace", "orders_db"),
        ("INSERT orders", "db.operation.name", "INSERT"),
        ("INSERT orders", "db.collection.name", "orders"),
        ("INSERT payments", "db.namespace", "payments_db"),
        ("provider charge", "service.peer.name", "payment-provider"),
        ("send order-events", "messaging.system", "outbox"),
        ("send order-events", "messaging.destination.name", "order-events"),
        ("send order-events", "messaging.operation.type", "send"),
        ("process order-events", "messaging.destination.name", "order-events"),
        ("process order-events", "messaging.operation.type", "process"),
        ("process order-events", "messaging.consumer.group.name", "shipping"),
        ("POST /v1/payments", "service.peer.name", "payments"),
        ("POST /v1/payments", "server.address", "127.0.0.1"),
    ];
    for (name, key, value) in cases {
        assert_eq!(attribute(name, key), value, "{name} {key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_finishes_what_is_in_flight_and_flushes_spans() {
    let collector = Collector::default();
    let mut fleet = Fleet::start(collector.start().await).await;
    let token = fleet.log_in().await;
    let call = traced(Fleet::as_customer(&token, Call::get("gateway", "/v1/me")), [0xcc; 16]);
    assert_eq!(fleet.send(call).await.status, 200);
    // A placed order waits for the provider, and SIGTERM comes meanwhile.
    let (placed, ()) = tokio::join!(fleet.place(&token, "k"), async {
        fleet.wait_until_busy("payments").await;
        for name in ["gateway", "orders"] {
            fleet.signal(name, Signal::TERM);
        }
    });
    assert_eq!(placed.status, 201, "{placed:?}");
    for name in ["payments", "auth", "catalog", "shipping"] {
        fleet.signal(name, Signal::TERM);
    }
    for name in ["gateway", "orders", "payments", "auth", "catalog", "shipping"] {
        let status = fleet.wait_for_end(name);
        assert!(status.success(), "`{name}` ended with {status}");
    }
    assert_eq!(collector.linked_to([0xcc; 16], 4).await.len(), 4);
    check_log(fleet.folder.path());
}

fn check_log(folder: &Path) {
    let log = std::fs::read_to_string(folder.join("orders.log")).unwrap();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["message"], "listening");
    assert_eq!(lines[0]["service"], "orders");
    assert!(!log.contains("Bearer") && !log.contains("correct horse"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_payments_loses_no_order_and_charges_none_twice() {
    // No collector listens: that must not disturb anything.
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut fleet = Fleet::start(nowhere).await;
    let token = fleet.log_in().await;
    let mut placed = Vec::new();
    for round in 0..12 {
        let key = format!("k{round}");
        let (reply, ()) = tokio::join!(fleet.place(&token, &key), async {
            // At another point of the request in each round.
            tokio::time::sleep(Duration::from_millis(3 * round)).await;
            fleet.signal("payments", Signal::KILL);
        });
        assert!([201, 202, 402].contains(&reply.status.as_u16()), "{reply:?}");
        fleet.wait_for_end("payments");
        fleet.start_one("payments");
        placed.push(reply.json::<Order>().unwrap());
    }
    let paid = all_settled(&fleet, &token, &placed).await;
    let report = fleet.send(Call::get("payments", "/invariants")).await;
    let report: Report = report.json().unwrap();
    assert!(report.holds, "{report:?}");
    let received = report.figure("ledger_matches_payments", "EUR_received_minor");
    assert_eq!(received, Some(paid), "charged once each");
    let log = std::fs::read_to_string(fleet.folder.path().join("auth.log")).unwrap();
    let is_noise = |line: &&str| ["WARN", "ERROR"].iter().any(|level| line.contains(level));
    let noise: Vec<&str> = log.lines().filter(is_noise).collect();
    assert!(log.contains("listening") && noise.is_empty(), "a collector is away: {noise:?}");
}

/// Waits until no order is pending, and returns what the paid ones cost.
async fn all_settled(fleet: &Fleet, token: &str, placed: &[Order]) -> i64 {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut paid = 0;
    for order in placed {
        loop {
            let path = format!("/v1/orders/{}", order.id);
            let call = Call::get("gateway", "/v1/orders/{id}").path(path);
            let now = fleet.send(Fleet::as_customer(token, call)).await;
            let now: Order = now.json().unwrap();
            if now.state != OrderState::Pending {
                paid += if now.state == OrderState::Paid { now.total.minor } else { 0 };
                break;
            }
            assert!(Instant::now() < deadline, "order {} stays pending", order.id);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    paid
}
