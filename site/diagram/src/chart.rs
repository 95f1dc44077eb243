//! Mends three things in charts, whose layout knows no widths: words that reach over the drawing's
//! edge, and dates or categories of an axis that lie on each other. `draw` calls it for drawings without boxes.

use crate::engine::FONT_SIZE;
use crate::geometry::{self, Transform};
use crate::labels::short;
use crate::tree::{Child, Element};
use crate::{Rect, metrics};

/// Room between words and the drawing's edge.
const MARGIN: f64 = 8.0;

/// How much larger than other words a title is set by the theme.
const TITLE_SCALE: f64 = 1.2;

/// Size of an axis' words, the least room between two of them, and the height of a row.
const TICK_SIZE: f64 = 11.0;
const TICK_GAP: f64 = 4.0;
const TICK_ROW: f64 = 13.0;

/// Sets dates that would lie on each other in two rows; the same date twice is said once.
pub(crate) fn part_ticks(root: &mut Element) {
    root.walk_mut(&mut |element| {
        if element.has_class("grid") {
            part(element);
        }
    });
}

fn part(axis: &mut Element) {
    let mut ends = [f64::NEG_INFINITY; 2];
    let mut before = String::new();
    for tick in axis.elements_mut().filter(|child| child.has_class("tick")) {
        let words = tick.text().trim().to_owned();
        let middle = Transform::NONE.then(tick).apply(crate::Point::default()).x;
        let half = metrics::width(&words, TICK_SIZE, false) / 2.0;
        let is_text = |child: &Child| matches!(child, Child::Element(part) if part.name == "text");
        if words == before {
            tick.children.retain(|child| !is_text(child));
            continue;
        }
        before = words;
        let Some(row) = ends.iter().position(|end| middle - half >= end + TICK_GAP) else {
            continue;
        };
        ends[row] = middle + half;
        for text in tick.elements_mut().filter(|part| part.name == "text" && row > 0) {
            let top = text.number("y").unwrap_or(0.0);
            text.set("y", short(top + TICK_ROW));
        }
    }
}

/// Sets the categories of an axis in as many rows as keep them apart, and its title below them.
pub(crate) fn part_categories(root: &mut Element) {
    root.walk_mut(&mut |axis| {
        if !axis.has_class("bottom-axis") {
            return;
        }
        let is = |name: &'static str| move |child: &&mut Element| child.has_class(name);
        let more = axis.elements_mut().find(is("label")).map_or(0.0, in_rows);
        for title in axis.elements_mut().filter(is("title")).filter(|_| more > 0.0) {
            title.set("transform", format!("translate(0,{})", short(more)));
        }
    });
}

/// Gives the height of all rows but the first.
fn in_rows(labels: &mut Element) -> f64 {
    let mut ends: Vec<f64> = Vec::new();
    let mut more: f64 = 0.0;
    for text in labels.elements_mut() {
        let Some(words) = geometry::text_box(text, Transform::NONE) else { continue };
        let turned = text.get("transform").is_some_and(|list| !list.contains("rotate(0)"));
        if turned {
            return 0.0;
        }
        let row = ends.iter().position(|end| words.x >= end + TICK_GAP).unwrap_or(ends.len());
        let end = words.x + words.width;
        match ends.get_mut(row) {
            Some(last) => *last = end,
            None => ends.push(end),
        }
        let down = row as f64 * words.height;
        more = more.max(down);
        if row > 0 {
            text.set("y", short(text.number("y").unwrap_or(0.0) + down));
        }
    }
    more
}

/// The view box with all words in it.
pub(crate) fn widen(root: &mut Element, view: Rect) -> Rect {
    let mut around = Edges::of(&view);
    reach(root, Transform::NONE, &mut around);
    let wide = around.rect();
    if wide != view {
        let numbers = [wide.x, wide.y, wide.width, wide.height].map(short);
        root.set("viewBox", numbers.join(" "));
    }
    wide
}

/// Left, top, right, bottom.
struct Edges([f64; 4]);

impl Edges {
    fn of(view: &Rect) -> Self {
        Self([view.x, view.y, view.x + view.width, view.y + view.height])
    }

    fn hold(&mut self, words: &Rect) {
        let Self([left, top, right, bottom]) = self;
        let over = |edge: f64, end: f64| if end > edge { end + MARGIN } else { edge };
        *left = -over(-*left, -words.x);
        *top = -over(-*top, -words.y);
        *right = over(*right, words.x + words.width);
        *bottom = over(*bottom, words.y + words.height);
    }

    fn rect(&self) -> Rect {
        let Self([left, top, right, bottom]) = *self;
        Rect { x: left, y: top, width: right - left, height: bottom - top }
    }
}

/// Words that are turned are left out: those stand along an axis.
fn reach(element: &Element, outer: Transform, edges: &mut Edges) {
    let turned = element
        .get("transform")
        .is_some_and(|list| list.contains("rotate") && !list.contains("rotate(0)"));
    if turned || matches!(element.name, "defs" | "marker" | "title" | "desc") {
        return;
    }
    if element.name == "text" {
        if let Some(words) = geometry::text_box(element, outer) {
            edges.hold(&grown(element, words));
        }
        return;
    }
    let here = outer.then(element);
    for child in element.elements() {
        reach(child, here, edges);
    }
}

/// Titles are larger than their attributes say, and stand in the middle.
fn grown(text: &Element, words: Rect) -> Rect {
    let class = text.get("class").unwrap_or("");
    if !class.contains("itle") || text.get("font-size").is_some() && class.contains("section") {
        return words;
    }
    let more = words.width * (TITLE_SCALE - 1.0);
    let middle = matches!(text.get("text-anchor"), None | Some("start"));
    let left = if middle { words.width * TITLE_SCALE / 2.0 } else { more / 2.0 };
    let top = FONT_SIZE * (TITLE_SCALE - 1.0);
    let x = if middle { words.x - left } else { words.x - more / 2.0 };
    Rect { x, y: words.y - top, width: words.width + more + left, height: words.height + top }
}
