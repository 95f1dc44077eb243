//! Mutated bodies at every door where others send: expositions, OTLP in JSON and protobuf, remote write, queries. Each ends
//! in an answer, never in a panic, and the backend goes on to take what is sound.
//!
//! Set `LOGGIA_TEST_SEED` to a seed that was printed to see a run again, and `LOGGIA_FUZZ_ROUNDS` for a longer one.

#![allow(clippy::unwrap_used)]

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use telemetry::{Backend, Clock, Limits, otlp_http_router, parse_exposition, prometheus_router};
use tower::ServiceExt as _;

/// Mutations of each body in an ordinary run.
const ROUNDS: usize = 300;
/// Changes to one body.
const CHANGES_MAX: usize = 6;
/// The time of all backends, milliseconds since 1970.
const NOW_MS: i64 = 1_700_000_000_000;

const EXPOSITIONS: &[&str] = &[
    "# HELP a Some \\n words.\n# TYPE a counter\na_total{b=\"c\\\"d\\\\\",e=\"\"} 1.5e3 1700000000000\na_total 2\n",
    "# TYPE h histogram\n# UNIT h seconds\nh_bucket{le=\"0.1\"} 1 # {trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 0.05 1.5\n\
     h_bucket{le=\"+Inf\"} 2\nh_sum 3.5\nh_count 2\n# EOF\n",
    "# TYPE s summary\ns{quantile=\"0.5\"} NaN\ns_sum +Inf\ns_count -0\n\n# a comment\n{\"quoted.name\",x=\"y\"} 1\n",
];

const METRICS: &str = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},
 "scopeMetrics":[{"scope":{"name":"s"},"metrics":[
 {"name":"c","unit":"By/s","sum":{"isMonotonic":true,"aggregationTemporality":1,"dataPoints":[{"asInt":"7","timeUnixNano":"1700000000000000000",
  "attributes":[{"key":"k","value":{"arrayValue":{"values":[{"intValue":"1"},{"doubleValue":2.5}]}}}],
  "exemplars":[{"asDouble":1,"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331"}]}]}},
 {"name":"h","unit":"s","histogram":{"aggregationTemporality":2,"dataPoints":[{"count":"3","sum":1.5,"bucketCounts":["1","2"],"explicitBounds":[0.5]}]}},
 {"name":"q","summary":{"dataPoints":[{"count":"1","sum":2,"quantileValues":[{"quantile":0.5,"value":1}]}]}},
 {"name":"e","exponentialHistogram":{"dataPoints":[{}]}}]}]}]}"#;

const TRACES: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},
 "scopeSpans":[{"scope":{"name":"s","version":"1"},"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331",
 "parentSpanId":"","name":"GET /","kind":2,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000100000000",
 "status":{"code":2,"message":"x"},"attributes":[{"key":"server.address","value":{"stringValue":"b"}}],
 "events":[{"timeUnixNano":"1","name":"e"}],"links":[{"traceId":"0af7651916cd43dd8448eb211c80319d","spanId":"b7ad6b7169203332"}]}]}]}]}"#;

const LOGS: &str = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},
 "scopeLogs":[{"logRecords":[{"timeUnixNano":"1700000000000000000","severityNumber":9,"severityText":"INFO",
 "body":{"kvlistValue":{"values":[{"key":"k","value":{"boolValue":true}}]}},"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331"}]}]}]}"#;

const QUERIES: &[&str] = &[
    "sum by (a, b) (rate(c_bytes_per_second_total{job=~\"a|b\",x!=\"\"}[5m] offset 1m @ end())) / on (a) group_left (b) h_seconds_count > bool 0.5",
    "histogram_quantile(0.9, sum(rate(h_seconds_bucket[1m])) by (le)) or absent(nothing) unless vector(1)",
    "max_over_time(quantile_over_time(0.5, q{quantile=\"0.5\"}[2m])[10m:30s]) ^ -2 % 3 and topk(2, label_replace(up, \"a\", \"$1\", \"job\", \"(.*)\"))",
];

/// What is put in beside parts of the bodies themselves.
const PARTS: &[&str] = &[
    "\0",
    "\n",
    "\r",
    "\t",
    "\u{feff}",
    "é",
    "🏗️",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "\"",
    "\\",
    "\\u0000",
    ",",
    ":",
    "=",
    "#",
    "# EOF\n",
    "# TYPE ",
    "NaN",
    "+Inf",
    "-0",
    "1e999",
    "-1",
    "0x1p5",
    "99999999999999999999",
    "18446744073709551615",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "le=\"\"",
    "by",
    "without",
    "offset",
    "@",
    "bool",
    "[5m]",
    "5m:1s",
    "and",
    "-",
    "^",
];

/// A xorshift generator: the same numbers for the same seed everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        (self.roll() % end.max(1) as u64) as usize
    }

    /// A few changes at random places; text may cease to be text.
    fn mutate(&mut self, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        for _ in 0..=self.below(CHANGES_MAX) {
            let at = self.below(body.len() + 1);
            let end = (at + self.below(40)).min(body.len());
            let part = PARTS[self.below(PARTS.len())].as_bytes();
            match self.below(6) {
                0 => drop(body.drain(at..end)),
                1 => drop(body.splice(at..at, part.iter().copied())),
                2 => drop(body.splice(at..end, part.iter().copied())),
                3 => {
                    let copy = body[at..end].repeat(1 + self.below(8));
                    drop(body.splice(at..at, copy));
                }
                4 if at < body.len() => body[at] = self.roll() as u8,
                _ => body.truncate(end),
            }
        }
        body
    }
}

