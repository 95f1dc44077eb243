//! One measured value at one time, and the marker that ends a series.
//!
//! The scraper makes them, chunks keep them, `promql` slides windows over them.

/// Bits of the NaN that says "this series has gone"; an ordinary NaN is a value like any other.
pub const STALE_MARKER_BITS: u64 = 0x7ff0_0000_0000_0002;

/// A value at a time.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Milliseconds since 1970.
    pub t: i64,
    /// The value; [`stale_marker`] when the series vanished at `t`.
    pub v: f64,
}

impl Sample {
    /// A sample of `v` at `t` (milliseconds since 1970).
    pub fn new(t: i64, v: f64) -> Self {
        Sample { t, v }
    }

    /// Whether this sample only marks the end of its series.
    pub fn is_stale(&self) -> bool {
        is_stale(self.v)
    }
}

/// Two samples are equal when time and bits are: NaN equals itself, and 0 differs from -0.
impl PartialEq for Sample {
    fn eq(&self, other: &Self) -> bool {
        self.t == other.t && self.v.to_bits() == other.v.to_bits()
    }
}

impl Eq for Sample {}

/// The value that marks the end of a series.
pub fn stale_marker() -> f64 {
    f64::from_bits(STALE_MARKER_BITS)
}

/// Whether `v` is the stale marker; compared by bits, because every NaN "is NaN".
pub fn is_stale(v: f64) -> bool {
    v.to_bits() == STALE_MARKER_BITS
}
