//! Wrong attempts at the door: they make waits, for accounts that exist and that do not,
//! and nobody waits for ever for what somebody else did.

use std::time::Duration;

use auth::lockout::{FREE_FOR_ACCOUNT, FREE_FOR_ADDRESS};
use chassis::{Call, Reply};
use contracts::accounts::{CLIENT_ADDRESS, Credentials};
use contracts::problem::Problem;
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue};

use crate::people::problem;
use crate::running::{PASSWORD, Setting, System};

const WRONG: &str = "wrong horse battery";

impl System {
    /// A login from an address, as a gateway tells `auth` of it.
    async fn login_from(&self, peer: &'static str, from: &str, who: &str, password: &str) -> Reply {
        let credentials = Credentials { email: who.to_owned(), password: password.to_owned() };
        let call = Call::post(peer, "/v1/login").json(&credentials);
        let (name, from) = (HeaderName::from_static(CLIENT_ADDRESS), HeaderValue::try_from(from));
        self.send(call.header(name, from.unwrap())).await
    }

    async fn at_auth(&self, from: &str, who: &str, password: &str) -> u16 {
        self.login_from("auth", from, who, password).await.status.as_u16()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_passwords_make_waits_that_do_not_tell_who_has_an_account() {
    let system = System::start(Setting::default()).await;
    system.register("ada@example.org").await;
    let mut answers = Vec::new();
    for email in ["ada@example.org", "nobody@example.org"] {
        let mut seen = Vec::new();
        for _ in 0..=FREE_FOR_ACCOUNT {
            let reply = system.log_in(email, WRONG).await;
            let retry = reply.headers.get(RETRY_AFTER).cloned();
            seen.push((reply.status, retry, Problem { trace_id: None, ..problem(&reply) }));
        }
        let statuses: Vec<_> = seen.iter().map(|(status, ..)| status.as_u16()).collect();
        assert_eq!(statuses, [401, 401, 401, 401, 401, 429], "{email}");
        assert_eq!(seen.last().unwrap().1.as_ref().unwrap(), "1");
        answers.push(seen);
    }
    assert_eq!(answers[0], answers[1]);
    // The right password waits as well, and then it is good.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(system.log_in("ada@example.org", PASSWORD).await.status, 200);
    let metrics = system.metrics("auth").await;
    for line in ["auth_lockouts_total{by=\"account\"} 2", "auth_logins_total{outcome=\"locked\"} 2"]
    {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_not_many_free_attempts() {
    let system = System::start(Setting::default()).await;
    system.register("ada@example.org").await;
    let attempt = || system.at_auth("10.0.0.9", "ada@example.org", WRONG);
    let (a, b, c, d, e, f, g, h, i, j) = tokio::join!(
        attempt(),
        attempt(),
        attempt(),
        attempt(),
        attempt(),
        attempt(),
        attempt(),
        attempt(),
        attempt(),
        attempt(),
    );
    let heard = [a, b, c, d, e, f, g, h, i, j].into_iter().filter(|status| *status == 401);
    assert_eq!(heard.count() as i64, FREE_FOR_ACCOUNT);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_locked_out_by_others() {
    let system = System::start(Setting::default()).await;
    for email in ["ada@example.org", "bob@example.org"] {
        system.register(email).await;
    }
    let (home, stranger) = ("2001:db8:1:2::1", "10.0.0.9");
    assert_eq!(system.at_auth(home, "ada@example.org", PASSWORD).await, 200);
    for _ in 0..FREE_FOR_ACCOUNT {
        assert_eq!(system.at_auth(stranger, "ada@example.org", WRONG).await, 401);
    }
    let cases = [
        (stranger, "ada@example.org", 429),
        ("10.0.0.10", "ada@example.org", 429),
        // From where she has logged in before (the same network), she still can.
        ("2001:db8:1:2::77", "ada@example.org", 200),
        (stranger, "bob@example.org", 200),
    ];
    for (from, who, status) in cases {
        assert_eq!(system.at_auth(from, who, PASSWORD).await, status, "{who} from {from}");
    }

    let noisy = "10.0.0.66";
    for number in 0..FREE_FOR_ADDRESS {
        let nobody = format!("nobody-{number}@example.org");
        assert_eq!(system.at_auth(noisy, &nobody, WRONG).await, 401, "{number}");
    }
    assert_eq!(system.at_auth(noisy, "bob@example.org", PASSWORD).await, 429);
    assert_eq!(system.at_auth("10.0.0.67", "bob@example.org", PASSWORD).await, 200);
    // What a client says of his address does not pass the gateway.
    let forged = system.login_from("gateway", noisy, "bob@example.org", PASSWORD).await;
    assert_eq!(forged.status, 200);
    system.stop().await;
}
