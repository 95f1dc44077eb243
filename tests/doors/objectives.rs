//! Objectives: what documents promise, measured against hand-worked cases, and against a real Prometheus that evaluates the
//! same rules over the same samples.

use crate::browser;
use crate::target::Target;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::{Program, binary, foreign, free_port, get, run_to_end, within};

const STEP_MS: i64 = 15_000;
/// Ten minutes.
const SAMPLES: i64 = 40;

/// Of 1,000 requests in 15 s one fails, and 100 last longer than half a second.
const BOOK: &str = r#"# Shop

## Promises {#promises services="shop"}

```slo
SLOs:
  availability:
    target: 99.8%
    measurement_window: 30_days
    error_budget: 86.4_minutes
  strict:
    target: 99.95%
  errors:
    target: < 1%
    window: 7d
  latency:
    target: 95th_percentile < 500ms
  odd:
    target: p95 < 300ms
  throughput:
    target: > 60_requests_per_second
    measurement_window: 1_minute
  lost:
    target: 99%
    service: ghost
  idle:
    target: 99%
    total: idle_total
    bad: idle_failed_total
  quiet:
    target: 99.9%
    min-events: 1000000
  everything:
    target: 100%
```

## Bought

```slo
apiVersion: openslo/v1
kind: SLO
metadata: {name: bought, displayName: Bought}
spec:
  service: shop
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  indicator:
    metadata: {name: bought}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: Prometheus, spec: {query: bought_total}}}
        total: {metricSource: {type: Prometheus, spec: {query: tried_total}}}
  objectives: [{target: 0.9}]
```

# Elsewhere

```slo
nobody:
  target: 99.9%
```
"#;

/// Id, verdict, share attained, part of the budget left, how fast it burns over five minutes, budget in minutes.
type Case = (&'static str, &'static str, Option<[f64; 4]>);

const CASES: &[Case] = &[
    // Half of the budget is spent; that it burns half as fast as it may is no alert.
    ("availability", "holds", Some([0.999, 0.5, 0.5, 86.4])),
    ("strict", "violated", Some([0.999, -1.0, 2.0, 21.6])),
    ("errors", "holds", Some([0.999, 0.9, 0.1, 100.8])),
    ("latency", "violated", Some([0.9, -1.0, 2.0, 2160.0])),
    // Nothing counts what ends within 300 ms.
    ("odd", "no-data", None),
    ("throughput", "holds", None),
    ("lost", "no-data", None),
    ("idle", "no-data", None),
    ("quiet", "at-risk", Some([0.999, 0.0, 1.0, 43.2])),
    ("everything", "unproven", None),
    ("bought", "holds", Some([0.95, 0.5, 0.5, 4032.0])),
    ("nobody", "unproven", None),
];

/// All samples of ten minutes, each with its time, so that nothing depends on when a scrape happens.
fn exposition(end_ms: i64) -> String {
    let mut text = String::new();
    let duration = "http_server_request_duration_seconds";
    for (series, step) in [
        (format!("{duration}_count{{http_response_status_code=\"200\"}}"), 999),
        (format!("{duration}_count{{http_response_status_code=\"500\",error_type=\"500\"}}"), 1),
        (format!("{duration}_bucket{{le=\"0.25\"}}"), 700),
        (format!("{duration}_bucket{{le=\"0.5\"}}"), 900),
        (format!("{duration}_bucket{{le=\"+Inf\"}}"), 1000),
        ("bought_total".to_owned(), 19),
        ("tried_total".to_owned(), 20),
        ("idle_total".to_owned(), 0),
        ("idle_failed_total".to_owned(), 0),
    ] {
        for i in 0..SAMPLES {
            let at = end_ms - (SAMPLES - 1 - i) * STEP_MS;
            // Far from zero, so that no rate is cut off there.
            let _ = writeln!(text, "{series} {} {at}", (1_000 + i) * step);
        }
    }
    text
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// A server of the book, and samples that end now.
fn serve(dir: &Path, target: &Target) -> (Program, String) {
    fs::write(dir.join("index.md"), BOOK).unwrap();
    target.say(Some(&exposition(now_ms())));
    target.serve(dir)
}

fn objectives(url: &str) -> Value {
    get(&format!("{url}/api/live/objectives")).unwrap().json().unwrap()
}

fn of<'a>(answer: &'a Value, id: &str) -> &'a Value {
    let all = answer["objectives"].as_array().unwrap();
    all.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("no `{id}` in {answer}"))
}

fn value(figure: &Value) -> Option<f64> {
    figure["value"].as_f64().filter(|_| figure["state"] == "value")
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6 * b.abs().max(1.0)
}

