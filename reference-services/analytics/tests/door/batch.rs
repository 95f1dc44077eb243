//! What the series must say, computed from everything at once and apart from the
//! service: what each event adds, and which windows that makes.

use std::collections::BTreeMap;

use contracts::analytics::{LateEvent, Window};

pub const MINUTE_MS: i64 = 60_000;
pub const SESSION_GAP_MS: i64 = 5 * MINUTE_MS;

/// Something that is added to a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    pub series: &'static str,
    pub key: String,
    pub at_ms: i64,
    pub amount: i64,
}

/// Series, key, start and end, with events and amount.
pub type Table = BTreeMap<(String, String, i64, i64), (i64, i64)>;

/// Length and distance of the windows of a series; none: sessions.
fn shape(series: &str) -> Option<(i64, i64)> {
    match series {
        "sessions" => None,
        "orders-sliding" => Some((5 * MINUTE_MS, MINUTE_MS)),
        "products" | "signups" | "receipts" => Some((10 * MINUTE_MS, 10 * MINUTE_MS)),
        _ => Some((MINUTE_MS, MINUTE_MS)),
    }
}

pub fn table(added: &[Added], late: &[LateEvent]) -> Table {
    let mut table = Table::new();
    let mut late: Vec<_> = late
        .iter()
        .map(|one| (one.series.clone(), one.key.clone(), one.at_ms, one.start_ms, one.amount))
        .collect();
    let mut was_late = |one: &Added, start: i64| {
        let same = (one.series.to_owned(), one.key.clone(), one.at_ms, start, one.amount);
        let place = late.iter().position(|other| *other == same);
        place.map(|place| late.swap_remove(place)).is_some()
    };
    let mut sessions: BTreeMap<&str, Vec<&Added>> = BTreeMap::new();
    for one in added {
        let Some((size, every)) = shape(one.series) else {
            if !was_late(one, one.at_ms) {
                sessions.entry(&one.key).or_default().push(one);
            }
            continue;
        };
        let mut start = one.at_ms.div_euclid(every) * every;
        while start + size > one.at_ms {
            if !was_late(one, start) {
                let window = (one.series.to_owned(), one.key.clone(), start, start + size);
                let sum = table.entry(window).or_default();
                *sum = (sum.0 + 1, sum.1 + one.amount);
            }
            start -= every;
        }
    }
    for (key, mut own) in sessions {
        own.sort_by_key(|one| one.at_ms);
        let apart = |one: &&Added, next: &&Added| next.at_ms - one.at_ms < SESSION_GAP_MS;
        for session in own.chunk_by(apart) {
            let end = session.last().unwrap().at_ms + SESSION_GAP_MS;
            let window = ("sessions".to_owned(), key.to_owned(), session[0].at_ms, end);
            let amount = session.iter().map(|one| one.amount).sum();
            table.insert(window, (i64::try_from(session.len()).unwrap(), amount));
        }
    }
    assert!(late.is_empty(), "what never happened is said to be late: {late:?}");
    table
}

/// The same from what the service says.
pub fn told(series: &str, windows: &[Window]) -> Table {
    let row = |window: &Window| {
        let place = (series.to_owned(), window.key.clone(), window.start_ms, window.end_ms);
        (place, (window.events, window.amount))
    };
    windows.iter().map(row).collect()
}
