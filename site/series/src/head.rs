//! The store of recent samples, in memory; an archive may hold older ones.
//!
//! Scrapes and received metrics are appended from any thread; `promql` and the HTTP API read through
//! [`Storage`]. Appending to a known series takes the index's read lock and that series' own lock, so scrapes of
//! different targets do not wait for each other.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::archive::{Archive, Noted};
use crate::chunk::Chunk;
use crate::index::{Index, MemorySeries};
use crate::label::Labels;
use crate::limits::{AppendError, Limits};
use crate::matcher::Matcher;
use crate::memory::Appended;
use crate::sample::Sample;
use crate::storage::{SeriesData, Storage};

/// Room that a series takes beside its labels and chunks: entries of the index, locks, counters. Estimated.
const SERIES_OVERHEAD: usize = 400;
/// Samples that go in at a time: new series have their turn between.
const BATCH: usize = 1000;
/// In how many slices the oldest part is given up when the bytes are over their limit.
const EVICTION_SLICES: i64 = 16;
/// Of the series and bytes that may be there, how many percent may be taken before series are given up that only the
/// archive has: those that come must find room.
const CROWDED_PERCENT: usize = 90;

/// An in-memory store: all methods take `&self` and may be called from any thread.
#[derive(Debug)]
pub struct Head {
    limits: Limits,
    index: RwLock<Index>,
    counters: Counters,
    pub(crate) next_id: AtomicU64,
    /// Samples before this time are refused: the archive has that time for good.
    pub(crate) floor: AtomicI64,
    /// Whether only what is in the archive may be dropped.
    pub(crate) holds: AtomicBool,
    pub(crate) archive: OnceLock<Arc<dyn Archive>>,
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

/// By how much the store grew.
#[derive(Debug, Default)]
struct Growth {
    samples: usize,
    bytes: isize,
}

impl ScrapeOutcome {
    fn count(&mut self, result: Result<Appended, AppendError>) {
        match &result {
            Ok(Appended::New(_)) => self.appended += 1,
            Ok(Appended::Known) => self.known += 1,
            Err(
                AppendError::OutOfOrder { .. }
                | AppendError::Duplicate { .. }
                | AppendError::TooOld { .. },
            ) => self.out_of_order += 1,
            Err(_) => self.refused += 1,
        }
        if let Err(error) = result {
            self.first_error.get_or_insert(error);
        }
    }
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
        Head {
            limits,
            index: RwLock::default(),
            counters,
            next_id: AtomicU64::new(1),
            floor: AtomicI64::new(i64::MIN),
            holds: AtomicBool::new(false),
            archive: OnceLock::new(),
        }
    }

    /// The limits it was made with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Stores `v` at `t` (milliseconds since 1970) in the series `labels`, which is added if it is new.
    ///
    /// Within a series a sample may be late by [`Limits::late_ms`]; the very same sample again is accepted and changes
    /// nothing. The caller vouches for the time: what others sent comes in through [`Head::append_scrape`], which bounds it.
    pub fn append(&self, labels: &Labels, t: i64, v: f64) -> Result<(), AppendError> {
        let outcome = self.append_all(i64::MAX, [(labels, Sample { t, v })], None);
        outcome.first_error.map_or(Ok(()), Err)
    }

    /// Stores the samples of one scrape that ended at `now_ms`. A refused sample does not keep the others out; refused
    /// are also samples further ahead than [`Limits::ahead_ms`].
    pub fn append_scrape<'a>(
        &self,
        now_ms: i64,
        samples: impl IntoIterator<Item = (&'a Labels, Sample)>,
    ) -> ScrapeOutcome {
        self.append_all(now_ms, samples, None)
    }

    /// As [`Head::append_scrape`], and notes what was stored.
    pub fn append_noting<'a>(
        &self,
        now_ms: i64,
        samples: impl IntoIterator<Item = (&'a Labels, Sample)>,
        noted: &mut Noted,
    ) -> ScrapeOutcome {
        self.append_all(now_ms, samples, Some(noted))
    }

    fn append_all<'a>(
        &self,
        now_ms: i64,
        samples: impl IntoIterator<Item = (&'a Labels, Sample)>,
        mut noted: Option<&mut Noted>,
    ) -> ScrapeOutcome {
        let latest = now_ms.saturating_add(self.limits.ahead_ms);
        let (mut outcome, mut growth) = (ScrapeOutcome::default(), Growth::default());
        // The read lock is held while samples go in, so that `truncate` cannot remove their series meanwhile.
        let mut index = self.read();
        for (nth, (labels, sample)) in samples.into_iter().enumerate() {
            if nth % BATCH == BATCH - 1 {
                drop(index);
                index = self.read();
            }
            let noted = noted.as_deref_mut();
            let result = match index.get(labels) {
                _ if sample.t > latest => Err(AppendError::TooNew { t: sample.t, latest }),
                Some(series) => self.store_in(series, sample, &mut growth, noted),
                None => {
                    drop(index);
                    let stored = self.store_new(labels, sample, &mut growth, noted, &mut outcome);
                    index = self.read();
                    stored
                }
            };
            outcome.count(result);
        }
        drop(index);
        self.count(&outcome, &growth);
        outcome
    }

