//! Scrape targets: what they are called and how their last scrape went.
//!
//! Discovery and configuration make them, the scraper reports on them, the Prometheus API and pages
//! list them.

use crate::rules::durations::parse_duration;
use crate::{Access, ScrapeOptions};
use serde::Serialize;
use series::Labels;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// The job of targets that name none.
const UNNAMED_JOB: &str = "scrape";

/// A target that the configuration names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StaticTarget {
    /// `host:port`.
    pub address: String,
    /// Labels for all its series: `job`, `instance` and so on. `__scheme__`, `__metrics_path__` and
    /// `__param_NAME` mean what they mean in Prometheus, and so do `__scrape_interval__` and
    /// `__scrape_timeout__`.
    pub labels: BTreeMap<String, String>,
    /// Who asks, and whom to trust.
    pub access: Access,
}

impl StaticTarget {
    /// The URL to fetch, the labels of the series and the labels as discovered.
    pub(crate) fn resolve(&self) -> (String, Labels, Labels) {
        let given = |name: &str, otherwise: &str| {
            self.labels.get(name).cloned().unwrap_or_else(|| otherwise.to_owned())
        };
        let address = given("__address__", &self.address);
        let (scheme, path) = (given("__scheme__", "http"), given("__metrics_path__", "/metrics"));
        let parameters: Vec<_> = self
            .labels
            .iter()
            .filter_map(|(name, value)| Some(format!("{}={value}", name.strip_prefix("__param_")?)))
            .collect();
        let query = if parameters.is_empty() {
            String::new()
        } else {
            format!("?{}", parameters.join("&"))
        };
        let url = format!("{scheme}://{address}{path}{query}");

        let mut discovered = self.labels.clone();
        discovered.insert("__address__".to_owned(), address.clone());
        discovered.insert("__scheme__".to_owned(), scheme);
        discovered.insert("__metrics_path__".to_owned(), path);
        let mut labels = self.labels.clone();
        labels.retain(|name, _| !name.starts_with("__"));
        labels.entry("job".to_owned()).or_insert_with(|| UNNAMED_JOB.to_owned());
        labels.entry("instance".to_owned()).or_insert(address);
        (url, Labels::from_pairs(labels), Labels::from_pairs(discovered))
    }
}

/// How often a target is asked, and how long is waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
}

impl StaticTarget {
    /// As its labels say, otherwise `usual`. Nothing is asked more often than [`ScrapeOptions::INTERVAL`] or more seldom
    /// than [`ScrapeOptions::INTERVAL_MAX`], and nothing is waited for beyond the next scrape.
    pub(crate) fn pace(&self, usual: Pace) -> Pace {
        let said = |name: &str| {
            let ms = parse_duration(self.labels.get(name)?).ok()?;
            u64::try_from(ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis)
        };
        let (interval, timeout) = (said("__scrape_interval__"), said("__scrape_timeout__"));
        let own = interval.is_some_and(|interval| interval != usual.interval);
        let interval = interval
            .unwrap_or(usual.interval)
            .clamp(ScrapeOptions::INTERVAL.min(usual.interval), ScrapeOptions::INTERVAL_MAX);
        let usual = if own { ScrapeOptions::timeout_for(interval) } else { usual.timeout };
        Pace { interval, timeout: timeout.map_or(usual, |said| said.min(interval)) }
    }
}

/// Whether a target answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetHealth {
    /// Not yet scraped.
    Unknown,
    /// The last scrape worked.
    Up,
    /// The last scrape failed.
    Down,
}

/// A target and how its last scrape went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetStatus {
    /// What is fetched.
    pub url: String,
    /// The labels of its series.
    pub labels: Labels,
    /// The labels as they were discovered, `__address__` and the like among them.
    pub discovered: Labels,
    /// Whether it answers.
    pub health: TargetHealth,
    /// Why the last scrape failed; `` when it worked.
    pub last_error: String,
    /// When the last scrape began, milliseconds since 1970.
    pub last_scrape_ms: Option<i64>,
    /// How long the last scrape took, seconds.
    pub last_duration_s: f64,
    /// How many samples it gave.
    pub last_samples: usize,
    /// Seconds between scrapes.
    pub interval_s: f64,
    /// Seconds after which a scrape is given up.
    pub timeout_s: f64,
}

impl TargetStatus {
    /// `job`, or ``.
    pub fn job(&self) -> &str {
        self.labels.value("job")
    }

    /// `instance`, or ``.
    pub fn instance(&self) -> &str {
        self.labels.value("instance")
    }
}

/// The targets that are scraped, by their labels.
#[derive(Debug, Default)]
pub(crate) struct Targets(RwLock<BTreeMap<Labels, TargetStatus>>);

impl Targets {
    pub(crate) fn list(&self) -> Vec<TargetStatus> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Seconds between scrapes of the target that is asked most seldom.
    pub(crate) fn longest_interval_s(&self) -> Option<f64> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.values().map(|target| target.interval_s).max_by(f64::total_cmp)
    }

    pub(crate) fn set(&self, status: TargetStatus) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(status.labels.clone(), status);
    }

    pub(crate) fn remove(&self, labels: &Labels) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(labels);
    }
}
