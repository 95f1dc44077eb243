//! Metrics: the suite on the engine built in, on a real Prometheus and on a real VictoriaMetrics, which all scraped the
//! same target. What the three define differently (rates at the edges of a window) is not part of it.

use crate::prometheus::target::{SAMPLES, STEP_MS, TRACE, Target};
use promql::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use telemetry::{
    AskError, Backend, Clock, Limits, MetricKind, MetricsEngine, RemoteOptions, RemotePrometheus,
    ScrapeOptions, StaticTarget, StepRange, run_scraper,
};
use tests::{Program, foreign, free_port, within};
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(30);

/// What differs between engines by their nature.
struct Has {
    exemplars: bool,
    metadata: bool,
}

/// `CONFIG` and the like for a server that scrapes the target.
fn scrape_config(folder: &Path, target: &Target) -> std::path::PathBuf {
    let config = folder.join("scrape.yml");
    let jobs: String = [("shop", "/metrics"), ("open", "/open")]
        .map(|(job, path)| {
            format!(
                "  - job_name: {job}\n    metrics_path: {path}\n    static_configs: [{{targets: ['{}']}}]\n",
                target.addr
            )
        })
        .concat();
    let text =
        format!("global: {{scrape_interval: 1s, scrape_timeout: 900ms}}\nscrape_configs:\n{jobs}");
    std::fs::write(&config, text).unwrap();
    config
}

fn remote(name: &str, port: u16) -> RemotePrometheus {
    let options = RemoteOptions::new(name, &format!("http://127.0.0.1:{port}/"));
    RemotePrometheus::new(options, Clock::system()).unwrap()
}

fn check_all(engine: &dyn MetricsEngine, target: &Target, has: &Has) {
    // What was scraped last is found a little later in some engines.
    let end = target.start_ms + SAMPLES * STEP_MS;
    let after = |i: i64| target.start_ms + i * STEP_MS + 7_000;
    within("the last samples can be read", SOON, || {
        let last = engine.instant("count(orders_total)", after(SAMPLES - 1));
        let up = engine.instant("count(up == 1)", now_ms());
        [last, up].map(|answer| answer.ok().and_then(|answer| answer.value.as_number()))
            == [Some(4.0), Some(2.0)]
    });
    check_queries(engine, &after);
    check_lists(engine, target.start_ms, end);
    check_metadata(engine, has, target.start_ms, end);
    check_refusals(engine, &after);
    let condition = engine.condition();
    assert!(condition.fault.is_none() && condition.answered_ms.is_some(), "{condition:?}");
}

/// A vector as text, by the values of some labels.
fn vector(value: &Value, labels: &[&str]) -> BTreeMap<String, f64> {
    let Value::Vector(vector) = value else { panic!("a vector, not {value:?}") };
    let key = |sample: &promql::VectorSample| {
        labels.iter().map(|label| sample.labels.value(label)).collect::<Vec<_>>().join(" ")
    };
    vector.iter().map(|sample| (key(sample), sample.v)).collect()
}

fn check_queries(engine: &dyn MetricsEngine, after: &dyn Fn(i64) -> i64) {
    let ask = |query: &str, i: i64| {
        engine.instant(query, after(i)).unwrap_or_else(|error| panic!("{query}: {error}")).value
    };
    let close = |found: BTreeMap<String, f64>, expected: &[(&str, f64)]| {
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, expected.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for (name, v) in expected {
            assert!((found[*name] - v).abs() < 1e-9, "{name}: {} is not {v}", found[*name]);
        }
    };
    let sizes = [("0", 0.0), ("1", 10.0), ("2", 20.0), ("3", 30.0)];
    close(vector(&ask("shelf_size", 9), &["shelf"]), &sizes);
    close(
        vector(&ask("sum by (place) (shelf_size)", 9), &["place"]),
        &[("p0", 20.0), ("p1", 40.0)],
    );
    close(
        vector(&ask("topk(1, shelf_size)", 9), &["shelf", "place", "job"]),
        &[("3 p1 shop", 30.0)],
    );
    close(
        vector(&ask("shelf_size{shelf=~\"[12]\",place!=\"p0\"} / 4", 9), &["shelf"]),
        &[("1", 2.5)],
    );
    close(vector(&ask("absent(nothing{a=\"b\"})", 9), &["a"]), &[("b", 1.0)]);
    let counted = "count_over_time(orders_total{page=\"home\"}[1m])";
    close(vector(&ask(counted, 20), &["page"]), &[("home", 4.0)]);
    // The samples themselves are the same in all engines.
    let (now, before) =
        (ask("orders_total{page=\"cart\"}", 12), ask("orders_total{page=\"cart\"} offset 30s", 14));
    assert_eq!(vector(&now, &["page"]), vector(&before, &["page"]));
    // Some answer with a vector of one.
    assert_eq!(ask("scalar(sum(shelf_size))", 9).as_number(), Some(60.0));
    let steps = StepRange { start_ms: after(3), end_ms: after(23), step_ms: STEP_MS };
    let Value::Matrix(matrix) = engine.range("sum(shelf_size) + 0.5", steps).unwrap().value else {
        panic!("a range query gives a matrix");
    };
    assert_eq!((matrix.len(), matrix[0].labels.iter().count()), (1, 0));
    let times: Vec<i64> = matrix[0].samples.iter().map(|sample| sample.t).collect();
    assert_eq!(times, (3..=23).map(after).collect::<Vec<_>>());
    assert!(matrix[0].samples.iter().all(|sample| sample.v == 60.5));
    // A series that is over is a gap, never 0.
    let steps = StepRange { start_ms: after(0), end_ms: after(SAMPLES - 1), step_ms: 60_000 };
    let ended = engine.range("queue_length{shelf=\"2\"}", steps).unwrap().value;
    let Value::Matrix(ended) = ended else { panic!("a range query gives a matrix") };
    assert!(ended[0].samples.last().unwrap().t < after(SAMPLES - 1), "{ended:?}");
}

