//! Functions of a window of samples: `rate`, `increase`, `*_over_time` and their kin.
//!
//! The evaluator slides a window over each decoded series and asks one of these at every step.

use series::Sample;

use crate::numbers::{KahanSum, Mean, Variance, linear_regression, quantile};

/// The samples of a series in `(start, end]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a> {
    /// By time, never empty, without stale markers.
    pub(crate) samples: &'a [Sample],
    /// For functions of counters: the values after which the counter fell, in order.
    pub(crate) falls: &'a [f64],
    /// Milliseconds since 1970; not part of the window.
    pub(crate) start: i64,
    /// Milliseconds since 1970; part of the window.
    pub(crate) end: i64,
    /// The evaluation time, which `@` and `offset` do not move.
    pub(crate) now: i64,
    /// Values of the function's scalar arguments at this step.
    pub(crate) params: &'a [f64],
}

/// A function of a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OverTime {
    pub(crate) value: fn(&Window<'_>) -> Option<f64>,
    pub(crate) traits: Traits,
}

/// What sets a window function apart from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traits {
    Plain,
    /// Keeps the metric's name: its value is a sample of the series.
    KeepsName,
    /// Only sensible for counters.
    Counter,
    /// Its first parameter is a quantile.
    Quantile,
    /// Its value depends on the evaluation time, even under `@`.
    UsesNow,
    /// Its parameters are smoothing factors between 0 and 1.
    Smoothing,
}

/// The window function called `name`.
pub(crate) fn find(name: &str) -> Option<OverTime> {
    use Traits::*;
    let (value, traits): (fn(&Window<'_>) -> Option<f64>, Traits) = match name {
        "rate" => (|w| extrapolated(w, true, true), Counter),
        "increase" => (|w| extrapolated(w, true, false), Counter),
        "delta" => (|w| extrapolated(w, false, false), Plain),
        "irate" => (|w| last_step(w, true), Plain),
        "idelta" => (|w| last_step(w, false), Plain),
        "deriv" => (|w| enough(w).map(|s| linear_regression(s, s[0].t).0), Plain),
        "predict_linear" => (predict_linear, UsesNow),
        "double_exponential_smoothing" => (smooth, Smoothing),
        "changes" => {
            (|w| Some(count_pairs(w, |a, b| a != b && !(a.is_nan() && b.is_nan()))), Plain)
        }
        "resets" => (|w| Some(count_pairs(w, |a, b| b < a)), Plain),
        "sum_over_time" => (|w| Some(sum(w)), Plain),
        "avg_over_time" => (|w| Some(mean(w)), Plain),
        "min_over_time" => (|w| extreme(w, |v, best| v < best).map(|s| s.v), Plain),
        "max_over_time" => (|w| extreme(w, |v, best| v > best).map(|s| s.v), Plain),
        "count_over_time" => (|w| Some(w.samples.len() as f64), Plain),
        "present_over_time" => (|_| Some(1.0), Plain),
        "stddev_over_time" => (|w| Some(variance(w).sqrt()), Plain),
        "stdvar_over_time" => (|w| Some(variance(w)), Plain),
        "quantile_over_time" => (|w| Some(quantile(w.params[0], &mut values(w))), Quantile),
        "mad_over_time" => (|w| Some(median_deviation(w)), Plain),
        "last_over_time" => (|w| w.samples.last().map(|s| s.v), KeepsName),
        "first_over_time" => (|w| w.samples.first().map(|s| s.v), KeepsName),
        "ts_of_last_over_time" => (|w| w.samples.last().map(seconds), Plain),
        "ts_of_first_over_time" => (|w| w.samples.first().map(seconds), Plain),
        "ts_of_min_over_time" => (|w| extreme(w, |v, best| v <= best).map(seconds), Plain),
        "ts_of_max_over_time" => (|w| extreme(w, |v, best| v >= best).map(seconds), Plain),
        _ => return None,
    };
    Some(OverTime { value, traits })
}

/// The samples if there are at least two.
fn enough<'a>(window: &Window<'a>) -> Option<&'a [Sample]> {
    (window.samples.len() >= 2).then_some(window.samples)
}

