//! Orders, what they take from payments, stock and shipping, and the catalog that they name.

use super::problem;
use super::running::{Setting, System, order, with_token};
use chassis::Call;
use contracts::accounts::Introspection;
use contracts::catalog::{Categories, Description, Product, Products, Reserve, Stock};
use contracts::invariants::Report;
use contracts::money::Currency;
use contracts::orders::{History, Line, Order, OrderState, Orders, PlaceOrder, Rebuilt};
use contracts::payments::{Payment, PaymentState};
use contracts::shipping::{Shipment, ShipmentState};
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue, Method};
use std::time::{Duration, Instant};
use uuid::Uuid;

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
    let database = format!(
        "db_client_operation_duration_seconds_count{{db_collection_name=\"orders\",\
         db_namespace=\"orders_db\",db_operation_name=\"INSERT\",db_system_name=\"{}\"}} 3",
        system.database()
    );
    let expected = [
        ("orders", database.as_str()),
        ("orders", "orders_placed_total{outcome=\"paid\"} 3"),
        (
            "orders",
            "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_response_status_code=\"404\",http_route=\"/v1/orders/{id}\"} 1",
        ),
        (
            "orders",
            "http_client_request_duration_seconds_count{http_request_method=\"POST\",http_response_status_code=\"201\",service_peer_name=\"payments\"} 3",
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_had_or_sent_undoes_what_was_done_for_it() {
    let system = System::start(Setting { refused_share: 1.0, ..Setting::default() }).await;
    let (_, token) = system.customer("ada@example.org").await;
    let line = |sku: &str, quantity, unit_price_minor| Line {
        sku: sku.to_owned(),
        quantity,
        unit_price_minor,
    };
    let cases = [
        (line("anniversary-mug", 41, 2490), Some("lines[1].quantity")),
        (line("mug", 1, 889), Some("lines[1].unit_price_minor")),
        (line("cup", 1, 890), Some("lines[1].sku")),
        // The carrier has no place.
        (line("mug", 1, 890), None),
    ];
    for (round, (wanted, field)) in cases.into_iter().enumerate() {
        let lines = vec![line("tea", 1, 450), wanted];
        let request = PlaceOrder { lines, currency: Currency::Eur };
        let reply = system.place(&token, &format!("k{round}"), &request).await;
        assert_eq!(reply.status, 409, "{reply:?}");
        let problem = problem(&reply);
        assert!(problem.kind.ends_with("order-rejected"), "{problem:?}");
        let named = problem.errors.first().map(|error| error.field.as_str());
        assert_eq!(named, field, "{problem:?}");
    }
    let page: Orders = system.get("/v1/orders", &token).await.json().unwrap();
    assert!(page.orders.iter().all(|order| order.state == OrderState::Rejected), "{page:?}");
    for order in &page.orders {
        let path = format!("/v1/payments/{}", order.payment.unwrap());
        let payment: Payment = system.get(&path, &token).await.json().unwrap();
        assert_eq!(payment.state, PaymentState::Voided);
    }
    assert_eq!(received(&system).await, 0);
    let stock = stock(&system, "tea").await;
    assert_eq!((stock.on_hand, stock.reserved, stock.shipped), (stock.received, 0, 0));
    system.stop().await;
}

/// Attempts to call an order off that has left: enough for a snapshot.
const ATTEMPTS: i64 = 8;

/// The order at `path` was sent and not called off `ATTEMPTS` times, and says so.
async fn check_history(system: &System, path: &str, token: &str, other: &str) {
    let path = format!("{path}/history");
    assert_eq!(system.get(&path, other).await.status, 404, "another's order");
    assert_eq!(system.get(&format!("{path}?limit=0"), token).await.status, 422);
    let (mut facts, mut after) = (Vec::new(), 0);
    loop {
        let page = system.get(&format!("{path}?limit=5&after={after}"), token).await;
        let page: History = page.json().unwrap();
        facts.extend(page.facts);
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    let versions: Vec<_> = facts.iter().map(|fact| fact.version).collect();
    assert_eq!(versions, (1..=8 + 2 * ATTEMPTS).collect::<Vec<_>>());
    let told: Vec<_> =
        facts.iter().map(|fact| fact.step.as_deref().unwrap_or(&fact.what)).take(10).collect();
    let expected = [
        "placed",
        "authorise",
        "reserve",
        "schedule",
        "confirm",
        "capture",
        "moved",
        "moved",
        "cancel_asked",
        "cancel_refused",
    ];
    assert_eq!(told, expected);
    assert_eq!(facts[7].shipment, Some(ShipmentState::Delivered));
    assert!(facts.windows(2).all(|pair| pair[0].at_ms <= pair[1].at_ms), "{facts:?}");
}

async fn stock(system: &System, sku: &str) -> Stock {
    let call = Call::get("catalog", "").path(format!("/v1/products/{sku}/stock"));
    system.send(call).await.json().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_sent_and_one_that_has_not_left_can_be_called_off() {
    let setting = Setting { fetched_ms: 400..401, ..Setting::default() };
    let system = System::start(setting).await;
    let (_, token) = system.customer("ada@example.org").await;
    let (_, other) = system.customer("bob@example.org").await;
    let cancel = async |order: &Order, token: &str| {
        let call = Call::post("gateway", "").path(format!("/v1/orders/{}/cancel", order.id));
        system.send(with_token(call, token)).await
    };
    let kept: Order = system.place(&token, "kept", &order(450)).await.json().unwrap();
    let unwanted: Order = system.place(&token, "unwanted", &order(900)).await.json().unwrap();
    assert_eq!(received(&system).await, 1350);
    assert_eq!(cancel(&unwanted, &other).await.status, 404, "another's order");
    for _ in 0..2 {
        let called_off = cancel(&unwanted, &token).await;
        assert_eq!(called_off.status, 200, "{called_off:?}");
        assert_eq!(called_off.json::<Order>().unwrap().state, OrderState::Cancelled);
    }
    assert_eq!(received(&system).await, 450, "given back once");

    let path = format!("/v1/orders/{}", kept.id);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let now: Order = system.get(&path, &token).await.json().unwrap();
        let tea = stock(&system, "tea").await;
        if now.shipment == Some(ShipmentState::Delivered) && tea.shipped == 1 {
            assert_eq!((now.state, tea.reserved), (OrderState::Paid, 0));
            break;
        }
        assert!(Instant::now() < deadline, "{now:?} {tea:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Each attempt is two facts: a snapshot saves reading the older ones.
    for _ in 0..ATTEMPTS {
        let late = cancel(&kept, &token).await;
        assert_eq!(late.status, 409, "{late:?}");
    }
    check_history(&system, &path, &token, &other).await;
    assert_eq!(received(&system).await, 450);
    let shipment = system.get(&format!("/v1/shipments/{}", kept.id), &token).await;
    assert_eq!(shipment.json::<Shipment>().unwrap().state, ShipmentState::Delivered);
    for service in ["orders", "payments", "catalog", "shipping"] {
        let report: Report = system.send(Call::get(service, "/invariants")).await.json().unwrap();
        assert!(report.holds && report.invariants.len() >= 2, "{report:?}");
    }
    // The read model is what the facts say, and a wrong row is noticed and mended.
    let rebuild = async || {
        let call = Call::post("orders", "/internal/read-model/rebuild");
        let done: Rebuilt = system.send(call).await.json().unwrap();
        (done.orders, done.differed)
    };
    assert_eq!(rebuild().await, (2, 0));
    let sql = "UPDATE orders SET state = 'paid', version = 1";
    system.meddle("orders", sql.to_owned()).await;
    let report: Report = system.send(Call::get("orders", "/invariants")).await.json().unwrap();
    assert_eq!(report.figure("read_model_follows_facts", "behind"), Some(2), "{report:?}");
    assert_eq!(rebuild().await, (2, 1), "one of them was not paid for");
    system.meddle("orders", "DELETE FROM orders".to_owned()).await;
    assert_eq!(rebuild().await, (2, 2));
    // So is a snapshot that is not what happened; one of another form is passed over.
    let wrong = "UPDATE order_snapshots SET body = replace(body, 'paid', 'rejected')";
    system.meddle("orders", wrong.to_owned()).await;
    assert_eq!(rebuild().await, (2, 1), "a snapshot lies");
    assert_eq!(rebuild().await, (2, 0));
    let old = "UPDATE order_snapshots SET form = 0, body = 'of old'";
    system.meddle("orders", old.to_owned()).await;
    assert_eq!(cancel(&kept, &token).await.status, 409);
    assert_eq!(rebuild().await, (2, 0));
    let page: Orders = system.get("/v1/orders", &token).await.json().unwrap();
    assert_eq!(page.orders.len(), 2);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalog_is_searched_changed_and_never_sold_twice() {
    let system = System::start(Setting::default()).await;
    let found = system.get("/v1/products?query=stone+mug", "").await;
    let found: Products = found.json().unwrap();
    let skus: Vec<_> = found.products.iter().map(|product| product.sku.as_str()).collect();
    assert_eq!(skus.len(), 2, "{skus:?}");
    let first: Products = system.get("/v1/products?limit=3", "").await.json().unwrap();
    let next = format!("/v1/products?limit=100&after={}", first.next.unwrap());
    let rest: Products = system.get(&next, "").await.json().unwrap();
    assert_eq!((first.products.len(), rest.products.len(), rest.next), (3, 8, None));
    let categories: Categories = system.get("/v1/categories", "").await.json().unwrap();
    assert_eq!(categories.categories.iter().map(|each| each.products).sum::<i64>(), 11);

    // A character that no SKU has, and that PostgreSQL does not take.
    assert_eq!(system.get("/v1/products/%00", "").await.status, 404);
    assert_eq!(system.get("/v1/products?category=%00", "").await.status, 422);

    let product = system.get("/v1/products/mug", "").await;
    let tag = product.headers[ETAG].clone();
    let known =
        Call::get("gateway", "").path("/v1/products/mug").header(IF_NONE_MATCH, tag.clone());
    assert_eq!(system.send(known).await.status, 304);
    let mug: Product = product.json().unwrap();
    let description = Description {
        name: mug.name.clone(),
        description: "Enamel, for the journey".to_owned(),
        category: mug.category.clone(),
        price_minor: 990,
    };
    let put = async |name: Option<HeaderName>, tag: HeaderValue| {
        let call = Call::new(Method::PUT, "catalog", "").path("/v1/products/mug");
        let call = call.json(&description);
        let call = match name {
            Some(name) => call.header(name, tag),
            None => call,
        };
        system.send(call).await.status.as_u16()
    };
    assert_eq!(put(None, tag.clone()).await, 428);
    assert_eq!(put(Some(IF_NONE_MATCH), HeaderValue::from_static("*")).await, 412);
    assert_eq!(put(Some(IF_MATCH), tag.clone()).await, 200);
    assert_eq!(put(Some(IF_MATCH), tag).await, 412, "changed since");
    // The event empties the cache.
    let deadline = Instant::now() + Duration::from_secs(10);
    while system.get("/v1/products/mug", "").await.json::<Product>().unwrap().price_minor != 990 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let journey: Products = system.get("/v1/products?query=enamel", "").await.json().unwrap();
    assert_eq!(journey.products.len(), 1);

    // 40 are there, and 60 are wanted at once.
    let order = |_| {
        let line = Line { sku: "anniversary-mug".to_owned(), quantity: 3, unit_price_minor: 2490 };
        Reserve { order: Uuid::now_v7(), lines: vec![line] }
    };
    let wanted: Vec<_> = (0..20).map(order).collect();
    let mut asked = tokio::task::JoinSet::new();
    for reserve in &wanted {
        let (client, reserve) = (system.client.clone(), reserve.clone());
        asked.spawn(async move {
            // Twice, as if the first answer had been lost.
            let call = || Call::post("catalog", "/v1/reservations").json(&reserve);
            let first = client.call(call()).await.unwrap().status;
            (first, client.call(call()).await.unwrap().status)
        });
    }
    let mut held = 0;
    while let Some(statuses) = asked.join_next().await {
        let (first, second) = statuses.unwrap();
        assert_eq!(first, second);
        held += i64::from(first == 201);
    }
    let mugs = stock(&system, "anniversary-mug").await;
    assert_eq!((held, mugs.reserved, mugs.on_hand), (13, 39, 1));

    // What nobody confirms comes back.
    let sql = "UPDATE reservations SET expires_ms = 1 WHERE state = 'held'";
    system.meddle("catalog", sql.to_owned()).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while stock(&system, "anniversary-mug").await.on_hand != 40 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let late = format!("/v1/reservations/{}/confirm", wanted[0].order);
    let late = system.send(Call::post("catalog", "").path(late)).await;
    assert!([404, 409].contains(&late.status.as_u16()), "{late:?}");
    let plants = [
        ("UPDATE stock SET received = received + 1", "stock_adds_up"),
        (
            "UPDATE stock SET on_hand = on_hand - 1, reserved = reserved + 1",
            "stock_matches_reservations",
        ),
    ];
    for (sql, broken) in plants {
        system.meddle("catalog", sql.to_owned()).await;
        let report: Report = system.send(Call::get("catalog", "/invariants")).await.json().unwrap();
        let found = report.invariants.iter().find(|invariant| invariant.name == broken).unwrap();
        assert!(!found.holds && !report.holds, "{sql}: {report:?}");
    }
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
    let mut system = System::start(Setting::default()).await;
    system.stop_one("payments").await;
    let (_, token) = system.customer("ada@example.org").await;
    let stuck: Order = system.place(&token, "first", &order(300)).await.json().unwrap();
    let younger = system.place(&token, "second", &order(200)).await;
    assert_eq!((stuck.state, younger.status.as_u16()), (OrderState::Pending, 202));
    // A payment that cannot be read: whoever asks for it gets 500.
    let sql = format!(
        "INSERT INTO payments VALUES ('no id', '{}', '', '', 300, 'EUR', 'started', 0, 0)",
        stuck.id
    );
    system.meddle("payments", sql).await;
    system.start_late("payments").await;
    let path = younger.headers["location"].to_str().unwrap();
    assert_eq!(settled(&system, path, &token).await.state, OrderState::Paid);
    let path = format!("/v1/orders/{}", stuck.id);
    let still: Order = system.get(&path, &token).await.json().unwrap();
    assert_eq!(still.state, OrderState::Pending);
    system.stop().await;
}
