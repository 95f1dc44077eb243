//! The typed graph: what merman's semantic model names, where the drawing shows it. `draw` hands in
//! both; `evidence` and `overlay` work with the nodes and edges that come out.

mod chart;
mod flowchart;
mod scene;
mod sequence;

use crate::model::{Edge, Group, Node, Shape};
use crate::tree::Element;
use serde_json::Value;
use std::collections::BTreeMap;

pub(crate) use scene::Scene;

/// Nodes, edges and groups of a drawing.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) groups: Vec<Group>,
}

/// Gives an id to what `read` must be able to name. Call before the scene is made.
pub(crate) fn name_parts(kind: &str, root: &mut Element, prefix: &str) {
    if kind == "sequence" || kind == "zenuml" {
        sequence::name_participants(root, prefix);
    }
}

/// The graph of a drawing; empty for the kinds without boxes (pie, gantt, ...).
pub(crate) fn read(kind: &str, model: &Value, scene: &Scene) -> Graph {
    match kind {
        kind if kind.starts_with("flowchart") || kind == "swimlane" => {
            flowchart::read(model, scene)
        }
        "sequence" => sequence::read(model, scene),
        kind if kind.starts_with("class") => chart::class(model, scene),
        kind if kind.starts_with("state") => chart::state(model, scene),
        "er" => chart::entities(model, scene),
        "architecture" => chart::architecture(model, scene),
        "block" => chart::block(model, scene),
        "c4" => chart::c4(model, scene),
        "requirement" => chart::requirement(model, scene),
        _ => Graph::default(),
    }
}

/// Lines `%% bind: F = orders` of the text.
pub(crate) fn binds(source: &str) -> BTreeMap<String, String> {
    source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("%%")?.trim().strip_prefix("bind:"))
        .filter_map(|bind| bind.split_once('='))
        .map(|(node, target)| (node.trim().to_owned(), target.trim().to_owned()))
        .filter(|(node, target)| !node.is_empty() && !target.is_empty())
        .collect()
}

/// A label as one line of plain text.
pub(crate) fn plain(label: &str) -> String {
    let mut text = label.replace("\\n", " ");
    for row in ["<br>", "<br/>", "<br />", "<BR>", "<BR/>"] {
        text = text.replace(row, " ");
    }
    let text = crate::labels::without_markup(&text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a label says about a box, whatever its outline.
pub(crate) fn shape_of(outline: &str, label: &str) -> Shape {
    let says_queue = label
        .to_lowercase()
        .split(|character: char| !character.is_alphanumeric())
        .any(|word| matches!(word, "queue" | "queues" | "broker" | "brokers" | "bus" | "mq"));
    match outline {
        _ if says_queue => Shape::Queue,
        "h-cyl" | "das" | "horizontal-cylinder" | "tilted-cylinder" | "queue" => Shape::Queue,
        "cylinder" | "cyl" | "db" | "database" | "lin-cyl" | "disk" | "lined-cylinder"
        | "datastore" | "data-store" => Shape::Database,
        "diamond" | "diam" | "decision" | "question" | "choice" => Shape::Decision,
        "circle" | "circ" | "doublecircle" | "dbl-circ" | "double-circle" | "actor" | "person" => {
            Shape::Actor
        }
        _ => Shape::Box,
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
