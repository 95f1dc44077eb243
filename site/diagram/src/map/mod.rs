//! The layout of generated maps: what was seen to run, in layers from callers to callees.
//!
//! `evidence` hands in nodes, edges and the places of the last time and keeps the [`Grid`] that comes
//! back; `pages` has it drawn and puts live values above. No clock, no telemetry: the same input
//! gives the same map.
//!
//! In this order: `rank` finds each node's layer, `order` a place in it, `extend` places for what is
//! new without moving the rest; `geometry` turns places into boxes, `route` edges into lines that
//! keep clear of the boxes, `draw` all of it into a [`crate::Drawing`].

mod rank;

mod order;

mod extend;

mod geometry;

mod route;

mod draw;

pub use draw::{draw, outline};

use std::collections::{BTreeMap, BTreeSet};

/// Nodes that one map shows; whoever hands in more says what is left out.
pub const NODES_MAX: usize = 200;
/// Connections that one map shows.
pub const EDGES_MAX: usize = 600;
/// Places that a grid remembers, those of vanished nodes included.
const PLACES_MAX: usize = 2 * NODES_MAX;
/// Bands of groups that a grid may have; with more, those of groups that are long gone, all is laid
/// out anew.
const BANDS_MAX: usize = 64;

/// Something that was seen to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapNode {
    /// Unique in the map.
    pub id: String,
    /// Its name, on one or two lines.
    pub label: String,
    /// A word or two in small letters below, where there is room.
    pub note: String,
    /// What it is: its shape.
    pub nature: Nature,
    /// The group around it.
    pub group: Option<String>,
    /// Whether it stands out: it was searched for.
    pub marked: bool,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// A box.
    Service,
    /// A cylinder.
    Database,
    /// A lying cylinder.
    Queue,
    /// A dashed box.
    External,
    /// A box with round sides.
    User,
}

/// A connection; one whose end is no node is left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MapEdge {
    /// Id of the caller.
    pub from: String,
    /// Id of the callee.
    pub to: String,
}

/// Where callees stand relative to their callers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direction {
    /// To the right.
    #[default]
    Right,
    /// Below.
    Down,
}

/// Where every node stands, in layers and steps: the same for both directions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grid {
    places: BTreeMap<String, Place>,
    /// In order, one below the other.
    bands: Vec<Band>,
}

/// Where the members of a group stand. Only the last band grows: each other one has a band below it
/// that would have to move, so a group may have a second band for those that come late.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Band {
    /// `None` is for nodes without a group.
    group: Option<String>,
    /// The last half step that was ever in use.
    last: i32,
}

/// The place of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// Layer, from 0.
    rank: i32,
    /// Index into [`Grid::bands`].
    band: usize,
    /// Half steps from the begin of the band; two nodes of a layer are at least 2 apart.
    at: i32,
}

impl Grid {
    /// Whether a place for the node is known.
    pub fn holds(&self, id: &str) -> bool {
        self.places.contains_key(id)
    }

    /// The first band of the node's group.
    fn band_of(&self, node: &MapNode) -> Option<usize> {
        self.bands_of(node).next()
    }

    fn bands_of(&self, node: &MapNode) -> impl Iterator<Item = usize> {
        let mine = |band: &usize| self.bands[*band].group == node.group;
        (0..self.bands.len()).filter(mine)
    }

    fn put(&mut self, id: &str, place: Place) {
        let band = &mut self.bands[place.band];
        band.last = band.last.max(place.at);
        self.places.insert(id.to_owned(), place);
    }

    fn is_free(&self, place: Place) -> bool {
        let near = |other: &Place| {
            (other.rank, other.band) == (place.rank, place.band) && (other.at - place.at).abs() < 2
        };
        place.at >= 0 && !self.places.values().any(near)
    }

    /// The last half step in use in a band.
    fn last(&self, band: usize) -> Option<i32> {
        self.places.values().filter(|place| place.band == band).map(|place| place.at).max()
    }

    fn ranks(&self) -> i32 {
        self.places.values().map(|place| place.rank + 1).max().unwrap_or(0)
    }
}

/// Places for all nodes. What `previous` holds keeps its place; without it, or when it holds none of
/// the nodes, the whole map is laid out from the names alone.
///
/// ```
/// use diagram::map::{Direction, MapEdge, MapNode, Nature, draw, place};
/// let node = |id: &str| MapNode {
///     id: id.to_owned(), label: id.to_owned(), note: String::new(),
///     nature: Nature::Service, group: None, marked: false,
/// };
/// let nodes = [node("orders"), node("payments")];
/// let edges = [MapEdge { from: "orders".to_owned(), to: "payments".to_owned() }];
/// let grid = place(&nodes, &edges, None);
/// let drawing = draw(&nodes, &edges, &grid, Direction::Right, "map");
/// assert!(drawing.nodes[0].rect.x < drawing.nodes[1].rect.x);
/// ```
pub fn place(nodes: &[MapNode], edges: &[MapEdge], previous: Option<&Grid>) -> Grid {
    let graph = Graph::new(nodes, edges);
    let known = |grid: &&Grid| graph.nodes.iter().any(|node| grid.holds(&node.id));
    match previous.filter(known).filter(|grid| grid.bands.len() <= BANDS_MAX) {
        Some(grid) => extend::extend(grid, &graph),
        None => order::fresh(&graph),
    }
}

/// Nodes by id, with their neighbours as indices; loops are left out.
struct Graph<'a> {
    nodes: Vec<&'a MapNode>,
    onward: Vec<BTreeSet<usize>>,
    back: Vec<BTreeSet<usize>>,
}

impl<'a> Graph<'a> {
    fn new(nodes: &'a [MapNode], edges: &[MapEdge]) -> Self {
        let by_id: BTreeMap<&str, &MapNode> =
            nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let index: BTreeMap<&str, usize> =
            by_id.keys().enumerate().map(|(index, id)| (*id, index)).collect();
        let mut graph = Self {
            onward: vec![BTreeSet::new(); by_id.len()],
            back: vec![BTreeSet::new(); by_id.len()],
            nodes: by_id.into_values().collect(),
        };
        for edge in edges {
            let ends = (index.get(edge.from.as_str()), index.get(edge.to.as_str()));
            if let (Some(from), Some(to)) = ends
                && from != to
            {
                graph.onward[*from].insert(*to);
                graph.back[*to].insert(*from);
            }
        }
        graph
    }

    fn neighbours(&self, node: usize) -> impl Iterator<Item = usize> {
        self.onward[node].iter().chain(&self.back[node]).copied()
    }

    fn is_alone(&self, node: usize) -> bool {
        self.onward[node].is_empty() && self.back[node].is_empty()
    }
}
