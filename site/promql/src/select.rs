//! Selectors and windows: from stored series to rows.
//!
//! Each series is decoded once; pointers then move over its samples as the steps go on.

use std::ops::{ControlFlow, Range};

use rayon::prelude::*;
use series::{Labels, Sample, SeriesData};

use crate::ast::{At, Kind, Node, Selector, Shift};
use crate::eval::{Evaluator, blank};
use crate::grid::{Row, Steps, is_present};
use crate::limits::EvalError;
use crate::notes::for_metric;
use crate::over_time::{OverTime, Traits, Window};

/// From so many series on, threads share the work: below, handing it over costs as much.
const MANY_SERIES: usize = 256;
/// Samples in the chunks of so many series as are in memory at a time, about: some 10 MB, however far back a query looks.
const BATCH_SAMPLES: usize = 4_000_000;
/// Series that a thread takes at a time.
const SERIES_AT_A_TIME: usize = 64;

/// Where the windows of a range expression end, and how long they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// The steps at which windows are wanted.
    steps: Steps,
    /// A fixed time for all of them.
    fixed: Option<i64>,
    offset_ms: i64,
    range_ms: i64,
}

impl Span {
    pub(crate) fn end(&self, i: usize) -> i64 {
        self.fixed.unwrap_or_else(|| self.steps.time(i)) - self.offset_ms
    }

    fn first_end(&self) -> i64 {
        self.end(0)
    }

    fn last_end(&self) -> i64 {
        self.end(self.steps.count.saturating_sub(1))
    }

    /// Start of the earliest window; it is not part of it.
    fn earliest(&self) -> i64 {
        self.first_end() - self.range_ms
    }
}

/// One series of a range expression, with the samples of all its windows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ranged<'a> {
    pub(crate) labels: &'a Labels,
    /// As in [`Row`].
    pub(crate) nameless: bool,
    /// By time, without stale markers.
    pub(crate) samples: &'a [Sample],
    pub(crate) span: Span,
}

/// What is done with each series of a range expression.
pub(crate) type SeriesVisitor<'v> = dyn FnMut(Ranged<'_>) -> Result<(), EvalError> + 'v;

