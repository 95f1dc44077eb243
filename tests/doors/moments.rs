//! Time travel: the same address at two moments of the past, before and after something broke.

use crate::browser;
use crate::target::Target;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::{get, send, within};

const SOON: Duration = Duration::from_secs(30);
const TOML: &str = "[book]\nsrc = \".\"\n[output.loggia]\nrules = [\"rules.yml\"]\n[output.loggia.services.shop]\n\
                    [output.loggia.services.bank]\n[output.loggia.alerts]\nevaluation-interval = \"1s\"\n";
/// Two rules of one name, told apart by their labels alone.
const RULES: &str = "groups:\n- name: shop\n  rules:\n  - {alert: Slow, expr: shop_seconds > 0.2, \
                     labels: {severity: page}}\n  - {alert: Slow, expr: shop_seconds > 0.3, labels: \
                     {severity: ticket}}\n";
const PAGE: &str = "# Shop\n\n## Speed {#speed services=\"shop\"}\n\nIt answers in \
                    [< 200 ms](kpi:answer-time).\n\n```kpi-grid\n[{\"id\": \"answer-time\", \
                    \"label\": \"Answer time\", \"value\": \"< 200ms\", \"query\": \
                    \"shop_seconds\", \"service\": \"shop\"}]\n```\n\n```mermaid\ngraph LR\n  \
                    shop[Shop] --> bank[Bank]\n```\n";

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

fn snapshot(url: &str, more: &str) -> Value {
    get(&format!("{url}/api/live/snapshot?page=index{more}")).unwrap().json().unwrap()
}

fn verdict(snapshot: &Value) -> &str {
    snapshot["page"]["kpis"][0]["verdict"].as_str().unwrap_or_default()
}

/// Alerts that fire.
fn firing(url: &str, at: &str) -> usize {
    let evidence = get(&format!("{url}/api/live/evidence{at}")).unwrap().json().unwrap();
    let rules = evidence["alerts"]["rules"].as_array().unwrap().clone();
    let alerts = rules.iter().flat_map(|rule| rule["alerts"].as_array().unwrap());
    alerts.filter(|alert| alert["state"] == "firing").count()
}

/// A call from the shop to the bank that happened now.
fn call(url: &str) {
    let now = now_ms() * 1_000_000;
    let spans = |service: &str, id: &str, parent: &str, kind: u8| {
        json!({
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"spans": [{
                "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": id, "parentSpanId": parent,
                "name": "pay", "kind": kind,
                "startTimeUnixNano": (now - 2_000_000).to_string(), "endTimeUnixNano": now.to_string(),
            }]}],
        })
    };
    let both = [
        spans("shop", "b7ad6b7169203331", "", 3),
        spans("bank", "00f067aa0ba902b7", "b7ad6b7169203331", 2),
    ];
    let body = serde_json::to_vec(&json!({ "resourceSpans": both })).unwrap();
    let json = [("content-type", "application/json")];
    assert_eq!(send("POST", &format!("{url}/otlp/v1/traces"), &json, &body).unwrap().status, 200);
}