    /// Counts what a batch did, at once: threads that append side by side would wait for each other at every sample.
    fn count(&self, outcome: &ScrapeOutcome, growth: &Growth) {
        self.counters.appended.fetch_add(outcome.appended as u64, Relaxed);
        self.counters.out_of_order.fetch_add(outcome.out_of_order as u64, Relaxed);
        self.counters.refused.fetch_add(outcome.refused as u64, Relaxed);
        self.counters.samples.fetch_add(growth.samples, Relaxed);
        self.add_bytes(growth.bytes);
    }

    /// Stores a sample in a series that is added if it is still new.
    fn store_new(
        &self,
        labels: &Labels,
        sample: Sample,
        growth: &mut Growth,
        noted: Option<&mut Noted>,
        outcome: &mut ScrapeOutcome,
    ) -> Result<Appended, AppendError> {
        self.check_age(sample)?;
        let mut index = self.write();
        if index.get(labels).is_none() {
            self.admit(&index, labels)?;
            let series = index.insert(self.next_id.fetch_add(1, Relaxed), labels);
            self.counters.bytes.fetch_add(series_bytes(series), Relaxed);
            outcome.new_series += 1;
        }
        let series = index.get(labels).expect("it was just inserted");
        self.store_in(series, sample, growth, noted)
    }

    fn check_age(&self, sample: Sample) -> Result<(), AppendError> {
        let oldest = self.counters.oldest.load(Relaxed);
        if sample.t < oldest {
            return Err(AppendError::TooOld { t: sample.t, oldest });
        }
        Ok(())
    }

    fn store_in(
        &self,
        series: &Arc<MemorySeries>,
        sample: Sample,
        growth: &mut Growth,
        noted: Option<&mut Noted>,
    ) -> Result<Appended, AppendError> {
        self.check_age(sample)?;
        let appended = {
            let mut chunks = series.chunks();
            // Asked under the lock: whoever raises the floor reads all series afterwards and misses no sample.
            let floor = self.floor.load(Acquire);
            if sample.t < floor {
                return Err(AppendError::TooOld { t: sample.t, oldest: floor });
            }
            chunks.append(sample, self.limits.late_ms)?
        };
        if let (Appended::New(_), Some(noted)) = (appended, noted) {
            noted.note(series, sample);
        }
        if let Appended::New(grown) = appended {
            growth.samples += 1;
            growth.bytes += grown;
        }
        Ok(appended)
    }

