//! What makes the drawing ours: one shape per box, round corners, readable labels on an author's
//! fill. `draw` hands in the cleaned tree; the theme's CSS does the rest with tokens.

use crate::colour;
use crate::geometry::{self, Transform};
use crate::labels::short;
use crate::path;
use crate::tree::{Child, Element};
use crate::{Point, Rect};

/// Radius of a box's corners.
const CORNER: &str = "8";

/// Room around the words of an edge's label, to the sides and above.
const LABEL_MARGIN: (f64, f64) = (4.0, 1.0);

/// Changes the whole drawing.
pub(crate) fn polish(root: &mut Element) {
    root.walk_mut(&mut |element| {
        for child in element.elements_mut() {
            if child.name == "g" && child.has_class("outer-path") {
                join_outline(child);
            }
        }
    });
    root.walk_mut(&mut |element| {
        if element.name == "rect" && element.has_class("label-container") {
            let sharp = element.number("rx").is_none_or(|radius| radius <= 5.0);
            if sharp {
                element.set("rx", CORNER);
                element.set("ry", CORNER);
            }
        }
        if element.name != "g" {
            return;
        }
        if element.has_class("statediagram-cluster") {
            element.add_class("cluster");
        }
        if element.has_class("node") || element.has_class("cluster") {
            ink(element);
        }
        if element.has_class("node") {
            centre_node_label(element);
        } else if element.has_class("edgeLabel") {
            centre_edge_label(element);
        } else if element.has_class("root") {
            titles_to_front(element);
        }
    });
    root.walk_mut(&mut |element| element.remove("color"));
    prune_empty(root);
}

/// A label of one block stands in the middle of its box, whatever font it gets.
fn centre_node_label(node: &mut Element) {
    let is_shape = |child: &&Element| child.name != "g" && child.name != "text";
    let middle = node
        .elements()
        .find(|child| child.has_class("label-container"))
        .or_else(|| node.elements().find(is_shape))
        .and_then(|shape| geometry::shape_box(shape, Transform::NONE))
        .map_or(0.0, |frame| frame.x + frame.width / 2.0);
    let is_label = |child: &Element| child.name == "g" && child.has_class("label");
    let only_one = node.elements().filter(|child| is_label(child)).count() == 1;
    for child in node.elements_mut() {
        let heading =
            ["label-group", "annotation-group", "name"].iter().any(|class| child.has_class(class));
        if heading || only_one && is_label(child) {
            let top = shift_of(child).1;
            from_middle(child);
            let place = format!("translate({},{})", short(middle), short(top));
            child.set("transform", place);
        }
    }
}

/// The label of an edge, with a background of its own size, around the edge's label point.
fn centre_edge_label(group: &mut Element) {
    let Some(label) = group.elements_mut().find(|child| child.has_class("label")) else {
        return;
    };
    label.walk_mut(&mut |part| {
        part.children
            .retain(|child| !matches!(child, Child::Element(part) if part.has_class("background")));
        part.remove("transform");
    });
    from_middle(label);
    let Some(words) = geometry::text_box(label, Transform::NONE) else {
        return;
    };
    let shift = -(words.y + words.height / 2.0);
    label.set("transform", format!("translate(0,{})", short(shift)));
    let background = Element::new("rect")
        .with("class", "background")
        .with("x", short(words.x - LABEL_MARGIN.0))
        .with("y", short(words.y - LABEL_MARGIN.1))
        .with("width", short(words.width + 2.0 * LABEL_MARGIN.0))
        .with("height", short(words.height + 2.0 * LABEL_MARGIN.1))
        .with("rx", "4")
        .with("ry", "4");
    label.children.insert(0, Child::Element(background));
}

/// Rows of text that begin at the left become rows around `x` = 0.
fn from_middle(label: &mut Element) {
    label.walk_mut(&mut |part| match part.name {
        "g" => {
            let top = shift_of(part).1;
            part.set("transform", format!("translate(0,{})", short(top)));
        }
        "text" => {
            part.set("text-anchor", "middle");
            part.remove("x");
            for row in part.elements_mut().filter(|row| row.name == "tspan") {
                row.set("x", "0");
                row.remove("text-anchor");
            }
        }
        _ => {}
    });
}

fn shift_of(element: &Element) -> (f64, f64) {
    let origin = Transform::NONE.then(element).apply(Point::default());
    (origin.x, origin.y)
}

/// Titles of subgraphs are painted after the edges, so that no line crosses their letters.
fn titles_to_front(root: &mut Element) {
    let mut titles = Element::new("g").with("class", "cluster-titles");
    for clusters in root.elements_mut().filter(|child| child.has_class("clusters")) {
        for cluster in clusters.elements_mut().filter(|child| child.get("transform").is_none()) {
            let (labels, rest): (Vec<Child>, Vec<Child>) = std::mem::take(&mut cluster.children)
                .into_iter()
                .partition(|child| {
                    matches!(child, Child::Element(part) if part.has_class("cluster-label"))
                });
            cluster.children = rest;
            titles.children.extend(labels);
        }
    }
    let place = root
        .elements()
        .position(|child| child.has_class("edgeLabels"))
        .unwrap_or(root.children.len());
    if !titles.children.is_empty() {
        root.children.insert(place.min(root.children.len()), Child::Element(titles));
    }
}

