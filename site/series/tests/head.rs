//! What a head stores, finds, refuses and forgets.
#![allow(clippy::unwrap_used)]

use series::{AppendError, Head, Labels, Limits, Matcher, Sample, Storage, is_stale, stale_marker};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

/// `up{job, instance}` for two jobs of two replicas, one sample each second for ten minutes.
fn filled() -> Head {
    let head = Head::new(Limits::default());
    for job in ["orders", "payments"] {
        for replica in ["1", "2"] {
            let series = labels(&[
                ("__name__", "up"),
                ("job", job),
                ("instance", &format!("{job}-{replica}")),
            ]);
            for second in 0..600 {
                head.append(&series, second * 1_000, second as f64).unwrap();
            }
        }
    }
    head
}

#[test]
fn matchers_select_series() {
    let head = filled();
    let regex = |name: &str, pattern: &str| Matcher::regex(name, pattern).unwrap();
    let cases: Vec<(Vec<Matcher>, usize)> = vec![
        (vec![], 4),
        (vec![Matcher::equal("__name__", "up")], 4),
        (vec![Matcher::equal("job", "orders")], 2),
        (vec![Matcher::not_equal("job", "orders")], 2),
        (vec![regex("job", "orders|payments")], 4),
        (vec![regex("job", "order")], 0),
        (vec![regex("instance", ".*-1")], 2),
        (vec![Matcher::not_regex("instance", ".*-1").unwrap()], 2),
        (vec![Matcher::equal("missing", "")], 4),
        (vec![Matcher::not_equal("missing", "")], 0),
        (vec![regex("job", "pay.+"), Matcher::equal("instance", "payments-2")], 1),
        (vec![Matcher::equal("job", "gateway")], 0),
        (vec![regex("job", "a{b}|orders")], 2),
    ];
    for (matchers, wanted) in cases {
        assert_eq!(head.select(&matchers, 0, 600_000).len(), wanted, "{matchers:?}");
        assert_eq!(head.series(&matchers, 0, 600_000).len(), wanted, "{matchers:?}");
    }
    assert!(Matcher::regex("job", "(").is_err());
}

#[test]
fn samples_come_back_by_time() {
    let head = filled();
    let matchers = [Matcher::equal("instance", "orders-1")];
    let cases = [
        (0, 600_000, 600),
        (1_000, 3_000, 3),
        (1_001, 1_999, 0),
        (590_000, i64::MAX, 10),
        (-5, -1, 0),
    ];
    for (start, end, wanted) in cases {
        let found = head.select(&matchers, start, end);
        let samples: Vec<Sample> = found.iter().flat_map(|data| data.samples(start, end)).collect();
        assert_eq!(samples.len(), wanted, "{start}..{end}");
        assert!(samples.iter().all(|s| s.v == s.t as f64 / 1e3));
    }
}

#[test]
fn names_and_values_are_listed() {
    let head = filled();
    assert_eq!(head.label_names(&[], 0, 1_000), ["__name__", "instance", "job"]);
    assert_eq!(head.label_values("job", &[], 0, 1_000), ["orders", "payments"]);
    let only = [Matcher::equal("job", "orders")];
    assert_eq!(head.label_values("instance", &only, 0, 1_000), ["orders-1", "orders-2"]);
    assert!(head.label_values("job", &[], 700_000, 800_000).is_empty());
}

#[test]
fn order_is_kept() {
    let head = Head::new(Limits { late_ms: 0, ..Limits::default() });
    let series = labels(&[("__name__", "x")]);
    head.append(&series, 1_000, 1.0).unwrap();
    assert_eq!(head.append(&series, 1_000, 1.0), Ok(()));
    assert_eq!(head.append(&series, 1_000, 2.0), Err(AppendError::Duplicate { t: 1_000 }));
    assert_eq!(
        head.append(&series, 500, 1.0),
        Err(AppendError::OutOfOrder { t: 500, newest: 1_000 })
    );
    head.append(&series, 2_000, stale_marker()).unwrap();
    assert!(is_stale(head.select(&[], 0, 2_000)[0].samples(2_000, 2_000)[0].v));
    let stats = head.stats();
    assert_eq!((stats.samples, stats.appended_total, stats.out_of_order_total), (2, 2, 2));
}

