//! What is drawn against what is seen, by synthetic calls and by real spans.

use crate::world::{NOW, World};
use evidence::{DiagramDrift, Drift, EdgeState};
use traces::NodeKind::{Database, External, Queue, Service, User};
use traces::{Attribute, Kind, NodeKind, Resource, Span, StoreLimits, TraceStore};

const SERVICES: &str = "[output.loggia.services.gateway]\n[output.loggia.services.auth]\n\
                        [output.loggia.services.orders]\n[output.loggia.services.payments]\n\
                        [output.loggia.services.shipping]\n";

type End = (&'static str, NodeKind);

fn world(mermaid: &str, calls: &[(End, End, u64)]) -> World {
    let mut world = World::new(SERVICES, &format!("```mermaid\n{mermaid}\n```\n"));
    assert_eq!(world.book.pages[0].diagrams().count(), 1, "the diagram parses: {mermaid}");
    for (from, to, count) in calls {
        world.call(*from, *to, *count, 0);
    }
    world
}

fn drift(world: &World) -> Drift {
    world.evidence().drift
}

fn only(drift: &Drift) -> &DiagramDrift {
    &drift.pages[0].diagrams[0]
}

/// Drawn edges with their state, calls that are not drawn, and `confirmed/judged`.
fn told(diagram: &DiagramDrift) -> (Vec<String>, Vec<String>, String) {
    let drawn = diagram.drawn.iter().map(|call| {
        let state = match (call.state, &call.unjudged) {
            (_, Some(_)) => "unjudged",
            (EdgeState::Confirmed, _) => "confirmed",
            (EdgeState::Idle, _) => "idle",
            (EdgeState::NeverSeen, _) => "never",
        };
        format!("{}>{} {state}", call.from_node, call.to_node)
    });
    let undocumented = diagram.undocumented.iter().map(|call| {
        let queue = call.queue.as_ref().map(|queue| format!(" via {queue}")).unwrap_or_default();
        format!("{}>{}{queue}", call.from, call.to)
    });
    let ratio = format!("{}/{}", diagram.confirmed, diagram.judged);
    (drawn.collect(), undocumented.collect(), ratio)
}

fn check(
    mermaid: &str,
    calls: &[(End, End, u64)],
    drawn: &[&str],
    undocumented: &[&str],
    ratio: &str,
) {
    let drift = drift(&world(mermaid, calls));
    let all = told(only(&drift));
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(all, (texts(drawn), texts(undocumented), ratio.to_owned()), "{mermaid}");
}

#[test]
fn every_state_is_told() {
    let (gateway, auth, orders) = (("gateway", Service), ("auth", Service), ("orders", Service));
    let (payments, shipping) = (("payments", Service), ("shipping", Service));
    check(
        "graph LR\n  G[Gateway] --> A[Auth]\n  G --> O[Orders]\n  G --> P[Payments]\n  S[Shipping] --> O",
        &[(gateway, auth, 60), (gateway, orders, 0), (orders, payments, 5)],
        &["G>A confirmed", "G>O idle", "G>P never", "S>O unjudged"],
        &["orders>payments"],
        "1/3",
    );
    // A queue that is a box, one that is not, and one that several write to.
    let topic = ("order-events", Queue);
    let messages = [(orders, topic, 30), (topic, shipping, 30)];
    let boxes =
        "O[Orders] --> Q[[Order Events Queue]]\n  Q --> S[Shipping]\n  %% bind: Q = order-events";
    check(
        &format!("graph LR\n  {boxes}"),
        &messages,
        &["O>Q confirmed", "Q>S confirmed"],
        &[],
        "2/2",
    );
    check("graph LR\n  O[Orders] --> S[Shipping]", &messages, &["O>S confirmed"], &[], "1/1");
    let apart = "graph LR\n  O[Orders] --> A[Auth]\n  S[Shipping] --> A";
    check(
        apart,
        &messages,
        &["O>A never", "S>A never"],
        &["orders>shipping via order-events"],
        "0/2",
    );
    let crowd = [messages[0], messages[1], (payments, topic, 30)];
    check(apart, &crowd, &["O>A never", "S>A never"], &[], "0/2");
    check("graph LR\n  O[Orders] --> S[Shipping]", &crowd, &["O>S confirmed"], &[], "1/1");
    // A database, somebody else's system, the users.
    check(
        "graph LR\n  C([Clients]) --> O[Orders]\n  O --> D[(Orders DB)]\n  O --> B[Bank]\n  P[Payments] --> D\n  \
         %% bind: C = user\n  %% bind: B = the-bank",
        &[
            (("user", User), orders, 60),
            (orders, ("orders_db", Database), 60),
            (orders, ("the-bank", External), 0),
            (("user", User), payments, 1),
        ],
        &["C>O confirmed", "O>D confirmed", "O>B idle", "P>D never"],
        &["user>payments"],
        "2/4",
    );
    // Unbound boxes are walked through, also for what is drawn only that way.
    check(
        "graph LR\n  G[Gateway] --> L{Balancer}\n  L --> O[Orders]\n  O --> R[Retry] --> P[Payments]",
        &[(gateway, orders, 60), (orders, payments, 60), (gateway, payments, 60)],
        &["G>L confirmed", "L>O confirmed", "O>R confirmed", "R>P confirmed"],
        &["gateway>payments"],
        "4/4",
    );
    // A scenario leaves out most of what its participants do.
    check(
        "sequenceDiagram\n  participant Gateway\n  participant Orders\n  participant Payments\n  \
         Gateway->>Orders: place\n  Orders-->>Gateway: placed\n  Payments->>Gateway: tell",
        &[(gateway, orders, 60), (orders, payments, 60)],
        &["Gateway>Orders confirmed", "Payments>Gateway never"],
        &[],
        "1/2",
    );
    // Explicit lines make boxes of a class diagram things that run.
    check(
        "classDiagram\n  Shop --> Till\n  %% bind: Shop = orders\n  %% bind: Till = payments",
        &[(payments, orders, 60)],
        &["Shop>Till never"],
        &["payments>orders"],
        "0/1",
    );
}

#[test]
fn lines_without_a_direction_go_both_ways_and_invisible_ones_nowhere() {
    let calls = [(("orders", Service), ("gateway", Service), 60)];
    for (line, drawn, undocumented, ratio) in [
        ("G --- O", &["G>O confirmed"][..], &[][..], "1/1"),
        ("G <--> O", &["G>O confirmed"], &[], "1/1"),
        ("G o--o O", &["G>O confirmed"], &[], "1/1"),
        ("G --> O", &["G>O never"], &["orders>gateway"], "0/1"),
        ("G -.-> O", &["G>O never"], &["orders>gateway"], "0/1"),
        ("O ==> G", &["O>G confirmed"], &[], "1/1"),
        ("G ~~~ O", &[], &["orders>gateway"], "0/0"),
    ] {
        let mermaid = format!("graph LR\n  G[Gateway]\n  O[Orders]\n  {line}");
        check(&mermaid, &calls, drawn, undocumented, ratio);
    }
}

#[test]
fn evidence_stands_beside_each_call() {
    let calls = [
        (("gateway", Service), ("orders", Service), 0),
        (("orders", Service), ("gateway", Service), 60),
    ];
    let drift = drift(&world("graph LR\n  G[Gateway] --> O[Orders]", &calls));
    let diagram = only(&drift);
    let idle = diagram.drawn[0].seen.as_ref().unwrap();
    assert_eq!((idle.calls, idle.first_seen, idle.last_seen), (0, NOW - 200_000, NOW - 100_000));
    let seen = &diagram.undocumented[0].seen;
    assert_eq!((seen.calls, seen.rate, seen.last_seen), (60, 1.0, NOW - 500));
    assert_eq!(seen.example_trace, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!((diagram.conformance, drift.conformance), (Some(0.0), Some(0.0)));
    assert_eq!(drift.pages[0].path, "page.html");
}

#[test]
fn nothing_is_judged_before_the_first_trace() {
    let drift = drift(&world("graph LR\n  G[Gateway] --> O[Orders]", &[]));
    let diagram = only(&drift);
    assert_eq!((diagram.judged, diagram.conformance, drift.conformance), (0, None, None));
    assert_eq!(diagram.drawn[0].unjudged.as_deref(), Some("no trace came from `gateway`"));
    assert!(diagram.mend.is_empty());
}

#[test]
fn the_lines_mend_the_diagram() {
    for (kind, lines) in [
        ("graph LR\n  G[Gateway] --> O[Orders]\n  P[Payments]", &["O --> P", "P --> G"][..]),
        (
            "flowchart TD\n  subgraph all\n  gateway --> orders\n  payments\n  end",
            &["orders --> payments", "payments --> gateway"],
        ),
        (
            "classDiagram\n  A --> B\n  B .. C\n  %% bind: A = gateway\n  %% bind: B = orders\n  %% bind: C = payments",
            &["C --> A"],
        ),
        (
            "block-beta\n  gateway orders payments\n  gateway --> orders",
            &["orders --> payments", "payments --> gateway"],
        ),
    ] {
        let calls = [
            (("gateway", Service), ("orders", Service), 9),
            (("orders", Service), ("payments", Service), 9),
            (("payments", Service), ("gateway", Service), 9),
        ];
        let before = drift(&world(kind, &calls));
        assert_eq!(only(&before).mend, lines, "{kind}");
        let mended = drift(&world(&format!("{kind}\n{}", lines.join("\n")), &calls));
        assert!(only(&mended).undocumented.is_empty() && only(&mended).mend.is_empty(), "{kind}");
        assert_eq!(mended.conformance, Some(1.0), "{kind}");
    }
    let never = drift(&world(
        "graph LR\n  G[Gateway] --> O[Orders]",
        &[(("gateway", Service), ("auth", Service), 9)],
    ));
    assert_eq!(only(&never).mend, ["%% never seen in 0 traces: G to O"]);
}

#[test]
fn sampled_traffic_says_how_much_of_it_is_seen() {
    let mermaid = "graph LR\n  G[Gateway] --> O[Orders]\n  G --> P[Payments]";
    let calls = [
        (("user", User), ("gateway", Service), 60),
        (("gateway", Service), ("orders", Service), 60),
    ];
    for (counted, expected) in [(10.0, Some(0.1)), (1.0, Some(1.0)), (0.1, None)] {
        let world = world(mermaid, &calls);
        world.replica("gateway", 1, (300, 0), counted, 0.0);
        let drift = drift(&world);
        let share = drift.observation.traced_share.map(|share| (share * 100.0).round() / 100.0);
        assert_eq!(share, expected, "{counted} requests a second");
        // What was not sampled is still not absent: the state stays "never seen", the share beside it.
        assert_eq!(told(only(&drift)).0, ["G>O confirmed", "G>P never"]);
    }
    assert_eq!(drift(&world(mermaid, &calls)).observation.traced_share, None, "no metrics");
}

/// Real spans through the real store: what is idle after the window, and what an edge remembers.
#[test]
fn calls_of_the_store_become_idle_after_the_window() {
    let world = world("graph LR\n  G[Gateway] --> O[Orders]\n  O --> D[(Orders DB)]", &[]);
    let store = TraceStore::new(StoreLimits::default());
    let span = |service: &str, id: u8, parent: u8, kind: Kind, attributes: &[(&str, &str)]| Span {
        trace_id: "0af7651916cd43dd8448eb211c80319c".parse().unwrap(),
        span_id: traces::SpanId::from_bytes(&[id; 8]).unwrap(),
        parent_id: traces::SpanId::from_bytes(&[parent; 8]).ok(),
        name: "x".into(),
        kind,
        start_ns: NOW * 1_000_000,
        end_ns: (NOW + 20) * 1_000_000,
        status: traces::Status::Unset,
        attributes: attributes.iter().map(|(k, v)| Attribute::new(*k, *v)).collect(),
        events: Box::default(),
        links: Box::default(),
        scope: std::sync::Arc::default(),
        resource: std::sync::Arc::new(Resource::new(vec![Attribute::new("service.name", service)])),
    };
    let database = [("db.system.name", "sqlite"), ("db.namespace", "orders_db")];
    store.append(
        vec![
            span("gateway", 1, 0, Kind::Server, &[]),
            span("gateway", 2, 1, Kind::Client, &[]),
            span("orders", 3, 2, Kind::Server, &[]),
            span("orders", 4, 3, Kind::Client, &database),
        ],
        NOW,
    );
    let plan = evidence::plan(&world.book, world.window, 300);
    for (later_s, state, calls) in
        [(1, EdgeState::Confirmed, 1), (800, EdgeState::Confirmed, 1), (901, EdgeState::Idle, 0)]
    {
        let now = NOW + later_s * 1000;
        let observed = store.calls(i64::from(evidence::DRIFT_WINDOW_S) * 1000, now);
        let found =
            evidence::evaluate(&world.book, &plan, &[], &store.graph(60_000, now), &observed, now);
        for call in &only(&found.drift).drawn {
            let seen = call.seen.as_ref().unwrap();
            assert_eq!(
                (call.state, seen.calls, seen.last_seen),
                (state, calls, NOW),
                "{later_s} s later"
            );
        }
        assert_eq!(found.drift.observation.traces, calls, "{later_s} s later");
    }
}
