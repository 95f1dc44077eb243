//! Payments over real HTTP: one payment for each key however often and however
//! many at once ask for it, and a ledger that sums to zero.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;

use chassis::{Call, Client, Config, Metrics, Reply, Running};
use contracts::invariants::Report;
use contracts::messaging::Feed;
use contracts::money::{Currency, Money};
use contracts::payments::{Authorise, Payment, PaymentState};
use payments::Provider;
use tempfile::TempDir;
use tokio::net::TcpListener;
use uuid::Uuid;

#[path = "../../chassis/tests/engines/mod.rs"]
mod engines;

const MATCHES: &str = "ledger_matches_payments";

struct Service {
    running: Running,
    client: Client,
    config: Config,
    _folder: TempDir,
}

impl Service {
    async fn start(declined_share: f64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = engines::config(payments::NAME, folder.path(), &engines::fresh().await);
        let settings = config.clone();
        let metrics = Metrics::new(&config);
        let provider = Provider::new(Some(1)).declining(declined_share);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let build = |chassis| payments::build_with(chassis, provider);
        let running = chassis::start(config, listener, build).await.unwrap();
        let peers = BTreeMap::from([("payments".to_owned(), running.address)]);
        Self { running, client: Client::new(peers, metrics), config: settings, _folder: folder }
    }

    async fn authorise(&self, key: &str, request: &Authorise) -> Reply {
        let call = Call::post("payments", "/v1/payments").json(request).idempotency_key(key);
        self.client.call(call).await.unwrap()
    }

    /// Empties the table of kept answers behind the service's back.
    async fn forget_answers(&self) {
        self.meddle("DELETE FROM idempotency_keys").await;
    }

    async fn meddle(&self, sql: &'static str) {
        engines::meddle(&self.config, sql.to_owned()).await;
    }

    async fn step(&self, id: Uuid, step: &str) -> Reply {
        let call = Call::post("payments", "").path(format!("/v1/payments/{id}/{step}"));
        self.client.call(call).await.unwrap()
    }

    async fn get(&self, path: &str) -> Reply {
        self.client.call(Call::get("payments", path)).await.unwrap()
    }

    async fn ledger(&self) -> Report {
        let report: Report = self.get("/invariants").await.json().unwrap();
        assert!(report.holds, "{report:?}");
        report
    }
}

