//! Where a head's samples go when they get old, and what it takes to fill a head again.
//!
//! `telemetry` implements [`Archive`] on a disk, writes down what [`Noted`] says, hands old samples over in blocks and
//! fills a new head through [`Restoring`]. Everything before the head's *floor* is in the archive and never changes again;
//! everything from it on is in memory.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::chunk::Chunk;
use crate::head::Head;
use crate::index::MemorySeries;
use crate::label::Labels;
use crate::sample::Sample;

/// Reads samples that are no longer in memory.
pub trait Archive: Send + Sync + Debug {
    /// The chunks of series `id` that overlap the range (milliseconds since 1970, both ends included), in the order of time
    /// and without overlap.
    fn chunks(&self, id: u64, start_ms: i64, end_ms: i64) -> Vec<Chunk>;
}

/// What of a batch was stored: to be written down, so that it can be stored again.
#[derive(Debug, Default)]
pub struct Noted {
    pub(crate) samples: Vec<(u64, Sample)>,
    pub(crate) unknown: Vec<Arc<MemorySeries>>,
}

impl Noted {
    /// The stored samples with the ids of their series.
    pub fn samples(&self) -> &[(u64, Sample)] {
        &self.samples
    }

    /// Series among them of which nobody said yet that they are written down.
    pub fn unknown(&self) -> impl Iterator<Item = (u64, &Labels)> {
        self.unknown.iter().map(|series| (series.id, &series.labels))
    }

    /// Says that all of it is written down.
    pub fn written(self) {
        for series in self.unknown {
            series.written.store(true, Release);
        }
    }

    pub(crate) fn note(&mut self, series: &Arc<MemorySeries>, sample: Sample) {
        self.samples.push((series.id, sample));
        if !series.written.load(Acquire) {
            self.unknown.push(series.clone());
        }
    }
}

/// Fills a head with what was written down.
#[derive(Debug)]
pub struct Restoring<'a> {
    head: &'a Head,
    by_id: HashMap<u64, Arc<MemorySeries>>,
    highest: u64,
}

impl Restoring<'_> {
    /// A series and its id; within the head's limits, else it stays out.
    pub fn series(&mut self, id: u64, labels: &Labels) -> bool {
        self.highest = self.highest.max(id);
        match self.head.insert_restored(id, labels) {
            Some(series) => self.by_id.insert(id, series).is_none(),
            None => false,
        }
    }

    /// A series has samples in the archive from `start_ms` to before `end_ms`.
    pub fn archived(&mut self, id: u64, start_ms: i64, end_ms: i64) {
        self.highest = self.highest.max(id);
        if let Some(series) = self.by_id.get(&id) {
            series.chunks().extend_archived(start_ms, end_ms);
        }
    }

    /// A sample that was stored before; `false` when its series is not known or it is before the floor.
    pub fn sample(&mut self, id: u64, sample: Sample) -> bool {
        self.highest = self.highest.max(id);
        match self.by_id.get(&id) {
            Some(series) => self.head.restore_sample(series, sample),
            None => false,
        }
    }

    /// Ends the filling. Gives the ids of series that have no sample at all and were removed.
    pub fn finish(self) -> Vec<u64> {
        self.head.next_id.fetch_max(self.highest + 1, Relaxed);
        self.head.remove_empty()
    }
}

impl Head {
    /// Starts to fill an empty head; samples before `floor_ms` are in the archive.
    pub fn restore(&self, floor_ms: i64) -> Restoring<'_> {
        self.raise_floor(floor_ms);
        Restoring { head: self, by_id: HashMap::new(), highest: 0 }
    }

    /// Reads what is older than the memory from an archive from now on, and lets nothing go that is not in it.
    pub fn attach(&self, archive: Arc<dyn Archive>) {
        // Attached once, at the start.
        let _ = self.archive.set(archive);
        self.hold_unarchived(true);
    }

    /// Whether samples that are not in the archive may not be dropped: not any more when the archive takes nothing.
    pub fn hold_unarchived(&self, hold: bool) {
        self.holds.store(hold, Relaxed);
    }

    /// From now on no sample before `floor_ms` is taken.
    pub fn raise_floor(&self, floor_ms: i64) {
        self.floor.fetch_max(floor_ms, Release);
    }

    /// Samples before this time (milliseconds since 1970) are not taken any more.
    pub fn floor(&self) -> i64 {
        self.floor.load(Acquire)
    }

    /// For each series with samples from `start_ms` to before `end_ms`, its id and these samples as one chunk. What is
    /// before the floor does not change any more.
    pub fn block(&self, start_ms: i64, end_ms: i64) -> impl Iterator<Item = (u64, Chunk)> {
        let mut all: Vec<Arc<MemorySeries>> = self.every_series();
        all.sort_unstable_by_key(|series| series.id);
        all.into_iter().filter_map(move |series| {
            let chunks = series.chunks().chunks(start_ms, end_ms - 1);
            let samples = chunks.iter().flat_map(Chunk::samples);
            let inside: Vec<Sample> =
                samples.filter(|s| (start_ms..end_ms).contains(&s.t)).collect();
            (!inside.is_empty()).then(|| (series.id, Chunk::from_samples(&inside)))
        })
    }

    /// Says that the archive holds samples of these series from `start_ms` to before `end_ms`.
    pub fn mark_archived(&self, ids: &HashSet<u64>, start_ms: i64, end_ms: i64) {
        for series in self.every_series().iter().filter(|series| ids.contains(&series.id)) {
            series.chunks().extend_archived(start_ms, end_ms);
        }
    }

    /// Says that the archive has nothing before `start_ms` any more.
    pub fn forget_archived(&self, start_ms: i64) {
        for series in self.every_series() {
            series.chunks().forget_archived(start_ms);
        }
    }
}
