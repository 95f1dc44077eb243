//! Where events come from: the feeds of other services, and what clients posted.
//! Each notes what its last answers said, for an empty one tells that nothing
//! happened before; `advance` reads that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chassis::clock::now_ms;
use chassis::messaging::transport::{Delivery, Transport};
use tokio::sync::Notify;

use crate::domain::Source;
use crate::store::Desk;
use crate::watermark::Pulse;

/// Longest wait for news: an answer that says that there are none is as old as
/// its request, and windows wait for it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How often what other replicas wrote down is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How every source answers. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Pulses(Arc<Mutex<BTreeMap<Source, Pulse>>>);

impl Pulses {
    pub(crate) fn new(now_ms: i64) -> Self {
        let first = Pulse { answered_ms: now_ms, empty_since_ms: None, failed_ms: None };
        Self(Arc::new(Mutex::new(Source::ALL.map(|source| (source, first)).into())))
    }

    pub(crate) fn now(&self) -> BTreeMap<Source, Pulse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes an answer to a request that was sent at `asked_ms`.
    fn note(&self, source: Source, asked_ms: i64, empty: bool) {
        let mut pulses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pulse) = pulses.get_mut(&source) {
            pulse.answered_ms = pulse.answered_ms.max(asked_ms);
            let since = pulse.empty_since_ms.unwrap_or(asked_ms);
            pulse.empty_since_ms = empty.then_some(since);
            pulse.failed_ms = None;
        }
    }

    /// Notes that a request failed.
    fn note_failure(&self, source: Source, now_ms: i64) {
        let mut pulses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pulse) = pulses.get_mut(&source) {
            let first_ms = pulse.failed_ms.map_or(now_ms, |(first, _)| first);
            pulse.failed_ms = Some((first_ms, now_ms));
        }
    }
}

/// A transport whose answers are noted.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    pub(crate) source: Source,
    pub(crate) transport: T,
    pub(crate) pulses: Pulses,
}

impl<T: Transport> Transport for Watched<T> {
    async fn fetch(&self, after: i64, wait: Duration) -> anyhow::Result<Delivery> {
        let asked_ms = now_ms();
        let fetched = self.transport.fetch(after, wait.min(LONGEST_WAIT)).await;
        if fetched.is_err() {
            self.pulses.note_failure(self.source, now_ms());
        }
        let delivery = fetched?;
        let empty = delivery.events.is_empty() && delivery.position == after;
        self.pulses.note(self.source, asked_ms, empty);
        Ok(delivery)
    }
}

/// Wakes whoever waits for what clients post.
#[derive(Debug, Clone, Default)]
pub(crate) struct Posted(Arc<Notify>);

impl Posted {
    pub(crate) fn wake(&self) {
        self.0.notify_waiters();
    }
}

/// What clients posted, as a feed.
#[derive(Debug)]
pub(crate) struct Doorstep {
    pub(crate) desk: Desk,
    pub(crate) posted: Posted,
}

impl Transport for Doorstep {
    async fn fetch(&self, after: i64, wait: Duration) -> anyhow::Result<Delivery> {
        let news = self.posted.0.notified();
        tokio::pin!(news);
        // From here on no batch is missed.
        news.as_mut().enable();
        let delivery = self.desk.posted(after).await?;
        if !delivery.events.is_empty() {
            return Ok(delivery);
        }
        tokio::select! {
            () = news => {}
            () = tokio::time::sleep(wait.min(LOOK_EVERY)) => {}
        }
        self.desk.posted(after).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_without_events_make_a_source_quiet() {
        let pulses = Pulses::new(10);
        let of_orders = || pulses.now()[&Source::Orders];
        for (asked_ms, empty, expected) in [
            (20, true, (20, Some(20))),
            (30, true, (30, Some(20))),
            (40, false, (40, None)),
            (50, true, (50, Some(50))),
        ] {
            pulses.note(Source::Orders, asked_ms, empty);
            let now = of_orders();
            assert_eq!((now.answered_ms, now.empty_since_ms), expected);
        }
        assert_eq!(pulses.now()[&Source::Users].answered_ms, 10);
        for (failed_ms, expected) in [(60, (60, 60)), (90, (60, 90))] {
            pulses.note_failure(Source::Orders, failed_ms);
            assert_eq!(of_orders().failed_ms, Some(expected));
        }
        pulses.note(Source::Orders, 100, true);
        assert_eq!(of_orders().failed_ms, None);
    }
}
