//! Logs of a running `loggia serve`: sent over OTLP, found by words, by trace and by span, as JSON and on the pages.

use crate::browser;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::{get, send, serve};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const OTHER_SPAN: &str = "00f067aa0ba902b8";

fn post(url: &str, kind: &str, body: &Value) {
    let headers = [("content-type", "application/json")];
    let answer =
        send("POST", &format!("{url}/otlp/v1/{kind}"), &headers, body.to_string().as_bytes());
    assert_eq!(answer.unwrap().text(), "{}");
}

fn resource(service: &str) -> Value {
    json!({"attributes": [{"key": "service.name", "value": {"stringValue": service}}]})
}

fn record(age_s: u64, severity: u8, body: &str, span: Option<&str>) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let time = (now - Duration::from_secs(age_s)).as_nanos().to_string();
    json!({"timeUnixNano": time, "severityNumber": severity, "body": {"stringValue": body},
        "traceId": span.map_or("", |_| TRACE), "spanId": span.unwrap_or(""),
        "attributes": [{"key": "http.route", "value": {"stringValue": "/pay"}}]})
}

fn logs(service: &str, records: &[Value]) -> Value {
    json!({"resourceLogs": [{"resource": resource(service), "scopeLogs": [{"logRecords": records}]}]})
}

fn fill(url: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().to_string();
    let span = |id: &str, parent: &str, name: &str| {
        json!({"traceId": TRACE, "spanId": id, "parentSpanId": parent, "name": name, "kind": 2,
            "startTimeUnixNano": now, "endTimeUnixNano": now})
    };
    let spans = [span(SPAN, "", "buy"), span(OTHER_SPAN, SPAN, "pay")];
    post(
        url,
        "traces",
        &json!({"resourceSpans": [{"resource": resource("shop"), "scopeSpans": [{"spans": spans}]}]}),
    );
    post(
        url,
        "logs",
        &logs(
            "shop",
            &[
                record(7200, 9, "old: started", None),
                record(20, 9, "order 7 begins", Some(SPAN)),
                record(10, 17, "the Card was refused <script>alert(1)</script>", Some(OTHER_SPAN)),
            ],
        ),
    );
    post(url, "logs", &logs("mail", &[record(5, 13, "the mail was refused", None)]));
}

#[test]
fn records_are_found_by_words_trace_and_span() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.md"), "# Shop\n").unwrap();
    let (_program, url) = serve(dir.path());
    fill(&url);
    for (query, expected) in [
        ("", &["old", "order", "card", "mail"][..]),
        ("q=refused", &["card", "mail"]),
        ("q=refused+card", &["card"]),
        ("q=REFUSED+-card", &["mail"]),
        ("q=%22card+was+refused%22", &["card"]),
        ("q=%22refused+card%22", &[]),
        ("q=http.route%3D%2Fpay+begins", &["order"]),
        ("service=mail", &["mail"]),
        ("severity=warn", &["card", "mail"]),
        ("severity=Error", &["card"]),
        ("from=now-1h", &["order", "card", "mail"]),
        ("to=now-1h", &["old"]),
        (&format!("trace={TRACE}"), &["order", "card"]),
        (&format!("trace={TRACE}&span={OTHER_SPAN}"), &["card"]),
        ("limit=1", &["mail"]),
    ] {
        let answer = get(&format!("{url}/api/live/logs?{query}")).unwrap();
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        let found: BTreeSet<String> = answer.json().unwrap()["logs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|record| record["body"].as_str().unwrap().to_lowercase())
            .filter_map(|body| {
                ["old", "order", "card", "mail"].into_iter().find(|word| body.contains(word))
            })
            .map(str::to_owned)
            .collect();
        let expected: BTreeSet<String> = expected.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(found, expected, "{query}");
        let page = get(&format!("{url}/live/logs?{query}")).unwrap();
        let count = if query == "limit=1" {
            "1 of 4 records<".to_owned()
        } else if expected.len() == 1 {
            "1 record<".to_owned()
        } else {
            format!("{} records<", expected.len())
        };
        assert!(page.status == 200 && page.text().contains(&count), "{query}: {}", page.text());
    }
    for (query, words) in [
        ("limit=0", "no number from 1 to 1000"),
        ("severity=loud", "no severity"),
        ("trace=xyz", "no trace id"),
        ("span=1", "no span id"),
        ("from=yesterday", "no time such as"),
        ("q=a&q=b", "once"),
    ] {
        for path in ["/api/live/logs", "/live/logs"] {
            let answer = get(&format!("{url}{path}?{query}")).unwrap();
            assert!(
                answer.status == 400 && answer.text().contains(words),
                "{path} {query}: {}",
                answer.text()
            );
        }
    }
    // The page of the trace has its records in the order of time, each leading to its span.
    let page = get(&format!("{url}/live/traces/{TRACE}")).unwrap().text();
    let (first, second) =
        (page.find("order 7 begins").unwrap(), page.find("the Card was refused").unwrap());
    assert!(
        first < second && !page.contains("the mail was refused") && !page.contains("<script>alert")
    );
    assert!(
        page.contains(&format!("live/logs?trace={TRACE}&#38;span={SPAN}"))
            || page.contains(&format!("live/logs?trace={TRACE}&amp;span={SPAN}"))
    );
    let list = get(&format!("{url}/live/logs")).unwrap().text();
    assert!(list.contains(&format!("live/traces/{TRACE}")), "a record leads to its trace");
}

