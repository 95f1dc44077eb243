//! A span and what hangs on it, typed.
//!
//! Made by OTLP decoding, kept by the store, read by search, trace view and service graph. What many
//! spans share (resource, scope, names) is shared in memory.

use crate::{Attribute, SpanId, TraceId, Value, find};
use serde::Serialize;
use std::sync::Arc;

/// The name of spans whose resource has no `service.name`.
pub(crate) const UNKNOWN_SERVICE: &str = "unknown_service";

/// Bytes of `service.name`, `service.instance.id` and `service.version`; the rest is cut off, because
/// they become labels, addresses and queries.
const MAX_IDENTITY_BYTES: usize = 256;
/// Bytes of any other text of a resource.
const MAX_RESOURCE_TEXT_BYTES: usize = 4096;

/// Who sent a span or a log record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resource {
    /// `service.name`.
    pub service: Arc<str>,
    /// `service.instance.id`.
    pub instance: Option<Arc<str>>,
    /// `service.version`.
    pub version: Option<Arc<str>>,
    /// All attributes, these three included.
    pub attributes: Box<[Attribute]>,
}

impl Resource {
    /// Reads service, instance and version out of the attributes; texts are cut to their limits.
    pub fn new(mut attributes: Vec<Attribute>) -> Self {
        attributes.iter_mut().for_each(bound);
        let text = |key: &str| match find(&attributes, key)? {
            Value::Text(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        };
        Self {
            service: text("service.name").unwrap_or_else(|| UNKNOWN_SERVICE.into()),
            instance: text("service.instance.id"),
            version: text("service.version"),
            attributes: attributes.into(),
        }
    }
}

fn bound(attribute: &mut Attribute) {
    let limit = match &*attribute.key {
        "service.name" | "service.instance.id" | "service.version" => MAX_IDENTITY_BYTES,
        _ => MAX_RESOURCE_TEXT_BYTES,
    };
    if let Value::Text(text) = &mut attribute.value
        && text.len() > limit
    {
        *text = text[..text.floor_char_boundary(limit)].into();
    }
}

/// The instrumentation that made a span.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Scope {
    /// Its name, `` if unnamed.
    pub name: Arc<str>,
    /// Its version, `` if unknown.
    pub version: Arc<str>,
    /// Its attributes.
    pub attributes: Box<[Attribute]>,
}

/// Which side of what a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Inside one service; also spans that do not say their kind.
    Internal,
    /// Answers a request.
    Server,
    /// Makes a request.
    Client,
    /// Hands a message over.
    Producer,
    /// Takes a message.
    Consumer,
}

impl Kind {
    /// In one lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// How a span ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "code", content = "message")]
pub enum Status {
    /// Not said, which means nothing went wrong.
    Unset,
    /// Said to be fine.
    Ok,
    /// Failed, with a message or ``.
    Error(Arc<str>),
}

/// Something that happened at a moment of a span.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// When, nanoseconds since 1970.
    pub time_ns: i64,
    /// What, such as `exception`.
    pub name: Arc<str>,
    /// The details.
    pub attributes: Box<[Attribute]>,
}

/// A pointer to a span that is related but not the parent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Link {
    /// The other span's trace.
    pub trace_id: TraceId,
    /// The other span.
    pub span_id: SpanId,
    /// The details.
    pub attributes: Box<[Attribute]>,
}

/// One operation of one service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Span {
    /// The trace that it belongs to.
    pub trace_id: TraceId,
    /// Its own id, unique in the trace.
    pub span_id: SpanId,
    /// The span that caused it; a root has none.
    pub parent_id: Option<SpanId>,
    /// The operation, such as `POST /orders`.
    pub name: Arc<str>,
    /// Which side of what.
    pub kind: Kind,
    /// Start, nanoseconds since 1970.
    pub start_ns: i64,
    /// End, nanoseconds since 1970. Decoding takes the start for an end before it.
    pub end_ns: i64,
    /// How it ended.
    pub status: Status,
    /// The details.
    pub attributes: Box<[Attribute]>,
    /// What happened in it.
    pub events: Box<[Event]>,
    /// What it is related to.
    pub links: Box<[Link]>,
    /// The instrumentation.
    pub scope: Arc<Scope>,
    /// The sender.
    pub resource: Arc<Resource>,
}

impl Span {
    /// `service.name`, or `unknown_service`.
    pub fn service(&self) -> &str {
        &self.resource.service
    }

    /// `service.instance.id`.
    pub fn instance(&self) -> Option<&str> {
        self.resource.instance.as_deref()
    }

    /// `service.version`.
    pub fn version(&self) -> Option<&str> {
        self.resource.version.as_deref()
    }

    /// Length in nanoseconds; 0 when the end lies before the start.
    pub fn duration_ns(&self) -> i64 {
        self.end_ns.saturating_sub(self.start_ns).max(0)
    }

    /// Whether the status is an error.
    pub fn is_error(&self) -> bool {
        matches!(self.status, Status::Error(_))
    }

    /// The value of an attribute of the span itself.
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        find(&self.attributes, key)
    }
}
