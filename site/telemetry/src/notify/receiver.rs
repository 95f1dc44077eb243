//! One receiver: what waits for it, and how it fared.
//!
//! `notifier` holds one for each integration.

use super::message::fingerprint;
use super::outbox::{MAX_ALERTS, Outbox, Parcel};
use super::settings::{Integration, IntegrationKind};
use super::status::{IntegrationStatus, LATENCY_BOUNDS_S, Undelivered};
use crate::rules::notice::Notice;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Messages that wait and are shown, for each receiver.
const WAITING_SHOWN: usize = 20;
/// Where messages lie among the backend's notes.
pub(super) const MESSAGES: &str = "outbox/";

/// One receiver with what waits for it.
pub(super) struct Receiver {
    pub(super) integration: Integration,
    pub(super) outbox: Outbox,
    pub(super) outcomes: [u64; 3],
    pub(super) latency: (f64, u64),
    pub(super) buckets: [u64; LATENCY_BOUNDS_S.len()],
    pub(super) woken: Arc<Notify>,
    pub(super) stop: CancellationToken,
}

impl Receiver {
    pub(super) fn new(integration: Integration, stop: CancellationToken) -> Self {
        Self {
            integration,
            outbox: Outbox::default(),
            outcomes: [0; 3],
            latency: (0.0, 0),
            buckets: [0; LATENCY_BOUNDS_S.len()],
            woken: Arc::default(),
            stop,
        }
    }

    /// Hands an alert on to Alertmanager, if it is one.
    pub(super) fn forward(&mut self, notice: &Notice) {
        if self.integration.kind != IntegrationKind::Alertmanager
            || !self.integration.wants(&notice.labels)
        {
            return;
        }
        let id = fingerprint(&notice.labels);
        if self.outbox.alerts.len() < MAX_ALERTS || self.outbox.alerts.contains_key(&id) {
            self.outbox.alerts.insert(id, notice.clone());
        }
        self.woken.notify_one();
    }

    pub(super) fn arrived(&mut self, parcel: &Parcel, now_ms: i64) {
        let Parcel::Message(_, message) = parcel else { return };
        let took_s = (now_ms - message.made_ms).max(0) as f64 / 1000.0;
        self.latency = (self.latency.0 + took_s, self.latency.1 + 1);
        for (bucket, bound) in self.buckets.iter_mut().zip(LATENCY_BOUNDS_S) {
            *bucket += u64::from(took_s <= bound);
        }
    }

    /// Takes out what was dealt with; gives what goes from the disk.
    pub(super) fn remove(&mut self, parcel: &Parcel) -> Vec<(String, Option<Vec<u8>>)> {
        match parcel {
            Parcel::Message(number, _) => {
                // Another attempt may have dealt with it, when the settings changed in between.
                let first = self.outbox.messages.front().is_some_and(|(first, _)| first == number);
                if first {
                    self.outbox.messages.pop_front();
                }
                vec![(message_key(*number), None)]
            }
            Parcel::Alerts(alerts) => {
                for sent in alerts {
                    let id = fingerprint(&sent.labels);
                    // What was told meanwhile still has to go. A NaN never equals itself.
                    let same = |now: &Notice| {
                        (now.ends_ms, &now.annotations) == (sent.ends_ms, &sent.annotations)
                    };
                    if self.outbox.alerts.get(&id).is_some_and(same) {
                        self.outbox.alerts.remove(&id);
                    }
                }
                Vec::new()
            }
        }
    }

    pub(super) fn status(&self, name: &str) -> IntegrationStatus {
        IntegrationStatus {
            name: name.to_owned(),
            kind: self.integration.kind,
            waiting: self.outbox.len(),
            outcomes: self.outcomes,
            latency: self.latency,
            latency_buckets: self.buckets,
            last_error: self.outbox.last_error.clone(),
        }
    }

    pub(super) fn undelivered(&self, name: &str, why: &str) -> Vec<Undelivered> {
        let (attempts, next) = (self.outbox.attempts, Some(self.outbox.next_try_ms));
        let messages = self.outbox.messages.iter().take(WAITING_SHOWN).map(|(number, message)| {
            let parcel = Parcel::Message(*number, message.clone());
            undelivered(name, &parcel, why.to_owned(), attempts, next, message.made_ms)
        });
        let alerts: Vec<Notice> = self.outbox.alerts.values().cloned().collect();
        let since = alerts.iter().map(|notice| notice.starts_ms).min();
        let alerts = since.map(|since| {
            undelivered(name, &Parcel::Alerts(alerts), why.to_owned(), attempts, next, since)
        });
        messages.chain(alerts).collect()
    }
}

/// How a parcel that has not arrived is shown.
pub(super) fn undelivered(
    name: &str,
    parcel: &Parcel,
    why: String,
    attempts: u32,
    next_ms: Option<i64>,
    now_ms: i64,
) -> Undelivered {
    let (title, since_ms) = match parcel {
        Parcel::Message(_, message) => (message.title(), message.made_ms),
        Parcel::Alerts(alerts) if alerts.len() == 1 => ("1 alert".to_owned(), now_ms),
        Parcel::Alerts(alerts) => (format!("{} alerts", alerts.len()), now_ms),
    };
    Undelivered { integration: name.to_owned(), title, since_ms, why, attempts, next_ms }
}

/// Where a message lies among the backend's notes.
pub(super) fn message_key(number: u64) -> String {
    format!("{MESSAGES}{number:016x}")
}
