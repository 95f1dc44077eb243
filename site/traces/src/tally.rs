//! What was ever seen, as numbers that only grow: calls between services, and spans by operation.
//!
//! The store counts here before it drops anything; `telemetry` turns it into series. The names and rules are those of Grafana
//! Tempo's metrics from spans.

use crate::pairing::Call;
use crate::{Connection, Kind, Span, Status};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Upper bounds of the buckets, seconds; the last bucket has none.
pub const DURATION_BOUNDS_S: [f64; 15] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Pairs of services that are told apart; the calls of further ones count as between [`OTHER`] and [`OTHER`].
const MAX_PAIRS: usize = 500;
/// Operations that are told apart; further ones count as [`OTHER`].
const MAX_OPERATIONS: usize = 500;
/// Milliseconds after which what is not seen any more is forgotten.
const FORGOTTEN_MS: i64 = 60 * 60 * 1000;
/// The name of those that are not told apart.
pub const OTHER: &str = "(other)";

/// Durations by bucket.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DurationCounts {
    /// How many were in each bucket, not those below; the last is beyond all of [`DURATION_BOUNDS_S`].
    pub buckets: [u64; DURATION_BOUNDS_S.len() + 1],
    /// Their sum, seconds.
    pub sum_s: f64,
}

impl DurationCounts {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    fn add(&mut self, seconds: f64, times: u64) {
        let bucket = DURATION_BOUNDS_S.partition_point(|bound| *bound < seconds);
        self.buckets[bucket] += times;
        self.sum_s += seconds * times as f64;
    }
}

/// Which calls are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Who calls.
    pub client: Arc<str>,
    /// Who is called.
    pub server: Arc<str>,
    /// How.
    pub connection: Connection,
}

/// Calls from one service to another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PairCounts {
    /// All of them.
    pub calls: u64,
    /// Those that failed on either side.
    pub failed: u64,
    /// As long as the caller saw them, where it sent a span.
    pub client: DurationCounts,
    /// As long as the called service saw them, where it sent a span; of a database what its caller saw.
    pub server: DurationCounts,
    seen_ms: i64,
}

/// Which spans are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// `service.name`.
    pub service: Arc<str>,
    /// The spans' name.
    pub name: Arc<str>,
    /// Their kind.
    pub kind: Kind,
    /// `STATUS_CODE_UNSET`, `STATUS_CODE_OK` or `STATUS_CODE_ERROR`.
    pub status: &'static str,
}

/// Spans of one operation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OperationCounts {
    /// How long they took; their number is that of the spans.
    pub durations: DurationCounts,
    seen_ms: i64,
}

/// Everything that is counted. Spans inside of a service are not: they are neither a request nor a call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Calls between services.
    pub pairs: BTreeMap<Pair, PairCounts>,
    /// Spans by operation.
    pub operations: BTreeMap<Operation, OperationCounts>,
    /// Sides of calls of which the other never came and has no name.
    pub unpaired: u64,
}

impl Tally {
    /// Counts a call that became known at `now_ms`.
    pub(crate) fn call(&mut self, call: &Call, now_ms: i64) {
        let mut pair = Pair {
            client: call.from.name.clone(),
            server: call.to.name.clone(),
            connection: call.connection,
        };
        if self.pairs.len() >= MAX_PAIRS && !self.pairs.contains_key(&pair) {
            pair = Pair { client: OTHER.into(), server: OTHER.into(), ..pair };
        }
        let times = u64::from(call.count);
        let counts = self.pairs.entry(pair).or_default();
        counts.seen_ms = now_ms;
        counts.calls += times;
        counts.failed += if call.failed { times } else { 0 };
        for (durations, seconds) in
            [(&mut counts.client, call.client_s), (&mut counts.server, call.server_s)]
        {
            seconds.into_iter().for_each(|seconds| durations.add(seconds, times));
        }
    }

    /// Counts a span that arrived at `now_ms`.
    pub(crate) fn span(&mut self, span: &Span, now_ms: i64) {
        if span.kind == Kind::Internal {
            return;
        }
        let status = match span.status {
            Status::Unset => "STATUS_CODE_UNSET",
            Status::Ok => "STATUS_CODE_OK",
            Status::Error(_) => "STATUS_CODE_ERROR",
        };
        let (service, name) = (span.resource.service.clone(), span.name.clone());
        let mut operation = Operation { service, name, kind: span.kind, status };
        if self.operations.len() >= MAX_OPERATIONS && !self.operations.contains_key(&operation) {
            operation = Operation { service: OTHER.into(), name: OTHER.into(), ..operation };
        }
        let counts = self.operations.entry(operation).or_default();
        counts.seen_ms = now_ms;
        counts.durations.add(span.duration_ns() as f64 / 1e9, 1);
    }

    /// Forgets what was not seen for long at `now_ms`.
    pub(crate) fn forget(&mut self, now_ms: i64) {
        let oldest = now_ms.saturating_sub(FORGOTTEN_MS);
        self.pairs.retain(|_, counts| counts.seen_ms >= oldest);
        self.operations.retain(|_, counts| counts.seen_ms >= oldest);
    }
}
