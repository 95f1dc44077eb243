//! Traces of a running `loggia serve`: the search with its plot, the waterfall, one span, what is sent away again, and
//! whatever somebody may type into the address.

use crate::browser;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::{Program, get, send, serve};

const ORDER: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SKEWED: &str = "5bf92f3577b34da6a3ce929d0e0e4736";
const LONG: &str = "6bf92f3577b34da6a3ce929d0e0e4736";
const PARTIAL: &str = "7bf92f3577b34da6a3ce929d0e0e4736";
const LATE: &str = "8bf92f3577b34da6a3ce929d0e0e4736";
const FAILED: &str = "00000000000000f1";

struct Told {
    id: &'static str,
    start_ns: i64,
    resources: Vec<Value>,
}

impl Told {
    fn new(id: &'static str, age_s: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let start_ns = (now - Duration::from_secs(age_s)).as_nanos() as i64;
        Self { id, start_ns, resources: Vec::new() }
    }

    /// Spans of one sender: id, parent, name, kind, from and to in milliseconds after the trace's start, what went wrong.
    fn by(
        mut self,
        service: &str,
        host: &str,
        spans: &[(&str, &str, &str, u8, i64, i64, &str)],
    ) -> Self {
        let at = |ms: i64| (self.start_ns + ms * 1_000_000).to_string();
        let text = |key: &str, text: &str| json!({"key": key, "value": {"stringValue": text}});
        let spans = spans.iter().map(|(id, parent, name, kind, from, to, wrong)| {
            let mut span = json!({"traceId": self.id, "spanId": id, "parentSpanId": parent, "name": name, "kind": kind,
                "startTimeUnixNano": at(*from), "endTimeUnixNano": at(*to), "attributes": [text("http.route", "/pay & go")]});
            if !wrong.is_empty() {
                span["status"] = json!({"code": 2, "message": wrong});
            }
            span
        });
        let spans: Vec<Value> = spans.collect();
        self.resources.push(json!({"resource": {"attributes": [text("service.name", service), text("host.name", host)]},
            "scopeSpans": [{"spans": spans}]}));
        self
    }

    fn send(self, url: &str) {
        let body = json!({"resourceSpans": self.resources}).to_string();
        let headers = [("content-type", "application/json")];
        let answer = send("POST", &format!("{url}/otlp/v1/traces"), &headers, body.as_bytes());
        assert_eq!(answer.unwrap().text(), "{}");
    }
}

/// A book with one service, and four traces.
fn served(dir: &std::path::Path) -> (Program, String) {
    std::fs::write(
        dir.join("index.md"),
        "# Shop\n\n## Placing an order {#orders services=\"orders\"}\n\nOrders are placed here.\n",
    )
    .unwrap();
    std::fs::write(dir.join("book.toml"), "[book]\nsrc = \".\"\n[output.loggia.services.orders]\n")
        .unwrap();
    let (program, url) = serve(dir);
    let queries: Vec<String> = (0..12).map(|n| format!("00000000000000a{n:x}")).collect();
    let mut spans = vec![
        ("0000000000000001", "", "POST /orders", 2, 0, 500, ""),
        (FAILED, "0000000000000001", "charge the card", 3, 300, 480, "card declined"),
    ];
    spans.extend(queries.iter().enumerate().map(|(n, id)| {
        (id.as_str(), "0000000000000001", "SELECT items", 3, 10 * n as i64, 10 * n as i64 + 8, "")
    }));
    Told::new(ORDER, 60)
        .by("orders", "a", &spans)
        .by(
            "payments",
            "b",
            &[("00000000000000f2", FAILED, "POST /charge", 2, 310, 470, "insufficient funds")],
        )
        .send(&url);
    Told::new(SKEWED, 90)
        .by("orders", "a", &[("0000000000000001", "", "GET /late", 3, 100, 200, "")])
        .by("stock", "b", &[("0000000000000002", "0000000000000001", "look", 2, 50, 130, "")])
        .send(&url);
    let ids: Vec<String> = (1..=5_200).map(|n| format!("{n:016x}")).collect();
    let names: Vec<String> = (1..=5_200).map(|n| format!("step {n}")).collect();
    let long: Vec<_> = (0..5_200)
        .map(|n| {
            (
                ids[n].as_str(),
                if n == 0 { "" } else { &ids[0] },
                names[n].as_str(),
                1,
                n as i64,
                n as i64 + 1,
                "",
            )
        })
        .collect();
    Told::new(LONG, 120).by("report", "a", &long).send(&url);
    Told::new(PARTIAL, 1)
        .by("orders", "a", &[("0000000000000009", "00000000000000ff", "orphan", 2, 0, 40, "")])
        .send(&url);
    (program, url)
}