fn check_lists(engine: &dyn MetricsEngine, start: i64, end: i64) {
    let selectors = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let orders = selectors(&["orders_total"]);
    let series = engine.series(&orders, start, end).unwrap();
    let pages: Vec<&str> = series.iter().map(|labels| labels.value("page")).collect();
    assert_eq!(
        pages,
        ["home", "pay", "cart", "pay"],
        "sorted by their labels, `method` before `page`"
    );
    let both = engine.series(&selectors(&["odd", "shelf_size{shelf=\"1\"}"]), start, end).unwrap();
    assert_eq!(both.len(), 2);
    assert_eq!(engine.series(&selectors(&["nothing"]), start, end).unwrap().len(), 0);
    let names = engine.label_names(&orders, start, end).unwrap();
    assert_eq!(names, ["__name__", "instance", "job", "method", "page"]);
    let values = |name: &str, list: &[&str]| {
        engine.label_values(name, &selectors(list), start, end).unwrap()
    };
    assert_eq!(values("page", &[]), ["cart", "home", "pay"]);
    assert_eq!(values("page", &["orders_total{method=\"get\"}"]), ["home", "pay"]);
    assert_eq!(values("nobody", &[]), [""; 0]);
}

fn check_metadata(engine: &dyn MetricsEngine, has: &Has, start: i64, end: i64) {
    let metadata = engine.metadata().unwrap();
    assert_eq!(
        metadata.get("orders_total").map(|meta| meta.kind),
        has.metadata.then_some(MetricKind::Counter)
    );
    let found = engine.exemplars("rate(sent_bytes_total[1m])", start, end).unwrap();
    if has.exemplars {
        let (labels, exemplars) = &found[0];
        assert_eq!((labels.value("to"), exemplars.len()), ("x", 3));
        let first = &exemplars[0];
        assert_eq!((first.labels[0].1.as_str(), first.value), (TRACE, 12.0));
        assert_eq!(first.timestamp_ms, Some(start + 11 * STEP_MS));
    } else {
        assert!(found.is_empty(), "it has exemplars now: expect them");
    }
}

fn check_refusals(engine: &dyn MetricsEngine, after: &dyn Fn(i64) -> i64) {
    for query in ["sum(", "nofunction(up)", "up{", "shelf_size * on (job) queue_length"] {
        match engine.instant(query, after(9)) {
            Err(AskError::Refused(words)) => assert!(!words.is_empty(), "{query}"),
            other => panic!("`{query}` must be refused, not {other:?}"),
        }
    }
    // A wrong question is nobody's fault but its author's.
    assert!(engine.condition().fault.is_none());
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

fn with_target(test: impl FnOnce(&tokio::runtime::Runtime, &Target, &Path)) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let target = Target::start(&runtime, now_ms());
    let folder = tempfile::tempdir().unwrap();
    test(&runtime, &target, folder.path());
}

#[test]
fn the_suite_holds_on_the_engine_built_in() {
    with_target(|runtime, target, _| {
        let backend = Arc::new(Backend::new(Limits::default()));
        let scraped = |job: &str, path: &str| StaticTarget {
            address: target.addr.to_string(),
            labels: [
                ("job", job),
                ("instance", &target.addr.to_string()),
                ("__metrics_path__", path),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            ..StaticTarget::default()
        };
        let targets = vec![scraped("shop", "/metrics"), scraped("open", "/open")];
        let options = ScrapeOptions { targets, ..ScrapeOptions::default() };
        let cancel = CancellationToken::new();
        runtime.spawn(run_scraper(backend.clone(), options, cancel.clone()));
        check_all(&*backend, target, &Has { exemplars: true, metadata: true });
        cancel.cancel();
    });
}

#[test]
fn the_suite_holds_on_a_real_prometheus() {
    let Some(prometheus) = foreign("prometheus") else { return };
    with_target(|_, target, folder| {
        let port = free_port();
        let config = scrape_config(folder, target);
        let _server = start(
            Command::new(prometheus)
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--enable-feature=exemplar-storage"),
        );
        check_all(&remote("Prometheus", port), target, &Has { exemplars: true, metadata: true });
    });
}

#[test]
fn the_suite_holds_on_a_real_victoria_metrics() {
    let Some(victoria) = foreign("victoria-metrics") else { return };
    with_target(|_, target, folder| {
        let port = free_port();
        let config = scrape_config(folder, target);
        let _server = start(
            Command::new(victoria)
                .arg(format!("-promscrape.config={}", config.display()))
                .arg(format!("-storageDataPath={}", folder.join("data").display()))
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                .arg("-search.latencyOffset=0s")
                // The target tells its past again at each scrape, and every telling would be kept.
                .arg("-dedup.minScrapeInterval=1ms"),
        );
        // The one from Debian keeps neither exemplars nor metadata.
        check_all(
            &remote("VictoriaMetrics", port),
            target,
            &Has { exemplars: false, metadata: false },
        );
    });
}

fn start(command: &mut Command) -> Program {
    Program::start(command).unwrap_or_else(|error| panic!("{error:#}"))
}
