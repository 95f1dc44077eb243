//! About 120 samples of one series, compressed.
//!
//! The memory series fills a [`ChunkBuilder`] and seals it; readers decode a [`Chunk`] from its start. Times are
//! delta-of-delta coded. A value is whichever is shortest of: the same again, an integer step, or the XOR with the value
//! before it (as in Facebook's Gorilla). Counters and gauges of whole numbers so take one to two bytes.

use std::sync::Arc;

use crate::bits::{BitReader, BitWriter};
use crate::sample::Sample;

/// Samples after which a chunk is sealed.
pub const SAMPLES_PER_CHUNK: usize = 120;

/// Integers up to here are exact in a double.
const EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;
/// Widths of zigzag coded time steps, by the number of leading one bits minus one.
const TIME_WIDTHS: [u32; 4] = [7, 12, 20, 64];
/// Widths of zigzag coded integer steps beyond the short one.
const STEP_WIDTHS: [u32; 4] = [10, 16, 24, 40];
/// Width of the short integer step.
const SHORT_STEP: u32 = 6;
/// Ones before a value, at most: the same, a short step, a XOR in the window, a longer step, a XOR with its own window.
const VALUE_KINDS: u32 = 4;
/// Bytes of the first sample, which is not compressed.
const FIRST_BYTES: usize = 16;

/// A sealed chunk: immutable bytes, cheap to clone.
#[derive(Debug, Clone)]
pub struct Chunk {
    bytes: Arc<[u8]>,
    count: u32,
    min_t: i64,
    max_t: i64,
}

impl Chunk {
    /// A chunk of `samples`, which must be in the order of time.
    pub fn from_samples(samples: &[Sample]) -> Chunk {
        let mut builder = ChunkBuilder::new();
        for sample in samples {
            builder.push(*sample);
        }
        builder.snapshot()
    }

    /// Decodes the samples in the order of time.
    pub fn samples(&self) -> ChunkSamples<'_> {
        ChunkSamples {
            reader: BitReader::new(&self.bytes),
            left: self.count,
            state: State::default(),
            started: false,
        }
    }

    /// How many samples it holds.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Time of the first sample, milliseconds since 1970.
    pub fn min_t(&self) -> i64 {
        self.min_t
    }

    /// Time of the last sample, milliseconds since 1970.
    pub fn max_t(&self) -> i64 {
        self.max_t
    }

    /// Bytes of the compressed samples.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A chunk whose bytes were kept elsewhere; `None` when they cannot hold that many samples.
    pub(crate) fn from_bytes(bytes: &[u8], count: u32, min_t: i64, max_t: i64) -> Option<Chunk> {
        // The first sample takes 16 bytes, each further one at least two bits.
        let most = bytes.len().checked_sub(FIRST_BYTES)? * 4 + 1;
        let sound = count > 0 && count as usize <= most && min_t <= max_t;
        sound.then(|| Chunk { bytes: bytes.into(), count, min_t, max_t })
    }
}

/// What both sides remember of the samples before.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    t: i64,
    delta: i64,
    v: f64,
    /// Leading and trailing zeros of the last XOR that set a window; 64 leading means none yet.
    leading: u32,
    trailing: u32,
    windowed: bool,
}

/// A chunk that still grows.
#[derive(Debug, Clone, Default)]
pub struct ChunkBuilder {
    writer: BitWriter,
    count: u32,
    min_t: i64,
    state: State,
}

impl ChunkBuilder {
    /// An empty chunk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a sample, which must be later than the one before.
    pub fn push(&mut self, sample: Sample) {
        if self.count == 0 {
            self.min_t = sample.t;
            self.writer.write(sample.t as u64, 64);
            self.writer.write(sample.v.to_bits(), 64);
        } else {
            self.push_time(sample.t);
            self.push_value(sample.v);
        }
        self.state.t = sample.t;
        self.state.v = sample.v;
        self.count += 1;
    }

    fn push_time(&mut self, t: i64) {
        let delta = t.wrapping_sub(self.state.t);
        let code = zigzag(delta.wrapping_sub(self.state.delta));
        self.state.delta = delta;
        if code == 0 {
            return self.writer.write(0, 1);
        }
        let class = TIME_WIDTHS
            .iter()
            .position(|width| fits(code, *width))
            .expect("the last class takes 64 bits");
        write_class(&mut self.writer, class as u32);
        self.writer.write(code, TIME_WIDTHS[class]);
    }

