//! Where live values stand above a drawing. `pages` hands in a drawing and gets points; nothing
//! here knows the values, so a change of values never moves anything.

use crate::geometry::{around, overlap};
use crate::{Drawing, Edge, Group, Node, Point, Rect, metrics};
use std::collections::BTreeMap;

/// Least distance of a pill to anything else.
pub const PILL_GAP: f64 = 2.0;

/// How far a badge reaches around its anchor: to the left with its words, above, to other sides; and
/// the width from which a node's badge has words.
const BADGE_LEFT: f64 = 62.0;
const BADGE_ABOVE: f64 = 18.0;
const BADGE_SIDE: f64 = 10.0;
const BADGE_NODE_MIN: f64 = 84.0;

/// Places along a line that are tried, and steps to each side of it.
const STEPS_ALONG: usize = 48;

/// Distances from the line that are tried, in heights of a pill.
const STEPS_ASIDE: [f64; 7] = [0.0, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0];

/// Font size of a group's title, and its distance from the top and the side of the panel.
const TITLE_SIZE: f64 = 13.0;
const TITLE_TOP: f64 = 6.0;
const TITLE_SIDE: f64 = 12.0;

/// Distance between the places that are tried for a title, and points of a line that are looked at.
const TITLE_STEP: f64 = 12.0;
const TITLE_SAMPLES: usize = 120;

/// Pills on a grid are the last resort; so many places in each direction.
const GRID: usize = 60;

/// Centres of pills of the given size (width, height), by edge id.
///
/// A pill stands on a level line under its label, else below or beside the label, or on the middle of
/// the line where there is none; where that place is taken, or another edge's line runs through it,
/// it moves along the line, then aside. No pill comes nearer than [`PILL_GAP`] to another pill, a
/// node, a label of an edge or the title of a group, and none leaves the view box. An edge that is
/// not in the answer has no free place in the whole drawing. The same drawing and edges always give
/// the same places.
pub fn place_pills(drawing: &Drawing, edges: &[&str], size: (f64, f64)) -> BTreeMap<String, Point> {
    let mut taken = obstacles(drawing);
    let mut places = BTreeMap::new();
    for edge in drawing.edges.iter().filter(|edge| edges.contains(&edge.id.as_str())) {
        let free = |centre: &Point| {
            let pill = pill_at(*centre, size);
            inside(&pill, &drawing.view_box)
                && !taken.iter().any(|other| overlap(&pill, other, PILL_GAP))
        };
        let (near, aside) = candidates(edge, size);
        let others = lines_near(drawing, edge, size);
        // Where two lines cross it would be unclear whose pill it is.
        let clear = |centre: &Point| {
            let pill = pill_at(*centre, size);
            free(centre) && !others.iter().any(|(a, b)| crosses(&pill, *a, *b))
        };
        let found = near.iter().copied().find(clear);
        let found = found
            .or_else(|| near.into_iter().chain(aside).find(free))
            .or_else(|| nearest_free(drawing, edge, &free));
        if let Some(centre) = found {
            taken.push(pill_at(centre, size));
            places.insert(edge.id.clone(), centre);
        }
    }
    places
}

/// The box of a pill around its centre.
pub fn pill_at(centre: Point, size: (f64, f64)) -> Rect {
    Rect { x: centre.x - size.0 / 2.0, y: centre.y - size.1 / 2.0, width: size.0, height: size.1 }
}

/// Centre of the health badge of a node: its upper right corner, inwards where the shape is round.
pub fn badge_anchor(node: &Node) -> Point {
    let Rect { x, y, width, height } = node.rect;
    // A queue may be drawn as a diamond, which is about as high as wide.
    let diamond = node.shape == crate::Shape::Queue && width < height * 1.3;
    let inwards = match node.shape {
        _ if diamond => (width / 4.0, height / 4.0),
        crate::Shape::Decision => (width / 4.0, height / 4.0),
        crate::Shape::Actor => (width * 0.146, height * 0.146),
        crate::Shape::Database => (2.0, height * 0.12),
        crate::Shape::Box | crate::Shape::Queue => (2.0, 2.0),
    };
    Point { x: x + width - inwards.0, y: y + inwards.1 }
}

