//! Sequence diagrams: participants are nodes, messages are edges.

use super::{Graph, Scene, list, plain, shape_of, text};
use crate::model::{Edge, Group, Node, Point, Rect, Shape};
use crate::tree::Element;
use serde_json::Value;

/// Merman names only some of the participants' boxes.
pub(super) fn name_participants(root: &mut Element, prefix: &str) {
    let mut number = 0;
    root.walk_mut(&mut |element| {
        if element.get("data-et") == Some("participant") {
            if element.get("id").is_none() {
                element.set("id", format!("{prefix}-participant-{number}"));
            }
            number += 1;
        }
    });
}

pub(super) fn read(model: &Value, scene: &Scene) -> Graph {
    let boxes = list(model, "boxes");
    let nodes: Vec<Node> = list(model, "actorOrder")
        .iter()
        .filter_map(Value::as_str)
        .filter_map(|id| {
            let actor = model.get("actors")?.get(id)?;
            let (dom_id, rect) = scene.participant(id)?;
            let label = plain(text(actor, "description").unwrap_or(id));
            let kind = text(actor, "type").unwrap_or("participant");
            let shape = match kind {
                "actor" => Shape::Actor,
                kind => shape_of(kind, &label),
            };
            let group = boxes.iter().position(|found| holds(found, id));
            Some(Node { id: id.to_owned(), label, shape, group: group.map(box_id), dom_id, rect })
        })
        .collect();
    let groups = boxes
        .iter()
        .enumerate()
        .filter_map(|(index, found)| {
            let id = box_id(index);
            let inside: Vec<Rect> = nodes
                .iter()
                .filter(|node| node.group.as_deref() == Some(&id))
                .map(|node| node.rect)
                .collect();
            Some(Group {
                title: plain(text(found, "name").unwrap_or("")),
                parent: None,
                rect: around(&inside)?,
                id,
            })
        })
        .collect();
    let edges =
        list(model, "messages").iter().filter_map(|message| one_message(message, scene)).collect();
    Graph { nodes, edges, groups }
}

fn one_message(message: &Value, scene: &Scene) -> Option<Edge> {
    let id = text(message, "id")?;
    let line = scene.line(&format!("i{id}")).filter(|line| line.points.len() >= 2)?;
    Some(Edge {
        id: format!("message-{id}"),
        from: text(message, "from")?.to_owned(),
        to: text(message, "to")?.to_owned(),
        label: text(message, "message").map(plain).filter(|label| !label.is_empty()),
        dom_id: line.dom_id,
        points: line.points,
        label_rect: line.label,
    })
}

fn box_id(index: usize) -> String {
    format!("box-{index}")
}

fn holds(found: &Value, id: &str) -> bool {
    list(found, "actorKeys").iter().any(|key| key.as_str() == Some(id))
}

fn around(boxes: &[Rect]) -> Option<Rect> {
    let corners: Vec<Point> = boxes
        .iter()
        .flat_map(|frame| {
            [
                Point { x: frame.x, y: frame.y },
                Point { x: frame.x + frame.width, y: frame.y + frame.height },
            ]
        })
        .collect();
    crate::geometry::around(&corners)
}
