//! The scraper against real servers: discovery, failures, stale markers, garbage.

#![allow(clippy::unwrap_used)]

mod served;

use axum::Router;
use axum::routing::get;
use flate2::{Compression, write::GzEncoder};
use http::header;
use series::{Matcher, Sample, Storage as _};
use served::{Served, noise, until};
use std::io::Write as _;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry::{Backend, Clock, Limits, ScrapeOptions, StaticTarget, TargetHealth, run_scraper};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A body that a test can change while it is served.
type Body = Arc<Mutex<Vec<u8>>>;

fn serve(path: &'static str, content_type: &'static str, body: &Body) -> Router {
    let body = body.clone();
    let answer = move || async move {
        ([(header::CONTENT_TYPE, content_type)], body.lock().unwrap().clone())
    };
    Router::new().route(path, get(answer))
}

fn body(text: &str) -> Body {
    Arc::new(Mutex::new(text.as_bytes().to_vec()))
}

fn options() -> ScrapeOptions {
    ScrapeOptions {
        interval: Duration::from_millis(30),
        refresh: Duration::from_millis(30),
        body_bytes: 100_000,
        ..ScrapeOptions::default()
    }
}

fn target(served: &Served) -> StaticTarget {
    let labels = [("job", "orders"), ("instance", "orders-1")];
    StaticTarget {
        address: served.address.to_string(),
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..StaticTarget::default()
    }
}

fn start(options: ScrapeOptions) -> (Arc<Backend>, DropGuard) {
    let (backend, cancel) = (Arc::new(Backend::new(Limits::default())), CancellationToken::new());
    tokio::spawn(run_scraper(backend.clone(), options, cancel.clone()));
    (backend, cancel.drop_guard())
}

/// The samples of the only series of a metric.
fn samples(backend: &Backend, metric: &str) -> Vec<Sample> {
    let found = backend.metrics.select(&[Matcher::equal("__name__", metric)], i64::MIN, i64::MAX);
    assert!(found.len() <= 1, "{found:?}");
    found.first().map(|series| series.samples(i64::MIN, i64::MAX)).unwrap_or_default()
}

fn last(backend: &Backend, metric: &str) -> Option<f64> {
    samples(backend, metric).last().map(|sample| sample.v)
}

fn is_over(backend: &Backend, metric: &str) -> bool {
    last(backend, metric).is_some_and(series::is_stale)
}

#[tokio::test]
async fn a_target_is_scraped_and_reported() {
    let text = "# HELP b_total what\n# TYPE b_total counter\nb_total{job=\"own\",le=\"\"} 4\na 1\nc 2 1234\n";
    let served = Served::http(serve("/metrics", "text/plain", &body(text))).await;
    let (backend, _guard) = start(ScrapeOptions { targets: vec![target(&served)], ..options() });
    until("scraped twice", || samples(&backend, "up").len() >= 2).await;
    assert_eq!(last(&backend, "up"), Some(1.0));
    assert_eq!(last(&backend, "scrape_samples_scraped"), Some(3.0));
    assert_eq!(samples(&backend, "scrape_series_added")[0].v, 3.0);
    assert_eq!(samples(&backend, "c")[0], Sample { t: 1234, v: 2.0 });
    let found =
        backend.metrics.select(&[Matcher::equal("__name__", "b_total")], i64::MIN, i64::MAX);
    assert_eq!(
        found[0].labels.to_string(),
        r#"b_total{exported_job="own", instance="orders-1", job="orders"}"#
    );
    assert_eq!(backend.metadata()["b_total"].help, "what");
    let status = &backend.targets()[0];
    assert_eq!(
        (status.job(), status.instance(), status.health),
        ("orders", "orders-1", TargetHealth::Up)
    );
    assert_eq!((status.last_error.as_str(), status.last_samples), ("", 3));
}

