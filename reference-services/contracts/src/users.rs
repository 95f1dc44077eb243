//! What `users` takes and gives: profiles, preferences and addresses of people.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::notifications::{Channel, Kind};

/// A language that CloudScale speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Language {
    /// Every language, in the order of their definition.
    pub const ALL: [Self; 2] = [Self::En, Self::De];

    /// The ISO 639-1 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// The language with this ISO 639-1 code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }
}

/// A stretch of every day, in the user's time zone, in which no e-mail is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// When it begins, as `HH:MM`.
    pub from: String,
    /// When it ends, as `HH:MM`; before `from`, it is on the next day.
    pub to: String,
}

/// How a user wants to be spoken to: body and part of the answer of
/// `PUT /v1/preferences`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    /// In which language.
    #[serde(default)]
    pub language: Language,
    /// Where it is what time, by its IANA name, for example `Europe/Berlin`.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// By which channels of what; kinds that are absent take the usual ones.
    #[serde(default)]
    pub channels: BTreeMap<Kind, BTreeSet<Channel>>,
    /// When to be left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            language: Language::default(),
            time_zone: utc(),
            channels: BTreeMap::new(),
            quiet_hours: None,
        }
    }
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Answer of `GET /internal/contacts/{id}`, between services only: how to reach
/// somebody. It has no `Debug`, so that no log line holds an address.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contact {
    /// Address for e-mail.
    pub email: Option<String>,
    /// What the user is called.
    pub name: Option<String>,
    /// How the user wants to be spoken to.
    pub preferences: Preferences,
}

/// Where a user lives or wants parcels to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// What the user calls it, for example `home`.
    pub label: String,
    /// Who is there.
    pub recipient: String,
    /// Street and number.
    pub street: String,
    /// Postal code; some countries have none.
    #[serde(default)]
    pub postal_code: String,
    /// Town.
    pub city: String,
    /// ISO 3166 code of two letters, for example `DE`.
    pub country: String,
}

/// Body of `PUT /v1/profile`, sent with `If-Match`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeProfile {
    /// What the user is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// In international form (E.164), for example `+4930123456`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The first one is where parcels go.
    #[serde(default)]
    pub addresses: Vec<Address>,
}

/// Answer of `GET` and `PUT /v1/profile`, with its version as `ETag`. It has no
/// `Debug`, so that no log line holds it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The account that it belongs to.
    pub id: Uuid,
    /// Address that names the account; `auth` changes it.
    pub email: String,
    /// What the user changes.
    #[serde(flatten)]
    pub own: ChangeProfile,
    /// When it was made.
    pub created_ms: i64,
    /// When it was last changed.
    pub updated_ms: i64,
}

/// Answer of `GET /v1/profile/export`: everything that is kept of a user here.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The profile.
    pub profile: Profile,
    /// The preferences.
    pub preferences: Preferences,
    /// When this was written.
    pub exported_ms: i64,
}

/// Where [`UserEvent`]s are published.
pub const TOPIC: &str = "user-events";

/// What `users` tells others. The key is the user's id. What was changed is
/// asked for: events are kept for a while, and hold nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum UserEvent {
    /// A profile was made.
    UserRegistered {
        /// The user.
        user: Uuid,
    },
    /// A profile was changed.
    ProfileChanged {
        /// The user.
        user: Uuid,
        /// Its version now.
        version: i64,
    },
    /// Preferences were changed.
    PreferencesChanged {
        /// The user.
        user: Uuid,
        /// Their version now.
        version: i64,
    },
    /// Everything was removed.
    UserDeleted {
        /// Who it was.
        user: Uuid,
    },
}
