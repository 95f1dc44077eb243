//! Series from spans, as PromQL sees them.

#![allow(clippy::unwrap_used)]

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use telemetry::{Backend, Clock, DiskOptions, Limits, prometheus_router};
use tower::ServiceExt as _;

const START_MS: i64 = 1_700_000_000_000;

struct World {
    backend: Arc<Backend>,
    now_ms: Arc<AtomicI64>,
    calls: u64,
}

impl World {
    fn at(now_ms: i64, folder: Option<&Path>) -> Self {
        let now_ms = Arc::new(AtomicI64::new(now_ms));
        let told = now_ms.clone();
        let clock = Clock::from_fn(move || told.load(SeqCst));
        let backend = match folder {
            None => Backend::with_clock(Limits::default(), clock),
            Some(folder) => {
                let options = DiskOptions::new(folder);
                Backend::open(Limits::default(), clock, options, &mut |_| {}).unwrap()
            }
        };
        backend.tidy();
        Self { backend: Arc::new(backend), now_ms, calls: seed() }
    }

    fn pass(&self, seconds: i64) {
        self.now_ms.fetch_add(seconds * 1000, SeqCst);
    }

    fn round(&self, seconds: i64) {
        self.pass(seconds);
        self.backend.tidy();
    }

    /// A call from `gateway` to `orders`: 40 ms for the caller, 20 ms for the called.
    fn call(&mut self, failed: bool) {
        self.calls += 1;
        let start_ns = self.now_ms.load(SeqCst) * 1_000_000;
        let span = |service: &str, id: u64, parent: u64, kind: u64, ms: i64| {
            let parent = if parent == 0 { String::new() } else { format!("{parent:016x}") };
            let status = if failed { json!({"code": 2}) } else { json!({}) };
            let span = json!({"traceId": format!("{:032x}", self.calls), "spanId": format!("{id:016x}"),
                "parentSpanId": parent, "name": "place order", "kind": kind, "status": status,
                "startTimeUnixNano": start_ns.to_string(),
                "endTimeUnixNano": (start_ns + ms * 1_000_000).to_string()});
            json!({"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                "scopeSpans": [{"spans": [span]}]})
        };
        let spans =
            [span("gateway", 1, 0, 3, 40), span("orders", 2, 1, 2, 20), span("orders", 3, 2, 1, 5)];
        let request: ExportTraceServiceRequest =
            serde_json::from_value(json!({"resourceSpans": spans})).unwrap();
        assert_eq!(self.backend.accept_traces(request), None);
    }

    async fn ask(&self, query: &str) -> Vec<Value> {
        let now_ms = self.now_ms.load(SeqCst);
        let escaped: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let request = Request::get(format!("/api/v1/query?query={escaped}")).body(Body::empty());
        let router = prometheus_router(self.backend.clone(), Clock::fixed(now_ms));
        let answer = router.oneshot(request.unwrap()).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// The one number that a query gives.
    async fn number(&self, query: &str) -> f64 {
        let found = self.ask(query).await;
        assert_eq!(found.len(), 1, "{query}: {found:?}");
        found[0]["value"][1].as_str().unwrap().parse().unwrap()
    }

    /// The values of the last two minutes of one series.
    async fn values(&self, query: &str) -> Vec<String> {
        let found = self.ask(&format!("{query}[2m]")).await;
        assert_eq!(found.len(), 1, "{query}: {found:?}");
        let values = found[0]["values"].as_array().unwrap().iter();
        values.map(|value| value[1].as_str().unwrap().to_owned()).collect()
    }
}

/// So that a second world has other traces.
fn seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_nanos() as u64
}

const PAIR: &str = "{client=\"gateway\",server=\"orders\"}";

#[tokio::test]
async fn calls_and_operations_are_series() {
    let mut world = World::at(START_MS, None);
    world.pass(5);
    for failed in [false, true, false] {
        world.call(failed);
    }
    world.round(5);
    world.call(false);
    world.call(true);
    world.round(10);
    let graph = |rest: &str| format!("traces_service_graph_request_{rest}{PAIR}");
    assert_eq!(world.values(&graph("total")).await, ["0", "3", "5"]);
    assert_eq!(world.values(&graph("failed_total")).await, ["0", "1", "2"]);
    // The quantiles lie in the buckets of 20 and 40 ms.
    for (name, sum, low, high) in
        [("server_seconds", 0.1, 0.01, 0.025), ("client_seconds", 0.2, 0.025, 0.05)]
    {
        assert_eq!(world.number(&graph(&format!("{name}_count"))).await, 5.0);
        assert!((world.number(&graph(&format!("{name}_sum"))).await - sum).abs() < 1e-9);
        let buckets = graph(&format!("{name}_bucket"));
        let quantile = world.number(&format!("histogram_quantile(0.9, rate({buckets}[1m]))")).await;
        assert!((low..=high).contains(&quantile), "{name}: {quantile}");
    }
    let orders = "{service=\"orders\",span_name=\"place order\"}";
    let by_status =
        format!("sum by (span_kind, status_code) (traces_spanmetrics_calls_total{orders})");
    let mut found: Vec<String> = world
        .ask(&by_status)
        .await
        .iter()
        .map(|one| format!("{} {}", one["metric"], one["value"][1]))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            r#"{"span_kind":"SPAN_KIND_SERVER","status_code":"STATUS_CODE_ERROR"} "2""#,
            r#"{"span_kind":"SPAN_KIND_SERVER","status_code":"STATUS_CODE_UNSET"} "3""#,
        ],
        "spans inside of a service are not counted"
    );
    let errors = "sum(rate(traces_spanmetrics_calls_total{service=\"orders\",status_code=\"STATUS_CODE_ERROR\"}[1m])) \
                  / sum(rate(traces_spanmetrics_calls_total{service=\"orders\"}[1m]))";
    assert!((world.number(errors).await - 0.4).abs() < 0.01);
    assert_eq!(world.number("traces_service_graph_unpaired_spans_total").await, 0.0);
    assert_eq!(
        world.backend.metadata()["traces_spanmetrics_latency"].help,
        "Duration of spans, seconds."
    );

