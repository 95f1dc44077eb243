//! The layer of live values above a drawing: where each ring, badge and pill stands.
//!
//! Only geometry is made here, once per page; texts, states and titles are cells (`live`). Nothing is
//! laid out again when values change, so every pill has room for its widest text.

use crate::Site;
use diagram::overlay::{badge_anchor, place_pills};
use diagram::{Edge, Node, Point, Rect, Shape};
use document::{DiagramBlock, ServiceId};
use evidence::{Bound, DiagramEvidence, Evidence};
use std::fmt::Write as _;

/// Room for some ten characters at the size set in `css/live.css`.
pub(crate) const PILL: (f64, f64) = (66.0, 21.0);
/// Radius of a ring's corners, as the drawing rounds its boxes.
const CORNER: f64 = 8.0;
/// Between the middle of a ring's line and that of the gap inside of it.
const RING_GAP: f64 = 2.2;
/// So finely a line is looked at where it may pass labels, in units of the drawing; and at most.
const LINE_STEP: f64 = 4.0;
const LINE_STEPS_MAX: f64 = 400.0;
/// Below this width a node has room for its badge's shape alone.
const NODE_WIDTH_MIN: f64 = 84.0;
/// Below this height a node is round at its sides, and its badge is moved up, clear of the label.
const NODE_HEIGHT_MIN: f64 = 40.0;

/// Everything that stands above one drawing.
pub(crate) struct Overlay {
    pub(crate) view_box: String,
    pub(crate) nodes: Vec<NodeMark>,
    pub(crate) edges: Vec<EdgeMark>,
}

/// A bound node.
pub(crate) struct NodeMark {
    pub(crate) key: String,
    pub(crate) href: Option<String>,
    pub(crate) ring: String,
    /// Moves the ring's line inwards: a gap in the surface's colour parts it from the node's fill.
    pub(crate) inset: String,
    pub(crate) accent: Option<String>,
    /// Centre of the badge's shape.
    pub(crate) at: Point,
    /// The badge's box with its text; absent where there is no room.
    pub(crate) tag: Option<Tag>,
}

/// A rounded box with a text in its middle.
pub(crate) struct Tag {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) text: Point,
}

/// An edge between bound nodes.
pub(crate) struct EdgeMark {
    pub(crate) key: String,
    pub(crate) href: Option<String>,
    pub(crate) line: String,
    /// Absent where the whole drawing has no free place for it.
    pub(crate) pill: Option<Tag>,
}

/// Marks for what is bound in the drawing.
pub(crate) fn lay(
    site: &Site,
    root: &str,
    block: &DiagramBlock,
    measured: &DiagramEvidence,
    evidence: &Evidence,
) -> Overlay {
    let drawing = &block.drawing;
    let box_ = drawing.view_box;
    let bound: Vec<&Edge> =
        drawing.edges.iter().filter(|edge| measured.edges.contains_key(&edge.id)).collect();
    let labels: Vec<Rect> = drawing.edges.iter().filter_map(|edge| edge.label_rect).collect();
    let ids: Vec<&str> = bound.iter().map(|edge| edge.id.as_str()).collect();
    let places = place_pills(drawing, &ids, PILL);
    let edges = bound.into_iter().map(|edge| {
        let ends = &measured.edges[&edge.id];
        let known = |name: &str| evidence.services.iter().any(|service| service.id.0 == name);
        let ends = [&ends.from, &ends.to].map(|name| (name.as_str(), known(name)));
        EdgeMark {
            key: format!("d{}.e.{}", block.index, edge.id),
            href: site.live.then(|| crossed(site, root, ends)),
            line: beside(&edge.points, &labels),
            pill: places.get(&edge.id).map(|centre| tag(*centre, PILL)),
        }
    });
    let nodes = drawing.nodes.iter().filter_map(|node| {
        let seen = measured.nodes.get(&node.id)?;
        let service = match &seen.bound {
            Bound::Service(id) => Some(format!("{root}live/services/{}", encode(&id.0))),
            _ => None,
        };
        let key = format!("d{}.n.{}", block.index, node.id);
        let mut plain = mark(node, key, service.filter(|_| site.live));
        // Low boxes with round sides are a flowchart's alone.
        if drawing.kind != "flowchart" && node.shape == Shape::Box {
            plain.ring = rounded(node.rect, CORNER);
        }
        let Some(corners) = drawing.outlines.get(&node.id) else { return Some(plain) };
        Some(NodeMark { ring: format!("{}Z", outline(corners)), accent: None, ..plain })
    });
    Overlay {
        view_box: format!("{} {} {} {}", box_.x, box_.y, box_.width, box_.height),
        nodes: nodes.collect(),
        edges: edges.collect(),
    }
}

