//! M4: as few points as a screen can show, without hiding a spike (Jugel and others, "M4: A
//! Visualization-Oriented Time Series Data Aggregation", VLDB 2014).

type Point = (i64, Option<f64>);

/// Of each column of pixels the first, the last, the lowest and the highest point, in their order; a gap
/// within a column stays one. `points` are oldest first, `from` and `to` are the ends of the axis in the
/// same unit of time. What has no more points than columns comes back as it is.
///
/// ```
/// let points: Vec<_> = (0..100).map(|t| (t, Some(if t == 42 { 9.0 } else { 1.0 }))).collect();
/// let drawn = pages::m4(&points, 0, 100, 10);
/// assert!(drawn.len() <= 40 && drawn.contains(&(42, Some(9.0))));
/// ```
pub fn m4(points: &[Point], from: i64, to: i64, columns: usize) -> Vec<Point> {
    if points.len() <= columns || to <= from || columns == 0 {
        return points.to_vec();
    }
    let wide = i128::from(to - from);
    let count = columns as i128;
    // The right end belongs to the last column.
    let column = |at: i64| (i128::from(at - from) * count / wide).clamp(0, count - 1);
    let mut out = Vec::with_capacity(columns * 4);
    for part in points.chunk_by(|a, b| column(a.0) == column(b.0)) {
        for run in part.chunk_by(|a, b| a.1.is_some() == b.1.is_some()) {
            out.extend(four(run));
        }
    }
    out
}

/// Of points of one column the four that draw it; of a gap one.
fn four(run: &[Point]) -> Vec<Point> {
    let Some(first) = run.first() else { return Vec::new() };
    if first.1.is_none() {
        return vec![*first];
    }
    let value = |nth: usize| run[nth].1.unwrap_or_default();
    let last = run.len() - 1;
    let (mut low, mut high) = (0, 0);
    for nth in 1..=last {
        if value(nth) < value(low) {
            low = nth;
        }
        if value(nth) > value(high) {
            high = nth;
        }
    }
    let mut kept = vec![0, low, high, last];
    kept.sort_unstable();
    kept.dedup();
    kept.into_iter().map(|nth| run[nth]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random and are the same each time (Knuth's MMIX generator).
    fn noise(seed: u64, count: usize) -> Vec<Point> {
        let mut state = seed;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        let mut at = 0;
        (0..count)
            .map(|_| {
                at += 1 + (next() % 40) as i64;
                (at, (next() % 9 != 0).then(|| (next() % 1000) as f64 - 500.0))
            })
            .collect()
    }

    /// What a column shows: its first, last, lowest and highest value, and whether it has a gap.
    fn seen(points: &[Point], from: i64, to: i64, columns: i64) -> Vec<Option<[f64; 4]>> {
        let column = |at: i64| ((at - from) * columns / (to - from)).min(columns - 1);
        (0..columns)
            .map(|nth| {
                let values: Vec<f64> = points
                    .iter()
                    .filter(|(at, _)| column(*at) == nth)
                    .filter_map(|(_, value)| *value)
                    .collect();
                let (first, last) = (values.first()?, values.last()?);
                let low = values.iter().copied().fold(f64::INFINITY, f64::min);
                let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                Some([*first, *last, low, high])
            })
            .collect()
    }

    #[test]
    fn no_column_loses_its_first_last_lowest_or_highest() {
        for (seed, count, columns) in
            [(1, 5_000, 100), (2, 5_000, 399), (3, 401, 400), (4, 120, 7), (5, 10_000, 1)]
        {
            let points = noise(seed, count);
            let (from, to) = (points[0].0, points[count - 1].0);
            let drawn = m4(&points, from, to, columns);
            let shown = |points: &[Point]| seen(points, from, to, columns as i64);
            assert_eq!(shown(&points), shown(&drawn), "{seed}");
            assert!(drawn.windows(2).all(|pair| pair[0].0 < pair[1].0), "{seed}: out of order");
            assert!(drawn.iter().all(|point| points.contains(point)), "{seed}: invented a point");
        }
    }

    #[test]
    fn gaps_stay_and_little_is_left_alone() {
        let hole = |at: i64| !(40..60).contains(&at);
        let points: Vec<Point> = (0..100).map(|at| (at, hole(at).then_some(1.0))).collect();
        let drawn = m4(&points, 0, 99, 5);
        assert!(drawn.iter().any(|(_, value)| value.is_none()), "{drawn:?}");
        assert!(drawn.len() < 20);
        assert_eq!(m4(&points, 0, 99, 100), points);
        assert_eq!(m4(&points, 5, 5, 10), points);
        assert_eq!(m4(&[], 0, 9, 3), []);
    }
}
