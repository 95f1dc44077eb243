//! What a client posts, checked and turned into events for the inbox. The body of
//! an event is not looked at here: what its schema says of it is found out when it
//! is handled, and an event that does not keep to it is a dead letter, not lost.

use std::collections::BTreeMap;

use chassis::field;
use contracts::analytics::{ClientEvent, MAX_BATCH, PostEvents};
use contracts::messaging::Event;
use contracts::problem::FieldError;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::events::VERSION;

/// How far a client's clock may be ahead of ours.
pub(crate) const MAX_AHEAD_MS: i64 = 5_000;

/// Longest kind, in bytes.
pub(crate) const MAX_KIND_BYTES: usize = 50;

/// What is wrong with a batch.
pub(super) fn faults(posted: &PostEvents, now_ms: i64) -> Vec<FieldError> {
    if !(1..=MAX_BATCH).contains(&posted.events.len()) {
        return vec![field("events", format!("must be from 1 to {MAX_BATCH}"))];
    }
    let mut faults = Vec::new();
    for (place, event) in posted.events.iter().enumerate() {
        let mut fault = |name: &str, message: &str| {
            faults.push(field(format!("events[{place}].{name}"), message))
        };
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let length = event.kind.len();
        if !(1..=MAX_KIND_BYTES).contains(&length) || !event.kind.bytes().all(plain) {
            fault("kind", "must be small letters, digits and `_`");
        }
        if event.at_ms < 0 || event.at_ms > now_ms + MAX_AHEAD_MS {
            fault("at_ms", "must not be in the future");
        }
        if event.version == Some(0) {
            fault("version", "must be from 1");
        }
    }
    faults
}

/// The event as the inbox knows it. Its id follows from the customer's and its
/// own, so that nobody can take another's.
pub(super) fn event(customer: Uuid, posted: ClientEvent) -> Event {
    let ClientEvent { id, kind, at_ms, version, body } = posted;
    let digest = Sha256::new().chain_update(customer.as_bytes()).chain_update(id.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    let context = version.map(|version| (VERSION.to_owned(), version.to_string()));
    Event {
        id: Builder::from_custom_bytes(bytes).into_uuid(),
        topic: "client-events".to_owned(),
        key: customer.to_string(),
        // The doorstep says which one.
        position: 0,
        previous: 0,
        kind,
        body,
        context: BTreeMap::from_iter(context),
        published_ms: at_ms,
    }
}
