//! The figures that a book states: each state and each verdict as readers see them, the page of a figure, and the walk from
//! a sentence to the span and back.

use crate::browser;
use crate::target::Target;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::{get, send, serve, within};

const SOON: Duration = Duration::from_secs(40);
const TOML: &str =
    "[book]\nsrc = \".\"\n[output.loggia]\n[output.loggia.services.shop]\ntitle = \"Shop\"\n";

/// A tile, what makes it so, and how it is shown.
struct Case {
    id: &'static str,
    claim: &'static str,
    query: Option<&'static str>,
    state: &'static str,
    text: &'static str,
    verdict: &'static str,
    reason: &'static str,
}

const fn case(
    (id, claim, query): (&'static str, &'static str, Option<&'static str>),
    (state, text): (&'static str, &'static str),
    (verdict, reason): (&'static str, &'static str),
) -> Case {
    Case { id, claim, query, state, text, verdict, reason }
}

/// Of what the target says now, and of `shop_gone`, which it says no more.
const SAID: &str = "shop_seconds 0.05\nshop_slow 0.19\nshop_late 0.5\nshop_none 0\nshop_share 0.99995\n\
                    shop_users 1200\nshop_regions 6\nshop_part{n=\"1\"} 1\nshop_part{n=\"2\"} 2\n\
                    # TYPE shop_asked_total counter\nshop_asked_total 5\n";

const CASES: &[Case] = &[
    case(
        ("value", "< 200ms", Some("shop_seconds")),
        ("value", "50"),
        ("holds", "50 ms, below 200 ms"),
    ),
    case(("zero", "< 5", Some("shop_none")), ("zero", "0"), ("holds", "0, below 5")),
    case(
        ("no-traffic", "< 1%", Some("rate(shop_asked_total[1m]) / rate(shop_asked_total[1m])")),
        ("no-traffic", "no traffic"),
        ("no data", "no traffic in the window"),
    ),
    case(
        ("no-data", "< 1 s", Some("ghost_seconds")),
        ("no-data", "no data"),
        ("no data", "the query finds nothing"),
    ),
    case(("stale", "< 200ms", Some("shop_gone")), ("stale", "70"), ("stale", "ago, nothing since")),
    case(
        ("error", "< 200ms", Some("sum(")),
        ("query-error", "query error"),
        ("no data", "the query failed"),
    ),
    case(
        ("several", "< 9", Some("shop_part")),
        ("query-error", "query error"),
        ("no data", "2 series instead of one"),
    ),
    case(
        ("at-risk", "< 200ms", Some("shop_slow")),
        ("value", "190"),
        ("at risk", "190 ms, within 10 % of 200 ms"),
    ),
    case(
        ("violated", "< 200ms", Some("shop_late")),
        ("value", "500"),
        ("violated", "500 ms, over 200 ms"),
    ),
    case(
        ("uptime", "99.99%", Some("shop_share")),
        ("value", "99.995"),
        ("holds", "99.995 %, above 99.99 %"),
    ),
    case(("users", "1M+", Some("shop_users")), ("value", "1,200"), ("unproven", "peak seen 1,200")),
    case(
        ("regions", "6 Regions", Some("shop_regions")),
        ("value", "6"),
        ("holds", "6, as stated: 6"),
    ),
    case(
        ("instant", "Instant", Some("shop_seconds")),
        ("value", "0.05"),
        ("unproven", "names no bound"),
    ),
    case(("unmeasured", "99.9%", None), ("claim", "99.9%"), ("unproven", "nothing measures it")),
    case(("unlike", "< 200ms", Some("shop_users")), ("value", "20"), ("violated", "over 200 ms")),
];

fn page() -> String {
    let tile = |case: &Case| {
        let mut tile = json!({ "id": case.id, "label": case.id, "value": case.claim });
        if let Some(query) = case.query {
            tile["query"] = json!(query);
        }
        tile
    };
    let tiles: Vec<Value> = CASES.iter().map(tile).collect();
    let mut text =
        format!("# Shop\n\n## Figures {{#told}}\n\n```kpi-grid\n{}\n```\n", json!(tiles));
    for case in CASES {
        let _ = write!(text, "\nIt is [{}](kpi:{}).\n", case.claim, case.id);
    }
    text
}

/// The text and the state of the first element with a key.
fn element(html: &str, key: &str) -> (String, String) {
    let Some((before, after)) = html.split_once(&format!("data-cell=\"{key}\"")) else {
        return Default::default();
    };
    let _ = before;
    let tag = after.split('>').next().unwrap_or_default();
    let state = tag.split("data-state=\"").nth(1).and_then(|rest| rest.split('"').next());
    let text = after[tag.len() + 1..].split('<').next().unwrap_or_default();
    (text.replace("&lt;", "<"), state.unwrap_or_default().to_owned())
}

#[test]
fn every_state_and_verdict_is_shown_as_its_own() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("book.toml"), TOML).unwrap();
    fs::write(dir.path().join("index.md"), page()).unwrap();
    let target = Target::start();
    target.say(Some(&format!("{SAID}shop_gone 0.07\n")));
    let (_program, url) = target.serve(dir.path());
    let look = |path: &str| get(&format!("{url}{path}")).unwrap().text();
    within("the figure that goes was seen", SOON, || {
        element(&look("/"), "kpi.stale.value") == ("70".to_owned(), "value".to_owned())
    });
    // The past is looked at in steps of 5 s: what lived shorter may fall between two of them.
    std::thread::sleep(Duration::from_secs(6));
    target.say(Some(SAID));
    within("it is stale, and a rate can be said", SOON, || {
        let html = look("/");
        let state = |id: &str| element(&html, &format!("kpi.{id}.value"));
        state("stale").1 == "stale" && state("no-traffic").1 == "no-traffic"
    });
    let (html, listed) = (look("/"), look("/live/figures"));
    let mut looks = Vec::new();
    for case in CASES {
        let own = look(&format!("/live/figures/{}", case.id));
        for (html, key) in [(&html, "kpi"), (&listed, "fig"), (&own, "fig")] {
            let part = |part: &str| element(html, &format!("{key}.{}.{part}", case.id));
            let (text, state) = part("value");
            assert_eq!(state, case.state, "{} on {key}: {text}", case.id);
            assert!(text.starts_with(case.text), "{} on {key}: {text}", case.id);
            assert_eq!(part("verdict").0, case.verdict, "{} on {key}", case.id);
            let reason = part("reason").0;
            assert!(reason.contains(case.reason), "{} on {key}: {reason}", case.id);
        }
        let of_query = case.query.is_none_or(|query| own.contains(query));
        assert!(own.contains("Where it is stated") && of_query, "{}: {own}", case.id);
        looks.push((
            case.state,
            case.verdict,
            element(&html, &format!("kpi.{}.reason", case.id)).0,
        ));
    }
    // Words tell the states apart where the numbers do not: nothing depends on colour.
    for (nth, one) in looks.iter().enumerate() {
        assert!(
            looks[nth + 1..].iter().all(|other| other.2 != one.2 || other.0 == one.0),
            "{one:?}"
        );
    }
    choices(&url);
    let lost = get(&format!("{url}/live/figures/ghost")).unwrap();
    assert_eq!(lost.status, 404);
    assert!(lost.text().contains("states no figure `ghost`"), "{}", lost.text());
    assert!(lost.text().contains("href=\"/live/figures\""), "{}", lost.text());
    let past = get(&format!("{url}/live/figures/value?from=now-5s&to=now-1s")).unwrap();
    assert!(past.status == 200 && past.text().contains("back to now from"), "a chosen span stays");
    if browser::is_there() {
        browser::run(
            "axe.mjs",
            &[&url, "/live/figures", "/live/figures/value", "/live/figures/unmeasured"],
        );
    }
}

