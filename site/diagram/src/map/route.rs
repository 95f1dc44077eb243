//! Lines between nodes. A line bends in the gaps between layers, where no node is, and passes a
//! layer between its nodes: it cannot run through one.

use super::geometry::{Plan, Spot};
use super::{Grid, MapEdge, Place};
use crate::Point;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Points that stand for one bend.
const SAMPLES: usize = 14;
/// Distance of two lines at the side of a node, and how far the outermost are from its middle.
const PORT_STEP: f64 = 8.0;
const PORT_REACH: f64 = 11.0;
/// What a way costs that another line takes already, in units of length.
const SHARED_COST: f64 = 14.0;

/// A line of bends and straight parts.
pub(super) struct Line {
    /// `d` of the path.
    pub(super) path: String,
    /// The same as a polyline.
    pub(super) points: Vec<Point>,
}

/// One part of a line: its end, and two handles where it bends.
struct Part {
    bend: Option<(Spot, Spot)>,
    end: Spot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Before,
    After,
}

/// The line of each edge whose ends both have a place, in the order of the edges.
pub(super) fn lines(edges: &[MapEdge], grid: &Grid, plan: &Plan, shown: &[Place]) -> Vec<Line> {
    let ends: Vec<(Place, Place)> =
        edges.iter().map(|edge| (grid.places[&edge.from], grid.places[&edge.to])).collect();
    let ports = Ports::new(edges, &ends, plan);
    let mut ways = Ways { plan, grid, shown, taken: Vec::new() };
    let mut lines = Vec::with_capacity(edges.len());
    for (nth, (from, to)) in ends.iter().enumerate() {
        let (start, end) = (ports.spot(nth, false, *from, plan), ports.spot(nth, true, *to, plan));
        let line = if from.rank > to.rank {
            let (first, mut parts) = ways.between((*to, end), (*from, start));
            let first = reverse(first, &mut parts);
            write(plan, first, &parts)
        } else {
            let (first, parts) = ways.between((*from, start), (*to, end));
            write(plan, first, &parts)
        };
        lines.push(line);
    }
    lines
}

/// A line's end at a side of a node: where its other end is across, the edge, whether it is its end.
type Port = (f64, usize, bool);

/// Where on a node's side each line ends: in the order of the other ends, so that they do not cross.
struct Ports(BTreeMap<(usize, bool), (Side, f64)>);

impl Ports {
    fn new(edges: &[MapEdge], ends: &[(Place, Place)], plan: &Plan) -> Self {
        let mut sides: BTreeMap<(&str, Side), Vec<Port>> = BTreeMap::new();
        for (nth, (edge, (from, to))) in edges.iter().zip(ends).enumerate() {
            let (out, into) = match from.rank.cmp(&to.rank) {
                std::cmp::Ordering::Less => (Side::After, Side::Before),
                std::cmp::Ordering::Equal => (Side::After, Side::After),
                std::cmp::Ordering::Greater => (Side::Before, Side::After),
            };
            let across = |place: &Place| plan.across(place.band, place.at);
            sides.entry((&edge.from, out)).or_default().push((across(to), nth, false));
            sides.entry((&edge.to, into)).or_default().push((across(from), nth, true));
        }
        let mut ports = BTreeMap::new();
        for ((_, side), mut list) in sides {
            list.sort_by(|one, other| {
                one.0.total_cmp(&other.0).then((one.1, one.2).cmp(&(other.1, other.2)))
            });
            let last = list.len().saturating_sub(1) as f64;
            let step = if last > 0.0 { PORT_STEP.min(2.0 * PORT_REACH / last) } else { 0.0 };
            for (place, (_, nth, end)) in list.into_iter().enumerate() {
                ports.insert((nth, end), (side, (place as f64 - last / 2.0) * step));
            }
        }
        Self(ports)
    }

    fn spot(&self, edge: usize, end: bool, place: Place, plan: &Plan) -> Spot {
        let (side, offset) = self.0[&(edge, end)];
        let along = match side {
            Side::Before => plan.layer(place.rank),
            Side::After => plan.layer(place.rank) + plan.depth().0,
        };
        (along, plan.across(place.band, place.at) + offset)
    }
}

/// The ways between nodes, and who took them.
struct Ways<'a> {
    plan: &'a Plan,
    grid: &'a Grid,
    shown: &'a [Place],
    /// Band, half step, first and last layer that is passed.
    taken: Vec<(usize, i32, i32, i32)>,
}

