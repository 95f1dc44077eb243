//! The stream in the app (server-sent events): first what lies behind the place
//! that the reader names, then what comes. A place is the event's id, so whoever
//! loses the connection goes on with `Last-Event-ID`, and misses nothing.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use contracts::notifications::Notification;
use futures_util::Stream;
use prometheus::IntGauge;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::dispatch::News;
use crate::store::Desk;

/// Most streams at a time; further readers get 503.
pub const MAX_STREAMS: usize = 256;

/// Most streams of one customer at a time; further ones get 429.
pub const MAX_STREAMS_EACH: usize = 4;

/// How long a stream lasts. Whoever reads on connects again: a token that was
/// good at the start does not read for ever.
pub const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// How often a stream that has nothing to say shows that it lives.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How often the database is looked at without news: another replica may have
/// put something there.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Notifications that are read at once.
const AT_ONCE: u32 = 100;

/// Counts streams.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    open: Arc<Mutex<HashMap<Uuid, usize>>>,
    gauge: IntGauge,
}

/// Why there is no place for a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The service has as many as it takes.
    All,
    /// The customer has.
    Own,
}

/// A stream's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    streams: Streams,
    customer: Uuid,
}

impl Streams {
    pub(crate) fn new(gauge: IntGauge) -> Self {
        Self { open: Arc::default(), gauge }
    }

    pub(crate) fn enter(&self, customer: Uuid) -> Result<Place, Full> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= MAX_STREAMS {
            return Err(Full::All);
        }
        let own = open.entry(customer).or_default();
        if *own >= MAX_STREAMS_EACH {
            return Err(Full::Own);
        }
        *own += 1;
        self.gauge.inc();
        Ok(Place { streams: self.clone(), customer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.streams.gauge.dec();
        if let Some(own) = open.get_mut(&self.customer) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.customer);
            }
        }
    }
}

/// A customer's reader.
pub(crate) struct Reader {
    pub(crate) desk: Desk,
    pub(crate) customer: Uuid,
    /// Everything up to this place was sent.
    pub(crate) position: i64,
    pub(crate) news: Receiver<News>,
    pub(crate) ready: VecDeque<Notification>,
    pub(crate) until: Instant,
    pub(crate) stop: tokio_util::sync::CancellationToken,
    pub(crate) _place: Place,
}

impl Reader {
    /// The answer that follows the customer's notifications.
    pub(crate) fn answer(self) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
        let events = futures_util::stream::unfold(self, |mut reader| async move {
            let next = reader.next().await?;
            Some((Ok(event(&next)), reader))
        });
        Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
    }

    /// The next notification; none: the stream ends.
    async fn next(&mut self) -> Option<Notification> {
        loop {
            if let Some(next) = self.ready.pop_front() {
                self.position = next.position;
                return Some(next);
            }
            if Instant::now() >= self.until || self.stop.is_cancelled() {
                return None;
            }
            // Read first and wait then: the receiver was there before.
            match self.desk.behind(self.customer, self.position, AT_ONCE).await {
                Ok(found) => self.ready = found.into(),
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "the stream cannot be read");
                    return None;
                }
            }
            if self.ready.is_empty() {
                self.wait().await;
            }
        }
    }

    /// Waits until there may be something for this customer.
    async fn wait(&mut self) {
        let look = (Instant::now() + LOOK_EVERY).min(self.until);
        loop {
            let news = tokio::select! {
                news = timeout_at(look, self.news.recv()) => news,
                () = self.stop.cancelled() => return,
            };
            match news {
                Ok(Ok((customer, notification)))
                    if customer != self.customer || notification.position <= self.position => {}
                Ok(Err(RecvError::Closed)) => return tokio::time::sleep_until(look).await,
                Ok(Ok(_) | Err(RecvError::Lagged(_))) | Err(_) => return,
            }
        }
    }
}

fn event(notification: &Notification) -> Event {
    let data = serde_json::to_string(notification).expect("a contract's type has a JSON form");
    Event::default().event("notification").id(notification.position.to_string()).data(data)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn places_are_bounded_for_each_and_for_all() {
        let streams = Streams::new(IntGauge::new("open", "Open streams.").unwrap());
        let mut places: Vec<_> =
            (0..MAX_STREAMS_EACH).map(|_| streams.enter(Uuid::nil()).unwrap()).collect();
        assert_eq!(streams.enter(Uuid::nil()).unwrap_err(), Full::Own);
        for number in places.len()..MAX_STREAMS {
            places.push(streams.enter(Uuid::from_u128(number as u128)).unwrap());
        }
        assert_eq!(streams.enter(Uuid::from_u128(9_999)).unwrap_err(), Full::All);
        assert_eq!(streams.gauge.get(), MAX_STREAMS as i64);
        drop(places);
        assert!(streams.open.lock().unwrap().is_empty() && streams.gauge.get() == 0);
    }
}