#[test]
fn a_trace_is_read_without_script() {
    let dir = tempfile::tempdir().unwrap();
    let (_program, url) = served(dir.path());
    for (path, status, words) in [
        (
            ORDER.to_owned(),
            200,
            &[
                "12 ×",
                "SELECT items",
                "without folds",
                "card declined",
                "index.html#orders",
                "otlp.json",
                "id=\"span-00000000000000f1\"",
            ][..],
        ),
        (format!("{ORDER}?fold=off"), 200, &["fold what repeats"]),
        (format!("{ORDER}?span={FAILED}"), 200, &["asked"]),
        (format!("{ORDER}?find=insufficient"), 200, &["1 found", "data-hit=\"00000000000000f2\""]),
        (format!("{ORDER}?find=select"), 200, &["12 found"]),
        (format!("{ORDER}?find=nowhere"), 200, &["nothing found"]),
        (format!("{ORDER}?zoom=60-80"), 200, &["the whole trace", "not in this part", "300 ms"]),
        (format!("{ORDER}?zoom=80-60"), 400, &["no part of a trace"]),
        (format!("{ORDER}?span=xyz"), 400, &["no span id"]),
        (format!("{ORDER}?span=00000000000000ee"), 200, &["has no span"]),
        (format!("{ORDER}?line=x"), 400, &["no line"]),
        (format!("{ORDER}?fold=on"), 400, &["is not known here"]),
        (format!("{ORDER}?find=a&find=b"), 400, &["once"]),
        (
            format!("{ORDER}/spans/{FAILED}"),
            200,
            &["charge the card", "/pay &#38; go", "in its trace"],
        ),
        (format!("{ORDER}/spans/00000000000000ee"), 404, &["no such span"]),
        (format!("{ORDER}/spans/xyz"), 400, &["no span id"]),
        (SKEWED.to_owned(), 200, &["clocks of different hosts disagree", "set the clocks"]),
        (
            format!("{SKEWED}?clocks=set"),
            200,
            &["stock by up to 60 ms on", "no measured times", "times as they came"],
        ),
        (format!("{ORDER}?clocks=set"), 200, &["No clock had to be set"]),
        (
            LONG.to_owned(),
            200,
            &["Lines 1 to 1000 of 5200; 4200 are not on this page", "step 1000<", "data-later="],
        ),
        (format!("{LONG}?line=5001"), 200, &["Lines 5001 to 5200", "step 5200<"]),
        (format!("{LONG}?line=999999"), 200, &["Lines 5001 to 5200"]),
        (format!("{LONG}?span={:016x}", 3_000), 200, &["Lines 2001 to 3000", "step 3000<"]),
        (
            PARTIAL.to_owned(),
            200,
            &["This trace is young", "1 parent is not there", "parent missing", "00000000000000ff"],
        ),
        ("0123456789abcdef0123456789abcdef".to_owned(), 404, &["not kept", "newest traces"]),
        ("0123456789abcdef0123456789abcdef/otlp.json".to_owned(), 404, &["not kept"]),
        ("xyz".to_owned(), 400, &["32 hexadecimal digits"]),
        ("xyz/spans/0000000000000001".to_owned(), 400, &["no trace id"]),
    ] {
        let answer = get(&format!("{url}/live/traces/{path}")).unwrap();
        let text = answer.text();
        assert_eq!(answer.status, status, "{path}: {}", &text[..text.len().min(2000)]);
        for word in words {
            assert!(text.contains(word), "{path}: no `{word}`");
        }
    }
    let page = get(&format!("{url}/live/traces/{LONG}")).unwrap().text();
    assert!(page.len() < 2_500_000, "{} bytes for a long trace", page.len());
}

