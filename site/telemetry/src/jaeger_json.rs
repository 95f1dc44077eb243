//! Traces as Jaeger's own JSON.
//!
//! `jaeger` wraps it into answers. Times are microseconds; what OTLP has and Jaeger has not becomes a tag, as Jaeger's own
//! translation does it.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use traces::{Attribute, Event, Resource, Span, Status, Trace};

const NS_PER_US: i64 = 1000;

/// A trace with the processes that sent its spans.
pub(crate) fn trace(trace: &Trace) -> Value {
    let mut processes: Vec<&Arc<Resource>> = Vec::new();
    let mut spans = Vec::with_capacity(trace.rows.len());
    for row in &trace.rows {
        let of_span = &row.span.resource;
        let known =
            |process: &&Arc<Resource>| Arc::ptr_eq(process, of_span) || **process == *of_span;
        let at = processes.iter().position(known).unwrap_or_else(|| {
            processes.push(of_span);
            processes.len() - 1
        });
        spans.push(span(&row.span, &process_id(at)));
    }
    let processes: BTreeMap<String, Value> = processes
        .iter()
        .enumerate()
        .map(|(at, resource)| (process_id(at), process(resource)))
        .collect();
    json!({
        "traceID": trace.id.to_string(),
        "spans": spans,
        "processes": processes,
        "warnings": null,
    })
}

fn process_id(at: usize) -> String {
    format!("p{}", at + 1)
}

fn process(resource: &Resource) -> Value {
    let rest = resource.attributes.iter().filter(|attribute| &*attribute.key != "service.name");
    json!({ "serviceName": &*resource.service, "tags": rest.map(tag).collect::<Vec<_>>() })
}

fn span(span: &Span, process: &str) -> Value {
    let reference = |kind: &str, trace: String, id: String| json!({ "refType": kind, "traceID": trace, "spanID": id });
    let parent =
        span.parent_id.map(|id| reference("CHILD_OF", span.trace_id.to_string(), id.to_string()));
    let links = span
        .links
        .iter()
        .map(|link| reference("FOLLOWS_FROM", link.trace_id.to_string(), link.span_id.to_string()));
    json!({
        "traceID": span.trace_id.to_string(),
        "spanID": span.span_id.to_string(),
        "operationName": &*span.name,
        "references": parent.into_iter().chain(links).collect::<Vec<_>>(),
        "startTime": span.start_ns / NS_PER_US,
        "duration": span.duration_ns() / NS_PER_US,
        "tags": tags(span),
        "logs": span.events.iter().map(log).collect::<Vec<_>>(),
        "processID": process,
        "warnings": null,
    })
}

fn tags(span: &Span) -> Vec<Value> {
    let mut tags: Vec<Value> = span.attributes.iter().map(tag).collect();
    let mut add = |key: &str, value: traces::Value| tags.push(tag(&Attribute::new(key, value)));
    add("span.kind", span.kind.name().into());
    match &span.status {
        Status::Unset => {}
        Status::Ok => add("otel.status_code", "OK".into()),
        Status::Error(why) => {
            add("error", true.into());
            add("otel.status_code", "ERROR".into());
            if !why.is_empty() {
                add("otel.status_description", traces::Value::Text(why.clone()));
            }
        }
    }
    for (key, text) in
        [("otel.scope.name", &span.scope.name), ("otel.scope.version", &span.scope.version)]
    {
        if !text.is_empty() {
            add(key, traces::Value::Text(text.clone()));
        }
    }
    tags
}

fn log(event: &Event) -> Value {
    let name = (!event.name.is_empty()).then(|| Attribute::new("event", &*event.name));
    let fields = name.iter().chain(event.attributes.iter()).map(tag);
    json!({ "timestamp": event.time_ns / NS_PER_US, "fields": fields.collect::<Vec<_>>() })
}

fn tag(attribute: &Attribute) -> Value {
    let kind = match attribute.value {
        traces::Value::Text(_) => "string",
        traces::Value::Int(_) => "int64",
        traces::Value::Float(_) => "float64",
        traces::Value::Bool(_) => "bool",
    };
    json!({ "key": &*attribute.key, "type": kind, "value": attribute.value })
}
