//! Search while the book is served: the index is made after the start, and mended after each change,
//! beside everything else. Routes ask here for its files, which are encoded one by one as somebody asks
//! for them, and for the page of readers without script.

use super::App;
use super::shown::Shown;
use super::views;
use crate::search::{Found, Index, Kind, Parts, Service};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use pages::{SearchGroup, SearchHit, SearchView};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch as channel;

/// The first index of a large book takes a moment; a request waits for it this long.
const FIRST_WITHIN: Duration = Duration::from_secs(10);
/// So long after the last save the index is mended, and at the latest so long after the first.
const SETTLED: Duration = Duration::from_millis(400);
const LATEST: Duration = Duration::from_secs(5);
/// Documents listed for readers without script.
const GROUPS_MAX: usize = 25;
/// Bytes of a query that are read.
const QUERY_BYTES_MAX: usize = 400;

/// One state of the index.
#[derive(Debug, Default)]
struct Current {
    index: Index,
    /// Stands in the names of its files, and is another one for each state, of another run too.
    stamp: u128,
    /// How it is cut into files; made when the first one is asked for.
    parts: OnceLock<Parts>,
}

impl Current {
    fn file(&self, name: &str) -> Option<Vec<u8>> {
        let parts = self.parts.get_or_init(|| self.index.parts());
        self.index.file(parts, &format!("{:x}", self.stamp), name)
    }

    fn changed(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.stamp = now.as_micros().max(self.stamp + 1);
        self.parts = OnceLock::new();
    }
}

/// The index as it is served.
#[derive(Debug)]
pub(super) struct Live {
    state: RwLock<Current>,
    /// Whether there is a first index.
    ready: channel::Sender<bool>,
}

impl Default for Live {
    fn default() -> Self {
        Self { state: RwLock::default(), ready: channel::Sender::new(false) }
    }
}

impl Live {
    async fn ready(&self) -> bool {
        let mut ready = self.ready.subscribe();
        tokio::time::timeout(FIRST_WITHIN, ready.wait_for(|ready| *ready)).await.is_ok()
    }

    fn read(&self) -> RwLockReadGuard<'_, Current> {
        // A panic while it was mended leaves an index that finds less, not one that cannot be read.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the book and the names of running services until the app ends.
pub(super) async fn run(app: Arc<App>) {
    let (mut shown, mut evidence) = (app.shown.subscribe(), app.evidence.subscribe());
    let mut known = Vec::new();
    let mut first = true;
    loop {
        let services = services(&app);
        let changed = shown.has_changed().unwrap_or(false);
        if first || changed || services != known {
            shown.mark_unchanged();
            known.clone_from(&services);
            let working = Arc::clone(&app);
            let work = move || renew(&working, &services, first);
            // A panic inside ends only this attempt; the index stays as it was.
            if let Err(error) = tokio::task::spawn_blocking(work).await {
                tracing::error!(%error, "the search index could not be made");
            }
            first = false;
        }
        tokio::select! {
            () = app.token.cancelled() => return,
            _ = shown.changed() => {
                settle(&mut shown).await;
                shown.mark_changed();
            }
            _ = evidence.changed() => {}
        }
    }
}

/// Waits until no save has come for a while: the changed page is to be shown first, and an author who
/// saves again soon needs one index and not several.
async fn settle(shown: &mut channel::Receiver<Shown>) {
    let first = Instant::now();
    while first.elapsed() < LATEST {
        match tokio::time::timeout(SETTLED, shown.changed()).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}

fn renew(app: &App, services: &[Service], first: bool) {
    let book = app.shown().book;
    // The first one is made before anybody has to wait for the lock.
    let made = first.then(|| Index::of(&book, services));
    let mut state = app.search.state.write().unwrap_or_else(PoisonError::into_inner);
    let changed = match made {
        Some(index) => {
            state.index = index;
            true
        }
        None => state.index.update(&book, services),
    };
    if changed {
        state.changed();
    }
    drop(state);
    app.search.ready.send_replace(true);
}

/// Services of the book and of the telemetry, with their pages.
fn services(app: &App) -> Vec<Service> {
    let evidence = app.evidence();
    let service = |id: &document::ServiceId| Service {
        id: id.clone(),
        url: format!("live/services/{}", id.0),
    };
    evidence.services.iter().map(|known| service(&known.id)).collect()
}

/// `GET /assets/search/NAME`.
pub(super) async fn file(State(app): State<Arc<App>>, Path(name): Path<String>) -> Response {
    if !app.search.ready().await {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let encode = move || app.search.read().file(&name);
    match tokio::task::spawn_blocking(encode).await.unwrap_or_default() {
        Some(bytes) => (
            [
                (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
                (header::CACHE_CONTROL, "no-cache"),
            ],
            bytes,
        )
            .into_response(),
        // The script asks for the newest index then.
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `GET /search.html?q=`.
pub(super) async fn page(app: &Arc<App>, query: Option<&str>) -> Response {
    let asked = query.map(asked).unwrap_or_default();
    let view = if asked.trim().is_empty() {
        SearchView::default()
    } else {
        app.search.ready().await;
        let (asking, query) = (Arc::clone(app), asked.clone());
        let found = tokio::task::spawn_blocking(move || {
            asking.search.read().index.find(&query, GROUPS_MAX)
        });
        view(asked, found.await.unwrap_or_default())
    };
    let shown = app.shown();
    let site = views::site(app, &shown);
    views::html(pages::render_search(&site, &view, Some(&app.evidence())))
}

/// What stands behind `q=`.
fn asked(query: &str) -> String {
    let pairs: Vec<(String, String)> =
        axum::extract::Query::try_from_uri(&format!("/?{query}").parse().unwrap_or_default())
            .map(|query| query.0)
            .unwrap_or_default();
    let mut asked =
        pairs.into_iter().find(|(key, _)| key == "q").map(|(_, text)| text).unwrap_or_default();
    while asked.len() > QUERY_BYTES_MAX {
        asked.pop();
    }
    asked
}

fn view(query: String, found: Found) -> SearchView {
    let said = said(query.trim(), &found);
    let groups = found.groups.into_iter().map(|group| SearchGroup {
        kind: match group.kind {
            Kind::Page => String::new(),
            Kind::Term => "Term".to_owned(),
            Kind::Service => "Service".to_owned(),
        },
        url: group.url,
        title: group.title,
        hits: group
            .hits
            .into_iter()
            .map(|hit| SearchHit { anchor: hit.anchor, title: hit.title, excerpt: hit.excerpt })
            .collect(),
    });
    SearchView { query, said, groups: groups.collect() }
}

/// The same sentences as in `search.js`.
fn said(query: &str, found: &Found) -> String {
    match (&found.corrected, found.total) {
        (Some(better), _) => {
            format!("Nothing for “{query}”. This is what was found for “{better}”.")
        }
        (None, 0) => format!("Nothing was found for “{query}”. Try fewer or other words."),
        (None, total) if !found.unknown.is_empty() => {
            let unknown = found.unknown.join(" ");
            format!("Nothing for “{unknown}”. Found for the other words: {total}")
        }
        (None, 1) => "1 result".to_owned(),
        (None, total) => format!("{total} results"),
    }
}
