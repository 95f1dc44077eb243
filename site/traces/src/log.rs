//! Log records and the bounded store that keeps the newest of them.
//!
//! Filled by the OTLP receiver, read by pages that show a trace's or a service's logs.

use crate::intern::{resource_bytes, scope_bytes};
use crate::{Attribute, LogText, Resource, Scope, SpanId, TraceId};
use serde::Serialize;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

/// One log record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogRecord {
    /// When it happened, nanoseconds since 1970; 0 when not said.
    pub time_ns: i64,
    /// When it was collected, nanoseconds since 1970; 0 when not said.
    pub observed_ns: i64,
    /// OTLP's severity number: 0 not said, 1-4 trace, 5-8 debug, 9-12 info, 13-16 warn, 17-20 error,
    /// 21-24 fatal.
    pub severity: u8,
    /// The severity in the sender's words.
    pub severity_text: Arc<str>,
    /// The message.
    pub body: Arc<str>,
    /// The event's name, or ``.
    pub event: Arc<str>,
    /// The details.
    pub attributes: Box<[Attribute]>,
    /// The trace in which it was written.
    pub trace_id: Option<TraceId>,
    /// The span in which it was written.
    pub span_id: Option<SpanId>,
    /// The instrumentation.
    pub scope: Arc<Scope>,
    /// The sender.
    pub resource: Arc<Resource>,
}

impl LogRecord {
    /// `service.name`, or `unknown_service`.
    pub fn service(&self) -> &str {
        &self.resource.service
    }

    /// When it happened or else was collected, nanoseconds since 1970.
    pub fn moment_ns(&self) -> i64 {
        if self.time_ns == 0 { self.observed_ns } else { self.time_ns }
    }

    /// An estimate. What the records of a request share is divided among them; they go one after the
    /// other, so what is counted is never short by more than one sender.
    fn bytes(&self) -> usize {
        let sender = resource_bytes(&self.resource).div_ceil(Arc::strong_count(&self.resource));
        let scope = scope_bytes(&self.scope).div_ceil(Arc::strong_count(&self.scope));
        let attributes: usize = self
            .attributes
            .iter()
            .map(|a| size_of::<Attribute>() + a.key.len() + a.value.text().len())
            .sum();
        size_of::<Self>()
            + self.body.len()
            + self.severity_text.len()
            + self.event.len()
            + attributes
            + sender
            + scope
    }
}

/// How much a [`LogStore`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// Records.
    pub records: usize,
    /// Estimated bytes.
    pub bytes: usize,
}

impl LogLimits {
    /// Records unless configured otherwise.
    pub const RECORDS: usize = 20_000;
    /// Bytes unless configured otherwise.
    pub const BYTES: usize = 16 * 1024 * 1024;
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { records: Self::RECORDS, bytes: Self::BYTES }
    }
}

/// Which log records to find. What is left out does not filter.
#[derive(Debug, Clone, Default)]
pub struct LogSearch {
    /// `service.name`.
    pub service: Option<String>,
    /// The trace in which it was written.
    pub trace_id: Option<TraceId>,
    /// The span in which it was written.
    pub span_id: Option<SpanId>,
    /// The lowest severity number, 0 for all.
    pub severity: u8,
    /// Words in it.
    pub text: LogText,
    /// It happened at or after this, milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// It happened at or before this, milliseconds since 1970.
    pub to_ms: Option<i64>,
    /// How many at most; `None` for all that are kept.
    pub limit: Option<usize>,
}

impl LogSearch {
    /// Whether a record fits all of it.
    pub fn fits(&self, record: &LogRecord) -> bool {
        let moment_ms = record.moment_ns().div_euclid(1_000_000);
        self.service.as_deref().is_none_or(|service| service == record.service())
            && self.span_id.is_none_or(|id| record.span_id == Some(id))
            && self.from_ms.is_none_or(|from| moment_ms >= from)
            && self.to_ms.is_none_or(|to| moment_ms <= to)
            && self.trace_id.is_none_or(|id| record.trace_id == Some(id))
            && record.severity >= self.severity
            && self.text.fits(record)
    }
}

