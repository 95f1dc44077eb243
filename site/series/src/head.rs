//! The in-memory store of recent samples.
//!
//! Scrapes and received metrics are appended from any thread; `promql` and the HTTP API read through
//! [`Storage`]. Appending to a known series takes the index's read lock and that series' own lock, so scrapes of
//! different targets do not wait for each other.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::index::{Index, MemorySeries};
use crate::label::Labels;
use crate::limits::{AppendError, Limits};
use crate::matcher::Matcher;
use crate::memory::Appended;
use crate::sample::Sample;
use crate::storage::{SeriesData, Storage};

/// Room that a series takes beside its labels and chunks: entries of the index, locks, counters. Estimated.
const SERIES_OVERHEAD: usize = 400;
/// In how many slices the oldest part is given up when the bytes are over their limit.
const EVICTION_SLICES: i64 = 16;

/// An in-memory store: all methods take `&self` and may be called from any thread.
#[derive(Debug)]
pub struct Head {
    limits: Limits,
    index: RwLock<Index>,
    counters: Counters,
}

#[derive(Debug)]
struct Counters {
    samples: AtomicUsize,
    bytes: AtomicUsize,
    /// Samples before this time are refused: what was there is already dropped.
    oldest: AtomicI64,
    appended: AtomicU64,
    out_of_order: AtomicU64,
    refused: AtomicU64,
}

/// What a head holds and what it did so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Series held.
    pub series: usize,
    /// Samples held.
    pub samples: usize,
    /// Bytes that labels and chunks take, estimated.
    pub bytes: usize,
    /// Time of the oldest sample held, milliseconds since 1970.
    pub oldest_ms: Option<i64>,
    /// Time of the newest sample held, milliseconds since 1970.
    pub newest_ms: Option<i64>,
    /// Samples stored since the start.
    pub appended_total: u64,
    /// Samples refused because they were not in the order of time.
    pub out_of_order_total: u64,
    /// Samples refused by a limit.
    pub refused_total: u64,
}

/// How the samples of one scrape fared.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScrapeOutcome {
    /// Samples stored.
    pub appended: usize,
    /// Samples that were there already, with the same time and value.
    pub known: usize,
    /// Samples refused because they were not in the order of time.
    pub out_of_order: usize,
    /// Samples refused by a limit.
    pub refused: usize,
    /// Series that this scrape added.
    pub new_series: usize,
    /// The first refusal, for the log.
    pub first_error: Option<AppendError>,
}

