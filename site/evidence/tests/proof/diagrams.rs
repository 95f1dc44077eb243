//! Live values above diagrams.

use crate::world::World;
use evidence::{DiagramEvidence, EdgeState, Figure, Health};
use traces::NodeKind;

const SERVICES: &str = "[output.loggia.services.gateway]\n[output.loggia.services.auth]\n\
                        [output.loggia.services.orders]\n[output.loggia.services.payments]\n";

fn world(mermaid: &str, calls: &[(&str, &str, u64)]) -> World {
    let mut world = World::new(SERVICES, &format!("```mermaid\n{mermaid}\n```\n"));
    assert_eq!(world.book.pages[0].diagrams().count(), 1, "the diagram parses");
    world.calls(calls);
    world
}

/// Edges as `from>to drawn: caller>callee state`, by drawn ends.
fn edges(world: &World) -> Vec<String> {
    let page = &world.book.pages[0];
    let drawing = crate::world::drawing(page.diagrams().next().unwrap());
    let measured = one(world);
    let line = |edge: &diagram::Edge| {
        let seen = measured.edges.get(&edge.id)?;
        Some(format!("{}>{}: {}>{} {:?}", edge.from, edge.to, seen.from, seen.to, seen.state))
    };
    drawing.edges.iter().filter_map(line).collect()
}

fn one(world: &World) -> DiagramEvidence {
    world.evidence().pages["page"].diagrams[0].clone()
}

#[test]
fn drawn_edges_are_told_from_seen_ones() {
    let world = world(
        "graph LR\n  G[Gateway] --> A[Auth]\n  G --> O[Orders]\n  G --> P[Payments]\n  X[Elsewhere] --> G",
        &[("gateway", "auth", 60), ("gateway", "orders", 0), ("orders", "payments", 30)],
    );
    assert_eq!(
        edges(&world),
        [
            "G>A: gateway>auth Confirmed",
            "G>O: gateway>orders Idle",
            "G>P: gateway>payments NeverSeen"
        ]
    );
    let diagram = one(&world);
    assert_eq!(diagram.undocumented, [("orders".to_owned(), "payments".to_owned(), 0.5)]);
    let confirmed = diagram.edges.values().find(|edge| edge.state == EdgeState::Confirmed).unwrap();
    assert_eq!((&confirmed.rate, &confirmed.p95), (&Figure::Value(1.0), &Figure::Value(0.05)));
    assert_eq!(confirmed.example_trace.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
    let idle = diagram.edges.values().find(|edge| edge.state == EdgeState::Idle).unwrap();
    assert!(idle.last_seen.is_some());
    assert_eq!((&idle.rate, &idle.p95), (&Figure::Value(0.0), &Figure::NoTraffic));
    let never = diagram.edges.values().find(|edge| edge.state == EdgeState::NeverSeen).unwrap();
    assert_eq!((&never.rate, never.last_seen), (&Figure::NoData, None));
}

#[test]
fn unbound_boxes_are_walked_through_where_there_is_no_doubt() {
    let cases: [(&str, &[&str]); 7] = [
        (
            "G[Gateway] --> L[Balancer]\n  L --> O[Orders]",
            &["G>L: gateway>orders Confirmed", "L>O: gateway>orders Confirmed"],
        ),
        (
            "G[Gateway] --> L[Balancer]\n  L --> O[Orders]\n  L --> A[Auth]",
            &["L>O: gateway>orders Confirmed", "L>A: gateway>auth NeverSeen"],
        ),
        (
            "G[Gateway] --> L[Balancer]\n  A[Auth] --> L\n  L --> O[Orders]",
            &["G>L: gateway>orders Confirmed", "A>L: auth>orders NeverSeen"],
        ),
        ("C[Client] --> L[Balancer]\n  L --> O[Orders]", &[]),
        (
            "G[Gateway] --> L[Balancer]\n  L --> O[Orders]\n  L --> X[Nowhere]",
            &["L>O: gateway>orders Confirmed"],
        ),
        (
            "G[Gateway] --> L[One]\n  L --> M[Two]\n  M --> L\n  M --> O[Orders]",
            &[
                "G>L: gateway>orders Confirmed",
                "L>M: gateway>orders Confirmed",
                "M>L: gateway>orders Confirmed",
                "M>O: gateway>orders Confirmed",
            ],
        ),
        ("G[Gateway] --> D[(Store)]\n  D --> O[Orders]", &[]),
    ];
    for (mermaid, expected) in cases {
        let world = world(&format!("graph LR\n  {mermaid}"), &[("gateway", "orders", 60)]);
        assert_eq!(edges(&world), expected, "{mermaid}");
    }
}

#[test]
fn a_way_through_boxes_or_groups_counts_as_drawn() {
    let cases = [
        ("G[Gateway] --> L[Balancer]\n  L --> O[Orders]\n  L --> A[Auth]", 0),
        ("G[Gateway] --> back\n  subgraph back\n  O[Orders]\n  A[Auth]\n  end", 0),
        ("G[Gateway] --> A[Auth]\n  A --> O[Orders]", 1),
        ("O[Orders] --> G[Gateway]", 1),
        ("G[Gateway] --> A[Auth]", 0),
    ];
    for (mermaid, missing) in cases {
        let world = world(&format!("graph LR\n  {mermaid}"), &[("gateway", "orders", 60)]);
        assert_eq!(one(&world).undocumented.len(), missing, "{mermaid}");
    }
}

#[test]
fn messages_are_calls_and_replies_are_not() {
    let mermaid = "sequenceDiagram\n  participant Client\n  participant Gateway\n  participant O as Orders\n  \
                   Client->>Gateway: order\n  Gateway->>Gateway: check\n  Gateway->>+O: place\n  \
                   O->>Payments: pay\n  Payments-->>O: paid\n  O-->>-Gateway: done\n  \
                   Gateway-->>Client: created\n  O->>Gateway: call back";
    let world = world(
        mermaid,
        &[("gateway", "orders", 60), ("orders", "payments", 60), ("gateway", "payments", 60)],
    );
    assert_eq!(
        edges(&world),
        [
            "Gateway>O: gateway>orders Confirmed",
            "O>Payments: orders>payments Confirmed",
            "O>Gateway: orders>gateway NeverSeen",
        ]
    );
    assert!(one(&world).undocumented.is_empty());
}

#[test]
fn databases_externals_and_users_are_nodes() {
    let mut world = world(
        "graph LR\n  C([Clients]) --> G[Gateway]\n  O[Orders] --> D[(Order DB)]\n  O --> B[Bank]\n  \
         %% bind: C = user\n  %% bind: B = the-bank",
        &[],
    );
    world.call(("user", NodeKind::User), ("gateway", NodeKind::Service), 120, 0);
    world.call(("orders", NodeKind::Service), ("orders_db", NodeKind::Database), 60, 6);
    world.call(("orders", NodeKind::Service), ("the-bank", NodeKind::External), 60, 60);
    assert_eq!(
        edges(&world),
        [
            "C>G: user>gateway Confirmed",
            "O>D: orders>orders_db Confirmed",
            "O>B: orders>the-bank Confirmed"
        ]
    );
    let diagram = one(&world);
    let node = |id: &str| (diagram.nodes[id].health, diagram.nodes[id].errors.clone());
    assert_eq!(node("C"), (Health::Healthy, Figure::Value(0.0)));
    assert_eq!(node("D"), (Health::Degraded, Figure::Value(0.1)));
    assert_eq!(node("B"), (Health::Down, Figure::Value(1.0)));
    assert_eq!(diagram.nodes["C"].rate, Figure::Value(2.0));
}
