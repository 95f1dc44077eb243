//! Flowcharts: nodes, subgraphs and edges.

use super::{Graph, Scene, list, plain, shape_of, text};
use crate::model::{Edge, Group, Node};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn read(model: &Value, scene: &Scene) -> Graph {
    let subgraphs = list(model, "subgraphs");
    let names: BTreeSet<&str> = subgraphs.iter().filter_map(|group| text(group, "id")).collect();
    let mut holder = BTreeMap::new();
    for group in subgraphs {
        let Some(id) = text(group, "id") else { continue };
        for member in list(group, "nodes").iter().filter_map(Value::as_str) {
            holder.entry(member).or_insert(id);
        }
    }
    let owner = |id: &str| holder.get(id).map(|group| (*group).to_owned());
    let nodes = list(model, "nodes")
        .iter()
        .filter_map(|node| {
            let id = text(node, "id").filter(|id| !names.contains(id))?;
            let (dom_id, rect) = scene.find(&format!("flowchart-{id}"))?;
            let label = words(node, "label");
            let outline = text(node, "shape").or(text(node, "layoutShape")).unwrap_or("");
            Some(Node {
                id: id.to_owned(),
                shape: shape_of(outline, &label),
                label,
                group: owner(id),
                dom_id,
                rect,
            })
        })
        .collect();
    let groups = subgraphs
        .iter()
        .filter_map(|group| {
            let id = text(group, "id")?;
            let (_, rect) = scene.find(id).or_else(|| scene.find(&format!("flowchart-{id}")))?;
            Some(Group { id: id.to_owned(), title: words(group, "title"), parent: owner(id), rect })
        })
        .collect();
    let edges = list(model, "edges").iter().filter_map(|edge| one_edge(edge, scene)).collect();
    Graph { nodes, edges, groups }
}

fn one_edge(edge: &Value, scene: &Scene) -> Option<Edge> {
    let id = text(edge, "id")?;
    let line = scene.line(id).filter(|line| line.points.len() >= 2)?;
    Some(Edge {
        id: id.to_owned(),
        from: text(edge, "from")?.to_owned(),
        to: text(edge, "to")?.to_owned(),
        label: Some(words(edge, "label")).filter(|label| !label.is_empty()),
        dom_id: line.dom_id,
        points: line.points,
        label_rect: line.label,
    })
}

/// A label without its markup, where the author chose Markdown.
fn words(value: &Value, key: &str) -> String {
    let label = plain(text(value, key).unwrap_or(""));
    if text(value, "labelType") != Some("markdown") {
        return label;
    }
    let label = label.trim_matches('`').replace("**", "");
    label.replace(['*', '`'], "").trim().to_owned()
}
