//! Sums, quantiles and lines through points, as exact as Prometheus makes them.
//!
//! Aggregations and window functions share these.

use series::Sample;

/// A sum that carries its rounding error along (Neumaier's variant of Kahan).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KahanSum {
    pub(crate) sum: f64,
    pub(crate) error: f64,
}

impl KahanSum {
    pub(crate) fn add(&mut self, v: f64) {
        let total = self.sum + v;
        if total.is_infinite() {
            self.error = 0.0;
        } else if self.sum.abs() >= v.abs() {
            self.error += (self.sum - total) + v;
        } else {
            self.error += (v - total) + self.sum;
        }
        self.sum = total;
    }

    pub(crate) fn value(&self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.error }
    }
}

/// A mean that changes to an incremental form when the sum would overflow.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mean {
    /// The sum, or in the incremental form the mean so far.
    state: KahanSum,
    count: f64,
    incremental: bool,
}

impl Mean {
    pub(crate) fn add(&mut self, v: f64) {
        self.count += 1.0;
        if !self.incremental {
            let mut sum = self.state;
            sum.add(v);
            if !sum.sum.is_infinite() || self.count == 1.0 {
                self.state = sum;
                return;
            }
            self.incremental = true;
            let before = self.count - 1.0;
            self.state =
                KahanSum { sum: self.state.sum / before, error: self.state.error / before };
        }
        let share = (self.count - 1.0) / self.count;
        self.state = KahanSum { sum: share * self.state.sum, error: share * self.state.error };
        self.state.add(v / self.count);
    }

    pub(crate) fn value(&self) -> f64 {
        let KahanSum { sum, error } = self.state;
        if self.incremental { sum + error } else { sum / self.count + error / self.count }
    }
}

/// Population variance in one pass (Welford).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Variance {
    mean: KahanSum,
    squares: KahanSum,
    count: f64,
}

impl Variance {
    pub(crate) fn add(&mut self, v: f64) {
        self.count += 1.0;
        let delta = v - (self.mean.sum + self.mean.error);
        self.mean.add(delta / self.count);
        self.squares.add(delta * (v - (self.mean.sum + self.mean.error)));
    }

    pub(crate) fn value(&self) -> f64 {
        (self.squares.sum + self.squares.error) / self.count
    }
}

/// The `q` quantile of `values`, which get sorted; NaN counts as the smallest.
pub(crate) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let rank = q * (values.len() - 1) as f64;
    let lower = rank.floor() as usize;
    let upper = (lower + 1).min(values.len() - 1);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}

/// Slope per second and value at `origin_ms` of the line with the least squares.
pub(crate) fn linear_regression(samples: &[Sample], origin_ms: i64) -> (f64, f64) {
    let first = samples[0].v;
    if samples.iter().all(|s| s.v == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let [mut x_sum, mut y_sum, mut xy_sum, mut xx_sum] = [KahanSum::default(); 4];
    for s in samples {
        let x = (s.t - origin_ms) as f64 / 1e3;
        x_sum.add(x);
        y_sum.add(s.v);
        xy_sum.add(x * s.v);
        xx_sum.add(x * x);
    }
    let n = samples.len() as f64;
    let [x, y, xy, xx] = [x_sum, y_sum, xy_sum, xx_sum].map(|s| s.sum + s.error);
    let slope = (xy - x * y / n) / (xx - x * x / n);
    (slope, y / n - slope * x / n)
}

/// The smaller one, or NaN if either is.
pub(crate) fn min(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}

/// The larger one, or NaN if either is.
pub(crate) fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}
