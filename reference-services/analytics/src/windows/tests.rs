//! Any order of events within the allowed lateness gives what a computation over
//! all of them gives, and beyond it exactly those that were late are missing.
//! What is drawn follows from a seed, which is printed; `ANALYTICS_SEED` sets it.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

const BOUND_MS: i64 = 2_000;
const LATENESS_MS: i64 = 3_000;
const ROUNDS: u64 = 200;

/// Key, time, amount.
type Happened = (u8, i64, i64);
/// Windows of each key: start and end, with events and amount.
type Table = BTreeMap<(u8, i64, i64), (i64, i64)>;
type Add = fn(&Operator, &[Pane], i64, &Sum, i64) -> Change;

fn right(operator: &Operator, panes: &[Pane], at: i64, sum: &Sum, watermark: i64) -> Change {
    operator.add(panes, at, sum, watermark)
}

struct Ran {
    table: Table,
    /// Windows that an event was late for.
    late: Vec<(Happened, i64)>,
}

/// Hands events to the operator one by one, with a watermark that follows them.
fn run(operator: &Operator, add: Add, bound_ms: i64, events: &[Happened]) -> Ran {
    let mut panes: BTreeMap<u8, Vec<Pane>> = BTreeMap::new();
    let (mut watermark, mut late) = (i64::MIN, Vec::new());
    for &(key, at, amount) in events {
        let (from, to) = operator.shape.reach(at);
        let kept = panes.entry(key).or_default();
        let touched: Vec<Pane> =
            kept.iter().filter(|pane| pane.start_ms < to && pane.end_ms > from).cloned().collect();
        let change = add(operator, &touched, at, &Sum::one(amount, false), watermark);
        late.extend(change.late.iter().map(|start| ((key, at, amount), *start)));
        kept.retain(|pane| {
            let put = change.put.iter().any(|put| put.start_ms == pane.start_ms);
            !put && !change.gone.contains(&pane.start_ms)
        });
        kept.extend(change.put);
        watermark = watermark.max(at - bound_ms);
    }
    let table = panes.into_iter().flat_map(|(key, panes)| {
        panes.into_iter().map(move |pane| {
            ((key, pane.start_ms, pane.end_ms), (pane.sum.events, pane.sum.amount))
        })
    });
    Ran { table: table.collect(), late }
}

/// The same from all events at once, by other means: each window asks who is in it.
fn batch(shape: Shape, events: &[Happened], late: &[(Happened, i64)]) -> Table {
    let mut table = Table::new();
    let mut sorted: Vec<_> = events.to_vec();
    sorted.sort_unstable();
    if let Shape::Session { gap_ms } = shape {
        for (event, _) in late {
            let place = sorted.iter().position(|other| other == event).unwrap();
            sorted.remove(place);
        }
        let mut rest = sorted.as_slice();
        while let Some(first) = rest.first() {
            let mut length = 1;
            while rest
                .get(length)
                .is_some_and(|next| next.0 == first.0 && next.1 - rest[length - 1].1 < gap_ms)
            {
                length += 1;
            }
            let (session, behind) = rest.split_at(length);
            let end = session.last().unwrap().1 + gap_ms;
            let amount = session.iter().map(|event| event.2).sum();
            table.insert((first.0, first.1, end), (i64::try_from(length).unwrap(), amount));
            rest = behind;
        }
        return table;
    }
    let (size, every) = match shape {
        Shape::Tumbling { size_ms } => (size_ms, size_ms),
        Shape::Sliding { size_ms, every_ms } => (size_ms, every_ms),
        Shape::Session { .. } => unreachable!("returned above"),
    };
    let mut late = late.to_vec();
    let last = sorted.iter().map(|event| event.1).max().unwrap_or(0);
    for start in (-size / every..=last / every).map(|number| number * every) {
        for event in sorted.iter().filter(|event| (start..start + size).contains(&event.1)) {
            if let Some(place) = late.iter().position(|one| *one == (*event, start)) {
                late.swap_remove(place);
                continue;
            }
            let window = table.entry((event.0, start, start + size)).or_default();
            *window = (window.0 + 1, window.1 + event.2);
        }
    }
    table
}

