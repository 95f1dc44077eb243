//! What happened: alerts that fired, services that went down, restarted or came in another version, calls that no diagram
//! draws. Read from series over a time, so that it outlives restarts of this server.
//!
//! `loggia` asks for the series and hands in their points; `pages` draws the list and its lanes.

use document::ServiceId;
use serde::Serialize;
use std::collections::BTreeMap;

/// A start time that moves by less than this is the same start, told less exactly; seconds.
const START_TOLERANCE_S: f64 = 2.0;
/// Points further apart than so many steps do not belong together.
const GAP_STEPS: i64 = 2;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HappeningKind {
    /// An alert fired.
    Alert,
    /// A replica did not answer.
    Down,
    /// A version came that was not there.
    Deploy,
    /// A replica began anew.
    Restart,
    /// A call was seen that no diagram draws.
    Drift,
}

impl HappeningKind {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Down => "down",
            Self::Deploy => "deploy",
            Self::Restart => "restart",
            Self::Drift => "drift",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Happening {
    /// When it began, milliseconds since 1970.
    pub at: i64,
    /// When it was over; the same as `at` for what takes no time, `None` while it lasts.
    pub until: Option<i64>,
    /// What kind of thing.
    pub kind: HappeningKind,
    /// To what it happened: an alert's name, a service, a replica, two services.
    pub subject: String,
    /// What exactly.
    pub words: String,
    /// The service that it is about.
    pub service: Option<ServiceId>,
    /// Where more is told: the rule's name for an alert, the page's id for drift, else ``.
    pub about: String,
}

/// A series' times and values, oldest first.
pub type Points = [(i64, f64)];

/// A time from its first to its last point.
pub type Episode = (i64, i64);

/// The times in which there were points without a gap.
pub fn episodes(points: &Points, step_ms: i64) -> Vec<Episode> {
    let mut found: Vec<Episode> = Vec::new();
    for (at, _) in points {
        match found.last_mut() {
            Some((_, end)) if at - *end <= GAP_STEPS * step_ms => *end = *at,
            _ => found.push((*at, *at)),
        }
    }
    found
}

/// When a process began anew, by `process_start_time_seconds`, milliseconds since 1970.
pub fn restarts(points: &Points) -> Vec<i64> {
    let pairs = points.windows(2);
    let anew = pairs.filter(|pair| pair[1].1 - pair[0].1 > START_TOLERANCE_S);
    anew.map(|pair| ((pair[1].1 * 1000.0) as i64).clamp(pair[0].0, pair[1].0)).collect()
}

/// When a target did not answer, by `up`; the end is `None` where it still does not.
pub fn outages(points: &Points) -> Vec<(i64, Option<i64>)> {
    let mut found: Vec<(i64, Option<i64>)> = Vec::new();
    let mut down = false;
    for (at, value) in points {
        match (down, *value < 0.5) {
            (false, true) => found.push((*at, None)),
            (true, false) => {
                if let Some((_, end)) = found.last_mut() {
                    *end = Some(*at);
                }
            }
            _ => {}
        }
        down = *value < 0.5;
    }
    found
}

/// When another version of a service came: the moment, the version before it and the new one. `versions` are the times at
/// which each was seen.
pub fn deploys(versions: &BTreeMap<String, Vec<Episode>>) -> Vec<(i64, String, String)> {
    let all = || versions.iter().flat_map(|(name, times)| times.iter().map(move |one| (name, one)));
    let mut found = Vec::new();
    for (name, (begin, _)) in all() {
        let before = all().filter(|(_, (since, _))| since < begin);
        // What was seen last before it; of several at a time the one that came last.
        let last = before.max_by_key(|(_, (since, until))| ((*until).min(*begin), *since));
        if let Some((old, _)) = last.filter(|(old, _)| *old != name) {
            found.push((*begin, old.clone(), name.clone()));
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_end_an_episode() {
        let points: Vec<(i64, f64)> = [0, 10, 20, 50, 60].map(|at| (at, 1.0)).into();
        assert_eq!(episodes(&points, 10), [(0, 20), (50, 60)]);
        assert_eq!(episodes(&points, 15), [(0, 60)]);
        assert_eq!(episodes(&[], 10), []);
    }

    #[test]
    fn a_start_time_that_moves_is_a_restart() {
        for (starts, expected) in [
            (&[100.0, 100.0, 100.0][..], &[][..]),
            (&[100.0, 100.4, 99.8], &[]),
            (&[100.0, 107.5, 107.5], &[107_500]),
            // Told before the last point, or after this one: between the two.
            (&[100.0, 104.0, 104.0], &[105_000]),
            (&[100.0, 900.0, 900.0], &[110_000]),
            (&[100.0, 106.0, 112.0], &[106_000, 112_000]),
            (&[100.0], &[]),
        ] {
            let points: Vec<(i64, f64)> = starts
                .iter()
                .enumerate()
                .map(|(nth, start)| (105_000 + 5_000 * nth as i64, *start))
                .collect();
            assert_eq!(restarts(&points), expected, "{starts:?}");
        }
    }

    #[test]
    fn a_target_is_down_until_it_answers() {
        let points = |values: &[f64]| -> Vec<(i64, f64)> {
            values.iter().enumerate().map(|(nth, value)| (nth as i64, *value)).collect()
        };
        assert_eq!(outages(&points(&[1.0, 1.0])), []);
        assert_eq!(outages(&points(&[1.0, 0.0, 0.0, 1.0])), [(1, Some(3))]);
        assert_eq!(outages(&points(&[0.0, 1.0, 0.0])), [(0, Some(1)), (2, None)]);
    }

    fn check_deploys(versions: &[(&str, &[Episode])], expected: &[(i64, &str, &str)]) {
        let versions =
            versions.iter().map(|(name, times)| ((*name).to_owned(), times.to_vec())).collect();
        let found = deploys(&versions);
        let found: Vec<_> =
            found.iter().map(|(at, old, new)| (*at, old.as_str(), new.as_str())).collect();
        assert_eq!(found, expected, "{versions:?}");
    }

    #[test]
    fn another_version_is_a_deploy() {
        check_deploys(&[("1", &[(0, 100)])], &[]);
        check_deploys(&[("1", &[(0, 50)]), ("2", &[(60, 100)])], &[(60, "1", "2")]);
        // Side by side for a while, as a roll-out does.
        check_deploys(&[("1", &[(0, 70)]), ("2", &[(60, 100)])], &[(60, "1", "2")]);
        // Back again.
        check_deploys(
            &[("1", &[(0, 50), (80, 100)]), ("2", &[(60, 75)])],
            &[(60, "1", "2"), (80, "2", "1")],
        );
        // A gap is no deploy.
        check_deploys(&[("1", &[(0, 50), (80, 100)])], &[]);
        // Two from the beginning on: a canary that was there before.
        check_deploys(&[("1", &[(0, 50)]), ("2", &[(0, 50)])], &[]);
        check_deploys(
            &[("1", &[(0, 20)]), ("2", &[(20, 40)]), ("3", &[(40, 60)])],
            &[(20, "1", "2"), (40, "2", "3")],
        );
    }
}
