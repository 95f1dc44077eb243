//! An objective whose budget burns: the rules that it makes run by themselves, and a receiver hears of it.

use super::server::Server;
use super::{Served, book};
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::within;

/// A share is recorded every 15 s, over long spans every 60 s, and its alert told right after.
const SOON: Duration = Duration::from_secs(150);

/// Ten minutes in which half of what the service answered was an error, each sample with its time.
fn failing() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let (end, mut text) = (i64::try_from(since.as_millis()).unwrap(), String::new());
    for status in ["200", "500"] {
        for nth in 0..60 {
            let _ = writeln!(
                text,
                "http_server_request_duration_seconds_count{{http_response_status_code=\"{status}\"}} {} {}",
                1_000 + nth * 10,
                end - (59 - nth) * 10_000
            );
        }
    }
    text
}

#[test]
fn a_burning_budget_is_told() {
    let (dir, target, receiver) = (tempfile::tempdir().unwrap(), Server::start(), Server::start());
    target.show(&failing());
    let hook = format!(
        "[output.loggia.alerts.webhook.night]\nurl = \"{}hook\"\nmatch = {{ severity = \"page\" }}\n",
        receiver.url("")
    );
    book(dir.path(), &target, &hook);
    let page = "# Shop\n\n## Promise {#promise services=\"orders\"}\n\n```slo\norders:\n  target: 99.9%\n```\n";
    fs::write(dir.path().join("index.md"), page).unwrap();
    let served = Served::start(dir.path());
    // Page and ticket, each over two pairs of spans.
    let firing = || {
        let alerts = served.json("alerts");
        let all = alerts["alerts"].as_array().unwrap().iter();
        all.filter(|alert| alert["labels"]["objective"] == "orders" && alert["state"] == "firing")
            .count()
    };
    within("all four pairs fire", SOON, || firing() == 4);
    within("the receiver hears of the two that are pages", SOON, || {
        let told = receiver.taken("/hook");
        told.iter().any(|message| {
            let alerts = message["alerts"].as_array().map_or(0, Vec::len);
            alerts == 2
                && message.to_string().contains("the error budget burns more than 14.4 times")
        })
    });
    let words = ["live/objectives/orders", "id=\"alert-ErrorBudgetBurns-4\"", "firing"];
    // The page is drawn once a tick.
    within("the page shows all four", SOON, || {
        let page = served.text("live/alerts");
        words.iter().all(|words| page.contains(words))
    });
    // A book that leaves them to another Prometheus.
    let path = dir.path().join("book.toml");
    let text = fs::read_to_string(&path).unwrap();
    let quiet =
        text.replace("[output.loggia.alerts]\n", "[output.loggia.alerts]\nobjectives = false\n");
    assert_ne!(text, quiet);
    fs::write(&path, quiet).unwrap();
    within("no rule is left of them", SOON, || {
        served.states().iter().all(|state| !state.starts_with("ErrorBudgetBurns"))
    });
}
