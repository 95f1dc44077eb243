//! Search while the book is served: the index is made after the start, and mended after each change,
//! beside everything else. Routes ask here for its files and for the page of readers without script.

use super::App;
use super::shown::Shown;
use super::views;
use crate::search::{Found, Index, Kind, Service};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use pages::{SearchGroup, SearchHit, SearchView};
use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};
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

/// The index as it is served: the name of each file, and its bytes.
type IndexFiles = BTreeMap<String, Vec<u8>>;

/// The index and its files.
#[derive(Debug)]
pub(super) struct Live {
    index: RwLock<Index>,
    /// By name; `None` before the first index.
    files: channel::Sender<Option<Arc<IndexFiles>>>,
}

impl Default for Live {
    fn default() -> Self {
        Self { index: RwLock::default(), files: channel::Sender::new(None) }
    }
}

impl Live {
    async fn files(&self) -> Option<Arc<IndexFiles>> {
        let mut files = self.files.subscribe();
        let ready = tokio::time::timeout(FIRST_WITHIN, files.wait_for(Option::is_some));
        ready.await.ok()?.ok()?.clone()
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
    let changed = match first {
        true => {
            let index = Index::of(&book, services);
            *app.search.index.write().expect("no holder of this lock panics") = index;
            true
        }
        false => {
            let mut index = app.search.index.write().expect("no holder of this lock panics");
            index.update(&book, services)
        }
    };
    if changed {
        let index = app.search.index.read().expect("no holder of this lock panics");
        app.search.files.send_replace(Some(Arc::new(index.files())));
    }
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
    let files = app.search.files().await;
    match files.as_ref().and_then(|files| files.get(&name)) {
        Some(bytes) => (
            [
                (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
                (header::CACHE_CONTROL, "no-cache"),
            ],
            bytes.clone(),
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
        let _ = app.search.files().await;
        let (asking, query) = (Arc::clone(app), asked.clone());
        let found = tokio::task::spawn_blocking(move || {
            let index = asking.search.index.read().expect("no holder of this lock panics");
            index.find(&query, GROUPS_MAX)
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
    let said = match found.total {
        0 => format!("Nothing was found for “{}”. Try fewer or other words.", query.trim()),
        1 => "1 result".to_owned(),
        total => format!("{total} results"),
    };
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