#[test]
fn a_moment_of_the_past_is_shown_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("book.toml"), TOML).unwrap();
    fs::write(dir.path().join("index.md"), PAGE).unwrap();
    fs::write(dir.path().join("rules.yml"), RULES).unwrap();
    let target = Target::start();
    target.say(Some("shop_seconds 0.05\n"));
    let (_program, url) = target.serve(dir.path());
    within("the claim holds", SOON, || verdict(&snapshot(&url, "")) == "holds");
    // Whole seconds are shown, so the next one is certainly after the first sample.
    std::thread::sleep(Duration::from_millis(2_200));
    let before = now_ms() / 1000;
    std::thread::sleep(Duration::from_millis(1_200));
    target.say(Some("shop_seconds 0.5\n"));
    call(&url);
    within("the claim is violated", SOON, || verdict(&snapshot(&url, "")) == "violated");
    within("both alerts fire", SOON, || firing(&url, "") == 2);
    within("the call is seen", SOON, || {
        let drift = get(&format!("{url}/api/live/drift")).unwrap().text();
        drift.contains("\"state\":\"confirmed\"")
    });
    std::thread::sleep(Duration::from_millis(1_200));
    let after = now_ms() / 1000;

    for (at, word, reason, edge) in [
        (before, "holds", "50 ms, below 200 ms", "never-seen"),
        (after, "violated", "500 ms, over 200 ms", "confirmed"),
        (before, "holds", "50 ms, below 200 ms", "never-seen"),
    ] {
        let then = snapshot(&url, &format!("&at={at}"));
        assert_eq!((verdict(&then), then["at"].as_i64()), (word, Some(at * 1000)), "{then}");
        assert_eq!(then["cells"]["kpi.answer-time.reason"]["t"], reason);
        let drift = get(&format!("{url}/api/live/drift?at={at}")).unwrap().text();
        assert!(drift.contains(&format!("\"state\":\"{edge}\"")), "{at} {edge}: {drift}");
        let alerts = if word == "holds" { 0 } else { 2 };
        assert_eq!(firing(&url, &format!("?at={at}")), alerts, "alerts at {at}");
        let page = get(&format!("{url}/?at={at}")).unwrap().text();
        assert!(page.contains(reason) && page.contains("back to live"), "{page}");
        assert!(page.contains(&format!("href=\"/live/services/shop?at={at}\"")), "{page}");
        let claims = get(&format!("{url}/api/live/claims?at={at}")).unwrap().text();
        assert!(claims.contains(&format!("\"verdict\":\"{word}\"")), "{claims}");
        for view in [
            "services",
            "services/shop",
            "map",
            "objectives",
            "alerts",
            "drift",
            "traces",
            "traces?from=now-15m",
            "logs",
            "logs?severity=info&from=now-15m",
            "explore?query=shop_seconds",
            "figures",
            "figures/answer-time",
        ] {
            let and = if view.contains('?') { '&' } else { '?' };
            let answer = get(&format!("{url}/live/{view}{and}at={at}")).unwrap();
            let text = answer.text();
            assert_eq!(answer.status, 200, "{view}: {text}");
            assert!(text.contains("data-live=\"past\"") && text.contains(" UTC</span>"), "{view}");
            whole_links(view, &text, at);
        }
        let asked = get(&format!("{url}/live/explore?query=shop_seconds&at={at}")).unwrap().text();
        let value = if word == "holds" { ">0.05<" } else { ">0.5<" };
        assert!(asked.contains(value), "{asked}");
    }
    // The traces of then.
    let traces = |at: i64| get(&format!("{url}/live/traces?at={at}")).unwrap().text();
    assert!(!traces(before).contains("0af7651916cd43dd8448eb211c80319c"));
    within("the trace is listed", SOON, || {
        traces(now_ms() / 1000 - 1).contains("0af7651916cd43dd8448eb211c80319c")
    });
    // Looking at the past changes nothing of the present.
    assert_eq!(verdict(&snapshot(&url, "")), "violated");
    let drift = get(&format!("{url}/api/live/drift")).unwrap().text();
    assert!(drift.contains("\"state\":\"confirmed\""), "{drift}");

    impossible(&url);
    if browser::is_there() {
        let (before, after) = (before.to_string(), after.to_string());
        browser::run("moments.mjs", &[&format!("{url}/"), &before, &after]);
    }
}

/// Links of a page of the past have one time and lose none of their parts.
fn whole_links(view: &str, page: &str, at: i64) {
    let mut with_parts = 0;
    for href in page.split(" href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        let href = href.replace("&amp;", "&").replace("&#38;", "&");
        let Some((_, query)) = href.split_once('?') else { continue };
        let query = query.split('#').next().unwrap_or_default();
        let parts: Vec<&str> = query.split('&').collect();
        assert!(
            parts.iter().all(|part| !part.contains("&&") && !part.contains('#')),
            "{view}: {href}"
        );
        assert!(query.is_empty() || parts.iter().all(|part| part.contains('=')), "{view}: {href}");
        let times = parts.iter().filter(|part| part.starts_with("at=")).count();
        assert!(times <= 1, "{view}: {href}");
        with_parts += usize::from(parts.len() > 1 && parts.contains(&format!("at={at}").as_str()));
    }
    let many = ["services/shop", "traces?from=now-15m", "logs?severity=info&from=now-15m"];
    assert!(with_parts > 0 || !many.contains(&view), "{view} has no link of several parts");
}

/// What cannot be shown is said in words, as a page and as JSON, with a way out.
fn impossible(url: &str) {
    for (at, words, json) in [
        ("soon", "This time cannot be shown", "`soon` is no time"),
        ("2100-01-01T00:00:00Z", "is in the future", "is in the future"),
        ("99999999999999999999", "This time cannot be shown", "is no time"),
        ("2001-01-01T00:00:00Z", "Show the earliest moment", "nothing is kept from before"),
        ("now-2h&at=now-3h", "once each", "once each"),
        ("now-1s&from=now-1m&to=now-2m", "`from` is not before the end", "not before the end"),
    ] {
        for path in ["/", "/live/services", "/live/figures", "/live/map"] {
            let answer = get(&format!("{url}{path}?at={at}")).unwrap();
            assert_eq!(answer.status, 400, "{path} {at}");
            assert!(answer.text().contains(words), "{path} {at}: {}", answer.text());
        }
        let answer = get(&format!("{url}/api/live/snapshot?page=index&at={at}")).unwrap();
        let title = answer.json().unwrap()["title"].as_str().unwrap().to_owned();
        assert!(answer.status == 400 && title.contains(json), "{at}: {title}");
    }
    // The earliest moment that is offered can be shown.
    let lost = get(&format!("{url}/live/services?at=2001-01-01T00:00:00Z")).unwrap().text();
    let earliest = lost.split("href=\"").find_map(|rest| rest.strip_prefix("/live/services?at="));
    let earliest = earliest.and_then(|rest| rest.split('"').next()).expect("it is a link");
    assert_eq!(get(&format!("{url}/live/services?at={earliest}")).unwrap().status, 200);
}
