//! Durations of one second's calls, small enough to keep many seconds of many edges.
//!
//! Filled by the service graph and merged over its window.

/// Buckets for each doubling: neighbours are 4.4 % apart, so a quantile is off by 2.2 % at most.
const BUCKETS_PER_DOUBLING: f64 = 16.0;
/// Shorter durations count as this one, seconds.
const SHORTEST_S: f64 = 1e-6;
/// Doublings above the shortest: up to some 12 days.
const MAX_BUCKET: u16 = 40 * 16;

/// Counts by bucket, in the order of the buckets; only buckets with a count are kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Durations {
    buckets: Vec<(u16, u32)>,
}

impl Durations {
    pub(crate) fn add(&mut self, seconds: f64) {
        let above = (seconds.max(SHORTEST_S) / SHORTEST_S).log2() * BUCKETS_PER_DOUBLING;
        self.add_count((above.round() as u16).min(MAX_BUCKET), 1);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            self.add_count(*bucket, *count);
        }
    }

    /// The duration in seconds that a share `q` of the calls did not exceed; `None` without calls.
    pub(crate) fn quantile(&self, q: f64) -> Option<f64> {
        let total: u64 = self.buckets.iter().map(|(_, count)| u64::from(*count)).sum();
        let rank = (q * total as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        self.buckets.iter().find_map(|(bucket, count)| {
            below += u64::from(*count);
            (below >= rank).then(|| SHORTEST_S * (f64::from(*bucket) / BUCKETS_PER_DOUBLING).exp2())
        })
    }

    fn add_count(&mut self, bucket: u16, count: u32) {
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(count),
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_near_the_true_ones() {
        let check = |durations: &[f64], q: f64, expected: Option<f64>| {
            let mut histogram = Durations::default();
            durations.iter().for_each(|seconds| histogram.add(*seconds));
            match (histogram.quantile(q), expected) {
                (Some(found), Some(expected)) => {
                    assert!((found / expected - 1.0).abs() < 0.023, "{found} {expected}");
                }
                (found, expected) => assert_eq!(found, expected),
            }
        };
        let even: Vec<f64> = (1..=1000).map(|n| f64::from(n) / 1000.0).collect();
        check(&[], 0.5, None);
        check(&[0.2], 0.5, Some(0.2));
        check(&[0.2], 0.99, Some(0.2));
        check(&even, 0.5, Some(0.5));
        check(&even, 0.95, Some(0.95));
        check(&[0.0], 0.5, Some(1e-6));
        check(&[-1.0, f64::NAN], 0.5, Some(1e-6));
        check(&[1e300], 0.5, Some(SHORTEST_S * 40_f64.exp2()));
    }
}
