//! The other side of a call, as far as one side's attributes name it.
//!
//! Read by the pairing of calls for sides that send no spans: databases, queues, other companies.

use crate::attribute::find_text;
use crate::{Kind, Span};
use std::sync::Arc;

/// Names the other side outright, whatever it is; the first wins.
const PEER_SERVICE: [&str; 2] = ["service.peer.name", "peer.service"];
/// One of these makes a client span a database call; the current name before the old one.
const DATABASE: [&str; 4] = ["db.namespace", "db.name", "db.system.name", "db.system"];
/// Names a queue or topic; the current name before the old one.
const DESTINATION: [&str; 2] = ["messaging.destination.name", "messaging.destination"];

/// Bytes of a name; the rest is cut off, because names become nodes, addresses and queries.
const MAX_NAME_BYTES: usize = 256;

/// The service on the other side.
pub(crate) fn service(span: &Span) -> Option<Arc<str>> {
    first(span, &PEER_SERVICE)
}

/// The database that a client span asks.
pub(crate) fn database(span: &Span) -> Option<Arc<str>> {
    let named = first(span, &DATABASE).filter(|_| span.kind == Kind::Client)?;
    Some(
        service(span)
            .or_else(|| first(span, &["server.address"]))
            .or_else(|| address(span))
            .unwrap_or(named),
    )
}

/// The queue or topic between a sender and a receiver.
pub(crate) fn queue(span: &Span) -> Option<Arc<str>> {
    first(span, &DESTINATION)
}

/// Every name that a calling span gives the other side.
pub(crate) fn names(span: &Span) -> impl Iterator<Item = Arc<str>> {
    let calls = matches!(side(span), Some(Side::Client | Side::Producer));
    [database(span), queue(span), service(span)].into_iter().flatten().filter(move |_| calls)
}

/// Which side of a call a span is on, if any.
pub(crate) fn side(span: &Span) -> Option<Side> {
    match (span.kind, find_text(&span.attributes, "messaging.operation.type").as_deref()) {
        (Kind::Internal, _) => None,
        // A client that sends a message is its producer when no other span made the message's context;
        // one that fetches or settles messages is neither side of a call between services.
        (Kind::Client, Some("send" | "create")) => Some(Side::Producer),
        (Kind::Client, Some("receive" | "settle")) => None,
        (Kind::Client, _) => Some(Side::Client),
        (Kind::Producer, _) => Some(Side::Producer),
        (Kind::Server, _) => Some(Side::Server),
        (Kind::Consumer, _) => Some(Side::Consumer),
    }
}

/// A side of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Producer,
    Server,
    Consumer,
}

fn address(span: &Span) -> Option<Arc<str>> {
    let address = find_text(&span.attributes, "network.peer.address")?;
    let address = cut(&address);
    Some(match find_text(&span.attributes, "network.peer.port") {
        Some(port) => format!("{address}:{}", cut(&port)).into(),
        None => address.into(),
    })
}

fn first(span: &Span, keys: &[&str]) -> Option<Arc<str>> {
    keys.iter().find_map(|key| find_text(&span.attributes, key)).map(|text| cut(&text).into())
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_NAME_BYTES)]
}
