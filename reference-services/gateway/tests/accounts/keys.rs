//! Keys that sign: what is published, how they take turns, and that a restart keeps them.

use std::time::{Duration, Instant};

use chassis::Call;
use chassis::token::KEYS_PATH;
use jsonwebtoken::decode_header;
use jsonwebtoken::jwk::JwkSet;

use crate::people::PATIENCE;
use crate::running::{Setting, System, with_token};

impl System {
    async fn published(&self) -> Vec<String> {
        let reply = self.send(Call::get("auth", KEYS_PATH)).await;
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        assert!(!text.contains("\"d\""), "a private part is published");
        let set: JwkSet = serde_json::from_str(&text).unwrap();
        set.keys.into_iter().map(|key| key.common.key_id.unwrap()).collect()
    }
}

fn signer(token: &str) -> String {
    decode_header(token).unwrap().kid.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_take_turns_and_stay_until_their_tokens_have_ended() {
    let accounts = auth::Settings {
        token_lifetime: Duration::from_secs(60),
        rotate_every: Duration::from_secs(1),
        published_ahead: Duration::ZERO,
    };
    let mut system = System::start(Setting { accounts, ..Setting::default() }).await;
    system.register("ada@example.org").await;
    let old = system.session("ada@example.org").await;
    let before = system.published().await;
    assert!(before.len() >= 2 && before.contains(&signer(&old.access_token)), "{before:?}");
    let deadline = Instant::now() + PATIENCE;
    let mut newest = system.refreshed(&old.refresh_token).await;
    while signer(&newest.access_token) == signer(&old.access_token) {
        assert!(Instant::now() < deadline, "no other key signs");
        tokio::time::sleep(Duration::from_millis(200)).await;
        newest = system.refreshed(&newest.refresh_token).await;
    }
    assert!(before.contains(&signer(&newest.access_token)), "it was published before it signed");
    // What the old key signed is good still, at the door and behind it.
    for token in [&old.access_token, &newest.access_token] {
        for peer in ["gateway", "orders"] {
            let reply = system.send(with_token(Call::get(peer, "/v1/orders"), token)).await;
            assert_eq!(reply.status, 200, "{peer}");
        }
    }
    let report = system.report("auth").await;
    assert!(report.holds, "{report:?}");

    system.stop_one("auth").await;
    for (name, bytes) in system.kept("auth").await {
        // What signs begins like this in PKCS #8, in Base64.
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("MC4CAQAwBQYDK2VwBCIEI"), "a private key lies in `{name}`");
    }
    system.start_again("auth", &Setting::default()).await;
    let again = system.published().await;
    assert!(again.contains(&signer(&newest.access_token)), "{again:?}");
    assert_eq!(system.get("/v1/me", &newest.access_token).await.status, 200);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_an_older_version_goes_on_signing() {
    let der = auth::signing::new_key();
    let id = auth::signing::Key::of(&der).unwrap().id().to_owned();
    let setting = Setting { old_signing_key: Some(der), ..Setting::default() };
    let system = System::start(setting).await;
    system.register("ada@example.org").await;
    assert_eq!(signer(&system.session("ada@example.org").await.access_token), id);
    assert!(!system.data_dir("auth").join(auth::signing::OLD_KEY_FILE).exists());
    system.stop().await;
}
