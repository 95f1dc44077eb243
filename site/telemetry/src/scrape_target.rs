//! Scraping one target, again and again.
//!
//! Started by the scraper. Keeps what it saw last, so that a series that vanishes gets its stale
//! marker at once and not after the look-back of five minutes.

use crate::exposition::{Exposition, parse_exposition};
use crate::fetch::Fetcher;
use crate::target::Pace;
use crate::{Backend, ScrapeOptions, StaticTarget, TargetHealth, TargetStatus};
use series::{Labels, LabelsBuilder, METRIC_NAME, Sample, stale_marker};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Samples that one scrape may give.
const MAX_SAMPLES: usize = 50_000;
/// What is asked for, the best first.
const ACCEPT: &str =
    "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
/// Series about the scrape itself.
const REPORTS: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// A series of the last scrape, by its text in the body.
struct Known {
    labels: Labels,
    scrape: u64,
    /// The target sets the times itself, so its absence says nothing.
    timed: bool,
}

/// How a scrape went.
struct Outcome {
    samples: usize,
    stored: usize,
    new_series: usize,
}

/// One target and what is known of it.
pub(crate) struct TargetLoop {
    backend: Arc<Backend>,
    fetcher: Fetcher,
    interval: Duration,
    status: TargetStatus,
    reports: [Labels; 5],
    known: HashMap<Box<str>, Known>,
    scrape: u64,
    last_ms: i64,
}

impl TargetLoop {
    pub(crate) fn new(
        backend: &Arc<Backend>,
        fetcher: &Fetcher,
        options: &ScrapeOptions,
        target: &StaticTarget,
    ) -> Self {
        let (url, labels, discovered) = target.resolve();
        let usual = Pace { interval: options.interval, timeout: options.timeout };
        let pace = target.pace(usual);
        let fetcher = match pace.timeout == usual.timeout {
            true => fetcher.with_access(&target.access),
            false => Fetcher::new(pace.timeout, options.body_bytes).with_access(&target.access),
        };
        let status = TargetStatus {
            url,
            labels: labels.clone(),
            discovered,
            health: TargetHealth::Unknown,
            last_error: String::new(),
            last_scrape_ms: None,
            last_duration_s: 0.0,
            last_samples: 0,
            interval_s: pace.interval.as_secs_f64(),
            timeout_s: pace.timeout.as_secs_f64(),
        };
        backend.scraped.set(status.clone());
        Self {
            backend: backend.clone(),
            fetcher,
            interval: pace.interval,
            status,
            reports: REPORTS.map(|name| labels.with(METRIC_NAME, name)),
            known: HashMap::new(),
            scrape: 0,
            last_ms: 0,
        }
    }

