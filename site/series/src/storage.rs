//! The small interface in which the store and the query engine meet.
//!
//! [`Head`](crate::Head) implements it, `promql` and the HTTP API read through it.

use crate::chunk::Chunk;
use crate::label::Labels;
use crate::matcher::Matcher;
use crate::sample::Sample;
use std::ops::ControlFlow;

/// One selected series: its labels and the chunks that overlap the asked range.
#[derive(Debug, Clone)]
pub struct SeriesData {
    /// The series' labels.
    pub labels: Labels,
    /// Chunks in the order of time, without overlap. They may hold samples outside the asked range.
    pub chunks: Vec<Chunk>,
}

impl SeriesData {
    /// The samples from `start_ms` to `end_ms`, both included, stale markers too.
    pub fn samples(&self, start_ms: i64, end_ms: i64) -> Vec<Sample> {
        let mut out = Vec::new();
        self.decode_into(start_ms, end_ms, &mut out);
        out
    }

    /// Appends the samples from `start_ms` to `end_ms`, both included, to `out`: each chunk is decoded once.
    pub fn decode_into(&self, start_ms: i64, end_ms: i64, out: &mut Vec<Sample>) {
        for chunk in &self.chunks {
            if chunk.max_t() < start_ms || chunk.min_t() > end_ms {
                continue;
            }
            out.reserve(chunk.len());
            for sample in chunk.samples() {
                if sample.t > end_ms {
                    break;
                }
                if sample.t >= start_ms {
                    out.push(sample);
                }
            }
        }
    }

    /// How many samples the chunks hold together: an upper bound for what decoding gives.
    pub fn sample_count(&self) -> usize {
        self.chunks.iter().map(Chunk::len).sum()
    }
}

/// Where series can be read. All times are milliseconds since 1970 and both ends are included.
///
/// A series is in a time range when one of its chunks overlaps it. Lists are sorted, selected series come in no promised
/// order.
pub trait Storage: Send + Sync {
    /// Hands over the series for which every matcher holds, with the chunks that overlap the range, until told to end. Chunks
    /// are read when it is a series' turn, so that a reader with limits can stop before all of them are in memory.
    fn each(
        &self,
        matchers: &[Matcher],
        start_ms: i64,
        end_ms: i64,
        visit: &mut dyn FnMut(SeriesData) -> ControlFlow<()>,
    );

    /// All of them at once: for readers that know them to be few.
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<SeriesData> {
        let mut found = Vec::new();
        self.each(matchers, start_ms, end_ms, &mut |data| {
            found.push(data);
            ControlFlow::Continue(())
        });
        found
    }

    /// The label names of the matching series, sorted. No matchers means all series.
    fn label_names(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<String>;

    /// The values of label `name` among the matching series, sorted. No matchers means all series.
    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        start_ms: i64,
        end_ms: i64,
    ) -> Vec<String>;

    /// The label sets of the matching series, sorted, without their samples.
    fn series(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<Labels>;
}
