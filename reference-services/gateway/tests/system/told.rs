//! How customers are told: in the app, in the stream, to a webhook, by e-mail.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use chassis::{Call, Reply};
use contracts::invariants::Report;
use contracts::messaging::{Redrive, Redriven, Replay, Tally};
use contracts::notifications::{
    Channel, DeadDeliveries, Delivery, DeliveryState, Kind, MarkRead, Notification, Notifications,
    SetWebhook, Told, Unread, Webhook, WebhookBody,
};
use contracts::orders::Order;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::problem;
use crate::running::{Setting, System, order, with_token};

/// How long a case waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

impl System {
    async fn told(&self, token: &str) -> Notifications {
        self.get("/v1/notifications", token).await.json().unwrap()
    }

    /// Waits until the customer was told of `count` things, and answers them, the oldest first.
    async fn told_of(&self, token: &str, count: usize) -> Vec<Notification> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut told = self.told(token).await.notifications;
            assert!(told.len() <= count, "{told:?}");
            if told.len() == count {
                told.reverse();
                return told;
            }
            assert!(Instant::now() < deadline, "only {told:?}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    async fn delivery(&self, token: &str, id: Uuid, channel: Channel) -> Delivery {
        let told: Told = self.get(&format!("/v1/notifications/{id}"), token).await.json().unwrap();
        told.deliveries.into_iter().find(|delivery| delivery.channel == channel).unwrap()
    }

