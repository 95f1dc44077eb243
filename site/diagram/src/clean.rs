//! The allow-list: merman's SVG is read as XML, and only what is named here is written out again.
//! `draw` hands in the raw SVG; `polish` goes on with the tree.
//!
//! Nothing that runs or loads can pass: no script, handler, `style`, image, `use`, filter or
//! foreign object, no address but links, no reference but to an id of the drawing itself.

use crate::tree::{Child, Element};
use crate::{DiagramError, css, engine, labels, place};
use roxmltree::{Document, Node};
use std::collections::{BTreeMap, BTreeSet};

/// Deepest nesting of elements in a drawing.
const MAX_DEPTH: usize = 600;

/// Most XML nodes in a drawing.
const MAX_XML_NODES: u32 = 1_500_000;

const ELEMENTS: [&str; 18] = [
    "a",
    "circle",
    "clipPath",
    "defs",
    "ellipse",
    "g",
    "line",
    "linearGradient",
    "marker",
    "path",
    "polygon",
    "polyline",
    "radialGradient",
    "rect",
    "stop",
    "text",
    "tspan",
    "title",
];

/// Attributes whose value is a length.
const LENGTHS: [&str; 21] = [
    "cx",
    "cy",
    "dx",
    "dy",
    "fx",
    "fy",
    "height",
    "markerHeight",
    "markerWidth",
    "offset",
    "r",
    "refX",
    "refY",
    "textLength",
    "width",
    "x",
    "x1",
    "x2",
    "y",
    "y1",
    "y2",
];

/// Attributes whose value is made of letters, numbers and a few signs.
const SHAPES: [&str; 10] = [
    "clipPathUnits",
    "d",
    "gradientTransform",
    "gradientUnits",
    "markerUnits",
    "orient",
    "points",
    "preserveAspectRatio",
    "transform",
    "viewBox",
];

/// Attributes that tell `read` what an element stands for; inert text.
const MARKS: [&str; 5] = ["data-et", "data-from", "data-id", "data-to", "data-type"];

/// Attributes that point to another element of the drawing.
const REFERENCES: [&str; 6] =
    ["clip-path", "fill", "marker-end", "marker-mid", "marker-start", "stroke"];

/// The cleaned drawing, whose ids begin with `prefix`, and merman's ids with ours.
pub(crate) fn clean(
    svg: &str,
    prefix: &str,
) -> Result<(Element, BTreeMap<String, String>), DiagramError> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: false,
        nodes_limit: MAX_XML_NODES,
        ..Default::default()
    };
    let document = Document::parse_with_options(svg, options)
        .map_err(|_| place::at_start("this diagram cannot be drawn safely"))?;
    let mut cleaner = Cleaner { prefix, ids: BTreeMap::new(), used: BTreeSet::new() };
    cleaner.name_ids(&document);
    let raw = document.root_element();
    let mut root = Element::new("svg");
    if let Some(classes) = raw.attribute("class").map(class_names) {
        root.set("class", classes);
    }
    let view_box = raw.attribute("viewBox").filter(|value| is_plain(value));
    root.set("viewBox", view_box.unwrap_or("0 0 0 0"));
    cleaner.children(raw, &mut root, Place { depth: 0, authored: false })?;
    prune_unused(&mut root);
    Ok((root, cleaner.ids))
}

#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    /// Inside a node, a cluster or an edge, where inline colours are the author's.
    authored: bool,
}

struct Cleaner<'a> {
    prefix: &'a str,
    /// Merman's id to ours.
    ids: BTreeMap<String, String>,
    /// Those that an element of the drawing has already.
    used: BTreeSet<String>,
}

