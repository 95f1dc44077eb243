//! Whatever the query and the data: no panic, and a range query agrees with instant queries at each of its steps.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use promql::{EvalError, Limits, Query, Value};
use proptest::prelude::*;
use series::{Head, Labels, Sample, stale_marker};

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-50_i32..50).prop_map(f64::from),
        2 => any::<f64>(),
        1 => Just(stale_marker()),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
    ]
}

/// Up to eight series of gauges, counters and buckets with gaps.
fn any_head() -> impl Strategy<Value = Vec<(Labels, Vec<Sample>)>> {
    let labels = (
        prop::sample::select(vec!["m", "n_total", "h_bucket"]),
        0_u8..3,
        prop::sample::select(vec!["", "1", "5", "+Inf"]),
    );
    let labels = labels.prop_map(|(name, job, le)| {
        let job = job.to_string();
        Labels::from_pairs([("__name__", name), ("job", job.as_str()), ("le", le)])
    });
    let samples = prop::collection::vec((1_i64..90_000, any_value()), 0..40).prop_map(|gaps| {
        let mut t = 0;
        gaps.into_iter()
            .map(|(gap, v)| {
                t += gap;
                Sample { t, v }
            })
            .collect()
    });
    prop::collection::vec((labels, samples), 0..8)
}

fn any_selector() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "m",
        "n_total",
        "h_bucket",
        "{job=~\"0|1\"}",
        "m offset 30s",
        "m @ 100",
        "n_total{job!=\"1\"}",
    ])
    .prop_map(str::to_owned)
}

fn any_range() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "m[2m]",
        "n_total[1m] offset 10s",
        "h_bucket[90s]",
        "m[1m] @ 200",
        "{job=\"1\"}[3m]",
        "(m + n_total)[2m:20s]",
        "rate(n_total[1m])[2m:15s]",
    ])
    .prop_map(str::to_owned)
}

const OVER_TIME: [&str; 25] = [
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "deriv",
    "changes",
    "resets",
    "sum_over_time",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "count_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "last_over_time",
    "first_over_time",
    "mad_over_time",
    "absent_over_time",
    "present_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "sum_over_time",
];
const MAPS: [&str; 16] = [
    "abs",
    "ceil",
    "exp",
    "ln",
    "sgn",
    "sqrt",
    "hour",
    "days_in_month",
    "day_of_year",
    "year",
    "timestamp",
    "absent",
    "sort_desc",
    "round",
    "deg",
    "-",
];
const AGGREGATIONS: [&str; 12] = [
    "sum",
    "avg by (job)",
    "min",
    "max without (le)",
    "count",
    "stddev by (job)",
    "group",
    "topk by (job) (2,",
    "bottomk(1,",
    "quantile(0.7,",
    "count_values(\"v\",",
    "limitk(2,",
];
const OPERATORS: [&str; 14] = [
    "+",
    "-",
    "* on (job)",
    "/",
    "%",
    "^",
    "> bool",
    "<",
    "== on (job, le)",
    "and",
    "or",
    "unless on (job)",
    "+ on (job) group_left ()",
    "- ignoring (le) fill (3)",
];

fn any_query() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any_selector(),
        (prop::sample::select(OVER_TIME.to_vec()), any_range())
            .prop_map(|(f, r)| format!("{f}({r})")),
        any_range().prop_map(|r| format!("quantile_over_time(0.9, {r})")),
        any_range().prop_map(|r| format!("predict_linear({r}, 60)")),
        any_range().prop_map(|r| format!("double_exponential_smoothing({r}, 0.5, 0.3)")),
        Just("vector(time())".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (prop::sample::select(MAPS.to_vec()), inner.clone())
                .prop_map(|(f, q)| format!("{f}({q})")),
            (prop::sample::select(AGGREGATIONS.to_vec()), inner.clone()).prop_map(|(f, q)| {
                if f.ends_with(',') { format!("{f} {q})") } else { format!("{f} ({q})") }
            }),
            (inner.clone(), prop::sample::select(OPERATORS.to_vec()), inner.clone())
                .prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
            inner.clone().prop_map(|q| format!("histogram_quantile(0.9, {q})")),
            inner.clone().prop_map(|q| format!("histogram_fraction(0, 2, {q})")),
            inner.clone().prop_map(|q| format!("clamp({q}, -3, scalar(m))")),
            inner.prop_map(|q| format!("label_replace({q}, \"x\", \"$1\", \"job\", \"(.).*\")")),
        ]
    })
}

