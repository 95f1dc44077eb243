//! What `book.toml` says of rules and of who is told of alerts.
//!
//! `config` hands in its table, `loggia` reads the rule files and tells the receivers. Secrets stay where
//! they are: here stands only where they can be found.

use crate::config::Reader;
use diagnostics::Code;
use std::collections::BTreeMap;

/// Units of a duration, milliseconds.
const DURATIONS: [(&str, i64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const ALERTS: &[&str] = &[
    "evaluation-interval",
    "query-offset",
    "objectives",
    "external-url",
    "external-labels",
    "group-by",
    "group-wait",
    "group-interval",
    "repeat-interval",
    "outage-tolerance",
    "grace-period",
    "resend-delay",
    "slack",
    "pagerduty",
    "webhook",
];
const RECEIVER: &[&str] =
    &["url", "url-file", "key", "key-file", "match", "match-re", "send-resolved", "channel"];

/// `output.loggia.rules` and `[output.loggia.alerts]`; durations are milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertConfig {
    /// Rule files from the folder of `book.toml` on; `*` and `?` stand for characters of a name.
    pub rules: Vec<String>,
    /// Whether the burn rates of objectives raise no alerts here (`objectives = false`), for instance because
    /// another Prometheus raises them.
    pub without_objectives: bool,
    /// Time between evaluations of a group that says none.
    pub evaluation_interval_ms: Option<i64>,
    /// Time before its own at which a group looks that says none.
    pub query_offset_ms: Option<i64>,
    /// Where the server can be reached by those who read notifications.
    pub external_url: Option<String>,
    /// Labels that every alert gets when it is told.
    pub external_labels: BTreeMap<String, String>,
    /// Labels by which alerts are told together.
    pub group_by: Option<Vec<String>>,
    /// Time for which a new group waits for more.
    pub group_wait_ms: Option<i64>,
    /// Time between two messages of a group that changed.
    pub group_interval_ms: Option<i64>,
    /// Time after which what did not change is told again.
    pub repeat_interval_ms: Option<i64>,
    /// Longest stop after which an alert goes on as it was.
    pub outage_tolerance_ms: Option<i64>,
    /// Least time between a start and an alert that was pending before.
    pub grace_period_ms: Option<i64>,
    /// Time after which a firing alert is told again to the notifier and to Alertmanager.
    pub resend_delay_ms: Option<i64>,
    /// Who is told.
    pub receivers: Vec<ReceiverConfig>,
}

/// `[output.loggia.alerts.KIND.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverConfig {
    /// How.
    pub kind: ReceiverKind,
    /// The author's name for it.
    pub name: String,
    /// Where to; PagerDuty has an address of its own.
    pub url: Option<SecretPlace>,
    /// PagerDuty's routing key, or a webhook's token.
    pub key: Option<SecretPlace>,
    /// Labels that an alert must have, with their values.
    pub matches: BTreeMap<String, String>,
    /// Labels that an alert must have, with regular expressions for the whole value.
    pub matches_re: BTreeMap<String, String>,
    /// Whether it hears of alerts that are over.
    pub send_resolved: bool,
    /// Slack's channel.
    pub channel: Option<String>,
}

/// Kinds of receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiverKind {
    /// `slack`: an incoming webhook.
    Slack,
    /// `pagerduty`: Events API v2.
    PagerDuty,
    /// `webhook`: the JSON of Alertmanager's.
    Webhook,
}

impl ReceiverKind {
    /// As in `book.toml`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::PagerDuty => "pagerduty",
            Self::Webhook => "webhook",
        }
    }
}

/// Where a secret is.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// A text in which `${NAME}` stands for a variable of the environment.
    Text(String),
    /// A file, from the folder of `book.toml` on.
    File(String),
}

/// Never the text.
impl std::fmt::Debug for SecretPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Secret"),
            Self::File(path) => write!(f, "Secret in {path}"),
        }
    }
}

/// `30s`, `5m`, `4h` as milliseconds. An error says in words what is expected.
fn parse_duration(text: &str) -> Result<i64, String> {
    let help = "expected a whole number and ms, s, m, h or d, for instance 30s";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, ms) = DURATIONS.iter().find(|(name, _)| *name == unit).ok_or(help)?;
    let number: i64 = number.parse().map_err(|_| help)?;
    number.checked_mul(*ms).ok_or_else(|| help.to_owned())
}