    /// Waits until a delivery is in a state.
    async fn delivered(
        &self,
        token: &str,
        id: Uuid,
        channel: Channel,
        state: DeliveryState,
    ) -> Delivery {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.delivery(token, id, channel).await;
            if found.state == state {
                return found;
            }
            assert!(Instant::now() < deadline, "{found:?} is not {state:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn notified(&self) -> Report {
        self.send(Call::get("notifications", "/invariants")).await.json().unwrap()
    }

    /// Reads so many events of a stream, as their ids and notifications.
    async fn streamed(&self, token: &str, last: Option<&str>, count: usize) -> Vec<Notification> {
        let mut call = with_token(Call::get("gateway", "/v1/notifications/stream"), token);
        if let Some(last) = last {
            let value = HeaderValue::try_from(last).unwrap();
            call = call.header(HeaderName::from_static("last-event-id"), value);
        }
        let opened = self.client.open(call).await.unwrap();
        assert_eq!(
            (opened.status.as_u16(), &opened.headers["content-type"]),
            (200, &HeaderValue::from_static("text/event-stream"))
        );
        let mut body = opened.body.into_data_stream();
        let mut text = String::new();
        while text.matches("\ndata: ").count() < count || !text.ends_with("\n\n") {
            let piece = tokio::time::timeout(PATIENCE, body.next()).await.unwrap();
            text.push_str(std::str::from_utf8(&piece.unwrap().unwrap()).unwrap());
        }
        let field = |event: &str, name: &str| {
            event.lines().find_map(|line| Some(line.strip_prefix(name)?.to_owned()))
        };
        let events = text.split("\n\n").filter(|event| event.contains("data: "));
        events
            .map(|event| {
                let data: Notification =
                    serde_json::from_str(&field(event, "data: ").unwrap()).unwrap();
                assert_eq!(field(event, "event: ").unwrap(), "notification");
                assert_eq!(field(event, "id: ").unwrap(), data.position.to_string());
                data
            })
            .collect()
    }
}

fn kinds(told: &[Notification]) -> BTreeSet<Kind> {
    told.iter().map(|told| told.kind).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_is_told_in_a_list_and_in_a_stream_that_goes_on_where_it_broke() {
    let setting = Setting { fetched_ms: 1..50, ..Setting::default() };
    let system = System::start(setting).await;
    let (_, token) = system.customer("ada@example.org").await;
    let (_, stranger) = system.customer("bob@example.org").await;
    let placing = async {
        // After the stream was opened, most likely; the list says the same either way.
        tokio::time::sleep(Duration::from_millis(300)).await;
        system.place(&token, "first", &order(2150)).await.json::<Order>().unwrap()
    };
    let (streamed, placed) = tokio::join!(system.streamed(&token, None, 2), placing);
    let told = system.told_of(&token, 4).await;
    let all = [
        Kind::OrderConfirmed,
        Kind::PaymentReceived,
        Kind::ShipmentDispatched,
        Kind::ShipmentDelivered,
    ];
    assert_eq!(kinds(&told), BTreeSet::from(all));
    assert!(told.iter().all(|told| told.order == placed.id && !told.read), "{told:?}");
    assert!(told.windows(2).all(|pair| pair[0].position < pair[1].position), "{told:?}");
    assert_eq!(streamed, told[..streamed.len()]);
    let confirmed = told.iter().find(|told| told.kind == Kind::OrderConfirmed).unwrap();
    assert_eq!(confirmed.subject, "Your order over EUR\u{a0}21.50 is confirmed");
    assert!(confirmed.text.contains(&placed.id.to_string()), "{confirmed:?}");

    // Whoever was cut off goes on behind what he has.
    let rest = system.streamed(&token, Some(&told[0].position.to_string()), 3).await;
    assert_eq!(rest, told[1..]);
    assert_eq!(system.streamed(&token, Some("0"), 4).await, told);

    let page: Notifications = system.get("/v1/notifications?limit=3", &token).await.json().unwrap();
    assert_eq!((page.notifications.len(), page.unread, page.next), (3, 4, Some(told[1].position)));
    let path = format!("/v1/notifications?limit=3&before={}", page.next.unwrap());
    let page: Notifications = system.get(&path, &token).await.json().unwrap();
    assert_eq!((page.notifications.len(), page.next), (1, None));

    let read = MarkRead { up_to: told[2].position };
    let read = with_token(Call::post("gateway", "/v1/notifications/read").json(&read), &token);
    assert_eq!(system.send(read).await.json::<Unread>().unwrap().unread, 1);
    let reads: Vec<_> = system.told_of(&token, 4).await.iter().map(|told| told.read).collect();
    assert_eq!(reads, [true, true, true, false]);

    // Nobody sees another's.
    assert_eq!(system.told(&stranger).await.notifications, []);
    let path = format!("/v1/notifications/{}", confirmed.id);
    assert_eq!(system.get(&path, &token).await.status, 200);
    assert_eq!(system.get(&path, &stranger).await.status, 404);
    let webhook = system.delivery(&token, confirmed.id, Channel::Webhook).await;
    assert_eq!((webhook.state, webhook.attempts), (DeliveryState::Suppressed, 0));
    let report = system.notified().await;
    assert!(report.holds, "{report:?}");
    assert_eq!(report.figure("every_event_is_told", "events"), Some(4));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_refused_and_names_its_field() {
    let system = System::start(Setting::default()).await;
    let (_, token) = system.customer("ada@example.org").await;
    let stream = |last: &'static str| {
        let call = with_token(Call::get("gateway", "/v1/notifications/stream"), &token);
        call.header(HeaderName::from_static("last-event-id"), HeaderValue::from_static(last))
    };
    for last in ["x", "-1", "1.5", "99999999999999999999"] {
        let opened = system.client.open(stream(last)).await.unwrap();
        assert_eq!(opened.status, 400, "{last}");
    }
    let anonymous = Call::get("gateway", "/v1/notifications/stream");
    assert_eq!(system.client.open(anonymous).await.unwrap().status, 401);
    let mut open = Vec::new();
    for _ in 0..notifications::stream::MAX_STREAMS_EACH {
        open.push(system.client.open(stream("0")).await.unwrap());
    }
    assert!(open.iter().all(|opened| opened.status == 200));
    assert_eq!(system.client.open(stream("0")).await.unwrap().status, 429);

    let put = |url: &str| {
        let body = SetWebhook { url: url.to_owned() };
        let call = Call::new(Method::PUT, "gateway", "/v1/notifications/webhook").json(&body);
        with_token(call, &token)
    };
    for url in ["http://example.org/", "https://10.0.0.1/", "https://localhost/", "nonsense"] {
        let refused = problem(&system.send(put(url)).await);
        assert_eq!((refused.status, refused.errors[0].field.as_str()), (422, "url"), "{url}");
    }
    assert_eq!(system.get("/v1/notifications/webhook", &token).await.status, 404);
    let limit = problem(&system.get("/v1/notifications?limit=0", &token).await);
    assert_eq!(limit.errors[0].field, "limit");
    let read = Call::post("gateway", "/v1/notifications/read").json(&MarkRead { up_to: -1 });
    let read = problem(&system.send(with_token(read, &token)).await);
    assert_eq!(read.errors[0].field, "up_to");
    system.stop().await;
}

type Calls = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// A receiver of webhooks that gives `answers` one after the other, and 204 then.
async fn receiver(answers: Vec<u16>) -> (String, Calls) {
    let calls = Calls::default();
    let kept = Arc::clone(&calls);
    let hook = move |headers: HeaderMap, body: String| {
        let mut calls = kept.lock().unwrap();
        let answer = answers.get(calls.len()).copied().unwrap_or(204);
        calls.push((headers, body));
        let status = StatusCode::from_u16(answer).unwrap();
        async move { status }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = Router::new().route("/hook", post(hook));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, calls)
}

fn hasty() -> Setting {
    let notifications = notifications::Settings {
        webhook_inside: true,
        first_pause_ms: 1,
        ..notifications::Settings::default()
    };
    Setting { notifications, ..Setting::default() }
}

async fn set_webhook(system: &System, token: &str, url: &str) -> Reply {
    let body = SetWebhook { url: url.to_owned() };
    let call = Call::new(Method::PUT, "gateway", "/v1/notifications/webhook").json(&body);
    system.send(with_token(call, token)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_called_until_it_takes_it_and_given_up_in_the_end() {
    let system = System::start(hasty()).await;
    let (_, token) = system.customer("ada@example.org").await;
    let (url, calls) = receiver(vec![500, 404]).await;
    let set: Webhook = set_webhook(&system, &token, &url).await.json().unwrap();
    let read = system.get("/v1/notifications/webhook", &token).await;
    assert!(read.json::<Webhook>().unwrap() == set && set.secret.starts_with("whsec_"));
    let again: Webhook = set_webhook(&system, &token, &url).await.json().unwrap();
    assert_ne!(again.secret, set.secret, "each setting makes another secret");

    let placed: Order = system.place(&token, "first", &order(900)).await.json().unwrap();
    for told in system.told_of(&token, 2).await {
        let sent = system.delivered(&token, told.id, Channel::Webhook, DeliveryState::Sent).await;
        assert_eq!(sent.reason, "");
    }
    let seen = calls.lock().unwrap().clone();
    let ids: Vec<_> = seen.iter().map(|(headers, _)| headers["webhook-id"].clone()).collect();
    assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (4, 2), "{ids:?}");
    for (headers, body) in &seen {
        let body: WebhookBody = serde_json::from_str(body).unwrap();
        assert_eq!(body.data.order, placed.id);
        assert_eq!(headers["webhook-id"], format!("{}.webhook", body.data.id));
        assert!(headers["webhook-signature"].to_str().unwrap().starts_with("v1,"));
    }

    // A receiver that is away costs the delivery and nothing else.
    let (gone, _) = ("http://127.0.0.1:1/hook", ());
    set_webhook(&system, &token, gone).await;
    system.place(&token, "second", &order(900)).await;
    let told = system.told_of(&token, 4).await;
    let dead = |id| system.delivered(&token, id, Channel::Webhook, DeliveryState::Dead);
    let lost = dead(told[3].id).await;
    assert_eq!(lost.attempts, notifications::domain::MAX_ATTEMPTS);
    assert!(lost.reason.starts_with("given up after 8 attempts"), "{lost:?}");
    dead(told[2].id).await;
    let listed: DeadDeliveries =
        system.send(Call::get("notifications", "/internal/deliveries/dead")).await.json().unwrap();
    assert_eq!((listed.count, listed.deliveries.len()), (2, 2));
    assert!(system.notified().await.holds);

    // Redriven ones are tried again: one by its id, the other with all.
    let (url, calls) = receiver(Vec::new()).await;
    set_webhook(&system, &token, &url).await;
    for ids in [vec![told[3].id], Vec::new()] {
        let redrive = Call::post("notifications", "/internal/deliveries/redrive");
        let done = system.send(redrive.json(&Redrive { ids })).await;
        assert_eq!(done.json::<Redriven>().unwrap().redriven, 1);
    }
    for told in &told[2..] {
        system.delivered(&token, told.id, Channel::Webhook, DeliveryState::Sent).await;
    }
    assert_eq!(calls.lock().unwrap().len(), 2);

    // Who says that he is gone is called once.
    let (url, calls) = receiver(vec![410, 410]).await;
    set_webhook(&system, &token, &url).await;
    system.place(&token, "third", &order(900)).await;
    let told = system.told_of(&token, 6).await;
    dead(told[4].id).await;
    assert!(!calls.lock().unwrap().is_empty());
    assert_eq!(system.get("/v1/notifications/webhook", &token).await.status, 404);
    let report = system.notified().await;
    assert!(report.holds, "{report:?}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_of_an_order_waits_for_its_customer_and_is_told_once() {
    let mut system =
        System::start(Setting { without: &["notifications"], ..Setting::default() }).await;
    let (_, token) = system.customer("ada@example.org").await;
    system.place(&token, "first", &order(900)).await;
    // Payments tell of an order that orders cannot tell of now.
    system.stop_one("orders").await;
    system.start_late("notifications").await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let report = system.notified().await;
        assert!(report.holds, "{report:?}");
        if report.figure("every_event_is_told", "without_customer") == Some(1) {
            break;
        }
        assert!(Instant::now() < deadline, "{report:?}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(system.told(&token).await.notifications, []);
    system.start_late("orders").await;
    system.told_of(&token, 2).await;

    for producer in ["orders", "payments"] {
        let replay = Replay { producer: producer.to_owned(), after: 0 };
        system.send(Call::post("notifications", "/internal/replay").json(&replay)).await;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let inbox = system.send(Call::get("notifications", "/internal/inbox")).await;
            let tallies: Vec<Tally> = inbox.json().unwrap();
            let mine = tallies.into_iter().find(|tally| tally.producer == producer).unwrap();
            if mine.duplicates > 0 && mine.in_flight == 0 {
                break;
            }
            assert!(Instant::now() < deadline, "{mine:?}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
    assert_eq!(system.told_of(&token, 2).await.len(), 2);
    assert!(system.notified().await.holds);

    // Each sentence is false where it should be.
    let cases = [
        ("every_event_is_told", "UPDATE counters SET value = value + ? WHERE name = 'events'"),
        (
            "every_delivery_is_somewhere",
            "UPDATE deliveries SET state = 'lost' WHERE ? = 1 AND channel = 'email'",
        ),
        (
            "nothing_is_sent_twice",
            "UPDATE deliveries SET times_sent = times_sent + ? WHERE channel = 'in_app'",
        ),
        ("nothing_is_sent_twice", "DELETE FROM messages WHERE ? = 1"),
    ];
    for (name, sql) in cases {
        let mut broken = system.notified().await;
        let holds = |report: &Report, name: &str| {
            report.invariants.iter().find(|found| found.name == name).unwrap().holds
        };
        if name != "nothing_is_sent_twice" {
            assert!(holds(&broken, name), "{broken:?}");
        }
        system.meddle("notifications", sql.replace('?', "1")).await;
        broken = system.notified().await;
        assert!(!broken.holds && !holds(&broken, name), "{sql}: {broken:?}");
        let undo = match name {
            "every_event_is_told" => "UPDATE counters SET value = value - 1 WHERE name = 'events'",
            "every_delivery_is_somewhere" => {
                "UPDATE deliveries SET state = 'suppressed' WHERE state = 'lost'"
            }
            _ => "UPDATE deliveries SET times_sent = 1 WHERE channel = 'in_app'",
        };
        system.meddle("notifications", undo.to_owned()).await;
    }
    system.stop().await;
}
