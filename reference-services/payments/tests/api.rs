//! Payments over real HTTP: one payment for each key however often and however
//! many at once ask for it, and a ledger that sums to zero.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;

use chassis::{Call, Client, Config, Metrics, Reply, Running};
use contracts::money::{Currency, Money};
use contracts::payments::{Authorise, LedgerReport, Payment, PaymentState};
use payments::Provider;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;
use tokio::net::TcpListener;
use uuid::Uuid;

struct Service {
    running: Running,
    client: Client,
    folder: TempDir,
}

impl Service {
    async fn start(declined_share: f64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::read(payments::NAME, |_| None).unwrap();
        config.data_dir = folder.path().to_owned();
        let metrics = Metrics::new(&config);
        let provider = Provider::new(Some(1)).declining(declined_share);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let build = |chassis| payments::build_with(chassis, provider);
        let running = chassis::start(config, listener, build).await.unwrap();
        let peers = BTreeMap::from([("payments".to_owned(), running.address)]);
        Self { running, client: Client::new(peers, metrics), folder }
    }

    async fn authorise(&self, key: &str, request: &Authorise) -> Reply {
        let call = Call::post("payments", "/v1/payments").json(request).idempotency_key(key);
        self.client.call(call).await.unwrap()
    }

    /// Empties the table of kept answers behind the service's back.
    async fn forget_answers(&self) {
        let options =
            SqliteConnectOptions::new().filename(self.folder.path().join("payments.sqlite"));
        let mut connection = options.connect().await.unwrap();
        sqlx::query("DELETE FROM idempotency_keys").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn step(&self, id: Uuid, step: &str) -> Reply {
        let call = Call::post("payments", "").path(format!("/v1/payments/{id}/{step}"));
        self.client.call(call).await.unwrap()
    }

    async fn get(&self, path: &str) -> Reply {
        self.client.call(Call::get("payments", path)).await.unwrap()
    }

    async fn ledger(&self) -> LedgerReport {
        let report: LedgerReport = self.get("/invariants").await.json().unwrap();
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
    let sums = service.ledger().await.currencies;
    assert_eq!((sums[0].entries, sums[0].received_minor), (6, 101_250));
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
    assert!(service.ledger().await.currencies.is_empty());
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
