//! The generated map: `/live/map`, and the `service-map` fence of a page.
//!
//! `evidence` says what runs and where it stands, `diagram` draws it; here it gets live values, in the
//! same layer as any other diagram. Keys: `map.n.NODE.*` and `map.e.FROM.TO.*`, with `%2E` for a dot
//! inside of a name.

use crate::cells::Values;
use crate::figures::{cell, clock, health_state, health_word};
use crate::frame::{Frame, Place, View, service_href};
use crate::live::{
    figures_words, figures3, flow_cell, frame_cells, state_of_calls, three, with_shape,
};
use crate::overlay::{self, EdgeMark, NodeMark, Overlay, PILL, encode, mark, tag};
use crate::problems::written;
use crate::{Cell, Cells, Site};
use askama::Template;
use diagram::map::{Direction, draw, outline};
use diagram::overlay::place_pills;
use diagram::{Drawing, Rect};
use document::{Grouping, MapBlock, MapDirection, MapOptions};
use evidence::{EdgeState, Evidence, MapEdge, MapNode, ServiceMap};
use std::collections::BTreeMap;
use traces::NodeKind;

/// Connections that have their figure on the line. Beyond, those of marked nodes have one alone: more
/// would hide the map.
const PILLS_MAX: usize = 150;
/// A badge stands out of its node by so much, above and to the right.
const BADGE_OUT: (f64, f64) = (12.0, 10.0);

/// What the reader wants to see of the map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MapView {
    /// `focus=`: only this one and its neighbours.
    pub focus: Option<String>,
    /// `q=`: what stands out.
    pub q: Option<String>,
    /// `groups=`.
    pub groups: Grouping,
    /// `direction=`.
    pub direction: MapDirection,
}

/// The live values of `/live/map`; its `ID` is `live/map`.
pub fn cells_for_map(site: &Site, evidence: &Evidence) -> Cells {
    let mut all = frame_cells(site, evidence);
    cells(&mut all, &evidence.map, evidence.window);
    with_shape(all)
}

/// The map's values, whatever part of it is shown; `window` in seconds.
pub(crate) fn cells(cells: &mut Cells, map: &ServiceMap, window: u32) {
    for node in &map.nodes {
        let key = node_key(&node.id);
        let words = figures_words(&node.rate, &node.p95, &node.errors);
        let (kind, name) = (node.kind_word(), &node.name);
        let why = format!("{name} ({kind}): {}, {words}", health_word(node.health));
        cells.insert(key.clone(), Cell::state(health_state(node.health), why));
        figures3(cells, &key, &node.rate, &node.p95, &node.errors);
    }
    for edge in &map.edges {
        let key = edge_key(&edge.from, &edge.to);
        let state = state_of_calls(edge.state, (&edge.rate, &edge.errors), window);
        cells.insert(key.clone(), Cell::state(state, edge_words(map, edge)));
        flow_cell(cells, &key, edge.state, &edge.rate);
        match edge.state {
            EdgeState::Confirmed => figures3(cells, &key, &edge.rate, &edge.p95, &edge.errors),
            EdgeState::Idle | EdgeState::NeverSeen => three(cells, &key, &cell("idle", "idle", "")),
        }
    }
}

fn edge_words(map: &ServiceMap, edge: &MapEdge) -> String {
    let what = match (edge.state, edge.last_seen) {
        (EdgeState::Confirmed, _) => figures_words(&edge.rate, &edge.p95, &edge.errors),
        (_, Some(at)) => format!("idle, not seen in the window, last at {} UTC", clock(at)),
        (_, None) => "idle, not seen in the window".to_owned(),
    };
    format!("{} → {}: {what}", name_of(map, &edge.from), name_of(map, &edge.to))
}

fn name_of<'a>(map: &'a ServiceMap, id: &'a str) -> &'a str {
    map.node(id).map_or(id, |node| &node.name)
}

fn node_key(id: &str) -> String {
    format!("map.n.{}", part(id))
}

fn edge_key(from: &str, to: &str) -> String {
    format!("map.e.{}.{}", part(from), part(to))
}

fn part(id: &str) -> String {
    id.replace('%', "%25").replace('.', "%2E")
}

#[derive(Template)]
#[template(path = "map.html")]
struct MapTemplate<'a> {
    frame: Frame<'a>,
    view: &'a MapView,
    /// Name and id of everything that the focus may be set to.
    nodes: Vec<Choice<'a>>,
    groups: Vec<(&'static str, &'static str, bool)>,
    directions: [(&'static str, &'static str, bool); 2],
    said: Vec<String>,
    figure: String,
    empty: bool,
}

struct Choice<'a> {
    id: &'a str,
    name: String,
    chosen: bool,
}

