//! Query tools that others wrote, asking Loggia: `promtool`, a Python client of Prometheus, a Python client of Jaeger.

use super::{SOON, Served, Speech, rust};
use serde_json::{Value, json};
use std::process::Command;
use tests::{client, foreign, run_to_end, within};

/// A server that got the known data from the Rust SDK, and the id of the trace.
fn filled(service: &str) -> (Served, String) {
    let served = Served::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let sent = rust::send(Speech::Grpc, &served.grpc, service);
    (served, sent.trace)
}

/// What a command prints; it must succeed.
fn said(command: &mut Command) -> String {
    let output = run_to_end(command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

#[test]
fn promtool_reads_values_ranges_series_and_labels() {
    let Some(promtool) = foreign("promtool") else { return };
    let (served, _) = filled("shop");
    let url = format!("{}/prometheus", served.url);
    let ask = |kind: &str, options: &[&str], last: &[&str]| {
        let mut command = Command::new(&promtool);
        said(command.args(["query", kind]).args(options).arg(&url).args(last))
    };
    let check = |text: String, expected: &[&str]| {
        let mut lines: Vec<&str> =
            text.lines().map(|line| line.split(" @[").next().unwrap_or_default()).collect();
        lines.sort_unstable();
        assert_eq!(lines, expected, "{text}");
    };
    check(
        ask("instant", &[], &["sum by (page) (shop_orders_total)"]),
        &["{page=\"cart\"} => 4", "{page=\"home\"} => 3"],
    );
    check(
        ask("instant", &[], &["histogram_quantile(0.75, shop_wait_seconds_bucket)"]),
        &["{instance=\"one\", job=\"shop\", route=\"/checkout\"} => 0.5"],
    );
    check(ask("instant", &[], &["scalar(sum(shop_orders_total)) * 2"]), &["scalar: 14"]);
    let range = ask("range", &["--step=1s"], &["sum(shop_orders_total)"]);
    assert!(range.starts_with("{} =>\n7 @["), "{range}");
    check(
        ask("series", &["--match=shop_queue"], &[]),
        &["{__name__=\"shop_queue\", instance=\"one\", job=\"shop\"}"],
    );
    check(ask("labels", &[], &["page"]), &["cart", "home"]);
    let mut wrong = Command::new(&promtool);
    let output = run_to_end(wrong.args(["query", "instant", &url, "sum(("]));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && words.contains("bad_data"), "{words}");
    // Newer versions of promtool ask these.
    for path in ["/prometheus/-/healthy", "/prometheus/-/ready"] {
        served.text(path);
    }
}

#[test]
fn a_python_client_of_prometheus_understands_the_answers() {
    let (served, _) = filled("shop");
    let url = format!("{}/prometheus", served.url);
    let Some(mut command) = client("python/ask_prometheus.py") else { return };
    let found: Value = serde_json::from_str(&said(command.args([&url, "shop"]))).unwrap();
    let listed = |field: &str| -> Vec<&str> {
        found[field].as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
    };
    assert_eq!(found["connected"], true, "{found}");
    for (field, items) in [
        ("metrics", &["shop_heat_celsius", "shop_orders_total", "target_info"][..]),
        ("labels", &["__name__", "job", "le", "page"]),
        ("jobs", &["shop"]),
    ] {
        assert!(items.iter().all(|item| listed(field).contains(item)), "{field}: {found}");
    }
    assert_eq!(found["by_page"], json!({"cart": "4", "home": "3"}));
    let numbers = ["ranged", "raw", "current"].map(|field| &found[field]);
    assert_eq!(numbers, ["7", "3", "21.5"]);
    let series = |page: &str| json!({"__name__": "shop_orders_total", "instance": "one", "job": "shop", "page": page});
    assert_eq!(found["series"], json!([series("cart"), series("home")]));
    assert_eq!(found["targets"]["activeTargets"], json!([]));
    let about = &found["metadata"][0];
    assert_eq!([&about["type"], &about["help"]], ["counter", "Orders taken."]);
}

#[test]
fn a_python_client_of_jaeger_understands_the_answers() {
    let (served, trace) = filled("shop");
    let url = format!("{}/jaeger", served.url);
    let Some(_) = client("python/ask_jaeger.py") else { return };
    // A second service, so that there is somebody to depend on.
    let other = json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "bank"}}]},
        "scopeSpans": [{"spans": [{"traceId": trace, "spanId": "1122334455667788",
            "parentSpanId": client_of(&served, &trace), "name": "POST /charge", "kind": 2,
            "startTimeUnixNano": now_ns(), "endTimeUnixNano": now_ns()}]}]}]});
    let answer = tests::send(
        "POST",
        &format!("{}/v1/traces", served.http),
        &[("content-type", "application/json")],
        other.to_string().as_bytes(),
    );
    assert_eq!(answer.unwrap().status, 200);
    let ask = || -> Value {
        let mut command = client("python/ask_jaeger.py").unwrap();
        serde_json::from_str(&said(command.args([&url, "shop", &trace]))).unwrap()
    };
    let edge = json!([{"parent": "shop", "child": "bank", "call_count": 1}]);
    within("the call is counted", SOON, || ask()["dependencies"] == edge);
    let found = ask();
    assert_eq!(found["services"], json!(["bank", "shop"]));
    let first = &found["found"][0];
    assert_eq!(
        [&first["trace_id"], &first["root_operation"], &first["root_service"]],
        [trace.as_str(), "POST /checkout", "shop"]
    );
    assert_eq!([&first["span_count"], &first["errors_count"]], [3, 1]);
    assert_eq!(found["other"], json!([]), "a search for another tag finds nothing");
    let spans = found["trace"]["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 3);
    let tags = &spans[0]["tags"];
    assert_eq!([&tags["http.response.status_code"], &tags["cart.total"]], ["500", "12.5"]);
    assert_eq!(spans[0]["logs"][0]["fields"][0]["value"], "card refused");
    assert_eq!(found["critical"]["trace_id"], json!(trace));
}

fn client_of(served: &Served, trace: &str) -> String {
    let trace = served.json(&format!("/api/live/traces/{trace}"));
    trace["rows"][1]["span"]["span_id"].as_str().unwrap().to_owned()
}

fn now_ns() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_nanos().to_string()
}
