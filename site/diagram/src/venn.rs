//! Mends Venn diagrams, whose layout knows no widths: words that are wider than their cell are set
//! smaller, and a set's name goes above or below words that lie on it. `draw` calls it for drawings
//! without boxes.

use crate::geometry::overlap;
use crate::labels::short;
use crate::metrics::{self, LINE_HEIGHT};
use crate::tree::Element;
use crate::{Point, Rect};

/// Sizes of words where the drawing says none, and the smallest that words are set in.
const NAME_SIZE: f64 = 24.0;
const WORDS_SIZE: f64 = 20.0;
const WORDS_SIZE_MIN: f64 = 9.0;

/// Least room between words; distance between the places that are tried for a name, and how many.
const GAP: f64 = 4.0;
const STEP: f64 = 3.0;
const STEPS: u32 = 80;

/// Changes the whole drawing; one that is no Venn diagram stays as it is.
pub(crate) fn part(root: &mut Element, view: &Rect) {
    let mut taken = Vec::new();
    root.walk_mut(&mut |element| {
        // A place in per cent moves as soon as the view grows.
        if element.has_class("venn-title") {
            element.set("x", short(view.x + view.width / 2.0));
        }
        if element.has_class("venn-text-area") {
            fit(element);
            taken.extend(words(element));
        }
    });
    if taken.is_empty() {
        return;
    }
    root.walk_mut(&mut |element| {
        if !element.has_class("venn-area") {
            return;
        }
        for name in element.elements_mut().filter(|part| part.has_class("label")) {
            taken.extend(free(name, &taken));
        }
    });
}

/// Sets the words of an area so small that the widest row fits its cell.
fn fit(area: &mut Element) {
    let cell = area
        .elements()
        .filter(|part| part.has_class("venn-text-debug-cell"))
        .filter_map(|part| part.number("width"))
        .fold(f64::INFINITY, f64::min);
    let size = area.number("font-size").unwrap_or(WORDS_SIZE);
    let widest = words(area).iter().map(|row| row.width).fold(0.0, f64::max);
    if widest + GAP > cell {
        let fitting = (size * (cell - GAP) / widest).max(WORDS_SIZE_MIN);
        area.set("font-size", format!("{}px", short(fitting)));
    }
}

/// The box of each row in an area: rows name their `x`, and their `dy` from the row above.
fn words(area: &Element) -> Vec<Rect> {
    let size = area.number("font-size").unwrap_or(WORDS_SIZE);
    let mut found = Vec::new();
    for text in area.elements().filter(|part| part.name == "text") {
        let mut y = text.number("y").unwrap_or(0.0);
        for row in text.elements().filter(|part| part.name == "tspan") {
            y += row.number("dy").unwrap_or(0.0);
            let at = Point { x: row.number("x").unwrap_or(0.0), y };
            found.push(around(at, row.text().trim(), size));
        }
    }
    found
}

fn around(middle: Point, words: &str, size: f64) -> Rect {
    let (width, height) = (metrics::width(words, size, false), size * LINE_HEIGHT);
    Rect { x: middle.x - width / 2.0, y: middle.y - height / 2.0, width, height }
}

/// Moves a name up or down to the nearest place without words; gives the box that it then has.
fn free(name: &mut Element, taken: &[Rect]) -> Option<Rect> {
    let (x, y) = (name.number("x")?, name.number("y")?);
    let size = name.number("font-size").unwrap_or(NAME_SIZE);
    let words = name.text();
    let at = |y: f64| around(Point { x, y }, words.trim(), size);
    let clear = |y: &f64| !taken.iter().any(|other| overlap(&at(*y), other, GAP));
    let far = |step: u32| f64::from(step) * STEP;
    let place = (0..STEPS).flat_map(|step| [y - far(step), y + far(step)]).find(clear)?;
    if place != y {
        name.set("y", short(place));
        for row in name.elements_mut().filter(|part| part.name == "tspan") {
            row.set("y", short(place));
        }
    }
    Some(at(place))
}
