//! One series in memory: sealed chunks and the one that grows.
//!
//! The head appends to it and drops its old chunks; readers get cheap clones of the chunks. A series may have older samples
//! in an archive.

use crate::chunk::{Chunk, ChunkBuilder, SAMPLES_PER_CHUNK};
use crate::limits::AppendError;
use crate::sample::Sample;

/// Room that a sealed chunk takes beside its bytes.
const CHUNK_OVERHEAD: usize = size_of::<Chunk>() + 2 * size_of::<usize>();

/// The samples of one series.
#[derive(Debug, Default)]
pub(crate) struct SeriesChunks {
    sealed: Vec<Chunk>,
    sealed_bytes: usize,
    open: ChunkBuilder,
    /// From when to before when the archive has samples of it.
    archived: Option<(i64, i64)>,
}

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// The sample is new; the series takes this many bytes more, or less when a chunk was sealed.
    New(isize),
    /// The very same sample was there already.
    Known,
}

impl SeriesChunks {
    /// Appends a sample, or puts one in its place that is late by at most `late_ms`.
    pub(crate) fn append(&mut self, sample: Sample, late_ms: i64) -> Result<Appended, AppendError> {
        if let Some(newest) = self.newest() {
            if sample == newest {
                return Ok(Appended::Known);
            }
            if sample.t == newest.t {
                return Err(AppendError::Duplicate { t: sample.t });
            }
            if sample.t < newest.t.saturating_sub(late_ms) {
                return Err(AppendError::OutOfOrder { t: sample.t, newest: newest.t });
            }
            if sample.t < newest.t {
                return self.insert(sample);
            }
        }
        let before = self.bytes();
        if self.open.len() >= SAMPLES_PER_CHUNK {
            let chunk = self.open.snapshot();
            self.sealed_bytes += chunk_bytes(&chunk);
            self.sealed.push(chunk);
            self.open = ChunkBuilder::new();
        }
        self.open.push(sample);
        Ok(Appended::New(self.bytes() as isize - before as isize))
    }

    /// Writes the one chunk anew in whose time a late sample falls.
    fn insert(&mut self, sample: Sample) -> Result<Appended, AppendError> {
        let before = self.bytes();
        let at = self.sealed.partition_point(|chunk| chunk.max_t() < sample.t);
        let chunk = self.sealed.get(at).cloned().unwrap_or_else(|| self.open.snapshot());
        let mut samples: Vec<Sample> = chunk.samples().collect();
        let place = samples.partition_point(|known| known.t < sample.t);
        match samples.get(place) {
            Some(known) if *known == sample => return Ok(Appended::Known),
            Some(known) if known.t == sample.t => {
                return Err(AppendError::Duplicate { t: sample.t });
            }
            _ => samples.insert(place, sample),
        }
        if at < self.sealed.len() {
            let half = if samples.len() > 2 * SAMPLES_PER_CHUNK { samples.len() / 2 } else { 0 };
            let halves = [&samples[..half], &samples[half..]];
            let rewritten = halves.into_iter().filter(|h| !h.is_empty()).map(Chunk::from_samples);
            self.sealed.splice(at..=at, rewritten);
            self.sealed_bytes = self.sealed.iter().map(chunk_bytes).sum();
        } else {
            self.open = ChunkBuilder::new();
            samples.into_iter().for_each(|s| self.open.push(s));
        }
        Ok(Appended::New(self.bytes() as isize - before as isize))
    }

    fn newest(&self) -> Option<Sample> {
        // A series always has its last sample in the open chunk: sealing happens on the next append.
        self.open.last()
    }

    /// The chunks that overlap the range, both ends included.
    pub(crate) fn chunks(&self, start_ms: i64, end_ms: i64) -> Vec<Chunk> {
        let first = self.sealed.partition_point(|chunk| chunk.max_t() < start_ms);
        let sealed = self.sealed[first..].iter().take_while(|chunk| chunk.min_t() <= end_ms);
        let mut chunks: Vec<Chunk> = sealed.cloned().collect();
        if self.open_overlaps(start_ms, end_ms) {
            chunks.push(self.open.snapshot());
        }
        chunks
    }

