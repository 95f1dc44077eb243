//! Server-sent events: what changed, to every open page. One connection a page; what all readers of
//! one page need is made once a tick and shared.

use super::App;
use super::charts::Span;
use super::moment::Moment;
use super::shown::Shown;
use super::tick::now_ms;
use super::views;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use document::Page;
use evidence::Evidence;
use futures_util::stream::{self, Stream, StreamExt};
use pages::{Cells, cell_diff};
use serde::Deserialize;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Open streams at one time; one more is answered with 503.
pub(super) const STREAMS_MAX: usize = 4096;
/// Addresses whose cells are kept between ticks.
const CACHED_VIEWS_MAX: usize = 512;

/// What several readers share.
#[derive(Debug)]
pub(super) struct Cache {
    views: Mutex<HashMap<View, Slot>>,
    permits: Arc<Semaphore>,
}

/// The place of one view. Whoever comes first at a tick fills it; the others wait for that.
type Slot = Arc<tokio::sync::Mutex<Option<Ticked>>>;

/// What a page shows: a page of the book or a live view.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct View {
    /// Id of a page (`index`) or a live view (`live/services/orders`).
    pub(super) page: String,
    /// How far its charts reach, where the address says it.
    pub(super) span: Option<Span>,
}

/// The cells of one view at one tick.
#[derive(Debug, Clone)]
struct Ticked {
    at: i64,
    cells: Arc<Cells>,
    before: Option<Arc<Cells>>,
    /// The step from `before` to `cells` as JSON.
    step: Arc<str>,
}

impl Default for Cache {
    fn default() -> Self {
        Self { views: Mutex::default(), permits: Arc::new(Semaphore::new(STREAMS_MAX)) }
    }
}

impl Cache {
    /// Streams that are open now.
    pub(super) fn open_streams(&self) -> usize {
        STREAMS_MAX - self.permits.available_permits()
    }

    fn slot(&self, view: &View) -> Slot {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if views.len() >= CACHED_VIEWS_MAX && !views.contains_key(view) {
            // Readers keep their own slots; only the sharing begins anew.
            views.clear();
        }
        Arc::clone(views.entry(view.clone()).or_default())
    }
}

/// The view's cells at the tick of `evidence`, made once for all readers; `None` when there is no
/// such view.
async fn ticked(app: &Arc<App>, view: &View, evidence: &Arc<Evidence>) -> Option<Ticked> {
    let slot = app.events.slot(view);
    let mut place = slot.lock().await;
    if let Some(ticked) = place.as_ref().filter(|ticked| ticked.at == evidence.at) {
        return Some(ticked.clone());
    }
    let before = place.as_ref().map(|ticked| Arc::clone(&ticked.cells));
    let making = (Arc::clone(app), view.clone(), Arc::clone(evidence));
    // Charts ask several queries: too long for a network thread.
    let made = tokio::task::spawn_blocking(move || {
        let (app, view, evidence) = making;
        views::cells(&app, &view, &evidence)
    });
    let cells = match made.await {
        Ok(cells) => Arc::new(cells?),
        Err(error) => {
            tracing::error!(%error, page = view.page, "the live values cannot be made");
            return None;
        }
    };
    let step = match &before {
        Some(before) => to_json(&cell_diff(before, &cells)),
        None => to_json(&*cells),
    };
    let ticked = Ticked { at: evidence.at, cells, before, step: step.into() };
    *place = Some(ticked.clone());
    Some(ticked)
}

/// `?page=ID` and `&version=` of the page as the reader has it; `from` and `to` of its charts stand
/// beside them.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    page: String,
    #[serde(default)]
    version: Option<u64>,
}

/// `GET /api/live/events?page=ID`.
pub(super) async fn stream(
    State(app): State<Arc<App>>,
    moment: Moment,
    Query(which): Query<Which>,
) -> Response {
    let Ok(permit) = Arc::clone(&app.events.permits).try_acquire_owned() else {
        return super::api::problem(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!("{STREAMS_MAX} streams are open already"),
            "close some pages, or read the page without live values",
        );
    };
    let view = View { page: which.page, span: span_of(&app, moment) };
    let reader = Reader::new(Arc::clone(&app), view, which.version, permit);
    let ended = app.token.clone().cancelled_owned();
    Sse::new(reader.events().take_until(Box::pin(ended)))
        .keep_alive(KeepAlive::default())
        .into_response()
}

