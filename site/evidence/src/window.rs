//! The span over which rates and quantiles are measured. `loggia` chooses it, `plan` puts it into
//! queries.

use serde::Serialize;

/// The spans to choose from, seconds, shortest first.
const LADDER_S: [u32; 4] = [5, 15, 30, 60];
/// A rate is taken over so many samples at least, so that one lost scrape leaves no gap.
const SAMPLES_LEAST: f64 = 4.0;
/// The span where others scrape, seconds: at their usual 15 to 60 s between two samples it holds several.
const WIDE_S: u32 = 300;

/// A span of time for rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Window(u32);

impl Window {
    /// The largest rung of 5, 15, 30 and 60 s that lies wholly behind the first sample, so that a
    /// rate is never spread over time that nobody measured. The shortest when even that does not.
    pub fn covering(first_sample_ms: Option<i64>, now_ms: i64) -> Self {
        Self::paced(first_sample_ms, now_ms, 1.0)
    }

    /// The same where samples are `interval_s` seconds apart: only rungs that hold four of them, and 300 s when
    /// none does.
    pub fn paced(first_sample_ms: Option<i64>, now_ms: i64, interval_s: f64) -> Self {
        let covered_ms = first_sample_ms.map_or(0, |first| now_ms.saturating_sub(first));
        let covers = |rung: &u32| i64::from(*rung) * 1000 <= covered_ms;
        let holds = |rung: &u32| f64::from(*rung) >= SAMPLES_LEAST * interval_s;
        let rungs = || LADDER_S.into_iter().filter(holds);
        Self(rungs().rev().find(covers).or(rungs().next()).unwrap_or(WIDE_S))
    }

    /// The span for metrics that others collect, who scrape less often.
    pub fn wide() -> Self {
        Self(WIDE_S)
    }

    /// Its length in seconds.
    pub fn seconds(self) -> u32 {
        self.0
    }

    /// As PromQL writes it: `15s`.
    pub fn promql(self) -> String {
        format!("{}s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_holds_four_samples() {
        for (interval_s, covered_s, seconds) in [
            (1.0, 60, 60),
            (1.25, 0, 5),
            (5.0, 0, 30),
            (5.0, 30, 30),
            (5.0, 59, 30),
            (5.0, 60, 60),
            (15.0, 0, 60),
            (15.1, 0, 300),
            (60.0, 600, 300),
        ] {
            let found = Window::paced(Some(0), covered_s * 1000, interval_s).seconds();
            assert_eq!(found, seconds, "every {interval_s} s for {covered_s} s");
        }
    }

    #[test]
    fn the_largest_covered_rung_is_taken() {
        let now = 1_000_000;
        let cases = [
            (None, 5),
            (Some(now), 5),
            (Some(now - 4_000), 5),
            (Some(now - 14_999), 5),
            (Some(now - 15_000), 15),
            (Some(now - 29_999), 15),
            (Some(now - 30_000), 30),
            (Some(now - 60_000), 60),
            (Some(0), 60),
            (Some(now + 10_000), 5),
            (Some(i64::MIN), 60),
        ];
        for (first, seconds) in cases {
            assert_eq!(Window::covering(first, now).seconds(), seconds, "first sample {first:?}");
        }
    }
}