impl Head {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        let counters = Counters {
            samples: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            oldest: AtomicI64::new(i64::MIN),
            appended: AtomicU64::new(0),
            out_of_order: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        };
        Head { limits, index: RwLock::default(), counters }
    }

    /// The limits it was made with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Stores `v` at `t` (milliseconds since 1970) in the series `labels`, which is added if it is new.
    ///
    /// Within a series times must ascend; the very same sample again is accepted and changes nothing. The caller
    /// vouches for the time: what others sent comes in through [`Head::append_scrape`], which bounds it.
    pub fn append(&self, labels: &Labels, t: i64, v: f64) -> Result<(), AppendError> {
        let mut outcome = ScrapeOutcome::default();
        self.append_one(labels, Sample { t, v }, i64::MAX, &mut outcome)
    }

    /// Stores the samples of one scrape that ended at `now_ms`. A refused sample does not keep the others out; refused
    /// are also samples further ahead than [`Limits::ahead_ms`].
    pub fn append_scrape<'a>(
        &self,
        now_ms: i64,
        samples: impl IntoIterator<Item = (&'a Labels, Sample)>,
    ) -> ScrapeOutcome {
        let latest = now_ms.saturating_add(self.limits.ahead_ms);
        let mut outcome = ScrapeOutcome::default();
        for (labels, sample) in samples {
            if let Err(error) = self.append_one(labels, sample, latest, &mut outcome) {
                outcome.first_error.get_or_insert(error);
            }
        }
        outcome
    }

    fn append_one(
        &self,
        labels: &Labels,
        sample: Sample,
        latest: i64,
        outcome: &mut ScrapeOutcome,
    ) -> Result<(), AppendError> {
        let result = if sample.t > latest {
            Err(AppendError::TooNew { t: sample.t, latest })
        } else {
            self.store(labels, sample, outcome)
        };
        match &result {
            Ok(Appended::New(_)) => {
                outcome.appended += 1;
                self.counters.appended.fetch_add(1, Relaxed);
            }
            Ok(Appended::Known) => outcome.known += 1,
            Err(
                AppendError::OutOfOrder { .. }
                | AppendError::Duplicate { .. }
                | AppendError::TooOld { .. },
            ) => {
                outcome.out_of_order += 1;
                self.counters.out_of_order.fetch_add(1, Relaxed);
            }
            Err(_) => {
                outcome.refused += 1;
                self.counters.refused.fetch_add(1, Relaxed);
            }
        }
        result.map(|_| ())
    }

    fn store(
        &self,
        labels: &Labels,
        sample: Sample,
        outcome: &mut ScrapeOutcome,
    ) -> Result<Appended, AppendError> {
        let oldest = self.counters.oldest.load(Relaxed);
        if sample.t < oldest {
            return Err(AppendError::TooOld { t: sample.t, oldest });
        }
        // The read lock is held while the sample goes in, so that `truncate` cannot remove the series meanwhile.
        if let Some(series) = self.read().get(labels) {
            return self.store_in(series, sample);
        }
        let mut index = self.write();
        if index.get(labels).is_none() {
            self.admit(&index, labels)?;
            let series = index.insert(labels);
            self.counters.bytes.fetch_add(series_bytes(series), Relaxed);
            outcome.new_series += 1;
        }
        self.store_in(index.get(labels).expect("it was just inserted"), sample)
    }

    fn store_in(&self, series: &MemorySeries, sample: Sample) -> Result<Appended, AppendError> {
        let appended = series.chunks().append(sample)?;
        if let Appended::New(grown) = appended {
            self.counters.samples.fetch_add(1, Relaxed);
            self.add_bytes(grown);
        }
        Ok(appended)
    }

    /// Whether a new series may come in.
    fn admit(&self, index: &Index, labels: &Labels) -> Result<(), AppendError> {
        let limits = &self.limits;
        if labels.len() > limits.labels_per_series {
            return Err(AppendError::TooManyLabels {
                count: labels.len(),
                limit: limits.labels_per_series,
            });
        }
        if labels.bytes() > limits.label_bytes {
            return Err(AppendError::LabelsTooLong {
                bytes: labels.bytes(),
                limit: limits.label_bytes,
            });
        }
        if index.len() >= limits.series {
            return Err(AppendError::TooManySeries { limit: limits.series });
        }
        let bytes = self.counters.bytes.load(Relaxed);
        if bytes >= limits.bytes {
            return Err(AppendError::TooManyBytes { bytes, limit: limits.bytes });
        }
        Ok(())
    }

    /// Drops chunks older than the retention and samples further ahead than [`Limits::ahead_ms`], then the oldest chunks
    /// until the bytes are within their limit, then series without samples. To be called now and then with the present
    /// time (milliseconds since 1970), which may have been set back meanwhile.
    pub fn truncate(&self, now_ms: i64) {
        let latest = now_ms.saturating_add(self.limits.ahead_ms);
        let mut cutoff = now_ms.saturating_sub(self.limits.retention_ms);
        // What was dropped while the clock was ahead must not keep the present out once it is right again.
        if self.counters.oldest.load(Relaxed) > now_ms {
            self.counters.oldest.store(cutoff, Relaxed);
        }
        self.drop_outside(cutoff, latest);
        let slice = (self.limits.retention_ms / EVICTION_SLICES).max(1);
        while self.counters.bytes.load(Relaxed) > self.limits.bytes && cutoff < now_ms {
            cutoff = cutoff.saturating_add(slice).min(now_ms);
            self.drop_outside(cutoff, latest);
        }
    }

    fn drop_outside(&self, cutoff: i64, latest: i64) {
        self.counters.oldest.fetch_max(cutoff, Relaxed);
        let mut emptied = Vec::new();
        for series in self.read().all() {
            let mut chunks = series.chunks();
            let before = chunks.bytes();
            let samples = chunks.drop_before(cutoff) + chunks.drop_after(latest);
            self.counters.samples.fetch_sub(samples, Relaxed);
            self.add_bytes(chunks.bytes() as isize - before as isize);
            if chunks.is_empty() {
                emptied.push(series.labels.clone());
            }
        }
        if emptied.is_empty() {
            return;
        }
        let mut index = self.write();
        for labels in emptied {
            // Between the two locks an append may have filled it again.
            if let Some(series) =
                index.get(&labels).cloned().filter(|series| series.chunks().is_empty())
            {
                index.remove(&labels);
                self.counters.bytes.fetch_sub(series_bytes(&series), Relaxed);
            }
        }
    }

    /// What it holds. Looks at each series once.
    pub fn stats(&self) -> Stats {
        let index = self.read();
        let (mut oldest_ms, mut newest_ms) = (None, None);
        for series in index.all() {
            let chunks = series.chunks();
            oldest_ms = oldest_ms.into_iter().chain(chunks.oldest()).min();
            newest_ms = newest_ms.into_iter().chain(chunks.newest_t()).max();
        }
        Stats {
            series: index.len(),
            samples: self.counters.samples.load(Relaxed),
            bytes: self.counters.bytes.load(Relaxed),
            oldest_ms,
            newest_ms,
            appended_total: self.counters.appended.load(Relaxed),
            out_of_order_total: self.counters.out_of_order.load(Relaxed),
            refused_total: self.counters.refused.load(Relaxed),
        }
    }

    fn add_bytes(&self, grown: isize) {
        if grown >= 0 {
            self.counters.bytes.fetch_add(grown.unsigned_abs(), Relaxed);
        } else {
            self.counters.bytes.fetch_sub(grown.unsigned_abs(), Relaxed);
        }
    }

    fn matching<T>(
        &self,
        matchers: &[Matcher],
        start_ms: i64,
        end_ms: i64,
        each: impl Fn(&Arc<MemorySeries>) -> T,
    ) -> Vec<T> {
        let index = self.read();
        index
            .select(matchers)
            .filter(|series| series.chunks().overlaps(start_ms, end_ms))
            .map(each)
            .collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn series_bytes(series: &MemorySeries) -> usize {
    // Strings are shared between series; the pointers to them, two for each label, are not.
    SERIES_OVERHEAD + series.labels.len() * 2 * size_of::<Arc<str>>()
}

impl Storage for Head {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<SeriesData> {
        let index = self.read();
        let found = index.select(matchers).map(|series| SeriesData {
            labels: series.labels.clone(),
            chunks: series.chunks().chunks(start_ms, end_ms),
        });
        found.filter(|data| !data.chunks.is_empty()).collect()
    }

    fn label_names(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<String> {
        let sets = self.matching(matchers, start_ms, end_ms, |series| series.labels.clone());
        let names: BTreeSet<&str> =
            sets.iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        start_ms: i64,
        end_ms: i64,
    ) -> Vec<String> {
        let sets = self.matching(matchers, start_ms, end_ms, |series| series.labels.clone());
        let values: BTreeSet<&str> = sets.iter().filter_map(|labels| labels.get(name)).collect();
        values.into_iter().map(str::to_owned).collect()
    }

    fn series(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<Labels> {
        let mut sets = self.matching(matchers, start_ms, end_ms, |series| series.labels.clone());
        sets.sort_unstable();
        sets
    }
}
