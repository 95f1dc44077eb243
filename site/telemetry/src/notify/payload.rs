//! A message as its receiver reads it.
//!
//! `deliver` sends it. The shapes are those of Slack's incoming webhooks, PagerDuty's Events API v2,
//! Alertmanager's webhook version 4 and Alertmanager's API v2.

use super::message::{Message, Told, fingerprint};
use super::settings::{Integration, IntegrationKind};
use crate::rules::notice::Notice;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Alerts that a message to people shows in full.
const MAX_SHOWN: usize = 20;
/// Characters of a summary at PagerDuty.
const MAX_SUMMARY: usize = 1024;
/// Characters of one alert's text at Slack.
const MAX_TEXT: usize = 1500;
/// What Alertmanager says for "not over yet".
const NOT_YET: &str = "0001-01-01T00:00:00Z";

/// The body for a message; `key` is what PagerDuty is told by.
pub(super) fn body(
    integration: &Integration,
    message: &Message,
    external_url: &str,
    key: Option<&str>,
) -> Value {
    match integration.kind {
        IntegrationKind::Slack => slack(message, external_url, integration.channel.as_deref()),
        IntegrationKind::PagerDuty => pagerduty(message, external_url, key.unwrap_or_default()),
        IntegrationKind::Webhook | IntegrationKind::Alertmanager => webhook(message, external_url),
    }
}

/// Alerts for Alertmanager's `/api/v2/alerts`.
pub(super) fn alertmanager(alerts: &[Notice]) -> Value {
    let one = |notice: &Notice| {
        json!({
            "labels": notice.labels,
            "annotations": notice.annotations,
            "startsAt": time(notice.starts_ms),
            "endsAt": time(notice.ends_ms),
            "generatorURL": notice.generator,
        })
    };
    alerts.iter().map(one).collect::<Vec<_>>().into()
}

fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| NOT_YET.to_owned(), |time| time.to_string())
}

fn webhook(message: &Message, external_url: &str) -> Value {
    let alert = |told: &Told| {
        json!({
            "status": status(told.firing),
            "labels": told.notice.labels,
            "annotations": told.notice.annotations,
            "startsAt": time(told.notice.starts_ms),
            "endsAt": if told.firing { NOT_YET.to_owned() } else { time(told.notice.ends_ms) },
            "generatorURL": told.notice.generator,
            "fingerprint": format!("{:016x}", fingerprint(&told.notice.labels)),
        })
    };
    json!({
        "version": "4",
        "groupKey": message.group_key,
        "truncatedAlerts": message.left_out,
        "status": status(message.firing()),
        "receiver": message.integration,
        "groupLabels": message.group_labels,
        "commonLabels": message.common(|notice| &notice.labels),
        "commonAnnotations": message.common(|notice| &notice.annotations),
        "externalURL": external_url,
        "alerts": message.alerts.iter().map(alert).collect::<Vec<_>>(),
    })
}

fn status(firing: bool) -> &'static str {
    if firing { "firing" } else { "resolved" }
}

fn alerts_page(external_url: &str) -> String {
    format!("{}/live/alerts", external_url.trim_end_matches('/'))
}

fn slack(message: &Message, external_url: &str, channel: Option<&str>) -> Value {
    let shown: Vec<String> = message.alerts.iter().take(MAX_SHOWN).map(slack_text).collect();
    let mut text = shown.join("\n");
    let more = message.alerts.len().saturating_sub(MAX_SHOWN) + message.left_out;
    if more > 0 {
        text.push_str(&format!("\n… and {more} more"));
    }
    let title = slack_escaped(&message.title());
    let mut body = json!({
        "attachments": [{
            "color": if message.firing() { "danger" } else { "good" },
            "fallback": title,
            "title": title,
            "title_link": alerts_page(external_url),
            "text": text,
            "mrkdwn_in": ["text"],
        }],
    });
    if let Some(channel) = channel {
        body["channel"] = channel.into();
    }
    body
}

