//! Log records and the bounded store that keeps the newest of them.
//!
//! Filled by the OTLP receiver, read by pages that show a trace's or a service's logs.

use crate::{Attribute, Resource, Scope, SpanId, TraceId};
use serde::Serialize;
use std::collections::VecDeque;
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

    fn bytes(&self) -> usize {
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
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogSearch {
    /// `service.name`.
    pub service: Option<String>,
    /// The trace in which it was written.
    pub trace_id: Option<TraceId>,
    /// The lowest severity number, 0 for all.
    pub severity: u8,
    /// A part of the body.
    pub text: Option<String>,
    /// How many at most; `None` for all that are kept.
    pub limit: Option<usize>,
}

impl LogSearch {
    fn fits(&self, record: &LogRecord) -> bool {
        self.service.as_deref().is_none_or(|service| service == record.service())
            && self.trace_id.is_none_or(|id| record.trace_id == Some(id))
            && record.severity >= self.severity
            && self.text.as_deref().is_none_or(|text| record.body.contains(text))
    }
}

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<Arc<LogRecord>>,
    bytes: usize,
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
        for record in records {
            kept.bytes += record.bytes();
            kept.records.push_back(Arc::new(record));
        }
        while kept.records.len() > self.limits.records || kept.bytes > self.limits.bytes {
            let Some(oldest) = kept.records.pop_front() else { break };
            kept.bytes = kept.bytes.saturating_sub(oldest.bytes());
        }
    }

    /// The records that fit, newest arrival first.
    pub fn search(&self, search: &LogSearch) -> Vec<Arc<LogRecord>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let fitting = kept.records.iter().rev().filter(|record| search.fits(record));
        fitting.take(search.limit.unwrap_or(usize::MAX)).cloned().collect()
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
