//! A map as a [`Drawing`] with the class names that Mermaid gives its flowcharts: the theme styles
//! both alike, and live values are laid over both in the same way.

use super::geometry::Plan;
use super::{Direction, Grid, MapEdge, MapNode, Nature, Place, route};
use crate::{Drawing, Edge, Group, Node, Rect, Shape, metrics, overlay, safe_prefix};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Font sizes of a name and of the note below it.
const NAME_SIZE: f64 = 13.0;
const NOTE_SIZE: f64 = 11.0;
/// Between text and the sides of its box.
const TEXT_SIDE: f64 = 11.0;
/// Curve of a cylinder's ends, standing and lying.
const LID: f64 = 7.0;
const CAP: f64 = 9.0;
/// Rounding of boxes, as in other diagrams.
const CORNER: f64 = 8.0;

/// Draws what has a place in the grid; ids in the SVG begin with `prefix` and a hyphen. Nodes and
/// edges keep their order; an edge's id is that of both ends with ` → ` between.
pub fn draw(
    nodes: &[MapNode],
    edges: &[MapEdge],
    grid: &Grid,
    direction: Direction,
    prefix: &str,
) -> Drawing {
    let prefix = safe_prefix(prefix);
    let plan = Plan::new(grid, direction);
    let placed: Vec<(&MapNode, Place)> =
        nodes.iter().filter_map(|node| Some((node, *grid.places.get(&node.id)?))).collect();
    let shown: BTreeSet<&str> = placed.iter().map(|(node, _)| node.id.as_str()).collect();
    let drawn: BTreeSet<&MapEdge> = edges
        .iter()
        .filter(|edge| shown.contains(&*edge.from) && shown.contains(&*edge.to))
        .collect();
    let drawn: Vec<MapEdge> = drawn.into_iter().cloned().collect();
    let places: Vec<Place> = placed.iter().map(|(_, place)| *place).collect();
    let lines = route::lines(&drawn, grid, &plan, &places);
    let mut drawing = Drawing {
        kind: "map".to_owned(),
        title: None,
        svg: String::new(),
        view_box: Rect::default(),
        nodes: placed
            .iter()
            .enumerate()
            .map(|(nth, (node, place))| node_of(node, plan.rect(*place), nth, &prefix))
            .collect(),
        edges: drawn.iter().zip(&lines).map(|(edge, line)| edge_of(edge, line)).collect(),
        groups: groups(&placed, &plan),
        outlines: BTreeMap::new(),
        binds: BTreeMap::new(),
    };
    let boxes: Vec<Rect> = drawing
        .nodes
        .iter()
        .map(|node| node.rect)
        .chain(drawing.groups.iter().map(|group| group.rect))
        .collect();
    let points = drawing.edges.iter().flat_map(|edge| edge.points.iter().copied());
    drawing.view_box = Plan::view(&boxes, points);
    drawing.svg = svg(&drawing, &placed, &lines, &prefix);
    drawing
}

/// A node's outline as a path.
pub fn outline(node: &Node) -> String {
    let Rect { x, y, width: w, height: h } = node.rect;
    match node.shape {
        Shape::Database => format!(
            "M{x:.1},{:.1}a{:.1},{LID} 0 0 1 {w:.1},0v{:.1}a{:.1},{LID} 0 0 1 -{w:.1},0Z",
            y + LID,
            w / 2.0,
            h - 2.0 * LID,
            w / 2.0
        ),
        Shape::Queue => {
            let straight = w - 2.0 * CAP;
            let half = h / 2.0;
            format!(
                "M{:.1},{y:.1}h{straight:.1}a{CAP},{half:.1} 0 0 1 0,{h:.1}h-{straight:.1}a{CAP},{half:.1} 0 0 1 0,-{h:.1}Z",
                x + CAP
            )
        }
        shape => {
            let r = if shape == Shape::Actor { h / 2.0 } else { CORNER };
            let (w, h) = (w - 2.0 * r, h - 2.0 * r);
            format!(
                "M{:.1},{y:.1}h{w:.1}a{r},{r} 0 0 1 {r},{r}v{h:.1}a{r},{r} 0 0 1 -{r},{r}h-{w:.1}a{r},{r} 0 0 1 -{r},-{r}v-{h:.1}a{r},{r} 0 0 1 {r},-{r}Z",
                x + r
            )
        }
    }
}

/// The front rim of a cylinder.
fn rim(node: &Node) -> Option<String> {
    let Rect { x, y, width: w, height: h } = node.rect;
    match node.shape {
        Shape::Database => {
            Some(format!("M{x:.1},{:.1}a{:.1},{LID} 0 0 0 {w:.1},0", y + LID, w / 2.0))
        }
        Shape::Queue => {
            Some(format!("M{:.1},{y:.1}a{CAP},{:.1} 0 0 0 0,{h:.1}", x + w - CAP, h / 2.0))
        }
        _ => None,
    }
}

fn node_of(node: &MapNode, rect: Rect, nth: usize, prefix: &str) -> Node {
    Node {
        id: node.id.clone(),
        label: node.label.clone(),
        shape: match node.nature {
            Nature::Service | Nature::External => Shape::Box,
            Nature::Database => Shape::Database,
            Nature::Queue => Shape::Queue,
            Nature::User => Shape::Actor,
        },
        group: node.group.clone(),
        dom_id: format!("{prefix}-n{nth}"),
        rect,
    }
}

