//! Profiles and preferences at the door, and what they do to what people are told.

use std::fs;
use std::time::{Duration, Instant};

use chassis::{Call, Reply};
use contracts::invariants::Report;
use contracts::messaging::Replay;
use contracts::notifications::{Channel, DeliveryState, Kind, Notifications, Told};
use contracts::users::{
    Address, ChangeProfile, Contact, Export, Language, Preferences, Profile, QuietHours,
};
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderValue, Method};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::problem;
use crate::running::{Setting, System, order, with_token};

/// How long a case waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

impl System {
    /// Waits until the profile of a new account is there.
    async fn profile(&self, token: &str) -> (Profile, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let read = self.get("/v1/profile", token).await;
            if read.status == 200 {
                let tag = read.headers[ETAG].to_str().unwrap().to_owned();
                return (read.json().unwrap(), tag);
            }
            assert!(read.status == 404 && Instant::now() < deadline, "{read:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn put(&self, path: &str, token: &str, tag: &str, body: &impl serde::Serialize) -> Reply {
        let mut call = with_token(Call::new(Method::PUT, "gateway", path).json(body), token);
        if !tag.is_empty() {
            call = call.header(IF_MATCH, HeaderValue::try_from(tag).unwrap());
        }
        self.send(call).await
    }

    async fn prefer(&self, token: &str, preferences: &Preferences) {
        let read = self.get("/v1/preferences", token).await;
        let tag = read.headers[ETAG].to_str().unwrap().to_owned();
        let put = self.put("/v1/preferences", token, &tag, preferences).await;
        assert_eq!(put.status, 200, "{put:?}");
    }

    async fn people(&self) -> Report {
        self.send(Call::get("users", "/invariants")).await.json().unwrap()
    }

    /// Waits until a channel of the customer's notification of this kind is settled; answers its
    /// state, its reason and the notification.
    async fn settled(
        &self,
        token: &str,
        kind: Kind,
        channel: Channel,
    ) -> (DeliveryState, String, Uuid) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let listed: Notifications = self.get("/v1/notifications", token).await.json().unwrap();
            if let Some(found) = listed.notifications.iter().find(|found| found.kind == kind) {
                let path = format!("/v1/notifications/{}", found.id);
                let told: Told = self.get(&path, token).await.json().unwrap();
                let mut deliveries = told.deliveries.into_iter();
                let delivery = deliveries.find(|found| found.channel == channel).unwrap();
                if delivery.state != DeliveryState::Waiting {
                    return (delivery.state, delivery.reason, told.id);
                }
            }
            assert!(Instant::now() < deadline, "{kind:?} is not settled: {listed:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn holds(report: &Report, name: &str) -> bool {
    report.invariants.iter().find(|found| found.name == name).unwrap().holds
}

fn ada() -> ChangeProfile {
    let address = Address {
        label: "home".to_owned(),
        recipient: "Ada Lovelace".to_owned(),
        street: "12 St James's Square".to_owned(),
        postal_code: "SW1Y 4JH".to_owned(),
        city: "London".to_owned(),
        country: "GB".to_owned(),
    };
    ChangeProfile {
        name: Some("Ada Lovelace".to_owned()),
        phone: Some("+442071234567".to_owned()),
        addresses: vec![address],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_is_changed_by_who_has_seen_it_and_lies_sealed() {
    let system = System::start(Setting::default()).await;
    let (account, token) = system.customer("ada.lovelace@example.org").await;
    let (profile, tag) = system.profile(&token).await;
    assert_eq!(
        (profile.id, profile.email.as_str(), tag.as_str()),
        (account.id, "ada.lovelace@example.org", "\"1\"")
    );
    let again = with_token(Call::get("gateway", "/v1/profile"), &token);
    let again = again.header(IF_NONE_MATCH, HeaderValue::from_static("\"1\""));
    assert_eq!(system.send(again).await.status, 304);

    // A tag that was made weak on its way, because the answer was packed, is as good.
    let cases =
        [("", 428), ("1", 400), ("W/\"7\"", 412), ("\"7\"", 412), ("W/\"1\"", 200), ("\"1\"", 412)];
    for (tag, status) in cases {
        let put = system.put("/v1/profile", &token, tag, &ada()).await;
        assert_eq!(put.status, status, "{tag}: {put:?}");
        if status != 200 {
            problem(&put);
        }
    }
    let (changed, tag) = system.profile(&token).await;
    assert!(changed.own == ada() && tag == "\"2\"" && changed.email == profile.email);

    let mut wrong = ada();
    wrong.addresses[0].country = "England".to_owned();
    wrong.phone = Some("none".to_owned());
    let refused = problem(&system.put("/v1/profile", &token, "\"2\"", &wrong).await);
    let fields: Vec<_> = refused.errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!((refused.status, fields), (422, vec!["phone", "addresses[0].country"]));
    let strange = serde_json::json!({ "name": "Ada", "admin": true });
    let refused = problem(&system.put("/v1/profile", &token, "\"2\"", &strange).await);
    assert_eq!(refused.errors[0].field, "admin");
    let zone = serde_json::json!({ "time_zone": "Mars/Olympus" });
    let refused = problem(&system.put("/v1/preferences", &token, "\"1\"", &zone).await);
    assert_eq!(refused.errors[0].field, "time_zone");
    assert_eq!(system.get("/v1/profile", "").await.status, 401);

    // Two at once: one of them wins.
    let (one, two) = (ada(), ChangeProfile { name: Some("Countess".to_owned()), ..ada() });
    let (one, two) = tokio::join!(
        system.put("/v1/profile", &token, "\"2\"", &one),
        system.put("/v1/profile", &token, "\"2\"", &two),
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);

    let export = system.get("/v1/profile/export", &token).await;
    assert!(export.headers["content-disposition"].to_str().unwrap().starts_with("attachment"));
    let export: Export = export.json().unwrap();
    assert_eq!(export.profile.own.addresses, ada().addresses);

    // Nothing personal is in anything that the service keeps.
    let mut full = 0;
    for (name, bytes) in system.kept("users").await {
        for secret in ["ada.lovelace", "Lovelace", "St James", "2071234567"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {name}");
        }
        full += usize::from(!bytes.is_empty());
    }
    assert!(full >= 2, "a database and its keys");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_removed_does_not_come_back_and_planted_faults_are_seen() {
    let system = System::start(Setting::default()).await;
    let (account, token) = system.customer("ada@example.org").await;
    let (_, other) = system.customer("bob@example.org").await;
    system.profile(&token).await;
    system.profile(&other).await;
    system.place(&token, "first", &order(900)).await;
    system.settled(&token, Kind::OrderConfirmed, Channel::InApp).await;

    for _ in 0..2 {
        let delete = with_token(Call::new(Method::DELETE, "gateway", "/v1/profile"), &token);
        assert_eq!(system.send(delete).await.status, 204);
    }
    assert_eq!(system.get("/v1/profile", &token).await.status, 404);
    let put = system.put("/v1/profile", &token, "\"1\"", &ada()).await;
    assert_eq!(put.status, 404);
    let path = format!("/internal/contacts/{}", account.id);
    let contact = Call::get("users", "/internal/contacts/{id}").path(path);
    assert_eq!(system.send(contact).await.status, 410);

    let replay = Replay { producer: "auth".to_owned(), after: 0 };
    system.send(Call::post("users", "/internal/replay").json(&replay)).await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let report = system.people().await;
        assert!(report.holds, "{report:?}");
        if report.figure("events_of_auth_are_accounted_for", "duplicates") == Some(2) {
            break;
        }
        assert!(Instant::now() < deadline, "{report:?}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(system.get("/v1/profile", &token).await.status, 404);
    // What was told to somebody who was removed is forgotten too.
    loop {
        let listed: Notifications = system.get("/v1/notifications", &token).await.json().unwrap();
        if listed.notifications.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "{listed:?}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }

    let (carol, _) = system.customer("carol@example.org").await;
    let deadline = Instant::now() + PATIENCE;
    while system.people().await.figure("every_registration_is_kept", "users") != Some(2) {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let swap = format!(
        "UPDATE users SET email = (SELECT email FROM users WHERE id <> '{0}') WHERE id = '{0}'",
        carol.id
    );
    system.meddle("users", swap).await;
    assert!(!holds(&system.people().await, "every_field_is_sealed"), "another's field");
    system
        .meddle("users", format!("UPDATE users SET own = '{{}}' WHERE id = '{}'", carol.id))
        .await;
    assert!(!holds(&system.people().await, "every_field_is_sealed"), "a field in clear");
    assert!(holds(&system.people().await, "every_registration_is_kept"));
    system.meddle("users", format!("DELETE FROM users WHERE id = '{}'", carol.id)).await;
    assert!(!holds(&system.people().await, "every_registration_is_kept"));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_changed_while_profiles_stay_readable() {
    let key = |id: &str, byte: &str| format!("{id}={}", byte.repeat(32));
    let (old, new) = (key("old", "1a"), key("new", "2b"));
    let with = |keys: String| Setting { users_keys: Some(keys), ..Setting::default() };
    let mut system = System::start(with(old.clone())).await;
    let (_, token) = system.customer("ada@example.org").await;
    system.profile(&token).await;
    system.stop_one("users").await;
    system.start_again("users", &with(format!("{new},{old}"))).await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = system.send(Call::get("users", "/metrics")).await.body;
        let text = String::from_utf8(text.to_vec()).unwrap();
        // Counted after all were sealed anew, and of a service that has looked.
        if text.contains("users_profiles 1\n") && text.contains("users_rows_with_old_keys 0\n") {
            break;
        }
        assert!(Instant::now() < deadline, "{text}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    system.stop_one("users").await;
    system.start_again("users", &with(new)).await;
    assert_eq!(system.profile(&token).await.0.email, "ada@example.org");
    assert!(system.people().await.holds);
    system.stop().await;
}

/// A mail server that says `answer` to every recipient and gives what it is sent.
async fn mail_server(answer: &'static str) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let (sender, mails) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                write.write_all(b"220 mail ESMTP\r\n").await.unwrap();
                let (mut data, mut text) = (false, String::new());
                while let Ok(Some(line)) = lines.next_line().await {
                    let word = line.get(..4).unwrap_or_default().to_uppercase();
                    let said = match (data, word.as_str()) {
                        (true, _) if line == "." => {
                            data = false;
                            let _ = sender.send(std::mem::take(&mut text));
                            "250 taken"
                        }
                        (true, _) => {
                            text.push_str(&format!("{line}\n"));
                            continue;
                        }
                        (_, "RCPT") => answer,
                        (_, "DATA") => {
                            data = true;
                            "354 go on"
                        }
                        _ => "250 good",
                    };
                    if write.write_all(format!("{said}\r\n").as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, mails)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_told_in_their_language_and_as_far_as_they_want() {
    let mut system = System::start(Setting { without: &["users"], ..Setting::default() }).await;
    let (_, token) = system.customer("ada@example.org").await;
    system.place(&token, "first", &order(900)).await;
    // Nobody can be asked how she wants to be told, so that waits, and is not lost.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let report = system.send(Call::get("notifications", "/invariants")).await;
        let report: Report = report.json().unwrap();
        assert!(report.holds, "{report:?}");
        if report.figure("every_event_is_told", "new") == Some(2) {
            break;
        }
        assert!(Instant::now() < deadline, "{report:?}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    system.start_late("users").await;
    let (state, _, id) = system.settled(&token, Kind::OrderConfirmed, Channel::Email).await;
    assert_eq!(state, DeliveryState::Sent);
    let file = system.data_dir("notifications").join("outbox").join(format!("{id}.email.eml"));
    let mail = fs::read_to_string(file).unwrap();
    assert!(
        mail.contains("To: ada@example.org") && mail.contains(&format!("<{id}.email@")),
        "{mail}"
    );
    let (state, reason, _) = system.settled(&token, Kind::PaymentReceived, Channel::Email).await;
    assert_eq!(
        (state, reason.as_str()),
        (DeliveryState::Suppressed, "the customer does not want it")
    );

    // Another customer: in German, and of confirmations by mail only.
    let (_, token) = system.customer("grace@example.org").await;
    system.profile(&token).await;
    let mut preferences = Preferences { language: Language::De, ..Preferences::default() };
    preferences.channels.insert(Kind::PaymentReceived, [Channel::InApp].into());
    system.prefer(&token, &preferences).await;
    system.place(&token, "second", &order(900)).await;
    let (state, _, id) = system.settled(&token, Kind::OrderConfirmed, Channel::Email).await;
    assert_eq!(state, DeliveryState::Sent);
    let listed: Notifications = system.get("/v1/notifications", &token).await.json().unwrap();
    let told = listed.notifications.iter().find(|told| told.id == id).unwrap();
    assert_eq!(told.subject, "Ihre Bestellung über 9,00\u{a0}EUR ist bestätigt");

    // In quiet hours mail waits, and the app does not.
    let (_, token) = system.customer("alan@example.org").await;
    system.profile(&token).await;
    let always = QuietHours { from: "00:00".to_owned(), to: "23:59".to_owned() };
    let preferences = Preferences { quiet_hours: Some(always), ..Preferences::default() };
    system.prefer(&token, &preferences).await;
    let contact = system.get("/v1/profile", &token).await.json::<Profile>().unwrap().id;
    let contact =
        Call::get("users", "/internal/contacts/{id}").path(format!("/internal/contacts/{contact}"));
    let contact: Contact = system.send(contact).await.json().unwrap();
    assert!(contact.preferences == preferences);
    system.place(&token, "third", &order(900)).await;
    let (state, _, id) = system.settled(&token, Kind::OrderConfirmed, Channel::InApp).await;
    assert_eq!(state, DeliveryState::Sent);
    let told: Told = system.get(&format!("/v1/notifications/{id}"), &token).await.json().unwrap();
    let mail = told.deliveries.iter().find(|found| found.channel == Channel::Email).unwrap();
    assert_eq!((mail.state, mail.attempts), (DeliveryState::Waiting, 0));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_to_the_server_and_what_it_refuses_for_good_is_not_sent_again() {
    for (answer, expected) in [
        ("250 good", DeliveryState::Sent),
        ("550 no such box: ada@example.org", DeliveryState::Dead),
    ] {
        let (url, mut mails) = mail_server(answer).await;
        let notifications = notifications::Settings {
            smtp_url: Some(url),
            first_pause_ms: 1,
            ..notifications::Settings::default()
        };
        let system = System::start(Setting { notifications, ..Setting::default() }).await;
        let (_, token) = system.customer("ada@example.org").await;
        system.profile(&token).await;
        system.place(&token, "first", &order(900)).await;
        let (state, reason, id) =
            system.settled(&token, Kind::OrderConfirmed, Channel::Email).await;
        assert_eq!(state, expected, "{answer}: {reason}");
        match expected {
            DeliveryState::Sent => {
                let mail = mails.recv().await.unwrap();
                for part in [format!("Message-ID: <{id}.email@"), "text/html".to_owned()] {
                    assert!(mail.contains(&part), "{part} is not in\n{mail}");
                }
            }
            // By its code: the server's words name the address.
            _ => assert!(reason.contains("550") && !reason.contains("ada@"), "{reason}"),
        }
        system.stop().await;
    }
}
