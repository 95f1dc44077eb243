//! Spans as an OTLP message again, for APIs that answer in OTLP.
//!
//! The opposite of `otlp`. What decoding gave up stays away: arrays and maps are texts, a kind that was not said is internal.

use crate::{Attribute, Kind, Resource, Scope, Span, Status, Value};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource as ResourceMessage;
use opentelemetry_proto::tonic::trace::v1 as message;
use std::sync::Arc;

type Group<'a> = (&'a Arc<Resource>, Vec<(&'a Arc<Scope>, Vec<message::Span>)>);

/// The spans, by resource and scope in the order in which these come first.
pub fn encode_spans<'a>(spans: impl IntoIterator<Item = &'a Span>) -> Vec<message::ResourceSpans> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for span in spans {
        let scopes = of(&mut groups, &span.resource);
        of(scopes, &span.scope).push(encode_span(span));
    }
    groups.into_iter().map(|(resource, scopes)| encode_group(resource, scopes)).collect()
}

/// The list of those that share something.
fn of<'l, 'a, T: PartialEq, L: Default>(
    lists: &'l mut Vec<(&'a Arc<T>, L)>,
    shared: &'a Arc<T>,
) -> &'l mut L {
    let same = |(known, _): &(&Arc<T>, L)| Arc::ptr_eq(known, shared) || **known == *shared;
    let at = lists.iter().position(same).unwrap_or_else(|| {
        lists.push((shared, L::default()));
        lists.len() - 1
    });
    &mut lists[at].1
}

fn encode_group(
    resource: &Resource,
    scopes: Vec<(&Arc<Scope>, Vec<message::Span>)>,
) -> message::ResourceSpans {
    let scope_spans = scopes.into_iter().map(|(scope, spans)| message::ScopeSpans {
        scope: Some(InstrumentationScope {
            name: scope.name.to_string(),
            version: scope.version.to_string(),
            attributes: pairs(&scope.attributes),
            ..InstrumentationScope::default()
        }),
        spans,
        ..message::ScopeSpans::default()
    });
    message::ResourceSpans {
        resource: Some(ResourceMessage {
            attributes: pairs(&resource.attributes),
            ..ResourceMessage::default()
        }),
        scope_spans: scope_spans.collect(),
        ..message::ResourceSpans::default()
    }
}

fn encode_span(span: &Span) -> message::Span {
    let events = span.events.iter().map(|event| message::span::Event {
        time_unix_nano: event.time_ns as u64,
        name: event.name.to_string(),
        attributes: pairs(&event.attributes),
        ..message::span::Event::default()
    });
    let links = span.links.iter().map(|link| message::span::Link {
        trace_id: link.trace_id.as_bytes().to_vec(),
        span_id: link.span_id.as_bytes().to_vec(),
        attributes: pairs(&link.attributes),
        ..message::span::Link::default()
    });
    message::Span {
        trace_id: span.trace_id.as_bytes().to_vec(),
        span_id: span.span_id.as_bytes().to_vec(),
        parent_span_id: span.parent_id.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
        name: span.name.to_string(),
        kind: match span.kind {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Client => 3,
            Kind::Producer => 4,
            Kind::Consumer => 5,
        },
        start_time_unix_nano: span.start_ns as u64,
        end_time_unix_nano: span.end_ns as u64,
        attributes: pairs(&span.attributes),
        events: events.collect(),
        links: links.collect(),
        status: Some(match &span.status {
            Status::Unset => message::Status::default(),
            Status::Ok => message::Status { code: 1, message: String::new() },
            Status::Error(text) => message::Status { code: 2, message: text.to_string() },
        }),
        ..message::Span::default()
    }
}

fn pairs(attributes: &[Attribute]) -> Vec<KeyValue> {
    let pair = |attribute: &Attribute| KeyValue {
        key: attribute.key.to_string(),
        value: Some(AnyValue {
            value: Some(match &attribute.value {
                Value::Text(text) => any_value::Value::StringValue(text.to_string()),
                Value::Int(int) => any_value::Value::IntValue(*int),
                Value::Float(float) => any_value::Value::DoubleValue(*float),
                Value::Bool(flag) => any_value::Value::BoolValue(*flag),
            }),
        }),
        ..KeyValue::default()
    };
    attributes.iter().map(pair).collect()
}
