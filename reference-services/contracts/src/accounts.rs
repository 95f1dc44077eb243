//! What `auth` takes and gives: accounts, sessions, and the claims inside an
//! access token.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who issues access tokens (claim `iss`).
pub const TOKEN_ISSUER: &str = "https://auth.cloudscale.invalid";

/// Whom access tokens are for (claim `aud`).
pub const TOKEN_AUDIENCE: &str = "cloudscale";

/// The role that every account has.
pub const ROLE_CUSTOMER: &str = "customer";

/// The role of those who help customers.
pub const ROLE_SUPPORT: &str = "support";

/// The role of those who give roles, rotate keys and read the audit log.
pub const ROLE_ADMINISTRATOR: &str = "administrator";

/// Every role that there is.
pub const ROLES: [&str; 3] = [ROLE_CUSTOMER, ROLE_SUPPORT, ROLE_ADMINISTRATOR];

/// Header in which the gateway tells `auth` from which address a request came. What a
/// client writes there himself does not pass the gateway.
pub const CLIENT_ADDRESS: &str = "x-client-address";

/// Body of `POST /v1/register` and of `POST /v1/login`. It has no `Debug`, so
/// that no log line can ever hold the password.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// Address that names the account; case does not matter.
    pub email: String,
    /// The password in clear.
    pub password: String,
}

/// Answer of `POST /v1/register`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The account's id: claim `sub` of its tokens.
    pub id: Uuid,
    /// Address that names the account, in lower case.
    pub email: String,
    /// What the account may do.
    pub roles: Vec<String>,
    /// When it was registered.
    pub created_ms: i64,
}

/// Answer of `POST /v1/login` and of `POST /v1/sessions/refresh`. It has no `Debug`: a
/// token is a secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session {
    /// The signed token for the header `Authorization: Bearer`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Lifetime of the token, in seconds.
    pub expires_in_s: u64,
    /// What the next access token is got with, once: its answer holds the next one.
    pub refresh_token: String,
    /// Time in which that must happen, in seconds.
    pub refresh_expires_in_s: u64,
    /// The session that both belong to.
    pub session: Uuid,
}

/// Body of `POST /v1/sessions/refresh`. It has no `Debug`: a token is a secret.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The newest refresh token of a session.
    pub refresh_token: String,
}

/// Answer of `GET /v1/sessions`: those that can still be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// The one that was used last comes first.
    pub sessions: Vec<SessionLine>,
}

/// A session as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLine {
    /// Its id.
    pub id: Uuid,
    /// What it was begun with, in words: `Firefox on Linux`.
    pub device: String,
    /// When it was begun.
    pub created_ms: i64,
    /// When it was last given an access token.
    pub used_ms: i64,
    /// When it ends, if it is not used until then.
    pub ends_ms: i64,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// Answer of `DELETE /v1/sessions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How many sessions were ended.
    pub ended: u64,
}

/// Body of `POST /v1/password`. It has no `Debug`, as [`Credentials`] has none.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The one until now.
    pub password: String,
    /// The one from now on.
    pub new_password: String,
}

/// Answer of `POST /v1/login` (202) when a second factor is on. It has no `Debug`: with a
/// code it is as good as a token.
#[derive(Clone, Serialize, Deserialize)]
pub struct Challenge {
    /// What `POST /v1/login/code` wants, with a code.
    pub challenge: String,
    /// Time in which that must happen, in seconds.
    pub expires_in_s: u64,
}

/// Body of `POST /v1/login/code`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeAnswer {
    /// The challenge of the login.
    pub challenge: String,
    /// A code of the second factor, or a recovery code.
    pub code: String,
}

/// Body of `POST /v1/totp`: the password once more.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Password {
    /// The password in clear.
    pub password: String,
}

/// Body of `POST /v1/totp/confirm`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// A code of the second factor that is to be turned on.
    pub code: String,
}

/// Body of `POST /v1/totp/disable`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordAndCode {
    /// The password in clear.
    pub password: String,
    /// A code of the second factor, or a recovery code.
    pub code: String,
}

/// Answer of `GET /v1/totp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactor {
    /// Whether a code is asked for.
    pub on: bool,
    /// Recovery codes that were not used.
    pub recovery_codes_left: u32,
}

/// Answer of `POST /v1/totp`. It has no `Debug`: it is a secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct Enrolment {
    /// The secret for typing in, in Base32.
    pub secret: String,
    /// The same for a QR code: `otpauth://`.
    pub uri: String,
}

/// Answer of `POST /v1/totp/confirm`. It has no `Debug`: they are secrets.
#[derive(Clone, Serialize, Deserialize)]
pub struct RecoveryCodes {
    /// Each is good once.
    pub recovery_codes: Vec<String>,
}

/// Body of `POST /v1/administrators/first`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The installation's secret.
    pub secret: String,
}

/// Body of `POST /v1/keys/rotate`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateKeys {
    /// Whether the old key is withdrawn at once, with all that it signed.
    pub compromised: bool,
}

/// Answer of `GET /v1/audit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    /// Rows of the log, the oldest first.
    pub rows: Vec<AuditRow>,
    /// How many there are.
    pub length: i64,
}

/// Something that happened. Ids are empty where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Its place, from 1.
    pub number: i64,
    /// When.
    pub at_ms: i64,
    /// What.
    pub kind: String,
    /// Whose account it concerns.
    pub account: String,
    /// Who did it, if somebody else.
    pub actor: String,
    /// In which session.
    pub session: String,
    /// What else there is to say.
    pub detail: String,
    /// Keyed hash of the row and of the one before it.
    pub seal: String,
}

/// Answer of `GET /internal/revocations`: sessions whose access tokens may not have ended
/// by themselves yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocations {
    /// The last ones first.
    pub revoked: Vec<Revoked>,
}

/// A session that was ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// The session.
    pub session: Uuid,
    /// When its last access token ends by itself.
    pub until_ms: i64,
}

/// Answer of `GET /v1/sessions/introspect`, which the gateway offers as `GET /v1/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introspection {
    /// Whether the token is good and its account still exists.
    pub active: bool,
    /// The account.
    pub account: Account,
    /// When the token ends.
    pub expires_ms: i64,
}

/// What an access token says (RFC 7519; times in seconds since 1970).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer: [`TOKEN_ISSUER`].
    pub iss: String,
    /// The account's id.
    pub sub: Uuid,
    /// Audience: [`TOKEN_AUDIENCE`].
    pub aud: String,
    /// End of life, in seconds since 1970.
    pub exp: u64,
    /// Time of issue, in seconds since 1970.
    pub iat: u64,
    /// The token's own id.
    pub jti: Uuid,
    /// The session that it belongs to.
    pub sid: Uuid,
    /// What the account may do.
    pub roles: Vec<String>,
}

/// Where [`AccountEvent`]s are published.
pub const TOPIC: &str = "account-events";

/// What `auth` tells others. The key is the account's id. Who it is, is asked for
/// (`GET /internal/accounts/{id}`): events are kept for a while, in every consumer's
/// database too, and hold nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum AccountEvent {
    /// Somebody registered.
    Registered {
        /// The account.
        account: Uuid,
    },
    /// A session was ended before its time: its access tokens are no longer good.
    SessionRevoked {
        /// The session.
        session: Uuid,
        /// When its last access token ends by itself.
        until_ms: i64,
    },
}
