//! Charts: the numbers behind them against the Prometheus API, spikes that stay seen, the `chart` fence,
//! and in a browser what readers do with them.

use crate::browser;
use crate::target::Target;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::{binary, get, run_to_end, within};

const SOON: Duration = Duration::from_secs(60);
const STEP_S: i64 = 15;
/// Ten minutes.
const SAMPLES: i64 = 40;
/// The trace of the only exemplar.
const TRACE: &str = "0123456789abcdef0123456789abcdef";

const BOOK: &str = r#"# Shop

## Load

```chart
title: Requests
query: sum by (http_route) (rate(http_server_request_duration_seconds_count[$window]))
unit: 1/s
type: stacked
service: shop
```

```chart
title: Depth
series:
  - name: deepest
    query: max(depth)
unit: items
threshold: 3
range: 5m
```
"#;

/// All samples of ten minutes, each with its time, so that nothing depends on when a scrape happens.
fn exposition(end_s: i64) -> String {
    let mut text = String::new();
    let duration = "http_server_request_duration_seconds";
    let start = end_s - (SAMPLES - 1) * STEP_S;
    let at = |i: i64| start + i * STEP_S;
    for (route, share) in [("/a", 3), ("/b", 2), ("/c", 1)] {
        let labels = format!("http_request_method=\"GET\",http_route=\"{route}\"");
        for i in 0..SAMPLES {
            let count = 1000 + i * 30 * share;
            let _ = writeln!(text, "{duration}_count{{{labels}}} {count} {}", at(i));
        }
        for (bound, part) in [("0.1", 5), ("0.5", 9), ("+Inf", 10)] {
            for i in 0..SAMPLES {
                let count = (1000 + i * 30 * share) * part / 10;
                let traced = match (route, bound, i) {
                    ("/a", "0.5", 30) => {
                        format!(" # {{trace_id=\"{TRACE}\"}} 0.4 {}", at(i))
                    }
                    _ => String::new(),
                };
                let _ = writeln!(
                    text,
                    "{duration}_bucket{{{labels},le=\"{bound}\"}} {count} {}{traced}",
                    at(i)
                );
            }
        }
    }
    for i in 0..SAMPLES {
        // One sample of many is far above the others.
        let depth = if i == 21 { 900 } else { i % 4 };
        let _ = writeln!(text, "depth {depth} {}", at(i));
        let _ = writeln!(text, "process_resident_memory_bytes {} {}", 40_000_000 + i * 1000, at(i));
        let began = if i < 24 { start - 100 } else { at(24) - 5 };
        let _ = writeln!(text, "process_start_time_seconds {began} {}", at(i));
    }
    text + "# EOF\n"
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// The lines of a CSV against `query_range` at the same steps: the same times, the same digits, and
/// nothing where the API has nothing.
fn check_table(url: &str, query: &str, ends: (i64, i64)) {
    let asked = format!("query={}&from={}&to={}", encoded(query), ends.0, ends.1);
    let answer = get(&format!("{url}/api/live/chart.csv?{asked}")).unwrap();
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    let text = answer.text();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let at = |row: &[&str]| {
        row[0].parse::<jiff::Timestamp>().unwrap_or_else(|_| panic!("{}", row[0])).as_millisecond()
    };
    let (first, second, last) = (at(&rows[1]), at(&rows[2]), at(rows.last().unwrap()));
    let api = format!(
        "{url}/prometheus/api/v1/query_range?query={}&start={}&end={}&step={}",
        encoded(query),
        first as f64 / 1000.0,
        last as f64 / 1000.0,
        (second - first) as f64 / 1000.0
    );
    let told: Value = get(&api).unwrap().json().unwrap();
    let series = told["data"]["result"].as_array().unwrap();
    assert_eq!(rows[0].len() - 1, series.len(), "{query}: {}", rows[0].join(","));
    let mut compared = 0;
    for (nth, one) in series.iter().enumerate() {
        let values = one["values"].as_array().unwrap();
        let of_table: Vec<(i64, f64)> = rows[1..]
            .iter()
            .filter(|row| !row[nth + 1].is_empty())
            .map(|row| (at(row), row[nth + 1].parse().unwrap()))
            .collect();
        let of_api: Vec<(i64, f64)> = values
            .iter()
            .map(|pair| {
                let seconds = pair[0].as_f64().unwrap();
                ((seconds * 1000.0).round() as i64, pair[1].as_str().unwrap().parse().unwrap())
            })
            .collect();
        assert_eq!(of_table, of_api, "{query}, series {nth}");
        compared += of_table.len();
    }
    assert!(compared > 20, "{query}: only {compared} values");
}

#[test]
fn charts_show_what_was_measured() {
    let (dir, target) = (tempfile::tempdir().unwrap(), Target::start());
    fs::write(dir.path().join("index.md"), BOOK).unwrap();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    target.say(Some(&exposition(i64::try_from(since.as_secs()).unwrap())));
    let (_program, url) = target.serve(dir.path());
    let text = |path: &str| {
        let answer = get(&format!("{url}{path}")).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    };
    within("the samples are there", SOON, || text("/api/live/chart?query=depth").contains("900"));
    within("the service is known", SOON, || {
        get(&format!("{url}/live/services/shop")).is_ok_and(|answer| answer.status == 200)
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let now = i64::try_from(now).unwrap();

    for query in [
        "depth",
        "sum by (http_route) (rate(http_server_request_duration_seconds_count[1m]))",
        "histogram_quantile(0.95, sum by (le) (rate(http_server_request_duration_seconds_bucket[1m])))",
    ] {
        check_table(&url, query, (now - 700_000, now));
        check_table(&url, query, (now - 400_123, now - 77));
    }

    // Over a day the steps are so long that most of them pass the spike by.
    let day = text("/live/explore?query=depth&from=now-1d");
    assert!(day.contains(" 120000 0 900\""), "the spike is hidden");

    let page = text("/");
    for words in [
        "Requests",
        "last 15 min",
        "Depth",
        "last 5 min",
        "bound 3 items",
        "class=\"plot stacked\"",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let ended = text(&format!("/?from={}&to={}", now - 300_000, now - 60_000));
    let span = format!("data-state=\"{} {} ", now - 300_000, now - 60_000);
    assert_eq!(ended.matches(&span).count(), 2, "both charts show the same time");

    within("the routes are measured", SOON, || text("/live/services/shop").contains("GET /a"));
    let service = text("/live/services/shop");
    for words in ["restarted", "Replicas", "40 MB", "Memory", "db_client_connection_count"] {
        assert!(service.contains(words), "{words}");
    }
    for from in [&page, &service, &ended] {
        let explored: Vec<String> = hrefs(from, "live/explore?query=");
        assert!(explored.len() >= 2, "{explored:?}");
        for href in explored {
            assert!(href.contains("&from="), "{href}");
            assert!(text(&href).contains("class=\"plot "), "{href}");
        }
    }
    for (path, words) in [
        ("/api/live/chart?query=sum(", "PromQL"),
        ("/api/live/chart?type=pie&query=up", "`pie` is no type"),
        ("/api/live/chart.csv", "no query is given"),
        ("/api/live/chart?query=up&from=soon", "`soon` is no time"),
    ] {
        let answer = get(&format!("{url}{path}")).unwrap();
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.text().contains(words), "{path}: {}", answer.text());
    }

    check_builds(dir.path(), &url);
    if browser::is_there() {
        browser::run("charts.mjs", &[&url]);
        let pages = ["/", "/live/services/shop", "/live/explore?query=depth"];
        browser::run("axe.mjs", &[&[url.as_str()], &pages[..]].concat());
    }
}

/// Addresses of a page's links that contain `part`.
fn hrefs(page: &str, part: &str) -> Vec<String> {
    let all = page.split(" href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    all.filter(|href| href.contains(part))
        .map(|href| href.replace("&amp;", "&").replace("&#38;", "&"))
        .collect()
}

/// Without a server a sentence stands in the chart's place; with what one measured, the chart.
fn check_builds(dir: &Path, url: &str) {
    for (more, drawn) in [(&[][..], false), (&["--snapshot", url][..], true)] {
        let out = tempfile::tempdir().unwrap();
        let mut command = Command::new(binary("loggia"));
        command.arg("build").arg(dir).arg("-d").arg(out.path()).args(more);
        let output = run_to_end(&mut command);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let page = fs::read_to_string(out.path().join("index.html")).unwrap();
        assert_eq!(page.contains("drawn from measurements"), !drawn, "{more:?}");
        assert_eq!(page.contains("class=\"plot stacked\""), drawn, "{more:?}");
        assert_eq!(page.contains("class=\"line s2\""), drawn, "{more:?}");
        assert!(!page.contains("data-source"), "{more:?}");
    }
}

#[test]
fn a_charts_query_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let text = "# A\n\n```chart\nseries:\n  - name: a\n    query: sum(up\n```\n";
    fs::write(dir.path().join("a.md"), text).unwrap();
    let mut command = Command::new(binary("loggia"));
    let output = run_to_end(command.arg("check").arg(dir.path()).args(["--format", "json"]));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("L012") && said.contains("\"line\": 6"), "{said}");
}