    /// The labels as the store has them, if it has the series: equal ones are found faster when they are the same in memory.
    pub fn shared(&self, labels: &Labels) -> Option<Labels> {
        self.read().get(labels).map(|series| series.labels.clone())
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
    /// time (milliseconds since 1970), which may have been set back meanwhile. With an archive only what it has is dropped.
    /// When series or bytes come near their limits, the series go that have nothing in memory any more, those that ended
    /// first before the others; what the archive has of them is then out of reach. Gives the ids of the series that went.
    pub fn truncate(&self, now_ms: i64) -> Vec<u64> {
        let end = if self.holds.load(Relaxed) { self.floor() } else { i64::MAX };
        let latest = now_ms.saturating_add(self.limits.ahead_ms);
        let mut cutoff = now_ms.saturating_sub(self.limits.retention_ms).min(end);
        // What was dropped while the clock was ahead must not keep the present out once it is right again.
        if self.counters.oldest.load(Relaxed) > now_ms {
            self.counters.oldest.store(cutoff, Relaxed);
        }
        let mut gone = self.drop_outside(cutoff, latest);
        let slice = (self.limits.retention_ms / EVICTION_SLICES).max(1);
        while self.counters.bytes.load(Relaxed) > self.limits.bytes && cutoff < now_ms.min(end) {
            cutoff = cutoff.saturating_add(slice).min(now_ms).min(end);
            gone.extend(self.drop_outside(cutoff, latest));
        }
        gone.extend(self.give_up_archived());
        gone
    }

    fn give_up_archived(&self) -> Vec<u64> {
        let crowded =
            |taken: usize, limit: usize| taken > limit.saturating_mul(CROWDED_PERCENT) / 100;
        let is_crowded = |series: usize| {
            crowded(series, self.limits.series)
                || crowded(self.counters.bytes.load(Relaxed), self.limits.bytes)
        };
        if !is_crowded(self.read().len()) {
            return Vec::new();
        }
        let ended = |series: Arc<MemorySeries>| {
            let end = series.chunks().archived_only()?;
            Some((end, series))
        };
        let mut over: Vec<_> = self.every_series().into_iter().filter_map(ended).collect();
        over.sort_unstable_by_key(|(end, series)| (*end, series.id));
        let mut gone = Vec::new();
        let mut index = self.write();
        for (_, series) in over {
            if !is_crowded(index.len()) {
                break;
            }
            // Between the two locks an append may have come.
            if series.chunks().archived_only().is_some() {
                index.remove(&series.labels);
                self.counters.bytes.fetch_sub(series_bytes(&series), Relaxed);
                gone.push(series.id);
            }
        }
        gone
    }

    fn drop_outside(&self, cutoff: i64, latest: i64) -> Vec<u64> {
        self.counters.oldest.fetch_max(cutoff, Relaxed);
        for series in self.read().all() {
            let mut chunks = series.chunks();
            let before = chunks.bytes();
            let samples = chunks.drop_before(cutoff) + chunks.drop_after(latest);
            self.counters.samples.fetch_sub(samples, Relaxed);
            self.add_bytes(chunks.bytes() as isize - before as isize);
        }
        self.remove_empty()
    }

    /// Removes the series without samples; gives their ids.
    pub(crate) fn remove_empty(&self) -> Vec<u64> {
        let empty = |series: &&Arc<MemorySeries>| series.chunks().is_empty();
        let emptied: Vec<Labels> =
            self.read().all().filter(empty).map(|series| series.labels.clone()).collect();
        if emptied.is_empty() {
            return Vec::new();
        }
        let mut gone = Vec::new();
        let mut index = self.write();
        for labels in emptied {
            // Between the two locks an append may have filled it again.
            if let Some(series) =
                index.get(&labels).cloned().filter(|series| series.chunks().is_empty())
            {
                index.remove(&labels);
                self.counters.bytes.fetch_sub(series_bytes(&series), Relaxed);
                gone.push(series.id);
            }
        }
        gone
    }

    /// A series that was written down; `None` beyond the limits.
    pub(crate) fn insert_restored(&self, id: u64, labels: &Labels) -> Option<Arc<MemorySeries>> {
        let mut index = self.write();
        if index.get(labels).is_some() || self.admit(&index, labels).is_err() {
            return None;
        }
        let series = index.insert(id, labels).clone();
        series.written.store(true, Relaxed);
        self.counters.bytes.fetch_add(series_bytes(&series), Relaxed);
        Some(series)
    }

    pub(crate) fn restore_sample(&self, series: &Arc<MemorySeries>, sample: Sample) -> bool {
        let mut growth = Growth::default();
        let stored = self.store_in(series, sample, &mut growth, None).is_ok();
        self.count(&ScrapeOutcome::default(), &growth);
        stored
    }

    pub(crate) fn every_series(&self) -> Vec<Arc<MemorySeries>> {
        self.read().all().cloned().collect()
    }

    /// Whether chunks and labels take more bytes than they may.
    pub fn is_over_bytes(&self) -> bool {
        self.counters.bytes.load(Relaxed) > self.limits.bytes
    }

    /// The chunks of one series that overlap a range, those of the archive first.
    fn chunks_of(&self, series: &MemorySeries, start_ms: i64, end_ms: i64) -> Vec<Chunk> {
        let (recent, missing) = {
            let chunks = series.chunks();
            (chunks.chunks(start_ms, end_ms), chunks.missing(start_ms, end_ms))
        };
        let (Some(archive), Some((from, to))) = (self.archive.get(), missing) else {
            return recent;
        };
        let old = archive.chunks(series.id, from, to);
        old.iter().filter_map(|chunk| chunk.before(to + 1)).chain(recent).collect()
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
    fn each(
        &self,
        matchers: &[Matcher],
        start_ms: i64,
        end_ms: i64,
        visit: &mut dyn FnMut(SeriesData) -> ControlFlow<()>,
    ) {
        // The index is free again before an archive is read.
        let series: Vec<Arc<MemorySeries>> = self.read().select(matchers).cloned().collect();
        for series in series {
            let chunks = self.chunks_of(&series, start_ms, end_ms);
            let data = SeriesData { labels: series.labels.clone(), chunks };
            if !data.chunks.is_empty() && visit(data).is_break() {
                return;
            }
        }
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