/// The box that the title of a group takes up at the head of its panel: as far left as the fewest
/// lines run through it. `settle` puts the title there.
pub(crate) fn title_box(group: &Group, edges: &[Edge]) -> Rect {
    let width = metrics::width(&group.title, TITLE_SIZE, true);
    let last = (group.rect.width - width - TITLE_SIDE).max(TITLE_SIDE);
    let steps = ((last - TITLE_SIDE) / TITLE_STEP).floor().min(GRID as f64) as usize;
    let places = (0..=steps).map(|step| Rect {
        x: group.rect.x + TITLE_SIDE + step as f64 * TITLE_STEP,
        y: group.rect.y + TITLE_TOP,
        width,
        height: TITLE_SIZE * metrics::LINE_HEIGHT,
    });
    let lines: Vec<Vec<Point>> =
        edges.iter().map(|edge| along(&edge.points, TITLE_SAMPLES)).collect();
    let crossings = |frame: &Rect| {
        let near = |point: &Point| {
            let at = Rect { x: point.x, y: point.y, ..Rect::default() };
            overlap(frame, &at, 4.0)
        };
        lines.iter().filter(|line| line.iter().any(near)).count()
    };
    places.min_by_key(crossings).unwrap_or(group.rect)
}

fn obstacles(drawing: &Drawing) -> Vec<Rect> {
    let nodes = drawing.nodes.iter().map(|node| node.rect);
    let labels = drawing.edges.iter().filter_map(|edge| edge.label_rect);
    let titles = drawing.groups.iter().map(|group| title_box(group, &drawing.edges));
    let badges = drawing.nodes.iter().map(badge_box);
    nodes.chain(labels).chain(titles).chain(badges).collect()
}

/// The room of a node's badge, whose words reach out over the node's upper side.
fn badge_box(node: &Node) -> Rect {
    let at = badge_anchor(node);
    let left = if node.rect.width < BADGE_NODE_MIN { BADGE_SIDE } else { BADGE_LEFT };
    Rect {
        x: at.x - left,
        y: at.y - BADGE_ABOVE,
        width: left + BADGE_SIDE,
        height: BADGE_ABOVE + BADGE_SIDE,
    }
}

fn inside(pill: &Rect, view: &Rect) -> bool {
    pill.x >= view.x
        && pill.y >= view.y
        && pill.x + pill.width <= view.x + view.width
        && pill.y + pill.height <= view.y + view.height
}

/// The parts of other edges' lines that a pill of this edge could lie on.
fn lines_near(drawing: &Drawing, edge: &Edge, size: (f64, f64)) -> Vec<(Point, Point)> {
    let Some(mine) = around(&edge.points) else { return Vec::new() };
    let reach = size.0.max(size.1);
    let others = drawing.edges.iter().filter(|other| other.id != edge.id);
    others
        .flat_map(|other| other.points.windows(2))
        .filter_map(|pair| Some((pair[0], pair[1], around(pair)?)))
        .filter(|(.., part)| overlap(part, &mine, reach))
        .map(|(a, b, _)| (a, b))
        .collect()
}

/// Whether a straight line runs through a box (after Liang and Barsky: what each side leaves of it).
fn crosses(frame: &Rect, a: Point, b: Point) -> bool {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let sides = [
        (-dx, a.x - frame.x),
        (dx, frame.x + frame.width - a.x),
        (-dy, a.y - frame.y),
        (dy, frame.y + frame.height - a.y),
    ];
    let (mut first, mut last) = (0.0_f64, 1.0_f64);
    for (step, room) in sides {
        match step {
            step if step < 0.0 => first = first.max(room / step),
            step if step > 0.0 => last = last.min(room / step),
            _ if room < 0.0 => return false,
            _ => {}
        }
    }
    first < last
}