#[tokio::test]
async fn a_target_says_its_own_pace() {
    let served = Served::http(serve("/metrics", "text/plain", &body("a 1\n"))).await;
    let options = ScrapeOptions { interval: Duration::from_secs(5), ..ScrapeOptions::default() };
    type Case = (&'static [(&'static str, &'static str)], f64, f64);
    let cases: &[Case] = &[
        (&[], 5.0, 0.9),
        (&[("__scrape_interval__", "1m")], 60.0, 10.0),
        (&[("__scrape_interval__", "2s"), ("__scrape_timeout__", "500ms")], 2.0, 0.5),
        (&[("__scrape_timeout__", "1h")], 5.0, 5.0),
        (&[("__scrape_interval__", "1h")], 120.0, 10.0),
        (&[("__scrape_interval__", "1ms")], 1.0, 0.9),
        (&[("__scrape_interval__", "soon"), ("__scrape_timeout__", "-1s")], 5.0, 0.9),
    ];
    let targets = cases.iter().enumerate().map(|(nth, (labels, ..))| {
        let mut target = target(&served);
        target.labels.insert("instance".to_owned(), nth.to_string());
        let own = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        target.labels.extend(own);
        target
    });
    let (backend, _guard) = start(ScrapeOptions { targets: targets.collect(), ..options });
    let scraped = || backend.targets().iter().filter(|t| t.last_samples == 1).count();
    until("all are scraped", || scraped() == cases.len()).await;
    let found = backend.targets();
    for target in found {
        let (labels, interval_s, timeout_s) = &cases[target.instance().parse::<usize>().unwrap()];
        assert_eq!((&target.interval_s, &target.timeout_s), (interval_s, timeout_s), "{labels:?}");
        assert!(target.labels.iter().all(|(name, _)| !name.starts_with("__")), "{target:?}");
    }
    assert!((backend.scrape_interval_s() - 120.0).abs() < 1e-9);
}

#[tokio::test]
async fn what_vanishes_gets_its_marker() {
    let body = body("a 1\nb 2\n");
    let served = Served::http(serve("/metrics", "text/plain", &body)).await;
    let address = served.address;
    let (backend, _guard) = start(ScrapeOptions { targets: vec![target(&served)], ..options() });
    until("both are there", || last(&backend, "b") == Some(2.0)).await;
    *body.lock().unwrap() = b"a 1\n".to_vec();
    until("a series that is gone is over", || is_over(&backend, "b")).await;
    assert_eq!(last(&backend, "a"), Some(1.0));

    served.end().await;
    until("a target that is gone is down", || last(&backend, "up") == Some(0.0)).await;
    assert!(is_over(&backend, "a"));
    let status = backend.targets().remove(0);
    assert_eq!(status.health, TargetHealth::Down);
    assert!(
        status.last_error.to_lowercase().contains("connection refused"),
        "{}",
        status.last_error
    );

    let _again = Served::http_at(address, serve("/metrics", "text/plain", &body)).await;
    until("it comes back", || last(&backend, "up") == Some(1.0)).await;
    until("and so do its series", || last(&backend, "a") == Some(1.0)).await;
}

#[tokio::test]
async fn targets_come_and_go_with_discovery() {
    let served = Served::http(serve("/own", "text/plain", &body("a 1\n"))).await;
    let list = |address: &str| {
        format!(
            r#"[{{"targets":["{address}"],"labels":{{"job":"orders","instance":"orders-1","__metrics_path__":"/own"}}}}]"#
        )
    };
    let listed = body("not yet JSON");
    let discovery = Served::http(serve("/targets", "application/json", &listed)).await;
    let url = format!("{}/targets", discovery.url());
    let (backend, _guard) = start(ScrapeOptions { discovery: vec![url], ..options() });
    *listed.lock().unwrap() = list(&served.address.to_string()).into_bytes();
    until("it is found", || last(&backend, "a") == Some(1.0)).await;
    let discovered = backend.targets().remove(0).discovered;
    assert_eq!(discovered.get("__metrics_path__"), Some("/own"));

    // A list that cannot be read changes nothing.
    *listed.lock().unwrap() = b"[{".to_vec();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(backend.targets().len(), 1);

    *listed.lock().unwrap() = b"[]".to_vec();
    until("it is gone", || backend.targets().is_empty()).await;
    until("its series are over", || is_over(&backend, "a") && is_over(&backend, "up")).await;
}

#[tokio::test]
async fn nobody_waits_for_a_discovery_url_that_does_not_answer() {
    let served = Served::http(serve("/metrics", "text/plain", &body("a 1\n"))).await;
    let list = format!(r#"[{{"targets":["{}"],"labels":{{"job":"listed"}}}}]"#, served.address);
    let answers = Served::http(serve("/targets", "application/json", &body(&list))).await;
    // Takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (backend, _guard) = start(ScrapeOptions {
        targets: vec![target(&served)],
        discovery: vec![
            format!("http://{}/targets", silent.local_addr().unwrap()),
            format!("{}/targets", answers.url()),
        ],
        timeout: Duration::from_secs(600),
        ..options()
    });
    let jobs = || {
        let up = backend.targets().into_iter().filter(|of| of.health == TargetHealth::Up);
        up.map(|of| of.job().to_owned()).collect::<Vec<_>>()
    };
    until("both are scraped", || jobs() == ["listed", "orders"]).await;
}

