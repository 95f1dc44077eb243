//! Labels of the seeds' and of our own diagrams, and what they stand for.

use crate::world::World;
use diagram::{Node, Rect, Shape};
use evidence::{Bound, Names, bind, bind_drawing, suggestions};
use std::path::Path;
use traces::NodeKind;

/// All ten services of the reference system, without aliases, and what two of them call.
fn ten() -> World {
    let ids =
        "gateway auth users catalog orders payments shipping notifications analytics inventory";
    let toml: String =
        ids.split(' ').map(|id| format!("[output.loggia.services.{id}]\n")).collect();
    let mut world = World::new(&toml, "");
    let service = NodeKind::Service;
    world.call(("user", NodeKind::User), ("gateway", service), 10, 0);
    for name in ["orders", "auth", "payments"] {
        world.call((name, service), (&format!("{name}_db"), NodeKind::Database), 10, 0);
    }
    world.call(("orders", service), ("order-events", NodeKind::Queue), 10, 0);
    world.call(("payments", service), ("payment-provider", NodeKind::External), 10, 0);
    world
}

fn names(world: &World) -> Names {
    let services = world.evidence().services;
    Names::new(&world.book.config, services.iter().map(|service| &service.id), &world.graph())
}

fn node(id: &str, label: &str, shape: Shape) -> Node {
    let rect = Rect { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
    let dom_id = String::new();
    Node { id: id.into(), label: label.into(), shape, group: None, dom_id, rect }
}

fn shown(bound: Option<Bound>) -> String {
    match bound {
        None => "-".to_owned(),
        Some(Bound::Service(id)) => id.0,
        Some(Bound::Database(name)) => format!("database {name}"),
        Some(Bound::Queue(name)) => format!("queue {name}"),
        Some(Bound::External(name)) => format!("external {name}"),
    }
}

#[test]
fn labels_bind_to_what_they_name() {
    use Shape::{Actor, Box, Database, Queue};
    let world = ten();
    let names = names(&world);
    let cases = [
        ("A", "API Gateway", Box, "gateway"),
        ("A", "Gateway", Box, "gateway"),
        ("A", "🔐 Auth Service", Box, "auth"),
        ("A", "Authentication Service", Box, "auth"),
        ("A", "Authentication", Box, "auth"),
        ("A", "Authorization", Box, "-"),
        ("A", "Order Service", Box, "orders"),
        ("A", "OrderService", Box, "orders"),
        ("A", "ORDERS", Box, "orders"),
        ("A", "Payment Service", Box, "payments"),
        ("A", "Payment Gateway", Box, "-"),
        ("A", "Payment Provider", Box, "external payment-provider"),
        ("A", "User Management", Box, "users"),
        ("A", "User", Box, "users"),
        ("A", "Users", Actor, "-"),
        ("A", "Client", Box, "-"),
        ("A", "Web App", Box, "-"),
        ("A", "Notification Service", Box, "notifications"),
        ("A", "Inventory", Box, "inventory"),
        ("orders", "Where carts end", Box, "orders"),
        ("AUTH", "Signing in", Box, "auth"),
        ("A", "Order DB", Database, "database orders_db"),
        ("A", "Orders", Database, "database orders_db"),
        ("A", "Orders database", Box, "database orders_db"),
        ("A", "User DB", Database, "-"),
        ("A", "PostgreSQL", Database, "-"),
        ("A", "Order Events Queue", Queue, "queue order-events"),
        ("A", "Message Queue", Queue, "-"),
        ("A", "", Box, "-"),
        ("A", "🚀", Box, "-"),
    ];
    for (id, label, shape, expected) in cases {
        assert_eq!(shown(bind(&node(id, label, shape), None, &names)), expected, "{id}[{label}]");
    }
}

#[test]
fn explicit_lines_win() {
    use Shape::{Actor, Box, Database};
    let world = ten();
    let names = names(&world);
    let cases = [
        ("Clients", "user", Actor, "external user"),
        ("Gateway", "orders", Box, "orders"),
        ("Store", "orders_db", Box, "database orders_db"),
        ("Store", "ledger_db", Database, "database ledger_db"),
        ("Bank", "the-bank", Box, "external the-bank"),
    ];
    for (label, line, shape, expected) in cases {
        assert_eq!(shown(bind(&node("A", label, shape), Some(line), &names)), expected, "{label}");
    }
}

#[test]
fn doubt_is_reported_and_not_bound() {
    let toml = "[output.loggia.services.card-payments]\naliases = [\"Payments\"]\n\
                [output.loggia.services.bank-payments]\naliases = [\"Payments\"]\n\
                [output.loggia.services.gateway]\n";
    let markdown = "```mermaid\ngraph LR\n  A[Payment Service] --> B[Payment Gateway]\n  \
                    C[Gateway] --> A\n```\n";
    let world = World::new(toml, markdown);
    let names = names(&world);
    let found: Vec<_> = suggestions(&world.book, &names)
        .into_iter()
        .map(|found| (found.label, found.candidates.join(" ")))
        .collect();
    assert_eq!(
        found,
        [
            ("Payment Service".to_owned(), "bank-payments card-payments".to_owned()),
            ("Payment Gateway".to_owned(), "bank-payments card-payments gateway".to_owned()),
        ]
    );
    let page = &world.evidence().pages["page"];
    assert_eq!(page.diagrams[0].nodes.keys().collect::<Vec<_>>(), ["C"]);
}

#[test]
fn entities_classes_and_states_bind_by_whole_names_alone() {
    for (mermaid, expected) in [
        ("erDiagram\n  ORDERS ||--o{ PAYMENT : has", &["ORDERS=orders"][..]),
        ("erDiagram\n  ORDER ||--o{ ORDER_ITEM : has", &[]),
        ("stateDiagram-v2\n  Orders --> Paid\n  Paid --> [*]", &["Orders=orders"]),
        ("stateDiagram-v2\n  state \"Order Service\" as s1\n  s1 --> Paid", &["s1=orders"]),
        ("stateDiagram-v2\n  OrderPlaced --> PaymentService", &[]),
        ("classDiagram\n  class payments\n  Payment --> payments", &["payments=payments"]),
        (
            "classDiagram\n  class Ledger\n  Payment --> Ledger\n  %% bind: Ledger = payments",
            &["Ledger=payments"],
        ),
    ] {
        let world = World::new(&ten_toml(), &format!("```mermaid\n{mermaid}\n```\n"));
        let diagram = &world.evidence().pages["page"].diagrams[0];
        let bound: Vec<_> = diagram
            .nodes
            .iter()
            .map(|(id, node)| format!("{id}={}", shown(Some(node.bound.clone()))))
            .collect();
        assert_eq!(bound, expected, "{mermaid}");
        assert!(diagram.edges.is_empty(), "lines are relations there: {mermaid}");
    }
}

fn ten_toml() -> String {
    "[output.loggia.services.orders]\ntitle = \"Order Service\"\n[output.loggia.services.payments]\n"
        .to_owned()
}

#[test]
fn every_diagram_of_the_seeds_binds_as_listed() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/seeds");
    let Ok(files) = std::fs::read_dir(&seeds) else {
        println!("skipped: {} is absent", seeds.display());
        return;
    };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let world = ten();
    let names = names(&world);
    let mut bound = Vec::new();
    for file in files {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        let page = World::new("", &text).book.pages[0].clone();
        for block in page.diagrams() {
            let found = bind_drawing(&block.drawing, &names);
            let label = |id: &str| {
                block.drawing.nodes.iter().find(|node| node.id == id).unwrap().label.clone()
            };
            let all =
                found.into_iter().map(|(id, to)| format!("{}={}", label(&id), shown(Some(to))));
            bound.push(all.collect::<Vec<_>>().join(", "));
        }
    }
    let expected = [
        "API Gateway=gateway, Auth Service=auth, User Service=users, Analytics Service=analytics",
        "API Gateway=gateway, Auth Service=auth, User Management=users, Order Service=orders, \
         Payment Service=payments, Notification Service=notifications, Auth DB=database auth_db, \
         Order DB=database orders_db, Payment DB=database payments_db",
        "Auth=auth, Gateway=gateway, User=users",
        "",
        "API Gateway=gateway, Authentication=auth",
        "",
        "",
        "API Gateway=gateway, Authentication Service=auth, Notification Service=notifications",
    ];
    assert_eq!(bound, expected);
}