#[test]
fn what_came_after_a_look_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.md"), "# Shop\n").unwrap();
    let (_program, url) = serve(dir.path());
    let ask = |query: &str| get(&format!("{url}/api/live/logs?{query}")).unwrap().json().unwrap();
    let bodies = |answer: &Value| -> Vec<String> {
        let logs = answer["logs"].as_array().unwrap();
        logs.iter().map(|one| one["body"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ask("")["cursor"], 0);
    fill(&url);
    let first = ask("");
    assert_eq!(first["cursor"], 4);
    assert!(bodies(&ask("after=4")).is_empty());
    post(&url, "logs", &logs("shop", &[record(0, 9, "fifth", None), record(0, 17, "sixth", None)]));
    let next = ask("after=4");
    assert_eq!(
        (bodies(&next), &next["cursor"], &next["missed"]),
        (vec!["sixth".to_owned(), "fifth".to_owned()], &json!(6), &json!(false))
    );
    assert_eq!(bodies(&ask("after=4&severity=error")), ["sixth"]);
    assert_eq!(bodies(&ask("after=5")), ["sixth"]);
    // A cursor of an earlier run.
    let strange = ask("after=999");
    assert_eq!((bodies(&strange).len(), &strange["cursor"]), (0, &json!(6)));
    let rows = ask("after=5&rows=1");
    assert!(rows["count"] == 1 && rows["rows"].as_str().unwrap().contains("sixth"), "{rows}");
    let wrong = get(&format!("{url}/api/live/logs?after=x")).unwrap();
    assert!(wrong.status == 400 && wrong.text().contains("no cursor"), "{}", wrong.text());
}

#[test]
fn what_records_share_is_offered() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.md"), "# Shop\n").unwrap();
    let (_program, url) = serve(dir.path());
    fill(&url);
    let page = |query: &str| get(&format!("{url}/live/logs?{query}")).unwrap().text();
    let all = page("");
    for words in [
        "live/logs?service=shop&#38;limit=100",
        "live/logs?severity=error&#38;limit=100",
        " errors, ",
        "data-histogram",
    ] {
        assert!(all.contains(words), "no `{words}`");
    }
    // Chosen values are shown as such and lead back.
    let chosen = page("service=mail");
    assert!(
        chosen.contains("1 chosen")
            && chosen.contains("aria-current=\"true\"")
            && !chosen.contains("data-hidden")
    );
    assert!(page("q=http.route%3D%2Fpay").contains("1 chosen"));
    for (query, field) in [
        ("from=yesterday", "from"),
        ("to=x", "to"),
        ("from=now-1m&to=now-1h", "to"),
        ("trace=x", "trace"),
    ] {
        assert!(page(query).contains(&format!("id=\"wrong-{field}\"")), "{query}");
    }
    assert!(!page("to=now-1h").contains("data-tail"), "what is over does not grow");
}

#[test]
fn the_tail_keeps_the_readers_place() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.md"), "# Shop\n").unwrap();
    let (_program, url) = serve(dir.path());
    fill(&url);
    browser::run("logs.mjs", &[&url]);
    browser::run(
        "axe.mjs",
        &[&url, "/live/logs", "/live/logs?from=yesterday", "/live/logs?tail=1"],
    );
}
