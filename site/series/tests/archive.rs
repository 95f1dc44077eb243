//! Late samples, and a head whose old samples are in an archive.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use series::{
    AppendError, Archive, Chunk, Head, Labels, Limits, Noted, Sample, Storage, encoding,
    stale_marker,
};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

/// An archive in memory.
#[derive(Debug, Default)]
struct Shelf(Mutex<BTreeMap<(u64, i64), Chunk>>);

impl Archive for Shelf {
    fn chunks(&self, id: u64, start_ms: i64, end_ms: i64) -> Vec<Chunk> {
        let kept = self.0.lock().unwrap();
        let of_series = kept.range((id, i64::MIN)..=(id, i64::MAX)).map(|(_, chunk)| chunk);
        of_series.filter(|c| c.max_t() >= start_ms && c.min_t() <= end_ms).cloned().collect()
    }
}

fn named(name: &str) -> Labels {
    Labels::from_pairs([("__name__", name)])
}

fn all(head: &Head) -> BTreeMap<String, Vec<Sample>> {
    let found = head.select(&[], i64::MIN / 2, i64::MAX / 2);
    let each = found.iter().map(|data| {
        let samples = data.samples(i64::MIN / 2, i64::MAX / 2);
        assert!(samples.is_sorted_by(|a, b| a.t < b.t), "chunks do not overlap");
        (data.labels.value("__name__").to_owned(), samples)
    });
    each.collect()
}

/// Puts everything before `end` into the archive, as a store on disk does.
fn cut(head: &Head, shelf: &Shelf, end: i64) {
    let start = head.floor();
    head.raise_floor(end);
    let block: Vec<_> = head.block(start, end).collect();
    head.mark_archived(&block.iter().map(|(id, _)| *id).collect::<HashSet<_>>(), start, end);
    shelf.0.lock().unwrap().extend(block.into_iter().map(|(id, chunk)| ((id, end), chunk)));
}

proptest! {
    #[test]
    fn late_samples_find_their_place(
        steps in prop::collection::vec((-900_i64..1_000, 0_i32..4), 1..600)
    ) {
        let head = Head::new(Limits { late_ms: 2_000, ..Limits::default() });
        let (mut now, mut expected) = (10_000, BTreeMap::new());
        for (step, value) in steps {
            let (t, v) = (now + step, f64::from(value));
            now = now.max(t);
            match (head.append(&named("x"), t, v), expected.get(&t)) {
                (Ok(()), None) => { expected.insert(t, v); }
                (Ok(()), Some(known)) => prop_assert_eq!(*known, v),
                (Err(AppendError::Duplicate { .. }), Some(known)) => prop_assert_ne!(*known, v),
                (result, known) => prop_assert!(false, "{result:?} {known:?}"),
            }
        }
        let newest = *expected.keys().last().unwrap();
        let expected: Vec<_> = expected.into_iter().map(|(t, v)| Sample { t, v }).collect();
        prop_assert_eq!(&all(&head)["x"], &expected);
        prop_assert_eq!(head.stats().samples, expected.len());
        let late = head.append(&named("x"), newest - 2_001, 1.0);
        let too_late = matches!(late, Err(AppendError::OutOfOrder { .. }));
        prop_assert!(too_late, "{:?}", late);
    }

    #[test]
    fn bytes_come_back_or_are_refused(
        samples in prop::collection::btree_map(any::<i32>(), any::<f64>(), 1..300),
        cut_at in any::<prop::sample::Index>(),
        damage in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let samples: Vec<_> =
            samples.into_iter().map(|(t, v)| Sample { t: i64::from(t), v }).collect();
        let mut bytes = Vec::new();
        Chunk::from_samples(&samples).encode(&mut bytes);
        let back = Chunk::decode(&mut &*bytes).unwrap();
        prop_assert_eq!(back.samples().collect::<Vec<_>>(), samples);
        prop_assert!(Chunk::decode(&mut &bytes[..cut_at.index(bytes.len())]).is_none());
        // Whatever it says, it does not panic and takes no room for samples that cannot be there.
        if let Some(chunk) = Chunk::decode(&mut &*damage) {
            prop_assert!(chunk.samples().count() <= damage.len() * 4);
        }
        let _ = Labels::decode(&mut &*damage);
    }

    #[test]
    fn numbers_come_back(signed in any::<i64>(), number in any::<u64>()) {
        let mut bytes = Vec::new();
        encoding::put_signed(&mut bytes, signed);
        encoding::put_number(&mut bytes, number);
        let mut input = &*bytes;
        prop_assert_eq!(encoding::take_signed(&mut input), Some(signed));
        prop_assert_eq!(encoding::take_number(&mut input), Some(number));
        prop_assert!(input.is_empty());
    }
}

