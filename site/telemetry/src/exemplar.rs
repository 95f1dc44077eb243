//! Exemplars: for a series the traces that it counted, the newest of them.
//!
//! The scraper appends what OpenMetrics bodies carry, the receiver what OTLP points do; the Prometheus API and pages read,
//! to get from a figure to a trace.

use crate::Exemplar;
use series::limits::DEFAULT_AHEAD_MS;
use series::{Labels, Matcher};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{PoisonError, RwLock};

/// Series of which exemplars are kept; beyond, the one without news for longest goes.
const MAX_SERIES: usize = 2000;
/// Exemplars that are kept of one series.
const MAX_OF_SERIES: usize = 60;
/// Of these the newest stay as they are; older ones are thinned out, so that they reach far back.
const NEWEST_OF_SERIES: usize = 20;
/// Characters that the labels of one exemplar have together, as OpenMetrics has it. One with more is
/// not kept: a part of an id leads nowhere.
const MAX_LABEL_CHARS: usize = 128;

type Kept = BTreeMap<Labels, VecDeque<Exemplar>>;

/// The newest exemplars of each series.
#[derive(Debug, Default)]
pub struct Exemplars(RwLock<Kept>);

impl Exemplars {
    /// Adds an exemplar that came at `now_ms`, unless it is known or too long; gives it as it is kept.
    pub(crate) fn append(
        &self,
        labels: &Labels,
        exemplar: &Exemplar,
        now_ms: i64,
    ) -> Option<Exemplar> {
        let chars = |(name, value): &(String, String)| name.chars().count() + value.chars().count();
        if exemplar.labels.iter().map(chars).sum::<usize>() > MAX_LABEL_CHARS {
            return None;
        }
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !kept.contains_key(labels) && kept.len() >= MAX_SERIES {
            forget_oldest(&mut kept);
        }
        let of_series = kept.entry(labels.clone()).or_default();
        // One of next year would be the newest until then.
        let latest_ms = now_ms.saturating_add(DEFAULT_AHEAD_MS);
        let said_ms = exemplar.timestamp_ms.filter(|t| *t <= latest_ms);
        let mut own = exemplar.labels.clone();
        own.sort_unstable();
        let same = |kept: &Exemplar| {
            kept.labels == own
                && kept.value.to_bits() == exemplar.value.to_bits()
                && said_ms.is_none_or(|t| kept.timestamp_ms == Some(t))
        };
        // A target tells each of its exemplars until it has a newer one, and it may have several of a series.
        let known = match said_ms {
            Some(_) => of_series.iter().any(same),
            None => of_series.back().is_some_and(same),
        };
        let timestamp_ms = said_ms.or(Some(now_ms));
        let at = of_series.partition_point(|kept| kept.timestamp_ms <= timestamp_ms);
        if known || (at == 0 && of_series.len() >= MAX_OF_SERIES) {
            return None;
        }
        let kept = Exemplar { labels: own, value: exemplar.value, timestamp_ms };
        of_series.insert(at, kept.clone());
        if of_series.len() > MAX_OF_SERIES {
            thin_out(of_series);
        }
        Some(kept)
    }

    /// The exemplars from `start_ms` to `end_ms`, both included, of the series for which every matcher
    /// holds, oldest first.
    pub fn select(
        &self,
        matchers: &[Matcher],
        start_ms: i64,
        end_ms: i64,
    ) -> Vec<(Labels, Vec<Exemplar>)> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let inside = |exemplar: &&Exemplar| {
            exemplar.timestamp_ms.is_some_and(|t| (start_ms..=end_ms).contains(&t))
        };
        kept.iter()
            .filter(|(labels, _)| {
                matchers.iter().all(|matcher| matcher.matches(labels.value(matcher.name())))
            })
            .map(|(labels, exemplars)| {
                (labels.clone(), exemplars.iter().filter(inside).cloned().collect())
            })
            .filter(|(_, exemplars): &(_, Vec<_>)| !exemplars.is_empty())
            .collect()
    }
}

