//! Tempo's service graph traces: the edges that each must give, and nothing else.

mod suites;

use std::io::Write as _;
use traces::{ServiceGraph, StoreLimits, TraceStore};

/// When the spans arrive, milliseconds since 1970.
const ARRIVAL_MS: i64 = 1_700_000_000_000;

/// The graph, after comparing it with what was tallied.
fn graph(file: &str) -> Option<ServiceGraph> {
    let folder = suites::suite("servicegraphs")?;
    let store = TraceStore::new(StoreLimits::default());
    store.append(suites::spans(folder.join(file)), ARRIVAL_MS);
    // Beyond the 10 s for which a side waits for the other.
    let graph = store.graph(60_000, ARRIVAL_MS + 11_000);
    let tally = store.tally(ARRIVAL_MS + 11_000);
    let edges = graph.edges.iter().map(|edge| {
        (edge.from.name.clone(), edge.to.name.clone(), edge.connection, edge.calls, edge.failed)
    });
    let mut edges: Vec<_> = edges.collect();
    edges.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    let pairs = tally.pairs.iter().map(|(pair, counts)| {
        let (client, server) = (pair.client.clone(), pair.server.clone());
        (client, server, pair.connection, counts.calls, counts.failed)
    });
    assert_eq!(pairs.collect::<Vec<_>>(), edges, "{file}");
    assert_eq!(tally.unpaired, graph.expired, "{file}");
    Some(graph)
}

fn check(file: &str, edges: &[&str], expired: u64) {
    let Some(graph) = graph(file) else { return };
    let found: Vec<_> = graph
        .edges
        .iter()
        .map(|edge| {
            let kind = format!("{:?}", edge.to.kind).to_lowercase();
            format!(
                "{} -> {} ({kind}) {}/{}",
                edge.from.name, edge.to.name, edge.failed, edge.calls
            )
        })
        .collect();
    assert_eq!(found, edges, "{file}");
    assert_eq!(graph.expired, expired, "{file}");
    std::io::stderr()
        .write_all(format!("{file}: all {} edges\n", edges.len()).as_bytes())
        .expect("standard error can be written to");
}

#[test]
fn each_trace_gives_its_edges() {
    let with_database = |file: &str, database: &str| {
        let edges = [
            "mythical-requester -> mythical-recorder (service) 0/1",
            "mythical-requester -> mythical-server (service) 0/1",
            &format!("mythical-server -> {database} (database) 0/1"),
        ];
        check(file, &edges, 4);
    };
    with_database("trace-with-both-db-attributes.json", "priority-db");
    with_database("trace-with-db-namespace.json", "mydb");
    with_database("trace-with-db-system-and-system-name.json", "microsoft.sql_server");
    with_database("trace-with-db-system-name.json", "postgresql");
    with_database("trace-with-queue-database.json", "postgres");
    with_database("trace-with-queue-database2.json", "mythical-database");
    with_database("trace-with-queue-database3.json", "mythical-database");
    with_database("trace-with-queue-database4.json", "mythical-database:5432");
    with_database("trace-with-queue-database5.json", "mythical-database");
    with_database("trace-without-database-name.json", "mythical-database");
}

#[test]
fn failures_virtual_nodes_and_halves_are_told() {
    check(
        "trace-with-failed-requests.json",
        &[
            "mythical-requester -> mythical-server (service) 1/1",
            "mythical-server -> postgres (database) 1/1",
        ],
        4,
    );
    check(
        "trace-with-virtual-nodes.json",
        &[
            "external-producer -> internal-consumer (service) 0/1",
            "mythical-requester -> external-payments-platform (external) 0/1",
            "user -> mythical-server (service) 0/1",
        ],
        0,
    );
    check(
        "trace-with-expired-edges.json",
        &[
            "mythical-requester -> mysql (database) 0/1",
            "mythical-server -> mythical-requester (service) 0/1",
            "user -> mythical-server (service) 0/1",
        ],
        1,
    );
}