/// Address of the traces that crossed an edge, whose ends are given as name and whether that is a
/// service: its caller's that call the callee; where no service calls, the callee's.
pub(crate) fn crossed(site: &Site, root: &str, [from, to]: [(&str, bool); 2]) -> String {
    let traced = |name: &str| {
        let service = site.book.config.services.get(&ServiceId(name.to_owned()));
        encode(service.and_then(|s| s.service_name.as_deref()).unwrap_or(name))
    };
    match (from, to) {
        ((from, true), (to, _)) => {
            format!("{root}live/traces?service={}&calls={}", traced(from), traced(to))
        }
        (_, (to, true)) => format!("{root}live/traces?service={}", traced(to)),
        (_, (to, false)) => format!("{root}live/traces?calls={}", traced(to)),
    }
}

pub(crate) fn mark(node: &Node, key: String, href: Option<String>) -> NodeMark {
    let corner = badge_anchor(node);
    // A low box has its label right under its border.
    let lift = if node.rect.height < NODE_HEIGHT_MIN { PILL.1 / 3.0 } else { 0.0 };
    let corner = Point { y: corner.y - lift, ..corner };
    let roomy = node.rect.width >= NODE_WIDTH_MIN;
    let centre = Point { x: corner.x - PILL.0 / 2.0 + 8.0, y: corner.y };
    let wide = Tag {
        text: Point { x: centre.x + 7.0, y: centre.y },
        ..tag(centre, (PILL.0 + 7.0, PILL.1))
    };
    let at = if roomy { Point { x: wide.x + 11.0, y: corner.y } } else { corner };
    NodeMark {
        key,
        href,
        ring: ring(node),
        inset: inset(node.rect),
        accent: accent(node),
        at,
        tag: roomy.then_some(wide),
    }
}

/// Makes a shape smaller by [`RING_GAP`] on all sides, around its middle.
fn inset(rect: Rect) -> String {
    let share = |size: f64| ((size - 2.0 * RING_GAP) / size.max(1.0)).max(0.0);
    let (x, y) = (rect.x + rect.width / 2.0, rect.y + rect.height / 2.0);
    let (across, down) = (share(rect.width), share(rect.height));
    format!("translate({x:.1} {y:.1}) scale({across:.4} {down:.4}) translate({:.1} {:.1})", -x, -y)
}

pub(crate) fn tag(centre: Point, size: (f64, f64)) -> Tag {
    Tag {
        x: centre.x - size.0 / 2.0,
        y: centre.y - size.1 / 2.0,
        width: size.0,
        height: size.1,
        text: centre,
    }
}

