//! Spans and logs: model, OTLP decoding, bounded store, search, service graph.
//!
//! `telemetry` hands decoded OTLP requests in; `evidence` reads the service graph and `pages` reads
//! traces and summaries. Knows no clock, no file and no socket: the time of arrival is an argument.
//!
//! ```
//! use traces::{Search, TraceStore, StoreLimits};
//! let store = TraceStore::new(StoreLimits::default());
//! assert!(store.search(&Search { service: Some("orders".into()), ..Search::default() }).is_empty());
//! assert!(store.graph(60_000, 1_000).edges.is_empty());
//! ```

mod attribute;
mod blocks;
mod critical;
mod encode;
mod fold;
mod graph;
mod histogram;
mod id;
mod intern;
mod log;
mod log_counts;
mod log_text;
mod otlp;
mod pairing;
mod past;
mod peer;
mod search;
mod seek;
mod skew;
mod span;
mod store;
mod tally;
mod trace;

pub use attribute::{Attribute, Value, find};
pub use critical::Segment;
pub use encode::encode_spans;
pub use fold::{Fold, Line};
pub use graph::{Connection, GraphEdge, GraphNode, NodeKind, ServiceGraph};
pub use id::{IdError, SpanId, TraceId};
pub use log::{LogLimits, LogRecord, LogSearch, LogStore, LogsSince};
pub use log_counts::{LogCounts, log_histogram, severity_class};
pub use log_text::LogText;
pub use otlp::{Decoded, attributes_of, decode_logs, decode_spans};
pub use past::past_graphs;
pub use search::{AttributeFilter, Search, ServiceSpans, TraceSummary};
pub use skew::Adjusted;
pub use span::{Event, Kind, Link, Resource, Scope, Span, Status};
pub use store::{Dependencies, StoreLimits, StoreStats, TraceStore};
pub use tally::{
    DURATION_BOUNDS_S, DurationCounts, OTHER, Operation, OperationCounts, Pair, PairCounts, Tally,
};
pub use trace::{Parent, Row, Trace};
