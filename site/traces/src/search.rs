//! Finding traces: what to ask for, and what one line of the answer says.
//!
//! The rules are Jaeger's: one span must fit the whole question, and an attribute may sit on the span,
//! its resource, its scope, its events or its links.

use crate::{Span, SpanId, TraceId, find, peer};
use regex::Regex;
use serde::Serialize;
use std::collections::HashSet;
use std::sync::Arc;

/// Asks for an attribute.
#[derive(Debug, Clone)]
pub enum AttributeFilter {
    /// `key` has exactly this text; numbers and booleans as they are written, `72.5`, `true`.
    Equals(String, String),
    /// The whole text of `key` fits the pattern; see [`AttributeFilter::matching`].
    Matches(String, Regex),
}

impl AttributeFilter {
    /// `key` fits a regular expression from its first to its last character.
    pub fn matching(key: impl Into<String>, pattern: &str) -> Result<Self, regex::Error> {
        Ok(Self::Matches(key.into(), Regex::new(&format!("^(?s:{pattern})$"))?))
    }

    fn fits(&self, span: &Span) -> bool {
        match self {
            Self::Equals(key, text) => any_value(span, key, |found| found == text),
            Self::Matches(key, pattern) => any_value(span, key, |found| pattern.is_match(found)),
        }
    }
}

/// Which traces to find. What is left out does not filter.
#[derive(Debug, Clone)]
pub struct Search {
    /// `service.name`.
    pub service: Option<String>,
    /// The span's name.
    pub operation: Option<String>,
    /// All of these.
    pub attributes: Vec<AttributeFilter>,
    /// The span lasted at least this long, nanoseconds.
    pub min_duration_ns: Option<i64>,
    /// The span lasted at most this long, nanoseconds.
    pub max_duration_ns: Option<i64>,
    /// The span failed.
    pub errors_only: bool,
    /// The span started at or after this, milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// The span started at or before this, milliseconds since 1970.
    pub to_ms: Option<i64>,
    /// The span calls this: a child of it is of this service, or its attributes name this database,
    /// queue or peer, whatever the case.
    pub to: Option<String>,
    /// How many traces at most.
    pub limit: usize,
}

impl Search {
    /// Traces found unless asked otherwise.
    pub const LIMIT: usize = 20;
}

impl Default for Search {
    fn default() -> Self {
        Self {
            service: None,
            operation: None,
            attributes: Vec::new(),
            min_duration_ns: None,
            max_duration_ns: None,
            errors_only: false,
            from_ms: None,
            to_ms: None,
            to: None,
            limit: Self::LIMIT,
        }
    }
}

impl Search {
    /// Whether one of a trace's spans fits all of the question.
    pub(crate) fn finds(&self, spans: &[Arc<Span>]) -> bool {
        let Some(to) = self.to.as_deref() else { return spans.iter().any(|span| self.fits(span)) };
        let of_callee = |span: &&Arc<Span>| span.service().eq_ignore_ascii_case(to);
        let called: HashSet<(SpanId, &str)> = spans
            .iter()
            .filter(of_callee)
            .filter_map(|span| Some((span.parent_id?, span.service())))
            .collect();
        let calls = |span: &Span| {
            called.iter().any(|(parent, by)| *parent == span.span_id && *by != span.service())
                || peer::names(span).any(|name| name.eq_ignore_ascii_case(to))
        };
        spans.iter().any(|span| self.fits(span) && calls(span))
    }

    /// Whether a span fits the question; cheap conditions first. Whom it calls is not asked here.
    pub fn fits(&self, span: &Span) -> bool {
        let start_ms = span.start_ns.div_euclid(1_000_000);
        let duration = span.duration_ns();
        self.service.as_deref().is_none_or(|service| service == span.service())
            && self.operation.as_deref().is_none_or(|operation| operation == &*span.name)
            && (!self.errors_only || span.is_error())
            && self.min_duration_ns.is_none_or(|min| duration >= min)
            && self.max_duration_ns.is_none_or(|max| duration <= max)
            && self.from_ms.is_none_or(|from| start_ms >= from)
            && self.to_ms.is_none_or(|to| start_ms <= to)
            && self.attributes.iter().all(|filter| filter.fits(span))
    }
}

/// How much of a trace is one service's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceSpans {
    /// `service.name`.
    pub service: Arc<str>,
    /// Its spans.
    pub spans: usize,
    /// Those of them that failed.
    pub errors: usize,
}

/// A trace in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceSummary {
    /// Its id.
    pub id: TraceId,
    /// The service of the root, or of the earliest span when the root is missing.
    pub root_service: Arc<str>,
    /// The root's operation.
    pub root_operation: Arc<str>,
    /// Whether the root itself has arrived.
    pub has_root: bool,
    /// The earliest start, nanoseconds since 1970.
    pub start_ns: i64,
    /// From the earliest start to the latest end, nanoseconds.
    pub duration_ns: i64,
    /// Spans that arrived.
    pub span_count: usize,
    /// Spans that failed.
    pub errors: usize,
    /// By service, in the order of their names.
    pub services: Vec<ServiceSpans>,
}

impl TraceSummary {
    /// The earliest start, milliseconds since 1970.
    pub fn start_ms(&self) -> i64 {
        self.start_ns.div_euclid(1_000_000)
    }

    /// Length in seconds.
    pub fn duration_s(&self) -> f64 {
        self.duration_ns as f64 / 1e9
    }

    pub(crate) fn new(id: TraceId, spans: &[Arc<Span>]) -> Option<Self> {
        let root = spans
            .iter()
            .min_by_key(|span| (span.parent_id.is_some(), span.start_ns, span.span_id))?;
        let start_ns = spans.iter().map(|span| span.start_ns).min()?;
        let end_ns = spans.iter().map(|span| span.end_ns).max()?;
        let mut services: Vec<ServiceSpans> = Vec::new();
        for span in spans {
            let at = services
                .binary_search_by(|s| s.service.cmp(&span.resource.service))
                .unwrap_or_else(|at| {
                    services.insert(
                        at,
                        ServiceSpans {
                            service: span.resource.service.clone(),
                            spans: 0,
                            errors: 0,
                        },
                    );
                    at
                });
            services[at].spans += 1;
            services[at].errors += usize::from(span.is_error());
        }
        Some(Self {
            id,
            root_service: root.resource.service.clone(),
            root_operation: root.name.clone(),
            has_root: root.parent_id.is_none(),
            start_ns,
            duration_ns: end_ns.saturating_sub(start_ns).max(0),
            span_count: spans.len(),
            errors: services.iter().map(|s| s.errors).sum(),
            services,
        })
    }
}

/// Whether any value that the span has under a key passes. `error`, `span.kind` and the scope's name
/// and version can be asked for like attributes, as people who know Jaeger do.
fn any_value(span: &Span, key: &str, mut passes: impl FnMut(&str) -> bool) -> bool {
    let written = [&span.attributes, &span.resource.attributes, &span.scope.attributes];
    let events = span.events.iter().map(|event| &event.attributes);
    let links = span.links.iter().map(|link| &link.attributes);
    let mut lists = written.into_iter().chain(events).chain(links);
    if lists.any(|list| find(list, key).is_some_and(|value| passes(&value.text()))) {
        return true;
    }
    match key {
        "error" => passes(if span.is_error() { "true" } else { "false" }),
        "span.kind" => passes(span.kind.name()),
        "otel.scope.name" => passes(&span.scope.name),
        "otel.scope.version" => passes(&span.scope.version),
        _ => false,
    }
}
