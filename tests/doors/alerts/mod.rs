//! Rules, alerts and notifications of a running `loggia serve`: a target goes down, receivers fail before they
//! take anything, the server is killed, rule files change.

mod budgets;
mod others;
mod server;
mod timeline;

use serde_json::Value;
use server::Server;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::{Program, binary, free_port, get, until, within};

const SOON: Duration = Duration::from_secs(40);

const RULES: &str = r#"groups:
- name: shop
  rules:
  - { record: 'job:up:sum', expr: 'sum by (job) (up)' }
  - alert: Down
    expr: shop_open == 0
    for: 2s
    labels: { severity: page }
    annotations: { summary: '{{ $labels.job }} is down: {{ $value | humanize }}' }
"#;

/// A book with rules that looks at a target every second; `more` goes below `[output.loggia.alerts]`.
fn book(dir: &Path, target: &Server, more: &str) {
    std::fs::create_dir_all(dir.join("rules")).unwrap();
    std::fs::write(dir.join("index.md"), "# Shop\n").unwrap();
    std::fs::write(dir.join("rules/shop.yml"), RULES).unwrap();
    let toml = format!(
        "[book]\nsrc = \".\"\n[output.loggia]\nrules = [\"rules/*.yml\"]\nscrape = [{{ job = \"orders\", url = \"{}\" }}]\n\
         [output.loggia.services.orders]\ntitle = \"Order Service\"\n\
         [output.loggia.alerts]\nevaluation-interval = \"1s\"\nresend-delay = \"2s\"\ngroup-wait = \"0s\"\ngroup-interval = \"1s\"\n\
         external-url = \"https://shop.example\"\nexternal-labels = {{ cluster = \"eu\" }}\n{more}",
        target.url("metrics")
    );
    std::fs::write(dir.join("book.toml"), toml).unwrap();
}

struct Served {
    program: Program,
    url: String,
}

impl Served {
    fn start(dir: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new(binary("loggia"));
        command.arg("serve").arg(dir).args(["--port", &port.to_string()]);
        command.args(["--otlp-grpc-port", "0", "--otlp-http-port", "0"]);
        command.env("LOGGIA_TEST_PATH", "hook").env("LOGGIA_TEST_TOKEN", "t0ken");
        let mut program = Program::start(&mut command).unwrap();
        program.wait_for("Ctrl-C", SOON).unwrap();
        Self { program, url: format!("http://127.0.0.1:{port}") }
    }

    fn json(&self, path: &str) -> Value {
        get(&format!("{}/prometheus/api/v1/{path}", self.url)).unwrap().json().unwrap()["data"]
            .take()
    }

    fn text(&self, path: &str) -> String {
        get(&format!("{}/{path}", self.url)).unwrap().text()
    }

    /// The state of each rule that makes alerts.
    fn states(&self) -> Vec<String> {
        let data = self.json("rules?type=alert");
        let groups = data["groups"].as_array().unwrap();
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
        rules
            .map(|rule| {
                format!("{} {}", rule["name"].as_str().unwrap(), rule["state"].as_str().unwrap())
            })
            .collect()
    }

    fn wait_for(&self, state: &str) {
        within(state, SOON, || self.states().iter().any(|found| found == state));
    }

    fn metric(&self, line: &str) -> f64 {
        let text = self.text("metrics");
        let found = text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or_else(|| panic!("no `{line}` in\n{text}"))
    }
}

fn statuses(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["status"].as_str().unwrap()).collect()
}

