//! The evidence of moments of the past: worked out from what is kept, each moment once for all who look at it.
//!
//! `seen` asks for it; the questions and the graphs are those of `tick`, asked of an earlier time.

use super::shown::Shown;
use super::{App, past_alerts, places, tick};
use evidence::{DRIFT_WINDOW_S, Evidence, Plan, Window};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OnceCell, Semaphore};
use traces::ServiceGraph;

/// Moments that are kept; the one that was asked for first goes.
const MOMENTS_MAX: usize = 48;
/// Moments that are worked on at a time; others wait.
const AT_A_TIME: usize = 2;
/// Whoever has to wait longer is sent away.
const PATIENCE: Duration = Duration::from_secs(10);
/// Traces that are looked at for one moment, the newest before it. Where a window has more, rates are those of the part
/// that was looked at.
const TRACES_MAX: usize = 3_000;
/// What is younger may still be on its way, so the answer is not kept.
const SETTLED_MS: i64 = 30_000;
/// How long a side of a call waits for the other, and some more: calls of the window may have begun so much earlier.
const PAIRING_MS: i64 = 15_000;

/// What was so at one moment.
pub(super) struct Then {
    pub(super) evidence: Arc<Evidence>,
    /// Who called whom in the window before it.
    pub(super) graph: ServiceGraph,
    /// An engine did not answer, so the next look may show more.
    partial: bool,
}

/// The version of the book, and the moment in milliseconds since 1970.
type Key = (u64, i64);
/// Whoever comes first fills it; the others wait for that.
type Slot = Arc<OnceCell<Arc<Then>>>;

/// Moments that were asked for lately.
pub(super) struct Past {
    known: Mutex<VecDeque<(Key, Slot)>>,
    places: Arc<Semaphore>,
}

impl Default for Past {
    fn default() -> Self {
        Self { known: Mutex::default(), places: Arc::new(Semaphore::new(AT_A_TIME)) }
    }
}

impl Past {
    /// What was so at `at`, as the book is now; `None` when too many others ask.
    pub(super) async fn at(&self, app: &Arc<App>, shown: &Shown, at: i64) -> Option<Arc<Then>> {
        let key = (shown.version, at);
        let slot = self.slot(key);
        let found = slot.get_or_try_init(|| self.work(app, shown, at)).await;
        let is_whole = found.as_ref().is_ok_and(|then| !then.partial);
        if tick::now_ms() - at < SETTLED_MS || !is_whole {
            self.known().retain(|(other, _)| *other != key);
        }
        found.ok().cloned()
    }

    async fn work(&self, app: &Arc<App>, shown: &Shown, at: i64) -> Result<Arc<Then>, ()> {
        let place = places::within(&self.places, PATIENCE).await.ok_or(())?;
        let (app, book) = (Arc::clone(app), Arc::clone(&shown.book));
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            Arc::new(look(&app, &book, at))
        });
        work.await.map_err(|error| tracing::error!(%error, at, "a look at the past failed"))
    }

    fn slot(&self, key: Key) -> Slot {
        let mut known = self.known();
        if let Some((_, slot)) = known.iter().find(|(other, _)| *other == key) {
            return Arc::clone(slot);
        }
        if known.len() >= MOMENTS_MAX {
            known.pop_front();
        }
        let slot = Slot::default();
        known.push_back((key, Arc::clone(&slot)));
        slot
    }

    fn known(&self) -> std::sync::MutexGuard<'_, VecDeque<(Key, Slot)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As [`tick`] looks at the present.
fn look(app: &App, book: &document::Book, at: i64) -> Then {
    let metrics = app.sources.metrics();
    let oldest = metrics.oldest_ms();
    let pace_s = app.backend.scrape_interval_s();
    let remote = metrics.is_remote();
    let window = if remote { Window::wide() } else { Window::paced(oldest, at, pace_s) };
    let kept_s = oldest.map_or(0, |oldest| at.saturating_sub(oldest).max(0) / 1000);
    let plan: Plan = evidence::plan(book, window, u32::try_from(kept_s).unwrap_or(u32::MAX));
    let (answers, is_down) = app.sources.answers_at(&plan, at);
    let windows_ms = [window.seconds(), DRIFT_WINDOW_S].map(|seconds| i64::from(seconds) * 1000);
    let from = at - windows_ms.iter().max().copied().unwrap_or(0) - PAIRING_MS;
    let spans = app.backend.spans_between(from, at, TRACES_MAX);
    let [graph, observed] = traces::past_graphs(&spans, windows_ms, at);
    let mut evidence = evidence::evaluate(book, &plan, &answers, &graph, &observed, at);
    evidence.alerts = past_alerts::seen(app, book, &evidence.services, at);
    evidence.map.place(Some(&app.evidence().map), at);
    if is_down {
        evidence.faults = app.sources.faults();
    }
    Then { evidence: Arc::new(evidence), graph, partial: is_down }
}
