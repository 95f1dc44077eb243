//! Second factors at the door: enrolled, confirmed, asked for, used once, turned off.

use std::collections::BTreeSet;

use auth::totp::{STEP_MS, code, from_base32};
use chassis::{Call, Reply};
use contracts::accounts::{
    Challenge, ChallengeAnswer, Code, Enrolment, Password, PasswordAndCode, RecoveryCodes,
    SecondFactor, Session,
};

use crate::people::fields;
use crate::running::{PASSWORD, Setting, System};

const EMAIL: &str = "ada@example.org";

impl System {
    async fn second_factor(&self, token: &str) -> SecondFactor {
        self.get("/v1/totp", token).await.json().unwrap()
    }

    async fn enrol(&self, token: &str, password: &str) -> Reply {
        self.post("/v1/totp", token, &Password { password: password.to_owned() }).await
    }

    async fn confirm(&self, token: &str, code: &str) -> Reply {
        self.post("/v1/totp/confirm", token, &Code { code: code.to_owned() }).await
    }

    async fn disable(&self, token: &str, password: &str, code: &str) -> Reply {
        let body = PasswordAndCode { password: password.to_owned(), code: code.to_owned() };
        self.post("/v1/totp/disable", token, &body).await
    }

    async fn challenged(&self) -> String {
        let reply = self.log_in(EMAIL, PASSWORD).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        reply.json::<Challenge>().unwrap().challenge
    }

    async fn answer(&self, challenge: &str, code: &str) -> Reply {
        let body = ChallengeAnswer { challenge: challenge.to_owned(), code: code.to_owned() };
        self.send(Call::post("gateway", "/v1/login/code").json(&body)).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_factor_is_asked_for_and_each_code_is_good_once() {
    let system = System::start(Setting::default()).await;
    system.register(EMAIL).await;
    let token = system.session(EMAIL).await.access_token;
    assert_eq!(fields(&system.enrol(&token, "wrong horse").await), ["password"]);
    let enrolled: Enrolment = system.enrol(&token, PASSWORD).await.json().unwrap();
    assert!(enrolled.uri.starts_with("otpauth://totp/CloudScale:ada%40example.org?secret="));
    assert!(enrolled.uri.contains(&enrolled.secret));
    // Until it is confirmed, nothing is asked for.
    assert_eq!(system.log_in(EMAIL, PASSWORD).await.status, 200);
    let secret = from_base32(&enrolled.secret).unwrap();
    let now = chassis::clock::now_ms() / STEP_MS;
    assert_eq!(fields(&system.confirm(&token, &code(&secret, now - 20)).await), ["code"]);
    let confirmed = system.confirm(&token, &code(&secret, now)).await;
    let RecoveryCodes { recovery_codes } = confirmed.json().unwrap();
    assert_eq!(recovery_codes.iter().collect::<BTreeSet<_>>().len(), 10);
    let expected = SecondFactor { on: true, recovery_codes_left: 10 };
    assert_eq!(system.second_factor(&token).await, expected);
    assert_eq!(system.enrol(&token, PASSWORD).await.status, 409);

    let challenge = system.challenged().await;
    let cases = [
        (challenge.as_str(), code(&secret, now), 401, "which has confirmed it"),
        (&challenge, code(&secret, now - 20), 401, "of long ago"),
        (&challenge, String::new(), 401, "that is none"),
        ("nothing", code(&secret, now + 1), 401, "for no challenge"),
        (&challenge, code(&secret, now + 1), 200, "of now"),
        (&challenge, code(&secret, now + 1), 401, "for a challenge that is over"),
    ];
    for (challenge, code, status, what) in cases {
        let reply = system.answer(challenge, &code).await;
        assert_eq!(reply.status, status, "a code {what}");
        if status == 200 {
            let session: Session = reply.json().unwrap();
            assert_eq!(system.get("/v1/me", &session.access_token).await.status, 200);
        }
    }
    let again = system.challenged().await;
    assert_eq!(system.answer(&again, &code(&secret, now + 1)).await.status, 401, "used before");
    let typed = recovery_codes[3].to_uppercase().replace('-', " ");
    assert_eq!(system.answer(&again, &typed).await.status, 200, "a recovery code");
    let third = system.challenged().await;
    assert_eq!(system.answer(&third, &recovery_codes[3]).await.status, 401, "used before");
    assert_eq!(system.second_factor(&token).await.recovery_codes_left, 9);

    // What lies in the database shows neither the secret nor a code.
    for (name, bytes) in system.kept("auth").await {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&enrolled.secret), "the secret lies in `{name}`");
        assert!(recovery_codes.iter().all(|code| !text.contains(code.as_str())), "{name}");
    }

    let wrong = system.disable(&token, "wrong horse", &recovery_codes[0]).await;
    assert_eq!(fields(&wrong), ["password"]);
    assert_eq!(fields(&system.disable(&token, PASSWORD, "000000").await), ["code"]);
    assert_eq!(system.disable(&token, PASSWORD, &recovery_codes[0]).await.status, 204);
    assert_eq!(system.disable(&token, PASSWORD, &recovery_codes[1]).await.status, 409);
    assert_eq!(system.log_in(EMAIL, PASSWORD).await.status, 200);
    assert_eq!(system.answer(&third, &recovery_codes[1]).await.status, 401);
    let report = system.report("auth").await;
    assert!(report.holds, "{report:?}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_is_good_for_few_codes() {
    let system = System::start(Setting::default()).await;
    system.register(EMAIL).await;
    let token = system.session(EMAIL).await.access_token;
    let enrolled: Enrolment = system.enrol(&token, PASSWORD).await.json().unwrap();
    let secret = from_base32(&enrolled.secret).unwrap();
    let now = chassis::clock::now_ms() / STEP_MS;
    let confirmed = system.confirm(&token, &code(&secret, now)).await;
    let codes = confirmed.json::<RecoveryCodes>().unwrap().recovery_codes;
    let challenge = system.challenged().await;
    for _ in 0..auth::domain::MAX_CODES_A_CHALLENGE {
        assert_eq!(system.answer(&challenge, "000000").await.status, 401);
    }
    assert_eq!(system.answer(&challenge, &codes[0]).await.status, 401, "it is over");
    let challenge = system.challenged().await;
    assert_eq!(system.answer(&challenge, &codes[0]).await.status, 200);
    system.stop().await;
}
