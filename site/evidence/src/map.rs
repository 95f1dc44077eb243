//! The map of what runs: every service, database, queue, outside system and user that the service
//! graph names, and who calls whom. `evaluate` makes it, `pages` draws it.
//!
//! The places of its nodes are part of it: each map takes over those of the one before, so that
//! nothing moves while services come and go.

use crate::binding::service_id;
use crate::calls::Flow;
use crate::{EdgeState, Figure, Health, ServiceEvidence};
use diagram::map::{self, EDGES_MAX, Grid, NODES_MAX, Nature};
use document::{Config, Grouping, ServiceId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use traces::{GraphEdge, GraphNode, NodeKind, ServiceGraph};

/// So long after the first call was seen, milliseconds, the map is laid out from names alone, whatever
/// came first: a restart gives the same map. Afterwards nothing on it moves.
const SETTLES_MS: i64 = 10_000;

/// What was seen to run, and where it stands on the map.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceMap {
    /// By id.
    pub nodes: Vec<MapNode>,
    /// By the ids of both ends.
    pub edges: Vec<MapEdge>,
    /// Nodes beyond [`NODES_MAX`].
    pub nodes_left_out: usize,
    /// Connections beyond [`EDGES_MAX`], and those of nodes that are left out.
    pub edges_left_out: usize,
    #[serde(skip)]
    grids: BTreeMap<Grouping, Grid>,
    /// When the first call was on the map, milliseconds since 1970.
    #[serde(skip)]
    begun: Option<i64>,
}

/// Something that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapNode {
    /// A service's name; other kinds say theirs before the name: `database:orders_db`.
    pub id: String,
    /// As traces name it.
    pub name: String,
    /// The book's name for people.
    pub title: Option<String>,
    /// What it is.
    pub kind: NodeKind,
    /// Who answers for it; that of its callers for a database or queue that all belong to one.
    pub owner: Option<String>,
    /// The layer that the book puts it in, likewise.
    pub layer: Option<String>,
    /// Its health.
    pub health: Health,
    /// Requests a second.
    pub rate: Figure,
    /// 95th percentile in seconds.
    pub p95: Figure,
    /// Share that failed.
    pub errors: Figure,
}

/// Calls from one to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapEdge {
    /// Id of the caller.
    pub from: String,
    /// Id of the callee.
    pub to: String,
    /// Whether it is seen now.
    pub state: EdgeState,
    /// Calls a second.
    pub rate: Figure,
    /// 95th percentile in seconds.
    pub p95: Figure,
    /// Share that failed.
    pub errors: Figure,
    /// When it was last seen, milliseconds since 1970.
    pub last_seen: Option<i64>,
}

impl MapNode {
    /// A word for what it is.
    pub fn kind_word(&self) -> &'static str {
        match self.kind {
            NodeKind::Service => "service",
            NodeKind::Database => "database",
            NodeKind::Queue => "queue",
            NodeKind::External => "external",
            NodeKind::User => "user",
        }
    }

    fn group(&self, by: Grouping) -> Option<&String> {
        match by {
            Grouping::None => None,
            Grouping::Owner => self.owner.as_ref(),
            Grouping::Layer => self.layer.as_ref(),
        }
    }

    /// Whether its name or title holds the words, whatever their case.
    pub fn is_found_by(&self, words: &str) -> bool {
        let words = words.trim().to_lowercase();
        let holds = |text: &str| text.to_lowercase().contains(&words);
        !words.is_empty() && (holds(&self.name) || self.title.as_deref().is_some_and(holds))
    }
}

