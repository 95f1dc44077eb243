//! Labels, matchers, samples, compressed chunks and the in-memory metrics store.
//!
//! The scraper, the OTLP receiver and recording rules hand samples to a [`Head`]; `promql` and the HTTP API read it
//! back through the small [`Storage`] trait. Nothing here does I/O or knows a clock: `now` is always an argument.
//!
//! ```
//! use series::{Head, Labels, Limits, Matcher, Storage};
//!
//! let head = Head::new(Limits::default());
//! let up = Labels::from_pairs([("__name__", "up"), ("job", "orders")]);
//! head.append(&up, 1_000, 1.0).expect("in order and within the limits");
//! let found = head.select(&[Matcher::equal("job", "orders")], 0, 2_000);
//! assert_eq!(found[0].samples(0, 2_000).len(), 1);
//! ```
//!
//! Times are milliseconds since 1970 throughout. Native histograms are not stored; exemplars may come later as a
//! side table keyed by [`Labels`].

mod archive;
mod bits;
mod chunk;
pub mod encoding;
mod head;
mod index;
mod label;
pub mod limits;
mod matcher;
mod memory;
mod sample;
mod storage;

pub use archive::{Archive, Noted, Restoring};
pub use chunk::{Chunk, ChunkBuilder, ChunkSamples, SAMPLES_PER_CHUNK};
pub use head::{Head, ScrapeOutcome, Stats};
pub use label::{BUCKET_LABEL, Label, Labels, LabelsBuilder, METRIC_NAME};
pub use limits::{AppendError, Limits};
pub use matcher::{MatchOp, Matcher, MatcherError};
pub use sample::{STALE_MARKER_BITS, Sample, is_stale, stale_marker};
pub use storage::{SeriesData, Storage};
