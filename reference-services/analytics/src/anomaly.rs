//! What stands out in a series of windows: the modified z-score of Iglewicz and
//! Hoaglin ("How to Detect and Handle Outliers", ASQC 1993, section 3.3). Median
//! and median absolute deviation instead of mean and standard deviation, so that
//! what stood out before does not hide what stands out now. No seasons: a shop
//! that sleeps at night wants a longer history. `store::alerts` hands in windows
//! that are final, so an alert is never taken back.

/// Windows before the judged one that are looked at.
pub const HISTORY: usize = 30;

/// Fewer than these say nothing.
pub const MIN_HISTORY: usize = 10;

/// Scores beyond this stand out, as the authors advise.
pub const THRESHOLD: f64 = 3.5;

/// The median absolute deviation of a normal distribution, in standard deviations.
const MAD_OF_NORMAL: f64 = 0.6745;

/// The same for the mean absolute deviation, which stands in when more than half
/// of the values are equal.
const MEAN_DEVIATION_OF_NORMAL: f64 = 0.797_885;

/// What is the least that a series scatters, whatever its history says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scatter {
    /// As counts of independent events do: by the square root of the median.
    Counts,
    /// By this share of the median.
    Share(f64),
}

/// What was expected, and how far off a value is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// The median of the history.
    pub expected: f64,
    /// Robust standard deviations between it and the value.
    pub score: f64,
}

/// How a value compares to the values before it; none: there are too few.
pub fn judge(history: &[i64], value: i64, least: Scatter) -> Option<Verdict> {
    if history.len() < MIN_HISTORY {
        return None;
    }
    let values: Vec<f64> = history.iter().map(|value| *value as f64).collect();
    let expected = median(values.clone());
    let off: Vec<f64> = values.iter().map(|value| (value - expected).abs()).collect();
    let mean = off.iter().sum::<f64>() / off.len() as f64;
    let spread = match median(off) {
        mad if mad > 0.0 => mad / MAD_OF_NORMAL,
        _ => mean / MEAN_DEVIATION_OF_NORMAL,
    };
    let floor = match least {
        Scatter::Counts => expected.abs().sqrt(),
        Scatter::Share(share) => expected.abs() * share,
    };
    let score = (value as f64 - expected) / spread.max(floor).max(1.0);
    Some(Verdict { expected, score })
}

impl Verdict {
    /// Whether the value stands out.
    pub fn stands_out(&self) -> bool {
        self.score.abs() > THRESHOLD
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_out_is_found_and_what_does_not_is_left() {
        let usual: Vec<i64> = (0..30).map(|n| 100 + n * 7 % 13).collect();
        let mut with_outliers = usual.clone();
        with_outliers[3] = 5_000;
        with_outliers[9] = 0;
        let steady = vec![40; 30];
        let mostly_nothing: Vec<i64> = (0..30).map(|n| i64::from(n % 10 == 0)).collect();
        for (what, history, value, expected) in [
            ("usual", &usual, 110, false),
            ("collapsed", &usual, 0, true),
            ("doubled", &usual, 220, true),
            ("outliers do not hide the next one", &with_outliers, 220, true),
            ("a little more than always", &steady, 45, false),
            ("much more than always", &steady, 90, true),
            ("one again", &mostly_nothing, 1, false),
            ("many at once", &mostly_nothing, 30, true),
        ] {
            let verdict = judge(history, value, Scatter::Counts);
            assert_eq!(
                verdict.map(|found| found.stands_out()),
                Some(expected),
                "{what} {verdict:?}"
            );
        }
        assert_eq!(judge(&usual[..MIN_HISTORY - 1], 0, Scatter::Counts), None);
    }
}
