//! Where live values stand above a drawing. `pages` hands in a drawing and gets points; nothing
//! here knows the values.

use crate::{Drawing, Node, Point};
use std::collections::BTreeMap;

/// Centres of pills of the given size (width, height), by edge id.
pub fn place_pills(drawing: &Drawing, edges: &[&str], size: (f64, f64)) -> BTreeMap<String, Point> {
    let _ = (drawing, edges, size);
    BTreeMap::new()
}

/// Centre of the health badge of a node: its upper right corner.
pub fn badge_anchor(node: &Node) -> Point {
    Point { x: node.rect.x + node.rect.width, y: node.rect.y }
}
