//! OTLP requests to spans and log records.
//!
//! `telemetry` hands requests in from gRPC and HTTP and answers `partial_success` from what was
//! refused. Anything may come over the wire: what has no valid ids is refused and counted, what is
//! too long is cut, and nothing panics.

use crate::{
    Attribute, Event, IdError, Kind, Link, LogRecord, Resource, Scope, Span, Status, TraceId, Value,
};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource as ResourceMessage;
use opentelemetry_proto::tonic::trace::v1 as message;
use std::sync::Arc;

/// Attributes that one span, event, link, scope, resource or log record may have.
const MAX_ATTRIBUTES: usize = 128;
/// Events that one span may have.
const MAX_EVENTS: usize = 256;
/// Links that one span may have.
const MAX_LINKS: usize = 256;
/// Bytes of a name or key.
const MAX_NAME_BYTES: usize = 1024;
/// Bytes of an attribute's text or a log's body.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// The latest time that is taken, nanoseconds since 1970: the year 2200, from where durations can be
/// added and nothing overflows.
const MAX_TIME_NS: i64 = 7_258_118_400_000_000_000;

/// What a request held.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<T> {
    /// What was accepted.
    pub items: Vec<T>,
    /// How many were refused.
    pub rejected: u64,
    /// Why, in words, for the first of them; `` when all were accepted.
    pub message: String,
}

impl<T> Decoded<T> {
    fn new() -> Self {
        Self { items: Vec::new(), rejected: 0, message: String::new() }
    }

    fn take(&mut self, item: Result<T, String>) {
        match item {
            Ok(item) => self.items.push(item),
            Err(reason) => {
                if self.rejected == 0 {
                    self.message = reason;
                }
                self.rejected += 1;
            }
        }
    }
}

/// The spans of a request. Refused are spans with an invalid trace, span or parent id and spans
/// without a start or with one beyond the year 2200; a link with invalid ids is left out of its span,
/// and an end before the start becomes the start.
pub fn decode_spans(request: ExportTraceServiceRequest) -> Decoded<Span> {
    let mut decoded = Decoded::new();
    for group in request.resource_spans {
        let resource = Arc::new(resource(group.resource));
        for group in group.scope_spans {
            let scope = Arc::new(scope(group.scope));
            for span in group.spans {
                decoded.take(decode_span(span, &resource, &scope));
            }
        }
    }
    decoded
}

/// The log records of a request. Refused are records with ids of a wrong length; ids that are
/// missing or zero mean that the record belongs to no span.
pub fn decode_logs(request: ExportLogsServiceRequest) -> Decoded<LogRecord> {
    let mut decoded = Decoded::new();
    for group in request.resource_logs {
        let resource = Arc::new(resource(group.resource));
        for group in group.scope_logs {
            let scope = Arc::new(scope(group.scope));
            for record in group.log_records {
                decoded.take(decode_log(record, &resource, &scope));
            }
        }
    }
    decoded
}

fn decode_span(
    span: message::Span,
    resource: &Arc<Resource>,
    scope: &Arc<Scope>,
) -> Result<Span, String> {
    let name = || cut(&span.name, 80);
    let trace_id = TraceId::from_bytes(&span.trace_id).map_err(|e| refusal("trace", name(), &e))?;
    let span_id =
        crate::SpanId::from_bytes(&span.span_id).map_err(|e| refusal("span", name(), &e))?;
    let parent_id =
        optional(crate::SpanId::from_bytes(&span.parent_span_id), span.parent_span_id.is_empty())
            .map_err(|e| refusal("parent span", name(), &e))?;
    if span.start_time_unix_nano == 0 {
        return Err(format!("span `{}` has no start time", name()));
    }
    let start_ns = nanoseconds(span.start_time_unix_nano);
    if start_ns >= MAX_TIME_NS {
        return Err(format!("span `{}` starts beyond the year 2200", name()));
    }
    Ok(Span {
        trace_id,
        span_id,
        parent_id,
        name: cut(&span.name, MAX_NAME_BYTES).into(),
        kind: kind(span.kind),
        start_ns,
        end_ns: nanoseconds(span.end_time_unix_nano).max(start_ns),
        status: status(span.status),
        attributes: attributes_of(span.attributes).into(),
        events: span.events.into_iter().take(MAX_EVENTS).map(event).collect(),
        links: span.links.into_iter().filter_map(link).take(MAX_LINKS).collect(),
        scope: scope.clone(),
        resource: resource.clone(),
    })
}

fn decode_log(
    record: opentelemetry_proto::tonic::logs::v1::LogRecord,
    resource: &Arc<Resource>,
    scope: &Arc<Scope>,
) -> Result<LogRecord, String> {
    let trace_id = optional(TraceId::from_bytes(&record.trace_id), record.trace_id.is_empty())
        .map_err(|e| format!("log record has {e} as its trace id"))?;
    let span_id = optional(crate::SpanId::from_bytes(&record.span_id), record.span_id.is_empty())
        .map_err(|e| format!("log record has {e} as its span id"))?;
    Ok(LogRecord {
        time_ns: nanoseconds(record.time_unix_nano),
        observed_ns: nanoseconds(record.observed_time_unix_nano),
        severity: record.severity_number.clamp(0, 24) as u8,
        severity_text: cut(&record.severity_text, MAX_NAME_BYTES).into(),
        body: record.body.map_or_else(|| "".into(), |body| value(Some(body)).text().into()),
        event: cut(&record.event_name, MAX_NAME_BYTES).into(),
        attributes: attributes_of(record.attributes).into(),
        trace_id,
        span_id,
        scope: scope.clone(),
        resource: resource.clone(),
    })
}