impl Reader<'_, '_, '_> {
    /// What the table of `[output.loggia]` says.
    pub(crate) fn alerts(&mut self) -> AlertConfig {
        let mut config = AlertConfig { rules: self.texts("rules"), ..AlertConfig::default() };
        let Some(mut alerts) = Reader::below(self.table, "alerts", self.findings) else {
            return config;
        };
        alerts.known(ALERTS);
        config.evaluation_interval_ms =
            alerts.span_of_time("evaluation-interval").filter(|ms| *ms > 0);
        config.without_objectives = alerts.flag("objectives") == Some(false);
        config.query_offset_ms = alerts.span_of_time("query-offset");
        config.group_wait_ms = alerts.span_of_time("group-wait");
        config.group_interval_ms = alerts.span_of_time("group-interval").map(|ms| ms.max(1));
        config.repeat_interval_ms = alerts.span_of_time("repeat-interval");
        config.outage_tolerance_ms = alerts.span_of_time("outage-tolerance");
        config.grace_period_ms = alerts.span_of_time("grace-period");
        config.resend_delay_ms = alerts.span_of_time("resend-delay");
        config.external_url = alerts.text("external-url");
        config.external_labels = alerts.pairs("external-labels");
        config.group_by = alerts.has("group-by").then(|| alerts.texts("group-by"));
        for kind in [ReceiverKind::Slack, ReceiverKind::PagerDuty, ReceiverKind::Webhook] {
            let receivers = &mut config.receivers;
            alerts.tables(kind.word(), "receiver", |name, receiver| {
                receivers.extend(receiver.receiver(kind, name));
            });
        }
        config
    }

    fn span_of_time(&mut self, key: &str) -> Option<i64> {
        self.parsed(key, parse_duration)
    }

    /// A table of texts.
    fn pairs(&mut self, key: &str) -> BTreeMap<String, String> {
        let mut pairs = BTreeMap::new();
        let Some(mut table) = Reader::below(self.table, key, self.findings) else { return pairs };
        for (name, _) in table.table.iter() {
            let name: &str = name.get_ref();
            pairs.extend(table.text(name).map(|text| (name.to_owned(), text)));
        }
        pairs
    }

    fn receiver(&mut self, kind: ReceiverKind, name: String) -> Option<ReceiverConfig> {
        self.known(RECEIVER);
        let url = self.secret("url", "url-file");
        let key = self.secret("key", "key-file");
        let (missing, example) = match (kind, &url, &key) {
            (ReceiverKind::Slack | ReceiverKind::Webhook, None, _) => ("url", "https://..."),
            (ReceiverKind::PagerDuty, _, None) => ("key", "${PAGERDUTY_KEY}"),
            _ => {
                return Some(ReceiverConfig {
                    kind,
                    name,
                    url,
                    key,
                    matches: self.pairs("match"),
                    matches_re: self.pairs("match-re"),
                    send_resolved: self.flag("send-resolved").unwrap_or(true),
                    channel: self.text("channel"),
                });
            }
        };
        let message = format!("`{}` of `{}` has no `{missing}`", name, kind.word());
        let help = format!(
            "write `{missing} = \"{example}\"`, or `{missing}-file` with the name of a file that holds it"
        );
        self.report(Code::Receiver, message, help);
        None
    }

    fn secret(&mut self, key: &str, in_file: &str) -> Option<SecretPlace> {
        match (self.text(key), self.text(in_file)) {
            (Some(_), Some(_)) => {
                self.report(
                    Code::Receiver,
                    format!("there are both `{key}` and `{in_file}`"),
                    "leave one of them out",
                );
                None
            }
            (Some(text), None) => Some(SecretPlace::Text(text)),
            (None, Some(path)) => Some(SecretPlace::File(path)),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use diagnostics::SourceFile;

    const WHOLE: &str = r##"
[output.loggia]
rules = ["rules/*.yml"]
[output.loggia.alerts]
group-by = ["..."]
group-wait = "10s"
repeat-interval = "4h"
external-labels = { cluster = "eu" }
[output.loggia.alerts.slack.ops]
url = "${SLACK_URL}"
channel = "#ops"
match-re = { severity = "page|critical" }
[output.loggia.alerts.pagerduty.night]
key-file = "secrets/key"
send-resolved = false
"##;

    #[test]
    fn receivers_are_read_and_their_secrets_stay_unseen() {
        let (config, found) = Config::parse(&SourceFile::new("book.toml", WHOLE));
        assert_eq!(found, []);
        let alerts = config.alerts;
        assert_eq!(
            (alerts.group_wait_ms, alerts.repeat_interval_ms),
            (Some(10_000), Some(14_400_000))
        );
        assert_eq!(alerts.external_labels["cluster"], "eu");
        let [slack, pagerduty] = alerts.receivers.as_slice() else {
            panic!("{:?}", alerts.receivers)
        };
        assert_eq!((slack.kind, slack.send_resolved), (ReceiverKind::Slack, true));
        assert_eq!(slack.matches_re["severity"], "page|critical");
        assert_eq!(pagerduty.key, Some(SecretPlace::File("secrets/key".to_owned())));
        assert!(!pagerduty.send_resolved && pagerduty.url.is_none());
        assert!(!format!("{slack:?}").contains("SLACK_URL"));
    }

    #[test]
    fn mistakes_have_places() {
        for (text, line, code, message) in [
            (
                "[output.loggia.alerts]\ngroup-wait = \"soon\"\n",
                2,
                Code::Config,
                "cannot be `soon`",
            ),
            (
                "[output.loggia.alerts]\ngroup-wiat = \"1s\"\n",
                2,
                Code::Config,
                "no key `group-wiat`",
            ),
            ("[output.loggia.alerts.slack.a]\n", 1, Code::Receiver, "has no `url`"),
            (
                "[output.loggia.alerts.pagerduty.a]\nurl = \"x\"\n",
                1,
                Code::Receiver,
                "has no `key`",
            ),
            (
                "[output.loggia.alerts.webhook.a]\nurl = \"x\"\nurl-file = \"y\"\n",
                1,
                Code::Receiver,
                "both",
            ),
        ] {
            let (_, found) = Config::parse(&SourceFile::new("book.toml", text));
            let first = found.first().unwrap_or_else(|| panic!("nothing found in {text}"));
            assert_eq!((first.line, first.code), (line, code), "{text}: {}", first.message);
            assert!(first.message.contains(message), "{text}: {}", first.message);
        }
    }
}
