//! `/live/explore`: a question and its answer in a page, as a table, wrong, by keyboard.

use crate::browser;
use std::fs;
use std::process::Command;
use std::time::Duration;
use tests::{Program, binary, free_port, get, within};

const SOON: Duration = Duration::from_secs(30);

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn questions_are_answered_in_a_page() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.md"), "# Shop\n").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let body: String = (0..12)
        .map(|i| format!("shop_stock{{item=\"i{i}\",note=\"a,\\\"b\\\"\"}} {}\n", i * 10))
        .collect();
    let router =
        axum::Router::new().route("/metrics", axum::routing::get(|| async move { body.clone() }));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let target = listener.local_addr().unwrap();
    runtime.spawn(async move { axum::serve(listener, router).await });
    let port = free_port();
    let mut command = Command::new(binary("loggia"));
    command.arg("serve").arg(dir.path()).args(["--no-watch", "--in-memory"]);
    command.args(["--otlp-grpc-port", "0", "--otlp-http-port", "0", "--port", &port.to_string()]);
    command.args(["--scrape", &format!("shop=http://{target}/metrics")]);
    let mut program = Program::start(&mut command).unwrap();
    program.wait_for("Ctrl-C", SOON).unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let ask = |query: &str, more: &str| {
        get(&format!("{url}/live/explore?query={}{more}", encoded(query))).unwrap()
    };
    within("the target is scraped twice", SOON, || {
        ask("min(count_over_time(shop_stock[1m])) >= 2", "").text().contains("1 series")
    });
    within("the chart has a step with it", SOON, || {
        let text = ask("shop_stock", "").text();
        text.contains("12 series") && text.contains("the 8 with the largest")
    });
    let begin = get(&format!("{url}/live/explore")).unwrap();
    assert!(begin.status == 200 && begin.text().contains("To begin with"), "{}", begin.text());
    for (query, status, words) in [
        (
            "shop_stock",
            200,
            &["12 series", "item=&#34;i11&#34;", ">110<", "the 8 with the largest"][..],
        ),
        ("sum(shop_stock)", 200, &["1 series", ">660<", "Over the last 15 min", "kpi-grid"]),
        ("topk(2, shop_stock)", 200, &["2 series"]),
        ("1 + 1", 200, &[">2<"]),
        ("\"text\"", 200, &["text"]),
        ("shop_stock{item=\"i3\"}[1m]", 200, &["shop_stock{", "30 @"]),
        ("ghost", 200, &["No series has this"]),
        ("sum(shop_stock))", 400, &["<mark>)</mark>"]),
        ("sum by (item shop_stock", 400, &["role=\"alert\"", "<mark>"]),
        ("nothing(shop_stock)", 400, &["nothing", "<mark>nothing</mark>"]),
        ("<script>alert(1)</script>", 400, &["&#60;"]),
        ("rate(shop_stock[1m])", 200, &["12 series"]),
    ] {
        let answer = ask(query, "");
        let text = answer.text();
        assert_eq!(answer.status, status, "{query}: {text}");
        for word in words {
            assert!(text.contains(word), "{query}: {word}: {text}");
        }
        assert!(!text.contains("<script>alert"), "{query}");
    }
    assert_eq!(get(&format!("{url}/live/explore?query=a&query=b")).unwrap().status, 400);
    let csv = ask("shop_stock{item=\"i1\"}", "&format=csv");
    assert!(csv.headers.contains("text/csv"), "{}", csv.headers);
    let line = csv.text().lines().nth(1).unwrap().to_owned();
    assert!(line.starts_with("\"shop_stock{") && line.ends_with(",10"), "{line}");
    assert!(line.contains("item=\"\"i1\"\""), "{line}");
    if browser::is_there() {
        browser::run("explore.mjs", &[&url]);
    }
}
