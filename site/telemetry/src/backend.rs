//! The embedded backend: the stores of metrics, traces and logs with what is known beside them, in memory and, if asked,
//! on disk.
//!
//! Receivers and the scraper fill it, routers and `evidence` read it.

use crate::admission::Exports;
use crate::disk::{Disk, Stores};
use crate::engine::ParsedQueries;
use crate::otlp_metrics::{self, DeltaSums};
use crate::remote_write::KnownLabels;
use crate::span_metrics::{self, SpanMetrics};
use crate::target::Targets;
use crate::{
    Clock, DiskOptions, Exemplar, Exemplars, MetricMeta, OpenError, Progress, TargetStatus,
};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use series::{Labels, Noted, Sample, ScrapeOutcome};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use traces::{
    LogLimits, LogRecord, LogSearch, LogStore, Search, StoreLimits, Trace, TraceId, TraceStore,
    TraceSummary,
};

/// Metrics whose help, type and unit are remembered.
const MAX_METADATA: usize = 10_000;
/// Bytes of the name of a metric of which that is remembered.
const MAX_METADATA_NAME_BYTES: usize = 512;

/// What a sender is told while the disk takes nothing.
const MEMORY_ONLY: &str =
    "taken, and kept in memory only: the disk takes nothing now, /readyz says why";

/// How much a [`Backend`] keeps.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Of metrics.
    pub metrics: series::Limits,
    /// Of traces.
    pub traces: StoreLimits,
    /// Of logs.
    pub logs: LogLimits,
}

/// A number that only grows, from zero at the start.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}

/// What came in since the start; for Loggia's own `/metrics`.
#[derive(Debug, Default)]
pub struct IngestCounters {
    /// Spans accepted.
    pub spans: Counter,
    /// Spans refused.
    pub spans_rejected: Counter,
    /// Log records accepted.
    pub logs: Counter,
    /// Log records refused.
    pub logs_rejected: Counter,
    /// OTLP metric points accepted.
    pub points: Counter,
    /// OTLP metric points refused.
    pub points_rejected: Counter,
    /// OTLP requests answered with success.
    pub requests: Counter,
    /// OTLP requests answered with an error: not readable, too large, of a wrong type, too many at a
    /// time.
    pub requests_rejected: Counter,
    /// Scrapes that worked.
    pub scrapes: Counter,
    /// Scrapes that failed.
    pub scrapes_failed: Counter,
    /// Samples stored by scrapes.
    pub samples: Counter,
    /// Samples of scrapes that the store refused.
    pub samples_rejected: Counter,
    /// Requests of remote write of which all was stored.
    pub remote_writes: Counter,
    /// Requests of remote write that were answered with an error.
    pub remote_writes_rejected: Counter,
    /// Samples stored by remote write.
    pub remote_samples: Counter,
    /// Samples of remote write that were refused.
    pub remote_samples_rejected: Counter,
}

/// What of a request was refused, for `partial_success`; with nothing refused, a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Spans, records or points.
    pub count: u64,
    /// Why, for the first of them.
    pub message: String,
}

/// Metrics, traces and logs: the newest in memory, and on disk as far back as the retention goes.
#[derive(Debug)]
pub struct Backend {
    /// Scraped and received series.
    pub metrics: Arc<series::Head>,
    /// Received spans.
    pub traces: Arc<TraceStore>,
    /// Received log records.
    pub logs: Arc<LogStore>,
    /// Scraped and received exemplars.
    pub exemplars: Exemplars,
    /// What came in since the start.
    pub counters: IngestCounters,
    clock: Clock,
    disk: Option<Disk>,
    pub(crate) scraped: Targets,
    pub(crate) exports: Exports,
    metadata: RwLock<BTreeMap<String, MetricMeta>>,
    deltas: Mutex<DeltaSums>,
    span_metrics: Mutex<SpanMetrics>,
    pub(crate) known_labels: RwLock<KnownLabels>,
    pub(crate) parsed: ParsedQueries,
}

impl Backend {
    /// An empty backend on the computer's clock, in memory only.
    pub fn new(limits: Limits) -> Self {
        Self::with_clock(limits, Clock::system())
    }