impl Cleaner<'_> {
    /// Gives every id of the raw drawing a name of ours that is unique in it.
    fn name_ids(&mut self, document: &Document) {
        let mut taken = BTreeSet::new();
        for node in document.descendants() {
            let Some(raw) = node.attribute("id").filter(|_| node.is_element()) else {
                continue;
            };
            if node == document.root_element() || self.ids.contains_key(raw) {
                continue;
            }
            let mut id = our_id(raw, self.prefix);
            while !taken.insert(id.clone()) {
                id.push('_');
            }
            self.ids.insert(raw.to_owned(), id);
        }
    }

    fn children(
        &mut self,
        raw: Node,
        parent: &mut Element,
        place: Place,
    ) -> Result<(), DiagramError> {
        if place.depth > MAX_DEPTH {
            return Err(place::at_start("the diagram is nested too deeply"));
        }
        for child in raw.children() {
            if let Some(text) = child.text().filter(|_| child.is_text()) {
                if matches!(parent.name, "text" | "tspan" | "title") {
                    parent.push_text(labels::without_markup(text));
                }
            } else if child.is_element() {
                self.element(child, parent, place)?;
            }
        }
        Ok(())
    }

    fn element(
        &mut self,
        raw: Node,
        parent: &mut Element,
        place: Place,
    ) -> Result<(), DiagramError> {
        let place = Place { depth: place.depth + 1, authored: place.authored || is_authored(raw) };
        let name = raw.tag_name().name();
        match name {
            "foreignObject" => {
                if let Some(text) = labels::from_foreign_object(raw) {
                    parent.push(text);
                }
                Ok(())
            }
            "svg" | "switch" => {
                let mut group = Element::new("g");
                if name == "svg" {
                    group.set("transform", placement(raw));
                }
                self.children(raw, &mut group, place)?;
                if name == "switch" {
                    keep_text(&mut group);
                }
                parent.push(group);
                Ok(())
            }
            _ => {
                let Some(name) = ELEMENTS.iter().find(|known| **known == name) else {
                    return Ok(());
                };
                let mut element = Element::new(name);
                self.attributes(raw, &mut element, place.authored);
                self.children(raw, &mut element, place)?;
                parent.push(element);
                Ok(())
            }
        }
    }

    fn attributes(&mut self, raw: Node, element: &mut Element, authored: bool) {
        for attribute in raw.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            match name {
                // The first element with an id keeps it: ids stay unique.
                "id" => {
                    if let Some(id) = self.ids.get(value)
                        && self.used.insert(id.clone())
                    {
                        element.set("id", id.clone());
                    }
                }
                "class" => element.set("class", class_names(value)),
                "href" if element.name == "a" => set_link(element, value),
                _ => self.attribute(name, value, element),
            }
        }
        for declaration in css::declarations(raw.attribute("style").unwrap_or("")) {
            let own = declaration.important || authored;
            if own && declaration.value != "none" {
                match declaration.name {
                    "fill" if matches!(element.name, "text" | "tspan") => {
                        element.add_class("own-ink")
                    }
                    "fill" => element.add_class("own-fill"),
                    "stroke" => element.add_class("own-stroke"),
                    "stroke-width" => element.add_class("own-width"),
                    "stroke-dasharray" => element.add_class("own-dashes"),
                    _ => {}
                }
            }
            element.set(declaration.name, declaration.value);
        }
    }

    fn attribute(&self, name: &str, value: &str, element: &mut Element) {
        if let Some((name, value)) = css::checked(name, value) {
            element.set(name, value);
        } else if let Some(known) = REFERENCES.iter().find(|known| **known == name)
            && let Some(id) = reference(value).and_then(|raw| self.ids.get(raw))
        {
            element.set(known, format!("url(#{id})"));
        } else if let Some(known) = LENGTHS.iter().find(|known| **known == name)
            && is_length(value)
        {
            element.set(known, rounded(value));
        } else if let Some(known) = SHAPES.iter().find(|known| **known == name)
            && is_plain(value)
        {
            element.set(known, rounded(value));
        } else if let Some(known) = MARKS.iter().find(|known| **known == name) {
            element.set(known, value);
        }
    }
}

/// Merman's id with our prefix instead of its own, without characters that mean something in CSS.
pub(crate) fn our_id(raw: &str, prefix: &str) -> String {
    let rest = raw
        .strip_prefix(engine::RAW_ID)
        .and_then(|rest| rest.strip_prefix(['-', '_']))
        .unwrap_or(raw);
    let rest: String = rest
        .chars()
        .map(|character| match character {
            '-' | '_' => character,
            _ if character.is_alphanumeric() => character,
            _ => '_',
        })
        .collect();
    format!("{prefix}-{rest}")
}

fn is_authored(raw: Node) -> bool {
    let classes = raw.attribute("class").unwrap_or("");
    classes.split_ascii_whitespace().any(|class| {
        matches!(class, "node" | "cluster" | "flowchart-link" | "relation" | "transition")
    })
}

