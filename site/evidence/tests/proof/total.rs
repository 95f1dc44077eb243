//! Whatever is answered, evaluation ends, and a value is a number.

use crate::world::{NOW, World};
use evidence::{Evidence, Figure, Window};
use promql::{MatrixSeries, Value, VectorSample};
use proptest::prelude::*;
use series::{Labels, Sample};
use std::sync::LazyLock;
use traces::{NodeKind, ServiceGraph};

const BOOK: &str = "# All {#all services=\"orders auth\"}\n\n```mermaid\ngraph LR\n  O[Orders] --> A[Auth]\n  \
                    A --> D[(Order DB)]\n  X --> O\n```\n\n```kpi-grid\n[{\"label\": \"One\", \"value\": \
                    \"< 200ms\", \"query\": \"x\"}, {\"label\": \"Two\", \"value\": \"1M+\", \"query\": \
                    \"y\"}]\n```\n";

/// Made once: drawing costs far more than evaluation.
static WORLD: LazyLock<World> =
    LazyLock::new(|| World::new("[output.loggia.services.orders]\n", BOOK));

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::MAX),
        Just(series::stale_marker()),
        0.0..2.0
    ]
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), NOW - 300_000..NOW + 10_000]
}

fn labels() -> impl Strategy<Value = Labels> {
    prop_oneof![Just("orders"), Just("auth"), Just("")]
        .prop_map(|job| Labels::from_pairs([("job", job), ("instance", "i"), ("version", "1")]))
}

fn value() -> impl Strategy<Value = Value> {
    let sample = (time(), number()).prop_map(|(t, v)| Sample { t, v });
    let point =
        (labels(), time(), number()).prop_map(|(labels, t, v)| VectorSample { labels, t, v });
    let series = (labels(), proptest::collection::vec(sample, 0..6))
        .prop_map(|(labels, samples)| MatrixSeries { labels, samples });
    prop_oneof![
        (time(), number()).prop_map(|(t, v)| Value::Scalar { t, v }),
        proptest::collection::vec(point, 0..4).prop_map(Value::Vector),
        proptest::collection::vec(series, 0..3).prop_map(Value::Matrix),
        Just(Value::String { t: 0, text: "x".into() }),
    ]
}

fn answers() -> impl Strategy<Value = Vec<Result<Value, String>>> {
    let answer = prop_oneof![4 => value().prop_map(Ok), 1 => Just(Err("no".to_owned()))];
    proptest::collection::vec(answer, 0..20)
}

fn all_figures(evidence: &Evidence) -> Vec<&Figure> {
    let mut all: Vec<&Figure> =
        evidence.services.iter().flat_map(|s| [&s.rate, &s.p95, &s.errors]).collect();
    for page in evidence.pages.values() {
        all.extend(page.kpis.iter().map(|kpi| &kpi.value));
        all.extend(page.strips.values().flat_map(|s| [&s.rate, &s.p95, &s.errors]));
        for diagram in &page.diagrams {
            all.extend(diagram.nodes.values().flat_map(|n| [&n.rate, &n.p95, &n.errors]));
            all.extend(diagram.edges.values().flat_map(|e| [&e.rate, &e.p95, &e.errors]));
        }
    }
    all
}

fn graph(rate: f64, calls: u64, failed: u64) -> ServiceGraph {
    let mut world = World::without_book();
    world.call(("orders", NodeKind::Service), ("auth", NodeKind::Service), calls, failed);
    world.call(("auth", NodeKind::Service), ("orders", NodeKind::Service), calls, failed);
    world.call(("auth", NodeKind::Service), ("orders_db", NodeKind::Database), calls, failed);
    for edge in &mut world.edges {
        (edge.rate, edge.p95_s) = (rate, Some(rate));
    }
    world.graph()
}

proptest! {
    #[test]
    fn evaluation_is_total(
        answers in answers(),
        now in prop_oneof![Just(NOW), any::<i64>()],
        rate in number(),
        (calls, failed) in (any::<u64>(), any::<u64>()),
    ) {
        let world = &*WORLD;
        let plan = evidence::plan(&world.book, Window::covering(Some(now), now), 300);
        let graph = graph(rate, calls, failed);
        let first = evidence::evaluate(&world.book, &plan, &answers, &graph, &graph, now);
        let again = evidence::evaluate(&world.book, &plan, &answers, &graph, &graph, now);
        prop_assert_eq!(&first, &again);
        for figure in all_figures(&first) {
            if let Figure::Value(v) | Figure::Stale(v, _) = figure {
                prop_assert!(v.is_finite(), "{figure:?}");
            }
        }
        for page in first.pages.values() {
            let points = page.kpis.iter().flat_map(|kpi| kpi.history.iter().flatten());
            prop_assert!(points.clone().all(|v| v.is_finite()));
            let seen = page.diagrams.iter().flat_map(|diagram| &diagram.undocumented);
            prop_assert!(seen.clone().all(|(.., rate)| rate.is_finite()));
        }
    }

    #[test]
    fn any_words_are_a_claim_or_not(words in ".{0,60}") {
        if let Some(claim) = evidence::parse_claim(&words) {
            prop_assert!(claim.bound.is_finite());
        }
    }

    #[test]
    fn claims_built_of_parts_never_panic(
        words in "(<|>|≤|≥|<=|>=|under |)? ?[0-9,.]{1,8}(k|M|m|B|)?\\+?( ?)(ms|s|%|rps|/s|req/s|MB|x|to 5|µ|İ|)(.{0,5})",
    ) {
        let _ = evidence::parse_claim(&words);
    }
}