fn edge_of(edge: &MapEdge, line: &route::Line) -> Edge {
    Edge {
        id: format!("{} → {}", edge.from, edge.to),
        from: edge.from.clone(),
        to: edge.to.clone(),
        label: None,
        dom_id: None,
        points: line.points.clone(),
        label_rect: None,
    }
}

fn groups(placed: &[(&MapNode, Place)], plan: &Plan) -> Vec<Group> {
    let mut members: BTreeMap<(usize, &str), Vec<Place>> = BTreeMap::new();
    for (node, place) in placed {
        if let Some(group) = &node.group {
            members.entry((place.band, group)).or_default().push(*place);
        }
    }
    let group = |((_, name), places): ((usize, &str), Vec<Place>)| {
        let rect = plan.panel(&places)?;
        let room = rect.width - 2.0 * TEXT_SIDE;
        let title = shortened(name, NAME_SIZE, room);
        Some(Group { id: name.to_owned(), title, parent: None, rect })
    };
    members.into_iter().filter_map(group).collect()
}

fn svg(
    drawing: &Drawing,
    placed: &[(&MapNode, Place)],
    lines: &[route::Line],
    prefix: &str,
) -> String {
    let Rect { width, height, .. } = drawing.view_box;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"{prefix}-svg\" class=\"mermaid map\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.1} {height:.1}\" role=\"img\" aria-label=\"{} nodes and {} connections; the table below lists them\"><defs><marker id=\"{prefix}-tip\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0,1L9,5L0,9Z\"/></marker></defs>",
        drawing.nodes.len(),
        drawing.edges.len()
    );
    for group in &drawing.groups {
        let Rect { x, y, width, height } = group.rect;
        let _ = write!(
            out,
            "<g class=\"cluster\"><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/></g>"
        );
    }
    for line in lines {
        let _ = write!(
            out,
            "<path class=\"flowchart-link\" d=\"{}\" marker-end=\"url(#{prefix}-tip)\"/>",
            line.path
        );
    }
    for group in &drawing.groups {
        let title = overlay::title_box(group, &drawing.edges);
        let _ = write!(
            out,
            "<g class=\"cluster-label\"><text x=\"{:.1}\" y=\"{:.1}\" dominant-baseline=\"central\">{}</text></g>",
            title.x,
            title.y + title.height / 2.0,
            escaped(&group.title)
        );
    }
    for ((node, _), drawn) in placed.iter().zip(&drawing.nodes) {
        write_node(&mut out, node, drawn);
    }
    out + "</svg>"
}

fn write_node(out: &mut String, node: &MapNode, drawn: &Node) {
    let nature = match node.nature {
        Nature::Service => "service",
        Nature::Database => "database",
        Nature::Queue => "queue",
        Nature::External => "external",
        Nature::User => "user",
    };
    let marked = if node.marked { " marked" } else { "" };
    let _ = write!(
        out,
        "<g class=\"node {nature}{marked}\" id=\"{}\"><path class=\"shape\" d=\"{}\"/>",
        drawn.dom_id,
        outline(drawn)
    );
    if let Some(rim) = rim(drawn) {
        let _ = write!(out, "<path class=\"rim background\" d=\"{rim}\"/>");
    }
    let x = drawn.rect.x + drawn.rect.width / 2.0;
    let lid = if drawn.shape == Shape::Database { LID } else { 0.0 };
    let middle = drawn.rect.y + (drawn.rect.height + lid) / 2.0 + 2.0;
    let room = drawn.rect.width - 2.0 * TEXT_SIDE;
    let lines = name_lines(&node.label, room);
    let note = shortened(&node.note, NOTE_SIZE, room);
    match lines.as_slice() {
        [only] if note.is_empty() => write_text(out, "name", x, middle, only),
        [only] => {
            write_text(out, "name", x, middle - 8.0, only);
            write_text(out, "sub", x, middle + 9.0, &note);
        }
        lines => {
            for (line, y) in lines.iter().zip([middle - 8.0, middle + 8.0]) {
                write_text(out, "name", x, y, line);
            }
        }
    }
    out.push_str("</g>");
}

fn write_text(out: &mut String, class: &str, x: f64, y: f64, text: &str) {
    let _ = write!(
        out,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" dominant-baseline=\"central\">{}</text>",
        escaped(text)
    );
}

/// A name on one line, or else on two, parted where words are.
fn name_lines(name: &str, room: f64) -> Vec<String> {
    let fits = |text: &str| metrics::width(text, NAME_SIZE, true) <= room;
    if fits(name) {
        return vec![name.to_owned()];
    }
    let parts = |character: char| " -_./:".contains(character);
    let mut ends = name.char_indices().filter(|(_, c)| parts(*c)).map(|(at, c)| at + c.len_utf8());
    let best = ends.rfind(|at| fits(name[..*at].trim_end()));
    let anywhere = || {
        let ends = name.char_indices().map(|(at, c)| at + c.len_utf8());
        ends.take_while(|at| fits(&name[..*at])).last().unwrap_or(name.len())
    };
    let (first, rest) = name.split_at(best.unwrap_or_else(anywhere));
    vec![first.trim().to_owned(), shortened(rest.trim(), NAME_SIZE, room)]
}

/// As much of a text as there is room for.
fn shortened(text: &str, size: f64, room: f64) -> String {
    let fits = |text: &str| metrics::width(text, size, true) <= room;
    if fits(text) {
        return text.to_owned();
    }
    let mut kept = text.to_owned();
    while !kept.is_empty() && !fits(&format!("{kept}…")) {
        kept.pop();
    }
    format!("{}…", kept.trim_end())
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            character if character.is_control() => out.push(' '),
            character => out.push(character),
        }
    }
    out
}
