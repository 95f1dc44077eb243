//! A target that gives every scraper the same: all samples of nine minutes at once, each with its time, so that nothing
//! depends on when a scrape happens.

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

/// Samples of a series.
pub(crate) const SAMPLES: i64 = 36;
/// Milliseconds between two of them.
pub(crate) const STEP_MS: i64 = 15_000;
/// The trace that an exemplar names.
pub(crate) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A target that runs until the test ends.
pub(crate) struct Target {
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    /// The time of the first sample, milliseconds since 1970.
    pub(crate) start_ms: i64,
}

impl Target {
    /// One whose last sample is half a minute old at `now_ms`.
    pub(crate) fn start(runtime: &tokio::runtime::Runtime, now_ms: i64) -> Self {
        // Beside the seconds at which subqueries look.
        let end_ms = now_ms - now_ms.rem_euclid(STEP_MS) - 2 * STEP_MS + 4_000;
        let start_ms = end_ms - (SAMPLES - 1) * STEP_MS;
        let bodies = Arc::new([plain(start_ms), open_metrics(start_ms)]);
        let router = Router::new()
            .route(
                "/metrics",
                get(|State(bodies): State<Arc<[String; 2]>>| async move {
                    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], bodies[0].clone())
                        .into_response()
                }),
            )
            .route(
                "/open",
                get(|State(bodies): State<Arc<[String; 2]>>| async move {
                    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                    ([(CONTENT_TYPE, kind)], bodies[1].clone()).into_response()
                }),
            )
            .with_state(bodies);
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { addr, start_ms }
    }
}

/// A number for step `i` that jumps about and is the same at every run.
fn noise(i: i64, seed: i64) -> f64 {
    ((i * 7919 + seed * 104_729).rem_euclid(1009)) as f64 / 8.0
}

/// A counter that begins far from zero (near it, versions extrapolate differently) and at zero again twice.
fn counter(i: i64, seed: i64) -> f64 {
    let from = [0, 13, 27].into_iter().rfind(|from| i >= *from).unwrap_or(0);
    let before = if from == 0 { 10_000.0 } else { 0.0 };
    before + (from..=i).map(|i| noise(i, seed) + 1.0).sum::<f64>()
}

/// The text format: counters, gauges, a histogram, a summary, numbers that are none, a series that ends.
fn plain(start_ms: i64) -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, value: &dyn Fn(i64) -> Vec<(String, f64)>| {
        let _ = writeln!(
            text,
            "# HELP {name} Of \"{kind}\" kind.\\nIn two lines.\n# TYPE {name} {kind}"
        );
        for i in 0..SAMPLES {
            for (series, v) in value(i) {
                let v = if v.is_infinite() { "+Inf".to_owned() } else { v.to_string() };
                let _ = writeln!(text, "{name}{series} {v} {}", start_ms + i * STEP_MS);
            }
        }
    };
    family("orders_total", "counter", &|i| {
        let pages = [("home", "get"), ("cart", "post"), ("pay", "post"), ("pay", "get")];
        let one = |(seed, (page, method)): (usize, (&str, &str))| {
            (format!("{{page=\"{page}\",method=\"{method}\"}}"), counter(i, seed as i64))
        };
        pages.into_iter().enumerate().map(one).collect()
    });
    family("queue_length", "gauge", &|i| {
        let one = |shelf: i64| {
            (format!("{{shelf=\"{shelf}\",note=\"a \\\"b\\\" \\\\ ä\"}}"), noise(i, shelf) - 60.0)
        };
        // One ends after a third, one has gaps.
        let there = |shelf: &i64| match shelf {
            2 => i < SAMPLES / 3,
            3 => i % 5 != 0,
            _ => true,
        };
        (0..5).filter(there).map(one).collect()
    });
    family("shelf_size", "gauge", &|_| {
        (0..4)
            .map(|shelf| {
                (format!("{{shelf=\"{shelf}\",place=\"p{}\"}}", shelf % 2), 10.0 * shelf as f64)
            })
            .collect()
    });
    family("odd", "untyped", &|i| {
        let v = match i % 4 {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => -1e-9,
            _ => 1e22,
        };
        vec![(String::new(), v)]
    });
    text.push_str("# TYPE wait_seconds histogram\n");
    for i in 0..SAMPLES {
        let t = start_ms + i * STEP_MS;
        for (seed, route) in [(1, "/a"), (2, "/b")] {
            let mut below = 0.0;
            for (le, part) in [("0.1", 1.0), ("0.5", 3.0), ("2.5", 2.0), ("+Inf", 0.5)] {
                below += counter(i, seed).floor() * part;
                let _ = writeln!(
                    text,
                    "wait_seconds_bucket{{route=\"{route}\",le=\"{le}\"}} {below} {t}"
                );
            }
            let _ = writeln!(text, "wait_seconds_sum{{route=\"{route}\"}} {} {t}", below * 0.7);
            let _ = writeln!(text, "wait_seconds_count{{route=\"{route}\"}} {below} {t}");
        }
    }
    text
}

/// OpenMetrics: a unit, times in seconds, exemplars.
fn open_metrics(start_ms: i64) -> String {
    let mut text = String::from(
        "# TYPE sent_bytes counter\n# UNIT sent_bytes bytes\n# HELP sent_bytes Sent.\n",
    );
    for i in 0..SAMPLES {
        let (t, v) = ((start_ms + i * STEP_MS) as f64 / 1000.0, counter(i, 9));
        let exemplar = format!("# {{trace_id=\"{TRACE}\"}} {} {t}", i + 1);
        let exemplar = if i % 12 == 11 { exemplar } else { String::new() };
        let _ = writeln!(
            text,
            "{}",
            format!("sent_bytes_total{{to=\"x\"}} {v} {t} {exemplar}").trim_end()
        );
    }
    text.push_str("# EOF\n");
    text
}
