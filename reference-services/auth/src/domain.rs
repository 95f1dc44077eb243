//! The rules of accounts, without input or output: what an address and a
//! password must be like, and what a token says.

use std::time::Duration;

use chassis::field;
use contracts::accounts::{Account, Claims, Credentials, TOKEN_AUDIENCE, TOKEN_ISSUER};
use contracts::problem::FieldError;
use uuid::Uuid;

/// How long an access token is good.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);

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
    let password = &credentials.password;
    if password.chars().count() < MIN_PASSWORD_CHARS {
        faults
            .push(field("password", format!("must have {MIN_PASSWORD_CHARS} characters or more")));
    } else if password.len() > MAX_PASSWORD_BYTES {
        faults.push(field("password", format!("must have {MAX_PASSWORD_BYTES} bytes or fewer")));
    }
    faults
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

/// What a new token of `account` says.
pub fn claims(account: &Account, token: Uuid, now_ms: i64) -> Claims {
    let now_s = u64::try_from(now_ms / 1000).unwrap_or_default();
    Claims {
        iss: TOKEN_ISSUER.to_owned(),
        sub: account.id,
        aud: TOKEN_AUDIENCE.to_owned(),
        exp: now_s + TOKEN_LIFETIME.as_secs(),
        iat: now_s,
        jti: token,
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
}