/// The node's outline.
fn ring(node: &Node) -> String {
    let (x, y, w, h) = (node.rect.x, node.rect.y, node.rect.width, node.rect.height);
    let (rx, ry) = (w / 2.0, h / 2.0);
    match node.shape {
        Shape::Decision => {
            format!("M{:.1},{y:.1}l{rx:.1},{ry:.1}l-{rx:.1},{ry:.1}l-{rx:.1},-{ry:.1}Z", x + rx)
        }
        Shape::Actor if (w - h).abs() < 4.0 => {
            format!(
                "M{x:.1},{:.1}a{rx:.1},{rx:.1} 0 0 1 {w:.1},0a{rx:.1},{rx:.1} 0 0 1 -{w:.1},0Z",
                y + rx
            )
        }
        Shape::Database => {
            // Mermaid's own proportion of a cylinder's ends.
            let ry = (rx / (2.5 + w / 50.0)).min(h / 2.0);
            format!(
                "M{x:.1},{:.1}a{rx:.1},{ry:.1} 0 0 1 {w:.1},0v{:.1}a{rx:.1},{ry:.1} 0 0 1 -{w:.1},0Z",
                y + ry,
                h - 2.0 * ry
            )
        }
        _ => {
            let round = if is_round(node) { ry } else { CORNER };
            rounded(node.rect, round.min(rx).min(ry))
        }
    }
}

fn rounded(rect: Rect, r: f64) -> String {
    let (w, h) = (rect.width - 2.0 * r, rect.height - 2.0 * r);
    format!(
        "M{:.1},{:.1}h{w:.1}a{r},{r} 0 0 1 {r},{r}v{h:.1}a{r},{r} 0 0 1 -{r},{r}h-{w:.1}a{r},{r} 0 0 1 -{r},-{r}v-{h:.1}a{r},{r} 0 0 1 {r},-{r}Z",
        rect.x + r,
        rect.y
    )
}

/// Whether both sides of the node are half circles: Mermaid gives such nodes less height than boxes.
fn is_round(node: &Node) -> bool {
    node.shape == Shape::Actor || (node.shape == Shape::Box && node.rect.height < NODE_HEIGHT_MIN)
}

/// A bar inside the left side of a box; other shapes have no straight left side.
fn accent(node: &Node) -> Option<String> {
    let rect = node.rect;
    let fits = node.shape == Shape::Box && !is_round(node);
    fits.then(|| {
        format!(
            "M{:.1},{:.1}v{:.1}",
            rect.x + 6.0,
            rect.y + CORNER + 2.0,
            rect.height - 2.0 * CORNER - 4.0
        )
    })
}

/// A line that leaves out the places of labels: what is drawn over it must not cross their words.
fn beside(points: &[Point], labels: &[Rect]) -> String {
    let hidden = |at: Point| {
        labels.iter().any(|label| {
            (label.x..=label.x + label.width).contains(&at.x)
                && (label.y..=label.y + label.height).contains(&at.y)
        })
    };
    let mut d = String::new();
    let mut down = false;
    for (nth, pair) in points.windows(2).enumerate() {
        let (dx, dy) = (pair[1].x - pair[0].x, pair[1].y - pair[0].y);
        let steps = (dx.hypot(dy) / LINE_STEP).ceil().clamp(1.0, LINE_STEPS_MAX);
        let first = if nth == 0 { 0 } else { 1 };
        for step in first..=steps as usize {
            let share = step as f64 / steps;
            let at = Point { x: pair[0].x + dx * share, y: pair[0].y + dy * share };
            let seen = !hidden(at);
            if seen {
                let _ = write!(d, "{}{:.1},{:.1}", if down { 'L' } else { 'M' }, at.x, at.y);
            }
            down = seen;
        }
    }
    d
}

pub(crate) fn outline(points: &[Point]) -> String {
    let mut d = String::new();
    for (nth, point) in points.iter().enumerate() {
        let _ = write!(d, "{}{:.1},{:.1}", if nth == 0 { 'M' } else { 'L' }, point.x, point.y);
    }
    d
}

/// A name inside a URL: everything but unreserved characters as `%XX`.
pub(crate) fn encode(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_urls() {
        for (name, expected) in
            [("orders", "orders"), ("a b/c", "a%20b%2Fc"), ("ü\"<", "%C3%BC%22%3C"), ("..", "..")]
        {
            assert_eq!(encode(name), expected);
        }
    }
}