    /// Scrapes until `stop` is cancelled, then says that all its series are over.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let work = async {
            loop {
                ticks.tick().await;
                self.scrape().await;
            }
        };
        stop.run_until_cancelled(work).await;
        self.end();
    }

    async fn scrape(&mut self) {
        let (now_ms, began) = (self.moment(), Instant::now());
        self.scrape += 1;
        self.last_ms = now_ms;
        let fetched = self.fetcher.get(&self.status.url, &[("accept", ACCEPT)]).await;
        let outcome = match fetched {
            Err(error) => Err(error.to_string()),
            Ok(fetched) => {
                let open_metrics = fetched.content_type.starts_with("application/openmetrics-text");
                parse_exposition(&fetched.text, open_metrics)
                    .map_err(|error| error.to_string())
                    .and_then(|exposition| self.store(&exposition, now_ms))
            }
        };
        self.mark_vanished(now_ms);
        self.report(outcome, now_ms, began.elapsed());
    }

    /// The time of a scrape: after the one before, unless the clock was set back so far that its time
    /// would be refused.
    fn moment(&self) -> i64 {
        let now_ms = self.backend.now_ms();
        let ahead_ms = self.last_ms.saturating_sub(now_ms);
        if ahead_ms < self.backend.metrics.limits().ahead_ms {
            now_ms.max(self.last_ms + 1)
        } else {
            now_ms
        }
    }

    fn store(&mut self, exposition: &Exposition, now_ms: i64) -> Result<Outcome, String> {
        if exposition.samples.len() > MAX_SAMPLES {
            return Err(format!(
                "the target gives `{}` samples, more than {MAX_SAMPLES}",
                exposition.samples.len()
            ));
        }
        let (scrape, target) = (self.scrape, &self.status.labels);
        let mut exemplars = Vec::new();
        let mut batch = Vec::with_capacity(exposition.samples.len());
        for sample in &exposition.samples {
            if !self.known.contains_key(sample.series) {
                let labels = with_target(sample.labels(), target);
                self.known.insert(sample.series.into(), Known { labels, scrape, timed: false });
            }
            let known = self.known.get_mut(sample.series).expect("inserted above if need be");
            known.scrape = scrape;
            known.timed = sample.timestamp_ms.is_some();
            if let Some(exemplar) = &sample.exemplar {
                exemplars.push((known.labels.clone(), exemplar));
            }
            batch.push((
                known.labels.clone(),
                Sample { t: sample.timestamp_ms.unwrap_or(now_ms), v: sample.value },
            ));
        }
        let stored = self
            .backend
            .append_samples(now_ms, batch.iter().map(|(labels, sample)| (labels, *sample)));
        let refused = stored.out_of_order + stored.refused;
        if let Some(error) = stored.first_error.filter(|_| refused > 0) {
            tracing::debug!(url = self.status.url, refused, %error, "samples were refused");
        }
        self.backend.append_exemplars(now_ms, exemplars.iter().map(|(l, e)| (l, *e)));
        self.backend.counters.samples_rejected.add(refused as u64);
        self.backend.learn_metadata(&exposition.metadata);
        Ok(Outcome {
            samples: batch.len(),
            stored: stored.appended + stored.known,
            new_series: stored.new_series,
        })
    }

    /// Series that the last scrape did not give are over; when it failed, that is all of them.
    fn mark_vanished(&mut self, now_ms: i64) {
        let scrape = self.scrape;
        let vanished: Vec<_> = self.known.extract_if(|_, known| known.scrape != scrape).collect();
        let marker = Sample { t: now_ms, v: stale_marker() };
        let over = vanished
            .iter()
            .filter(|(_, known)| !known.timed)
            .map(|(_, known)| (&known.labels, marker));
        self.backend.append_samples(now_ms, over);
    }

    fn report(&mut self, outcome: Result<Outcome, String>, now_ms: i64, took: Duration) {
        let counters = &self.backend.counters;
        let (health, error, outcome) = match outcome {
            Ok(outcome) => (TargetHealth::Up, String::new(), outcome),
            Err(error) => {
                (TargetHealth::Down, error, Outcome { samples: 0, stored: 0, new_series: 0 })
            }
        };
        let up = health == TargetHealth::Up;
        if up { &counters.scrapes } else { &counters.scrapes_failed }.add(1);
        counters.samples.add(outcome.stored as u64);
        if health != self.status.health {
            let (job, instance) = (self.status.job(), self.status.instance());
            tracing::info!(job, instance, ?health, error, "scrape target changed");
        }
        let values = [
            f64::from(u8::from(up)),
            took.as_secs_f64(),
            outcome.samples as f64,
            outcome.samples as f64,
            outcome.new_series as f64,
        ];
        let samples =
            self.reports.iter().zip(values).map(|(labels, v)| (labels, Sample { t: now_ms, v }));
        self.backend.append_samples(now_ms, samples);
        self.status = TargetStatus {
            health,
            last_error: error,
            last_scrape_ms: Some(now_ms),
            last_duration_s: took.as_secs_f64(),
            last_samples: outcome.samples,
            ..self.status.clone()
        };
        self.backend.scraped.set(self.status.clone());
    }

    fn end(&mut self) {
        let now_ms = self.moment();
        self.scrape += 1;
        self.mark_vanished(now_ms);
        let marker = Sample { t: now_ms, v: stale_marker() };
        let over = self.reports.iter().map(|labels| (labels, marker));
        self.backend.append_samples(now_ms, over);
        self.backend.scraped.remove(&self.status.labels);
    }
}

/// The target's labels win; the metric's own of the same name is kept as `exported_NAME`.
fn with_target<'a>(
    pairs: Vec<(std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>,
    target: &Labels,
) -> Labels {
    let mut labels = LabelsBuilder::new();
    for (name, value) in target.iter() {
        labels.set(name, value);
    }
    for (name, value) in pairs {
        let mut name = name.into_owned();
        while labels.get(&name).is_some() && !value.is_empty() {
            name.insert_str(0, "exported_");
        }
        if !value.is_empty() {
            labels.set(name, &*value);
        }
    }
    labels.build()
}
