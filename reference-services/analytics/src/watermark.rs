//! Watermarks: up to which event time all events are believed to have come.
//! `advance` hands in what is known of each source, and `store` keeps the marks:
//! they never go back.
//!
//! A source's mark follows its newest event at a distance (its events come out of
//! order by so much at most). A source that has nothing is no reason to wait: a
//! feed that was asked and is empty says so itself, and its mark follows the
//! clock. A source that cannot be asked holds every window back that needs it,
//! for there may be events; for [`GIVE_UP_MS`], and then the others go on.

/// How far events of a feed come out of order at most.
pub const FEED_BOUND_MS: i64 = 2_000;

/// How far events of clients do: their clocks differ, and they send in batches.
pub const CLIENT_BOUND_MS: i64 = 10_000;

/// How long a source must have been empty before its mark follows the clock.
pub const IDLE_AFTER_MS: i64 = 2_000;

/// How long a source that cannot be asked holds the others back.
pub const GIVE_UP_MS: i64 = 60_000;

/// The mark before there was any event.
pub const NEVER: i64 = i64::MIN;

/// What the last requests to a source said, since this process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// When it answered last (or, before it ever did, when the process started).
    pub answered_ms: i64,
    /// Since when every answer was empty; none: the last one was not.
    pub empty_since_ms: Option<i64>,
    /// The first and the last request since then that failed, if one did. A process
    /// that was halted has not asked, and so gives nobody up.
    pub failed_ms: Option<(i64, i64)>,
}

/// What is known of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Time of the newest event that was handled.
    pub newest_ms: i64,
    /// Time of the oldest event that came and waits to be handled.
    pub waiting_ms: Option<i64>,
    /// How it answers.
    pub pulse: Pulse,
    /// How far its events come out of order.
    pub bound_ms: i64,
}

/// Where a source's mark may stand; none: it cannot be asked and is given up.
pub fn mark(known: &Known, idle_after_ms: i64) -> Option<i64> {
    let Known { newest_ms, waiting_ms, pulse, bound_ms } = *known;
    if pulse.failed_ms.is_some_and(|(first, last)| last.saturating_sub(first) > GIVE_UP_MS) {
        return None;
    }
    let quiet = pulse
        .empty_since_ms
        .is_some_and(|since| pulse.answered_ms.saturating_sub(since) >= idle_after_ms);
    let seen_ms = if quiet { newest_ms.max(pulse.answered_ms) } else { newest_ms };
    let seen_ms = waiting_ms.map_or(seen_ms, |waiting| seen_ms.min(waiting));
    Some(seen_ms.saturating_sub(bound_ms))
}

/// The watermark of windows that several sources feed: the lowest of their
/// marks, those left out that are given up. None: there is no other.
pub fn lowest(marks: impl IntoIterator<Item = Option<i64>>) -> Option<i64> {
    marks.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn known(newest_ms: i64, waiting_ms: Option<i64>, ago: i64, empty_for: Option<i64>) -> Known {
        let answered_ms = NOW - ago;
        let empty_since_ms = empty_for.map(|length| answered_ms - length);
        let pulse = Pulse { answered_ms, empty_since_ms, failed_ms: None };
        Known { newest_ms, waiting_ms, pulse, bound_ms: 100 }
    }

    #[test]
    fn marks_follow_what_is_known() {
        for (what, known, expected) in [
            ("busy", known(900_000, None, 5, None), Some(899_900)),
            ("nothing ever", known(NEVER, None, 5, None), Some(NEVER)),
            ("empty for a moment", known(900_000, None, 5, Some(10)), Some(899_900)),
            ("empty for long", known(900_000, None, 5, Some(5_000)), Some(NOW - 105)),
            ("ahead of the clock", known(NOW + 50, None, 5, Some(5_000)), Some(NOW - 50)),
            ("one waits", known(900_000, Some(800_000), 5, Some(5_000)), Some(799_900)),
            ("away", known(900_000, None, 10_000, Some(5_000)), Some(NOW - 10_100)),
            ("halted for long", known(900_000, None, 2 * GIVE_UP_MS, None), Some(899_900)),
        ] {
            assert_eq!(mark(&known, IDLE_AFTER_MS), expected, "{what}");
        }
        for (failed_ms, given_up) in [
            ((NOW - GIVE_UP_MS - 1, NOW), true),
            ((NOW - GIVE_UP_MS, NOW), false),
            ((NOW, NOW), false),
        ] {
            let mut away = known(900_000, None, 2 * GIVE_UP_MS, None);
            away.pulse.failed_ms = Some(failed_ms);
            assert_eq!(mark(&away, IDLE_AFTER_MS).is_none(), given_up, "{failed_ms:?}");
        }
    }

    #[test]
    fn the_slowest_decides() {
        for (marks, expected) in [
            (vec![Some(3), Some(2), Some(9)], Some(2)),
            (vec![None, Some(9)], Some(9)),
            (vec![Some(NEVER), Some(9)], Some(NEVER)),
            (vec![None, None], None),
        ] {
            assert_eq!(lowest(marks), expected);
        }
    }
}
