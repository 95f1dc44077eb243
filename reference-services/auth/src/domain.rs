//! The rules of accounts, without input or output: what an address and a
//! password must be like, how long sessions and keys last, and what a token says.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chassis::field;
use contracts::accounts::{Account, Claims, Credentials, TOKEN_AUDIENCE, TOKEN_ISSUER};
use contracts::problem::FieldError;
use uuid::Uuid;

/// How long an access token is good: so long, at most, is somebody let in whose session
/// was ended, where that is not heard of.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// How long a refresh token is good, in milliseconds: a session that is not used for so
/// long ends.
pub const REFRESH_LIFETIME_MS: i64 = 7 * DAY_MS;

/// Longest time that a session lasts, however much it is used, in milliseconds.
pub const SESSION_LIFETIME_MS: i64 = 30 * DAY_MS;

/// How long sessions that are over are kept, in milliseconds.
pub const KEPT_AFTER_END_MS: i64 = 30 * DAY_MS;

/// Most sessions of an account; the one that was not used for the longest time makes room.
pub const MAX_SESSIONS: usize = 20;

/// Most refresh tokens of a session that are remembered. They are forgotten when their
/// own time is over; who needs more within a week than one every 150 s logs in again.
pub const MAX_ROTATIONS: i64 = 4_096;

/// Most sessions that a gateway is told of when it starts.
pub const MAX_REVOCATIONS: u32 = 10_000;

/// How long a key signs.
pub const ROTATE_EVERY: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long a key is published, at least, before it signs: twice as long as services wait
/// before they fetch the keys again.
pub const PUBLISHED_AHEAD: Duration = Duration::from_secs(120);

/// Most keys that are published at a time.
pub const MAX_PUBLISHED_KEYS: usize = 8;

/// How long a login waits for its code, in milliseconds.
pub const CHALLENGE_LIFETIME_MS: i64 = 5 * 60 * 1000;

/// Most logins of an account that wait for a code.
pub const MAX_CHALLENGES: u32 = 8;

/// Most codes that are tried for one of them.
pub const MAX_CODES_A_CHALLENGE: u32 = 5;

/// Rows of the audit log in an answer, if nothing else is asked for.
pub const AUDIT_PAGE: u32 = 50;

/// Most rows of the audit log in an answer.
pub const MAX_AUDIT_PAGE: u32 = 200;

/// Longest words for a device, in characters.
pub const MAX_DEVICE_CHARS: usize = 60;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Longest address, in bytes (RFC 5321).
pub const MAX_EMAIL_BYTES: usize = 254;

/// Shortest password, in characters.
pub const MIN_PASSWORD_CHARS: usize = 8;

/// Longest password, in bytes: hashing is what an attacker wants us to do.
pub const MAX_PASSWORD_BYTES: usize = 256;

/// The address as it is stored and compared.
pub fn normal_email(text: &str) -> String {
    text.trim().to_lowercase()
}

/// What is wrong with the credentials of somebody who registers.
pub fn faults(credentials: &Credentials) -> Vec<FieldError> {
    let mut faults = Vec::new();
    if !is_email(&normal_email(&credentials.email)) {
        faults.push(field("email", "must be an address such as `ada@example.org`"));
    }
    faults.extend(password_fault("password", &credentials.password));
    faults
}

/// What is wrong with a password that somebody chooses, in the field `name`.
pub fn password_fault(name: &str, password: &str) -> Option<FieldError> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        Some(field(name, format!("must have {MIN_PASSWORD_CHARS} characters or more")))
    } else if password.len() > MAX_PASSWORD_BYTES {
        Some(field(name, format!("must have {MAX_PASSWORD_BYTES} bytes or fewer")))
    } else {
        None
    }
}

/// Only a mail that arrives proves an address; this keeps out what can be none.
fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let labels = host.split('.').collect::<Vec<_>>();
    text.len() <= MAX_EMAIL_BYTES
        && !local.is_empty()
        && labels.len() > 1
        && labels.iter().all(|label| !label.is_empty())
        && !text.chars().any(|character| character.is_whitespace() || character.is_control())
        && !local.contains('@')
}

/// A token by chance: 256 bits, as text that goes everywhere.
pub fn random_token() -> String {
    BASE64.encode(rand::random::<[u8; 32]>())
}

/// Programs by a word in their `User-Agent`; those that name others too come first.
const PROGRAMS: [(&str, &str); 9] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python", "Python"),
    ("okhttp", "an app"),
];

/// Systems, in the same way.
const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// A device in words, from the header `User-Agent`.
pub fn device(user_agent: &str) -> String {
    let named = |words: &[(&str, &'static str)]| {
        words.iter().find(|(word, _)| user_agent.contains(word)).map(|(_, name)| *name)
    };
    match (named(&PROGRAMS), named(&SYSTEMS)) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(program), None) => program.to_owned(),
        (None, Some(system)) => system.to_owned(),
        (None, None) => {
            let first = user_agent.split(['/', ' ', '(']).next().unwrap_or_default();
            let plain = first.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c));
            let plain: String = plain.take(MAX_DEVICE_CHARS).collect();
            if plain.is_empty() { "an unknown device".to_owned() } else { plain }
        }
    }
}

/// What a new token of `account` says.
pub fn claims(
    account: &Account,
    session: Uuid,
    token: Uuid,
    lifetime: Duration,
    now_ms: i64,
) -> Claims {
    let now_s = u64::try_from(now_ms / 1000).unwrap_or_default();
    Claims {
        iss: TOKEN_ISSUER.to_owned(),
        sub: account.id,
        aud: TOKEN_AUDIENCE.to_owned(),
        exp: now_s + lifetime.as_secs(),
        iat: now_s,
        jti: token,
        sid: session,
        roles: account.roles.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_credentials_name_their_field() {
        let long = "x".repeat(MAX_PASSWORD_BYTES + 1);
        let cases: [(&str, &str, &[&str]); 9] = [
            ("Ada@Example.org", "correct horse", &[]),
            ("", "correct horse", &["email"]),
            ("ada", "correct horse", &["email"]),
            ("ada@localhost", "correct horse", &["email"]),
            ("a da@example.org", "correct horse", &["email"]),
            ("a@b@example.org", "correct horse", &["email"]),
            ("ada@example..org", "correct horse", &["email"]),
            ("ada@example.org", "short", &["password"]),
            ("@x.y", &long, &["email", "password"]),
        ];
        for (email, password, expected) in cases {
            let credentials =
                Credentials { email: email.to_owned(), password: password.to_owned() };
            let found: Vec<String> =
                faults(&credentials).into_iter().map(|fault| fault.field).collect();
            assert_eq!(found, expected, "{email}");
        }
    }

    #[test]
    fn devices_have_words() {
        let cases = [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.5.0", "curl"),
            ("cloud-shop/1.2 <script>", "cloud-shop"),
            ("", "an unknown device"),
            ("\u{1b}[31m", "31m"),
        ];
        for (agent, words) in cases {
            assert_eq!(device(agent), words);
        }
        assert!(device(&"x".repeat(5000)).len() <= MAX_DEVICE_CHARS);
    }
}
