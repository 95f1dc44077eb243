//! The OTLP receivers over real sockets: what exporters send, and garbage.

#![allow(clippy::unwrap_used)]

mod served;

use axum::body::Body;
use flate2::{Compression, write::GzEncoder};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::collector::logs::v1 as logs;
use opentelemetry_proto::tonic::collector::metrics::v1 as metrics;
use opentelemetry_proto::tonic::collector::trace::v1 as trace;
use prost::Message as _;
use served::{Served, noise};
use std::io::Write as _;
use std::sync::Arc;
use telemetry::{Backend, Limits, otlp_http_router};
use tokio::io::AsyncWriteExt as _;
use tonic::codec::CompressionEncoding::Gzip;
use tower::ServiceExt as _;
use traces::{LogSearch, Search};

const SPANS: &str = r#"{"resourceSpans":[{"resource":{"attributes":[
    {"key":"service.name","value":{"stringValue":"orders"}}]},"scopeSpans":[{"spans":[
    {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"POST /orders","kind":2,
     "startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000100000000"}]}]}]}"#;
const LOGS: &str = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","severityNumber":17,
    "body":{"stringValue":"no money"},"traceId":"5b8efff798038103d269b633813fc60c"}]}]}]}"#;
const METRICS: &str = r#"{"resourceMetrics":[{"resource":{"attributes":[
    {"key":"service.name","value":{"stringValue":"orders"}}]},"scopeMetrics":[{"metrics":[
    {"name":"stock","gauge":{"dataPoints":[{"asInt":"4"}]}}]}]}]}"#;

type Headers<'a> = &'a [(&'a str, &'a str)];