/// Events in the order of time, and then moved back by at most `reach_ms`.
fn shuffled(chance: &mut StdRng, reach_ms: i64) -> Vec<Happened> {
    let mut at = 0;
    let mut drawn: Vec<(i64, Happened)> = (0..chance.random_range(1..120))
        .map(|_| {
            at += if chance.random_bool(0.1) { chance.random_range(0..9_000) } else { 300 };
            let event = (chance.random_range(0..3), at, chance.random_range(-50..500));
            (at + chance.random_range(0..=reach_ms), event)
        })
        .collect();
    drawn.sort_by_key(|(comes, _)| *comes);
    drawn.into_iter().map(|(_, event)| event).collect()
}

fn seed() -> u64 {
    let given = std::env::var("ANALYTICS_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    println!("ANALYTICS_SEED={seed}");
    seed
}

const SHAPES: [Shape; 4] = [
    Shape::Tumbling { size_ms: 1_000 },
    Shape::Sliding { size_ms: 5_000, every_ms: 1_000 },
    Shape::Session { gap_ms: 1_500 },
    Shape::Session { gap_ms: 10_000 },
];

/// Rounds in which what came out is not what a computation over all events gives.
fn wrong(add: Add, bound_ms: i64, lateness_ms: i64, reach_ms: i64, late_is_wrong: bool) -> u64 {
    let seed = seed();
    let mut wrong = 0;
    for round in 0..ROUNDS {
        let mut chance = StdRng::seed_from_u64(seed.wrapping_add(round));
        let events = shuffled(&mut chance, reach_ms);
        for shape in SHAPES {
            let ran = run(&Operator { shape, lateness_ms }, add, bound_ms, &events);
            let same = ran.table == batch(shape, &events, &ran.late);
            wrong += u64::from(!same || (late_is_wrong && !ran.late.is_empty()));
        }
    }
    wrong
}

#[test]
fn any_order_within_the_allowed_lateness_gives_the_answer_of_a_batch() {
    // What comes when the watermark is at most the lateness past it is never late.
    assert_eq!(wrong(right, BOUND_MS, LATENESS_MS, BOUND_MS + LATENESS_MS, true), 0);
}

#[test]
fn beyond_it_what_is_missing_is_what_was_late() {
    assert_eq!(wrong(right, BOUND_MS, LATENESS_MS, 60_000, false), 0);
    assert!(wrong(right, BOUND_MS, LATENESS_MS, 60_000, true) > 0, "nothing came late");
}

#[test]
fn planted_mistakes_are_found() {
    let one_session_only: Add = |operator, panes, at, sum, watermark| {
        operator.add(&panes[..panes.len().min(1)], at, sum, watermark)
    };
    let silent: Add = |operator, panes, at, sum, watermark| {
        let change = operator.add(panes, at, sum, watermark);
        Change { late: Vec::new(), ..change }
    };
    let overwriting: Add = |operator, panes, at, sum, watermark| {
        let mut change = operator.add(panes, at, sum, watermark);
        change.put.iter_mut().for_each(|pane| pane.sum = sum.clone());
        change
    };
    let reach = BOUND_MS + LATENESS_MS;
    assert!(wrong(one_session_only, BOUND_MS, LATENESS_MS, reach, true) > 0);
    assert!(wrong(overwriting, BOUND_MS, LATENESS_MS, reach, true) > 0);
    assert!(wrong(silent, BOUND_MS, LATENESS_MS, 60_000, false) > 0);
    assert!(wrong(right, 0, LATENESS_MS, reach, true) > 0, "a watermark that runs ahead");
    assert!(wrong(right, BOUND_MS, 0, reach, true) > 0, "windows that do not wait");
}

#[test]
fn events_are_in_the_windows_that_they_should_be() {
    let minute = Shape::Tumbling { size_ms: 60_000 };
    let sliding = Shape::Sliding { size_ms: 30, every_ms: 10 };
    for (shape, at, spans) in [
        (minute, 0, vec![(0, 60_000)]),
        (minute, 59_999, vec![(0, 60_000)]),
        (minute, 60_000, vec![(60_000, 120_000)]),
        (minute, -1, vec![(-60_000, 0)]),
        (sliding, 25, vec![(0, 30), (10, 40), (20, 50)]),
        (sliding, 30, vec![(10, 40), (20, 50), (30, 60)]),
        (Shape::Session { gap_ms: 7 }, 5, vec![(5, 12)]),
    ] {
        assert_eq!(shape.spans(at), spans, "{shape:?} {at}");
    }
}