#[derive(Debug, Default)]
struct Kept {
    /// With the bytes that each was counted with.
    records: VecDeque<(Arc<LogRecord>, usize)>,
    bytes: usize,
    /// Whether some went to make room.
    let_go: bool,
    /// Records that came since the store was made.
    arrived: u64,
}

/// Records that came after a reader looked last.
#[derive(Debug, Clone, Default)]
pub struct LogsSince {
    /// Those that fit, newest arrival first.
    pub records: Vec<Arc<LogRecord>>,
    /// What to ask with the next time.
    pub cursor: u64,
    /// Whether some went before they were asked for.
    pub missed: bool,
}

/// The newest log records, in order of arrival.
#[derive(Debug)]
pub struct LogStore {
    limits: LogLimits,
    kept: RwLock<Kept>,
}

impl LogStore {
    /// An empty store.
    pub fn new(limits: LogLimits) -> Self {
        Self { limits, kept: RwLock::default() }
    }

    /// Adds records and drops the oldest beyond the limits.
    pub fn append(&self, records: Vec<LogRecord>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        // All are counted before the first goes, while they still share.
        let counted: Vec<_> = records.iter().map(LogRecord::bytes).collect();
        for (record, bytes) in records.into_iter().zip(counted) {
            kept.bytes += bytes;
            kept.arrived += 1;
            kept.records.push_back((Arc::new(record), bytes));
        }
        while kept.records.len() > self.limits.records || kept.bytes > self.limits.bytes {
            let Some((_, bytes)) = kept.records.pop_front() else { break };
            kept.bytes -= bytes;
            kept.let_go = true;
        }
    }

    /// Whether nothing went yet to make room.
    pub fn is_complete(&self) -> bool {
        !self.kept.read().unwrap_or_else(PoisonError::into_inner).let_go
    }

    /// The records that fit, newest arrival first.
    pub fn search(&self, search: &LogSearch) -> Vec<Arc<LogRecord>> {
        // Whoever looks for words that are nowhere must not hold up those who write.
        let all: Vec<Arc<LogRecord>> = {
            let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
            kept.records.iter().rev().map(|(record, _)| record.clone()).collect()
        };
        let fitting = all.into_iter().filter(|record| search.fits(record));
        fitting.take(search.limit.unwrap_or(usize::MAX)).collect()
    }

    /// How many records came since the store was made: a cursor for [`LogStore::since`].
    pub fn cursor(&self) -> u64 {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).arrived
    }

    /// The newest records that came after `cursor` was given and fit. A cursor of another store gives nothing but a new one.
    pub fn since(&self, cursor: u64, search: &LogSearch) -> LogsSince {
        let (fresh, arrived, missed) = {
            let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
            let gone = kept.arrived - kept.records.len() as u64;
            let asked = cursor.min(kept.arrived);
            let count = (kept.arrived - asked.max(gone)) as usize;
            let fresh: Vec<Arc<LogRecord>> =
                kept.records.iter().rev().take(count).map(|(record, _)| record.clone()).collect();
            (fresh, kept.arrived, asked < gone)
        };
        let fitting = fresh.into_iter().filter(|record| search.fits(record));
        let records = fitting.take(search.limit.unwrap_or(usize::MAX)).collect();
        LogsSince { records, cursor: arrived, missed }
    }

    /// The services that wrote the records, by name.
    pub fn services(&self) -> Vec<Arc<str>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let names: BTreeSet<&Arc<str>> =
            kept.records.iter().map(|(record, _)| &record.resource.service).collect();
        names.into_iter().cloned().collect()
    }

    /// How many records are kept.
    pub fn len(&self) -> usize {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).records.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
