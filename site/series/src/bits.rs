//! Writing and reading single bits, most significant first.
//!
//! Only the chunk codec uses it.

/// Bytes by which the room of a writer grows: chunks take about three of these, and doubling would leave half of it empty.
const GROWTH: usize = 64;

/// Collects bits into bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits still free in the last byte.
    free: u32,
}

impl BitWriter {
    /// Appends the lowest `count` bits of `value`, at most 64.
    pub(crate) fn write(&mut self, value: u64, count: u32) {
        let mut left = count;
        if self.free > 0 && left > 0 {
            let take = left.min(self.free);
            let part = (value >> (left - take)) as u8 & (0xff >> (8 - take)) as u8;
            let last = self.bytes.last_mut().expect("the last byte has free bits");
            *last |= part << (self.free - take);
            self.free -= take;
            left -= take;
        }
        if left == 0 {
            return;
        }
        let whole = left.div_ceil(8);
        if self.bytes.len() + whole as usize > self.bytes.capacity() {
            self.bytes.reserve_exact(GROWTH);
        }
        let aligned = value << (64 - left);
        self.bytes.extend_from_slice(&aligned.to_be_bytes()[..whole as usize]);
        self.free = whole * 8 - left;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Reads bits back. Past the end it gives zeros, so a damaged chunk cannot make it panic.
#[derive(Debug, Clone)]
pub(crate) struct BitReader<'a> {
    /// The bytes that are not loaded yet.
    bytes: &'a [u8],
    /// Loaded bits, left-aligned; zeros behind them.
    word: u64,
    /// How many of them are valid.
    loaded: u32,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        BitReader { bytes, word: 0, loaded: 0 }
    }

    /// How many ones come next, at most `most` (up to 8), and skips them and the zero that ends them, unless they are `most`.
    #[inline]
    pub(crate) fn ones(&mut self, most: u32) -> u32 {
        self.fill(most);
        let ones = (!self.word).leading_zeros().min(most);
        self.skip((ones + 1).min(most));
        ones
    }

    /// The next `count` bits, at most 64.
    #[inline]
    pub(crate) fn read(&mut self, count: u32) -> u64 {
        if count > 32 {
            let high = self.read(count - 32);
            return high << 32 | self.read(32);
        }
        self.fill(count);
        // In two steps, because a shift by 64 is none.
        let out = self.word >> 1 >> (63 - count);
        self.skip(count);
        out
    }

    #[inline]
    fn skip(&mut self, count: u32) {
        self.word <<= count;
        self.loaded = self.loaded.saturating_sub(count);
    }

    /// Loads bits until there are `count`, at most 56, or no more.
    #[inline]
    fn fill(&mut self, count: u32) {
        if self.loaded >= count {
            return;
        }
        if let Some(next) = self.bytes.first_chunk::<8>() {
            let taken = (64 - self.loaded) / 8;
            // Whole bytes only: what is cut off here is loaded again later.
            let whole = u64::from_be_bytes(*next) & (u64::MAX << (64 - 8 * taken));
            self.word |= whole >> self.loaded;
            self.loaded += 8 * taken;
            self.bytes = &self.bytes[taken as usize..];
        } else {
            self.fill_from_end();
        }
    }

    /// The last bytes, one by one.
    fn fill_from_end(&mut self) {
        while let Some((byte, rest)) = self.bytes.split_first().filter(|_| self.loaded <= 56) {
            self.word |= u64::from(*byte) << (56 - self.loaded);
            self.loaded += 8;
            self.bytes = rest;
        }
    }
}
