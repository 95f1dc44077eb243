//! A trace at a glance, above its waterfall: every span as a thin line, errors marked, and the part of the time that is shown.
//!
//! `waterfall` lays it out; `js/waterfall.js` lets the reader drag another part.

use crate::palette::Palette;
use traces::Trace;

/// Lines of one drawing; of a longer trace every so many-th span is drawn, and all that failed.
const LINES_MAX: usize = 300;
/// A line is never narrower than this, in percent.
const WIDTH_MIN: f64 = 0.15;

/// A part of a trace's time, in percent of the whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Zoom {
    /// Where it begins, 0 to 100.
    pub from: f64,
    /// Where it ends, above `from`, at most 100.
    pub to: f64,
}

impl Zoom {
    /// All of it.
    pub const WHOLE: Self = Self { from: 0.0, to: 100.0 };
    /// The smallest part, in percent.
    const LEAST: f64 = 0.01;

    /// Reads `12.5-40`; `None` for what is no part of a whole.
    pub fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let (from, to): (f64, f64) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        let sound = (0.0..=100.0).contains(&from) && (0.0..=100.0).contains(&to);
        (sound && to - from >= Self::LEAST).then_some(Self { from, to })
    }

    /// As it stands in the address.
    pub fn text(self) -> String {
        format!("{:.2}-{:.2}", self.from, self.to)
    }

    /// The part around a stretch, with some room beside it.
    pub(crate) fn around(from: f64, to: f64) -> Self {
        let room = ((to - from) * 0.08).max(Self::LEAST);
        let from = (from - room).clamp(0.0, 100.0 - 2.0 * Self::LEAST);
        Self { from, to: (to + room).clamp(from + 2.0 * Self::LEAST, 100.0) }
    }
}

/// A span's line, in percent of width and height.
pub(crate) struct Stroke {
    pub(crate) colour: usize,
    pub(crate) failed: bool,
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) width: String,
}

pub(crate) fn strokes(trace: &Trace, palette: &Palette) -> Vec<Stroke> {
    let every = trace.rows.len().div_ceil(LINES_MAX).max(1);
    let length = trace.duration_ns().max(1) as f64;
    let rows = trace.rows.iter().enumerate();
    let drawn = rows.filter(|(index, row)| index % every == 0 || row.span.is_error());
    let stroke = |(index, row): (usize, &traces::Row)| {
        let span = &row.span;
        let x = (span.start_ns - trace.start_ns) as f64 / length * 100.0;
        let width = (span.duration_ns() as f64 / length * 100.0).max(WIDTH_MIN);
        Stroke {
            colour: palette.colour(span.service()),
            failed: span.is_error(),
            x: format!("{:.2}", x.min(100.0 - WIDTH_MIN)),
            y: format!("{:.2}", index as f64 / trace.rows.len() as f64 * 94.0),
            width: format!("{width:.2}"),
        }
    };
    drawn.map(stroke).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_time_are_read() {
        for (text, expected) in [
            ("0-100", Some(Zoom::WHOLE)),
            ("12.5-40", Some(Zoom { from: 12.5, to: 40.0 })),
            ("40-12.5", None),
            ("40-40", None),
            ("-5-40", None),
            ("0-101", None),
            ("NaN-5", None),
            ("a-b", None),
            ("", None),
        ] {
            assert_eq!(Zoom::parse(text), expected, "{text}");
        }
        for (from, to) in [(0.0, 100.0), (99.999, 100.0), (0.0, 0.0), (50.0, 50.0)] {
            let zoom = Zoom::around(from, to);
            assert_eq!(Zoom::parse(&zoom.text()).map(Zoom::text), Some(zoom.text()), "{from} {to}");
        }
    }
}