/// Rounds and dice for one kind of body; says how to see the run again.
fn start(kind: &str) -> (usize, Dice) {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seed = number("LOGGIA_TEST_SEED").unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into()
    });
    let rounds = number("LOGGIA_FUZZ_ROUNDS").map_or(ROUNDS, |rounds| rounds as usize);
    let _ = writeln!(std::io::stderr(), "{kind}: {rounds} rounds from LOGGIA_TEST_SEED={seed}");
    (rounds, Dice(seed | 1 << 40))
}

fn backend() -> Arc<Backend> {
    Arc::new(Backend::with_clock(Limits::default(), Clock::from_fn(|| NOW_MS)))
}

async fn ask(router: &axum::Router, request: Request<Body>) -> (StatusCode, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, body) = (response.status(), response.into_body());
    let text = body.collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&text).into_owned())
}

/// An answer is a success, or the sender's fault in words; what fails inside would be a 5xx.
fn check_answer(status: StatusCode, words: &str, sent: &[u8]) {
    let sound = status.is_success() || (status.is_client_error() && !words.is_empty());
    assert!(sound, "{status} {words:?} for {:?}", String::from_utf8_lossy(sent));
}

#[test]
fn expositions() {
    let (rounds, mut dice) = start("expositions");
    for round in 0..rounds {
        for text in EXPOSITIONS {
            let sound = round == 0;
            let body = if sound { text.as_bytes().to_vec() } else { dice.mutate(text.as_bytes()) };
            let text = String::from_utf8_lossy(&body);
            for open_metrics in [false, true] {
                if let Err(error) = parse_exposition(&text, open_metrics) {
                    let lines = text.lines().count();
                    assert!((1..=lines + 1).contains(&error.line), "{error} in {text:?}");
                    assert!(!error.message.is_empty());
                }
            }
            let own_format = parse_exposition(&text, text.ends_with("# EOF\n"));
            assert!(!sound || own_format.is_ok(), "{own_format:?}");
        }
    }
}

async fn send(
    kind: &str,
    path: &str,
    content_type: &str,
    body: &[u8],
    router: &axum::Router,
) -> (StatusCode, String) {
    let request = Request::post(path).header("content-type", content_type);
    let (status, words) = ask(router, request.body(Body::from(body.to_vec())).unwrap()).await;
    if !(status.is_success() || status.is_client_error()) {
        panic!("{kind}: {status} {words:?} for {:?}", String::from_utf8_lossy(body));
    }
    (status, words)
}

#[tokio::test]
async fn otlp_json_and_protobuf() {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest as Logs;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest as Metrics;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Traces;
    use prost::Message as _;
    let packed = [
        serde_json::from_str::<Metrics>(METRICS).unwrap().encode_to_vec(),
        serde_json::from_str::<Traces>(TRACES).unwrap().encode_to_vec(),
        serde_json::from_str::<Logs>(LOGS).unwrap().encode_to_vec(),
    ];
    let (rounds, mut dice) = start("OTLP");
    let backend = backend();
    let router = otlp_http_router(backend.clone());
    let paths = ["/v1/metrics", "/v1/traces", "/v1/logs"];
    for round in 0..rounds {
        for (at, path) in paths.into_iter().enumerate() {
            let json = [METRICS, TRACES, LOGS][at].as_bytes();
            for (kind, body) in
                [("application/json", json), ("application/x-protobuf", &packed[at])]
            {
                let body = if round == 0 { body.to_vec() } else { dice.mutate(body) };
                let (status, words) = send("OTLP", path, kind, &body, &router).await;
                check_answer(status, if words.is_empty() { "protobuf" } else { &words }, &body);
                assert!(round > 0 || status == StatusCode::OK, "{path} {kind}: {words}");
            }
        }
        backend.tidy();
    }
    // It still takes what is sound.
    let (status, words) =
        send("OTLP", "/v1/traces", "application/json", TRACES.as_bytes(), &router).await;
    assert_eq!((status, words.as_str()), (StatusCode::OK, "{}"));
    assert!(backend.trace(&"0af7651916cd43dd8448eb211c80319c".parse().unwrap()).is_some());
}

#[tokio::test]
async fn queries() {
    let (rounds, mut dice) = start("queries");
    let backend = backend();
    let otlp = otlp_http_router(backend.clone());
    send("OTLP", "/v1/metrics", "application/json", METRICS.as_bytes(), &otlp).await;
    let router = prometheus_router(backend, Clock::from_fn(|| NOW_MS));
    for round in 0..rounds {
        for query in QUERIES {
            let body =
                if round == 0 { query.as_bytes().to_vec() } else { dice.mutate(query.as_bytes()) };
            let quoted: String = body.iter().map(|byte| format!("%{byte:02x}")).collect();
            for path in [
                format!("/api/v1/query?time=1700000000&query={quoted}"),
                format!(
                    "/api/v1/query_range?start=1699999000&end=1700000000&step=60&query={quoted}"
                ),
                format!("/api/v1/query_exemplars?query={quoted}"),
                format!("/api/v1/series?match[]={quoted}"),
            ] {
                let request = Request::get(&path).body(Body::empty()).unwrap();
                let (status, words) = ask(&router, request).await;
                check_answer(status, &words, &body);
                let answer: serde_json::Value = serde_json::from_str(&words).unwrap();
                assert_eq!(answer["status"] == "success", status.is_success(), "{words}");
                let may_fail = round > 0 || path.starts_with("/api/v1/series");
                assert!(may_fail || status.is_success(), "{query}: {words}");
            }
        }
    }
}
