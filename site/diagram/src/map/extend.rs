//! Places for what is new while everything else stays where it was. Vanished nodes keep their place
//! too: most of them come back.

use super::{Graph, Grid, PLACES_MAX, Place, order};

pub(super) fn extend(previous: &Grid, graph: &Graph<'_>) -> Grid {
    let mut grid = previous.clone();
    for node in &graph.nodes {
        if grid.band_of(node).is_none() {
            grid.bands.push(node.group.clone());
        }
        let band = grid.band_of(node);
        // Who changed its group has no place in the new one.
        if grid.places.get(&node.id).is_some_and(|place| Some(place.band) != band) {
            grid.places.remove(&node.id);
        }
    }
    while let Some(node) = next_new(&grid, graph) {
        let place = place_for(&grid, graph, node);
        grid.places.insert(graph.nodes[node].id.clone(), place);
    }
    forget(&mut grid, graph);
    grid
}

/// A node without a place: first those that are connected to one that has.
fn next_new(grid: &Grid, graph: &Graph<'_>) -> Option<usize> {
    let held = |node: usize| grid.holds(&graph.nodes[node].id);
    let mut new = (0..graph.nodes.len()).filter(|node| !held(*node));
    let first = new.clone().next();
    new.find(|node| graph.neighbours(*node).any(held)).or(first)
}

fn place_for(grid: &Grid, graph: &Graph<'_>, node: usize) -> Place {
    let band = grid.band_of(graph.nodes[node]).unwrap_or(0);
    let places = |nodes: &std::collections::BTreeSet<usize>| -> Vec<Place> {
        nodes.iter().filter_map(|other| grid.places.get(&graph.nodes[*other].id)).copied().collect()
    };
    let (callers, callees) = (places(&graph.back[node]), places(&graph.onward[node]));
    let after = callers.iter().map(|place| place.rank + 1).max();
    // There is nothing before layer 0: a column there would move all others.
    let before = callees.iter().map(|place| (place.rank - 1).max(0)).min();
    let Some(rank) = after.or(before) else {
        return order::row_below(grid, graph, band);
    };
    let near: Vec<i32> =
        callers.iter().chain(&callees).filter(|p| p.band == band).map(|p| p.at).collect();
    let wanted = if near.is_empty() { 0 } else { near.iter().sum::<i32>() / near.len() as i32 };
    (0..)
        .flat_map(|far| [wanted + far, wanted - far])
        .map(|at| Place { rank, band, at })
        .find(|place| grid.is_free(*place))
        .expect("a layer has room behind its last node")
}

fn forget(grid: &mut Grid, graph: &Graph<'_>) {
    let here = |id: &String| graph.nodes.iter().any(|node| node.id == *id);
    let gone: Vec<String> = grid.places.keys().filter(|id| !here(id)).cloned().collect();
    let too_many = grid.places.len().saturating_sub(PLACES_MAX);
    for id in gone.iter().take(too_many) {
        grid.places.remove(id);
    }
}
