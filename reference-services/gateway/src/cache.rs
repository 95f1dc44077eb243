//! Answers that say the same to everybody, kept to be given again. They go when
//! the catalog tells that a product has changed (`events`), after the
//! time that the route names in any case, and none is used while the gateway does
//! not hear the catalog. The pipeline looks here before it calls, and keeps what
//! came back.
//!
//! An answer that was fetched before a change and arrives after it would stay: so
//! whoever fetches takes a `Ticket` first, which a change makes void.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chassis::{Metrics, Reply};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use prometheus::IntCounterVec;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::domain::{Caching, Route, Shape};
use crate::pipeline::returned;

/// Most bytes that are kept, keys and compressed forms among them.
pub const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// As many answers as that are expected.
const EXPECTED: usize = 1_000;

/// Longer paths and queries are not kept.
pub const MAX_KEY_BYTES: usize = 256;

/// After this time without a word from the catalog nothing is given again: its
/// feed answers at least every 4 s.
pub const DEAF_AFTER: Duration = Duration::from_secs(8);

/// Most products whose newest version is remembered.
const MAX_VERSIONS: usize = 1_000;

/// An answer as it can be given, now and again.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body as gzip has it, once somebody asked for that.
    pub(crate) gzip: OnceLock<Bytes>,
    at: Instant,
    product: Option<Version>,
}

/// The product that an answer tells of.
#[derive(Debug, Deserialize)]
struct Version {
    sku: String,
    version: i64,
}

impl Kept {
    /// The answer that a client gets for a reply.
    pub(crate) fn of(route: &Route, reply: Reply) -> Arc<Self> {
        let Reply { status, headers, body } = reply;
        let mut headers = returned(&headers);
        let own_tag = route.shape != Shape::AsItIs || route.cache != Caching::No;
        if own_tag && status == StatusCode::OK && !headers.contains_key(header::ETAG) {
            headers.insert(header::ETAG, tag(&body));
        }
        let product = match (route.cache, status) {
            (Caching::UntilChanged(_), StatusCode::OK) => serde_json::from_slice(&body).ok(),
            _ => None,
        };
        let (gzip, at) = (OnceLock::new(), Instant::now());
        Arc::new(Self { status, headers, body, gzip, at, product })
    }
}

/// A tag that is another one for any other content.
fn tag(body: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(body);
    let start =
        digest.iter().take(12).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    HeaderValue::try_from(format!("\"{start}\"")).expect("hexadecimal digits fit into a header")
}

/// Leave to keep an answer, if nothing changes before it is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket(u64);

/// What looking for an answer comes to.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// It is here.
    Found(Arc<Kept>),
    /// It has to be fetched; with a ticket it can be kept.
    Missing(Option<Ticket>),
}

#[derive(Debug, Clone)]
struct Size;

impl Weighter<String, Arc<Kept>> for Size {
    fn weight(&self, key: &String, kept: &Arc<Kept>) -> u64 {
        // The headers, and the compressed form that may come.
        (key.len() + kept.body.len() + kept.body.len() / 3 + 1_024) as u64
    }
}

/// The answers. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Answers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kept: Cache<String, Arc<Kept>, Size>,
    round: AtomicU64,
    heard: Mutex<Option<Instant>>,
    newest: Mutex<HashMap<String, i64>>,
    lookups: IntCounterVec,
    forgotten: IntCounterVec,
}