    /// An empty backend on a given clock, in memory only.
    pub fn with_clock(limits: Limits, clock: Clock) -> Self {
        Self {
            metrics: Arc::new(series::Head::new(limits.metrics)),
            traces: Arc::new(TraceStore::new(limits.traces)),
            logs: Arc::new(LogStore::new(limits.logs)),
            exemplars: Exemplars::default(),
            counters: IngestCounters::default(),
            clock,
            disk: None,
            scraped: Targets::default(),
            exports: Exports::default(),
            metadata: RwLock::default(),
            deltas: Mutex::default(),
            span_metrics: Mutex::default(),
            known_labels: RwLock::default(),
            parsed: ParsedQueries::default(),
        }
    }

    /// A backend that keeps what it takes in a folder and begins with what is there. Metrics are then answered from as far
    /// back as the retention goes, and so are a trace by its id and searches over traces and logs.
    pub fn open(
        limits: Limits,
        clock: Clock,
        options: DiskOptions,
        report: &mut dyn FnMut(Progress),
    ) -> Result<Self, OpenError> {
        let bytes = [limits.traces.bytes, limits.logs.bytes];
        let mut backend = Self::with_clock(limits, clock);
        let stores = Stores {
            metrics: &backend.metrics,
            traces: &backend.traces,
            logs: &backend.logs,
            exemplars: &backend.exemplars,
            bytes,
        };
        let disk = Disk::open(options, &stores, report)?;
        backend.metadata = RwLock::new(disk.kept_metadata());
        backend.disk = Some(disk);
        // What was read back was counted when it came.
        backend.traces.forget_tally();
        Ok(backend)
    }

    pub(crate) fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// Why nothing is written to the disk any more, in words; `None` while all is well or nothing is to be written.
    pub fn disk_failure(&self) -> Option<String> {
        self.disk.as_ref().and_then(|disk| disk.faults.failure())
    }

