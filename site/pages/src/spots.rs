//! The places in a drawing that a link can lead to. `page` asks for each diagram's figure.

use crate::overlay::encode;
use diagram::Rect;
use document::DiagramBlock;

/// A box in a drawing, with its place in hundredths of the drawing's size.
pub(crate) struct Spot<'a> {
    /// `figure-0:orders`: what stands behind `#` in the address.
    pub(crate) id: String,
    pub(crate) href: String,
    pub(crate) label: &'a str,
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// Every box of the drawing, in its order.
pub(crate) fn spots(block: &DiagramBlock) -> Vec<Spot<'_>> {
    let view = block.drawing.view_box;
    if view.width <= 0.0 || view.height <= 0.0 {
        return Vec::new();
    }
    let share = |part: f64, whole: f64| (part / whole * 10_000.0).round() / 100.0;
    let nodes = block.drawing.nodes.iter();
    nodes
        .map(|node| {
            let Rect { x, y, width, height } = node.rect;
            // An id must not hold white space.
            let name: String =
                node.id.chars().map(|c| if c.is_whitespace() { '-' } else { c }).collect();
            Spot {
                href: format!("#figure-{}:{}", block.index, encode(&name)),
                id: format!("figure-{}:{name}", block.index),
                label: if node.label.is_empty() { &node.id } else { &node.label },
                left: share(x - view.x, view.width),
                top: share(y - view.y, view.height),
                width: share(width, view.width),
                height: share(height, view.height),
            }
        })
        .collect()
}