/// Takes away the one of the older exemplars that stands closest between its neighbours in time.
fn thin_out(exemplars: &mut VecDeque<Exemplar>) {
    let time = |at: usize| exemplars[at].timestamp_ms.unwrap_or_default();
    let older = 1..exemplars.len() - NEWEST_OF_SERIES;
    let closest = older.min_by_key(|at| time(at + 1).saturating_sub(time(at - 1)));
    exemplars.remove(closest.unwrap_or_default());
}

fn forget_oldest(kept: &mut Kept) {
    let news = |exemplars: &VecDeque<Exemplar>| exemplars.back().and_then(|last| last.timestamp_ms);
    let oldest =
        kept.iter().min_by_key(|(_, exemplars)| news(exemplars)).map(|(labels, _)| labels.clone());
    if let Some(labels) = oldest {
        kept.remove(&labels);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exemplar(trace: u64, at: Option<i64>) -> Exemplar {
        Exemplar {
            labels: vec![("trace_id".into(), trace.to_string())],
            value: 0.5,
            timestamp_ms: at,
        }
    }

    #[test]
    fn the_newest_are_kept_and_found() {
        let store = Exemplars::default();
        let series = |job: &str| Labels::from_pairs([("__name__", "a_bucket"), ("job", job)]);
        let count = |start: i64, end: i64| {
            let found = store.select(&[Matcher::equal("job", "a")], start, end);
            found.iter().map(|(_, exemplars)| exemplars.len()).sum::<usize>()
        };
        for (trace, at) in [(1, None), (1, None), (1, Some(5)), (2, Some(20)), (2, Some(20))] {
            store.append(&series("a"), &exemplar(trace, at), 5);
        }
        // What a target repeats is not kept again, also when it tells several at once.
        for (trace, at) in [(1, Some(5)), (2, Some(20))] {
            store.append(&series("a"), &exemplar(trace, at), 5);
        }
        store.append(&series("b"), &exemplar(3, None), 5);
        assert_eq!((count(0, 100), count(0, 5), count(6, 19)), (2, 1, 0));
        for trace in 0..2 * MAX_OF_SERIES as u64 {
            store.append(&series("a"), &exemplar(trace + 10, Some(30)), 5);
        }
        assert_eq!(count(0, 100), MAX_OF_SERIES);
        // One a second for an hour: the last ones are all there, and older ones all along the way.
        for second in 0..3600_i64 {
            store.append(&series("hour"), &exemplar(1, Some(second * 1000)), second * 1000);
        }
        let hour = store.select(&[Matcher::equal("job", "hour")], 0, i64::MAX);
        let times: Vec<i64> = hour[0].1.iter().filter_map(|one| one.timestamp_ms).collect();
        assert_eq!(times.len(), MAX_OF_SERIES);
        let last = times.len() - NEWEST_OF_SERIES;
        assert!(times[last..].windows(2).all(|pair| pair[1] - pair[0] == 1000), "{times:?}");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 300_000), "{times:?}");
        assert!(times[0] <= 300_000, "{times:?}");
        for _ in 0..2 {
            store.append(&series("future"), &exemplar(1, Some(i64::MAX)), 7);
        }
        let future = store.select(&[Matcher::equal("job", "future")], 0, 100);
        assert_eq!((future[0].1.len(), future[0].1[0].timestamp_ms), (1, Some(7)));
        for (length, kept) in [(MAX_LABEL_CHARS - 1, 1), (MAX_LABEL_CHARS, 0)] {
            let job = format!("long-{length}");
            let labels = vec![("x".to_owned(), "ä".repeat(length))];
            store.append(&series(&job), &Exemplar { labels, ..exemplar(1, None) }, 5);
            assert_eq!(store.select(&[Matcher::equal("job", job)], 0, 100).len(), kept);
        }
        for job in 0..MAX_SERIES {
            store.append(&series(&format!("job-{job}")), &exemplar(1, None), 50);
        }
        assert_eq!(count(0, 100), 0, "the one without news went");
    }
}
