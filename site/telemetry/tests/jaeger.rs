//! Jaeger's query APIs: its own storage tests asked over HTTP, shapes of answers, mistakes in words.

#![allow(clippy::unwrap_used)]

#[path = "../../traces/tests/suites/mod.rs"]
mod suites;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use telemetry::{Backend, Clock, Limits, jaeger_router};
use tower::ServiceExt as _;
use traces::{Attribute, Event, Kind, Link, Resource, Scope, Span, Status};

const NOW_MS: i64 = 1_700_000_000_000;

async fn ask(backend: &Arc<Backend>, path: &str) -> (u16, Value) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = jaeger_router(backend.clone()).oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_else(|_| panic!("{path}: {body:?}")))
}

/// Everything of Jaeger's suite in one backend, so that a question could find too much.
fn suite(folder: &Path) -> Arc<Backend> {
    let backend = Backend::with_clock(Limits::default(), Clock::fixed(NOW_MS));
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_str().unwrap().starts_with("queries") {
            backend.traces.append(suites::spans(path), NOW_MS);
        }
    }
    Arc::new(backend)
}

/// `key=value&...`, with everything that is no letter or digit escaped.
fn address(path: &str, params: &[(&str, String)]) -> String {
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let given = params.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> =
        given.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    format!("{path}?{}", pairs.join("&"))
}

fn micros(time: &str) -> String {
    time.parse::<jiff::Timestamp>().unwrap().as_microsecond().to_string()
}

fn text(query: &Value, field: &str) -> String {
    query[field].as_str().unwrap_or_default().to_owned()
}

/// The question to each of the two APIs.
fn addresses(query: &Value) -> [String; 2] {
    let tag = |(key, value): (&String, &Value)| {
        (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned).into())
    };
    let tags: serde_json::Map<String, Value> =
        query["Tags"].as_object().into_iter().flatten().map(tag).collect();
    let tags = if tags.is_empty() { String::new() } else { Value::Object(tags).to_string() };
    let duration = |field: &str| match query[field].as_i64() {
        None | Some(0) => String::new(),
        Some(ns) => format!("{ns}ns"),
    };
    let (from, to) = (text(query, "StartTimeMin"), text(query, "StartTimeMax"));
    let (service, operation) = (text(query, "ServiceName"), text(query, "OperationName"));
    let (least, most) = (duration("DurationMin"), duration("DurationMax"));
    let count = query["NumTraces"].to_string();
    let v1 = [
        ("service", service.clone()),
        ("operation", operation.clone()),
        ("tags", tags.clone()),
        ("start", micros(&from)),
        ("end", micros(&to)),
        ("minDuration", least.clone()),
        ("maxDuration", most.clone()),
        ("limit", count.clone()),
    ];
    let v3 = [
        ("query.service_name", service),
        ("query.operation_name", operation),
        ("query.attributes", tags),
        ("query.start_time_min", from),
        ("query.start_time_max", to),
        ("query.duration_min", least),
        ("query.duration_max", most),
        ("query.num_traces", count),
    ];
    [address("/api/traces", &v1), address("/api/v3/traces", &v3)]
}

