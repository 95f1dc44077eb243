//! Events in memory: from a contract's enum to a [`Message`] and back, and the
//! span of whoever sends one. Its W3C headers travel with the event.

use std::collections::BTreeMap;

use contracts::messaging::Event;
use http::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::propagation;
use crate::telemetry::SPANS;

/// `messaging.system` of the embedded delivery.
pub(crate) const SYSTEM: &str = "outbox";

/// An event that is to be published.
#[derive(Debug, Clone)]
pub struct Message {
    topic: &'static str,
    key: String,
    kind: String,
    body: Value,
}

impl Message {
    /// An event of a contract: an enum with `kind` as its tag and `body` as its
    /// content. Events with the same `key` keep their order.
    pub fn new(topic: &'static str, key: impl Into<String>, event: &impl Serialize) -> Self {
        let mut value = serde_json::to_value(event).expect("a contract's event has a JSON form");
        let kind = value["kind"].as_str().expect("a contract's event says its kind").to_owned();
        Self { topic, key: key.into(), kind, body: value["body"].take() }
    }

    /// Where it is published.
    pub fn topic(&self) -> &'static str {
        self.topic
    }

    /// Whose order it keeps.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What happened.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What it says.
    pub fn body(&self) -> &Value {
        &self.body
    }
}

/// The contract's event in an envelope. An error: it is of no known kind, or
/// does not say what events of its kind say.
pub fn decode<T: DeserializeOwned>(event: &Event) -> Result<T, serde_json::Error> {
    let tagged = match event.body {
        Value::Null => json!({ "kind": event.kind }),
        ref body => json!({ "kind": event.kind, "body": body }),
    };
    serde_json::from_value(tagged)
}

/// Runs `write` in a PRODUCER span and hands it the headers of that span.
pub(crate) async fn sent<T>(
    message: &Message,
    write: impl AsyncFnOnce(BTreeMap<String, String>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let name = format!("send {}", message.topic);
    let span = tracing::info_span!(target: SPANS, "send", otel.name = name, otel.kind = "producer");
    span.set_attribute("messaging.system", SYSTEM);
    span.set_attribute("messaging.destination.name", message.topic);
    span.set_attribute("messaging.operation.name", "send");
    span.set_attribute("messaging.operation.type", "send");
    span.set_attribute("cloudscale.event.kind", message.kind.clone());
    write(context_of(&span)).instrument(span).await
}

/// The headers with which work that comes later is made a part of this trace
/// ([`continues`]).
pub fn context() -> BTreeMap<String, String> {
    context_of(&tracing::Span::current())
}

fn context_of(span: &tracing::Span) -> BTreeMap<String, String> {
    let mut headers = HeaderMap::new();
    propagation::inject(&span.context(), &mut headers);
    let headers = headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    headers.collect()
}

/// The span of a consumer that works on an event: a child of the sender's.
pub(crate) fn process_span(event: &Event, group: &str) -> tracing::Span {
    let name = format!("process {}", event.topic);
    let span =
        tracing::info_span!(target: SPANS, "process", otel.name = name, otel.kind = "consumer");
    continues(&span, &event.context);
    span.set_attribute("messaging.system", SYSTEM);
    span.set_attribute("messaging.destination.name", event.topic.clone());
    span.set_attribute("messaging.operation.name", "process");
    span.set_attribute("messaging.operation.type", "process");
    span.set_attribute("messaging.consumer.group.name", group.to_owned());
    span.set_attribute("messaging.message.id", event.id.to_string());
    span.set_attribute("cloudscale.event.kind", event.kind.clone());
    span
}

/// Makes `span` a part of the trace of whoever sent an event with these headers:
/// for work that an event brings about later, when its consumer is done with it.
pub fn continues(span: &tracing::Span, context: &BTreeMap<String, String>) {
    let mut headers = HeaderMap::new();
    for (name, value) in context {
        if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), value.parse()) {
            headers.insert(name, value);
        }
    }
    let _ = span.set_parent(propagation::extract(&headers));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use contracts::orders::OrderEvent;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_event_comes_back_as_it_was_and_a_strange_one_does_not() {
        let sent = OrderEvent::Completed { order: Uuid::from_u128(7), pieces: 3 };
        let message = Message::new("order-events", "7", &sent);
        let event = |kind: &str, body: Value| Event {
            id: Uuid::nil(),
            topic: "order-events".to_owned(),
            key: message.key.clone(),
            position: 1,
            previous: 0,
            kind: kind.to_owned(),
            body,
            context: BTreeMap::new(),
            published_ms: 0,
        };
        let back = event(message.kind(), message.body().clone());
        assert_eq!(decode::<OrderEvent>(&back).unwrap(), sent);
        assert!(decode::<OrderEvent>(&event("completed", json!({ "order": 1 }))).is_err());
        assert!(decode::<OrderEvent>(&event("exploded", Value::Null)).is_err());
    }
}
