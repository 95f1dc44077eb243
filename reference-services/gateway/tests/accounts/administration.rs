//! Administrators at the door: how there comes to be one, what roles do, what the audit
//! log says and how it shows that somebody tampered with it, and keys on request.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use chassis::Call;
use contracts::accounts::{
    Account, AuditPage, Claim, ROLE_ADMINISTRATOR, ROLE_SUPPORT, RotateKeys, Session,
};
use http::Method;
use http::header::RETRY_AFTER;
use uuid::Uuid;

use crate::people::{PATIENCE, fields};
use crate::running::{PASSWORD, Setting, System, with_token};

const LOG: &str = "audit_log_is_whole";

impl System {
    async fn claim(&self, token: &str, secret: &str) -> u16 {
        let body = Claim { secret: secret.to_owned() };
        self.post("/v1/administrators/first", token, &body).await.status.as_u16()
    }

    fn secret(&self) -> String {
        let file = self.data_dir("auth").join(auth::FIRST_ADMINISTRATOR_FILE);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::read_to_string(file).unwrap()
    }

    /// Somebody who has become the first administrator, with a token that says so.
    async fn administrator(&self, email: &str) -> Session {
        self.register(email).await;
        let session = self.session(email).await;
        assert_eq!(self.claim(&session.access_token, &self.secret()).await, 200);
        self.refreshed(&session.refresh_token).await
    }

    async fn account(&self, token: &str) -> Account {
        let me: contracts::accounts::Introspection =
            self.get("/v1/me", token).await.json().unwrap();
        me.account
    }

    async fn log(&self, token: &str) -> AuditPage {
        let reply = self.get("/v1/audit?limit=200", token).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json().unwrap()
    }