/// Centres to try, best first: those at the label and on the line, and those aside of it.
fn candidates(edge: &Edge, size: (f64, f64)) -> (Vec<Point>, Vec<Point>) {
    let (mut near, mut places) = (Vec::new(), Vec::new());
    if let Some(label) = edge.label_rect {
        let (x, y) = (label.x + label.width / 2.0, label.y + label.height / 2.0);
        let clear = (label.height + size.1) / 2.0 + PILL_GAP + 1.0;
        let level = |line: f64| line - y + size.1 / 2.0 + PILL_GAP;
        // A message's words stand right above its line: the pill goes below the line.
        let below = level_line(edge).map(level).filter(|far| (0.0..2.0 * clear).contains(far));
        let below = below.unwrap_or(clear).max(clear);
        let on = level_line(edge).map(|line| line - y).filter(|far| *far >= clear);
        let beside = (label.width + size.0) / 2.0 + PILL_GAP + 1.0;
        near.extend(on.map(|dy| Point { x, y: y + dy }));
        for (dx, dy) in [(0.0, below), (0.0, -clear), (beside, 0.0), (-beside, 0.0)] {
            near.push(Point { x: x + dx, y: y + dy });
        }
    }
    let line = along(&edge.points, STEPS_ALONG);
    let middle = line.len() as f64 / 2.0;
    let mut order: Vec<usize> = (0..line.len()).collect();
    order.sort_by(|one, other| {
        let far = |index: usize| (index as f64 + 0.5 - middle).abs();
        far(*one).total_cmp(&far(*other)).then(one.cmp(other))
    });
    for aside in STEPS_ASIDE {
        for index in &order {
            let at = line[*index];
            let normal = normal_at(&line, *index);
            for side in if aside == 0.0 { &[1.0][..] } else { &[1.0, -1.0][..] } {
                // A pill is wider than high: across a steep line it needs more room.
                let reach = aside * (size.1 * normal.y.abs() + size.0 * 0.6 * normal.x.abs());
                let list = if aside == 0.0 { &mut near } else { &mut places };
                list.push(Point {
                    x: at.x + normal.x * reach * side,
                    y: at.y + normal.y * reach * side,
                });
            }
        }
    }
    (near, places)
}

/// Where a line runs that neither rises nor falls.
fn level_line(edge: &Edge) -> Option<f64> {
    let first = edge.points.first()?;
    let level = edge.points.iter().all(|point| (point.y - first.y).abs() < 0.5);
    level.then_some(first.y)
}

/// The free place nearest to the middle of the line, anywhere in the drawing.
fn nearest_free(drawing: &Drawing, edge: &Edge, free: &impl Fn(&Point) -> bool) -> Option<Point> {
    let line = along(&edge.points, STEPS_ALONG);
    let middle = *line.get(line.len() / 2)?;
    let view = drawing.view_box;
    let mut places: Vec<Point> = (0..=GRID)
        .flat_map(|row| (0..=GRID).map(move |column| (row, column)))
        .map(|(row, column)| Point {
            x: view.x + view.width * column as f64 / GRID as f64,
            y: view.y + view.height * row as f64 / GRID as f64,
        })
        .collect();
    let far = |place: &Point| (place.x - middle.x).hypot(place.y - middle.y);
    places.sort_by(|one, other| far(one).total_cmp(&far(other)));
    places.into_iter().find(free)
}

/// Evenly spaced points along a line, its ends included.
pub(crate) fn along(line: &[Point], count: usize) -> Vec<Point> {
    let lengths: Vec<f64> =
        line.windows(2).map(|pair| (pair[1].x - pair[0].x).hypot(pair[1].y - pair[0].y)).collect();
    let total: f64 = lengths.iter().sum();
    if line.len() < 2 || total <= 0.0 {
        return line.first().copied().into_iter().collect();
    }
    (0..=count).map(|step| point_at(line, &lengths, total * step as f64 / count as f64)).collect()
}

fn point_at(line: &[Point], lengths: &[f64], distance: f64) -> Point {
    let mut left = distance;
    for (pair, length) in line.windows(2).zip(lengths) {
        if left <= *length && *length > 0.0 {
            let part = left / length;
            return Point {
                x: pair[0].x + (pair[1].x - pair[0].x) * part,
                y: pair[0].y + (pair[1].y - pair[0].y) * part,
            };
        }
        left -= length;
    }
    line.last().copied().unwrap_or_default()
}

/// The direction across the line.
fn normal_at(line: &[Point], index: usize) -> Point {
    let before = line[index.saturating_sub(1)];
    let after = line[(index + 1).min(line.len() - 1)];
    let (dx, dy) = (after.x - before.x, after.y - before.y);
    let length = dx.hypot(dy);
    if length <= 0.0 {
        return Point { x: 0.0, y: 1.0 };
    }
    Point { x: -dy / length, y: dx / length }
}