impl Ways<'_> {
    /// From a node to one of the same or a later layer.
    fn between(&mut self, from: (Place, Spot), to: (Place, Spot)) -> (Spot, Vec<Part>) {
        let ((from, start), (to, end)) = (from, to);
        if from.rank == to.rank {
            // Out of the layer and back into it.
            let out = start.0 + self.plan.gap() * 0.5;
            return (start, vec![Part { bend: Some(((out, start.1), (out, end.1))), end }]);
        }
        if from.rank + 1 == to.rank {
            return (start, vec![bend(start, end)]);
        }
        let (first, last) = (from.rank + 1, to.rank - 1);
        let across = self.way(first, last, start.1, end.1);
        let into = (self.plan.layer(first), across);
        let out = (self.plan.layer(last) + self.plan.depth().0, across);
        (start, vec![bend(start, into), Part { bend: None, end: out }, bend(out, end)])
    }

    /// Across, where layers `first` to `last` have no node: the shortest such way, rather a free one.
    fn way(&mut self, first: i32, last: i32, start: f64, end: f64) -> f64 {
        let passed = |place: &&Place| (first..=last).contains(&place.rank);
        let blocked: Vec<(usize, i32)> =
            self.shown.iter().filter(passed).map(|place| (place.band, place.at)).collect();
        let mut best: Option<(f64, usize, i32, usize)> = None;
        for band in 0..self.grid.bands.len() {
            for at in -1..=self.grid.bands[band].last + 1 {
                if blocked.contains(&(band, at)) {
                    continue;
                }
                let across = self.plan.across(band, at);
                let others = self
                    .taken
                    .iter()
                    .filter(|(b, a, one, other)| {
                        (*b, *a) == (band, at) && *one <= last && *other >= first
                    })
                    .count();
                let cost =
                    (start - across).abs() + (across - end).abs() + others as f64 * SHARED_COST;
                if best.is_none_or(|(least, ..)| cost < least) {
                    best = Some((cost, band, at, others));
                }
            }
        }
        let (_, band, at, others) = best.expect("outside of the band no node blocks the way");
        self.taken.push((band, at, first, last));
        let tracks = self.plan.tracks();
        self.plan.across(band, at) + tracks[others % tracks.len()]
    }
}

/// A bend that begins and ends along the layers' axis.
fn bend(from: Spot, to: Spot) -> Part {
    let middle = (from.0 + to.0) / 2.0;
    Part { bend: Some(((middle, from.1), (middle, to.1))), end: to }
}

/// Turns a line round; gives its new first point.
fn reverse(first: Spot, parts: &mut [Part]) -> Spot {
    let mut ends: Vec<Spot> = std::iter::once(first).chain(parts.iter().map(|p| p.end)).collect();
    let last = ends.pop().unwrap_or(first);
    for part in parts.iter_mut() {
        part.bend = part.bend.map(|(one, other)| (other, one));
    }
    parts.reverse();
    for (part, end) in parts.iter_mut().zip(ends.into_iter().rev()) {
        part.end = end;
    }
    last
}

fn write(plan: &Plan, first: Spot, parts: &[Part]) -> Line {
    let show = |spot: Spot| {
        let point = plan.point(spot);
        format!("{:.1},{:.1}", point.x, point.y)
    };
    let mut line = Line { path: format!("M{}", show(first)), points: vec![plan.point(first)] };
    let mut from = first;
    for part in parts {
        match part.bend {
            None => {
                let _ = write!(line.path, "L{}", show(part.end));
                line.points.push(plan.point(part.end));
            }
            Some((one, other)) => {
                let _ = write!(line.path, "C{} {} {}", show(one), show(other), show(part.end));
                let on_curve = |step: usize| {
                    let t = step as f64 / SAMPLES as f64;
                    let at = |a: f64, b: f64, c: f64, d: f64| {
                        let u = 1.0 - t;
                        a * u * u * u + 3.0 * b * u * u * t + 3.0 * c * u * t * t + d * t * t * t
                    };
                    plan.point((
                        at(from.0, one.0, other.0, part.end.0),
                        at(from.1, one.1, other.1, part.end.1),
                    ))
                };
                line.points.extend((1..=SAMPLES).map(on_curve));
            }
        }
        from = part.end;
    }
    line
}
