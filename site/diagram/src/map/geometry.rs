//! Places to lengths. Everything is computed along two axes, `along` the layers and `across` them,
//! and turned into x and y at the end, so that both directions are one layout.

use super::{Direction, Grid, Place};
use crate::{Point, Rect};

/// Size of every node: names that are too long for it are shortened, so that nothing moves when a
/// longer name comes.
pub(super) const NODE: (f64, f64) = (164.0, 54.0);
/// Room around everything, for lines that pass outside of the outermost nodes.
const MARGIN: f64 = 36.0;
/// Around a group's members; more at its head, for the title.
const PANEL: f64 = 22.0;
const PANEL_HEAD: f64 = 40.0;
/// Between two groups.
const BAND_GAP: f64 = 22.0;

/// A point by layers: along and across.
pub(super) type Spot = (f64, f64);

/// Lengths of one map.
pub(super) struct Plan {
    direction: Direction,
    /// Where the first half step of each band is, across.
    origins: Vec<f64>,
    grouped: bool,
}

impl Plan {
    pub(super) fn new(grid: &Grid, direction: Direction) -> Self {
        let grouped = grid.bands.iter().any(|band| band.group.is_some());
        let mut plan = Self { direction, origins: Vec::new(), grouped };
        let mut next = MARGIN;
        for band in &grid.bands {
            let (head, foot) = plan.padding(band.group.is_some());
            let length = f64::from(band.last) * plan.half();
            plan.origins.push(next + head + plan.depth().1 / 2.0);
            next += head + length + plan.depth().1 + foot + BAND_GAP;
        }
        plan
    }

    /// Across, before and behind the members of a band.
    fn padding(&self, titled: bool) -> (f64, f64) {
        match (titled, self.direction) {
            (false, _) => (0.0, 0.0),
            (true, Direction::Right) => (PANEL_HEAD, PANEL),
            (true, Direction::Down) => (PANEL, PANEL),
        }
    }

    /// A node's size along and across.
    pub(super) fn depth(&self) -> (f64, f64) {
        match self.direction {
            Direction::Right => NODE,
            Direction::Down => (NODE.1, NODE.0),
        }
    }

    /// Between two layers: room for a pill and for a curve.
    pub(super) fn gap(&self) -> f64 {
        match self.direction {
            Direction::Right => 124.0,
            Direction::Down => 92.0,
        }
    }

    /// Half a step across: a line fits between two nodes that are one step apart.
    pub(super) fn half(&self) -> f64 {
        match self.direction {
            Direction::Right => 47.0,
            Direction::Down => 104.0,
        }
    }

    /// Where lines that share a way run beside each other, best first.
    pub(super) fn tracks(&self) -> [f64; 4] {
        // Badges stand out at the upper right: that side is left free.
        match self.direction {
            Direction::Right => [0.0, -5.0, 5.0, -10.0],
            Direction::Down => [0.0, 5.0, -5.0, 10.0],
        }
    }

    pub(super) fn across(&self, band: usize, at: i32) -> f64 {
        self.origins[band] + f64::from(at) * self.half()
    }

    /// Where a layer begins.
    pub(super) fn layer(&self, rank: i32) -> f64 {
        let head = match (self.grouped, self.direction) {
            (false, _) => 0.0,
            (true, Direction::Right) => PANEL,
            (true, Direction::Down) => PANEL_HEAD,
        };
        MARGIN + head + f64::from(rank) * (self.depth().0 + self.gap())
    }

    pub(super) fn rect(&self, place: Place) -> Rect {
        let (deep, wide) = self.depth();
        let (along, across) = (self.layer(place.rank), self.across(place.band, place.at));
        self.area((along, across - wide / 2.0), (deep, wide))
    }

    fn area(&self, from: Spot, size: (f64, f64)) -> Rect {
        let Point { x, y } = self.point(from);
        let Point { x: width, y: height } = self.point(size);
        Rect { x, y, width, height }
    }

    pub(super) fn point(&self, spot: Spot) -> Point {
        match self.direction {
            Direction::Right => Point { x: spot.0, y: spot.1 },
            Direction::Down => Point { x: spot.1, y: spot.0 },
        }
    }

    /// The panel around the members of a group.
    pub(super) fn panel(&self, members: &[Place]) -> Option<Rect> {
        let boxes: Vec<Rect> = members.iter().map(|place| self.rect(*place)).collect();
        let left = boxes.iter().map(|b| b.x).reduce(f64::min)? - PANEL;
        let top = boxes.iter().map(|b| b.y).reduce(f64::min)? - PANEL_HEAD;
        let right = boxes.iter().map(|b| b.x + b.width).reduce(f64::max)? + PANEL;
        let bottom = boxes.iter().map(|b| b.y + b.height).reduce(f64::max)? + PANEL;
        Some(Rect { x: left, y: top, width: right - left, height: bottom - top })
    }

    /// A box around everything that is given, with room around it.
    pub(super) fn view(boxes: &[Rect], points: impl Iterator<Item = Point>) -> Rect {
        let corners = boxes.iter().flat_map(|b| {
            [Point { x: b.x, y: b.y }, Point { x: b.x + b.width, y: b.y + b.height }]
        });
        let (right, bottom) = corners
            .chain(points)
            .fold((MARGIN, MARGIN), |(x, y), point| (point.x.max(x), point.y.max(y)));
        Rect { x: 0.0, y: 0.0, width: right + MARGIN, height: bottom + MARGIN }
    }
}
