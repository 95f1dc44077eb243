//! The scraper.

use crate::{Backend, StaticTarget};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What to scrape and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrapeOptions {
    /// Targets by configuration.
    pub targets: Vec<StaticTarget>,
    /// URLs that list targets (Prometheus HTTP service discovery).
    pub discovery: Vec<String>,
    /// Time between scrapes of a target.
    pub interval: Duration,
    /// Time after which a scrape is given up.
    pub timeout: Duration,
    /// Time between looks at the discovery URLs.
    pub refresh: Duration,
    /// Bytes of a body, unpacked.
    pub body_bytes: usize,
}

impl Default for ScrapeOptions {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            discovery: Vec::new(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(900),
            refresh: Duration::from_secs(1),
            body_bytes: 10 * 1024 * 1024,
        }
    }
}

/// Scrapes until cancelled.
pub async fn run_scraper(backend: Arc<Backend>, options: ScrapeOptions, cancel: CancellationToken) {
    let _ = (backend, options);
    cancel.cancelled().await;
}