/// The list by verdict, and the same as JSON.
fn choices(url: &str) {
    for (verdict, within, without) in [
        ("holds", "/live/figures/value\"", "/live/figures/violated\""),
        ("violated", "/live/figures/violated\"", "/live/figures/value\""),
        ("at-risk", "/live/figures/at-risk\"", "/live/figures/value\""),
        ("stale", "/live/figures/stale\"", "/live/figures/value\""),
        ("unproven", "/live/figures/instant\"", "/live/figures/value\""),
        ("no-data", "/live/figures/error\"", "/live/figures/value\""),
    ] {
        let listed = get(&format!("{url}/live/figures?show={verdict}")).unwrap().text();
        assert!(listed.contains(within) && !listed.contains(without), "{verdict}: {listed}");
    }
    let claims = get(&format!("{url}/api/live/claims")).unwrap().json().unwrap();
    let claims = claims["claims"].as_array().unwrap().clone();
    assert_eq!(claims.len(), 2 * CASES.len(), "each tile and each sentence");
    let users: Vec<_> = claims.iter().filter(|claim| claim["figure"] == "users").collect();
    assert_eq!(
        (users.len(), &users[0]["section"], &users[0]["claim"]),
        (2, &json!("told"), &json!("1M+"))
    );
    assert_eq!(users[0]["understood"]["is_capacity"], true);
    assert_eq!(users[0]["measured"]["verdict"], "unproven");
}