/// `/live/map`: everything that runs, or what is around one of it.
pub fn render_map(site: &Site, view: &MapView, evidence: &Evidence) -> String {
    let cells = cells_for_map(site, evidence);
    let map = &evidence.map;
    let place = Place {
        path: "live/map",
        id: "live/map",
        title: "Map".to_owned(),
        view: View::Map,
        page: None,
        service: None,
    };
    let frame = Frame::new(site, &place, Some(evidence), &cells);
    let focus = view.focus.as_deref().map(|name| (name, map.find(name)));
    let shown = Shown::new(map, focus.and_then(|(_, node)| node), view.q.as_deref());
    let caption = match focus {
        Some((_, Some(node))) => format!("Around {}", node.name),
        _ => "Everything that was seen".to_owned(),
    };
    let options =
        MapOptions { groups: view.groups, direction: view.direction, ..MapOptions::default() };
    let figure = shown.figure(site, &frame.root, "map", &caption, &options, frame.values);
    let chosen = focus.and_then(|(_, node)| node).map(|node| node.id.as_str());
    let choice = |node: &'_ MapNode| match node.kind {
        NodeKind::Service => node.name.clone(),
        _ => format!("{} ({})", node.name, node.kind_word()),
    };
    let mut groups = vec![("none", "no groups", view.groups == Grouping::None)];
    for (by, value) in [(Grouping::Owner, "owner"), (Grouping::Layer, "layer")] {
        if map.has_groups(by) || view.groups == by {
            groups.push((value, value, view.groups == by));
        }
    }
    written(&MapTemplate {
        nodes: map
            .nodes
            .iter()
            .map(|node| Choice {
                id: &node.id,
                name: choice(node),
                chosen: chosen == Some(node.id.as_str()),
            })
            .collect(),
        groups,
        directions: [
            ("right", "to the right", view.direction == MapDirection::Right),
            ("down", "down", view.direction == MapDirection::Down),
        ],
        said: said(view, focus, &shown),
        empty: map.nodes.is_empty(),
        figure,
        view,
        frame,
    })
}

/// What the map found.
fn said(view: &MapView, focus: Option<(&str, Option<&MapNode>)>, shown: &Shown) -> Vec<String> {
    let mut said = Vec::new();
    if let Some((name, None)) = focus {
        said.push(format!("Nothing called “{name}” was seen; this is the whole map."));
    }
    if let Some(words) = view.q.as_deref() {
        let found = match shown.marked.len() {
            0 => format!("Nothing on this map is called “{words}”."),
            1 => format!("One is called “{words}”."),
            many => format!("{many} are called “{words}”."),
        };
        said.push(found);
    }
    said
}

fn left_out(map: &ServiceMap) -> Option<String> {
    (map.nodes_left_out + map.edges_left_out > 0).then(|| {
        format!(
            "Left out: {} of {} nodes and {} of {} connections. A map of more would not be read.",
            map.nodes_left_out,
            map.nodes.len() + map.nodes_left_out,
            map.edges_left_out,
            map.edges.len() + map.edges_left_out
        )
    })
}

/// The map in a page.
pub(crate) fn figure(
    site: &Site,
    root: &str,
    block: &MapBlock,
    evidence: Option<&Evidence>,
    values: Values<'_>,
) -> String {
    let nothing = ServiceMap::default();
    let map = evidence.map_or(&nothing, |evidence| &evidence.map);
    let name = block.options.focus.as_deref();
    let focus = name.and_then(|name| map.find(name));
    let missing = name.is_some() && focus.is_none();
    let shown =
        if missing { Shown::new(&nothing, None, None) } else { Shown::new(map, focus, None) };
    let prefix = format!("map{}", block.index);
    shown.figure(site, root, &prefix, &block.caption, &block.options, values)
}

/// The part of the map that is shown.
struct Shown<'a> {
    map: std::borrow::Cow<'a, ServiceMap>,
    /// Ids of what was searched for.
    marked: Vec<String>,
    focus: Option<String>,
}

#[derive(Template)]
#[template(path = "map_figure.html")]
struct FigureTemplate<'a> {
    prefix: &'a str,
    caption: &'a str,
    width: f64,
    svg: &'a str,
    layer: Option<Overlay>,
    searching: bool,
    /// The axis along which its layers follow each other.
    begin: &'static str,
    rows: Vec<Row<'a>>,
    alone: Vec<&'a str>,
    left_out: Option<String>,
    bare: bool,
    values: Values<'a>,
}

/// A connection in the table.
struct Row<'a> {
    from: &'a MapNode,
    to: &'a MapNode,
    from_href: Option<String>,
    to_href: Option<String>,
    key: String,
}