#[test]
fn promises_are_measured() {
    let (dir, target) = (tempfile::tempdir().unwrap(), Target::start());
    let (_program, url) = serve(dir.path(), &target);
    let settled = |answer: &Value| {
        let burn = |id: &str| value(&of(answer, id)["burns"][0]["short"]).is_some();
        let known = |id: &str| value(&of(answer, id)["value"]).is_some();
        burn("availability") && burn("latency") && known("throughput") && known("bought")
    };
    within("the objectives are measured", Duration::from_secs(90), || settled(&objectives(&url)));
    let answer = objectives(&url);
    let all: Vec<&str> = answer["objectives"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["id"].as_str().unwrap())
        .collect();
    assert_eq!(all, CASES.iter().map(|case| case.0).collect::<Vec<_>>());
    for (id, verdict, numbers) in CASES {
        let found = of(&answer, id);
        assert_eq!(found["verdict"], *verdict, "{id}: {found}");
        let Some([attained, left, burn, minutes]) = numbers else { continue };
        let told = [
            value(&found["value"]),
            value(&found["budget"]["left"]),
            value(&found["burns"][0]["short"]),
            found["budget"]["total_s"].as_f64().map(|s| s / 60.0),
        ];
        for (told, expected) in told.into_iter().zip([attained, left, burn, minutes]) {
            assert!(
                told.is_some_and(|told| close(told, *expected)),
                "{id}: {told:?}, {expected}: {found}"
            );
        }
    }
    for (id, words) in [
        ("odd", "no bucket of the histogram ends at 300 ms"),
        ("everything", "leaves no error budget"),
        ("nobody", "name a `service`"),
        ("throughput", "seen"),
    ] {
        let reason = of(&answer, id)["reason"].as_str().unwrap();
        assert!(reason.contains(words), "{id}: {reason}");
    }
    assert_eq!(of(&answer, "idle")["value"]["state"], "no-traffic");
    // A week's factors, an alert that cannot be, one that has seen too little.
    assert!(close(of(&answer, "errors")["burns"][0]["factor"].as_f64().unwrap(), 3.36));
    assert_eq!(of(&answer, "bought")["burns"][0]["reachable"], false);
    let quiet = &of(&answer, "quiet")["burns"];
    assert!(quiet.as_array().unwrap().iter().all(|b| b["too_few"] == true && b["firing"] == false));
    // The target of 95 % within 500 ms burns twice as fast as it may, in every span.
    let firing = |id: &str, nth: usize| of(&answer, id)["burns"][nth]["firing"] == true;
    assert!(firing("latency", 3) && !firing("latency", 1) && !firing("availability", 3));

    let page = get(&format!("{url}/index.html")).unwrap().text();
    let list = get(&format!("{url}/live/objectives")).unwrap().text();
    for words in [
        "99.9 %",
        "target 99.8% over 30 days",
        "50 % left",
        "violated",
        "data-cell=\"slo.latency.fill\"",
    ] {
        assert!(page.contains(words) && list.contains(words), "{words}");
    }
    let few = get(&format!("{url}/live/objectives?show=violated")).unwrap().text();
    assert!(few.contains("slo.strict.value") && !few.contains("slo.errors.value"));
    let one = get(&format!("{url}/live/objectives/latency")).unwrap();
    for words in
        ["14.4×", "firing", "index.html#promises", "le=&#34;0.5&#34;", "1.5 d", "Error budget left"]
    {
        assert!(one.text().contains(words), "{words}: {}", one.text());
    }
    assert_eq!(get(&format!("{url}/live/objectives/ghost")).unwrap().status, 404);
    // Of the past the chart has the numbers of then, and says so to whoever asks for them.
    let at = now_ms() / 1000 - 1;
    let then = get(&format!("{url}/live/objectives/latency?at={at}")).unwrap().text();
    let source = format!("data-source=\"objective=latency&#38;at={at}\"");
    assert!(then.contains(&source) && then.contains(" data-fixed"), "{then}");
    let numbers = format!("{url}/api/live/chart?objective=latency&at={at}");
    let numbers = get(&numbers).unwrap().json().unwrap();
    let times: Vec<i64> =
        numbers["times"].as_array().unwrap().iter().filter_map(Value::as_i64).collect();
    assert!(times.last().is_some_and(|last| *last <= at * 1000), "{times:?}");
    let snapshot = get(&format!("{url}/api/live/snapshot?page=live/objectives/latency")).unwrap();
    assert!(snapshot.text().contains("slo.latency.burn.0.long"), "{}", snapshot.text());
    if browser::is_there() {
        browser::run("objectives.mjs", &[&url]);
    }
}