/// How far charts reach by an address, where it says so.
pub(super) fn span_of(app: &App, moment: Moment) -> Option<Span> {
    let now = now_ms();
    let named = moment.from.is_some() || moment.to.is_some();
    named.then(|| Span::of(moment, views::usual_range_ms(app, now), now))
}

/// One open page.
struct Reader {
    app: Arc<App>,
    view: View,
    evidence: watch::Receiver<Arc<Evidence>>,
    shown: watch::Receiver<Shown>,
    sent: Option<Arc<Cells>>,
    page: Option<Arc<Page>>,
    book: Arc<document::Book>,
    assets: Arc<pages::Assets>,
    waiting: VecDeque<Event>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    fn new(app: Arc<App>, view: View, version: Option<u64>, permit: OwnedSemaphorePermit) -> Self {
        let mut evidence = app.evidence.subscribe();
        let shown = app.shown.subscribe();
        evidence.mark_changed();
        let (book, assets, newest) = {
            let shown = shown.borrow();
            (Arc::clone(&shown.book), Arc::clone(&shown.assets), shown.version)
        };
        let page = book.page(&view.page).cloned();
        let mut reader = Self {
            app,
            view,
            evidence,
            shown,
            sent: None,
            page,
            book,
            assets,
            waiting: VecDeque::new(),
            _permit: permit,
        };
        if version.is_some_and(|version| version != newest) {
            // It changed before this stream was open: while the page was fetched, the tab was hidden, or
            // the server was away.
            reader.push_reload();
        }
        reader.tell_problems();
        reader
    }

    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut reader| async move {
            loop {
                if let Some(event) = reader.waiting.pop_front() {
                    return Some((Ok(event), reader));
                }
                tokio::select! {
                    changed = reader.evidence.changed() => changed.ok()?,
                    changed = reader.shown.changed() => {
                        changed.ok()?;
                        reader.tell_reload();
                        continue;
                    }
                }
                reader.tell_cells().await;
            }
        })
    }

    /// What changed since the last tick; an empty object still says that the figures are fresh.
    async fn tell_cells(&mut self) {
        let evidence = Arc::clone(&self.evidence.borrow_and_update());
        let Some(ticked) = ticked(&self.app, &self.view, &evidence).await else {
            return;
        };
        let data = match (&self.sent, &ticked.before) {
            (None, _) => to_json(&*ticked.cells),
            (Some(sent), Some(before)) if Arc::ptr_eq(sent, before) => ticked.step.to_string(),
            (Some(sent), _) => to_json(&cell_diff(sent, &ticked.cells)),
        };
        self.sent = Some(ticked.cells);
        self.waiting
            .push_back(Event::default().event("cells").id(evidence.at.to_string()).data(data));
    }

    /// A new version of this page, or of what stands around every page.
    fn tell_reload(&mut self) {
        let (book, assets) = {
            let shown = self.shown.borrow_and_update();
            (Arc::clone(&shown.book), Arc::clone(&shown.assets))
        };
        let page = book.page(&self.view.page).cloned();
        let same_page = match (&page, &self.page) {
            (Some(new), Some(old)) => Arc::ptr_eq(new, old),
            (None, None) => true,
            _ => false,
        };
        let same_theme = Arc::ptr_eq(&assets, &self.assets);
        if !(same_page && same_theme && same_frame(&book, &self.book)) {
            self.push_reload();
        }
        self.page = page;
        self.book = book;
        self.assets = assets;
        self.tell_problems();
    }

    fn push_reload(&mut self) {
        let data = serde_json::json!({ "page": self.view.page }).to_string();
        self.waiting.push_back(Event::default().event("reload").data(data));
        self.sent = None;
    }

    fn tell_problems(&mut self) {
        let (problems, kept) = {
            let shown = self.shown.borrow();
            (shown.problems(&self.view.page), shown.is_kept(&self.view.page))
        };
        let html = pages::render_problems(&problems, kept);
        let data =
            serde_json::json!({ "html": if problems.is_empty() { "" } else { &html } }).to_string();
        self.waiting.push_back(Event::default().event("problems").data(data));
    }
}

/// Whether sidebar and top bar are the same: the book's name and the list of pages.
fn same_frame(a: &document::Book, b: &document::Book) -> bool {
    let frame = |book: &document::Book| -> Vec<(String, String)> {
        book.pages.iter().map(|page| (page.path.clone(), page.title.clone())).collect()
    };
    a.config == b.config && a.outline == b.outline && frame(a) == frame(b)
}

fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("maps of strings serialize")
}
