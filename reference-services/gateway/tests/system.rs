//! CloudScale at its door, over real HTTP, with every service in this process.

#![allow(clippy::unwrap_used, missing_docs)]

mod running;

use std::time::{Duration, Instant};

use chassis::{Call, Reply};
use contracts::accounts::{Claims, Introspection, TOKEN_AUDIENCE, TOKEN_ISSUER};
use contracts::invariants::Report;
use contracts::orders::{Order, OrderState, Orders};
use contracts::payments::{Payment, PaymentState};
use contracts::problem::Problem;
use gateway::Limits;
use gateway::limit::Allowance;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use running::{PASSWORD, Setting, System, order, with_token};
use tokio::net::TcpListener;
use uuid::Uuid;

fn problem(reply: &Reply) -> Problem {
    assert_eq!(reply.headers[CONTENT_TYPE], "application/problem+json", "{reply:?}");
    let problem: Problem = reply.json().unwrap();
    assert_eq!(problem.status, reply.status.as_u16());
    problem
}

/// What the ledger has received, in minor units of euros.
async fn received(system: &System) -> i64 {
    let report = system.send(Call::get("payments", "/invariants")).await;
    let report: Report = report.json().unwrap();
    assert!(report.holds, "{report:?}");
    report.figure("ledger_matches_payments", "EUR_received_minor").unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_registers_orders_and_reads_back() {
    let system = System::start(Setting::default()).await;
    let (account, token) = system.customer("Ada@Example.org").await;
    assert_eq!(account.email, "ada@example.org");
    let me: Introspection = system.get("/v1/me", &token).await.json().unwrap();
    assert!(me.active && me.account == account);

    let placed = system.place(&token, "first", &order(2150)).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let placed_order: Order = placed.json().unwrap();
    assert_eq!((placed_order.state, placed_order.total.minor), (OrderState::Paid, 2150));
    let path = placed.headers["location"].to_str().unwrap();
    let read: Order = system.get(path, &token).await.json().unwrap();
    assert_eq!(read, placed_order);

    let payment = format!("/v1/payments/{}", read.payment.unwrap());
    let payment: Payment = system.get(&payment, &token).await.json().unwrap();
    assert_eq!((payment.state, payment.amount.minor), (PaymentState::Captured, 2150));

    for key in ["second", "third"] {
        system.place(&token, key, &order(10)).await;
    }
    let page: Orders = system.get("/v1/orders?limit=2", &token).await.json().unwrap();
    assert_eq!(page.orders.len(), 2);
    let rest = format!("/v1/orders?limit=2&before={}", page.next.unwrap());
    let rest: Orders = system.get(&rest, &token).await.json().unwrap();
    assert_eq!(rest, Orders { orders: vec![placed_order], next: None });

    // What is another's looks as if it were not there.
    let (_, other) = system.customer("bob@example.org").await;
    assert_eq!(system.get(path, &other).await.status, 404);
    let payment = format!("/v1/payments/{}", payment.id);
    assert_eq!(system.get(&payment, &other).await.status, 404);
    check_figures(&system).await;
    system.stop().await;
}

async fn check_figures(system: &System) {
    let expected = [
        ("orders", "orders_placed_total{outcome=\"paid\"} 3"),
        (
            "orders",
            "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_response_status_code=\"404\",http_route=\"/v1/orders/{id}\"} 1",
        ),
        (
            "orders",
            "http_client_request_duration_seconds_count{http_request_method=\"POST\",http_response_status_code=\"201\",service_peer_name=\"payments\"} 3",
        ),
        (
            "orders",
            "db_client_operation_duration_seconds_count{db_collection_name=\"orders\",db_namespace=\"orders_db\",db_operation_name=\"INSERT\",db_system_name=\"sqlite\"} 3",
        ),
        ("payments", "payments_captured_total{currency=\"EUR\"} 3"),
        ("payments", "payments_captured_amount_minor_total{currency=\"EUR\"} 2170"),
        ("auth", "auth_registrations_total 2"),
        ("auth", "auth_logins_total{outcome=\"ok\"} 2"),
        (
            "gateway",
            "http_server_request_duration_seconds_bucket{http_request_method=\"POST\",http_response_status_code=\"201\",http_route=\"/v1/orders\",le=\"+Inf\"} 3",
        ),
    ];
    for (service, line) in expected {
        let text = system.send(Call::get(service, "/metrics")).await;
        let text = String::from_utf8(text.body.to_vec()).unwrap();
        assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
        assert!(!text.contains("/metrics") && !text.contains("/health"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_places_one_order() {
    let system = System::start(Setting::default()).await;
    let (_, token) = system.customer("ada@example.org").await;
    let wanted = order(300);
    let (a, b, c, d) = tokio::join!(
        system.place(&token, "k", &wanted),
        system.place(&token, "k", &wanted),
        system.place(&token, "k", &wanted),
        system.place(&token, "k", &wanted),
    );
    let replies = [a, b, c, d];
    for reply in &replies {
        assert_eq!((reply.status.as_u16(), &reply.body), (201, &replies[0].body));
    }
    let other = system.place(&token, "k", &order(301)).await;
    assert_eq!(other.status, 422);
    assert!(problem(&other).kind.ends_with("idempotency-key-reused"));
    let page: Orders = system.get("/v1/orders", &token).await.json().unwrap();
    assert_eq!(page.orders.len(), 1);
    assert_eq!(received(&system).await, 300);

    // The kept answers are gone: the rows still tell what the key stands for.
    for name in ["orders", "payments"] {
        system.meddle(name, "DELETE FROM idempotency_keys".to_owned()).await;
    }
    for (price, status) in [(301, 422), (300, 201), (301, 422)] {
        let reply = system.place(&token, "k", &order(price)).await;
        assert_eq!(reply.status.as_u16(), status, "{reply:?}");
    }
    let again: Orders = system.get("/v1/orders", &token).await.json().unwrap();
    assert_eq!(again, page);

    // The same key of somebody else is another key.
    let (_, bob) = system.customer("bob@example.org").await;
    assert_eq!(system.place(&bob, "k", &order(301)).await.status, 201);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declined_payment_is_an_answer_and_takes_nothing() {
    let system = System::start(Setting { declined_share: 1.0, ..Setting::default() }).await;
    let (_, token) = system.customer("ada@example.org").await;
    for _ in 0..2 {
        let reply = system.place(&token, "k", &order(300)).await;
        assert_eq!(reply.status, 402);
        assert!(problem(&reply).kind.ends_with("payment-declined"));
    }
    let page: Orders = system.get("/v1/orders", &token).await.json().unwrap();
    assert_eq!(page.orders[0].state, OrderState::PaymentFailed);
    assert_eq!(received(&system).await, 0);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_whose_payment_is_unknown_is_settled_later_and_once() {
    let mut system = System::start(Setting { without: &["payments"], ..Setting::default() }).await;
    let (_, token) = system.customer("ada@example.org").await;
    let accepted = system.place(&token, "k", &order(300)).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    assert_eq!(accepted.json::<Order>().unwrap().state, OrderState::Pending);
    system.start_late("payments").await;
    let path = accepted.headers["location"].to_str().unwrap();
    assert_eq!(settled(&system, path, &token).await.state, OrderState::Paid);
    assert_eq!(received(&system).await, 300);
    system.stop().await;
}

/// The order at `path` when it is no longer pending, or after a while as it is.
async fn settled(system: &System, path: &str, token: &str) -> Order {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let order: Order = system.get(path, token).await.json().unwrap();
        if order.state != OrderState::Pending || Instant::now() > deadline {
            return order;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_cannot_be_settled_holds_up_no_other() {
    let mut system = System::start(Setting { without: &["payments"], ..Setting::default() }).await;
    let (_, token) = system.customer("ada@example.org").await;
    let stuck: Order = system.place(&token, "first", &order(300)).await.json().unwrap();
    let younger = system.place(&token, "second", &order(200)).await;
    assert_eq!((stuck.state, younger.status.as_u16()), (OrderState::Pending, 202));
    system.start_late("payments").await;
    // A payment that cannot be read: whoever asks for it gets 500.
    let sql = format!(
        "INSERT INTO payments VALUES ('no id', '{}', '', '', 300, 'EUR', 'started', 0, 0)",
        stuck.id
    );
    system.meddle("payments", sql).await;
    let path = younger.headers["location"].to_str().unwrap();
    assert_eq!(settled(&system, path, &token).await.state, OrderState::Paid);
    let path = format!("/v1/orders/{}", stuck.id);
    let still: Order = system.get(&path, &token).await.json().unwrap();
    assert_eq!(still.state, OrderState::Pending);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_good_tokens_pass() {
    let system = System::start(Setting::default()).await;
    let (account, good) = system.customer("ada@example.org").await;
    let key = std::fs::read(system.data_dir("auth").join("signing-key.der")).unwrap();
    let key = EncodingKey::from_ed_der(&key);
    let other_key = [&key.as_bytes()[..16], &[7; 32]].concat();
    let other_key = EncodingKey::from_ed_der(&other_key);
    let header = jsonwebtoken::decode_header(&good).unwrap();
    let now_s = u64::try_from(chassis::clock::now_ms() / 1000).unwrap();
    let claims = Claims {
        iss: TOKEN_ISSUER.to_owned(),
        sub: account.id,
        aud: TOKEN_AUDIENCE.to_owned(),
        exp: now_s + 60,
        iat: now_s,
        jti: Uuid::new_v4(),
        roles: account.roles.clone(),
    };
    let sign = |header: &Header, claims: &Claims, key| encode(header, claims, key).unwrap();
    let mut stranger = header.clone();
    stranger.kid = Some("unknown".to_owned());
    let mut nameless = header.clone();
    nameless.kid = None;
    let mut symmetric = Header::new(Algorithm::HS256);
    symmetric.kid = header.kid.clone();
    let (middle, end) = (good.find('.').unwrap(), good.rfind('.').unwrap());
    // {"alg":"none","typ":"JWT"}
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0{}.", &good[middle..end]);
    let public = EncodingKey::from_secret(b"the published key");
    let cases = [
        ("made here", sign(&header, &claims, &key), 200),
        ("none", String::new(), 401),
        ("garbage", "a.b.c".to_owned(), 401),
        ("too long", "x".repeat(5000), 401),
        ("expired", sign(&header, &Claims { exp: now_s - 60, ..claims.clone() }, &key), 401),
        ("of another key", sign(&header, &claims, &other_key), 401),
        ("of an unknown key", sign(&stranger, &claims, &key), 401),
        ("without a key id", sign(&nameless, &claims, &key), 401),
        ("without a signature", good[..=end].to_owned(), 401),
        ("alg none", none, 401),
        ("alg HS256", sign(&symmetric, &claims, &public), 401),
        (
            "of another issuer",
            sign(&header, &Claims { iss: "x".to_owned(), ..claims.clone() }, &key),
            401,
        ),
        ("for others", sign(&header, &Claims { aud: "x".to_owned(), ..claims.clone() }, &key), 401),
        ("without the role", sign(&header, &Claims { roles: vec![], ..claims.clone() }, &key), 403),
    ];
    for (what, token, status) in cases {
        let reply = system.get("/v1/orders", &token).await;
        assert_eq!(reply.status.as_u16(), status, "a token {what}");
        if status == 401 {
            assert_eq!(reply.headers["www-authenticate"], "Bearer");
            problem(&reply);
            // Not only the gateway: the services check as well.
            let behind = system.send(with_token(Call::get("orders", "/v1/orders"), &token)).await;
            assert_eq!(behind.status.as_u16(), 401, "a token {what}");
        }
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logging_in_does_not_tell_who_has_an_account() {
    let system = System::start(Setting::default()).await;
    system.customer("ada@example.org").await;
    let mut answers = Vec::new();
    for (email, password) in
        [("ada@example.org", "wrong horse"), ("eve@example.org", PASSWORD), ("", "")]
    {
        let reply = system.log_in(email, password).await;
        assert_eq!(reply.status, 401);
        answers.push(Problem { trace_id: None, ..problem(&reply) });
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let again = Call::post("gateway", "/v1/register")
        .body(r#"{"email":" ADA@example.org","password":"another horse"}"#)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    assert_eq!(system.send(again).await.status, 409);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_input_is_refused_with_the_field() {
    let system = System::start(Setting::default()).await;
    let (_, token) = system.customer("ada@example.org").await;
    let long = format!(r#"{{"lines":[],"currency":"{}"}}"#, "x".repeat(70_000));
    let json = "application/json";
    let cases = [
        ("POST", "/v1/orders", json, "{", 400, None),
        ("POST", "/v1/orders", json, r#"{"lines":[],"currency":"EUR"}"#, 422, Some("lines")),
        (
            "POST",
            "/v1/orders",
            json,
            r#"{"lines":[{"sku":"a","quantity":"x","unit_price_minor":1}],"currency":"EUR"}"#,
            422,
            Some("lines[0].quantity"),
        ),
        (
            "POST",
            "/v1/orders",
            json,
            r#"{"lines":[{"sku":"a","quantity":1,"unit_price_minor":1.5}],"currency":"EUR"}"#,
            422,
            Some("lines[0].unit_price_minor"),
        ),
        ("POST", "/v1/orders", json, &long, 413, None),
        ("POST", "/v1/orders", "text/plain", "{}", 415, None),
        (
            "POST",
            "/v1/register",
            json,
            r#"{"email":"x","password":"long enough"}"#,
            422,
            Some("email"),
        ),
        ("POST", "/v1/register", json, r#"{"email":"x@y.z"}"#, 422, Some("password")),
        ("GET", "/v1/orders?limit=0", json, "", 422, Some("limit")),
        ("GET", "/v1/orders?limit=x", json, "", 400, None),
        ("GET", "/v1/orders/1", json, "", 422, Some("id")),
        ("GET", "/v1/nothing", json, "", 404, None),
        ("GET", "/invariants", json, "", 404, None),
        ("POST", "/v1/payments", json, "{}", 404, None),
        ("DELETE", "/v1/orders", json, "", 405, None),
    ];
    for (method, path, media_type, body, status, field) in cases {
        let method: Method = method.parse().unwrap();
        let call = Call::new(method, "gateway", path)
            .body(body.to_owned())
            .header(CONTENT_TYPE, HeaderValue::from_static(media_type))
            .idempotency_key(&Uuid::new_v4().to_string());
        let reply = system.send(with_token(call, &token)).await;
        assert_eq!(reply.status.as_u16(), status, "{path} {body:.80}");
        let problem = problem(&reply);
        let named = problem.errors.first().map(|error| error.field.as_str());
        assert_eq!(named, field, "{path} {body:.80}");
    }
    let without_key = Call::post("gateway", "/v1/orders").json(&order(10));
    assert_eq!(system.send(with_token(without_key, &token)).await.status, 400);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_gets_more_than_its_limit_and_burst() {
    let (per_second, burst) = (20, 10);
    let limits = Limits { account: Allowance::new(per_second, burst), ..Limits::default() };
    let system = System::start(Setting { limits, ..Setting::default() }).await;
    let (_, greedy) = system.customer("ada@example.org").await;
    let (_, modest) = system.customer("bob@example.org").await;
    let start = Instant::now();
    let mut passed = 0;
    for _ in 0..120 {
        let reply = system.get("/v1/orders", &greedy).await;
        match reply.status.as_u16() {
            200 => passed += 1,
            429 => {
                problem(&reply);
                assert_eq!(reply.headers[RETRY_AFTER], "1");
                assert_eq!(reply.headers["ratelimit-limit"], "10");
                assert_eq!(reply.headers["ratelimit-remaining"], "0");
            }
            other => panic!("{other}"),
        }
    }
    let allowed = f64::from(burst) + f64::from(per_second) * start.elapsed().as_secs_f64();
    assert!(f64::from(passed) <= allowed, "{passed} of at most {allowed}");
    assert!(passed >= burst, "only {passed} passed");
    assert_eq!(system.get("/v1/orders", &modest).await.status, 200);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_away_or_silent_is_told_in_words() {
    let mut system = System::start(Setting { without: &["orders"], ..Setting::default() }).await;
    let (_, token) = system.customer("ada@example.org").await;
    let away = system.get("/v1/orders", &token).await;
    assert_eq!((away.status.as_u16(), problem(&away).title.is_empty()), (502, false));
    // A socket that takes connections and never says anything.
    let silent = TcpListener::bind(system.addresses["orders"]).await.unwrap();
    let call = with_token(Call::get("gateway", "/v1/orders"), &token);
    let late = system.send(call.timeout(Duration::from_secs(10))).await;
    assert_eq!((late.status.as_u16(), problem(&late).title.is_empty()), (504, false));
    drop(silent);
    system.start_late("orders").await;
    assert_eq!(system.get("/v1/orders", &token).await.status, 200);
    system.stop().await;
}