#[test]
fn a_real_prometheus_evaluates_the_same_rules_to_the_same_numbers() {
    let (Some(prometheus), Some(promtool)) = (foreign("prometheus"), foreign("promtool")) else {
        return;
    };
    let (dir, target) = (tempfile::tempdir().unwrap(), Target::start());
    let (_program, url) = serve(dir.path(), &target);
    let rules = get(&format!("{url}/api/live/objectives/rules.yml")).unwrap();
    let file = dir.path().join("rules.yml");
    fs::write(&file, rules.text()).unwrap();
    let checked = run_to_end(Command::new(promtool).args(["check", "rules"]).arg(&file));
    assert!(
        checked.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&checked.stderr),
        rules.text()
    );

    let config = dir.path().join("prometheus.yml");
    let yaml = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 900ms}}\nrule_files: [rules.yml]\nscrape_configs:\n  \
         - job_name: shop\n    static_configs: [{{targets: ['{}']}}]\n",
        target.address()
    );
    fs::write(&config, yaml).unwrap();
    let port = free_port();
    let mut peer = Command::new(prometheus);
    peer.arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let _peer = Program::start(&mut peer).unwrap();
    let ask = |query: &str| -> Option<Value> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        get(&format!("http://127.0.0.1:{port}/api/v1/query?query={encoded}")).ok()?.json().ok()
    };
    // As the other recorded it, against what is said here.
    for (id, share) in [
        ("availability", 0.998),
        ("errors", 0.99),
        ("latency", 0.95),
        ("bought", 0.9),
        ("quiet", 0.999),
    ] {
        for (span, burn) in [("5m", "short"), ("1h", "long")] {
            let query = format!("objective:bad_share:rate{span}{{objective=\"{id}\"}}");
            let mut last = String::new();
            within(
                &format!("both say the same of `{id}` over {span}"),
                Duration::from_secs(90),
                || {
                    let theirs = ask(&query).and_then(|answer| {
                        answer["data"]["result"][0]["value"][1].as_str()?.parse::<f64>().ok()
                    });
                    let ours = value(&of(&objectives(&url), id)["burns"][0][burn]);
                    last = format!("{theirs:?} {ours:?}");
                    matches!((theirs, ours), (Some(bad), Some(burn)) if close(bad / (1.0 - share), burn))
                },
            );
            println!("{id} over {span}: {last}");
        }
    }
    // The alerts that fire there are those that fire here.
    let theirs = || -> Option<Vec<String>> {
        let answer = ask("ALERTS{alertstate=\"firing\"}")?;
        let names = answer["data"]["result"].as_array()?.iter().map(|alert| {
            let label = |name: &str| alert["metric"][name].as_str().unwrap_or_default().to_owned();
            format!("{} {}", label("objective"), label("severity"))
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        Some(names)
    };
    let ours = || {
        let answer = objectives(&url);
        let mut names: Vec<String> = Vec::new();
        for one in answer["objectives"].as_array().unwrap() {
            let firing =
                one["burns"].as_array().unwrap().iter().filter(|burn| burn["firing"] == true);
            names.extend(firing.map(|burn| {
                format!("{} {}", one["id"].as_str().unwrap(), burn["severity"].as_str().unwrap())
            }));
        }
        names.sort();
        names
    };
    // Those that the book's own rules raise, likewise.
    let own = || -> Option<Vec<String>> {
        let answer: Value = get(&format!("{url}/prometheus/api/v1/alerts")).ok()?.json().ok()?;
        let alerts = answer["data"]["alerts"].as_array()?.iter();
        let mut names: Vec<String> = alerts
            .filter(|alert| alert["state"] == "firing")
            .map(|alert| {
                let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default();
                format!("{} {}", label("objective"), label("severity"))
            })
            .collect();
        names.sort();
        Some(names)
    };
    within("the same alerts fire", Duration::from_secs(90), || {
        let (theirs, ours, own) = (theirs(), ours(), own());
        theirs.as_ref().is_some_and(|theirs| !theirs.is_empty() && *theirs == ours) && own == theirs
    });
}

#[test]
fn broken_objectives_are_told_at_their_place() {
    for (text, words) in [
        ("a:\n  target: 99%\n  windw: 3d\n", "windw"),
        ("a:\n  window: 3d\n", "target"),
        ("a: [1\n", "index.md:4"),
        ("", "no objective"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("index.md"), format!("# A\n\n```slo\n{text}```\n")).unwrap();
        let mut command = Command::new(binary("loggia"));
        let output = run_to_end(command.arg("check").arg(dir.path()).env("NO_COLOR", "1"));
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}: {said}");
        assert!(said.contains("L015") && said.contains(words), "{text}: {said}");
    }
}
