//! Mends two things that the layout gets wrong once the typed graph is known: an edge to a subgraph
//! that ends short of its border, and an edge's label that lies on a box. `draw` calls it last.

use crate::geometry::{self, Transform, overlap, shift_rect};
use crate::labels::short;
use crate::model::{Edge, Point, Rect};
use crate::overlay::title_box;
use crate::read::Graph;
use crate::tree::Element;
use std::collections::BTreeMap;

/// A gap between a line's end and a border up to this is what an arrow head needs.
const HEAD: f64 = 5.0;

/// How far from its group merman may have put a title.
const TITLE_REACH: f64 = 30.0;

/// Places along a line that are tried for a label.
const TRIES: usize = 40;

/// Changes the drawing and the graph alike.
pub(crate) fn settle(root: &mut Element, graph: &mut Graph) {
    let borders: BTreeMap<String, Rect> =
        graph.groups.iter().map(|group| (group.id.clone(), group.rect)).collect();
    for edge in &mut graph.edges {
        if let Some(border) = borders.get(&edge.to) {
            reach(root, edge, border, true);
        }
        if let Some(border) = borders.get(&edge.from) {
            reach(root, edge, border, false);
        }
    }
    free_labels(root, graph);
    place_titles(root, Transform::NONE, graph);
}

/// Puts each title of a subgraph where the fewest lines run through it.
fn place_titles(element: &mut Element, outer: Transform, graph: &Graph) {
    let here = outer.then(element);
    for child in element.elements_mut() {
        if !child.has_class("cluster-label") {
            place_titles(child, here, graph);
            continue;
        }
        let words = child.text();
        let Some(now) = geometry::text_box(child, here) else {
            continue;
        };
        let Some(group) = graph
            .groups
            .iter()
            .find(|group| group.title == words && overlap(&group.rect, &now, TITLE_REACH))
        else {
            continue;
        };
        let place = title_box(group, &graph.edges);
        let origin = here.apply(Point::default());
        let shift =
            format!("translate({},{})", short(place.x - origin.x), short(place.y - origin.y));
        child.set("transform", shift);
        child.walk_mut(&mut |part| match part.name {
            "g" if !part.has_class("cluster-label") => part.remove("transform"),
            "text" => {
                part.set("text-anchor", "start");
                part.remove("x");
                for row in part.elements_mut().filter(|row| row.name == "tspan") {
                    row.set("x", "0");
                    row.remove("text-anchor");
                }
            }
            _ => {}
        });
    }
}

/// Lengthens a line to the border of the group where it ends (or begins).
fn reach(root: &mut Element, edge: &mut Edge, border: &Rect, at_end: bool) {
    let Some(tip) = (if at_end { edge.points.last() } else { edge.points.first() }).copied() else {
        return;
    };
    let nearest = Point {
        x: tip.x.clamp(border.x, border.x + border.width),
        y: tip.y.clamp(border.y, border.y + border.height),
    };
    let gap = (nearest.x - tip.x).hypot(nearest.y - tip.y);
    if gap <= HEAD {
        return;
    }
    // The arrow head of the end stands in front of the line.
    let part = if at_end { (gap - HEAD + 1.0) / gap } else { 1.0 };
    let to = Point { x: tip.x + (nearest.x - tip.x) * part, y: tip.y + (nearest.y - tip.y) * part };
    let Some(id) = edge.dom_id.clone() else { return };
    root.walk_mut(&mut |element| {
        if element.get("id") != Some(&id) || element.get("transform").is_some() {
            return;
        }
        let d = element.get("d").unwrap_or("").to_owned();
        let joint = format!("{},{}", short(to.x), short(to.y));
        match d.strip_prefix('M') {
            Some(_) if at_end => element.set("d", format!("{d}L{joint}")),
            Some(rest) => element.set("d", format!("M{joint}L{rest}")),
            None => {}
        }
    });
    if at_end {
        edge.points.push(to);
    } else {
        edge.points.insert(0, to);
    }
}

/// Moves labels off boxes (and off each other) along their own line.
fn free_labels(root: &mut Element, graph: &mut Graph) {
    let nodes: Vec<Rect> = graph.nodes.iter().map(|node| node.rect).collect();
    for index in 0..graph.edges.len() {
        let Some(label) = graph.edges[index].label_rect else {
            continue;
        };
        let others: Vec<Rect> = graph
            .edges
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index)
            .filter_map(|(_, edge)| edge.label_rect)
            .collect();
        let hit = |place: &Rect| {
            let blocked = |other: &Rect| overlap(place, other, 0.0);
            nodes.iter().any(blocked) || others.iter().any(blocked)
        };
        if !hit(&label) {
            continue;
        }
        let Some(place) = free_place(&graph.edges[index].points, &label, &hit) else {
            continue;
        };
        let shift = (place.x - label.x, place.y - label.y);
        let name = graph.edges[index].id.clone();
        if move_label(root, &name, shift) {
            graph.edges[index].label_rect = Some(shift_rect(&label, shift));
        }
    }
}

/// The place on the line nearest to where the label is now.
fn free_place(line: &[Point], label: &Rect, hit: &impl Fn(&Rect) -> bool) -> Option<Rect> {
    let mut places: Vec<Rect> = crate::overlay::along(line, TRIES)
        .into_iter()
        .map(|centre| Rect {
            x: centre.x - label.width / 2.0,
            y: centre.y - label.height / 2.0,
            ..*label
        })
        .filter(|place| !hit(place))
        .collect();
    let far = |place: &Rect| (place.x - label.x).hypot(place.y - label.y);
    places.sort_by(|one, other| far(one).total_cmp(&far(other)));
    places.first().copied()
}

fn move_label(root: &mut Element, name: &str, shift: (f64, f64)) -> bool {
    let mut moved = false;
    root.walk_mut(&mut |element| {
        let holds = element.has_class("edgeLabel")
            && element.elements().any(|child| child.get("data-id") == Some(name));
        if holds && !moved {
            let old = element.get("transform").unwrap_or("").to_owned();
            let added = format!("translate({},{}) {old}", short(shift.0), short(shift.1));
            element.set("transform", added.trim().to_owned());
            moved = true;
        }
    });
    moved
}
