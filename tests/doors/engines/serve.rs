//! `loggia serve` on a real Prometheus and on a server in Jaeger's shape: what they tell stands on the pages; when they go,
//! every page says so and how old everything is; when they come back, all is well again.

use super::recorded::{FAILED, Recorded, jaeger};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::{Program, binary, foreign, free_port, get, within};

const SOON: Duration = Duration::from_secs(40);
const PAGE: &str = "# Shop\n\n## Figures {#figures services=\"shop\"}\n\n```kpi-grid\n\
    [{\"label\": \"Orders\", \"value\": \"< 100\", \"query\": \"up * 42\"}]\n```\n\n\
    ```mermaid\nflowchart LR\n  shop --> bank\n```\n";

fn text(url: &str, path: &str) -> String {
    get(&format!("{url}{path}")).map(|answer| answer.text()).unwrap_or_default()
}

fn json(url: &str, path: &str) -> Value {
    serde_json::from_str(&text(url, path)).unwrap_or_default()
}

fn prometheus(program: &Path, folder: &Path, port: u16) -> Program {
    let config = folder.join("prometheus.yml");
    let target = format!("{{targets: ['127.0.0.1:{port}']}}");
    let yaml = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: shop\n    static_configs: [{target}]\n"
    );
    std::fs::write(&config, yaml).unwrap();
    let mut command = Command::new(program);
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    Program::start(&mut command).unwrap()
}

/// A recorded Jaeger at a port, in a runtime that can be ended.
fn recorded_jaeger(port: u16) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let router = jaeger(Recorded::new(i64::try_from(now).unwrap()));
    let bound = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", port))).unwrap();
    runtime.spawn(async move { axum::serve(bound, router).await });
    runtime
}

fn book(folder: &Path, metrics: u16, traces: u16) {
    std::fs::create_dir(folder.join("src")).unwrap();
    std::fs::write(folder.join("src/index.md"), PAGE).unwrap();
    let toml = format!(
        "[book]\ntitle = \"Shop\"\n\n[output.loggia]\ndata-dir = false\n\
         metrics = {{ url = \"http://127.0.0.1:{metrics}\", timeout = \"10s\" }}\n\
         traces = \"jaeger+http://127.0.0.1:{traces}\"\n"
    );
    std::fs::write(folder.join("book.toml"), toml).unwrap();
}

#[test]
fn pages_show_what_other_engines_tell_and_for_how_long_they_have_not() {
    let Some(engine) = foreign("prometheus") else { return };
    let folder = tempfile::tempdir().unwrap();
    let [metrics, traces, site] = [free_port(), free_port(), free_port()];
    book(folder.path(), metrics, traces);
    let mut command = Command::new(binary("loggia"));
    command.arg("serve").arg(folder.path()).args(["--no-watch", "--port", &site.to_string()]);
    command.args(["--otlp-grpc-port", "0", "--otlp-http-port", "0"]);
    let mut program = Program::start(&mut command).unwrap();
    program.wait_for("Ctrl-C", SOON).unwrap();
    for words in
        ["metrics   Prometheus at http://127.0.0.1:", "traces    Jaeger at http://127.0.0.1:"]
    {
        assert!(program.printed().contains(words), "{}", program.printed());
    }
    let url = format!("http://127.0.0.1:{site}");
    // Nobody is there yet.
    within("the page says that nobody answers", SOON, || {
        let page = text(&url, "/");
        page.contains("nobody listens there") && page.contains("There are no metrics yet.")
    });
    assert!(text(&url, "/api/live/claims").contains("query-error"));

    let mut prometheus_program = prometheus(&engine, folder.path(), metrics);
    let runtime = recorded_jaeger(traces);
    check_well(&url);

    prometheus_program.stop(rustix::process::Signal::TERM).unwrap();
    runtime.shutdown_timeout(Duration::from_secs(1));
    check_down(&url);

    let _again = (prometheus(&engine, folder.path(), metrics), recorded_jaeger(traces));
    check_well(&url);
}

fn service(url: &str, id: &str) -> Value {
    let services = json(url, "/api/live/services");
    let list = services["services"].as_array().unwrap();
    list.iter().find(|service| service["id"] == id).cloned().unwrap_or_default()
}

fn check_well(url: &str) {
    within("the figure is measured", SOON, || {
        let claim = &json(url, "/api/live/claims")["claims"][0]["measured"];
        claim["value"]["value"] == 42.0 && claim["verdict"] == "holds"
    });
    within("the calls are on the map", SOON, || {
        let map = text(url, "/live/map");
        map.contains("bank") && !map.contains("engine-fault")
    });
    for path in ["/", "/live/services", "/live/traces", "/live/logs", "/live/drift"] {
        let page = text(url, path);
        assert!(!page.is_empty() && !page.contains("engine-fault"), "{path}: {page}");
    }
    // It may just have been restarted, which is said for a while.
    let shop = service(url, "shop");
    assert_eq!(shop["up"], 1, "{shop}");
    // What points at Loggia reads the same engine.
    let up = json(url, "/prometheus/api/v1/query?query=up");
    assert_eq!(up["data"]["result"][0]["metric"]["job"], "shop", "{up}");
    assert_eq!(text(url, "/readyz"), "ready\n");
    assert!(text(url, "/metrics").contains("loggia_engine_up{source=\"metrics\"} 1"));
    let found = json(url, "/api/live/traces?service=shop&errors=1");
    assert_eq!(found["traces"][0]["id"], FAILED, "{found}");
    assert!(text(url, "/live/traces?service=shop").contains("POST /checkout"));
    assert!(text(url, &format!("/live/traces/{FAILED}")).contains("POST /charge"));
}

fn check_down(url: &str) {
    let engines = ["Prometheus at http://", "Jaeger at http://"];
    for path in [
        "/",
        "/live/map",
        "/live/services",
        "/live/services/shop",
        "/live/traces",
        "/live/logs",
        "/live/drift",
    ] {
        within("every view says so, and how old everything is", SOON, || {
            let page = text(url, path);
            page.contains("engine-fault")
                && engines.iter().all(|engine| page.contains(engine))
                && page.contains("The metrics shown are")
                && page.contains("The traces shown are")
        });
    }
    within("the figure is the last one, with its age", SOON, || {
        let claim = &json(url, "/api/live/claims")["claims"][0]["measured"];
        claim["value"]["state"] == "stale"
            && claim["value"]["value"][0] == 42.0
            && claim["verdict"] == "stale"
    });
    // Nobody knows whether it answers now; its callers were seen a moment ago.
    assert_eq!(service(url, "shop")["up"], 0);
    let up = get(&format!("{url}/prometheus/api/v1/query?query=up")).unwrap();
    assert_eq!(up.status, 503);
    assert!(up.text().contains("nobody listens there"), "{}", up.text());
    let found = get(&format!("{url}/api/live/traces?service=shop")).unwrap();
    assert!(found.status == 502 && found.text().contains("gave no answer"), "{}", found.text());
    // What was fetched for the map is still shown, and called that.
    let page = text(url, "/live/traces?service=shop");
    assert!(page.contains("POST /checkout") && page.contains("fetched before"), "{page}");
    assert!(text(url, &format!("/live/traces/{FAILED}")).contains("POST /charge"));
    let ready = get(&format!("{url}/readyz")).unwrap();
    assert_eq!((ready.status, ready.text().matches("degraded: ").count()), (200, 2));
    assert!(text(url, "/metrics").contains("loggia_engine_up{source=\"traces\"} 0"));
}
