//! The layer of every node: one further than its furthest caller. Calls that close a circle are left
//! out of this. `order` asks.

use super::{Graph, Nature};

/// Layers from 0, by node.
pub(super) fn ranks(graph: &Graph<'_>) -> Vec<i32> {
    let (order, onward) = without_circles(graph);
    let mut ranks = vec![0; graph.nodes.len()];
    for &node in &order {
        for &next in &onward[node] {
            ranks[next] = ranks[next].max(ranks[node] + 1);
        }
    }
    // Who is called by nobody stands right before the first one that it calls.
    for &node in order.iter().rev().filter(|node| graph.back[**node].is_empty()) {
        if let Some(nearest) = onward[node].iter().map(|next| ranks[*next]).min() {
            ranks[node] = nearest - 1;
        }
    }
    ranks
}

/// The nodes, callers before callees, and the calls that are in line with it.
fn without_circles(graph: &Graph<'_>) -> (Vec<usize>, Vec<Vec<usize>>) {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        Open,
        Done,
    }
    let count = graph.nodes.len();
    let mut seen = vec![Seen::No; count];
    let mut onward = vec![Vec::new(); count];
    let mut finished = Vec::with_capacity(count);
    for start in starts(graph) {
        let mut path = vec![(start, graph.onward[start].iter())];
        if seen[start] != Seen::No {
            continue;
        }
        seen[start] = Seen::Open;
        while let Some((node, nexts)) = path.last_mut() {
            let node = *node;
            let Some(&next) = nexts.next() else {
                seen[node] = Seen::Done;
                finished.push(node);
                path.pop();
                continue;
            };
            if seen[next] != Seen::Open {
                onward[node].push(next);
            }
            if seen[next] == Seen::No {
                seen[next] = Seen::Open;
                path.push((next, graph.onward[next].iter()));
            }
        }
    }
    finished.reverse();
    (finished, onward)
}

/// Where to begin: users, then who is called by nobody, then by name.
fn starts(graph: &Graph<'_>) -> Vec<usize> {
    let mut all: Vec<usize> = (0..graph.nodes.len()).collect();
    all.sort_by_key(|node| {
        (graph.nodes[*node].nature != Nature::User, !graph.back[*node].is_empty(), *node)
    });
    all
}
