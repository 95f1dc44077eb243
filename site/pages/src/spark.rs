//! A KPI's last values as the paths of a small line drawing.

use std::fmt::Write as _;

/// Width and height of the drawing's `viewBox`.
const WIDTH: f64 = 200.0;
const HEIGHT: f64 = 38.0;
/// Room kept free above and below the line.
const MARGIN: f64 = 3.0;
/// A steady value is drawn as if it varied by this share of itself, so that noise stays small.
const SPAN_MIN: f64 = 0.2;
/// A bound farther away than this many spans is left out: the line would be squeezed flat.
const BOUND_SPANS_MAX: f64 = 3.0;

/// Outlines for `d`; empty where there is nothing to draw.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Spark {
    pub(crate) line: String,
    pub(crate) area: String,
    pub(crate) bound: String,
}

/// Values oldest first; a gap is `None` and stays a gap.
pub(crate) fn draw(history: &[Option<f64>], bound: Option<f64>) -> Spark {
    let known = || history.iter().flatten().copied().filter(|value| value.is_finite());
    let (mut low, mut high) =
        (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    if low > high {
        return Spark::default();
    }
    let span = (high - low).max(high.abs() * SPAN_MIN).max(f64::MIN_POSITIVE);
    let middle = f64::midpoint(low, high);
    (low, high) = (low.min(middle - span / 2.0), high.max(middle + span / 2.0));
    let near = bound.filter(|bound| {
        bound.is_finite()
            && *bound > low - span * BOUND_SPANS_MAX
            && *bound < high + span * BOUND_SPANS_MAX
    });
    if let Some(bound) = near {
        (low, high) = (low.min(bound), high.max(bound));
    }
    let y = |value: f64| HEIGHT - MARGIN - (value - low) / (high - low) * (HEIGHT - 2.0 * MARGIN);
    let step = WIDTH / (history.len().max(2) - 1) as f64;
    let mut drawn = Spark::default();
    for run in runs(history) {
        trace_run(&mut drawn, &run, step, &y);
    }
    if let Some(bound) = near {
        drawn.bound = format!("M0,{:.1}H{WIDTH}", y(bound));
    }
    drawn
}

/// Values without a gap between them, each with its place.
fn runs(history: &[Option<f64>]) -> Vec<Vec<(usize, f64)>> {
    let mut runs: Vec<Vec<(usize, f64)>> = vec![Vec::new()];
    for (at, value) in history.iter().enumerate() {
        match value.filter(|value| value.is_finite()) {
            Some(value) => runs.last_mut().expect("there is always a last run").push((at, value)),
            None => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

fn trace_run(drawn: &mut Spark, run: &[(usize, f64)], step: f64, y: &dyn Fn(f64) -> f64) {
    let mut line = String::new();
    for (nth, (at, value)) in run.iter().enumerate() {
        let command = if nth == 0 { 'M' } else { 'L' };
        let _ = write!(line, "{command}{:.1},{:.1}", *at as f64 * step, y(*value));
    }
    let (first, last) = (run[0].0 as f64 * step, run[run.len() - 1].0 as f64 * step);
    let _ = write!(drawn.area, "{line}L{last:.1},{HEIGHT}L{first:.1},{HEIGHT}Z");
    if run.len() == 1 {
        line.push_str("h0.01");
    }
    drawn.line.push_str(&line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_bounds() {
        for (history, bound, runs, has_bound) in [
            (vec![], None, 0, false),
            (vec![None, None], Some(1.0), 0, false),
            (vec![Some(1.0), Some(2.0)], None, 1, false),
            (vec![Some(1.0), None, Some(2.0), Some(3.0)], Some(2.5), 2, true),
            (vec![Some(1.0), Some(1.0)], Some(100.0), 1, false),
            (vec![Some(0.0), Some(0.0)], Some(0.01), 1, false),
            (vec![Some(f64::NAN), Some(1.0)], None, 1, false),
        ] {
            let drawn = draw(&history, bound);
            assert_eq!(drawn.line.matches('M').count(), runs, "{history:?}");
            assert_eq!(!drawn.bound.is_empty(), has_bound, "{history:?}");
            assert!(!drawn.line.contains("NaN"), "{history:?}: {}", drawn.line);
        }
    }
}