    fn push_value(&mut self, v: f64) {
        let xor = v.to_bits() ^ self.state.v.to_bits();
        if xor == 0 {
            return self.writer.write(0, 1);
        }
        let (leading, trailing) = (xor.leading_zeros().min(31), xor.trailing_zeros());
        let fits_window =
            self.state.windowed && leading >= self.state.leading && trailing >= self.state.trailing;
        let window = 64 - self.state.leading - self.state.trailing;
        let own = 64 - leading - trailing;
        let reuse_cost = if fits_window { 3 + window } else { u32::MAX };
        let xor_cost = reuse_cost.min(4 + 11 + own);
        match integer_step(self.state.v, v) {
            Some(code) if fits(code, SHORT_STEP) => {
                self.writer.write(0b10, 2);
                self.writer.write(code, SHORT_STEP);
            }
            Some(code)
                if step_class(code).is_some_and(|class| 6 + STEP_WIDTHS[class] <= xor_cost) =>
            {
                let class = step_class(code).expect("the guard found it");
                self.writer.write(0b1110, 4);
                self.writer.write(class as u64, 2);
                self.writer.write(code, STEP_WIDTHS[class]);
            }
            _ if reuse_cost <= 4 + 11 + own => {
                self.writer.write(0b110, 3);
                self.writer.write(xor >> self.state.trailing, window);
            }
            _ => {
                self.writer.write(0b1111, 4);
                self.writer.write(u64::from(leading), 5);
                self.writer.write(u64::from(own - 1), 6);
                self.writer.write(xor >> trailing, own);
                (self.state.leading, self.state.trailing, self.state.windowed) =
                    (leading, trailing, true);
            }
        }
    }

    /// How many samples it holds.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The last sample, if there is one.
    pub fn last(&self) -> Option<Sample> {
        (self.count > 0).then_some(Sample { t: self.state.t, v: self.state.v })
    }

    /// Time of the first sample, milliseconds since 1970; 0 when it holds none.
    pub fn min_t(&self) -> i64 {
        self.min_t
    }

    /// Bytes reserved for the compressed samples.
    pub fn bytes(&self) -> usize {
        self.writer.capacity()
    }

    /// What it holds now as a sealed chunk.
    pub fn snapshot(&self) -> Chunk {
        Chunk {
            bytes: self.writer.bytes().into(),
            count: self.count,
            min_t: self.min_t,
            max_t: self.state.t,
        }
    }
}

/// The samples of a chunk, decoded one after the other.
#[derive(Debug, Clone)]
pub struct ChunkSamples<'a> {
    reader: BitReader<'a>,
    left: u32,
    state: State,
    started: bool,
}

impl ChunkSamples<'_> {
    #[inline]
    fn next_time(&mut self) -> i64 {
        let class = self.reader.ones(TIME_WIDTHS.len() as u32);
        if class > 0 {
            let code = self.reader.read(TIME_WIDTHS[class as usize - 1]);
            self.state.delta = self.state.delta.wrapping_add(unzigzag(code));
        }
        self.state.t.wrapping_add(self.state.delta)
    }

    #[inline]
    fn next_value(&mut self) -> f64 {
        match self.reader.ones(VALUE_KINDS) {
            0 => self.state.v,
            1 => self.step(SHORT_STEP),
            2 => self.xor(64 - self.state.leading - self.state.trailing),
            3 => {
                let class = self.reader.read(2) as usize;
                self.step(STEP_WIDTHS[class])
            }
            _ => {
                self.state.leading = self.reader.read(5) as u32;
                let own = self.reader.read(6) as u32 + 1;
                self.state.trailing = 64_u32.saturating_sub(self.state.leading + own);
                self.xor(own)
            }
        }
    }

    fn step(&mut self, width: u32) -> f64 {
        (self.state.v as i64).wrapping_add(unzigzag(self.reader.read(width))) as f64
    }

    fn xor(&mut self, width: u32) -> f64 {
        f64::from_bits(self.state.v.to_bits() ^ self.reader.read(width) << self.state.trailing)
    }
}

impl Iterator for ChunkSamples<'_> {
    type Item = Sample;

    #[inline]
    fn next(&mut self) -> Option<Sample> {
        self.left = self.left.checked_sub(1)?;
        if self.started {
            self.state.t = self.next_time();
            self.state.v = self.next_value();
        } else {
            self.started = true;
            self.state.t = self.reader.read(64) as i64;
            self.state.v = f64::from_bits(self.reader.read(64));
        }
        Some(Sample { t: self.state.t, v: self.state.v })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for ChunkSamples<'_> {}

/// The zigzag coded step between two values when both are exact integers.
fn integer_step(from: f64, to: f64) -> Option<u64> {
    (is_exact_integer(from) && is_exact_integer(to)).then(|| zigzag(to as i64 - from as i64))
}

fn is_exact_integer(v: f64) -> bool {
    // -0 would come back as 0.
    v.abs() < EXACT_INTEGER && v.fract() == 0.0 && (v != 0.0 || v.is_sign_positive())
}

fn step_class(code: u64) -> Option<usize> {
    STEP_WIDTHS.iter().position(|width| fits(code, *width))
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(code: u64) -> i64 {
    (code >> 1) as i64 ^ -((code & 1) as i64)
}

fn fits(code: u64, width: u32) -> bool {
    width == 64 || code < 1 << width
}

/// `10`, `110`, `1110`, `1111`: the leading one says "not zero".
fn write_class(writer: &mut BitWriter, class: u32) {
    match class {
        3 => writer.write(0b1111, 4),
        class => writer.write((1 << (class + 2)) - 2, class + 2),
    }
}
