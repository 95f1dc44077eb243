//! What rules tell notifiers about an alert.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An alert as it is to be told; times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notice {
    /// The rule that made it: file, group and name.
    pub(crate) rule: String,
    /// Its labels, those of this server among them.
    pub(crate) labels: BTreeMap<String, String>,
    /// Its annotations.
    pub(crate) annotations: BTreeMap<String, String>,
    /// What its query gave last. JSON has neither NaN nor infinity, so it is written as text.
    #[serde(with = "float")]
    pub(crate) value: f64,
    /// Since when it fires.
    pub(crate) starts_ms: i64,
    /// When it is over, unless it is told again.
    pub(crate) ends_ms: i64,
    /// Where its rule is shown.
    pub(crate) generator: String,
}

/// Who hears of alerts.
pub(crate) trait Hears: Send + Sync {
    /// Alerts that fire or are over, told at `now_ms`.
    fn hear(&self, now_ms: i64, notices: Vec<Notice>);

    /// All alerts of a rule that are pending or firing at `now_ms`, by their labels: what else was told of
    /// this rule is over. Said when a rule has read back its state, and when it is gone.
    fn only(&self, now_ms: i64, rule: &str, active: &[BTreeMap<String, String>]);
}

mod float {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(v: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(v)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