impl<'a> Shown<'a> {
    fn new(map: &'a ServiceMap, focus: Option<&MapNode>, q: Option<&str>) -> Self {
        use std::borrow::Cow;
        let part = focus.map_or(Cow::Borrowed(map), |node| Cow::Owned(map.around(&node.id)));
        let found = part.nodes.iter().filter(|node| q.is_some_and(|words| node.is_found_by(words)));
        let marked = found.map(|node| node.id.clone()).collect();
        Self { marked, focus: focus.map(|node| node.id.clone()), map: part }
    }

    fn figure(
        &self,
        site: &Site,
        root: &str,
        prefix: &str,
        caption: &str,
        options: &MapOptions,
        values: Values<'_>,
    ) -> String {
        let map = &*self.map;
        let mut nodes = map.drawn_nodes(options.groups);
        for node in &mut nodes {
            node.marked = self.marked.contains(&node.id) || self.focus.as_ref() == Some(&node.id);
        }
        let direction = match options.direction {
            MapDirection::Right => Direction::Right,
            MapDirection::Down => Direction::Down,
        };
        let grid = map.grid(options.groups);
        let drawing = draw(&nodes, &map.drawn_edges(), &grid, direction, prefix);
        let href = |node: &MapNode| {
            (site.live && node.kind == NodeKind::Service).then(|| service_href(root, &node.name))
        };
        let row = |edge: &MapEdge| {
            let (from, to) = (map.node(&edge.from)?, map.node(&edge.to)?);
            let key = edge_key(&edge.from, &edge.to);
            Some(Row { from, to, from_href: href(from), to_href: href(to), key })
        };
        let alone = |node: &&MapNode| {
            !map.edges.iter().any(|edge| edge.from == node.id || edge.to == node.id)
        };
        written(&FigureTemplate {
            prefix,
            caption,
            width: drawing.view_box.width.round().max(1.0),
            svg: &drawing.svg,
            layer: (!map.nodes.is_empty()).then(|| self.layer(site, root, &drawing)),
            begin: if direction == Direction::Down { "y" } else { "x" },
            searching: !self.marked.is_empty(),
            rows: map.edges.iter().filter_map(row).collect(),
            alone: map.nodes.iter().filter(alone).map(|node| node.name.as_str()).collect(),
            left_out: left_out(map),
            bare: !values.has("live.at"),
            values,
        })
    }

    /// Rings, badges and pills.
    fn layer(&self, site: &Site, root: &str, drawing: &Drawing) -> Overlay {
        let map = &*self.map;
        let marked = |id: &String| self.marked.contains(id) || self.focus.as_ref() == Some(id);
        let few = drawing.edges.len() <= PILLS_MAX;
        let with_pill: Vec<&str> = drawing
            .edges
            .iter()
            .filter(|edge| few || marked(&edge.from) || marked(&edge.to))
            .take(PILLS_MAX)
            .map(|edge| edge.id.as_str())
            .collect();
        let places = place_pills(&with_badges(drawing), &with_pill, PILL);
        let kinds: BTreeMap<&str, &MapNode> =
            map.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let edges = drawing.edges.iter().map(|edge| {
            let pill = places.get(&edge.id).map(|centre| tag(*centre, PILL));
            let end = |id: &String| {
                let node = kinds.get(id.as_str());
                node.map_or(("", false), |node| (&*node.name, node.kind == NodeKind::Service))
            };
            let ends = [end(&edge.from), end(&edge.to)];
            EdgeMark {
                key: edge_key(&edge.from, &edge.to),
                href: site.live.then(|| overlay::crossed(site, root, ends)),
                line: overlay::outline(&edge.points),
                pill,
            }
        });
        let nodes = drawing.nodes.iter().filter_map(|node| {
            let known = kinds.get(node.id.as_str())?;
            let service = known.kind == NodeKind::Service;
            let href = match (site.live, service) {
                (false, _) => None,
                (true, true) => Some(service_href(root, &known.name)),
                (true, false) => Some(format!("{root}live/map?focus={}", encode(&node.id))),
            };
            let plain = mark(node, node_key(&node.id), href);
            let accent = plain.accent.filter(|_| service);
            Some(NodeMark { ring: outline(node), accent, ..plain })
        });
        let view = drawing.view_box;
        Overlay {
            view_box: format!("{} {} {} {}", view.x, view.y, view.width, view.height),
            nodes: nodes.collect(),
            edges: edges.collect(),
        }
    }
}

/// The drawing with its nodes as large as they are with their badges: pills keep clear of these too.
fn with_badges(drawing: &Drawing) -> Drawing {
    let mut drawing = drawing.clone();
    for node in &mut drawing.nodes {
        let Rect { x, y, width, height } = node.rect;
        let (up, right) = BADGE_OUT;
        node.rect = Rect { x, y: y - up, width: width + right, height: height + up };
    }
    drawing
}