#[test]
fn an_alert_is_seen_told_and_over() {
    let (dir, target, receiver) = (tempfile::tempdir().unwrap(), Server::start(), Server::start());
    target.show("shop_open 1\n");
    std::fs::write(dir.path().join("pagerduty.key"), "K3Y\n").unwrap();
    book(
        dir.path(),
        &target,
        &format!(
            "[output.loggia.alerts.webhook.chat]\nurl = \"{}${{LOGGIA_TEST_PATH}}\"\nkey = \"${{LOGGIA_TEST_TOKEN}}\"\n\
             [output.loggia.alerts.slack.ops]\nurl = \"{}\"\nmatch = {{ severity = \"page\" }}\n\
             [output.loggia.alerts.pagerduty.night]\nurl = \"{}\"\nkey-file = \"pagerduty.key\"\nmatch-re = {{ job = \"ord.*\" }}\n\
             [output.loggia.alerts.webhook.nobody]\nurl = \"{}\"\nmatch = {{ severity = \"ticket\" }}\n",
            receiver.url(""),
            receiver.url("slack"),
            receiver.url("pd"),
            receiver.url("nobody")
        ),
    );
    let served = Served::start(dir.path());
    served.wait_for("Down inactive");
    let sum = || served.json("query?query=job:up:sum")["result"][0]["value"][1].clone();
    within("the recording rule has a series", SOON, || sum() == "1");
    // Four attempts fail in different ways, whoever makes them: all are made again.
    receiver.fail_first(&["500 Oops", "429 Slow down\r\nretry-after: 1", "503 Later", "500 Oops"]);
    target.show("shop_open 0\n");
    served.wait_for("Down firing");
    // It may have been pending while nobody looked.
    let past =
        served.json("query?query=last_over_time(ALERTS%7Balertstate=%22pending%22%7D%5B10m%5D)");
    assert_eq!(past["result"][0]["metric"]["alertname"], "Down", "{past}");

    for path in ["/hook", "/slack", "/pd"] {
        within(path, SOON, || !receiver.taken(path).is_empty());
    }
    let hook = &receiver.taken("/hook")[0];
    let alert = &hook["alerts"][0];
    assert_eq!((hook["version"].as_str(), hook["status"].as_str()), (Some("4"), Some("firing")));
    assert_eq!(hook["groupKey"], "{}:{alertname=\"Down\"}");
    assert_eq!(alert["annotations"]["summary"], "orders is down: 0");
    assert_eq!(
        (&alert["labels"]["cluster"], &alert["labels"]["job"]),
        (&"eu".into(), &"orders".into())
    );
    assert_eq!(alert["generatorURL"], "https://shop.example/live/alerts#alert-Down");
    assert!(
        receiver.heard("/hook")[0].headers.to_lowercase().contains("authorization: bearer t0ken")
    );
    let slack = &receiver.taken("/slack")[0]["attachments"][0];
    assert!(slack["title"].as_str().unwrap().starts_with("[FIRING:1] Down"), "{slack}");
    let trigger = receiver.taken("/pd")[0].clone();
    assert_eq!(
        (&trigger["event_action"], &trigger["routing_key"]),
        (&"trigger".into(), &"K3Y".into())
    );
    assert_eq!(trigger["payload"]["severity"], "critical");
    let outcome = |name: &str, outcome: &str| {
        served.metric(&format!(
            "loggia_notifications_total{{integration=\"{name}\",outcome=\"{outcome}\"}}"
        ))
    };
    let retried: f64 = ["webhook/chat", "slack/ops", "pagerduty/night"]
        .iter()
        .map(|name| outcome(name, "retried"))
        .sum();
    assert!(retried >= 4.0, "{retried}");

    // What Prometheus would answer.
    let alerts = served.json("alerts");
    let seen = &alerts["alerts"][0];
    assert_eq!((&seen["state"], &seen["value"]), (&"firing".into(), &"0e+00".into()));
    assert!(
        seen["activeAt"].as_str().unwrap().ends_with('Z') && seen["labels"]["cluster"].is_null()
    );
    let data = served.json("rules?type=record&rule_name[]=job:up:sum&file[]=rules/shop.yml");
    let rule = &data["groups"][0]["rules"][0];
    assert_eq!(
        (&rule["health"], &rule["type"], data["groups"][0]["interval"].as_i64()),
        (&"ok".into(), &"recording".into(), Some(1))
    );
    assert!(served.json("rules?rule_name[]=nothing")["groups"].as_array().unwrap().is_empty());
    assert_eq!(
        get(&format!("{}/prometheus/api/v1/rules?type=odd", served.url)).unwrap().status,
        400
    );
    let series = served.json("query?query=ALERTS%7Balertstate=%22firing%22%7D");
    assert_eq!(series["result"][0]["metric"]["alertname"], "Down");

    // What people see: the view, the mark in the top bar, the page of the service.
    for (path, words) in [
        ("live/alerts", "orders is down: 0"),
        ("live/alerts", "1 firing, 0 pending"),
        ("live/services/orders", "orders is down: 0"),
        ("", "title=\"1 alert fires\""),
    ] {
        within(words, SOON, || served.text(path).contains(words));
    }
    assert!(!served.text("live/services").contains("orders is down"));

    target.show("shop_open 1\n");
    served.wait_for("Down inactive");
    within("the end is told", SOON, || {
        statuses(&receiver.taken("/hook")).last() == Some(&"resolved")
    });
    within("the incident is resolved", SOON, || {
        receiver.taken("/pd").last().is_some_and(|event| {
            event["event_action"] == "resolve" && event["dedup_key"] == trigger["dedup_key"]
        })
    });
    assert_eq!(statuses(&receiver.taken("/hook")), ["firing", "resolved"], "each once");
    assert!(receiver.heard("/nobody").is_empty());
    assert!(
        !served.program.printed().contains("t0ken") && !served.program.printed().contains("K3Y")
    );
}