#[tokio::test]
async fn samples_of_the_future_keep_nobody_out() {
    // Milliseconds where OpenMetrics wants seconds.
    let text = "a 1 1700000000000\nb 2\n# EOF\n";
    let body = body(text);
    let open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let served = Served::http(serve("/metrics", open, &body)).await;
    let (backend, _guard) = start(ScrapeOptions { targets: vec![target(&served)], ..options() });
    until("scraped", || last(&backend, "b") == Some(2.0)).await;
    assert_eq!((samples(&backend, "a").len(), last(&backend, "up")), (0, Some(1.0)));
    assert!(backend.counters.samples_rejected.get() > 0);
    *body.lock().unwrap() = b"a 3\n# EOF\n".to_vec();
    until("the target is mended", || last(&backend, "a") == Some(3.0)).await;
}

#[tokio::test]
async fn scrapes_go_on_when_the_clock_is_put_right() {
    let served = Served::http(serve("/metrics", "text/plain", &body("a 1\n"))).await;
    let true_ms = 1_700_000_000_000;
    let wrong = Arc::new(AtomicI64::new(24 * 3_600_000));
    let ahead = wrong.clone();
    let clock = Clock::from_fn(move || true_ms + ahead.load(Relaxed));
    let backend = Arc::new(Backend::with_clock(Limits::default(), clock));
    let cancel = CancellationToken::new();
    let _guard = cancel.clone().drop_guard();
    let scraper = ScrapeOptions { targets: vec![target(&served)], ..options() };
    tokio::spawn(run_scraper(backend.clone(), scraper, cancel));
    until("scraped", || samples(&backend, "up").len() > 2).await;
    backend.metrics.truncate(backend.now_ms());
    wrong.store(0, Relaxed);
    backend.metrics.truncate(backend.now_ms());
    until("scraped at the right time", || {
        samples(&backend, "up").last().is_some_and(|sample| sample.t < true_ms + 60_000)
    })
    .await;
}

#[tokio::test]
async fn packed_bodies_and_open_metrics_are_read() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"a_total 3 # {trace_id=\"ab\"} 1\n# EOF\n").unwrap();
    let packed: Body = Arc::new(Mutex::new(encoder.finish().unwrap()));
    let answer = move || async move {
        let headers = [
            (header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
            (header::CONTENT_ENCODING, "gzip"),
        ];
        (headers, packed.lock().unwrap().clone())
    };
    let served = Served::http(Router::new().route("/metrics", get(answer))).await;
    let (backend, _guard) = start(ScrapeOptions { targets: vec![target(&served)], ..options() });
    until("it is read", || last(&backend, "a_total") == Some(3.0)).await;
    until("read again", || samples(&backend, "a_total").len() > 2).await;
    let exemplars =
        backend.exemplars.select(&[Matcher::equal("job", "orders")], i64::MIN, i64::MAX);
    assert_eq!((exemplars.len(), exemplars[0].1.len()), (1, 1), "the same one again is no new one");
    let url = "/api/v1/query_exemplars?query=rate(a_total%5B1m%5D)";
    let request = http::Request::get(url).body(axum::body::Body::empty()).unwrap();
    let router = telemetry::prometheus_router(backend.clone(), telemetry::Clock::system());
    let answer = tower::ServiceExt::oneshot(router, request).await.unwrap();
    let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains(r#""labels":{"trace_id":"ab"},"#), "{body:?}");
}

#[tokio::test]
async fn bad_answers_are_told_in_words() {
    let body = body("a 1\nb\n");
    let served = Served::http(serve("/metrics", "text/plain", &body)).await;
    let (backend, _guard) = start(ScrapeOptions { targets: vec![target(&served)], ..options() });
    let error =
        || backend.targets().first().map(|status| status.last_error.clone()).unwrap_or_default();
    until("the line is named", || error() == "line 2: expected a value after the series").await;
    *body.lock().unwrap() = vec![b'\n'; 200_000];
    until("too large", || error() == "the body is larger than 100000 bytes").await;
    *body.lock().unwrap() = vec![b'a', 0xff];
    until("not text", || error() == "the body is not valid UTF-8").await;
    for seed in 0..20 {
        *body.lock().unwrap() = noise(seed, 5000);
        let scrapes = samples(&backend, "up").len();
        until("scraped again", || samples(&backend, "up").len() > scrapes + 1).await;
    }
    *body.lock().unwrap() = b"a 5\n".to_vec();
    until("it works again", || last(&backend, "a") == Some(5.0)).await;
    assert!(backend.counters.scrapes_failed.get() > 20);

    let nowhere = StaticTarget { address: "127.0.0.1:1/ /".to_owned(), ..StaticTarget::default() };
    let (backend, _guard) = start(ScrapeOptions { targets: vec![nowhere], ..options() });
    until("no URL", || backend.targets().iter().any(|status| status.last_error.contains("no URL")))
        .await;
}
