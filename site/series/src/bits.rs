//! Writing and reading single bits, most significant first.
//!
//! Only the chunk codec uses it.

/// Collects bits into bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits still free in the last byte.
    free: u8,
}

impl BitWriter {
    /// Appends the lowest `count` bits of `value`, at most 64.
    pub(crate) fn write(&mut self, value: u64, count: u32) {
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let take = left.min(u32::from(self.free));
            let part = (value >> (left - take)) as u8 & (0xff_u16 >> (8 - take)) as u8;
            let last = self.bytes.last_mut().expect("a byte was pushed when none had room");
            *last |= part << (u32::from(self.free) - take);
            self.free -= take as u8;
            left -= take;
        }
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
    bytes: &'a [u8],
    /// The next byte to load.
    at: usize,
    /// Loaded bits, left-aligned.
    word: u64,
    /// How many of them are valid.
    loaded: u32,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        BitReader { bytes, at: 0, word: 0, loaded: 0 }
    }

    pub(crate) fn bit(&mut self) -> bool {
        self.read(1) == 1
    }

    /// The next `count` bits, at most 64.
    pub(crate) fn read(&mut self, count: u32) -> u64 {
        if count == 0 {
            return 0;
        }
        if count > 32 {
            let high = self.read(count - 32);
            return high << 32 | self.read(32);
        }
        if self.loaded < count {
            self.load();
        }
        let out = self.word >> (64 - count);
        self.word <<= count;
        self.loaded = self.loaded.saturating_sub(count);
        out
    }

    fn load(&mut self) {
        while self.loaded <= 56 && self.at < self.bytes.len() {
            self.word |= u64::from(self.bytes[self.at]) << (56 - self.loaded);
            self.at += 1;
            self.loaded += 8;
        }
    }
}
