//! What happened: an alert, a restart and another version in one list, still there after a restart of the server.

use super::server::Server;
use super::{SOON, Served, book};
use rustix::process::Signal;
use serde_json::Value;
use tests::{get, within};

fn shown(target: &Server, open: u8, start: i64, version: &str) {
    target.show(&format!(
        "shop_open {open}\nprocess_start_time_seconds {start}\ntarget_info{{service_version=\"{version}\"}} 1\n"
    ));
}

/// Kind, subject, words, and whether it lasts still.
fn told(served: &Served) -> Vec<String> {
    let answer = get(&format!("{}/api/live/timeline?from=now-5m", served.url)).unwrap();
    let found = answer.json().unwrap();
    let line = |one: &Value| {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let lasts = if one["until"].is_null() { " still" } else { "" };
        format!("{} {} {}{lasts}", text("kind"), text("subject"), text("words"))
    };
    found["happenings"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn alerts_restarts_and_deploys_are_one_list() {
    let (dir, target) = (tempfile::tempdir().unwrap(), Server::start());
    shown(&target, 1, 1_000_000_000, "1.4.2");
    book(dir.path(), &target, "");
    let mut served = Served::start(dir.path());
    let seen = |query: &str| {
        let found = served.json(&format!("query?query={query}"));
        found["result"][0]["value"][1].as_str().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0)
    };
    // The first version was there for longer than a step of the timeline.
    within("samples of the first version", SOON, || {
        seen("max(count_over_time(target_info%5B5m%5D))") >= 12.0
    });
    assert_eq!(told(&served), Vec::<String>::new());
    shown(&target, 0, 1_000_000_500, "1.5.0");
    let has = |list: &[String], words: &str| list.iter().any(|one| one.contains(words));
    within("an alert, a restart and a deploy are told", SOON, || {
        let list = told(&served);
        has(&list, "deploy orders 1.4.2 → 1.5.0")
            && has(&list, "began anew")
            && list.iter().any(|one| one.starts_with("alert Down") && one.ends_with("still"))
    });
    shown(&target, 1, 1_000_000_500, "1.5.0");
    within("the alert is over, and told", SOON, || {
        let list = told(&served);
        has(&list, "alert Down") && !list.iter().any(|one| one.ends_with("still"))
    });
    let page = served.text("live/alerts?from=now-5m");
    for words in [
        "What happened",
        "1.4.2 → 1.5.0",
        "its rule",
        "live/logs?service=orders",
        "class=\"mark instant\"",
    ] {
        assert!(page.contains(words), "no `{words}`");
    }
    for (path, status, words) in [
        ("live/alerts?from=soon", 400, "no time such as"),
        ("live/alerts?from=now-1m&to=now-2m", 400, "not before the end"),
        ("api/live/timeline?from=soon", 400, "no time such as"),
        ("api/live/timeline?to=2999-01-01T00:00:00Z", 400, "in the future"),
        ("live/alerts?from=now-30d", 200, "What happened"),
    ] {
        let answer = get(&format!("{}/{path}", served.url)).unwrap();
        assert!(
            answer.status == status && answer.text().contains(words),
            "{path}: {}",
            answer.status
        );
    }
    if crate::browser::is_there() {
        crate::browser::run("timeline.mjs", &[&served.url]);
        crate::browser::run("axe.mjs", &[&served.url, "/live/alerts?from=now-5m"]);
    }
    let before = told(&served);
    served.program.stop(Signal::TERM).unwrap();
    let again = Served::start(dir.path());
    within("what happened before the restart is told", SOON, || {
        before.iter().filter(|one| has(&told(&again), one)).count() == before.len()
    });
}