fn slack_text(told: &Told) -> String {
    let annotation = |name: &str| told.notice.annotations.get(name).filter(|text| !text.is_empty());
    let words = annotation("summary")
        .or_else(|| annotation("description"))
        .or_else(|| annotation("message"));
    let words = words.map_or_else(
        || told.notice.labels.get("alertname").cloned().unwrap_or_default(),
        Clone::clone,
    );
    let labels: Vec<String> = told
        .notice
        .labels
        .iter()
        .filter(|(name, _)| *name != "alertname")
        .map(|(name, value)| format!("`{}={}`", slack_escaped(name), slack_escaped(value)))
        .collect();
    let state = if told.firing { "firing" } else { "resolved" };
    let link = annotation("runbook_url").filter(|url| url.starts_with("http"));
    let link = link.map(|url| format!(" <{}|runbook>", slack_escaped(url))).unwrap_or_default();
    cut(&format!("*{state}* {} {}{link}", slack_escaped(&words), labels.join(" ")), MAX_TEXT)
}

/// Slack gives `<`, `>` and `&` a meaning.
fn slack_escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// One incident for each group: the same `dedup_key` triggers, updates and resolves it.
fn pagerduty(message: &Message, external_url: &str, routing_key: &str) -> Value {
    let key = super::fnv(format!("{}\n{}", message.integration, message.group_key).bytes());
    let dedup_key = format!("loggia-{key:016x}");
    if !message.firing() {
        return json!({ "routing_key": routing_key, "event_action": "resolve", "dedup_key": dedup_key });
    }
    let common = message.common(|notice| &notice.labels);
    let first = |names: &[&str]| names.iter().find_map(|name| common.get(*name)).cloned();
    let summary = message.common(|notice| &notice.annotations).get("summary").cloned();
    let summary =
        summary.map_or_else(|| message.title(), |text| format!("{} {text}", message.title()));
    let details: Map<String, Value> = message
        .alerts
        .iter()
        .take(MAX_SHOWN)
        .enumerate()
        .map(|(nth, told)| {
            let alert = json!({
                "status": status(told.firing),
                "labels": told.notice.labels,
                "annotations": told.notice.annotations,
                "value": told.notice.value.to_string(),
                "since": time(told.notice.starts_ms),
            });
            (format!("alert {}", nth + 1), alert)
        })
        .collect();
    let mut payload = json!({
        "summary": cut(&summary, MAX_SUMMARY - 1),
        "source": first(&["instance", "service", "job"]).unwrap_or_else(|| "loggia".to_owned()),
        "severity": severity(message),
        "custom_details": details,
    });
    let since =
        message.alerts.iter().filter(|told| told.firing).map(|told| told.notice.starts_ms).min();
    payload["timestamp"] = since.map(time).into();
    for (field, names) in [
        ("component", ["service", "job"]),
        ("group", ["cluster", "environment"]),
        ("class", ["alertname", "alertname"]),
    ] {
        if let Some(value) = first(&names) {
            payload[field] = value.into();
        }
    }
    json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": dedup_key,
        "payload": payload,
        "client": "Loggia",
        "client_url": alerts_page(external_url),
    })
}

