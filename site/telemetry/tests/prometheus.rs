//! The Prometheus HTTP API: bodies as Prometheus writes them, mistakes in its words.

#![allow(clippy::unwrap_used)]

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use series::Labels;
use std::sync::Arc;
use telemetry::{Backend, Clock, Limits, prometheus_router};
use tower::ServiceExt as _;

/// The time by the API's clock, milliseconds since 1970.
const NOW_MS: i64 = 1_700_000_060_500;

/// A counter of two instances over a minute, every 15 s.
fn filled() -> Arc<Backend> {
    let backend = Arc::new(Backend::with_clock(Limits::default(), Clock::fixed(NOW_MS)));
    for (instance, step) in [("a-1", 15.0), ("a-2", 30.0)] {
        let labels =
            Labels::from_pairs([("__name__", "hits_total"), ("job", "a"), ("instance", instance)]);
        for tick in 0..=4 {
            backend
                .metrics
                .append(&labels, 1_700_000_000_000 + tick * 15_000, step * tick as f64)
                .unwrap();
        }
    }
    let odd = Labels::from_pairs([("__name__", "odd"), ("path", "C:\\\"x\"\n")]);
    backend.metrics.append(&odd, 1_700_000_060_000, f64::INFINITY).unwrap();
    backend
}

async fn ask(request: Request<Body>) -> (u16, String) {
    let answer = prometheus_router(filled(), Clock::fixed(NOW_MS)).oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    if status != 405 {
        assert_eq!(answer.headers()["content-type"], "application/json");
    }
    (
        status,
        String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap(),
    )
}