impl ServiceMap {
    pub(crate) fn new(graph: &ServiceGraph, config: &Config, services: &[ServiceEvidence]) -> Self {
        let known: BTreeSet<&str> = services.iter().map(|service| service.id.0.as_str()).collect();
        let name = |node: &GraphNode| Name::of(node, config, &known);
        let mut calls: BTreeMap<(Name, Name), Vec<&GraphEdge>> = BTreeMap::new();
        for edge in &graph.edges {
            calls.entry((name(&edge.from), name(&edge.to))).or_default().push(edge);
        }
        let mut names: BTreeSet<Name> = calls.keys().flat_map(|(a, b)| [a, b]).cloned().collect();
        names.extend(known.iter().map(|name| Name(NodeKind::Service, (*name).to_owned())));
        let nodes_left_out = names.len().saturating_sub(NODES_MAX);
        // Services come first, so they are the last to be left out.
        let names: BTreeSet<Name> = names.into_iter().take(NODES_MAX).collect();
        let all = calls.len();
        calls.retain(|(from, to), _| names.contains(from) && names.contains(to));
        while calls.len() > EDGES_MAX {
            calls.pop_last();
        }
        let mut map = Self {
            edges: calls.iter().map(|((from, to), calls)| edge(from, to, calls)).collect(),
            nodes: names.iter().map(|name| node(name, &calls, config, services)).collect(),
            nodes_left_out,
            edges_left_out: all - calls.len(),
            grids: BTreeMap::new(),
            begun: None,
        };
        map.nodes.sort_by(|one, other| one.id.cmp(&other.id));
        map.inherit();
        map
    }

    /// Data belongs to whoever uses it, when that is one owner and one layer.
    fn inherit(&mut self) {
        let callers = |map: &Self, id: &str| -> Vec<MapNode> {
            let from = map.edges.iter().filter(|edge| edge.to == id).map(|edge| &edge.from);
            from.filter_map(|from| map.node(from)).cloned().collect()
        };
        let found: Vec<_> = self.nodes.iter().map(|node| callers(self, &node.id)).collect();
        for (node, callers) in self.nodes.iter_mut().zip(found) {
            if matches!(node.kind, NodeKind::Database | NodeKind::Queue) {
                let owner = only(callers.iter().map(|caller| &caller.owner));
                let layer = only(callers.iter().map(|caller| &caller.layer));
                node.owner = node.owner.take().or(owner);
                node.layer = node.layer.take().or(layer);
            }
        }
    }

    /// Finds a place for every node at `now_ms`, milliseconds since 1970; those of `previous` stay,
    /// once it has settled.
    pub fn place(&mut self, previous: Option<&Self>, now_ms: i64) {
        let begun = previous.and_then(|map| map.begun);
        self.begun = begun.or((!self.edges.is_empty()).then_some(now_ms));
        let settled = begun.is_some_and(|begun| now_ms.saturating_sub(begun) >= SETTLES_MS);
        let previous = previous.filter(|_| settled);
        for by in [Grouping::None, Grouping::Owner, Grouping::Layer] {
            let before = previous.and_then(|map| map.grids.get(&by));
            let grid = map::place(&self.drawn_nodes(by), &self.drawn_edges(), before);
            self.grids.insert(by, grid);
        }
    }

    /// The node with this id.
    pub fn node(&self, id: &str) -> Option<&MapNode> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The node that is meant by an id, a name or a title, whatever the case.
    pub fn find(&self, name: &str) -> Option<&MapNode> {
        let name = name.trim().to_lowercase();
        let is = |text: &str| text.to_lowercase() == name;
        let titled = |node: &&MapNode| node.title.as_deref().is_some_and(is);
        self.node(&name)
            .or_else(|| self.nodes.iter().find(|node| is(&node.name)))
            .or_else(|| self.nodes.iter().find(titled))
    }

    /// A node, who calls it, whom it calls, and the calls between these.
    pub fn around(&self, id: &str) -> Self {
        let near = self.edges.iter().filter(|edge| edge.from == id || edge.to == id);
        let mut ids: BTreeSet<&str> =
            near.flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]).collect();
        ids.insert(id);
        let is_near = |id: &String| ids.contains(id.as_str());
        let nodes = self.nodes.iter().filter(|node| is_near(&node.id));
        let edges = self.edges.iter().filter(|edge| is_near(&edge.from) && is_near(&edge.to));
        let mut part = Self {
            nodes: nodes.cloned().collect(),
            edges: edges.cloned().collect(),
            ..Self::default()
        };
        part.place(None, 0);
        part
    }

    /// The nodes for the layout, in the order of [`Self::nodes`].
    pub fn drawn_nodes(&self, by: Grouping) -> Vec<map::MapNode> {
        let drawn = |node: &MapNode| map::MapNode {
            id: node.id.clone(),
            label: node.name.clone(),
            note: match &node.title {
                Some(title) if *title != node.name => title.clone(),
                _ if node.kind == NodeKind::User => String::new(),
                _ => node.kind_word().to_owned(),
            },
            nature: match node.kind {
                NodeKind::Service => Nature::Service,
                NodeKind::Database => Nature::Database,
                NodeKind::Queue => Nature::Queue,
                NodeKind::External => Nature::External,
                NodeKind::User => Nature::User,
            },
            group: node.group(by).cloned(),
            marked: false,
        };
        self.nodes.iter().map(drawn).collect()
    }

    /// The connections for the layout, in the order of [`Self::edges`].
    pub fn drawn_edges(&self) -> Vec<map::MapEdge> {
        let drawn = |edge: &MapEdge| map::MapEdge { from: edge.from.clone(), to: edge.to.clone() };
        self.edges.iter().map(drawn).collect()
    }

    /// Where the nodes stand.
    pub fn grid(&self, by: Grouping) -> Grid {
        self.grids.get(&by).cloned().unwrap_or_default()
    }

    /// Whether the book says anything that nodes can be grouped by.
    pub fn has_groups(&self, by: Grouping) -> bool {
        self.nodes.iter().any(|node| node.group(by).is_some())
    }
}

