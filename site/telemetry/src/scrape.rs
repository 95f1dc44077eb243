//! The scraper: which targets there are, and a task for each. Each discovery URL has a task of its own
//! too, so that none waits for another, and no target for any of them.
//!
//! `loggia` starts it with the configured targets and discovery URLs; what it fetches is appended to
//! the backend's metrics, and how it went is told by the backend's list of targets.

use crate::discovery::{MAX_TARGETS, discover};
use crate::fetch::Fetcher;
use crate::scrape_target::TargetLoop;
use crate::{Backend, StaticTarget, task};
use series::Labels;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Time between looks at a discovery URL that has not answered yet.
const FIRST_REFRESH: Duration = Duration::from_millis(200);
/// Bytes of a list of targets.
const MAX_DISCOVERY_BYTES: usize = 4 * 1024 * 1024;

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

impl ScrapeOptions {
    /// Time between scrapes unless configured otherwise.
    pub const INTERVAL: Duration = Duration::from_secs(1);
    /// The longest time between scrapes: a sample holds for five minutes, and one scrape may be lost.
    pub const INTERVAL_MAX: Duration = Duration::from_secs(120);
    /// Time after which a scrape is given up unless configured otherwise.
    pub const TIMEOUT: Duration = Duration::from_millis(900);
    /// The longest time to wait unless configured otherwise.
    const TIMEOUT_USUAL: Duration = Duration::from_secs(10);
    /// Time between looks at the discovery URLs unless configured otherwise.
    pub const REFRESH: Duration = Duration::from_secs(1);
    /// Bytes of a body unless configured otherwise.
    pub const BODY_BYTES: usize = 10 * 1024 * 1024;
}

impl ScrapeOptions {
    /// Time after which a scrape is given up where only its interval is known: nine tenths of it, 10 s at most.
    pub fn timeout_for(interval: Duration) -> Duration {
        (interval * 9 / 10).min(Self::TIMEOUT_USUAL)
    }
}

impl Default for ScrapeOptions {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            discovery: Vec::new(),
            interval: Self::INTERVAL,
            timeout: Self::TIMEOUT,
            refresh: Self::REFRESH,
            body_bytes: Self::BODY_BYTES,
        }
    }
}

/// Lists of targets that wait for the scraper.
const LISTS: usize = 8;

/// Scrapes until cancelled. Targets come and go with what the discovery URLs list; while a URL does
/// not answer, what it listed last stays.
pub async fn run_scraper(backend: Arc<Backend>, options: ScrapeOptions, cancel: CancellationToken) {
    let fetcher = Fetcher::new(options.timeout, options.body_bytes);
    let (lists, mut listing) = mpsc::channel(LISTS);
    for (index, url) in options.discovery.iter().enumerate() {
        let source = Source {
            url: url.clone(),
            fetcher: Fetcher::new(options.timeout, MAX_DISCOVERY_BYTES),
            refresh: options.refresh,
            lists: lists.clone(),
            index,
        };
        task::spawn("discovery", cancel.clone(), source.run());
    }
    drop(lists);
    let mut listed: Vec<Vec<StaticTarget>> = vec![Vec::new(); options.discovery.len()];
    let mut running = Running::new();
    loop {
        let wanted = options.targets.iter().chain(listed.iter().flatten()).take(MAX_TARGETS);
        reconcile(
            &mut running,
            wanted,
            |target| TargetLoop::new(&backend, &fetcher, &options, target),
            &cancel,
        );
        tokio::select! {
            () = cancel.cancelled() => return,
            Some((index, targets)) = listing.recv() => listed[index] = targets,
            // Without a discovery URL nothing changes any more.
            else => return cancel.cancelled().await,
        }
    }
}

/// A discovery URL that is asked again and again.
struct Source {
    url: String,
    fetcher: Fetcher,
    refresh: Duration,
    lists: mpsc::Sender<(usize, Vec<StaticTarget>)>,
    index: usize,
}

impl Source {
    async fn run(self) {
        let (mut pause, mut failing) = (FIRST_REFRESH.min(self.refresh), false);
        loop {
            match discover(&self.fetcher, &self.url).await {
                Ok(targets) => {
                    (pause, failing) = (self.refresh, false);
                    if self.lists.send((self.index, targets)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::info!(url = self.url, %error, "no list of scrape targets yet");
                    }
                }
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// The targets that are scraped: how to stop each, by URL and labels.
type Running = HashMap<(String, Labels), CancellationToken>;

/// Starts what is new and stops what is gone. Of two targets with the same labels the first counts:
/// their series would be the same ones.
fn reconcile<'a>(
    running: &mut Running,
    wanted: impl Iterator<Item = &'a StaticTarget>,
    start: impl Fn(&StaticTarget) -> TargetLoop,
    cancel: &CancellationToken,
) {
    let mut gone = std::mem::take(running);
    let mut taken = std::collections::HashSet::new();
    for target in wanted {
        let (url, labels, _) = target.resolve();
        if !taken.insert(labels.clone()) {
            continue;
        }
        let key = (url, labels);
        let stop = gone.remove(&key).unwrap_or_else(|| {
            let stop = cancel.child_token();
            task::spawn("scrape", cancel.clone(), start(target).run(stop.clone()));
            stop
        });
        running.insert(key, stop);
    }
    gone.into_values().for_each(|stop| stop.cancel());
}
