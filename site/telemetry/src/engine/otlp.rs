//! Traces of other engines to spans. Protobuf is OTLP's own; their JSON writes ids as base64 or hexadecimal digits, kinds
//! and codes as names or numbers, depending on the engine and its version.
//!
//! `jaeger` and `tempo` hand in what came over HTTP.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, TracesData};
use prost::Message as _;
use serde_json::{Map, Value};
use traces::{Search, Span, StoreLimits, Trace, TraceId, TraceStore, TraceSummary};

/// Names of the two bodies that hold spans.
const SPANS: [&str; 2] = ["resourceSpans", "batches"];
/// Fields that are ids, and the bytes of each.
const IDS: [(&str, usize); 3] = [("traceId", 16), ("spanId", 8), ("parentSpanId", 8)];
const KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];
const CODES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

/// The spans of a protobuf message.
pub(super) fn from_protobuf(body: &[u8]) -> Result<Vec<Span>, String> {
    let data = TracesData::decode(body).map_err(|error| error.to_string())?;
    Ok(decoded(data.resource_spans))
}

/// The spans of one JSON document or several after one another; `{"result": ...}` or `{"trace": ...}` may stand around.
pub(super) fn from_json(body: &[u8]) -> Result<Vec<Span>, String> {
    let mut spans = Vec::new();
    for document in serde_json::Deserializer::from_slice(body).into_iter::<Value>() {
        let document = document.map_err(|error| error.to_string())?;
        let inner = ["result", "trace"].into_iter().find_map(|name| document.get(name));
        let inner = inner.unwrap_or(&document);
        let Some(fields) = inner.as_object() else { return Err("it is no object".to_owned()) };
        if fields.is_empty() {
            continue;
        }
        let list = SPANS.into_iter().find_map(|name| fields.get(name));
        let mut list = list.cloned().ok_or("there are no `resourceSpans`")?;
        settle(&mut list);
        let groups: Vec<ResourceSpans> =
            serde_json::from_value(list).map_err(|error| error.to_string())?;
        spans.extend(decoded(groups));
    }
    Ok(spans)
}

fn decoded(resource_spans: Vec<ResourceSpans>) -> Vec<Span> {
    let mut request = ExportTraceServiceRequest { resource_spans };
    // A trace that was stored without a service's name has one all the same when it comes back.
    for group in &mut request.resource_spans {
        let resource = group.resource.get_or_insert_default();
        if !resource.attributes.iter().any(|pair| pair.key == "service.name") {
            let value = Some(any_value::Value::StringValue("unknown_service".to_owned()));
            let value = Some(AnyValue { value });
            let key = "service.name".to_owned();
            resource.attributes.push(KeyValue { key, value, ..KeyValue::default() });
        }
    }
    traces::decode_spans(request).items
}

/// Brings ids, kinds and codes into OTLP's own notation.
fn settle(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(settle),
        Value::Object(fields) => {
            settle_fields(fields);
            fields.values_mut().for_each(settle);
        }
        _ => {}
    }
}

fn settle_fields(fields: &mut Map<String, Value>) {
    for (name, bytes) in IDS {
        let Some(Value::String(id)) = fields.get_mut(name) else { continue };
        let is_hex = id.len() == 2 * bytes && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let (false, Some(found)) = (is_hex, base64(id).filter(|found| found.len() == bytes)) {
            *id = found.iter().map(|byte| format!("{byte:02x}")).collect();
        }
    }
    for (name, words) in [("kind", &KINDS[..]), ("code", &CODES)] {
        let Some(Value::String(word)) = fields.get(name) else { continue };
        if let Some(number) = words.iter().position(|known| known == word) {
            fields.insert(name.to_owned(), number.into());
        }
    }
}

/// The bytes of a base64 text, with or without `=` at its end.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

/// Those of the traces that fit, newest start first: engines know fewer filters than a search has.
pub(super) fn fitting(spans: Vec<Span>, search: &Search) -> Vec<TraceSummary> {
    let store = TraceStore::new(StoreLimits::default());
    store.append(spans, 0);
    store.search(search)
}

/// The one trace that spans belong to.
pub(super) fn whole(spans: Vec<Span>, id: &TraceId) -> Option<Trace> {
    let store = TraceStore::new(StoreLimits::default());
    store.append(spans, 0);
    store.trace(id)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn json_of_several_engines_is_read() {
        let span = |trace: &str, id: &str, kind: &str, code: &str| {
            format!(
                r#"{{"traceId":"{trace}","spanId":"{id}","name":"pay","kind":{kind},
                "startTimeUnixNano":"1000","endTimeUnixNano":"2000","status":{{"code":{code}}}}}"#
            )
        };
        let of_jaeger = span(
            "0af7651916cd43dd8448eb211c80319c",
            "b7ad6b7169203331",
            "\"SPAN_KIND_SERVER\"",
            "\"STATUS_CODE_ERROR\"",
        );
        let of_tempo = span("CvdlGRbNQ92ESOshHIAxnA==", "t61rcWkgMzE=", "2", "2");
        let service = r#"{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]}"#;
        let group = |span: &str| {
            format!(r#"[{{"resource":{service},"scopeSpans":[{{"spans":[{span}]}}]}}]"#)
        };
        let expected =
            from_json(format!(r#"{{"resourceSpans":{}}}"#, group(&of_jaeger)).as_bytes()).unwrap();
        assert_eq!(expected.len(), 1);
        assert_eq!(expected[0].trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!((expected[0].kind.name(), expected[0].is_error()), ("server", true));
        for body in [
            format!(r#"{{"result":{{"resourceSpans":{}}}}}"#, group(&of_jaeger)),
            format!(r#"{{"batches":{}}}"#, group(&of_tempo)),
            format!(r#"{{"trace":{{"resourceSpans":{}}}}}"#, group(&of_tempo)),
            format!("{{}}\n{{\"resourceSpans\":{}}}", group(&of_tempo)),
        ] {
            let found = from_json(body.as_bytes()).unwrap();
            assert_eq!(found, expected, "{body}");
        }
        for body in ["", "{}", "{\"result\":{}}"] {
            assert_eq!(from_json(body.as_bytes()), Ok(Vec::new()), "{body}");
        }
        for body in ["[]", "{\"spans\":[]}", "<html>", "{\"resourceSpans\":7}"] {
            assert!(from_json(body.as_bytes()).is_err(), "{body}");
        }
    }
}