#[test]
fn the_archive_is_read_where_memory_ends() {
    let (head, shelf) = (
        Head::new(Limits { retention_ms: 50_000, ..Limits::default() }),
        Arc::new(Shelf::default()),
    );
    head.attach(shelf.clone());
    let mut noted = Noted::default();
    for t in 0..3_000 {
        let v = if t % 500 == 499 { stale_marker() } else { t as f64 };
        head.append_noting(t * 100, [(&named("x"), Sample { t: t * 100, v })], &mut noted);
    }
    let before = all(&head);
    assert_eq!(before["x"], noted.samples().iter().map(|(_, s)| *s).collect::<Vec<_>>());
    assert_eq!(noted.unknown().next().unwrap().1, &named("x"));
    assert!(head.truncate(300_000).is_empty());
    assert_eq!(head.stats().samples, 3_000, "nothing goes that the archive does not have");
    for end in [70_000, 100_050, 250_000] {
        cut(&head, &shelf, end);
        head.truncate(300_000);
        assert_eq!(all(&head), before, "until {end}");
    }
    assert!(head.stats().samples < 1_000, "it was dropped from memory: {:?}", head.stats());
    assert!(matches!(head.append(&named("x"), 249_999, 1.0), Err(AppendError::TooOld { .. })));

    // A new head, filled from what was noted and archived, says the same.
    let again = Head::new(Limits::default());
    let mut restoring = again.restore(250_000);
    for (id, labels) in noted.unknown() {
        restoring.series(id, labels);
    }
    restoring.series(77, &named("empty"));
    restoring.archived(1, 0, 250_000);
    let taken = noted.samples().iter().filter(|(id, s)| restoring.sample(*id, *s)).count();
    assert_eq!((taken, restoring.finish()), (500, vec![77]));
    again.attach(shelf.clone());
    assert_eq!(all(&again), before);
    assert_eq!(again.label_values("__name__", &[], 10, 20), ["x"]);

    // Whatever leaves the archive is gone, and the series with it.
    again.forget_archived(100_050);
    assert_eq!(all(&again)["x"], before["x"][1_001..]);
    again.forget_archived(250_000);
    again.raise_floor(400_000);
    assert_eq!((again.truncate(10_000_000), again.stats().series), (vec![1], 0));
    let mut next = Noted::default();
    again.append_noting(10_000_000, [(&named("x"), Sample { t: 10_000_000, v: 1.0 })], &mut next);
    assert_eq!(next.samples()[0].0, 78, "no id is given twice");
}

#[test]
fn series_that_ended_make_room_for_new_ones() {
    let limits = Limits { series: 1_000, retention_ms: 1_000, ..Limits::default() };
    let (head, shelf) = (Head::new(limits), Arc::new(Shelf::default()));
    head.attach(shelf.clone());
    for number in 0..950_i64 {
        head.append(&named(&format!("old_{number}")), number, 1.0).unwrap();
    }
    head.append(&named("lives"), 5_000, 1.0).unwrap();
    cut(&head, &shelf, 900);
    let gone = head.truncate(5_000);
    // 951 series, of which 900 may stay; the first that ended went, by the end of their blocks and then by id.
    assert_eq!(gone, (1..=51).collect::<Vec<u64>>());
    let names = head.label_values("__name__", &[], 0, 10_000);
    assert_eq!(names.len(), 900);
    assert!(names.contains(&"lives".to_owned()) && !names.contains(&"old_50".to_owned()));
    assert_eq!(all(&head)["old_51"], [Sample { t: 51, v: 1.0 }], "the others are read back");
}