#[test]
fn limits_refuse_in_words() {
    let limits = Limits {
        series: 2,
        labels_per_series: 3,
        label_bytes: 40,
        bytes: 5_000,
        ..Limits::default()
    };
    let head = Head::new(limits);
    head.append(&labels(&[("__name__", "a")]), 0, 1.0).unwrap();
    let long = "x".repeat(50);
    let cases = [
        (
            labels(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]),
            "the series has 4 labels, more than 3",
        ),
        (
            labels(&[("__name__", long.as_str())]),
            "the labels of the series take 58 bytes, more than 40",
        ),
    ];
    for (series, message) in cases {
        assert_eq!(head.append(&series, 0, 1.0).unwrap_err().to_string(), message);
    }
    head.append(&labels(&[("__name__", "b")]), 0, 1.0).unwrap();
    let full = head.append(&labels(&[("__name__", "c")]), 0, 1.0).unwrap_err();
    assert_eq!(full, AppendError::TooManySeries { limit: 2 });
    assert_eq!(head.stats().refused_total, 3);
    head.append(&labels(&[("__name__", "a")]), 1, 1.0).unwrap();
}

#[test]
fn old_samples_and_empty_series_go() {
    let head = Head::new(Limits { retention_ms: 60_000, ..Limits::default() });
    let (old, live) = (labels(&[("__name__", "old")]), labels(&[("__name__", "live")]));
    for second in 0..1_000 {
        head.append(&live, second * 1_000, second as f64).unwrap();
        if second < 300 {
            head.append(&old, second * 1_000, 1.0).unwrap();
        }
    }
    let before = head.stats();
    head.truncate(1_000_000);
    let after = head.stats();
    assert_eq!((before.series, after.series), (2, 1));
    assert!(after.samples < before.samples && after.bytes < before.bytes);
    assert!(after.oldest_ms.unwrap() > 1_000_000 - 60_000 - 120_000, "whole chunks go");
    assert_eq!(head.label_values("__name__", &[], 0, i64::MAX), ["live"]);
    let refused = head.append(&old, 5_000, 1.0).unwrap_err();
    assert_eq!(refused, AppendError::TooOld { t: 5_000, oldest: 940_000 });
    head.append(&old, 1_000_000, 1.0).unwrap();
    assert_eq!(head.stats().series, 2);
    head.truncate(10_000_000);
    let empty = head.stats();
    assert_eq!((empty.series, empty.samples, empty.bytes), (0, 0, 0));
}

/// Ten minutes of seconds, then a clock that jumps.
#[test]
fn a_clock_that_jumps_is_survived() {
    const HOUR: i64 = 3_600_000;
    let series = labels(&[("__name__", "x")]);
    for ahead in [0, 5 * 60_000, HOUR, 5 * HOUR, 24 * 365 * HOUR] {
        let head = Head::new(Limits { bytes: 30_000, ..Limits::default() });
        let scrape = |t: i64, now: i64| {
            head.append_scrape(now, [(&series, Sample { t, v: 1.0 })]).first_error
        };
        for second in 0..600 {
            assert_eq!(scrape(second * 1_000, second * 1_000), None);
        }
        for second in 600..1_000 {
            let jumped = second * 1_000 + ahead;
            assert_eq!(scrape(jumped, jumped), None);
        }
        head.truncate(1_000_000 + ahead);
        // Put right: what lies further ahead than allowed goes, and new samples come in at once.
        head.truncate(1_000_000);
        let newest = head.stats().newest_ms.unwrap_or(0);
        assert!(newest <= 1_600_000, "{newest}");
        assert_eq!(scrape(newest + 1, 1_600_000), None);
        let other = labels(&[("__name__", "y")]);
        let outcome = head.append_scrape(1_001_000, [(&other, Sample { t: 1_001_000, v: 1.0 })]);
        assert_eq!((outcome.appended, outcome.first_error), (1, None), "ahead {ahead}");
        let stats = head.stats();
        let held: usize = head
            .select(&[], i64::MIN, i64::MAX)
            .iter()
            .map(|data| data.samples(i64::MIN, i64::MAX).len())
            .sum();
        assert_eq!(stats.samples, held, "what is counted is what is held");
    }
}

