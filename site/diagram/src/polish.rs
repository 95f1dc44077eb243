//! What makes the drawing ours: one shape per box, round corners, readable labels on an author's
//! fill. `draw` hands in the cleaned tree; the theme's CSS does the rest with tokens.

use crate::colour;
use crate::geometry;
use crate::labels::short;
use crate::path;
use crate::tree::{Child, Element};

/// Radius of a box's corners.
const CORNER: &str = "8";

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
            if sharp && !element.has_class("own-corner") {
                element.set("rx", CORNER);
                element.set("ry", CORNER);
            }
        }
        let boxed = element.has_class("node") || element.has_class("cluster");
        if element.name == "g" && boxed {
            ink(element);
        }
    });
    root.walk_mut(&mut |element| element.remove("color"));
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
    let mut shape = if is_box {
        Element::new("rect")
            .with("x", short(frame.x))
            .with("y", short(frame.y))
            .with("width", short(frame.width))
            .with("height", short(frame.height))
            .with("rx", CORNER)
            .with("ry", CORNER)
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

/// Moves the children for which `wanted` holds to the end, where they are painted last.
pub(crate) fn to_front(parent: &mut Element, wanted: impl Fn(&Element) -> bool) {
    let (front, back): (Vec<Child>, Vec<Child>) = std::mem::take(&mut parent.children)
        .into_iter()
        .partition(|child| matches!(child, Child::Element(element) if wanted(element)));
    parent.children = back;
    parent.children.extend(front);
}
