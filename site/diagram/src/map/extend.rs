//! Places for what is new while everything else stays where it was. Vanished nodes keep their place
//! too: most of them come back.

use super::{Band, Graph, Grid, PLACES_MAX, Place, order};
use std::collections::BTreeSet;

/// So many layers behind the wanted one a node may stand before its group gets another band.
const FURTHER: i32 = 2;

pub(super) fn extend(previous: &Grid, graph: &Graph<'_>) -> Grid {
    let mut grid = previous.clone();
    for node in &graph.nodes {
        // Who changed its group has no place in the new one.
        let stays = |place: &Place| grid.bands[place.band].group == node.group;
        if grid.places.get(&node.id).is_some_and(|place| !stays(place)) {
            grid.places.remove(&node.id);
        }
    }
    while let Some(node) = next_new(&grid, graph) {
        let place = place_for(&mut grid, graph, node);
        grid.put(&graph.nodes[node].id, place);
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

fn place_for(grid: &mut Grid, graph: &Graph<'_>, node: usize) -> Place {
    let wanted = wanted(grid, graph, node);
    let last = grid.bands.len().wrapping_sub(1);
    let bands: Vec<usize> = grid.bands_of(graph.nodes[node]).collect();
    for &band in &bands {
        let found = match (band == last, wanted) {
            (true, None) => Some(order::row_below(grid, graph, band)),
            (true, Some(rank)) => nearest(grid, rank, middle(grid, graph, node, band), band, None),
            (false, _) => gap(grid, graph, node, wanted, band),
        };
        if let Some(place) = found {
            return place;
        }
    }
    grid.bands.push(Band { group: graph.nodes[node].group.clone(), last: 0 });
    Place { rank: wanted.unwrap_or(0), band: last.wrapping_add(1), at: 0 }
}

/// The layer behind its callers, or else before its callees; `None` without any of them.
fn wanted(grid: &Grid, graph: &Graph<'_>, node: usize) -> Option<i32> {
    let ranks = |others: &BTreeSet<usize>| -> Vec<i32> {
        places(grid, graph, others).map(|p| p.rank).collect()
    };
    let (callers, callees) = (ranks(&graph.back[node]), ranks(&graph.onward[node]));
    let after = callers.into_iter().map(|rank| rank + 1).max();
    // There is nothing before layer 0: a column there would move all others.
    after.or_else(|| callees.into_iter().map(|rank| (rank - 1).max(0)).min())
}

fn places<'a>(
    grid: &'a Grid,
    graph: &'a Graph<'_>,
    nodes: &'a BTreeSet<usize>,
) -> impl Iterator<Item = Place> {
    nodes.iter().filter_map(|other| grid.places.get(&graph.nodes[*other].id)).copied()
}

/// The half step amid its neighbours in the band.
fn middle(grid: &Grid, graph: &Graph<'_>, node: usize, band: usize) -> i32 {
    let all =
        places(grid, graph, &graph.back[node]).chain(places(grid, graph, &graph.onward[node]));
    let near: Vec<i32> = all.filter(|place| place.band == band).map(|place| place.at).collect();
    near.iter().sum::<i32>() / (near.len() as i32).max(1)
}

/// The free place of a layer that is nearest to the wanted half step, up to `end` where one is given.
fn nearest(grid: &Grid, rank: i32, wanted: i32, band: usize, end: Option<i32>) -> Option<Place> {
    // Every node takes two half steps at most from either side.
    let reach = end.unwrap_or(wanted + 4 * (grid.places.len() as i32 + 1));
    (0..=reach.max(wanted))
        .flat_map(|far| [wanted + far, wanted - far])
        .filter(|at| *at <= reach)
        .map(|at| Place { rank, band, at })
        .find(|place| grid.is_free(*place))
}

/// A free place in a band that cannot grow: in the wanted layer, or a little further.
fn gap(
    grid: &Grid,
    graph: &Graph<'_>,
    node: usize,
    wanted: Option<i32>,
    band: usize,
) -> Option<Place> {
    let end = Some(grid.bands[band].last);
    let ranks = wanted.map_or(0..=grid.ranks() - 1, |rank| rank..=rank + FURTHER);
    let at = wanted.map_or(0, |_| middle(grid, graph, node, band));
    ranks.into_iter().find_map(|rank| nearest(grid, rank, at, band, end))
}

fn forget(grid: &mut Grid, graph: &Graph<'_>) {
    let here = |id: &String| graph.nodes.iter().any(|node| node.id == *id);
    let gone: Vec<String> = grid.places.keys().filter(|id| !here(id)).cloned().collect();
    let too_many = grid.places.len().saturating_sub(PLACES_MAX);
    for id in gone.iter().take(too_many) {
        grid.places.remove(id);
    }
}