/// What something is and how it is called; sorted by kind, services first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name(NodeKind, String);

impl Name {
    fn of(node: &GraphNode, config: &Config, services: &BTreeSet<&str>) -> Self {
        let name = node.name.to_string();
        match node.kind {
            NodeKind::Service => Self(NodeKind::Service, service_id(&name, config).0),
            // Who calls a service that sends no spans names it all the same.
            NodeKind::External if services.contains(name.as_str()) => Self(NodeKind::Service, name),
            kind => Self(kind, name),
        }
    }

    fn id(&self) -> String {
        match self.0 {
            NodeKind::Service => self.1.clone(),
            NodeKind::Database => format!("database:{}", self.1),
            NodeKind::Queue => format!("queue:{}", self.1),
            NodeKind::External => format!("external:{}", self.1),
            NodeKind::User => format!("user:{}", self.1),
        }
    }
}

fn edge(from: &Name, to: &Name, calls: &[&GraphEdge]) -> MapEdge {
    let flow = Flow::of_edges(calls.iter().copied());
    MapEdge {
        from: from.id(),
        to: to.id(),
        state: flow.state(),
        rate: flow.rate(),
        p95: flow.p95(),
        errors: flow.errors(),
        last_seen: flow.latest.map(|edge| edge.last_seen_ms),
    }
}

fn node(
    name: &Name,
    calls: &BTreeMap<(Name, Name), Vec<&GraphEdge>>,
    config: &Config,
    services: &[ServiceEvidence],
) -> MapNode {
    let id = ServiceId(name.1.clone());
    let said = config.services.get(&id);
    let base = MapNode {
        id: name.id(),
        name: name.1.clone(),
        title: said.and_then(|said| said.title.clone()),
        kind: name.0,
        owner: said.and_then(|said| said.owner.clone()),
        layer: said.and_then(|said| said.layer.clone()),
        health: Health::NoData,
        rate: Figure::NoData,
        p95: Figure::NoData,
        errors: Figure::NoData,
    };
    let measured = services.iter().find(|service| name.0 == NodeKind::Service && service.id == id);
    // A service that is known from traces alone has the figures that its callers saw.
    if let Some(service) = measured.filter(|service| service.health != Health::NoData) {
        return MapNode {
            health: service.health,
            rate: service.rate.clone(),
            p95: service.p95.clone(),
            errors: service.errors.clone(),
            ..base
        };
    }
    // What measures nothing itself is known from the calls to it; a user from those that it makes.
    let side = |(from, to): &(Name, Name)| if name.0 == NodeKind::User { from } else { to } == name;
    let mine = calls.iter().filter(|(ends, _)| side(ends)).flat_map(|(_, calls)| calls);
    let flow = Flow::of_edges(mine.copied());
    MapNode {
        health: flow.health(),
        rate: flow.rate(),
        p95: flow.p95(),
        errors: flow.errors(),
        ..base
    }
}

/// The value that all have, if there is one.
fn only<'a>(mut values: impl Iterator<Item = &'a Option<String>>) -> Option<String> {
    let first = values.next()?.clone()?;
    values.all(|value| value.as_ref() == Some(&first)).then_some(first)
}
