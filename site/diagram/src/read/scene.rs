//! The drawing as places: which box an id has, which line an edge's id has, where its label is.

use crate::geometry::{self, Transform};
use crate::model::{Node, Point, Rect, Shape};
use crate::tree::Element;
use std::collections::BTreeMap;

/// A line of an edge in the drawing.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) dom_id: Option<String>,
    /// `data-id`, which merman derives from the edge's ends.
    pub(crate) name: String,
    pub(crate) points: Vec<Point>,
    pub(crate) label: Option<Rect>,
}

/// Where everything is. Made once after the drawing is final.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    /// Merman's ids to ours.
    ids: &'a BTreeMap<String, String>,
    /// The box of each element with an id: its shapes.
    boxes: BTreeMap<String, Rect>,
    /// The corners of each shape that is a polygon or one closed path.
    corners: BTreeMap<String, Vec<Point>>,
    /// Participants of sequences: the author's name to the element's id.
    participants: BTreeMap<String, String>,
    lines: Vec<Line>,
    /// Lines with an arrow that have no name, in the order of painting.
    unnamed: Vec<Line>,
    labels: BTreeMap<String, Rect>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(root: &Element, ids: &'a BTreeMap<String, String>) -> Self {
        let mut scene = Self {
            ids,
            boxes: BTreeMap::new(),
            corners: BTreeMap::new(),
            participants: BTreeMap::new(),
            lines: Vec::new(),
            unnamed: Vec::new(),
            labels: BTreeMap::new(),
        };
        let mut messages = Vec::new();
        scene.visit(root, Transform::NONE, &mut messages);
        scene
    }

    /// The element whose merman id is `name`, or `name` and a running number: its id and box.
    pub(crate) fn find(&self, name: &str) -> Option<(String, Rect)> {
        let exact = format!("{}-{name}", crate::engine::RAW_ID);
        let numbered = format!("{exact}-");
        let id = self.ids.get(&exact).or_else(|| {
            self.ids
                .range(numbered.clone()..)
                .take_while(|(raw, _)| raw.starts_with(&numbered))
                .find(|(raw, _)| raw[numbered.len()..].bytes().all(|byte| byte.is_ascii_digit()))
                .map(|(_, id)| id)
        })?;
        Some((id.clone(), *self.boxes.get(id)?))
    }

    /// Corners by node id, for nodes with a shape that only its corners tell.
    pub(crate) fn outlines(&self, nodes: &[Node]) -> BTreeMap<String, Vec<Point>> {
        let plain = |node: &&Node| !matches!(node.shape, Shape::Database | Shape::Actor);
        let corners =
            |node: &Node| Some((node.id.clone(), self.corners.get(&node.dom_id)?.clone()));
        nodes.iter().filter(plain).filter_map(corners).collect()
    }

    /// The first box of a participant.
    pub(crate) fn participant(&self, name: &str) -> Option<(String, Rect)> {
        let id = self.participants.get(name)?;
        Some((id.clone(), *self.boxes.get(id)?))
    }

    /// The line with this name, or whose element has this merman id.
    pub(crate) fn line(&self, name: &str) -> Option<Line> {
        // Block diagrams put the drawing's id before the edge's.
        let long = format!("{}-{name}", crate::engine::RAW_ID);
        let named = self.lines.iter().find(|line| line.name == name || line.name == long);
        let by_id = || {
            let id = self.ids.get(&long)?;
            self.unnamed.iter().find(|line| line.name == *id)
        };
        let mut line = named.or_else(by_id)?.clone();
        line.label = line.label.or_else(|| self.labels.get(name).copied());
        Some(line)
    }

    /// Lines with an arrow that have no name, in the order of painting.
    pub(crate) fn unnamed(&self) -> &[Line] {
        &self.unnamed
    }

    fn visit(&mut self, element: &Element, outer: Transform, messages: &mut Vec<Rect>) {
        if matches!(element.name, "defs" | "marker") {
            return;
        }
        let here = outer.then(element);
        if let Some(id) = element.get("id")
            && let Some(frame) = own_box(element, outer)
        {
            self.boxes.insert(id.to_owned(), frame);
            if let Some(corners) = own_shape(element).and_then(|shape| corners(shape, here)) {
                self.corners.insert(id.to_owned(), corners);
            }
            if element.get("data-et") == Some("participant")
                && let Some(name) = element.get("data-id")
            {
                self.participants.entry(name.to_owned()).or_insert(id.to_owned());
            }
        }
        if element.name == "text" && element.has_class("messageText") {
            messages.extend(geometry::text_box(element, outer));
        }
        if let Some(name) = element.get("data-id") {
            if element.name == "g" && element.has_class("label") {
                if let Some(frame) = label_box(element, outer) {
                    self.labels.insert(name.to_owned(), frame);
                }
            } else if matches!(element.name, "path" | "line")
                && element.get("data-et") != Some("life-line")
            {
                self.lines.push(Line {
                    dom_id: element.get("id").map(str::to_owned),
                    name: name.to_owned(),
                    points: here.apply_all(&geometry::outline(element)),
                    label: union(messages),
                });
                messages.clear();
            }
        } else if matches!(element.name, "path" | "line")
            && (element.get("marker-end").is_some() || element.has_class("edge"))
        {
            let id = element.get("id").map(str::to_owned);
            self.unnamed.push(Line {
                name: id.clone().unwrap_or_default(),
                dom_id: id,
                points: here.apply_all(&geometry::outline(element)),
                label: None,
            });
        }
        for child in element.elements() {
            self.visit(child, here, messages);
        }
    }
}

/// The box of a node is that of its shapes without what belongs to its label.
fn own_box(element: &Element, outer: Transform) -> Option<Rect> {
    let here = outer.then(element);
    own_shape(element)
        .and_then(|shape| geometry::shape_box(shape, here))
        .or_else(|| geometry::shape_box(element, outer))
}

fn own_shape(element: &Element) -> Option<&Element> {
    element.elements().find(|child| {
        child.has_class("label-container")
            || child.has_class("outer-path")
            || child.has_class("actor-top")
    })
}

/// The corners of a polygon, or of a path that is one closed line.
fn corners(shape: &Element, outer: Transform) -> Option<Vec<Point>> {
    let one_line = || {
        let d = shape.get("d").unwrap_or("").trim();
        d.ends_with(['Z', 'z']) && d.matches(['M', 'm']).count() == 1
    };
    let tells = shape.name == "polygon" || shape.name == "path" && one_line();
    let points = tells.then(|| outer.then(shape).apply_all(&geometry::outline(shape)))?;
    (points.len() > 2).then_some(points)
}

/// The words of a label with the background that `polish` gave them.
fn label_box(element: &Element, outer: Transform) -> Option<Rect> {
    let text = geometry::text_box(element, outer)?;
    let here = outer.then(element);
    let background = element
        .elements()
        .find(|part| part.has_class("background"))
        .and_then(|part| geometry::around(&here.apply_all(&geometry::outline(part))));
    union(&[text, background.unwrap_or(text)])
}

fn union(boxes: &[Rect]) -> Option<Rect> {
    let corners: Vec<Point> = boxes
        .iter()
        .flat_map(|frame| {
            [
                Point { x: frame.x, y: frame.y },
                Point { x: frame.x + frame.width, y: frame.y + frame.height },
            ]
        })
        .collect();
    geometry::around(&corners)
}