fn request(minor: i64) -> Authorise {
    let amount = Money { minor, currency: Currency::Eur };
    Authorise { order: Uuid::now_v7(), customer: Uuid::now_v7(), amount }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_sums_to_zero_after_every_step() {
    let service = Service::start(0.0).await;
    for minor in [1, 1250, 99_999] {
        let key = format!("key-{minor}");
        let payment: Payment = service.authorise(&key, &request(minor)).await.json().unwrap();
        assert_eq!(payment.state, PaymentState::Authorised);
        service.ledger().await;
        // Captured three times at once, and booked once.
        let (a, b, c) = tokio::join!(
            service.step(payment.id, "capture"),
            service.step(payment.id, "capture"),
            service.step(payment.id, "capture"),
        );
        assert!([a, b, c].iter().all(|reply| reply.status == 200));
        service.ledger().await;
        assert_eq!(service.step(payment.id, "void").await.status, 409);
    }
    let ledger = service.ledger().await;
    assert_eq!(ledger.figure("ledger_sums_to_zero", "entries"), Some(6));
    assert_eq!(ledger.figure(MATCHES, "EUR_received_minor"), Some(101_250));

    let payment: Payment = service.get("/v1/payments/by-key/key-1250").await.json().unwrap();
    let (a, b) =
        tokio::join!(service.step(payment.id, "refund"), service.step(payment.id, "refund"),);
    assert!([a, b].iter().all(|reply| reply.status == 200));
    let ledger = service.ledger().await;
    assert_eq!(ledger.figure("ledger_sums_to_zero", "entries"), Some(8));
    assert_eq!(ledger.figure(MATCHES, "EUR_received_minor"), Some(100_000));
    assert_eq!(service.step(payment.id, "capture").await.status, 409, "it was given back");
    let outbox = service.get("/internal/outbox?after=0").await.json::<Feed>().unwrap();
    let kinds: Vec<_> = outbox.events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["captured", "captured", "captured", "refunded"]);
    service.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_stands_for_one_payment() {
    let service = Service::start(0.0).await;
    let wanted = request(500);
    let (a, b, c, d) = tokio::join!(
        service.authorise("k", &wanted),
        service.authorise("k", &wanted),
        service.authorise("k", &wanted),
        service.authorise("k", &wanted),
    );
    let replies = [a, b, c, d];
    assert!(replies.iter().all(|reply| reply.status == 201 && reply.body == replies[0].body));
    let replayed =
        replies.iter().filter(|reply| reply.headers.contains_key("idempotency-replayed")).count();
    assert_eq!(replayed, 3);
    assert_eq!(service.authorise("k", &request(500)).await.status, 422);
    let kept: Payment = service.get("/v1/payments/by-key/k").await.json().unwrap();
    assert_eq!(kept, replies[0].json::<Payment>().unwrap());
    assert_eq!(service.get("/v1/payments/by-key/other").await.status, 404);
    service.forget_answers().await;
    let others = [request(500), Authorise { amount: request(501).amount, ..wanted.clone() }];
    for other in &others {
        assert_eq!(service.authorise("k", other).await.status, 422);
    }
    let again = service.authorise("k", &wanted).await;
    assert_eq!((again.status.as_u16(), &again.body), (201, &replies[0].body));
    service.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_declined_or_given_up_is_never_captured() {
    let service = Service::start(1.0).await;
    let declined = service.authorise("d", &request(500)).await;
    assert_eq!(declined.status, 402);
    let payment: Payment = service.get("/v1/payments/by-key/d").await.json().unwrap();
    assert_eq!(payment.state, PaymentState::Declined);
    assert_eq!(service.step(payment.id, "capture").await.status, 409);
    service.running.stop().await;

    let service = Service::start(0.0).await;
    let payment: Payment = service.authorise("v", &request(500)).await.json().unwrap();
    assert_eq!(service.step(payment.id, "void").await.status, 200);
    assert_eq!(service.step(payment.id, "capture").await.status, 409);
    assert_eq!(service.step(Uuid::now_v7(), "capture").await.status, 404);
    assert_eq!(service.ledger().await.figure("ledger_sums_to_zero", "entries"), Some(0));

    // Given up before it was ever heard of: the late request finds it so.
    let wanted = request(700);
    let call = || Call::post("payments", "").path("/v1/payments/by-key/late/void").json(&wanted);
    for _ in 0..2 {
        assert_eq!(service.client.call(call()).await.unwrap().status, 200);
    }
    let late: Payment = service.authorise("late", &wanted).await.json().unwrap();
    assert_eq!(late.state, PaymentState::Voided);
    assert_eq!(service.step(late.id, "capture").await.status, 409);
    service.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_requests_are_refused_with_the_field() {
    let service = Service::start(0.0).await;
    let refused = service.authorise("k", &request(0)).await;
    assert_eq!(refused.status, 422);
    assert!(String::from_utf8_lossy(&refused.body).contains("amount.minor"));
    let call = Call::post("payments", "/v1/payments").json(&request(1));
    assert_eq!(service.client.call(call).await.unwrap().status, 400, "no key");
    let id = Uuid::now_v7();
    assert_eq!(service.get(&format!("/v1/payments/{id}")).await.status, 401, "no token");
    service.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_missing_or_wrong_is_noticed() {
    let cases = [
        ("DELETE FROM ledger WHERE account = 'sales_revenue'", "ledger_sums_to_zero"),
        ("UPDATE ledger SET amount_minor = amount_minor * 2", MATCHES),
        ("UPDATE payments SET state = 'authorised'", MATCHES),
    ];
    for (sql, broken) in cases {
        let service = Service::start(0.0).await;
        let payment: Payment = service.authorise("k", &request(500)).await.json().unwrap();
        service.step(payment.id, "capture").await;
        service.ledger().await;
        service.meddle(sql).await;
        let report: Report = service.get("/invariants").await.json().unwrap();
        let found = report.invariants.iter().filter(|invariant| !invariant.holds);
        let found: Vec<_> = found.map(|invariant| invariant.name.as_str()).collect();
        assert!(!report.holds && found.contains(&broken), "{sql}: {report:?}");
        service.running.stop().await;
    }
}
