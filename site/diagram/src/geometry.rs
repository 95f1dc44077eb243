//! Where the elements of a drawing are, in units of its `viewBox`. `read` and `polish` ask.

use crate::engine::FONT_SIZE;
use crate::metrics::{self, LINE_HEIGHT};
use crate::path;
use crate::tree::Element;
use crate::{Point, Rect};

/// A transform without rotation or skew is all that merman's graphs use; others keep their move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Transform {
    scale: (f64, f64),
    shift: (f64, f64),
}

impl Transform {
    pub(crate) const NONE: Self = Self { scale: (1.0, 1.0), shift: (0.0, 0.0) };

    /// This transform and the one of an element below it.
    pub(crate) fn then(self, element: &Element) -> Self {
        let Some(list) = element.get("transform") else {
            return self;
        };
        let mut all = self;
        for part in list.split(')') {
            let Some((name, arguments)) = part.split_once('(') else {
                continue;
            };
            let numbers: Vec<f64> = arguments
                .split([',', ' '])
                .filter_map(|number| number.trim().parse().ok())
                .collect();
            let first = numbers.first().copied().unwrap_or(0.0);
            let second = numbers.get(1).copied();
            match name.trim().trim_start_matches(',').trim() {
                "translate" => {
                    all.shift.0 += first * all.scale.0;
                    all.shift.1 += second.unwrap_or(0.0) * all.scale.1;
                }
                "scale" => {
                    all.scale.0 *= first;
                    all.scale.1 *= second.unwrap_or(first);
                }
                _ => {}
            }
        }
        all
    }

    pub(crate) fn apply(self, point: Point) -> Point {
        Point { x: point.x * self.scale.0 + self.shift.0, y: point.y * self.scale.1 + self.shift.1 }
    }

    pub(crate) fn apply_all(self, points: &[Point]) -> Vec<Point> {
        points.iter().map(|point| self.apply(*point)).collect()
    }
}

/// The box around points.
pub(crate) fn around(points: &[Point]) -> Option<Rect> {
    let first = points.first()?;
    let mut low = *first;
    let mut high = *first;
    for point in points {
        low.x = low.x.min(point.x);
        low.y = low.y.min(point.y);
        high.x = high.x.max(point.x);
        high.y = high.y.max(point.y);
    }
    Some(Rect { x: low.x, y: low.y, width: high.x - low.x, height: high.y - low.y })
}

/// The points that span what an element itself paints, before its own transform.
pub(crate) fn outline(element: &Element) -> Vec<Point> {
    let number = |name: &str| element.number(name).unwrap_or(0.0);
    let corners = |x: f64, y: f64, width: f64, height: f64| {
        vec![Point { x, y }, Point { x: x + width, y: y + height }]
    };
    match element.name {
        "rect" => {
            let (width, height) = (number("width"), number("height"));
            if width <= 0.0 || height <= 0.0 {
                return Vec::new();
            }
            corners(number("x"), number("y"), width, height)
        }
        "circle" => {
            let r = number("r");
            corners(number("cx") - r, number("cy") - r, 2.0 * r, 2.0 * r)
        }
        "ellipse" => {
            let (rx, ry) = (number("rx"), number("ry"));
            corners(number("cx") - rx, number("cy") - ry, 2.0 * rx, 2.0 * ry)
        }
        "line" => vec![
            Point { x: number("x1"), y: number("y1") },
            Point { x: number("x2"), y: number("y2") },
        ],
        "path" => path::flatten(element.get("d").unwrap_or("")),
        "polygon" | "polyline" => path::points(element.get("points").unwrap_or("")),
        _ => Vec::new(),
    }
}

/// The box of all shapes at and below an element (texts left out), inside `outer`.
pub(crate) fn shape_box(element: &Element, outer: Transform) -> Option<Rect> {
    let mut points = Vec::new();
    gather(element, outer, &mut points, &mut |element, here, points| {
        if !element.has_class("background") {
            points.extend(here.apply_all(&outline(element)));
        }
    });
    around(&points)
}

/// The box of all text at and below an element, inside `outer`.
pub(crate) fn text_box(element: &Element, outer: Transform) -> Option<Rect> {
    let mut points = Vec::new();
    gather(element, outer, &mut points, &mut |element, here, points| {
        if element.name == "text" {
            for row in rows(element) {
                points.push(here.apply(Point { x: row.x, y: row.y }));
                points.push(here.apply(Point { x: row.x + row.width, y: row.y + row.height }));
            }
        }
    });
    around(&points)
}

fn gather(
    element: &Element,
    outer: Transform,
    points: &mut Vec<Point>,
    add: &mut impl FnMut(&Element, Transform, &mut Vec<Point>),
) {
    if matches!(element.name, "defs" | "marker" | "clipPath") {
        return;
    }
    let here = outer.then(element);
    add(element, here, points);
    for child in element.elements() {
        gather(child, here, points, add);
    }
}

/// The box of each row of a text, before the text's own transform.
fn rows(text: &Element) -> Vec<Rect> {
    let size = text.number("font-size").unwrap_or(FONT_SIZE);
    let anchor = text.get("text-anchor").unwrap_or("start");
    let baseline = text.get("dominant-baseline").unwrap_or("");
    let offset = |element: &Element, name: &str| length(element.get(name), size);
    let (mut x, mut y) = (
        offset(text, "x").unwrap_or(0.0),
        offset(text, "y").unwrap_or(0.0) + offset(text, "dy").unwrap_or(0.0),
    );
    let spans: Vec<&Element> = text.elements().filter(|child| child.name == "tspan").collect();
    let mut found = Vec::new();
    let mut add = |words: &str, anchor: &str, x: f64, y: f64| {
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.is_empty() {
            return;
        }
        let bold = text.get("font-weight").is_some_and(|weight| weight.starts_with("bold"));
        let width = metrics::width(&words, size, bold);
        let left = match anchor {
            "middle" => x - width / 2.0,
            "end" => x - width,
            _ => x,
        };
        let height = size * LINE_HEIGHT;
        let top = match baseline {
            "central" | "middle" => y - height / 2.0,
            "text-before-edge" | "hanging" => y,
            _ => y - size,
        };
        found.push(Rect { x: left, y: top, width, height });
    };
    if spans.is_empty() {
        add(&text.text(), anchor, x, y);
        return found;
    }
    for span in spans {
        x = offset(span, "x").unwrap_or(x);
        y = offset(span, "y").unwrap_or(y) + offset(span, "dy").unwrap_or(0.0);
        add(&span.text(), span.get("text-anchor").unwrap_or(anchor), x, y);
    }
    found
}

fn length(text: Option<&str>, font_size: f64) -> Option<f64> {
    let text = text?.trim();
    let value: f64 = match text.strip_suffix("em") {
        Some(ems) => ems.trim().parse::<f64>().ok()? * font_size,
        None => text.trim_end_matches("px").parse().ok()?,
    };
    value.is_finite().then_some(value)
}

/// Whether two boxes come closer than `gap`.
pub(crate) fn overlap(one: &Rect, other: &Rect, gap: f64) -> bool {
    one.x < other.x + other.width + gap
        && other.x < one.x + one.width + gap
        && one.y < other.y + other.height + gap
        && other.y < one.y + one.height + gap
}

/// A box at another place.
pub(crate) fn shift_rect(frame: &Rect, shift: (f64, f64)) -> Rect {
    Rect { x: frame.x + shift.0, y: frame.y + shift.1, ..*frame }
}