/// Links go to http, https and mailto addresses, fragments and relative paths.
fn set_link(element: &mut Element, value: &str) {
    let value = value.trim();
    let lower = value.to_ascii_lowercase();
    let bounded =
        value.len() <= 2048 && !value.chars().any(|c| c.is_control() || c.is_whitespace());
    let known = ["http://", "https://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme));
    let before_path = lower.split(['/', '?', '#']).next().unwrap_or("");
    let relative = !value.is_empty()
        && !before_path.contains([':', '&', '%'])
        && !value.starts_with("//")
        && !value.contains('\\');
    if bounded && (known || relative) {
        element.set("href", value);
        element.set("rel", "noopener noreferrer");
    }
}

fn reference(value: &str) -> Option<&str> {
    let inner = value.trim().strip_prefix("url(")?.strip_suffix(')')?;
    inner.trim_matches(['"', '\'']).strip_prefix('#')
}

fn class_names(value: &str) -> String {
    value
        .split_ascii_whitespace()
        .filter(|name| {
            name.chars().all(|character| character.is_alphanumeric() || "-_".contains(character))
        })
        .filter(|name| {
            !name.starts_with("own-") && !name.starts_with("theme-") && *name != "undefined"
        })
        .collect::<Vec<_>>()
        .join(" ")
}

fn is_length(value: &str) -> bool {
    let value = value.trim();
    let digits =
        ["px", "em", "%"].iter().find_map(|unit| value.strip_suffix(unit)).unwrap_or(value);
    digits.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_plain(value: &str) -> bool {
    !value.contains("NaN")
        && value.chars().all(|character| {
            character.is_ascii_alphanumeric() || " \n\t,.-+()%".contains(character)
        })
}

/// Two decimals are finer than any screen: long numbers only make pages heavier.
fn rounded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(dot) = rest.find('.') {
        let digits = rest[dot + 1..]
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(rest.len() - dot - 1);
        let after = dot + 1 + digits;
        let kept = dot + 1 + digits.min(2);
        // A number in scientific notation keeps all its digits.
        let scientific = rest[after..].starts_with(['e', 'E']);
        out.push_str(&rest[..if scientific { after } else { kept }]);
        rest = &rest[after..];
    }
    out.push_str(rest);
    out
}

/// A nested drawing (an icon) becomes a group that is moved and scaled.
fn placement(raw: Node) -> String {
    let number = |name: &str| -> Option<f64> {
        let text = raw.attribute(name)?.trim_end_matches("px");
        text.parse().ok().filter(|value: &f64| value.is_finite())
    };
    let (x, y) = (number("x").unwrap_or(0.0), number("y").unwrap_or(0.0));
    let inner: Vec<f64> = raw
        .attribute("viewBox")
        .unwrap_or("")
        .split([' ', ','])
        .filter_map(|part| part.parse().ok())
        .filter(|value: &f64| value.is_finite())
        .collect();
    match (inner.as_slice(), number("width"), number("height")) {
        ([left, top, width, height], Some(outer_width), Some(outer_height))
            if *width > 0.0 && *height > 0.0 =>
        {
            let scale = (outer_width / width).min(outer_height / height);
            format!("translate({x},{y}) scale({scale}) translate({},{})", -left, -top)
        }
        _ => format!("translate({x},{y})"),
    }
}

/// Of the alternatives of a `switch` ours is the one that is text already.
fn keep_text(group: &mut Element) {
    let last = group
        .children
        .iter()
        .rposition(|child| matches!(child, Child::Element(element) if element.name == "text"));
    if let Some(last) = last {
        let child = group.children.swap_remove(last);
        group.children = vec![child];
    }
}

/// Removes markers, gradients and clip paths that nothing points to.
fn prune_unused(root: &mut Element) {
    let mut used = BTreeSet::new();
    root.walk(&mut |element| {
        for name in REFERENCES {
            if let Some(id) = element.get(name).and_then(reference) {
                used.insert(id.to_owned());
            }
        }
    });
    root.walk_mut(&mut |element| {
        element.children.retain(|child| match child {
            Child::Text(_) => true,
            Child::Element(child) => {
                let definition = matches!(
                    child.name,
                    "marker" | "clipPath" | "linearGradient" | "radialGradient"
                );
                !definition || child.get("id").is_some_and(|id| used.contains(id))
            }
        });
    });
    root.walk_mut(&mut |element| {
        element.children.retain(|child| match child {
            Child::Text(_) => true,
            Child::Element(child) => child.name != "defs" || !child.children.is_empty(),
        });
    });
}