    /// Appends that the disk did not take since the start.
    pub fn disk_errors(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.faults.writes.get())
    }

    /// Entries on disk that could not be read back since the start, and were left out.
    pub fn disk_unreadable(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.faults.reads.get())
    }

    /// What was damaged on disk when it was opened, and what was done about it: sentences.
    pub fn disk_mended(&self) -> &[String] {
        self.disk.as_ref().map_or(&[], |disk| &disk.faults.mended)
    }

    /// Where it keeps telemetry and for how long; `None` when all is in memory only.
    pub fn disk_options(&self) -> Option<&DiskOptions> {
        self.disk.as_ref().map(Disk::options)
    }

    /// Bytes that metrics, traces, logs and exemplars take on disk, without the journal; `None` when all is in memory only.
    pub fn disk_bytes(&self) -> Option<[u64; 4]> {
        self.disk.as_ref().map(Disk::bytes)
    }

    /// A trace as far as it arrived and is kept, in memory or on disk.
    pub fn trace(&self, id: &TraceId) -> Option<Trace> {
        match &self.disk {
            Some(disk) => self.whole(disk, id).trace(id),
            None => self.traces.trace(id),
        }
    }

    /// The traces that fit, newest start first, in memory and, where that has too few, on disk.
    pub fn search_traces(&self, search: &Search) -> Vec<TraceSummary> {
        let mut found = self.traces.search(search);
        let Some(disk) = &self.disk else { return found };
        if found.len() >= search.limit || !disk.has_more_traces(&self.traces) {
            return found;
        }
        let known: HashSet<TraceId> = found.iter().map(|summary| summary.id).collect();
        disk.find_traces(search, |id| {
            if !known.contains(&id) {
                found.extend(self.whole(disk, &id).search(search));
            }
            match found.len() < search.limit {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        found.sort_unstable_by_key(|summary| Reverse((summary.start_ns, summary.id)));
        found
    }

    /// A store with nothing but one trace, as far as it arrived and is kept.
    fn whole(&self, disk: &Disk, id: &TraceId) -> TraceStore {
        // Most spans are in both; a store knows duplicates.
        let both = TraceStore::new(self.traces.limits());
        both.append(disk.spans_of(id), 0);
        let rows = self.traces.trace(id).into_iter().flat_map(|trace| trace.rows);
        both.append(rows.map(|row| Arc::unwrap_or_clone(row.span)).collect(), 0);
        both
    }

    /// The log records that fit, newest arrival first, in memory and, where that has too few, on disk.
    pub fn search_logs(&self, search: &LogSearch) -> Vec<Arc<LogRecord>> {
        let found = self.logs.search(search);
        let enough = search.limit.is_some_and(|limit| found.len() >= limit);
        match &self.disk {
            Some(disk) if !enough && disk.has_more_logs(&self.logs) => {
                disk.search_logs(search, found)
            }
            _ => found,
        }
    }

    /// Stores samples that came at `now_ms` in memory and on disk.
    pub(crate) fn append_samples<'a>(
        &self,
        now_ms: i64,
        samples: impl IntoIterator<Item = (&'a Labels, Sample)>,
    ) -> ScrapeOutcome {
        let mut noted = Noted::default();
        let outcome = self.append_noting(now_ms, samples, &mut noted);
        self.write_down(noted);
        outcome
    }

    fn append_noting<'a>(
        &self,
        now_ms: i64,
        samples: impl IntoIterator<Item = (&'a Labels, Sample)>,
        noted: &mut Noted,
    ) -> ScrapeOutcome {
        match self.disk {
            Some(_) => self.metrics.append_noting(now_ms, samples, noted),
            None => self.metrics.append_scrape(now_ms, samples),
        }
    }

    fn write_down(&self, noted: Noted) {
        if let Some(disk) = &self.disk {
            disk.append_samples(noted);
        }
    }

    /// Keeps exemplars that came at `now_ms`, each with its series.
    pub(crate) fn append_exemplars<'a>(
        &self,
        now_ms: i64,
        found: impl IntoIterator<Item = (&'a Labels, &'a Exemplar)>,
    ) {
        let label_bytes = self.metrics.limits().label_bytes;
        let fitting = found.into_iter().filter(|(labels, _)| labels.bytes() <= label_bytes);
        let kept = fitting.filter_map(|(labels, exemplar)| {
            Some((labels.clone(), self.exemplars.append(labels, exemplar, now_ms)?))
        });
        let kept: Vec<_> = kept.collect();
        if let Some(disk) = &self.disk {
            disk.append_exemplars(now_ms, &kept);
        }
    }

    /// Keeps small things by name over a restart, all of them or none; in memory only they are not kept.
    pub(crate) fn keep_notes(&self, notes: crate::disk::NoteBatch) {
        if let Some(disk) = &self.disk {
            disk.keep_notes(notes);
        }
    }

    /// What was kept under names that begin so, by name.
    pub(crate) fn notes(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        self.disk.as_ref().map(|disk| disk.notes(prefix)).unwrap_or_default()
    }

    /// The time by the backend's clock, milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// What the scraper looks at and how it went, by job and instance.
    pub fn targets(&self) -> Vec<TargetStatus> {
        self.scraped.list()
    }

    /// The longest time between two scrapes of a target, seconds; [`ScrapeOptions::INTERVAL`](crate::ScrapeOptions::INTERVAL)
    /// without targets.
    pub fn scrape_interval_s(&self) -> f64 {
        let least = crate::ScrapeOptions::INTERVAL.as_secs_f64();
        self.scraped.longest_interval_s().unwrap_or(least)
    }

    /// Help, type and unit of the metrics that said them, by metric name.
    pub fn metadata(&self) -> BTreeMap<String, MetricMeta> {
        self.metadata.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn learn_metadata(&self, found: &BTreeMap<String, MetricMeta>) {
        let known = self.metadata.read().unwrap_or_else(PoisonError::into_inner);
        let full = known.len() >= MAX_METADATA;
        let old = |(name, meta): (&String, &MetricMeta)| match known.get(name) {
            Some(kept) => kept == meta,
            None => full || name.len() > MAX_METADATA_NAME_BYTES,
        };
        if found.iter().all(old) {
            return;
        }
        drop(known);
        let mut known = self.metadata.write().unwrap_or_else(PoisonError::into_inner);
        let mut fresh = Vec::new();
        for (name, meta) in found {
            let room = known.len() < MAX_METADATA && name.len() <= MAX_METADATA_NAME_BYTES;
            let old = known.get(name);
            if old != Some(meta) && (room || old.is_some()) {
                known.insert(name.clone(), meta.clone());
                fresh.push((name, meta));
            }
        }
        drop(known);
        if let Some(disk) = &self.disk {
            disk.append_metadata(fresh);
        }
    }

    /// Takes an OTLP request of spans; says what of it was refused.
    pub fn accept_traces(&self, request: ExportTraceServiceRequest) -> Option<Rejection> {
        let (bytes, now_ms) = (self.disk.as_ref().map(|_| request.encode_to_vec()), self.now_ms());
        let decoded = traces::decode_spans(request);
        self.counters.spans.add(decoded.items.len() as u64);
        self.counters.spans_rejected.add(decoded.rejected);
        if let (Some(disk), Some(bytes), false) = (&self.disk, bytes, decoded.items.is_empty()) {
            let ids: BTreeSet<TraceId> = decoded.items.iter().map(|span| span.trace_id).collect();
            disk.append_spans(now_ms, &bytes, &ids);
        }
        self.traces.append(decoded.items, now_ms);
        self.answer(decoded.rejected, decoded.message)
    }

    /// Takes an OTLP request of log records; says what of it was refused.
    pub fn accept_logs(&self, request: ExportLogsServiceRequest) -> Option<Rejection> {
        let bytes = self.disk.as_ref().map(|_| request.encode_to_vec());
        let decoded = traces::decode_logs(request);
        self.counters.logs.add(decoded.items.len() as u64);
        self.counters.logs_rejected.add(decoded.rejected);
        if let (Some(disk), Some(bytes), false) = (&self.disk, bytes, decoded.items.is_empty()) {
            disk.append_logs(self.now_ms(), &bytes);
        }
        self.logs.append(decoded.items);
        self.answer(decoded.rejected, decoded.message)
    }

    /// Takes an OTLP request of metric points; says what of it was refused.
    pub fn accept_metrics(&self, request: ExportMetricsServiceRequest) -> Option<Rejection> {
        let (now_ms, ahead_ms) = (self.now_ms(), self.metrics.limits().ahead_ms);
        let converted = {
            let mut deltas = self.deltas.lock().unwrap_or_else(PoisonError::into_inner);
            otlp_metrics::convert(request, &mut deltas, now_ms, ahead_ms)
        };
        // Nobody sent these as points, so their refusal is nobody's partial success.
        let mut noted = Noted::default();
        let senders = converted.senders.iter().map(|(l, s)| (l, *s));
        self.append_noting(now_ms, senders, &mut noted);
        self.learn_metadata(&converted.metadata);
        let (mut accepted, mut rejected, mut message) = (0, converted.rejected, converted.message);
        for point in &converted.points {
            let samples = point.iter().map(|(l, s)| (l, *s));
            let outcome = self.append_noting(now_ms, samples, &mut noted);
            match outcome.first_error {
                None => accepted += 1,
                Some(error) => {
                    rejected += 1;
                    if message.is_empty() {
                        message = error.to_string();
                    }
                }
            }
        }
        self.write_down(noted);
        self.append_exemplars(now_ms, converted.exemplars.iter().map(|(l, e)| (l, e)));
        self.counters.points.add(accepted);
        self.counters.points_rejected.add(rejected);
        self.answer(rejected, message)
    }

    /// What a sender is told: what was refused, and when nothing was but it is not kept, that.
    fn answer(&self, rejected: u64, message: String) -> Option<Rejection> {
        match self.disk.as_ref().and_then(|disk| disk.faults.failure()) {
            _ if rejected > 0 => Some(Rejection { count: rejected, message }),
            Some(_) => Some(Rejection { count: 0, message: MEMORY_ONLY.to_owned() }),
            None => None,
        }
    }
}

impl Backend {
    /// Lets go of what is too old or too much. Traces, logs and exemplars keep their limits whenever
    /// something is appended. Called by [`run_housekeeping`](crate::run_housekeeping).
    pub fn tidy(&self) {
        let now_ms = self.now_ms();
        self.append_span_metrics(now_ms);
        if let Some(disk) = &self.disk {
            disk.keep(&self.metrics, now_ms);
        }
        let mut gone = self.metrics.truncate(now_ms);
        if let Some(disk) = &self.disk {
            // Too many bytes: blocks are written early, at last without waiting for late samples.
            for early_ms in [self.metrics.limits().late_ms, 0] {
                if self.metrics.is_over_bytes() {
                    disk.archive(&self.metrics, now_ms - early_ms);
                    gone.extend(self.metrics.truncate(now_ms));
                }
            }
            disk.forget_series(&gone);
        }
        self.deltas.lock().unwrap_or_else(PoisonError::into_inner).expire(now_ms);
    }

    /// Stores what spans said up to `now_ms` as series.
    fn append_span_metrics(&self, now_ms: i64) {
        let tally = self.traces.tally(now_ms);
        let mut metrics = self.span_metrics.lock().unwrap_or_else(PoisonError::into_inner);
        let samples = metrics.samples(&tally, now_ms);
        drop(metrics);
        if samples.is_empty() {
            return;
        }
        self.learn_metadata(&span_metrics::metadata());
        let stored = self.append_samples(now_ms, samples.iter().map(|(l, s)| (l, *s)));
        if let Some(error) = stored.first_error {
            tracing::debug!(%error, "samples from spans were refused");
        }
    }
}