impl Answers {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self(Arc::new(Inner {
            kept: Cache::with_weighter(EXPECTED, MAX_BYTES, Size),
            round: AtomicU64::new(0),
            heard: Mutex::default(),
            newest: Mutex::default(),
            lookups: metrics.counter(
                "gateway_cache_lookups_total",
                "Requests whose answer may be kept, by whether it was.",
                &["outcome"],
            ),
            forgotten: metrics.counter(
                "gateway_cache_invalidations_total",
                "Events that answers were forgotten for.",
                &["kind"],
            ),
        }))
    }

    /// Looks for the answer to a path and query.
    pub(crate) fn look(&self, route: &Route, target: &str) -> Lookup {
        let Caching::UntilChanged(longest) = route.cache else { return Lookup::Missing(None) };
        let (inner, count) = (&self.0, |outcome| {
            self.0.lookups.with_label_values(&[outcome]).inc();
        });
        if target.len() > MAX_KEY_BYTES || !self.hears() {
            count("bypass");
            return Lookup::Missing(None);
        }
        if let Some(kept) = inner.kept.get(target).filter(|kept| kept.at.elapsed() < longest) {
            count("hit");
            return Lookup::Found(kept);
        }
        count("miss");
        Lookup::Missing(Some(Ticket(inner.round.load(Ordering::SeqCst))))
    }

    /// Keeps an answer, unless something has changed since the ticket was given.
    pub(crate) fn keep(&self, route: &Route, target: &str, ticket: Ticket, kept: &Arc<Kept>) {
        let whole = kept.status == StatusCode::OK && route.cache != Caching::No;
        if whole && ticket.0 == self.0.round.load(Ordering::SeqCst) && self.newest(kept) {
            self.0.kept.insert(target.to_owned(), Arc::clone(kept));
            // The change may have come while this was put in.
            if ticket.0 != self.0.round.load(Ordering::SeqCst) {
                self.0.kept.remove(target);
            }
        }
    }

    /// Whether no newer version of the product was told of. The catalog keeps
    /// products too, and may not have heard of the change when it answered.
    fn newest(&self, kept: &Kept) -> bool {
        let Some(Version { sku, version }) = &kept.product else { return true };
        let newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.get(sku).is_none_or(|newest| version >= newest)
    }

    /// A product has changed: answers about it go, and those about several.
    pub(crate) fn changed(&self, sku: &str, version: i64) {
        {
            let mut newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
            if newest.len() >= MAX_VERSIONS {
                newest.clear();
            }
            newest.insert(sku.to_owned(), version);
        }
        self.0.round.fetch_add(1, Ordering::SeqCst);
        self.0.kept.retain(|_, kept| kept.product.as_ref().is_some_and(|about| about.sku != sku));
        self.0.forgotten.with_label_values(&["product_changed"]).inc();
    }

    /// The catalog was heard: nothing was missed until now.
    pub(crate) fn heard(&self) {
        let mut heard = self.0.heard.lock().unwrap_or_else(PoisonError::into_inner);
        *heard = Some(Instant::now());
    }

    /// Something may have been missed: everything goes.
    pub(crate) fn start_anew(&self) {
        self.0.round.fetch_add(1, Ordering::SeqCst);
        self.0.kept.clear();
        self.0.forgotten.with_label_values(&["start"]).inc();
    }

    fn hears(&self) -> bool {
        let heard = self.0.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.is_some_and(|at| at.elapsed() < DEAF_AFTER)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chassis::Config;

    use super::*;
    use crate::domain::get;

    const LIST: Route = get("/v1/products", "catalog").kept();

    fn answers() -> Answers {
        let answers = Answers::new(&Metrics::new(&Config::read("gateway", |_| None).unwrap()));
        answers.heard();
        answers
    }

    fn reply(body: &str) -> Arc<Kept> {
        let (status, body) = (StatusCode::OK, Bytes::copy_from_slice(body.as_bytes()));
        Kept::of(&LIST, Reply { status, headers: HeaderMap::new(), body })
    }

    fn ticket(answers: &Answers, target: &str) -> Ticket {
        match answers.look(&LIST, target) {
            Lookup::Missing(Some(ticket)) => ticket,
            other => panic!("{other:?}"),
        }
    }

    fn found(answers: &Answers, target: &str) -> bool {
        matches!(answers.look(&LIST, target), Lookup::Found(_))
    }

    #[test]
    fn a_change_takes_what_it_concerns() {
        let answers = answers();
        for (target, body) in [
            ("/list", "{}"),
            ("/tea", r#"{"sku":"tea","version":1}"#),
            ("/mug", r#"{"sku":"mug","version":1}"#),
        ] {
            answers.keep(&LIST, target, ticket(&answers, target), &reply(body));
            assert!(found(&answers, target), "{target}");
        }
        answers.changed("tea", 2);
        let left = ["/list", "/tea", "/mug"].map(|target| found(&answers, target));
        assert_eq!(left, [false, false, true]);
        answers.start_anew();
        assert!(!found(&answers, "/mug"));
    }

    #[test]
    fn what_was_fetched_before_a_change_is_not_kept() {
        let answers = answers();
        let early = ticket(&answers, "/list");
        answers.changed("tea", 2);
        answers.keep(&LIST, "/list", early, &reply("{}"));
        assert!(!found(&answers, "/list"));
        // The catalog has not heard of its own change yet.
        for (version, kept) in [(1, false), (2, true)] {
            let body = format!(r#"{{"sku":"tea","version":{version}}}"#);
            answers.keep(&LIST, "/tea", ticket(&answers, "/tea"), &reply(&body));
            assert_eq!(found(&answers, "/tea"), kept, "version {version}");
        }
    }

    #[test]
    fn nothing_is_given_again_while_the_catalog_is_not_heard() {
        let answers = answers();
        answers.keep(&LIST, "/list", ticket(&answers, "/list"), &reply("{}"));
        assert!(found(&answers, "/list"));
        *answers.0.heard.lock().unwrap() = Instant::now().checked_sub(DEAF_AFTER);
        assert!(!found(&answers, "/list"));
    }
}
