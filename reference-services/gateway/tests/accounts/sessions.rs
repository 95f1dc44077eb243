//! Sessions at the door: tokens that are taken for new ones, spent ones that come again,
//! and sessions that are ended.

use chassis::Call;
use contracts::accounts::{ChangePassword, Ended, Revocations, Session};
use http::Method;
use uuid::Uuid;

use crate::people::{fields, problem};
use crate::running::{PASSWORD, Setting, System, with_token};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_is_good_once_and_brings_the_next_one() {
    let system = System::start(Setting::default()).await;
    system.register("ada@example.org").await;
    let first = system.session("ada@example.org").await;
    let mut newest = first.clone();
    for _ in 0..5 {
        let next = system.refreshed(&newest.refresh_token).await;
        assert_eq!(next.session, first.session);
        assert!(next.refresh_token != newest.refresh_token && next.expires_in_s <= 300);
        assert_eq!(system.get("/v1/me", &next.access_token).await.status, 200);
        newest = next;
    }
    let other = system.session("ada@example.org").await;
    // A spent one comes again: nobody can tell who stole what, so the family ends.
    assert_eq!(system.refresh(&first.refresh_token).await.status, 401);
    assert_eq!(system.refresh(&newest.refresh_token).await.status, 401);
    assert_eq!(system.get("/v1/me", &newest.access_token).await.status, 401);
    system.refused_at_the_door(&newest.access_token).await;
    system.refused_at_the_door(&first.access_token).await;
    // The other family is none of theirs.
    assert_eq!(system.get("/v1/orders", &other.access_token).await.status, 200);
    let other = system.refreshed(&other.refresh_token).await;
    for wrong in ["", "x", &other.access_token, &Uuid::new_v4().to_string()] {
        let refused = system.refresh(wrong).await;
        assert_eq!((refused.status.as_u16(), problem(&refused).status), (401, 401), "{wrong}");
    }
    let metrics = system.metrics("auth").await;
    for line in [
        "auth_refreshes_total{outcome=\"ok\"} 6",
        "auth_refreshes_total{outcome=\"reused\"} 1",
        "auth_refreshes_total{outcome=\"refused\"} 5",
        "auth_logins_total{outcome=\"ok\"} 2",
        "auth_registrations_total 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    let report = system.report("auth").await;
    assert!(report.holds, "{report:?}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_refreshes_at_once_one_succeeds_and_the_family_ends() {
    let system = System::start(Setting::default()).await;
    system.register("ada@example.org").await;
    for _ in 0..5 {
        let begun = system.session("ada@example.org").await;
        let token = begun.refresh_token.as_str();
        let (a, b, c) =
            tokio::join!(system.refresh(token), system.refresh(token), system.refresh(token));
        let good = [a, b, c].into_iter().filter(|reply| reply.status == 200).collect::<Vec<_>>();
        assert_eq!(good.len(), 1);
        let winner: Session = good[0].json().unwrap();
        assert_eq!(system.refresh(&winner.refresh_token).await.status, 401);
        assert_eq!(system.get("/v1/me", &winner.access_token).await.status, 401);
    }
    assert!(system.report("auth").await.holds);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_listed_and_ended_one_by_one_or_all() {
    let system = System::start(Setting::default()).await;
    for email in ["ada@example.org", "eve@example.org"] {
        system.register(email).await;
    }
    let agents = [
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1",
        "curl/8.5.0",
    ];
    let mut begun = Vec::new();
    for agent in agents {
        begun.push(system.session_on("ada@example.org", agent).await);
    }
    let stranger = system.session("eve@example.org").await;
    let [laptop, phone, curl] = &begun[..] else { unreachable!() };
    let listed = system.sessions(&laptop.access_token).await;
    let devices: Vec<_> = listed.iter().map(|line| (line.device.as_str(), line.current)).collect();
    let expected = [("curl", false), ("Safari on iPhone", false), ("Firefox on Linux", true)];
    assert_eq!(devices, expected);
    assert!(
        listed.iter().all(|line| line.created_ms <= line.used_ms && line.used_ms < line.ends_ms)
    );

    let end = |id: Uuid| format!("/v1/sessions/{id}");
    let cases = [
        (end(stranger.session), 404, None),
        (end(Uuid::new_v4()), 404, None),
        (end(phone.session), 204, None),
        (end(phone.session), 404, None),
        ("/v1/sessions/x".to_owned(), 422, Some("id")),
    ];
    for (path, status, field) in cases {
        let reply = system.with(Method::DELETE, &path, &laptop.access_token).await;
        assert_eq!(reply.status, status, "{path}");
        if let Some(field) = field {
            assert_eq!(fields(&reply), [field]);
        }
    }
    system.refused_at_the_door(&phone.access_token).await;
    assert_eq!(system.refresh(&phone.refresh_token).await.status, 401);
    assert_eq!(system.get("/v1/me", &stranger.access_token).await.status, 200);
    assert_eq!(system.sessions(&laptop.access_token).await.len(), 2);

    let everywhere = system.with(Method::DELETE, "/v1/sessions", &laptop.access_token).await;
    assert_eq!(everywhere.json::<Ended>().unwrap().ended, 2);
    for ended in [laptop, curl] {
        system.refused_at_the_door(&ended.access_token).await;
        assert_eq!(system.refresh(&ended.refresh_token).await.status, 401);
        let list = system.get("/v1/sessions", &ended.access_token).await;
        assert_eq!(list.status, 401);
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_has_so_many_sessions_and_the_one_not_used_makes_room() {
    let system = System::start(Setting::default()).await;
    system.register("ada@example.org").await;
    let first = system.session("ada@example.org").await;
    let second = system.session("ada@example.org").await;
    for _ in 2..auth::domain::MAX_SESSIONS {
        system.session("ada@example.org").await;
    }
    let first = system.refreshed(&first.refresh_token).await;
    let last = system.session("ada@example.org").await;
    let left = system.sessions(&last.access_token).await;
    assert_eq!(left.len(), auth::domain::MAX_SESSIONS);
    assert!(left.iter().any(|line| line.id == first.session));
    assert!(left.iter().all(|line| line.id != second.session));
    assert_eq!(system.refresh(&second.refresh_token).await.status, 401);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_password_ends_the_other_sessions() {
    let system = System::start(Setting::default()).await;
    system.register("ada@example.org").await;
    let (here, there) =
        (system.session("ada@example.org").await, system.session("ada@example.org").await);
    let change = |password: &str, new_password: &str| ChangePassword {
        password: password.to_owned(),
        new_password: new_password.to_owned(),
    };
    let cases = [
        (change(PASSWORD, "short"), 422, "new_password"),
        (change("wrong horse battery", "another horse battery"), 422, "password"),
        (change(PASSWORD, &"x".repeat(300)), 422, "new_password"),
    ];
    for (body, status, field) in cases {
        let refused = system.post("/v1/password", &here.access_token, &body).await;
        assert_eq!((refused.status.as_u16(), fields(&refused)), (status, vec![field.to_owned()]));
    }
    let body = change(PASSWORD, "another horse battery");
    let changed = system.post("/v1/password", &here.access_token, &body).await;
    assert_eq!(changed.json::<Ended>().unwrap().ended, 1);
    system.refused_at_the_door(&there.access_token).await;
    assert_eq!(system.get("/v1/me", &here.access_token).await.status, 200);
    assert_eq!(system.log_in("ada@example.org", PASSWORD).await.status, 401);
    assert_eq!(system.log_in("ada@example.org", "another horse battery").await.status, 200);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_starts_later_knows_who_was_ended() {
    let mut system = System::start(Setting::default()).await;
    system.register("ada@example.org").await;
    let begun = system.session("ada@example.org").await;
    system.stop_one("gateway").await;
    let end = Call::new(Method::DELETE, "auth", "/v1/sessions");
    assert_eq!(system.send(with_token(end, &begun.access_token)).await.status, 200);
    let lately: Revocations =
        system.send(Call::get("auth", "/internal/revocations")).await.json().unwrap();
    assert_eq!(lately.revoked[0].session, begun.session);
    system.start_late("gateway").await;
    system.refused_at_the_door(&begun.access_token).await;
    // Outside, nobody asks for that.
    assert_eq!(system.get("/internal/revocations", "").await.status, 404);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_hears_of_it_the_short_life_of_the_token_is_the_bound() {
    let accounts = auth::Settings {
        token_lifetime: std::time::Duration::from_secs(1),
        ..auth::Settings::default()
    };
    let system = System::start(Setting { accounts, ..Setting::default() }).await;
    system.register("ada@example.org").await;
    let begun = system.session("ada@example.org").await;
    assert_eq!(begun.expires_in_s, 1);
    system.with(Method::DELETE, "/v1/sessions", &begun.access_token).await;
    // Past the gateway, at a service that checks tokens by itself and hears of no sessions.
    let bound = begun.expires_in_s + chassis::token::LEEWAY_S + 1;
    tokio::time::sleep(std::time::Duration::from_secs(bound)).await;
    let behind = Call::get("orders", "/v1/orders");
    assert_eq!(system.send(with_token(behind, &begun.access_token)).await.status, 401);
    // By then nobody has to remember the session.
    let lately: Revocations =
        system.send(Call::get("auth", "/internal/revocations")).await.json().unwrap();
    assert!(lately.revoked.len() <= 1);
    system.stop().await;
}