    /// Whether a chunk overlaps the range, in memory or in the archive.
    pub(crate) fn overlaps(&self, start_ms: i64, end_ms: i64) -> bool {
        self.archived.is_some_and(|(first, end)| first <= end_ms && end > start_ms)
            || self.open_overlaps(start_ms, end_ms)
            || self.sealed.iter().any(|chunk| chunk.max_t() >= start_ms && chunk.min_t() <= end_ms)
    }

    fn open_overlaps(&self, start_ms: i64, end_ms: i64) -> bool {
        self.open.last().is_some_and(|last| last.t >= start_ms) && self.open.min_t() <= end_ms
    }

    /// Drops chunks that end before `oldest_ms`; gives the number of samples dropped.
    pub(crate) fn drop_before(&mut self, oldest_ms: i64) -> usize {
        let gone = self.sealed.partition_point(|chunk| chunk.max_t() < oldest_ms);
        let mut samples = 0;
        for chunk in self.sealed.drain(..gone) {
            samples += chunk.len();
            self.sealed_bytes -= chunk_bytes(&chunk);
        }
        if self.open.last().is_some_and(|last| last.t < oldest_ms) {
            samples += self.open.len();
            self.open = ChunkBuilder::new();
        }
        samples
    }

    /// Drops the samples after `latest_ms`; gives their number. The last sample that stays is in the open chunk again.
    pub(crate) fn drop_after(&mut self, latest_ms: i64) -> usize {
        let mut dropped = 0;
        while self.open.last().is_some_and(|last| last.t > latest_ms) {
            let reaching = self.open.snapshot();
            self.open = ChunkBuilder::new();
            reaching.samples().take_while(|s| s.t <= latest_ms).for_each(|s| self.open.push(s));
            dropped += reaching.len() - self.open.len();
            if self.open.is_empty()
                && let Some(chunk) = self.sealed.pop()
            {
                self.sealed_bytes -= chunk_bytes(&chunk);
                chunk.samples().for_each(|sample| self.open.push(sample));
            }
        }
        dropped
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.open.is_empty() && self.archived.is_none()
    }

    /// Before when the archive has samples, when it has all that there is.
    pub(crate) fn archived_only(&self) -> Option<i64> {
        let (_, end) = self.archived?;
        (self.sealed.is_empty() && self.open.is_empty()).then_some(end)
    }

    /// The range of the archive that has to be read for what is not in memory of a range; both ends included.
    pub(crate) fn missing(&self, start_ms: i64, end_ms: i64) -> Option<(i64, i64)> {
        let (first, end) = self.archived?;
        let before = self.oldest_in_memory().unwrap_or(i64::MAX).min(end) - 1;
        let (from, to) = (start_ms.max(first), end_ms.min(before));
        (from <= to).then_some((from, to))
    }

    pub(crate) fn extend_archived(&mut self, start_ms: i64, end_ms: i64) {
        let (first, end) = self.archived.unwrap_or((start_ms, end_ms));
        self.archived = Some((first.min(start_ms), end.max(end_ms)));
    }

    pub(crate) fn forget_archived(&mut self, start_ms: i64) {
        let kept = self.archived.filter(|(_, end)| *end > start_ms);
        self.archived = kept.map(|(first, end)| (first.max(start_ms), end));
    }

    /// The oldest sample in memory, else about the oldest in the archive.
    pub(crate) fn oldest(&self) -> Option<i64> {
        self.archived.map(|(first, _)| first).or_else(|| self.oldest_in_memory())
    }

    fn oldest_in_memory(&self) -> Option<i64> {
        match self.sealed.first() {
            Some(chunk) => Some(chunk.min_t()),
            None => self.open.last().map(|_| self.open.min_t()),
        }
    }

    pub(crate) fn newest_t(&self) -> Option<i64> {
        self.open.last().map(|sample| sample.t)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.sealed_bytes + self.open.bytes()
    }
}

fn chunk_bytes(chunk: &Chunk) -> usize {
    chunk.bytes() + CHUNK_OVERHEAD
}