fn backend() -> Arc<Backend> {
    Arc::new(Backend::new(Limits::default()))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Status, content type and body of a request to the HTTP receiver.
async fn post(
    backend: &Arc<Backend>,
    path: &str,
    headers: Headers<'_>,
    body: Vec<u8>,
) -> (u16, String, Vec<u8>) {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = otlp_http_router(backend.clone())
        .oneshot(request.body(Body::from(body)).unwrap())
        .await
        .unwrap();
    let content_type =
        answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let status = answer.status().as_u16();
    (
        status,
        content_type.unwrap_or_default(),
        answer.into_body().collect().await.unwrap().to_bytes().to_vec(),
    )
}

#[tokio::test]
async fn http_takes_both_formats_plain_and_packed() {
    let json = ("content-type", "application/json; charset=utf-8");
    let protobuf = ("content-type", "application/x-protobuf");
    let packed = ("content-encoding", "gzip");
    let message =
        serde_json::from_str::<trace::ExportTraceServiceRequest>(SPANS).unwrap().encode_to_vec();
    let requests: [(&[_], _, &[u8]); 4] = [
        (&[json], SPANS.as_bytes().to_vec(), b"{}"),
        (&[json, packed], gzip(SPANS.as_bytes()), b"{}"),
        (&[protobuf], message.clone(), b""),
        (&[protobuf, packed], gzip(&message), b""),
    ];
    for (headers, body, answer) in requests {
        let backend = backend();
        let (status, content_type, found) = post(&backend, "/v1/traces", headers, body).await;
        assert_eq!(
            (status, found.as_slice()),
            (200, answer),
            "nothing was refused, so nothing is said"
        );
        assert!(headers[0].1.starts_with(&content_type));
        assert_eq!(&*backend.traces.search(&Search::default())[0].root_operation, "POST /orders");
        assert_eq!((backend.counters.spans.get(), backend.counters.requests.get()), (1, 1));
    }

    let backend = backend();
    assert_eq!(post(&backend, "/v1/logs", &[json], LOGS.into()).await.0, 200);
    assert_eq!(post(&backend, "/v1/metrics", &[json], METRICS.into()).await.0, 200);
    assert_eq!(
        &*backend.logs.search(&LogSearch { severity: 17, ..LogSearch::default() })[0].body,
        "no money"
    );
    assert_eq!(backend.metrics.stats().series, 1);
    assert_eq!(backend.metadata().keys().collect::<Vec<_>>(), ["stock"]);
}

#[tokio::test]
async fn http_refuses_in_words() {
    let backend = backend();
    let json = ("content-type", "application/json");
    let protobuf = ("content-type", "application/x-protobuf");
    let packed = ("content-encoding", "gzip");
    let large = vec![b' '; 16 * 1024 * 1024 + 1];
    let cases: [(Headers, Vec<u8>, u16, &str); 12] = [
        (&[json], b"{".to_vec(), 400, "EOF while parsing"),
        (&[json], b"[1]".to_vec(), 400, "expected an object with `resourceSpans`"),
        (&[json], br#"{"resource_spans":[]}"#.to_vec(), 400, "there is no `resourceSpans`"),
        (
            &[json],
            SPANS.replace("scopeSpans", "scope_spans").into(),
            400,
            "`scope_spans` is no field of OTLP",
        ),
        (
            &[json],
            SPANS.replace("\"kind\":2", "\"kind\":\"SPAN_KIND_SERVER\"").into(),
            400,
            "SPAN_KIND_SERVER",
        ),
        (&[protobuf], b"garbage".to_vec(), 400, "cannot be read"),
        (&[protobuf, packed], b"garbage".to_vec(), 400, "not valid gzip"),
        (&[protobuf, ("content-encoding", "br")], Vec::new(), 415, "`br` is not taken"),
        (&[("content-type", "text/plain")], Vec::new(), 415, "`text/plain` is not taken"),
        (&[], Vec::new(), 415, "is not taken"),
        (&[json], large.clone(), 413, "larger than"),
        (&[json, packed], gzip(&large), 413, "larger than"),
    ];
    for (headers, body, status, part) in cases {
        let (found, content_type, answer) = post(&backend, "/v1/traces", headers, body).await;
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(found, status, "{text}");
        assert!(text.contains(part), "{text}");
        let expected = if headers.contains(&protobuf) { protobuf.1 } else { json.1 };
        assert_eq!(content_type, expected, "the answer is in the format of the request");
    }
    assert_eq!(backend.counters.requests_rejected.get(), 12);
    assert_eq!(post(&backend, "/v1/spans", &[json], Vec::new()).await.0, 404);
}

#[tokio::test]
async fn what_is_refused_in_part_is_told() {
    let backend = backend();
    let json = [("content-type", "application/json")];
    let with_bad = |from: &str, to: &str| {
        let spans = SPANS.replacen("[{\"spans\":[", "[{\"spans\":[BAD,", 1);
        let start = SPANS.find("{\"traceId\"").unwrap();
        let span = &SPANS[start..SPANS.rfind("]}]}]}").unwrap()];
        spans.replace("BAD", &span.replace(from, to))
    };
    let cases = [
        (
            "5b8efff798038103d269b633813fc60c",
            "5b8e",
            "span `POST /orders` has an id of `2` bytes, expected `16` as its trace id",
        ),
        (
            "5b8efff798038103d269b633813fc60c",
            "00000000000000000000000000000000",
            "an id of zeros only as its trace id",
        ),
        ("\"spanId\":\"eee19b7ec3c1b174\",", "", "an id of `0` bytes, expected `8` as its span id"),
        (
            "\"name\"",
            "\"parentSpanId\":\"ab\",\"name\"",
            "an id of `1` bytes, expected `8` as its parent span id",
        ),
        ("1700000000000000000", "0", "has no start time"),
        ("1700000000000000000", "9300000000000000000", "starts beyond the year 2200"),
    ];
    for (number, (from, to, message)) in cases.into_iter().enumerate() {
        let (status, _, body) =
            post(&backend, "/v1/traces", &json, with_bad(from, to).into()).await;
        let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let partial = &answer["partialSuccess"];
        assert_eq!(status, 200);
        assert!(partial["errorMessage"].as_str().unwrap().contains(message), "{partial}");
        assert_eq!(partial["rejectedSpans"].to_string().trim_matches('"'), "1");
        assert_eq!(backend.counters.spans_rejected.get(), number as u64 + 1);
    }
    assert_eq!(backend.traces.stats().spans, 1, "the good span was taken each time");
    // An end that cannot be is no reason to lose the span.
    for (end, length) in [("1600000000000000000", 0), ("18446744073709551615", 5_558_118_400)] {
        let backend = self::backend();
        post(&backend, "/v1/traces", &json, SPANS.replace("1700000000100000000", end).into()).await;
        assert_eq!(
            backend.traces.search(&Search::default())[0].duration_ns / 1_000_000_000,
            length
        );
    }
}

#[tokio::test]
async fn grpc_takes_packed_requests_of_each_kind() {
    let backend = backend();
    let served = Served::grpc(&backend).await;
    let channel = tonic::transport::Endpoint::new(served.url()).unwrap().connect().await.unwrap();
    let mut client = trace::trace_service_client::TraceServiceClient::new(channel.clone())
        .send_compressed(Gzip)
        .accept_compressed(Gzip);
    let request: trace::ExportTraceServiceRequest = serde_json::from_str(SPANS).unwrap();
    let answer = client.export(request.clone()).await.unwrap().into_inner();
    assert_eq!(answer.partial_success, None);
    let mut bad = request;
    bad.resource_spans[0].scope_spans[0].spans[0].trace_id = vec![1, 2, 3];
    let answer = client.export(bad).await.unwrap().into_inner();
    assert_eq!(answer.partial_success.map(|partial| partial.rejected_spans), Some(1));

    let request: metrics::ExportMetricsServiceRequest = serde_json::from_str(METRICS).unwrap();
    metrics::metrics_service_client::MetricsServiceClient::new(channel.clone())
        .export(request)
        .await
        .unwrap();
    let request: logs::ExportLogsServiceRequest = serde_json::from_str(LOGS).unwrap();
    logs::logs_service_client::LogsServiceClient::new(channel).export(request).await.unwrap();
    let counters = &backend.counters;
    assert_eq!((counters.spans.get(), counters.points.get(), counters.logs.get()), (1, 1, 1));
    // The connection is still open, and must not hold up the end.
    served.end().await;
}

#[tokio::test]
async fn garbage_on_the_ports_harms_nobody() {
    let backend = backend();
    let ports =
        [Served::grpc(&backend).await, Served::http(otlp_http_router(backend.clone())).await];
    for served in &ports {
        for seed in 0..40 {
            let mut bytes = noise(seed, 2000);
            if seed % 2 == 0 {
                bytes.splice(0..0, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec());
            }
            served.send_raw(&bytes).await;
        }
    }
    let json = [("content-type", "application/json")];
    let protobuf = [("content-type", "application/x-protobuf")];
    for seed in 0..300 {
        // Whole noise, and a message of which a few bytes are noise.
        let path = ["/v1/traces", "/v1/metrics", "/v1/logs"][seed as usize % 3];
        let text = [SPANS, METRICS, LOGS][seed as usize % 3];
        let damaged = |bytes: &mut Vec<u8>| {
            let noise = noise(seed, 24);
            for pair in noise.chunks_exact(3) {
                let at = usize::from(u16::from_le_bytes([pair[0], pair[1]])) % bytes.len();
                bytes[at] = pair[2];
            }
        };
        let mut body = text.as_bytes().to_vec();
        damaged(&mut body);
        let (status, ..) = post(&backend, path, &json, body).await;
        assert!(status == 200 || status == 400, "{status}");
        let message = serde_json::from_str::<trace::ExportTraceServiceRequest>(SPANS).unwrap();
        let mut body = message.encode_to_vec();
        damaged(&mut body);
        let (status, ..) = post(&backend, path, &protobuf, body).await;
        assert!(status == 200 || status == 400, "{status}");
        let (status, ..) = post(&backend, path, &protobuf, noise(seed, 300)).await;
        assert!(status == 200 || status == 400, "{status}");
    }
    // Deep nesting ends in an answer too.
    let deep = format!("{{\"resourceSpans\":{}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(post(&backend, "/v1/traces", &json, deep.into()).await.0, 400);
    // Both ports still work.
    let channel = tonic::transport::Endpoint::new(ports[0].url()).unwrap().connect().await.unwrap();
    let request: trace::ExportTraceServiceRequest = serde_json::from_str(SPANS).unwrap();
    trace::trace_service_client::TraceServiceClient::new(channel).export(request).await.unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{SPANS}",
        SPANS.len()
    );
    let answer = ports[1].ask_raw(head.as_bytes()).await;
    assert!(answer.starts_with(format!("HTTP/1.1 {}", StatusCode::OK).as_bytes()));
}

#[tokio::test]
async fn who_finds_no_place_is_told_to_come_back() {
    let backend = backend();
    let grpc = Served::grpc(&backend).await;
    let http = Served::http(otlp_http_router(backend.clone())).await;
    let channel = tonic::transport::Endpoint::new(grpc.url()).unwrap().connect().await.unwrap();
    let mut client = trace::trace_service_client::TraceServiceClient::new(channel);
    let request: trace::ExportTraceServiceRequest = serde_json::from_str(SPANS).unwrap();
    let head = |length: usize| {
        format!(
            "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let whole = format!("{}{SPANS}", head(SPANS.len()));
    // Bodies that are announced and do not come.
    let mut waiting = Vec::new();
    let busy = loop {
        let mut stream = tokio::net::TcpStream::connect(http.address).await.unwrap();
        stream.write_all(head(10).as_bytes()).await.unwrap();
        waiting.push(stream);
        let answer = http.ask_raw(whole.as_bytes()).await;
        if !answer.starts_with(b"HTTP/1.1 200") {
            break String::from_utf8(answer).unwrap();
        }
        assert!(waiting.len() < 100, "there is no end of places");
    };
    assert!(busy.starts_with("HTTP/1.1 503") && busy.contains("retry-after: 1"), "{busy}");
    assert!(busy.contains("requests are in hand already"), "{busy}");
    let rejected = backend.counters.requests_rejected.get();
    let refused = client.export(request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable);
    assert_eq!(backend.counters.requests_rejected.get(), rejected + 1);
    drop(waiting);
    let mut again = client.export(request.clone()).await;
    while again.is_err() {
        again = client.export(request.clone()).await;
    }
    assert_eq!(backend.traces.stats().spans, 1);
}

#[tokio::test]
async fn only_points_that_were_sent_are_refused() {
    let backend = backend();
    let long = ["a", "b", "c"].map(|key| {
        let text = "x".repeat(4000);
        format!(r#"{{"key":"{key}","value":{{"stringValue":"{text}"}}}},"#)
    });
    let request =
        METRICS.replacen("\"attributes\":[", &format!("\"attributes\":[{}", long.concat()), 1);
    let json = [("content-type", "application/json")];
    let (status, _, answer) = post(&backend, "/v1/metrics", &json, request.into()).await;
    assert_eq!((status, answer.as_slice()), (200, b"{}".as_slice()));
    assert_eq!((backend.counters.points.get(), backend.counters.points_rejected.get()), (1, 0));
    assert_eq!(backend.metrics.stats().series, 1, "the sender's facts are too long for a series");
}
