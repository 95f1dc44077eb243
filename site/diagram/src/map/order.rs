//! A whole layout from names alone: the order within each layer by the neighbours' middle, then
//! places as near to that as the distance between nodes allows.

use super::{Band, Graph, Grid, Place, rank};
use std::collections::BTreeMap;

/// Rounds through all layers, forth and back in turn.
const SWEEPS: usize = 12;
/// Half steps between two nodes of a layer.
const STEP: f64 = 2.0;
/// Nodes without any connection stand in rows of at least so many.
pub(super) const LONERS_IN_ROW_MIN: i32 = 4;

pub(super) fn fresh(graph: &Graph<'_>) -> Grid {
    let ranks = rank::ranks(graph);
    let mut grid = Grid { bands: bands(graph, &ranks), ..Grid::default() };
    let at = settle(graph, &ranks, &grid);
    let connected = |node: &usize| !graph.is_alone(*node);
    for band in 0..grid.bands.len() {
        let members: Vec<usize> = (0..graph.nodes.len())
            .filter(connected)
            .filter(|node| grid.band_of(graph.nodes[*node]) == Some(band))
            .collect();
        let first = members.iter().map(|node| at[*node].round() as i32).min().unwrap_or(0);
        for node in members {
            let place = Place { rank: ranks[node], band, at: at[node].round() as i32 - first };
            grid.put(&graph.nodes[node].id, place);
        }
    }
    for node in (0..graph.nodes.len()).filter(|node| graph.is_alone(*node)) {
        let band = grid.band_of(graph.nodes[node]).unwrap_or(0);
        let place = row_below(&grid, graph, band);
        grid.put(&graph.nodes[node].id, place);
    }
    grid
}

/// The next place in the rows of nodes without connections, below all others of the band.
pub(super) fn row_below(grid: &Grid, graph: &Graph<'_>, band: usize) -> Place {
    let alone = |id: &str| {
        let node = graph.nodes.iter().position(|node| node.id == id);
        node.is_none_or(|node| graph.is_alone(node))
    };
    let last = grid.last(band).unwrap_or(-2);
    let in_last = |place: &Place| place.band == band && place.at > last - 2;
    let mut row = grid.places.iter().filter(|(_, place)| in_last(place));
    let at = if row.all(|(id, place)| alone(id) && place.at == last) { last } else { last + 2 };
    let columns = grid.ranks().max(LONERS_IN_ROW_MIN);
    let place = |rank| Place { rank, band, at: at.max(0) };
    (0..columns).map(place).find(|place| grid.is_free(*place)).unwrap_or(Place {
        rank: 0,
        band,
        at: last + 2,
    })
}

/// Groups from left to right by the middle of their layers, then by name.
fn bands(graph: &Graph<'_>, ranks: &[i32]) -> Vec<Band> {
    let mut sums: BTreeMap<&Option<String>, (i64, i64)> = BTreeMap::new();
    for (node, rank) in graph.nodes.iter().zip(ranks) {
        let (sum, count) = sums.entry(&node.group).or_default();
        (*sum, *count) = (*sum + i64::from(*rank) * 1000, *count + 1);
    }
    let mut bands: Vec<_> = sums.into_iter().collect();
    bands.sort_by_key(|(_, (sum, count))| sum / count);
    bands.into_iter().map(|(group, _)| Band { group: group.clone(), last: 0 }).collect()
}

/// Half steps of every node within its band, by the middle of its neighbours there.
fn settle(graph: &Graph<'_>, ranks: &[i32], grid: &Grid) -> Vec<f64> {
    let band: Vec<usize> = graph.nodes.iter().map(|node| grid.band_of(node).unwrap_or(0)).collect();
    let mut layers: BTreeMap<(usize, i32), Vec<usize>> = BTreeMap::new();
    for node in (0..graph.nodes.len()).filter(|node| !graph.is_alone(*node)) {
        layers.entry((band[node], ranks[node])).or_default().push(node);
    }
    let mut at = vec![0.0; graph.nodes.len()];
    for layer in layers.values() {
        for (nth, node) in layer.iter().enumerate() {
            at[*node] = STEP * nth as f64 - layer.len() as f64;
        }
    }
    let keys: Vec<(usize, i32)> = layers.keys().copied().collect();
    for sweep in 0..SWEEPS {
        let forth = sweep % 2 == 0;
        let both = sweep + 2 >= SWEEPS;
        for nth in 0..keys.len() {
            let key = keys[if forth { nth } else { keys.len() - 1 - nth }];
            let wanted = |node: usize| {
                let there = |other: &usize| {
                    let before = ranks[*other] < ranks[node];
                    band[*other] == band[node] && (both || before == forth)
                };
                let found: Vec<f64> =
                    graph.neighbours(node).filter(there).map(|other| at[other]).collect();
                middle(found).unwrap_or(at[node])
            };
            let layer = layers.get_mut(&key).expect("the key was read from the layers");
            let mut sorted: Vec<(f64, usize)> =
                layer.iter().map(|node| (wanted(*node), *node)).collect();
            sorted.sort_by(|one, other| {
                one.0
                    .total_cmp(&other.0)
                    .then(at[one.1].total_cmp(&at[other.1]))
                    .then(one.1.cmp(&other.1))
            });
            *layer = sorted.iter().map(|(_, node)| *node).collect();
            let wanted: Vec<f64> = sorted.iter().map(|(wanted, _)| *wanted).collect();
            for (node, place) in layer.iter().zip(apart(&wanted)) {
                at[*node] = place;
            }
        }
    }
    at
}

fn middle(found: Vec<f64>) -> Option<f64> {
    let count = found.len() as f64;
    (count > 0.0).then(|| found.iter().sum::<f64>() / count)
}

/// Whole places in the given order, [`STEP`] apart at least, as near to the wanted ones as can be:
/// neighbours that press on each other share their mean.
fn apart(wanted: &[f64]) -> Vec<f64> {
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (nth, want) in wanted.iter().enumerate() {
        let mut block = (want - STEP * nth as f64, 1);
        while let Some(&(value, count)) = blocks.last()
            && value > block.0
        {
            blocks.pop();
            let all = count + block.1;
            block = ((value * count as f64 + block.0 * block.1 as f64) / all as f64, all);
        }
        blocks.push(block);
    }
    let flat = blocks.into_iter().flat_map(|(value, count)| std::iter::repeat_n(value, count));
    flat.enumerate().map(|(nth, value)| value.round() + STEP * nth as f64).collect()
}