fn ids(answer: &Value) -> BTreeSet<String> {
    fn gather(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
            Value::Object(fields) => {
                // A link names traces that were not asked for.
                for (name, field) in
                    fields.iter().filter(|(name, _)| *name != "links" && *name != "references")
                {
                    match (name.as_str(), field.as_str()) {
                        ("traceID" | "traceId", Some(id)) => drop(found.insert(id.to_owned())),
                        _ => gather(field, found),
                    }
                }
            }
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    gather(answer, &mut found);
    found
}

#[tokio::test]
async fn jaegers_own_questions_find_exactly_their_traces() {
    let Some(folder) = suites::suite("jaeger") else { return };
    let backend = suite(&folder);
    let queries = std::fs::read_to_string(folder.join("queries.json")).unwrap();
    let queries: Vec<Value> = serde_json::from_str(&queries).unwrap();
    for query in &queries {
        let fixtures = query["ExpectedFixtures"].as_array().unwrap();
        let expected: BTreeSet<String> = fixtures
            .iter()
            .map(|name| folder.join(format!("{}.json", name.as_str().unwrap())))
            .map(|file| suites::spans(file)[0].trace_id.to_string())
            .collect();
        for path in addresses(&query["Query"]) {
            let (status, answer) = ask(&backend, &path).await;
            assert_eq!(
                (status, ids(&answer)),
                (200, expected.clone()),
                "{} {path}",
                query["Caption"]
            );
        }
    }
    println!("{} questions over two APIs find exactly their traces", queries.len());
    let sent = suites::spans(folder.join("example_trace.json"));
    let (_, answer) = ask(&backend, "/api/v3/traces/11").await;
    let message: ExportTraceServiceRequest =
        serde_json::from_value(answer["result"].clone()).unwrap();
    let back = traces::decode_spans(message).items;
    assert!(back.len() == sent.len() && sent.iter().all(|span| back.contains(span)), "{answer}");
}

fn span(id: u8, parent: Option<u8>, service: &str, name: &str, kind: Kind) -> Span {
    let span_id = |id: u8| format!("{id:016x}").parse().unwrap();
    let named = [Attribute::new("service.name", service), Attribute::new("host.name", "h1")];
    Span {
        trace_id: format!("{:032x}", 0xab).parse().unwrap(),
        span_id: span_id(id),
        parent_id: parent.map(span_id),
        name: name.into(),
        kind,
        start_ns: NOW_MS * 1_000_000 + i64::from(id) * 1_500,
        end_ns: NOW_MS * 1_000_000 + 2_000_000,
        status: Status::Unset,
        attributes: [].into(),
        events: [].into(),
        links: [].into(),
        scope: Arc::default(),
        resource: Arc::new(Resource::new(named.into())),
    }
}

fn small() -> Arc<Backend> {
    let backend = Backend::with_clock(Limits::default(), Clock::fixed(NOW_MS));
    let root = span(1, None, "gateway", "GET /", Kind::Server);
    let mut call = span(2, Some(1), "gateway", "orders", Kind::Client);
    call.status = Status::Error("too late".into());
    call.attributes = [Attribute::new("tries", 3_i64), Attribute::new("share", 0.5)].into();
    let mut answer = span(3, Some(2), "orders", "orders", Kind::Server);
    answer.scope =
        Arc::new(Scope { name: "axum".into(), version: "1".into(), attributes: [].into() });
    let details = [Attribute::new("cold", true)].into();
    answer.events =
        [Event { time_ns: NOW_MS * 1_000_000, name: "cache".into(), attributes: details }].into();
    let linked = format!("{:032x}", 0xcd).parse().unwrap();
    answer.links = [Link { trace_id: linked, span_id: call.span_id, attributes: [].into() }].into();
    let second = Span {
        parent_id: call.parent_id,
        span_id: "00000000000000ff".parse().unwrap(),
        ..answer.clone()
    };
    backend.traces.append(vec![root, call, answer, second], NOW_MS);
    Arc::new(backend)
}

#[tokio::test]
async fn a_trace_looks_as_jaeger_writes_it() {
    let (status, answer) = ask(&small(), "/api/traces/ab").await;
    assert_eq!((status, answer["total"].as_i64()), (200, Some(1)));
    let trace = &answer["data"][0];
    let id = format!("{:032x}", 0xab);
    assert_eq!(trace["traceID"], id);
    assert_eq!(
        trace["processes"]["p1"],
        json!({"serviceName": "gateway",
        "tags": [{"key": "host.name", "type": "string", "value": "h1"}]})
    );
    let named = |id: &str| {
        trace["spans"].as_array().unwrap().iter().find(|span| span["spanID"] == id).unwrap()
    };
    assert_eq!(
        *named("0000000000000002"),
        json!({
        "traceID": id, "spanID": "0000000000000002", "operationName": "orders", "processID": "p1",
        "references": [{"refType": "CHILD_OF", "traceID": id, "spanID": "0000000000000001"}],
        "startTime": NOW_MS * 1000 + 3, "duration": 1997, "logs": [], "warnings": null,
        "tags": [
            {"key": "tries", "type": "int64", "value": 3},
            {"key": "share", "type": "float64", "value": 0.5},
            {"key": "span.kind", "type": "string", "value": "client"},
            {"key": "error", "type": "bool", "value": true},
            {"key": "otel.status_code", "type": "string", "value": "ERROR"},
            {"key": "otel.status_description", "type": "string", "value": "too late"},
        ]})
    );
    let answering = named("0000000000000003");
    assert_eq!(answering["references"][1]["refType"], "FOLLOWS_FROM");
    assert_eq!(
        answering["logs"],
        json!([{"timestamp": NOW_MS * 1000, "fields": [
        {"key": "event", "type": "string", "value": "cache"}, {"key": "cold", "type": "bool", "value": true}]}])
    );
    assert!(answering["tags"].to_string().contains("otel.scope.name"), "{answering}");
}

#[tokio::test]
async fn names_and_dependencies() {
    let backend = small();
    let v1 = |data: Value| {
        let total = data.as_array().unwrap().len();
        json!({"data": data, "total": total, "limit": 0, "offset": 0, "errors": null})
    };
    let link = json!([{"parent": "gateway", "child": "orders", "callCount": 2}]);
    let late = NOW_MS + 25 * 60 * 60 * 1000;
    for (path, expected) in [
        ("/api/services".to_owned(), v1(json!(["gateway", "orders"]))),
        ("/api/services/gateway/operations".to_owned(), v1(json!(["GET /", "orders"]))),
        ("/api/services/nobody/operations".to_owned(), v1(json!([]))),
        (
            "/api/operations?service=gateway&spanKind=client".to_owned(),
            v1(json!([{"name": "orders", "spanKind": "client"}])),
        ),
        (format!("/api/dependencies?endTs={NOW_MS}"), v1(link.clone())),
        ("/api/dependencies".to_owned(), v1(link)),
        (format!("/api/dependencies?endTs={late}"), v1(json!([]))),
        ("/api/v3/services".to_owned(), json!({"services": ["gateway", "orders"]})),
        (
            "/api/v3/operations?service=orders".to_owned(),
            json!({"operations": [{"name": "orders", "spanKind": "server"}]}),
        ),
    ] {
        assert_eq!(ask(&backend, &path).await, (200, expected), "{path}");
    }
}

#[tokio::test]
async fn mistakes_are_told_in_words() {
    let backend = small();
    for (path, status, words) in [
        ("/api/traces/zz", 400, "`zz` is no trace id"),
        ("/api/traces/00", 400, "zeros"),
        ("/api/traces/12345", 404, "trace not found"),
        ("/api/traces?start=soon", 400, "malformed parameter `start`"),
        ("/api/traces?limit=many", 400, "malformed parameter `limit`"),
        ("/api/traces?minDuration=5", 400, "malformed parameter `minDuration`"),
        ("/api/traces?tags=%7B%22a%22%3A1%7D", 400, "malformed parameter `tags`"),
        ("/api/traces?tag=a", 400, "`key:value`"),
        ("/api/traces?traceID=g", 400, "no trace id"),
        ("/api/operations", 400, "`service` is required"),
        ("/api/dependencies?endTs=x", 400, "malformed parameter `endTs`"),
        ("/api/v3/traces", 400, "are required"),
        (
            "/api/v3/traces?query.start_time_min=1&query.start_time_max=2",
            400,
            "query.start_time_min",
        ),
        ("/api/v3/traces/12345", 404, "trace not found"),
        ("/api/v3/traces/zz", 400, "no trace id"),
    ] {
        let (found, answer) = ask(&backend, path).await;
        let said = match path.contains("/v3/") {
            true => answer["error"]["message"].as_str(),
            false => answer["errors"][0]["msg"].as_str(),
        };
        assert_eq!(found, status, "{path}: {answer}");
        assert!(said.is_some_and(|said| said.contains(words)), "{path}: {answer}");
    }
    for path in ["/api/traces?service=nobody", "/api/traces?tag=tries:4", "/api/traces?traceID=99"]
    {
        assert_eq!(ask(&backend, path).await.1["total"], 0, "{path}");
    }
    for path in ["/api/traces?service=orders", "/api/traces?tag=tries:3", "/api/traces?traceID=ab"]
    {
        assert_eq!(ask(&backend, path).await.1["total"], 1, "{path}");
    }
}
