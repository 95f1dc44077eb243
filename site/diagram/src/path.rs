//! The `d` of a path and the `points` of a polygon as points. `geometry` measures with it.

use crate::Point;

/// Points on each curve.
const STEPS: usize = 8;

/// Most points of one path.
const MAX_POINTS: usize = 20_000;

/// The points along a path; curves become short lines.
pub(crate) fn flatten(d: &str) -> Vec<Point> {
    let mut pen = Pen::default();
    let mut reader = Reader { rest: d };
    let mut command = 'M';
    while pen.points.len() < MAX_POINTS {
        match reader.command() {
            Some(next) => command = next,
            None if reader.at_number() => {
                // More numbers after a move are lines.
                command = match command {
                    'M' => 'L',
                    'm' => 'l',
                    'z' | 'Z' => break,
                    other => other,
                };
            }
            None => break,
        }
        if pen.draw(command, &mut reader).is_none() {
            break;
        }
    }
    pen.points
}

/// The numbers of a `points` attribute as points.
pub(crate) fn points(list: &str) -> Vec<Point> {
    let mut reader = Reader { rest: list };
    let mut points = Vec::new();
    while points.len() < MAX_POINTS
        && let Some(point) = reader.point()
    {
        points.push(point);
    }
    points
}

#[derive(Default)]
struct Pen {
    points: Vec<Point>,
    at: Point,
    start: Point,
    /// The last control point, for smooth curves.
    control: Option<Point>,
}

impl Pen {
    fn draw(&mut self, command: char, reader: &mut Reader) -> Option<()> {
        let base = if command.is_ascii_lowercase() { self.at } else { Point::default() };
        let next = |reader: &mut Reader| -> Option<Point> {
            let point = reader.point()?;
            Some(Point { x: base.x + point.x, y: base.y + point.y })
        };
        let mut control = None;
        match command.to_ascii_uppercase() {
            'M' => {
                self.start = next(reader)?;
                self.go(self.start);
            }
            'L' => {
                let to = next(reader)?;
                self.go(to);
            }
            'H' => {
                let x = base.x + reader.number()?;
                self.go(Point { x, y: self.at.y });
            }
            'V' => {
                let y = base.y + reader.number()?;
                self.go(Point { x: self.at.x, y });
            }
            'C' => {
                let (one, two, to) = (next(reader)?, next(reader)?, next(reader)?);
                self.curve(one, two, to);
                control = Some(two);
            }
            'S' => {
                let (two, to) = (next(reader)?, next(reader)?);
                self.curve(self.mirrored(), two, to);
                control = Some(two);
            }
            'Q' => {
                let (one, to) = (next(reader)?, next(reader)?);
                self.curve(one, one, to);
                control = Some(one);
            }
            'T' => {
                let (one, to) = (self.mirrored(), next(reader)?);
                self.curve(one, one, to);
                control = Some(one);
            }
            'A' => {
                let (rx, ry) = (reader.number()?, reader.number()?);
                reader.number()?;
                let (large, sweep) = (reader.flag()?, reader.flag()?);
                let to = next(reader)?;
                self.arc(rx.abs(), ry.abs(), large, sweep, to);
            }
            'Z' => self.go(self.start),
            _ => return None,
        }
        self.control = control;
        Some(())
    }

    fn go(&mut self, to: Point) {
        self.at = to;
        self.points.push(to);
    }

    fn mirrored(&self) -> Point {
        self.control.map_or(self.at, |control| Point {
            x: 2.0 * self.at.x - control.x,
            y: 2.0 * self.at.y - control.y,
        })
    }

    fn curve(&mut self, one: Point, two: Point, to: Point) {
        let from = self.at;
        for step in 1..=STEPS {
            let t = step as f64 / STEPS as f64;
            let weights = [
                (1.0 - t).powi(3),
                3.0 * t * (1.0 - t).powi(2),
                3.0 * t * t * (1.0 - t),
                t.powi(3),
            ];
            let mix = |pick: fn(Point) -> f64| {
                weights[0] * pick(from)
                    + weights[1] * pick(one)
                    + weights[2] * pick(two)
                    + weights[3] * pick(to)
            };
            self.go(Point { x: mix(|point| point.x), y: mix(|point| point.y) });
        }
    }