#[test]
fn what_is_downloaded_can_be_sent_again() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_program, url) = served(dir.path());
    std::fs::write(other.path().join("index.md"), "# Empty\n").unwrap();
    let (_second, again) = serve(other.path());
    let file = get(&format!("{url}/live/traces/{ORDER}/otlp.json")).unwrap();
    assert!(file.headers.contains(&format!("trace-{ORDER}.json")), "{}", file.headers);
    let headers = [("content-type", "application/json")];
    let taken =
        send("POST", &format!("{again}/otlp/v1/traces"), &headers, file.text().as_bytes()).unwrap();
    assert_eq!((taken.status, taken.text().as_str()), (200, "{}"));
    let both = [&url, &again]
        .map(|url| get(&format!("{url}/api/live/traces/{ORDER}")).unwrap().json().unwrap());
    assert_eq!(both[0], both[1]);
}

#[test]
fn a_search_says_what_is_wrong_at_its_field() {
    let dir = tempfile::tempdir().unwrap();
    let (_program, url) = served(dir.path());
    for (query, found) in [
        ("", 3),
        ("service=orders", 2),
        ("calls=payments", 1),
        ("errors=1", 1),
        ("min=400ms", 1),
        ("max=400ms&service=orders", 2),
        ("min=90ms&max=110ms", 1),
        ("attributes=http.route%3D%22%2Fpay+%26+go%22", 3),
        ("attributes=http.route%3D~.*go&service=stock", 1),
        ("attributes=http.route%3D%2Fpay", 0),
        ("from=now-100s", 2),
        ("from=now-100s&to=now-80s", 1),
        ("to=now-100s", 1),
        ("limit=1", 1),
    ] {
        let page = get(&format!("{url}/live/traces?{query}")).unwrap();
        let text = page.text();
        // The page waits for a trace that may still arrive; on a slow machine it has waited long enough.
        let partial = query != "limit=1" && text.contains(PARTIAL);
        let rows = text.matches("<tr data-row").count() - usize::from(partial);
        assert_eq!((page.status, rows), (200, found), "{query}");
        let api = get(&format!("{url}/api/live/traces?{query}")).unwrap().json().unwrap();
        // The page waits until a trace is whole.
        let all = api["traces"].as_array().unwrap();
        let whole = all.iter().filter(|one| one["id"] != PARTIAL).count();
        assert!(whole == found || query == "limit=1", "{query}: {whole}");
    }
    let slowest = get(&format!("{url}/live/traces?sort=slowest")).unwrap().text();
    let places =
        [LONG, ORDER, SKEWED].map(|id| slowest.rfind(&format!("live/traces/{id}")).unwrap());
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(
        slowest.matches("class=\"fine-mark\"").count(),
        2,
        "a mark for each that did not fail"
    );
    assert!(slowest.contains("2 spans failed"), "the mark of a failed one has words");
    for (query, field, words) in [
        ("min=fast", "min", "no duration"),
        ("max=-1", "max", "no duration"),
        ("min=2s&max=1s", "max", "shorter than the shortest"),
        ("from=yesterday", "from", "no time such as"),
        ("to=payments", "to", "whom a span calls is `calls`"),
        ("from=now-1m&to=now-2m", "to", "not after the beginning"),
        ("from=2999-01-01T00:00:00Z", "from", "in the future"),
        ("attributes=route", "attributes", "write key=value"),
        ("attributes=a%3D~%28", "attributes", "no regular expression"),
        ("sort=best", "", "no order"),
        ("limit=0", "", "no number from 1 to 500"),
    ] {
        let page = get(&format!("{url}/live/traces?{query}")).unwrap();
        let text = page.text();
        assert!(page.status == 400 && text.contains(words), "{query}: {}", page.status);
        if !field.is_empty() {
            assert!(text.contains(&format!("id=\"wrong-{field}\"")), "{query}: not at its field");
        }
        let api = get(&format!("{url}/api/live/traces?{query}")).unwrap();
        assert!(api.status == 400 && api.text().contains(words), "{query}: {}", api.text());
    }
}

#[test]
fn a_waterfall_is_walked_by_keyboard() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (_program, url) = served(dir.path());
    browser::run("traces.mjs", &[&url, ORDER, LONG, SKEWED, LATE]);
    let span = format!("/live/traces/{ORDER}?span={FAILED}");
    let one = format!("/live/traces/{ORDER}/spans/{FAILED}");
    browser::run(
        "axe.mjs",
        &[
            &url,
            "/live/traces",
            "/live/traces?min=fast",
            &span,
            &one,
            &format!("/live/traces/{PARTIAL}"),
        ],
    );
}