/// Growth over the window, extended to its edges where the samples come close to them.
fn extrapolated(window: &Window<'_>, counter: bool, per_second: bool) -> Option<f64> {
    let samples = enough(window)?;
    let (first, last) = (samples[0], samples[samples.len() - 1]);
    let mut growth = last.v - first.v;
    if counter {
        // After a reset the counter started at zero again: what it had before is growth too.
        growth += window.falls.iter().sum::<f64>();
    }
    let sampled = (last.t - first.t) as f64 / 1e3;
    let spacing = sampled / (samples.len() - 1) as f64;
    let edge = |gap_ms: i64| {
        let gap = gap_ms as f64 / 1e3;
        if gap >= spacing * 1.1 { spacing / 2.0 } else { gap }
    };
    let mut to_start = edge(first.t - window.start);
    if counter && growth > 0.0 && first.v >= 0.0 {
        // A counter cannot have been below zero.
        to_start = to_start.min(sampled * (first.v / growth));
    }
    let mut factor = (sampled + to_start + edge(window.end - last.t)) / sampled;
    if per_second {
        factor /= (window.end - window.start) as f64 / 1e3;
    }
    Some(growth * factor)
}

/// The difference of the last two samples.
fn last_step(window: &Window<'_>, per_second: bool) -> Option<f64> {
    let samples = enough(window)?;
    let (before, last) = (samples[samples.len() - 2], samples[samples.len() - 1]);
    if !per_second {
        return Some(last.v - before.v);
    }
    let growth = if last.v < before.v { last.v } else { last.v - before.v };
    Some(growth / ((last.t - before.t) as f64 / 1e3))
}

fn predict_linear(window: &Window<'_>) -> Option<f64> {
    let (slope, now) = linear_regression(enough(window)?, window.now);
    Some(slope * window.params[0] + now)
}

/// Holt's linear method: a smoothed level and a smoothed trend.
fn smooth(window: &Window<'_>) -> Option<f64> {
    let samples = enough(window)?;
    let (level_factor, trend_factor) = (window.params[0], window.params[1]);
    let (mut before, mut level) = (0.0, samples[0].v);
    let mut trend = samples[1].v - samples[0].v;
    for (i, sample) in samples.iter().enumerate().skip(1) {
        if i > 1 {
            trend = trend_factor * (level - before) + (1.0 - trend_factor) * trend;
        }
        before = level;
        level = level_factor * sample.v + (1.0 - level_factor) * (level + trend);
    }
    Some(level)
}

fn count_pairs(window: &Window<'_>, counts: impl Fn(f64, f64) -> bool) -> f64 {
    window.samples.windows(2).filter(|pair| counts(pair[0].v, pair[1].v)).count() as f64
}

fn values(window: &Window<'_>) -> Vec<f64> {
    window.samples.iter().map(|s| s.v).collect()
}

fn sum(window: &Window<'_>) -> f64 {
    let mut sum = KahanSum::default();
    window.samples.iter().for_each(|s| sum.add(s.v));
    sum.value()
}

fn mean(window: &Window<'_>) -> f64 {
    let mut mean = Mean::default();
    window.samples.iter().for_each(|s| mean.add(s.v));
    mean.value()
}

fn variance(window: &Window<'_>) -> f64 {
    let mut variance = Variance::default();
    window.samples.iter().for_each(|s| variance.add(s.v));
    variance.value()
}

/// The sample that beats all others; NaN loses against every number.
fn extreme(window: &Window<'_>, beats: impl Fn(f64, f64) -> bool) -> Option<Sample> {
    window
        .samples
        .iter()
        .copied()
        .reduce(|best, s| if beats(s.v, best.v) || best.v.is_nan() { s } else { best })
}

fn seconds(sample: impl std::borrow::Borrow<Sample>) -> f64 {
    sample.borrow().t as f64 / 1e3
}

fn median_deviation(window: &Window<'_>) -> f64 {
    let mut values = values(window);
    if values.iter().any(|v| v.is_nan()) {
        return f64::NAN;
    }
    let median = quantile(0.5, &mut values);
    let mut deviations: Vec<f64> = values.iter().map(|v| (v - median).abs()).collect();
    quantile(0.5, &mut deviations)
}