fn refusal(what: &str, name: &str, error: &IdError) -> String {
    format!("span `{name}` has {error} as its {what} id")
}

/// Absent and zero both mean "none"; any other fault stays one.
fn optional<T>(id: Result<T, IdError>, absent: bool) -> Result<Option<T>, IdError> {
    match id {
        Ok(id) => Ok(Some(id)),
        Err(IdError::Zero) => Ok(None),
        Err(_) if absent => Ok(None),
        Err(error) => Err(error),
    }
}

fn nanoseconds(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX).min(MAX_TIME_NS)
}

fn kind(kind: i32) -> Kind {
    match kind {
        2 => Kind::Server,
        3 => Kind::Client,
        4 => Kind::Producer,
        5 => Kind::Consumer,
        _ => Kind::Internal,
    }
}

fn status(status: Option<message::Status>) -> Status {
    match status {
        Some(status) if status.code == 2 => {
            Status::Error(cut(&status.message, MAX_TEXT_BYTES).into())
        }
        Some(status) if status.code == 1 => Status::Ok,
        _ => Status::Unset,
    }
}

fn event(event: message::span::Event) -> Event {
    Event {
        time_ns: nanoseconds(event.time_unix_nano),
        name: cut(&event.name, MAX_NAME_BYTES).into(),
        attributes: attributes_of(event.attributes).into(),
    }
}

fn link(link: message::span::Link) -> Option<Link> {
    Some(Link {
        trace_id: TraceId::from_bytes(&link.trace_id).ok()?,
        span_id: crate::SpanId::from_bytes(&link.span_id).ok()?,
        attributes: attributes_of(link.attributes).into(),
    })
}

fn resource(resource: Option<ResourceMessage>) -> Resource {
    Resource::new(attributes_of(resource.map(|resource| resource.attributes).unwrap_or_default()))
}

fn scope(scope: Option<InstrumentationScope>) -> Scope {
    let scope = scope.unwrap_or_default();
    Scope {
        name: cut(&scope.name, MAX_NAME_BYTES).into(),
        version: cut(&scope.version, MAX_NAME_BYTES).into(),
        attributes: attributes_of(scope.attributes).into(),
    }
}

/// The attributes of any OTLP message, cut to the limits; those without a key are left out.
pub fn attributes_of(pairs: Vec<KeyValue>) -> Vec<Attribute> {
    let pairs = pairs.into_iter().filter(|pair| !pair.key.is_empty()).take(MAX_ATTRIBUTES);
    pairs
        .map(|pair| Attribute {
            key: cut(&pair.key, MAX_NAME_BYTES).into(),
            value: value(pair.value),
        })
        .collect()
}

fn value(value: Option<AnyValue>) -> Value {
    match value.and_then(|value| value.value) {
        Some(any_value::Value::StringValue(text)) => Value::Text(cut(&text, MAX_TEXT_BYTES).into()),
        Some(any_value::Value::IntValue(int)) => Value::Int(int),
        Some(any_value::Value::DoubleValue(float)) => Value::Float(float),
        Some(any_value::Value::BoolValue(flag)) => Value::Bool(flag),
        None => Value::Text("".into()),
        Some(composed) => {
            let mut text = String::new();
            write_composed(composed, &mut text);
            Value::Text(cut(&text, MAX_TEXT_BYTES).into())
        }
    }
}

/// Depth is bounded by the decoders in front (protobuf 100, JSON 128 levels) and the length here, so
/// that a message of many small parts does not become a large text.
fn write_composed(composed: any_value::Value, out: &mut String) {
    if out.len() > MAX_TEXT_BYTES {
        return;
    }
    match composed {
        any_value::Value::ArrayValue(array) => {
            out.push('[');
            for (index, item) in array.values.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_part(item, out);
            }
            out.push(']');
        }
        any_value::Value::KvlistValue(list) => {
            out.push('{');
            for (index, pair) in list.values.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                Value::from(pair.key.as_str()).write_json(out);
                out.push(':');
                write_part(pair.value.unwrap_or_default(), out);
            }
            out.push('}');
        }
        any_value::Value::BytesValue(bytes) => {
            out.extend(bytes.iter().take(MAX_TEXT_BYTES).map(|byte| format!("{byte:02x}")));
        }
        simple => value(Some(AnyValue { value: Some(simple) })).write_json(out),
    }
}

fn write_part(part: AnyValue, out: &mut String) {
    match part.value {
        None => out.push_str("null"),
        Some(any_value::Value::StringValueStrindex(_)) => out.push_str("null"),
        Some(value) => write_composed(value, out),
    }
}

/// The text, or as many of its first bytes as the limit and whole characters allow.
fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