    /// An arc without rotation, after the implementation notes of SVG 1.1, F.6.5.
    fn arc(&mut self, rx: f64, ry: f64, large: bool, sweep: bool, to: Point) {
        let from = self.at;
        let half = ((from.x - to.x) / 2.0, (from.y - to.y) / 2.0);
        if rx < 1e-9 || ry < 1e-9 || (half.0.abs() < 1e-9 && half.1.abs() < 1e-9) {
            self.go(to);
            return;
        }
        let too_small = ((half.0 / rx).powi(2) + (half.1 / ry).powi(2)).sqrt().max(1.0);
        let (rx, ry) = (rx * too_small, ry * too_small);
        let below = (rx * half.1).powi(2) + (ry * half.0).powi(2);
        let factor = (((rx * ry).powi(2) - below) / below).max(0.0).sqrt();
        let factor = if large == sweep { -factor } else { factor };
        let centre = (factor * rx * half.1 / ry, -factor * ry * half.0 / rx);
        let angle = |x: f64, y: f64| ((y - centre.1) / ry).atan2((x - centre.0) / rx);
        let begin = angle(half.0, half.1);
        let mut turn = angle(-half.0, -half.1) - begin;
        let full = std::f64::consts::TAU;
        if sweep && turn < 0.0 {
            turn += full;
        } else if !sweep && turn > 0.0 {
            turn -= full;
        }
        let middle = ((from.x + to.x) / 2.0, (from.y + to.y) / 2.0);
        for step in 1..STEPS {
            let at = begin + turn * step as f64 / STEPS as f64;
            self.go(Point {
                x: middle.0 + centre.0 + rx * at.cos(),
                y: middle.1 + centre.1 + ry * at.sin(),
            });
        }
        self.go(to);
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip(&mut self) {
        self.rest = self
            .rest
            .trim_start_matches(|character: char| character.is_whitespace() || character == ',');
    }

    fn command(&mut self) -> Option<char> {
        self.skip();
        let first = self.rest.chars().next()?;
        if !"MmLlHhVvCcSsQqTtAaZz".contains(first) {
            return None;
        }
        self.rest = &self.rest[1..];
        Some(first)
    }

    fn at_number(&mut self) -> bool {
        self.skip();
        self.rest
            .starts_with(|character: char| character.is_ascii_digit() || "+-.".contains(character))
    }

    fn number(&mut self) -> Option<f64> {
        self.skip();
        let bytes = self.rest.as_bytes();
        let (mut end, mut dot, mut exponent) = (0, false, false);
        while let Some(byte) = bytes.get(end) {
            let after_e = end > 0 && matches!(bytes.get(end - 1), Some(b'e' | b'E'));
            match byte {
                b'0'..=b'9' => {}
                b'+' | b'-' if end == 0 || after_e => {}
                b'.' if !dot && !exponent => dot = true,
                b'e' | b'E' if !exponent && end > 0 => exponent = true,
                _ => break,
            }
            end += 1;
        }
        let value: f64 = self.rest.get(..end)?.parse().ok()?;
        self.rest = &self.rest[end..];
        value.is_finite().then_some(value)
    }

    /// The flag of an arc: one digit that needs no separator after it.
    fn flag(&mut self) -> Option<bool> {
        self.skip();
        let first = self.rest.chars().next().filter(|digit| matches!(digit, '0' | '1'))?;
        self.rest = &self.rest[1..];
        Some(first == '1')
    }

    fn point(&mut self) -> Option<Point> {
        Some(Point { x: self.number()?, y: self.number()? })
    }
}

#[cfg(test)]
mod tests {
    use super::flatten;
    use crate::Point;

    #[test]
    fn paths_become_points() {
        for (d, last, count) in [
            ("M1,2L3,4", (3.0, 4.0), 2),
            ("M1,2 3,4 5,6", (5.0, 6.0), 3),
            ("m1 2 h3 v4z", (1.0, 2.0), 4),
            ("M0,0C0,10,10,10,10,0", (10.0, 0.0), 9),
            ("M0,13 a67.5,13 0,0,0 135,0", (135.0, 13.0), 9),
            ("M-1.5.5L1e1,2", (10.0, 2.0), 2),
            ("M0 0 A5 5 0 1110 0", (10.0, 0.0), 9),
            ("nonsense", (0.0, 0.0), 0),
        ] {
            let points = flatten(d);
            assert_eq!(points.len(), count, "{d}: {points:?}");
            if let Some(Point { x, y }) = points.last() {
                assert!((x - last.0).abs() < 1e-6 && (y - last.1).abs() < 1e-6, "{d}");
            }
        }
        let lowest = flatten("M0,13 a67.5,13 0,0,0 135,0")
            .iter()
            .fold(0.0_f64, |lowest, point| lowest.max(point.y));
        assert!((lowest - 26.0).abs() < 1e-6, "the arc hangs to {lowest}");
    }
}
