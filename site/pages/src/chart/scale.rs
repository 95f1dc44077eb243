//! The value axis: round numbers around what is drawn.

use super::{Chart, ROWS, SIDE};

/// Points of a line as they are drawn: the time, where it begins from below, and where it ends.
pub(super) type Drawn = Vec<(i64, Option<(f64, f64)>)>;

/// The lowest and highest value of the axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) bottom: f64,
    pub(super) top: f64,
}

impl Scale {
    /// An axis for all lines, and for the bound unless it is far above them.
    pub(super) fn of(chart: &Chart, drawn: &[Drawn]) -> Self {
        let values = || {
            let points = drawn.iter().flatten().filter_map(|(_, value)| *value);
            points.flat_map(|(low, high)| [low, high])
        };
        let high = values().fold(0.0, f64::max);
        let low = values().fold(0.0, f64::min);
        let high = match chart.threshold {
            Some(bound) if bound < high * 3.0 => high.max(bound * 1.1),
            _ => high,
        };
        let bottom = if low < 0.0 { -nice_top(-low, "") } else { 0.0 };
        Self { bottom, top: nice_top(high, &chart.unit) }
    }

    /// The value at a row of the axis, the topmost first.
    pub(super) fn at(&self, row: usize) -> f64 {
        self.bottom + (self.top - self.bottom) * (ROWS - row) as f64 / ROWS as f64
    }

    /// Where a value stands from top to bottom, in units of the drawing.
    pub(super) fn y(&self, value: f64) -> f64 {
        let part = (value - self.bottom) / (self.top - self.bottom);
        SIDE - part.clamp(0.0, 1.0) * SIDE
    }

    pub(super) fn holds(&self, value: f64) -> bool {
        (self.bottom..=self.top).contains(&value)
    }
}

/// The next round number of which a third is round too.
fn nice_top(high: f64, unit: &str) -> f64 {
    if high <= 0.0 || !high.is_finite() {
        return match unit {
            "ratio" | "s" => 0.03,
            _ => 3.0,
        };
    }
    let decade = 10f64.powf((high / ROWS as f64).log10().floor());
    let step = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    // A hair of room: what is computed may be one bit above a round number.
    let fits =
        step.into_iter().map(|s| s * decade * ROWS as f64).find(|top| *top >= high * 0.999_999);
    let top = fits.unwrap_or(30.0 * decade);
    if unit == "ratio" && high <= 1.0 { top.min(1.0) } else { top }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_axes() {
        for (high, unit, top) in [
            (52.0, "1/s", 60.0),
            (0.412, "s", 0.45),
            (0.0, "ratio", 0.03),
            (1.0, "ratio", 1.0),
            (7.0, "", 7.5),
            (f64::INFINITY, "", 3.0),
        ] {
            assert!(
                (nice_top(high, unit) - top).abs() < 1e-9,
                "{high} {unit}: {}",
                nice_top(high, unit)
            );
        }
    }
}
