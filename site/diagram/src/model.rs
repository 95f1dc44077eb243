//! What a drawing is made of. All lengths are user units of the SVG's `viewBox`.

use serde::Serialize;
use std::collections::BTreeMap;

/// A diagram that was parsed and laid out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drawing {
    /// Mermaid's name of the diagram type: `flowchart`, `sequence`, `class`, `state`, `er`, ...
    pub kind: String,
    /// `title` or `accTitle` of the diagram.
    pub title: Option<String>,
    /// The SVG: only elements and attributes of our allow-list, every id begins with the given
    /// prefix, no `<style>`; the theme's CSS styles Mermaid's class names.
    pub svg: String,
    /// The SVG's `viewBox`.
    pub view_box: Rect,
    /// Boxes that can stand for something that runs: flowchart nodes, participants, states, classes,
    /// entities. In the order in which the text names them.
    pub nodes: Vec<Node>,
    /// Connections between nodes, in the order of the text.
    pub edges: Vec<Edge>,
    /// Subgraphs.
    pub groups: Vec<Group>,
    /// Corners of nodes that are neither a rectangle, an ellipse nor a cylinder, by node id.
    pub outlines: BTreeMap<String, Vec<Point>>,
    /// Lines `%% bind: F = orders`: node id to service, queue or database.
    pub binds: BTreeMap<String, String>,
}

/// A node as the author wrote it, with its place in the drawing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Node {
    /// The author's id, for instance `F`.
    pub id: String,
    /// The text that is shown, without markup, lines joined by a space.
    pub label: String,
    /// What the shape says about the node's nature.
    pub shape: Shape,
    /// The subgraph that holds it.
    pub group: Option<String>,
    /// `id` of the element in the SVG.
    pub dom_id: String,
    /// Its box.
    pub rect: Rect,
}

/// An edge as the author wrote it, with its line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Edge {
    /// Unique in the drawing: the author's own edge id, or one made from both ends and a number.
    pub id: String,
    /// Node id (or group id) where it begins.
    pub from: String,
    /// Node id (or group id) where it ends.
    pub to: String,
    /// The text on the edge.
    pub label: Option<String>,
    /// `id` or `data-id` of the path in the SVG, when there is one.
    pub dom_id: Option<String>,
    /// The line as a polyline from `from` to `to`, at least two points.
    pub points: Vec<Point>,
    /// The box that the edge's own label takes up.
    pub label_rect: Option<Rect>,
}

/// A subgraph.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The author's id, or Mermaid's when the author gave only a title.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The group around it.
    pub parent: Option<String>,
    /// Its box.
    pub rect: Rect,
}

/// What a node's shape says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Any box.
    Box,
    /// A cylinder.
    Database,
    /// A horizontal cylinder, or a diamond or other shape whose label says "queue", "broker" or "bus".
    Queue,
    /// A diamond.
    Decision,
    /// A circle or a stick figure: mostly a person.
    Actor,
}

/// A point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
}

/// A box by its upper left corner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Rect {
    /// Left side.
    pub x: f64,
    /// Upper side.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}
