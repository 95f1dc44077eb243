//! What is told: a group of alerts at one moment. Written to disk as JSON while it waits.

use super::fnv;
use crate::rules::notice::Notice;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Alerts that one message names at most; of more the number is said.
pub(super) const MAX_ALERTS: usize = 500;

/// A message to one receiver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Message {
    /// The receiver.
    pub(super) integration: String,
    /// Names the group, the same in each message about it.
    pub(super) group_key: String,
    /// The labels by which it was made.
    pub(super) group_labels: BTreeMap<String, String>,
    /// When it was made, milliseconds since 1970.
    pub(super) made_ms: i64,
    pub(super) alerts: Vec<Told>,
    /// Alerts that had no room.
    pub(super) left_out: usize,
}

/// An alert in a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) firing: bool,
    #[serde(flatten)]
    pub(super) notice: Notice,
}

impl Message {
    pub(super) fn firing(&self) -> bool {
        self.alerts.iter().any(|alert| alert.firing)
    }

    /// What all of them say alike.
    pub(super) fn common(
        &self,
        of: fn(&Notice) -> &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let mut alerts = self.alerts.iter().map(|alert| of(&alert.notice));
        let mut common = alerts.next().cloned().unwrap_or_default();
        for other in alerts {
            common.retain(|name, value| other.get(name) == Some(value));
        }
        common
    }

    /// `[FIRING:2] Slow (service="orders")`.
    pub(super) fn title(&self) -> String {
        let firing = self.alerts.iter().filter(|alert| alert.firing).count();
        let state = if firing > 0 { format!("FIRING:{firing}") } else { "RESOLVED".to_owned() };
        let common = self.common(|notice| &notice.labels);
        let name = common.get("alertname").map_or("several alerts", String::as_str);
        let rest: Vec<String> = common
            .iter()
            .filter(|(label, _)| *label != "alertname")
            .map(|(label, value)| format!("{label}={value}"))
            .collect();
        if rest.is_empty() {
            format!("[{state}] {name}")
        } else {
            format!("[{state}] {name} ({})", rest.join(", "))
        }
    }
}

/// Sixteen digits that name a label set, as Prometheus's fingerprints do.
pub(super) fn fingerprint(labels: &BTreeMap<String, String>) -> u64 {
    let part = |text: &str| text.bytes().chain([0xff]).collect::<Vec<u8>>();
    fnv(labels.iter().flat_map(|(name, value)| [part(name), part(value)]).flatten())
}