async fn check(path: &str, status: u16, expected: &str) {
    let found = ask(Request::get(format!("/api/v1/{path}")).body(Body::empty()).unwrap()).await;
    assert_same(&found, status, expected, path);
    // The same as a form.
    if let Some((path, form)) = path
        .split_once('?')
        .filter(|(path, _)| !path.contains('/') && *path != "targets" && *path != "metadata")
    {
        let request = Request::post(format!("/api/v1/{path}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        assert_same(&ask(request).await, status, expected, &format!("{path} {form}"));
    }
}

/// The order of an object's keys says nothing; what is no JSON is compared as text.
fn assert_same(found: &(u16, String), status: u16, expected: &str, what: &str) {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    assert_eq!(found.0, status, "{what}: {}", found.1);
    match (value(&found.1), value(expected)) {
        (Some(found), Some(expected)) => assert_eq!(found, expected, "{what}"),
        _ => assert_eq!(found.1, expected, "{what}"),
    }
}

#[tokio::test]
async fn queries_are_answered() {
    let ok = |data: &str| format!(r#"{{"status":"success","data":{data}}}"#);
    check(
        "query?query=1.5%2B1&time=1700000000.25",
        200,
        &ok(r#"{"resultType":"scalar","result":[1700000000.250,"2.5"]}"#),
    )
    .await;
    check("query?query=1", 200, &ok(r#"{"resultType":"scalar","result":[1700000060.500,"1"]}"#))
        .await;
    check("query?query=%22x%22&time=0", 200, &ok(r#"{"resultType":"string","result":[0,"x"]}"#))
        .await;
    check("query?query=nothing", 200, &ok(r#"{"resultType":"vector","result":[]}"#)).await;
    check(
        "query?query=odd&time=2023-11-14T22:14:20Z",
        200,
        &ok(r#"{"resultType":"vector","result":[{"metric":{"__name__":"odd","path":"C:\\\"x\"\n"},"value":[1700000060,"+Inf"]}]}"#),
    )
    .await;
    check(
        "query?query=sum+by+(job)(increase(hits_total%5B30s%5D))&time=1700000060",
        200,
        &ok(
            r#"{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1700000060,"90"]}]}"#,
        ),
    )
    .await;
    check(
        "query_range?query=sum(hits_total)&start=1700000000&end=1700000030&step=15s",
        200,
        &ok(r#"{"resultType":"matrix","result":[{"metric":{},"values":[[1700000000,"0"],[1700000015,"45"],[1700000030,"90"]]}]}"#),
    )
    .await;
}

#[tokio::test]
async fn series_and_labels_are_listed() {
    let ok = |data: &str| format!(r#"{{"status":"success","data":{data}}}"#);
    check("labels", 200, &ok(r#"["__name__","instance","job","path"]"#)).await;
    check("labels?match[]=odd", 200, &ok(r#"["__name__","path"]"#)).await;
    check("label/__name__/values", 200, &ok(r#"["hits_total","odd"]"#)).await;
    check("label/instance/values?match%5B%5D=%7Bjob%3D%22a%22%7D", 200, &ok(r#"["a-1","a-2"]"#))
        .await;
    check("label/nobody/values", 200, &ok("[]")).await;
    check(
        "series?match[]=hits_total%7Binstance%3D%22a-1%22%7D&match[]=hits_total%7Binstance%3D~%22.*1%22%7D",
        200,
        &ok(r#"[{"__name__":"hits_total","instance":"a-1","job":"a"}]"#),
    )
    .await;
    check("series?match[]=odd&end=1600000000", 200, &ok("[]")).await;
    check(
        "label/instance/values?limit=1",
        200,
        r#"{"status":"success","data":["a-1"],"warnings":["results truncated due to limit"]}"#,
    )
    .await;
    check(
        "targets",
        200,
        &ok(r#"{"activeTargets":[],"droppedTargetCounts":{"loggia":0},"droppedTargets":[]}"#),
    )
    .await;
    check("metadata", 200, &ok("{}")).await;
    let (status, body) =
        ask(Request::get("/api/v1/status/buildinfo").body(Body::empty()).unwrap()).await;
    assert_eq!((status, body.contains(r#""version":"0."#)), (200, true), "{body}");
}

#[tokio::test]
async fn mistakes_are_told_in_the_words_of_prometheus() {
    let bad = |message: &str| {
        let message = serde_json::Value::from(message);
        format!(r#"{{"status":"error","errorType":"bad_data","error":{message}}}"#)
    };
    let range = "query_range?query=1";
    check(
        "query?query=1&time=x",
        400,
        &bad("invalid parameter \"time\": cannot parse \"x\" to a valid timestamp"),
    )
    .await;
    check(
        &format!("{range}&end=1&step=1"),
        400,
        &bad("invalid parameter \"start\": cannot parse \"\" to a valid timestamp"),
    )
    .await;
    check(
        &format!("{range}&start=2&end=1&step=1"),
        400,
        &bad("invalid parameter \"end\": end timestamp must not be before start time"),
    )
    .await;
    check(
        &format!("{range}&start=1&end=2&step=0"),
        400,
        &bad("invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer"),
    )
    .await;
    check(
        &format!("{range}&start=0&end=11001&step=1"),
        400,
        &bad("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"),
    )
    .await;
    check(
        &format!("{range}&start=-9e15&end=9e15&step=1"),
        400,
        &bad("invalid parameter \"start\": cannot parse \"-9e15\" to a valid timestamp"),
    )
    .await;
    check("series", 400, &bad("no match[] parameter provided")).await;
    check(
        "labels?limit=x",
        400,
        &bad("invalid parameter \"limit\": limit must be a non-negative number"),
    )
    .await;
    for matched in ["sum(up)", "up+up", "1", "up[1m]", "up%20offset%201m"] {
        let path =
            format!("/api/v1/series?match[]={}", matched.replace('[', "%5B").replace('+', "%2B"));
        let (status, body) = ask(Request::get(path).body(Body::empty()).unwrap()).await;
        assert!(
            status == 400 && body.contains("invalid parameter \\\"match[]\\\""),
            "{matched}: {body}"
        );
    }
    for query in ["", "sum(", "up%7B", "rate(up)", "foo%28%29"] {
        let (status, body) =
            ask(Request::get(format!("/api/v1/query?query={query}")).body(Body::empty()).unwrap())
                .await;
        assert!(
            status == 400 && body.contains("invalid parameter \\\"query\\\""),
            "{query}: {body}"
        );
    }
    let many_to_many = "hits_total%20%2B%20on(job)%20hits_total";
    let (status, body) = ask(Request::get(format!("/api/v1/query?query={many_to_many}"))
        .body(Body::empty())
        .unwrap())
    .await;
    assert!(status == 422 && body.contains(r#""errorType":"execution""#), "{body}");
}