    // After an hour without a call the series end.
    world.round(61 * 60);
    assert!(world.ask(&graph("total")).await.is_empty());
    world.round(10);
    world.call(false);
    world.round(10);
    assert_eq!(world.values(&graph("total")).await, ["0", "1"]);
}

#[tokio::test]
async fn a_restart_counts_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::at(START_MS, Some(folder.path()));
    world.call(false);
    world.call(false);
    world.round(10);
    let total = format!("traces_service_graph_request_total{PAIR}");
    assert_eq!(world.values(&total).await, ["0", "2"]);
    drop(world);
    let mut world = World::at(START_MS + 20_000, Some(folder.path()));
    assert_eq!(world.backend.traces.stats().traces, 2, "the spans are there again");
    world.round(10);
    world.call(false);
    world.round(10);
    assert_eq!(world.values(&total).await, ["0", "2", "0", "1"]);
    let increase = world.number(&format!("increase({total}[1m])")).await;
    assert!((2.5..4.0).contains(&increase), "three calls, extrapolated: {increase}");
}

#[tokio::test]
async fn many_operations_become_others() {
    let world = World::at(START_MS, None);
    let start = (START_MS * 1_000_000).to_string();
    let spans: Vec<Value> = (0..700)
        .map(|number| {
            json!({"traceId": format!("{:032x}", number + 1), "spanId": format!("{:016x}", number + 1),
                "name": format!("op {number}"), "kind": 2, "startTimeUnixNano": start, "endTimeUnixNano": start})
        })
        .collect();
    let request = json!({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": spans}]}]});
    world.backend.accept_traces(serde_json::from_value(request).unwrap());
    world.round(10);
    assert_eq!(world.number("count(traces_spanmetrics_calls_total)").await, 501.0);
    assert_eq!(world.number("traces_spanmetrics_calls_total{span_name=\"(other)\"}").await, 200.0);
    assert_eq!(world.number("sum(traces_spanmetrics_calls_total)").await, 700.0);
}
