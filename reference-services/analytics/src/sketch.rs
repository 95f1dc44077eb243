//! Percentiles of many durations in little room: counts in buckets whose bounds
//! grow by a constant factor, so that an answer is off by at most 2 % (the idea
//! of DDSketch, Masson et al., VLDB 2019). Sketches add up in any order.
//! `windows` adds them, `store` keeps them as text.

use std::collections::BTreeMap;

/// Largest relative error of a percentile.
pub const ACCURACY: f64 = 0.02;

/// Most buckets: with this accuracy they reach from 1 ms to some days. Beyond,
/// the lowest ones are joined.
pub const MAX_BUCKETS: usize = 600;

/// Counts by bucket; bucket 0 holds what is not positive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sketch(BTreeMap<i32, i64>);

fn growth() -> f64 {
    (1.0 + ACCURACY) / (1.0 - ACCURACY)
}

impl Sketch {
    /// A sketch of one value.
    pub fn of(value: i64) -> Self {
        // Bucket n holds what is above growth^(n-2) and at most growth^(n-1).
        let bucket = match value {
            ..=0 => 0,
            _ => ((value as f64).ln() / growth().ln()).ceil() as i32 + 1,
        };
        Self(BTreeMap::from([(bucket, 1)]))
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            *self.0.entry(*bucket).or_default() += count;
        }
        while self.0.len() > MAX_BUCKETS {
            if let (Some((_, count)), Some(mut next)) = (self.0.pop_first(), self.0.first_entry()) {
                *next.get_mut() += count;
            }
        }
    }

    /// The value that a share (0 to 1) of all is at most; none without values.
    pub fn percentile(&self, share: f64) -> Option<i64> {
        let all: i64 = self.0.values().sum();
        let wanted = ((all as f64 * share).ceil() as i64).max(1);
        let mut seen = 0;
        let found = self.0.iter().find(|(_, count)| {
            seen += **count;
            seen >= wanted
        });
        found.map(|(bucket, _)| middle(*bucket))
    }

    /// As text: `BUCKET:COUNT` with spaces between them.
    pub fn encode(&self) -> String {
        let pairs: Vec<String> =
            self.0.iter().map(|(bucket, count)| format!("{bucket}:{count}")).collect();
        pairs.join(" ")
    }

    /// From text; none: it is not what [`Sketch::encode`] gives.
    pub fn decode(text: &str) -> Option<Self> {
        let pair = |pair: &str| {
            let (bucket, count) = pair.split_once(':')?;
            Some((bucket.parse().ok()?, count.parse().ok()?))
        };
        text.split_whitespace().map(pair).collect::<Option<_>>().map(Self)
    }
}

fn middle(bucket: i32) -> i64 {
    if bucket == 0 {
        return 0;
    }
    let upper = growth().powi(bucket - 1);
    (2.0 * upper / (growth() + 1.0)).round() as i64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn percentiles_are_near_the_true_ones_in_whatever_order_values_come() {
        let values: Vec<i64> = (1..=5_000).map(|n| n * n % 90_001).collect();
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let mut forth = Sketch::default();
        values.iter().for_each(|value| forth.add(&Sketch::of(*value)));
        let mut back = Sketch::default();
        values.iter().rev().for_each(|value| back.add(&Sketch::of(*value)));
        assert_eq!(forth, back);
        assert_eq!(Sketch::decode(&forth.encode()).unwrap(), forth);
        for share in [0.01, 0.5, 0.95, 0.99, 1.0] {
            let place = ((5_000.0 * share) as usize).max(1) - 1;
            let (found, truth) = (forth.percentile(share).unwrap() as f64, sorted[place] as f64);
            assert!((found - truth).abs() <= truth * ACCURACY + 1.0, "{share}: {found} {truth}");
        }
        assert_eq!(Sketch::default().percentile(0.5), None);
        assert_eq!(Sketch::of(-3).percentile(0.5), Some(0));
        assert_eq!(Sketch::decode("1:x"), None);
    }

    #[test]
    fn it_stays_small() {
        let mut sketch = Sketch::default();
        (1..2_000).for_each(|n| sketch.add(&Sketch(BTreeMap::from([(n, 1)]))));
        assert_eq!(sketch.0.len(), MAX_BUCKETS);
        assert_eq!(sketch.0.values().sum::<i64>(), 1_999);
    }
}
