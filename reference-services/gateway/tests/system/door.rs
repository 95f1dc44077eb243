//! The door itself: tokens, input, limits, and peers that are away.

use super::problem;
use super::running::{PASSWORD, Setting, System, order, with_token};
use chassis::Call;
use contracts::accounts::{Claims, TOKEN_AUDIENCE, TOKEN_ISSUER};
use contracts::problem::Problem;
use gateway::Limits;
use gateway::limit::Allowance;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_good_tokens_pass() {
    let der = auth::signing::new_key();
    let key = EncodingKey::from_ed_der(&der);
    let system = System::start(Setting { old_signing_key: Some(der), ..Setting::default() }).await;
    let (account, good) = system.customer("ada@example.org").await;
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
        sid: Uuid::new_v4(),
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
