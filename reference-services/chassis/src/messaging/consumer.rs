//! Fetches the events of one producer and handles them: in the order of their
//! key, each in one transaction with its effect, again and again until it
//! succeeds or is given up.

use std::time::{Duration, Instant};

use contracts::messaging::Event;
use opentelemetry::trace::Status;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::clock::now_ms;
use crate::crash::CrashPoints;

use super::event::process_span;
use super::figures::Figures;
use super::journal::{Journal, Waiting};
use super::transport::Transport;
use super::{MAX_ATTEMPTS, MAX_FEED_WAIT_MS, MAX_IN_FLIGHT};

/// Pause between two rounds. A round waits for news by itself.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// Pause after a producer could not be asked.
const AWAY: Duration = Duration::from_millis(500);

/// Longest wait for news while events wait for their next attempt.
const SHORT_WAIT: Duration = Duration::from_millis(100);

/// Events that are looked up at once.
const AT_ONCE: u32 = 50;

/// Pause before the first repetition; each further one doubles it.
const BACKOFF_FIRST_MS: i64 = 50;

/// Longest pause between two attempts.
const BACKOFF_MAX_MS: i64 = 30_000;

/// Why an event was not handled.
#[derive(Debug)]
pub enum Trouble {
    /// It may succeed later.
    Later(anyhow::Error),
    /// It never will: it is a dead letter at once.
    Never(String),
}

impl<E: Into<anyhow::Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Later(error.into())
    }
}

/// What a service does about an event.
pub trait Handler<W>: Send + Sync + 'static {
    /// Brings about the event's effect within `write`, which is committed
    /// afterwards. Events that do not concern the service have none.
    fn handle(
        &self,
        write: &mut W,
        event: &Event,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// One producer's events at one service.
#[derive(Debug)]
pub(super) struct Consumer<J, T, H> {
    pub(super) producer: &'static str,
    pub(super) group: String,
    pub(super) journal: J,
    pub(super) transport: T,
    pub(super) handler: H,
    pub(super) figures: Figures,
    pub(super) crash: CrashPoints,
    pub(super) stop: CancellationToken,
}

/// How long to wait after so many attempts, in milliseconds; none: give up.
pub fn backoff(attempts: i64) -> Option<i64> {
    let doublings = u32::try_from(attempts - 1).unwrap_or_default().min(30);
    let pause = BACKOFF_FIRST_MS.saturating_mul(1 << doublings).min(BACKOFF_MAX_MS);
    (attempts < MAX_ATTEMPTS).then_some(pause)
}

impl<J, T, H> Consumer<J, T, H>
where
    J: Journal,
    T: Transport,
    H: Handler<J::Write>,
{
    /// Handles what is due, and then waits for news.
    pub(super) async fn round(&self) {
        let outcome = async {
            self.handle_due().await?;
            self.fetch().await
        };
        if let Err(error) = outcome.await {
            let error = format!("{error:#}");
            tracing::debug!(producer = self.producer, error, "no events were fetched");
            tokio::select! {
                () = tokio::time::sleep(AWAY) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    async fn fetch(&self) -> anyhow::Result<()> {
        let tallies = self.journal.tallies().await?;
        let mine = tallies.into_iter().find(|tally| tally.producer == self.producer);
        let in_flight = mine.map_or(0, |tally| tally.in_flight);
        if in_flight >= MAX_IN_FLIGHT {
            tokio::time::sleep(SHORT_WAIT).await;
            return Ok(());
        }
        let wait = if in_flight > 0 { SHORT_WAIT } else { Duration::from_millis(MAX_FEED_WAIT_MS) };
        let after = self.journal.cursor(self.producer).await?;
        let delivery = tokio::select! {
            delivery = self.transport.fetch(after, wait) => delivery?,
            () = self.stop.cancelled() => return Ok(()),
        };
        if delivery.events.is_empty() && delivery.position == after {
            return Ok(());
        }
        let (events, position, now_ms) = (&delivery.events, delivery.position, now_ms());
        let received = self.journal.receive(self.producer, events, after, position, now_ms).await?;
        self.crash.at("inbox.received");
        self.figures.delivered(received);
        Ok(())
    }

    async fn handle_due(&self) -> anyhow::Result<()> {
        while !self.stop.is_cancelled() {
            let due = self.journal.due(self.producer, now_ms(), AT_ONCE).await?;
            if due.is_empty() {
                break;
            }
            for waiting in due {
                self.handle(waiting).await?;
            }
        }
        Ok(())
    }

    async fn handle(&self, waiting: Waiting) -> anyhow::Result<()> {
        let Waiting { event, attempts } = waiting;
        let span = process_span(&event, &self.group);
        let start = Instant::now();
        let outcome = self.attempt(&event).instrument(span.clone()).await;
        let trouble = match outcome {
            Ok(true) => {
                self.figures.handled(&event.kind, start.elapsed());
                return Ok(());
            }
            // Another replica was faster.
            Ok(false) => return Ok(()),
            Err(trouble) => trouble,
        };
        let (error, pause) = match trouble {
            Trouble::Later(error) => (format!("{error:#}"), backoff(attempts + 1)),
            Trouble::Never(error) => (error, None),
        };
        span.set_attribute("error.type", if pause.is_some() { "retried" } else { "dead_letter" });
        span.set_status(Status::error(error.clone()));
        let (producer, id, kind) = (self.producer, event.id, &event.kind);
        let next_ms = pause.map(|pause| now_ms() + pause);
        if !self.journal.fail(id, attempts, &error, next_ms).await? {
            // Another replica has handled it meanwhile, or failed as well.
            return Ok(());
        }
        match pause {
            Some(_) => tracing::debug!(producer, %id, kind, error, "an event is tried again"),
            None => tracing::error!(producer, %id, kind, error, "an event is a dead letter"),
        }
        self.figures.failed(pause.is_none());
        Ok(())
    }

    /// False: it has its effect already, and has none again.
    async fn attempt(&self, event: &Event) -> Result<bool, Trouble> {
        let mut write = self.journal.begin().await?;
        self.handler.handle(&mut write, event).await?;
        let settled = self.journal.settle(&mut write, self.producer, event.id, now_ms()).await?;
        if settled {
            self.crash.at("inbox.effect");
            self.journal.commit(write).await?;
            self.crash.at("inbox.committed");
        }
        Ok(settled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_later_and_later_and_end() {
        let pauses: Vec<_> = (1..=MAX_ATTEMPTS).map(backoff).collect();
        assert_eq!(pauses.first(), Some(&Some(BACKOFF_FIRST_MS)));
        assert!(pauses.windows(2).all(|pair| pair[1].is_none_or(|later| Some(later) >= pair[0])));
        assert!(pauses[..pauses.len() - 1].iter().all(Option::is_some));
        assert_eq!(pauses.last(), Some(&None));
        assert_eq!(backoff(i64::MAX), None);
    }
}
