//! What a view shows: the moment of its address and the evidence of that moment, now or in the past.
//!
//! A handler that takes a [`Seen`] works for both; what cannot be shown was answered before.

use super::App;
use super::moment::{Moment, answer};
use super::shown::Shown;
use super::{api, past::Then, views};
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use evidence::Evidence;
use pages::Site;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use traces::ServiceGraph;

/// Parts of an address that a form carries on.
const CARRIED_MAX: usize = 32;

/// The moment of a view with what was so then.
pub(super) struct Seen {
    pub(super) moment: Moment,
    pub(super) evidence: Arc<Evidence>,
    then: Option<Arc<Then>>,
    /// What else stands in the address.
    asked: Vec<(String, String)>,
}

impl Seen {
    /// Reads an address; the answer to one that cannot be shown.
    pub(super) async fn read(app: &Arc<App>, uri: &Uri) -> Result<Self, Response> {
        let moment = Moment::read(app, uri).map_err(|wrong| answer(app, uri, &wrong))?;
        let then = match moment.at {
            None => None,
            Some(at) => {
                Some(app.past.at(app, &app.shown(), at).await.ok_or_else(|| busy(app, uri))?)
            }
        };
        let evidence =
            then.as_ref().map_or_else(|| app.evidence(), |then| Arc::clone(&then.evidence));
        Ok(Self { moment, evidence, then, asked: asked(uri) })
    }

    /// The moment of the past, where it is one.
    pub(super) fn at(&self) -> Option<i64> {
        self.moment.at
    }

    /// Who called whom before a moment of the past; the present is asked of the store.
    pub(super) fn graph(&self) -> Option<&ServiceGraph> {
        self.then.as_ref().map(|then| &then.graph)
    }

    /// What pages need to know besides their content.
    pub(super) fn site<'a>(&'a self, app: &App, shown: &'a Shown) -> Site<'a> {
        let site = views::site(app, shown);
        let now_ms = self.at().unwrap_or(site.now_ms);
        Site { now_ms, at: self.at(), asked: &self.asked, ..site }
    }

    /// A page whose links lead to the same moment.
    pub(super) fn html(&self, page: String) -> Response {
        views::html(match self.at() {
            Some(at) => pages::keep_moment(&page, at),
            None => page,
        })
    }
}

impl FromRequestParts<Arc<App>> for Seen {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        Self::read(app, &parts.uri).await
    }
}

/// Since when telemetry is kept, as the last look found, and until now; milliseconds since 1970.
pub(super) fn kept(app: &App) -> Option<(i64, i64)> {
    let since = Some(app.since_ms.load(Relaxed)).filter(|since| *since != i64::MAX)?;
    Some((since, super::tick::now_ms()))
}

fn asked(uri: &Uri) -> Vec<(String, String)> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(pairs)| pairs);
    let is_time = |name: &str| ["at", "from", "to"].contains(&name);
    let others = pairs.unwrap_or_default().into_iter().filter(|(name, _)| !is_time(name));
    others.take(CARRIED_MAX).collect()
}

fn busy(app: &App, uri: &Uri) -> Response {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    if uri.path().starts_with("/api/") {
        let help = "ask again in a moment, or without `at` for the present";
        return api::problem(status, "too many moments of the past are being looked at", help);
    }
    let help = "Reload in a moment, or look at the present.";
    views::problem_page(app, status, "Too many moments of the past are being looked at", help)
}