#[test]
fn samples_of_the_future_are_refused() {
    let head = Head::new(Limits { ahead_ms: 1_000, ..Limits::default() });
    let series = labels(&[("__name__", "x")]);
    for (t, taken) in [(5_000, true), (6_000, true), (6_001, false), (i64::MAX, false)] {
        let outcome = head.append_scrape(5_000, [(&series, Sample { t, v: 1.0 })]);
        assert_eq!((outcome.appended == 1, outcome.refused == 0), (taken, taken), "{t}");
        let error = (!taken).then_some(AppendError::TooNew { t, latest: 6_000 });
        assert_eq!(outcome.first_error, error);
    }
    assert_eq!(head.stats().newest_ms, Some(6_000));
}

#[test]
fn bytes_are_bounded_by_giving_up_the_oldest() {
    let head = Head::new(Limits { bytes: 30_000, retention_ms: 10_000_000, ..Limits::default() });
    for second in 0..5_000_i64 {
        for name in ["a", "b", "c", "d"] {
            let v = (second as f64).sin();
            head.append(&labels(&[("__name__", name)]), second * 1_000, v).unwrap();
        }
        if second % 100 == 0 {
            head.truncate(second * 1_000);
            assert!(head.stats().bytes <= 30_000);
        }
    }
    let stats = head.stats();
    assert_eq!((stats.series, stats.newest_ms), (4, Some(4_999_000)));
    assert!(stats.oldest_ms.unwrap() > 0);
}

#[test]
fn scrapes_from_many_threads_lose_nothing() {
    let head = Head::new(Limits::default());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let head = &head;
            scope.spawn(move || {
                let sets: Vec<Labels> = (0..50)
                    .map(|i| {
                        labels(&[
                            ("__name__", "x"),
                            ("t", &thread.to_string()),
                            ("i", &i.to_string()),
                        ])
                    })
                    .collect();
                for second in 0..200_i64 {
                    let sample = Sample { t: second * 1_000, v: second as f64 };
                    let outcome = head.append_scrape(200_000, sets.iter().map(|set| (set, sample)));
                    assert_eq!(outcome.appended, 50);
                }
            });
            scope.spawn(move || {
                for _ in 0..50 {
                    head.select(&[Matcher::equal("__name__", "x")], 0, i64::MAX);
                    head.truncate(200_000);
                }
            });
        }
    });
    let stats = head.stats();
    assert_eq!((stats.series, stats.samples), (200, 200 * 200));
}

#[test]
fn labels_are_a_set() {
    let cases = [
        (labels(&[("b", "2"), ("a", "1")]), r#"{a="1", b="2"}"#),
        (labels(&[("b", ""), ("a", "1")]), r#"{a="1"}"#),
        (labels(&[("a", "1"), ("a", "2")]), r#"{a="2"}"#),
        (labels(&[("__name__", "up")]), "up"),
        (labels(&[("__name__", "up"), ("x", "say \"hi\"")]), r#"up{x="say \"hi\""}"#),
        (Labels::empty(), "{}"),
    ];
    for (set, wanted) in cases {
        assert_eq!(set.to_string(), wanted);
    }
    let set = labels(&[("a", "1"), ("b", "2")]);
    assert_eq!(set.with("a", ""), labels(&[("b", "2")]));
    assert_eq!(set.keep(&["b", "c"]), labels(&[("b", "2")]));
    assert_eq!(set.without(&["b", "c"]), labels(&[("a", "1")]));
    assert_eq!(serde_json::to_string(&set).unwrap(), r#"{"a":"1","b":"2"}"#);
}