type ByLabels = BTreeMap<Labels, u64>;

/// NaN payloads may differ; which NaN it is means nothing.
fn bits(v: f64) -> u64 {
    if v.is_nan() { f64::NAN.to_bits() } else { v.to_bits() }
}

fn at_step(value: &Value, t: i64) -> ByLabels {
    match value {
        Value::Vector(vector) => vector.iter().map(|s| (s.labels.clone(), bits(s.v))).collect(),
        Value::Matrix(matrix) => matrix
            .iter()
            .filter_map(|series| {
                series.samples.iter().find(|s| s.t == t).map(|s| (series.labels.clone(), bits(s.v)))
            })
            .collect(),
        _ => ByLabels::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn a_range_is_its_instants(series in any_head(), text in any_query(), start in -100_000_i64..1_000_000) {
        const STEP: i64 = 25_000;
        let head = Head::new(series::Limits::default());
        for (labels, samples) in &series {
            for sample in samples {
                // Some series come twice; what is out of order is refused.
                let _ = head.append(labels, sample.t, sample.v);
            }
        }
        let limits = Limits::default();
        let query = Query::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let range = query.range(&head, start, start + 4 * STEP, STEP, &limits);
        let instants: Vec<_> = (0..5).map(|i| query.instant(&head, start + i * STEP, &limits)).collect();
        match range {
            Ok(range) => {
                for (i, instant) in instants.into_iter().enumerate() {
                    let t = start + i as i64 * STEP;
                    prop_assert_eq!(at_step(&instant.unwrap().value, t), at_step(&range.value, t), "{} at {}", text, t);
                }
            }
            Err(error) => {
                prop_assert!(matches!(error, EvalError::Invalid(_)), "{error}");
                prop_assert!(instants.iter().any(Result::is_err), "{text}: {error}");
            }
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-z{}\\[\\]()=~\"'0-9:@ +*,.$_-]{0,60}") {
        let _ = Query::parse(&text);
    }
}

#[test]
fn costly_queries_are_refused() {
    let head = Head::new(series::Limits::default());
    for i in 0..100 {
        let labels = Labels::from_pairs([("__name__", "m".to_owned()), ("i", i.to_string())]);
        for second in 0..100 {
            head.append(&labels, second * 1_000, 1.0).unwrap();
        }
    }
    let few = Limits { samples: 1_000, points: 100, ..Limits::default() };
    let late = Limits::default().until(std::time::Instant::now());
    let query = Query::parse("sum(m)").unwrap();
    let cases = [
        (query.instant(&head, 100_000, &few), EvalError::TooManySamples { limit: 1_000 }),
        (
            query.range(&head, 0, 1_000_000, 1_000, &few),
            EvalError::TooManyPoints { points: 1_001, limit: 100 },
        ),
        (query.instant(&head, 100_000, &late), EvalError::Timeout),
        (
            Query::parse("count_over_time(vector(1)[10y:1ms])").unwrap().instant(&head, 0, &few),
            EvalError::TooManySamples { limit: 1_000 },
        ),
    ];
    for (answer, wanted) in cases {
        assert_eq!(answer.unwrap_err(), wanted);
    }
    let deep = format!("{}m{}", "abs(".repeat(300), ")".repeat(300));
    assert!(Query::parse(&deep).is_err());
}

#[test]
fn queries_tell_what_they_read() {
    let query =
        Query::parse("sum(rate(a_total[5m])) / sum(b{x=\"1\"}) + {__name__=~\"c.*\"}").unwrap();
    assert_eq!(query.metric_names(), ["a_total", "b"]);
    assert_eq!(query.selectors().len(), 3);
}
