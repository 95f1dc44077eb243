//! Notifications: whom alerts are told to, in groups, again and again until it has arrived.
//!
//! Rules tell a [`Notifier`] of alerts; it groups them as Alertmanager does, writes each message down
//! before it is sent, and sends it until the other side takes it. The order of a walk:
//!
//! 1. `grouping`: alerts -> groups -> messages, at times that the settings say (no clock, no I/O)
//! 2. `outbox`: messages that wait, in memory and on disk
//! 3. `payload`: a message -> what Slack, PagerDuty, a webhook or Alertmanager reads
//! 4. `deliver`: one attempt over HTTP, and what its answer means
//! 5. `notifier`, `receiver`: the tasks, and what each receiver has to hear

mod deliver;
mod grouping;
mod message;
mod notifier;
mod outbox;
mod payload;
mod receiver;
mod secret;
mod settings;
mod status;

pub use notifier::Notifier;
pub use secret::Secret;
pub use settings::{Integration, IntegrationKind, NotifySettings};
pub use status::{IntegrationStatus, LATENCY_BOUNDS_S, NotifierStatus, Undelivered};

/// The FNV-1a hash of bytes, as Prometheus takes it of labels: it stays the same between runs.
pub(crate) fn fnv(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, step)
}