impl Evaluator<'_> {
    fn span(&self, shift: &Shift, steps: Steps, range_ms: i64) -> Span {
        let fixed = shift.at.map(|at| match at {
            At::Start => self.query.start,
            At::End => self.end,
            At::Time(t) => t,
        });
        Span { steps, fixed, offset_ms: shift.offset_ms, range_ms }
    }

    /// The newest sample within the lookback at each step.
    pub(crate) fn instant_rows(
        &self,
        selector: &Selector,
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        self.looked_back(selector, steps, |sample| sample.v)
    }

    /// The time in seconds of the newest sample within the lookback at each step.
    pub(crate) fn instant_timestamps(
        &self,
        selector: &Selector,
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        self.looked_back(selector, steps, |sample| sample.t as f64 / 1e3)
    }

    fn looked_back(
        &self,
        selector: &Selector,
        steps: Steps,
        value: impl Fn(&Sample) -> f64,
    ) -> Result<Vec<Row>, EvalError> {
        let span = self.span(&selector.shift, steps, self.limits.lookback_ms);
        let mut rows = Vec::new();
        let mut samples = Vec::new();
        self.each_stored(selector, span, &mut |data| {
            samples.clear();
            data.decode_into(span.earliest() + 1, span.last_end(), &mut samples);
            self.charge(samples.len() + steps.count)?;
            let mut row = Row::new(data.labels, blank(steps));
            let mut seen = 0;
            for (i, slot) in row.values.iter_mut().enumerate() {
                let end = span.end(i);
                seen = behind(&samples, seen, end);
                let newest = seen.checked_sub(1).map(|at| &samples[at]);
                if let Some(sample) = newest.filter(|s| s.t > end - span.range_ms && !s.is_stale())
                {
                    *slot = value(sample);
                }
            }
            if !row.is_empty() {
                rows.push(row);
            }
            Ok(())
        })?;
        Ok(rows)
    }

    /// Hands over the stored series one by one, until one is too much.
    fn each_stored(
        &self,
        selector: &Selector,
        span: Span,
        visit: &mut dyn FnMut(SeriesData) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let mut outcome = Ok(());
        let (from, to) = (span.earliest() + 1, span.last_end());
        self.storage.each(&selector.matchers, from, to, &mut |data| match visit(data) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
        });
        outcome
    }

    /// Hands each series of a range expression to `visit`, with the windows over it.
    pub(crate) fn each_range(
        &self,
        node: &Node,
        steps: Steps,
        visit: &mut SeriesVisitor<'_>,
    ) -> Result<(), EvalError> {
        match &node.kind {
            Kind::Range { selector, range_ms } => {
                self.each_raw(selector, self.span(&selector.shift, steps, *range_ms), visit)
            }
            Kind::Subquery { expr, shift, range_ms, step_ms } => {
                let step = step_ms.unwrap_or(self.limits.subquery_step_ms);
                self.each_computed(expr, self.span(shift, steps, *range_ms), step, visit)
            }
            _ => Err(EvalError::Invalid("expected a range vector".to_owned())),
        }
    }

    fn each_raw(
        &self,
        selector: &Selector,
        span: Span,
        visit: &mut SeriesVisitor<'_>,
    ) -> Result<(), EvalError> {
        let (from, to) = (span.earliest() + 1, span.last_end());
        let mut samples = Vec::new();
        self.each_stored(selector, span, &mut |data| {
            samples.clear();
            data.decode_into(from, to, &mut samples);
            samples.retain(|sample: &Sample| !sample.is_stale());
            self.charge(samples.len() + span.steps.count)?;
            visit(Ranged { labels: &data.labels, nameless: false, samples: &samples, span })
        })
    }

    fn each_computed(
        &self,
        expr: &Node,
        span: Span,
        step: i64,
        visit: &mut SeriesVisitor<'_>,
    ) -> Result<(), EvalError> {
        // Subquery steps are multiples of the step, whatever the time of the query.
        let start = (span.earliest().div_euclid(step) + 1) * step;
        let count = (span.last_end() - start).div_euclid(step) + 1;
        let count = usize::try_from(count).unwrap_or(0);
        self.charge(count)?;
        if count == 0 {
            return Ok(());
        }
        let inner = Steps { start, step, count };
        for row in self.vector(expr, inner)? {
            let pairs = inner.times().zip(&row.values).filter(|(_, v)| is_present(**v));
            let samples: Vec<Sample> = pairs.map(|(t, v)| Sample { t, v: *v }).collect();
            self.charge(samples.len() + span.steps.count)?;
            visit(Ranged { labels: &row.labels, nameless: row.nameless, samples: &samples, span })?;
        }
        Ok(())
    }

    /// A window function over all series of its range argument.
    pub(crate) fn over_time(
        &self,
        function: OverTime,
        args: &[Node],
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        let is_range = |arg: &&Node| matches!(arg.kind, Kind::Range { .. } | Kind::Subquery { .. });
        let range = args
            .iter()
            .find(is_range)
            .ok_or_else(|| EvalError::Invalid("expected a range vector".to_owned()))?;
        let params = self.params(function, args.iter().filter(|arg| !is_range(arg)), steps)?;
        let row = |series: Ranged<'_>| windowed(function, &params, steps, series);
        let rows = match &range.kind {
            Kind::Range { selector, range_ms } => {
                let span = self.span(&selector.shift, steps, *range_ms);
                self.each_raw_beside(selector, span, &row)?
            }
            _ => {
                let mut rows = Vec::new();
                self.each_range(range, steps, &mut |series| {
                    rows.extend(row(series));
                    Ok(())
                })?;
                rows
            }
        };
        if function.traits == Traits::Counter {
            rows.iter().for_each(|row| self.note_if_no_counter(&row.labels, range.at));
        }
        Ok(rows)
    }

    /// The rows of stored series in their order; many are worked on by several threads.
    fn each_raw_beside(
        &self,
        selector: &Selector,
        span: Span,
        row: &(impl Fn(Ranged<'_>) -> Option<Row> + Sync),
    ) -> Result<Vec<Row>, EvalError> {
        let (from, to) = (span.earliest() + 1, span.last_end());
        let spent = &self.spent;
        let rows = |part: &[SeriesData]| {
            let (mut rows, mut samples) = (Vec::with_capacity(part.len()), Vec::new());
            for data in part {
                samples.clear();
                data.decode_into(from, to, &mut samples);
                samples.retain(|sample: &Sample| !sample.is_stale());
                spent.charge(samples.len() + span.steps.count)?;
                let labels = &data.labels;
                rows.extend(row(Ranged { labels, nameless: false, samples: &samples, span }));
            }
            Ok(rows)
        };
        let all = |batch: &[SeriesData]| -> Result<Vec<Row>, EvalError> {
            if batch.len() < MANY_SERIES {
                return rows(batch);
            }
            let parts: Result<Vec<Vec<Row>>, EvalError> =
                batch.par_chunks(SERIES_AT_A_TIME).map(rows).collect();
            Ok(parts?.into_iter().flatten().collect())
        };
        let (mut done, mut batch, mut held) = (Vec::new(), Vec::new(), 0);
        self.each_stored(selector, span, &mut |data| {
            held += data.sample_count();
            batch.push(data);
            if held >= BATCH_SAMPLES {
                done.extend(all(&batch)?);
                batch.clear();
                held = 0;
            }
            Ok(())
        })?;
        done.extend(all(&batch)?);
        Ok(done)
    }

    /// The scalar arguments at each step, checked.
    fn params<'n>(
        &self,
        function: OverTime,
        args: impl Iterator<Item = &'n Node>,
        steps: Steps,
    ) -> Result<Vec<Vec<f64>>, EvalError> {
        let mut params = vec![Vec::new(); steps.count];
        for arg in args {
            for (at_step, v) in params.iter_mut().zip(self.scalar(arg, steps)?) {
                match function.traits {
                    Traits::Quantile => self.notes.quantile_out_of_range(arg.at, v),
                    Traits::Smoothing if !(v > 0.0 && v < 1.0) => {
                        let word = if at_step.is_empty() { "smoothing" } else { "trend" };
                        return Err(EvalError::Invalid(format!(
                            "invalid {word} factor: expected a number between 0 and 1, got {v}"
                        )));
                    }
                    _ => {}
                }
                at_step.push(v);
            }
        }
        Ok(params)
    }

    fn note_if_no_counter(&self, labels: &Labels, at: usize) {
        let name = labels.metric_name().unwrap_or("");
        let counts =
            ["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| name.ends_with(suffix));
        if !name.is_empty() && !counts {
            let message =
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket:";
            self.notes.info(at, &format!("{message} {name:?}"));
        }
    }

    /// Warns that buckets of a classic histogram could not be read.
    pub(crate) fn note_bad_bucket(&self, labels: &Labels, at: usize) {
        let le = labels.value(series::BUCKET_LABEL);
        let metric = for_metric(labels.metric_name().unwrap_or(""));
        self.notes.warn(
            at,
            &format!("bucket label \"le\" is missing or has a malformed value of {le:?}{metric}"),
        );
    }
}

impl Ranged<'_> {
    /// Calls `each` with the index, the place of the samples, the start and the end of every window that has samples.
    pub(crate) fn slide(&self, mut each: impl FnMut(usize, Range<usize>, i64, i64)) {
        let Ranged { samples, span, .. } = *self;
        let (mut from, mut to) = (0, 0);
        for i in 0..span.steps.count {
            let end = span.end(i);
            let start = end - span.range_ms;
            to = behind(samples, to, end);
            from = behind(samples, from, start);
            if from < to {
                each(i, from..to, start, end);
            }
        }
    }
}