#[test]
fn nothing_is_lost_over_a_kill() {
    let (dir, target, port) = (tempfile::tempdir().unwrap(), Server::start(), free_port());
    target.show("shop_open 0\n");
    book(
        dir.path(),
        &target,
        &format!("[output.loggia.alerts.webhook.chat]\nurl = \"http://127.0.0.1:{port}/hook\"\n"),
    );
    let waiting = "loggia_notifications_queue_length{integration=\"webhook/chat\"}";
    let mut served = Served::start(dir.path());
    served.wait_for("Down firing");
    within("a message waits", SOON, || served.metric(waiting) == 1.0);
    within("the page says so", SOON, || served.text("live/alerts").contains("connection refused"));
    let since = || {
        let found = served.json("query?query=last_over_time(ALERTS_FOR_STATE%5B10m%5D)");
        found["result"][0]["value"][1].as_str().map(str::to_owned)
    };
    let began = until("the state is stored", SOON, since);
    served.program.stop(rustix::process::Signal::KILL).unwrap();

    // The receiver comes, the server comes back: the message from before the kill arrives, once.
    let receiver = Server::at(port);
    let mut served = Served::start(dir.path());
    within("it arrives", SOON, || !receiver.taken("/hook").is_empty());
    served.wait_for("Down firing");
    let since = || served.json("alerts")["alerts"][0]["activeAt"].as_str().map(str::to_owned);
    let began_s: i64 = began.parse().unwrap();
    within("it goes on as of when it began", SOON, || {
        let at = since().and_then(|text| served.json(&format!("query?query=timestamp(vector(1))&time={text}"))["result"][0]["value"][0].as_f64());
        at.is_some_and(|at| at as i64 == began_s)
    });
    within("nothing waits", SOON, || served.metric(waiting) == 0.0);
    served.program.stop(rustix::process::Signal::KILL).unwrap();

    // The cause is over while nobody looks: that is told, and the beginning is not told again.
    target.show("shop_open 1\n");
    let served = Served::start(dir.path());
    within("the end is told", SOON, || {
        statuses(&receiver.taken("/hook")).last() == Some(&"resolved")
    });
    assert_eq!(statuses(&receiver.taken("/hook")), ["firing", "resolved"]);
    served.wait_for("Down inactive");
}

#[test]
fn a_refusal_for_good_is_shown() {
    let (dir, target, receiver) = (tempfile::tempdir().unwrap(), Server::start(), Server::start());
    target.show("shop_open 0\n");
    receiver.fail_first(&["404 Not Found"]);
    book(
        dir.path(),
        &target,
        &format!("[output.loggia.alerts.slack.ops]\nurl = \"{}\"\n", receiver.url("slack")),
    );
    let served = Served::start(dir.path());
    served.wait_for("Down firing");
    let refused = "loggia_notifications_total{integration=\"slack/ops\",outcome=\"refused\"}";
    within("it is given up", SOON, || served.metric(refused) == 1.0);
    within("the page says so", SOON, || {
        let page = served.text("live/alerts");
        page.contains("given up") && page.contains("the receiver answers 404")
    });
    assert_eq!(receiver.heard("/slack").len(), 1);
}

#[test]
fn the_view_follows() {
    if !crate::browser::is_there() {
        return;
    }
    let (dir, target) = (tempfile::tempdir().unwrap(), Server::start());
    let open = dir.path().join("open.txt");
    std::fs::write(&open, "1").unwrap();
    target.show("shop_open 1\n");
    let (file, showing) = (open.clone(), target.clone());
    std::thread::spawn(move || {
        while let Ok(text) = std::fs::read_to_string(&file) {
            showing.show(&format!("shop_open {}\n", if text.trim() == "0" { 0 } else { 1 }));
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let folder = dir.path().join("book");
    book(&folder, &target, "");
    let served = Served::start(&folder);
    crate::browser::run("alerts.mjs", &[&served.url, open.to_str().unwrap()]);
    crate::browser::run("axe.mjs", &[&served.url, "/live/alerts"]);
}

#[test]
fn rule_files_are_read_again() {
    let (dir, target) = (tempfile::tempdir().unwrap(), Server::start());
    target.show("shop_open 0\n");
    book(dir.path(), &target, "");
    let served = Served::start(dir.path());
    served.wait_for("Down firing");
    let began = || served.json("alerts")["alerts"][0]["activeAt"].clone();
    let before = began();
    let rules = dir.path().join("rules/shop.yml");
    // A broken file leaves what ran before, and the pages say what is wrong with it.
    std::fs::write(&rules, RULES.replace("sum by (job)", "sum by job")).unwrap();
    within("the fault is told", SOON, || served.text("").contains("L071"));
    assert_eq!(served.states(), ["Down firing"]);
    assert_eq!(
        served.json("rules?type=record")["groups"][0]["rules"][0]["query"],
        "sum by (job) (up)"
    );
    // A sound one is taken; what an alert knew goes on.
    let changed = RULES.replace("job:up:sum", "job:up:all")
        + "  - { alert: Other, expr: 'vector(1)', for: 1h }\n";
    std::fs::write(&rules, changed).unwrap();
    served.wait_for("Other pending");
    assert_eq!(began(), before);
    let series = |name: &str| {
        served.json(&format!("query?query={name}"))["result"].as_array().unwrap().len()
    };
    within("the new name has a series", SOON, || series("job:up:all") == 1);
    within("the old one has none", SOON, || series("job:up:sum") == 0);
    // A new file is found by the pattern; without it its rules are gone.
    let more = dir.path().join("rules/more.yml");
    std::fs::write(
        &more,
        "groups:\n- name: more\n  rules:\n  - { alert: More, expr: 'vector(1)' }\n",
    )
    .unwrap();
    served.wait_for("More firing");
    std::fs::remove_file(&more).unwrap();
    within("it is gone", SOON, || !served.states().iter().any(|state| state.starts_with("More")));
    within("its series, too", SOON, || series("ALERTS%7Balertname=%22More%22%7D") == 0);
}