/// PagerDuty knows four severities; the worst of what fires counts, and an error where nothing is said.
fn severity(message: &Message) -> &'static str {
    let level = |told: &Told| match told
        .notice
        .labels
        .get("severity")
        .map(|text| text.to_lowercase())
        .as_deref()
    {
        Some("critical" | "page" | "fatal" | "emergency" | "p1") => 3,
        Some("warning" | "warn" | "ticket" | "minor" | "p3") => 1,
        Some("info" | "notice" | "none" | "debug" | "p4" | "p5") => 0,
        _ => 2,
    };
    let worst = message.alerts.iter().filter(|told| told.firing).map(level).max().unwrap_or(2);
    ["info", "warning", "error", "critical"][worst]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn told(labels: &[(&str, &str)], firing: bool) -> Told {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        Told {
            firing,
            notice: Notice {
                rule: "r".to_owned(),
                labels: map(labels),
                annotations: map(&[("summary", "<slow> & late")]),
                value: f64::NAN,
                starts_ms: 1_000,
                ends_ms: 61_000,
                generator: "http://l/live/alerts?query=up".to_owned(),
            },
        }
    }

    fn message(alerts: Vec<Told>) -> Message {
        Message {
            integration: "slack/a".to_owned(),
            group_key: "{}:{alertname=\"Slow\"}".to_owned(),
            group_labels: BTreeMap::from([("alertname".to_owned(), "Slow".to_owned())]),
            made_ms: 2_000,
            alerts,
            left_out: 0,
        }
    }

    #[test]
    fn a_webhook_reads_what_alertmanager_sends() {
        let both = message(vec![
            told(&[("alertname", "Slow"), ("job", "a")], true),
            told(&[("alertname", "Slow"), ("job", "b")], false),
        ]);
        let body = webhook(&both, "http://l");
        assert_eq!(body["version"], "4");
        assert_eq!(body["status"], "firing");
        assert_eq!(body["commonLabels"], json!({ "alertname": "Slow" }));
        assert_eq!(body["groupKey"], "{}:{alertname=\"Slow\"}");
        let (first, second) = (&body["alerts"][0], &body["alerts"][1]);
        assert_eq!(
            (&first["startsAt"], &first["endsAt"]),
            (&json!("1970-01-01T00:00:01Z"), &json!(NOT_YET))
        );
        assert_eq!(
            (&second["status"], &second["endsAt"]),
            (&json!("resolved"), &json!("1970-01-01T00:01:01Z"))
        );
        // As `model.LabelSet.Fingerprint` of Prometheus gives it.
        assert_eq!(fingerprint(&BTreeMap::new()), 0xcbf2_9ce4_8422_2325);
        assert_eq!(first["fingerprint"].as_str().map(str::len), Some(16));
    }

    #[test]
    fn pagerduty_gets_one_incident_for_a_group() {
        let page = |severity: &str, firing| {
            told(&[("alertname", "Slow"), ("severity", severity), ("service", "orders")], firing)
        };
        let trigger = pagerduty(
            &message(vec![page("warning", true), page("critical", true)]),
            "http://l/",
            "KEY",
        );
        assert_eq!(
            (&trigger["event_action"], &trigger["routing_key"]),
            (&json!("trigger"), &json!("KEY"))
        );
        assert_eq!(trigger["payload"]["severity"], "critical");
        assert_eq!(trigger["payload"]["source"], "orders");
        assert_eq!(trigger["client_url"], "http://l/live/alerts");
        let resolve = pagerduty(&message(vec![page("critical", false)]), "http://l", "KEY");
        assert_eq!(
            (&resolve["event_action"], &resolve["dedup_key"]),
            (&json!("resolve"), &trigger["dedup_key"])
        );
        for (word, expected) in
            [("page", "critical"), ("ticket", "warning"), ("info", "info"), ("odd", "error")]
        {
            assert_eq!(severity(&message(vec![page(word, true)])), expected);
        }
    }

    #[test]
    fn slack_gets_text_without_signs_of_its_own() {
        let body = slack(
            &message(vec![told(&[("alertname", "Slow"), ("job", "a<b")], true)]),
            "http://l",
            Some("#ops"),
        );
        let attachment = &body["attachments"][0];
        assert_eq!((&body["channel"], &attachment["color"]), (&json!("#ops"), &json!("danger")));
        assert_eq!(attachment["title"], "[FIRING:1] Slow (job=a&lt;b)");
        assert_eq!(attachment["text"], "*firing* &lt;slow&gt; &amp; late `job=a&lt;b`");
        let many = message((0..25).map(|n| told(&[("n", &n.to_string())], true)).collect());
        let text =
            slack(&many, "http://l", None)["attachments"][0]["text"].as_str().map(str::to_owned);
        assert!(text.is_some_and(|text| text.ends_with("… and 5 more")));
    }

    #[test]
    fn alertmanager_gets_times_and_where_it_comes_from() {
        let body = alertmanager(&[told(&[("alertname", "Slow")], true).notice]);
        assert_eq!(body[0]["endsAt"], "1970-01-01T00:01:01Z");
        assert_eq!(body[0]["generatorURL"], "http://l/live/alerts?query=up");
    }

    #[test]
    fn what_waits_on_disk_reads_back() {
        let message = message(vec![told(&[("alertname", "Slow")], true)]);
        let text = serde_json::to_string(&message).expect("messages are plain data");
        let back: Message = serde_json::from_str(&text).expect("what was written can be read");
        assert!(back.alerts[0].notice.value.is_nan());
        assert_eq!(back.group_key, message.group_key);
    }
}