/// A window function over one series; `None` without a value at any step.
fn windowed(
    function: OverTime,
    params: &[Vec<f64>],
    steps: Steps,
    series: Ranged<'_>,
) -> Option<Row> {
    let mut row = Row {
        labels: series.labels.clone(),
        nameless: series.nameless || function.traits != Traits::KeepsName,
        values: blank(steps),
    };
    let counter = function.traits == Traits::Counter;
    let falls = if counter { Falls::of(series.samples) } else { Falls::default() };
    series.slide(|i, window, start, end| {
        let window = Window {
            samples: &series.samples[window.clone()],
            falls: falls.within(window),
            start,
            end,
            now: steps.time(i),
            params: &params[i],
        };
        if let Some(v) = (function.value)(&window) {
            row.values[i] = v;
        }
    });
    (!row.is_empty()).then_some(row)
}

/// Samples that are looked at one by one before the rest is searched: most steps pass one or two.
const NEAR: usize = 4;

/// The place behind the last sample up to `t`, from a place on that is not behind it.
fn behind(samples: &[Sample], from: usize, t: i64) -> usize {
    let rest = &samples[from..];
    match rest.iter().take(NEAR).position(|sample| sample.t > t) {
        Some(near) => from + near,
        None => from + rest.partition_point(|sample| sample.t <= t),
    }
}

/// Where a counter fell, found once for all windows.
#[derive(Debug, Default)]
struct Falls {
    /// Places of the samples that are below the one before them.
    places: Vec<usize>,
    /// The values of those before.
    values: Vec<f64>,
}

impl Falls {
    fn of(samples: &[Sample]) -> Self {
        let mut falls = Self::default();
        for (at, pair) in samples.windows(2).enumerate() {
            if pair[1].v < pair[0].v {
                falls.places.push(at + 1);
                falls.values.push(pair[0].v);
            }
        }
        falls
    }

    /// The values before those falls of which both samples are in the window.
    fn within(&self, window: Range<usize>) -> &[f64] {
        if self.places.is_empty() {
            return &[];
        }
        let first = self.places.partition_point(|place| *place <= window.start);
        let end = self.places.partition_point(|place| *place < window.end);
        &self.values[first..end.max(first)]
    }
}