/// Removes what paints nothing: texts without words, rectangles without a size, empty groups.
fn prune_empty(element: &mut Element) {
    for child in element.elements_mut() {
        prune_empty(child);
    }
    element.children.retain(|child| {
        let Child::Element(child) = child else {
            return true;
        };
        match child.name {
            "g" | "text" | "tspan" => !child.children.is_empty(),
            "rect" => {
                let sized = |name| {
                    child.get(name).is_some_and(|text| text.ends_with('%'))
                        || child.number(name).is_some_and(|size| size > 0.2)
                };
                sized("width") && sized("height")
            }
            _ => true,
        }
    });
}

/// Merman paints some boxes twice, once filled and once as a line: one shape is enough, and a box
/// with four corners is a `rect` that can have round ones.
fn join_outline(group: &mut Element) {
    let paths: Vec<&Element> = group.elements().collect();
    let [filled, line] = paths.as_slice() else {
        return;
    };
    if filled.name != "path"
        || line.name != "path"
        || line.get("fill") != Some("none") && !line.has_class("own-fill")
    {
        return;
    }
    let points = path::flatten(filled.get("d").unwrap_or(""));
    let Some(frame) = geometry::around(&points) else {
        return;
    };
    let at_corner = |value: f64, low: f64, size: f64| {
        (value - low).abs() < 0.5 || (value - low - size).abs() < 0.5
    };
    let is_box = points.iter().all(|point| {
        at_corner(point.x, frame.x, frame.width) && at_corner(point.y, frame.y, frame.height)
    });
    let half = short(frame.height / 2.0);
    let mut shape = if is_box {
        rectangle(&frame, CORNER)
    } else if is_pill(&points, &frame) {
        rectangle(&frame, &half)
    } else {
        Element::new("path").with("d", filled.get("d").unwrap_or(""))
    };
    let mut classes: Vec<&str> = Vec::new();
    for element in [&*group, *filled, *line] {
        classes.extend(element.get("class").unwrap_or("").split_ascii_whitespace());
    }
    classes.push("label-container");
    let mut seen = Vec::new();
    classes.retain(|class| {
        let new = !seen.contains(class);
        seen.push(class);
        new
    });
    shape.set("class", classes.join(" "));
    for (element, names) in [
        (*filled, &["fill", "fill-opacity"][..]),
        (*line, &["stroke", "stroke-width", "stroke-dasharray", "stroke-opacity"][..]),
    ] {
        for (name, value) in &element.attributes {
            if names.contains(name) && value != "0 0" {
                shape.set(name, value.clone());
            }
        }
    }
    for name in ["id", "transform"] {
        if let Some((key, value)) = group.attributes.iter().find(|(key, _)| *key == name) {
            shape.set(key, value.clone());
        }
    }
    *group = shape;
}

fn rectangle(frame: &Rect, radius: &str) -> Element {
    Element::new("rect")
        .with("x", short(frame.x))
        .with("y", short(frame.y))
        .with("width", short(frame.width))
        .with("height", short(frame.height))
        .with("rx", radius)
        .with("ry", radius)
}

/// A box whose ends are half circles, or a circle.
fn is_pill(points: &[Point], frame: &Rect) -> bool {
    let radius = frame.height / 2.0;
    let middle = frame.y + radius;
    frame.width + 0.5 >= frame.height
        && points.iter().all(|point| {
            let nearest = point
                .x
                .clamp(frame.x + radius, (frame.x + frame.width - radius).max(frame.x + radius));
            let distance = (point.x - nearest).hypot(point.y - middle);
            (distance - radius).abs() < 0.7
        })
}

/// Gives the label of a box a colour that can be read on the author's fill.
fn ink(group: &mut Element) {
    let fill = group
        .find(&|element| element.has_class("own-fill") && element.get("fill") != Some("none"))
        .and_then(|element| element.get("fill"))
        .map(str::to_owned);
    let asked = group
        .find(&|element| element.has_class("own-ink"))
        .and_then(|element| element.get("fill"))
        .or_else(|| {
            group
                .find(&|element| element.get("color").is_some())
                .and_then(|element| element.get("color"))
        })
        .map(str::to_owned);
    let ink = match &fill {
        Some(fill) => colour::ink_on(fill, asked.as_deref()).or(asked),
        None => asked,
    };
    let Some(ink) = ink else {
        return;
    };
    group.walk_mut(&mut |element| match element.name {
        "text" => {
            element.set("fill", ink.clone());
            element.add_class("own-ink");
        }
        "tspan" => element.remove("fill"),
        _ => {}
    });
}