/// Before the first answer there is neither a value nor an error: an engine that takes its time.
#[test]
fn what_was_not_asked_yet_is_loading() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let toml = format!(
        "[book]\nsrc = \".\"\n[output.loggia]\nmetrics = {{ url = \"http://{silent}\", timeout = \"30s\" }}\n"
    );
    fs::write(dir.path().join("book.toml"), toml).unwrap();
    fs::write(dir.path().join("index.md"), page()).unwrap();
    let (_program, url) = serve(dir.path());
    let html = get(&format!("{url}/")).unwrap().text();
    assert_eq!(element(&html, "kpi.value.value"), ("loading".to_owned(), "loading".to_owned()));
    assert_eq!(element(&html, "kpi.value.reason").0, "not asked yet");
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn post(url: &str, kind: &str, body: &Value) {
    let json = [("content-type", "application/json")];
    let body = serde_json::to_vec(body).unwrap();
    assert_eq!(send("POST", &format!("{url}/otlp/v1/{kind}"), &json, &body).unwrap().status, 200);
}

/// A request of the shop with its log record, now.
fn request(url: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let shop = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
    let span = json!({
        "traceId": TRACE, "spanId": SPAN, "name": "GET /basket", "kind": 2,
        "startTimeUnixNano": (now - 90_000_000).to_string(), "endTimeUnixNano": now.to_string(),
    });
    let log = json!({
        "timeUnixNano": (now - 50_000_000).to_string(), "severityNumber": 9, "severityText": "INFO",
        "body": {"stringValue": "basket looked up"}, "traceId": TRACE, "spanId": SPAN,
    });
    post(
        url,
        "traces",
        &json!({"resourceSpans": [{"resource": shop, "scopeSpans": [{"spans": [span]}]}]}),
    );
    post(
        url,
        "logs",
        &json!({"resourceLogs": [{"resource": shop, "scopeLogs": [{"logRecords": [log]}]}]}),
    );
}

#[test]
fn a_sentence_leads_to_the_span_and_back() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("book.toml"), TOML).unwrap();
    let query = "histogram_quantile(0.95, sum by (le) (rate(shop_answer_seconds_bucket{job=\\\"shop\\\"}[$window])))";
    let text = format!(
        "# Shop\n\n## Promises {{#promises services=\"shop\"}}\n\nEach answer comes in [< 200 ms](kpi:answer).\n\n\
         ```kpi-grid\n[{{\"id\": \"answer\", \"label\": \"Answer time\", \"value\": \"< 200ms\", \"query\": \"{query}\"}}]\n```\n"
    );
    fs::write(dir.path().join("index.md"), text).unwrap();
    let target = Target::start();
    let (_program, url) = target.serve(dir.path());
    request(&url);
    let mut count = 0;
    within("the figure has a value and the exemplar is kept", SOON, || {
        count += 3;
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        target.say(Some(&format!(
            "# TYPE shop_answer_seconds histogram\nshop_answer_seconds_bucket{{le=\"0.1\"}} {count} # {{trace_id=\"{TRACE}\"}} 0.09 {at:.3}\n\
             shop_answer_seconds_bucket{{le=\"+Inf\"}} {count}\nshop_answer_seconds_count {count}\nshop_answer_seconds_sum {count}\n# EOF\n"
        )));
        let own = get(&format!("{url}/live/figures/answer")).unwrap().text();
        element(&own, "fig.answer.verdict").0 == "holds"
            && own.contains("Counted in it")
            && own.contains("class=\"line s0\"")
    });
    let documented =
        || get(&format!("{url}/live/traces/{TRACE}")).unwrap().text().contains("#promises");
    within("the trace leads back", SOON, documented);
    for how in ["mouse", "keyboard"] {
        browser::run("sentence.mjs", &[&url, TRACE, how]);
    }
}
