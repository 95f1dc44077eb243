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

/// Answer of `POST /v1/login`. It has no `Debug`: a token is a secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session {
    /// The signed token for the header `Authorization: Bearer`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Lifetime of the token, in seconds.
    pub expires_in_s: u64,
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
}
