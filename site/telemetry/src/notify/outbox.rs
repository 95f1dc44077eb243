//! Messages that wait for one receiver, the oldest first, in memory and on disk.
//!
//! `notifier` puts messages in and takes them out once they have arrived or were refused for good.

use super::message::Message;
use crate::rules::notice::Notice;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Messages that wait for one receiver at most. With more, groups keep what they have to say.
pub(super) const MAX_MESSAGES: usize = 1_000;
/// Alerts that wait for one Alertmanager at most; others wait until their rule tells them again.
pub(super) const MAX_ALERTS: usize = 20_000;
/// Alerts of one request to Alertmanager, as in Prometheus.
pub(super) const BATCH: usize = 64;
/// The pause after a first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// The longest that a receiver may ask to be left alone.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

/// What waits.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Parcel {
    /// One message with its number.
    Message(u64, Message),
    /// Alerts for Alertmanager.
    Alerts(Vec<Notice>),
}

/// The queue of one receiver.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Messages with their number, which is their key on disk.
    pub(super) messages: VecDeque<(u64, Message)>,
    /// For Alertmanager: the newest state of each alert, by fingerprint.
    pub(super) alerts: BTreeMap<u64, Notice>,
    /// Attempts that failed since the last success.
    pub(super) attempts: u32,
    pub(super) last_error: Option<String>,
    /// Not before then, milliseconds since 1970.
    pub(super) next_try_ms: i64,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.messages.len() + self.alerts.len()
    }

    /// What is to be sent next.
    pub(super) fn next(&self) -> Option<Parcel> {
        if let Some((number, message)) = self.messages.front() {
            return Some(Parcel::Message(*number, message.clone()));
        }
        let batch: Vec<Notice> = self.alerts.values().take(BATCH).cloned().collect();
        (!batch.is_empty()).then_some(Parcel::Alerts(batch))
    }

    pub(super) fn failed(&mut self, why: String, asked: Option<Duration>, now_ms: i64) {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.attempts.min(16)).min(LONGEST_PAUSE);
        let pause = asked.map_or(doubled, |asked| asked.clamp(doubled, LONGEST_ASKED.max(doubled)));
        self.attempts = self.attempts.saturating_add(1);
        self.last_error = Some(why);
        self.next_try_ms = now_ms + i64::try_from(pause.as_millis()).unwrap_or(i64::MAX / 2);
    }

    pub(super) fn settled(&mut self) {
        (self.attempts, self.last_error, self.next_try_ms) = (0, None, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_obey() {
        let mut outbox = Outbox::default();
        let mut pauses = Vec::new();
        for asked in [None, None, None, Some(30), None, Some(100_000)] {
            outbox.failed("no".to_owned(), asked.map(Duration::from_secs), 0);
            pauses.push(outbox.next_try_ms);
        }
        assert_eq!(pauses, [500, 1_000, 2_000, 30_000, 8_000, 3_600_000]);
        for _ in 0..100 {
            outbox.failed("no".to_owned(), None, 0);
        }
        assert_eq!(outbox.next_try_ms, 300_000);
        outbox.settled();
        assert_eq!((outbox.attempts, outbox.next_try_ms), (0, 0));
    }
}