    async fn log_is_whole(&self) -> bool {
        let report = self.report("auth").await;
        report.invariants.iter().find(|found| found.name == LOG).unwrap().holds
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_are_given_and_taken_by_administrators() {
    let system = System::start(Setting::default()).await;
    for email in ["ada@example.org", "bob@example.org"] {
        system.register(email).await;
    }
    let ada = system.session("ada@example.org").await;
    let bob = system.session("bob@example.org").await;
    let bob_id = system.account(&bob.access_token).await.id;
    assert_eq!(system.claim(&ada.access_token, "a guess").await, 403);
    assert_eq!(system.claim(&ada.access_token, &system.secret()).await, 200);
    assert_eq!(system.claim(&bob.access_token, &system.secret()).await, 409, "there is one");
    // A token says what its account could do when it was made.
    assert_eq!(system.get("/v1/audit", &ada.access_token).await.status, 403);
    let ada = system.refreshed(&ada.refresh_token).await;
    assert_eq!(system.get("/v1/audit", &ada.access_token).await.status, 200);

    let (admin, bobs) = (ada.access_token.as_str(), bob.access_token.as_str());
    let role = |id: Uuid, role: &str| format!("/v1/accounts/{id}/roles/{role}");
    let ada_id = system.account(admin).await.id;
    let cases = [
        (Method::PUT, role(bob_id, ROLE_SUPPORT), bobs, 403),
        (Method::PUT, role(bob_id, ROLE_SUPPORT), "", 401),
        (Method::PUT, role(Uuid::new_v4(), ROLE_SUPPORT), admin, 404),
        (Method::PUT, role(bob_id, "king"), admin, 422),
        (Method::DELETE, role(bob_id, "customer"), admin, 409),
        (Method::DELETE, role(ada_id, ROLE_ADMINISTRATOR), admin, 409),
        (Method::PUT, role(bob_id, ROLE_SUPPORT), admin, 200),
        (Method::PUT, role(bob_id, ROLE_SUPPORT), admin, 200),
    ];
    for (method, path, token, status) in cases {
        let reply = system.with(method.clone(), &path, token).await;
        assert_eq!(reply.status, status, "{method} {path}");
    }
    let wrong = system.with(Method::PUT, "/v1/accounts/x/roles/y", admin).await;
    assert_eq!(fields(&wrong), ["id", "role"]);
    let bob = system.refreshed(&bob.refresh_token).await;
    assert_eq!(system.account(&bob.access_token).await.roles, ["customer", ROLE_SUPPORT]);

    // Past the gateway it is the database that is asked: what was taken is gone at once.
    system.with(Method::PUT, &role(bob_id, ROLE_ADMINISTRATOR), admin).await;
    let bob = system.refreshed(&bob.refresh_token).await;
    let path = role(ada_id, ROLE_ADMINISTRATOR);
    let taken = system.with(Method::DELETE, &path, &bob.access_token).await;
    assert_eq!(taken.json::<Account>().unwrap().roles, ["customer"]);
    let behind = with_token(Call::get("auth", "/v1/audit"), admin);
    assert_eq!(system.send(behind).await.status, 401);
    system.refused_at_the_door(admin).await;
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_log_says_what_happened_and_holds_nothing_personal() {
    let system = System::start(Setting::default()).await;
    let session = system.administrator("ada.lovelace@example.org").await;
    let spent = session.refresh_token.clone();
    let next = system.refreshed(&spent).await;
    assert_eq!(system.refresh(&spent).await.status, 401);
    for _ in 0..6 {
        system.log_in("someone@example.org", "wrong horse battery").await;
    }
    let session = system.session("ada.lovelace@example.org").await;
    let page = system.log(&session.access_token).await;
    let kinds: Vec<_> = page.rows.iter().map(|row| row.kind.as_str()).collect();
    let refused = ["login_refused"; 5];
    let expected = [
        &["registered", "login", "role_granted", "refreshed", "refreshed"][..],
        &["reuse_found", "session_revoked"],
        &refused,
        &["login_locked", "login"],
    ];
    assert_eq!(kinds, expected.concat());
    assert_eq!((page.length, page.rows.last().unwrap().number), (14, 14));
    let reuse = &page.rows[5];
    assert_eq!(reuse.session, next.session.to_string());

    let text = serde_json::to_string(&page).unwrap();
    for personal in
        ["lovelace", "someone", "example.org", "127.0.0.1", PASSWORD, "wrong horse", &spent]
    {
        assert!(!text.contains(personal), "`{personal}` is in the log");
    }
    // The same address has the same alias: one can see that it was one person.
    let aliases: Vec<_> = page.rows[7..12].iter().map(|row| row.detail.as_str()).collect();
    assert!(aliases.iter().all(|alias| *alias == aliases[0]));

    let read = |query: &str| format!("/v1/audit{query}");
    let mut after = 0;
    for expected in [5, 5, 4, 0] {
        let path = read(&format!("?after={after}&limit=5"));
        let part: AuditPage = system.get(&path, &session.access_token).await.json().unwrap();
        assert_eq!(part.rows.len(), expected);
        after = part.rows.last().map_or(after, |row| row.number);
    }
    for (query, field) in [("?limit=0", "limit"), ("?limit=201", "limit"), ("?after=-1", "after")] {
        let reply = system.get(&read(query), &session.access_token).await;
        assert_eq!(fields(&reply), [field], "{query}");
    }
    assert!(system.log_is_whole().await);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tampering_with_the_audit_log_is_found() {
    let without = &["orders", "catalog", "payments", "shipping", "notifications", "users"];
    let mut system = System::start(Setting { without, ..Setting::default() }).await;
    system.register("ada@example.org").await;
    system.session("ada@example.org").await;
    // What somebody has who keeps a copy of the database.
    system.meddle("auth", "CREATE TABLE old_head AS SELECT * FROM audit_head".to_owned()).await;
    for _ in 0..3 {
        system.session("ada@example.org").await;
    }
    assert!(system.log_is_whole().await);
    let changes = [
        (
            "UPDATE audit SET at_ms = at_ms + 1 WHERE number = 2",
            "UPDATE audit SET at_ms = at_ms - 1 WHERE number = 2",
        ),
        (
            "UPDATE audit SET kind = 'login' WHERE number = 1",
            "UPDATE audit SET kind = 'registered' WHERE number = 1",
        ),
        (
            "UPDATE audit SET number = 1000 WHERE number = 3",
            "UPDATE audit SET number = 3 WHERE number = 1000",
        ),
        (
            "UPDATE audit SET number = 1000 WHERE number = 5",
            "UPDATE audit SET number = 5 WHERE number = 1000",
        ),
        ("UPDATE audit_head SET number = number - 1", "UPDATE audit_head SET number = number + 1"),
    ];
    for (change, undo) in changes {
        system.meddle("auth", change.to_owned()).await;
        assert!(!system.log_is_whole().await, "{change}");
        system.meddle("auth", undo.to_owned()).await;
        assert!(system.log_is_whole().await, "{undo}");
    }
    // The end is cut off, and the head put back as it was then.
    for sql in [
        "DELETE FROM audit WHERE number > (SELECT number FROM old_head)",
        "DELETE FROM audit_head",
        "INSERT INTO audit_head SELECT * FROM old_head",
    ] {
        system.meddle("auth", sql.to_owned()).await;
    }
    assert!(!system.log_is_whole().await, "the end is missing");
    system.stop_one("auth").await;
    system.start_late("auth").await;
    assert!(!system.log_is_whole().await, "the end is missing after a restart too");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_lets_another_key_sign() {
    let system = System::start(Setting::default()).await;
    let ada = system.administrator("ada@example.org").await;
    let ask = RotateKeys { compromised: false };
    let early = system.post("/v1/keys/rotate", &ada.access_token, &ask).await;
    assert_eq!(early.status, 409, "others may not know the next key");
    assert!(early.headers.contains_key(RETRY_AFTER));
    system.stop().await;

    let accounts = auth::Settings { published_ahead: Duration::ZERO, ..auth::Settings::default() };
    let system = System::start(Setting { accounts, ..Setting::default() }).await;
    let ada = system.administrator("ada@example.org").await;
    system.register("bob@example.org").await;
    let bob = system.session("bob@example.org").await;
    assert_eq!(system.post("/v1/keys/rotate", &bob.access_token, &ask).await.status, 403);
    assert_eq!(system.post("/v1/keys/rotate", &ada.access_token, &ask).await.status, 204);
    let kept = system.send(with_token(Call::get("auth", "/v1/totp"), &bob.access_token)).await;
    assert_eq!(kept.status, 200, "what the old key signed is good until it ends");
    let next = system.refreshed(&ada.refresh_token).await;
    let withdraw = RotateKeys { compromised: true };
    assert_eq!(system.post("/v1/keys/rotate", &next.access_token, &withdraw).await.status, 204);
    let gone = system.send(with_token(Call::get("auth", "/v1/totp"), &next.access_token)).await;
    assert_eq!(gone.status, 401, "what a withdrawn key signed is not");
    let after = system.refreshed(&next.refresh_token).await;
    // The gateway asks for keys that it does not know, and not more often than each second.
    let deadline = Instant::now() + PATIENCE;
    while system.get("/v1/me", &after.access_token).await.status != 200 {
        assert!(Instant::now() < deadline, "the gateway does not get to know the new key");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let log = system.log(&after.access_token).await;
    let rotations = log.rows.iter().filter(|row| row.kind == "keys_rotated");
    assert_eq!(rotations.count(), 2);
    assert!(system.report("auth").await.holds);
    system.stop().await;
}
