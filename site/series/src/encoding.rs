//! Series and chunks as bytes: what a store on a disk writes and reads back.
//!
//! `telemetry` keeps them; nothing here knows files. Numbers are little-endian base 128 (LEB128), texts have their
//! length before them. Whoever keeps the bytes vouches for them by a checksum; bytes that make no sense give `None`.

use std::sync::Arc;

use crate::chunk::Chunk;
use crate::label::Labels;
use crate::sample::Sample;

/// Bits of a number that one byte carries.
const BITS: u32 = 7;

/// Appends a number, short ones in few bytes.
pub fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >> BITS != 0 {
        out.push(value as u8 | 1 << BITS);
        value >>= BITS;
    }
    out.push(value as u8);
}

/// Takes a number from the front.
pub fn take_number(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(BITS as usize) {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte >> BITS == 0 {
            return Some(value);
        }
    }
    None
}

/// Appends a number that may be negative.
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_number(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Takes a number that may be negative.
pub fn take_signed(input: &mut &[u8]) -> Option<i64> {
    take_number(input).map(|code| (code >> 1) as i64 ^ -((code & 1) as i64))
}

fn take_bytes<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_number(input)?).ok()?;
    let (bytes, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(bytes)
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn take_text(input: &mut &[u8]) -> Option<Arc<str>> {
    std::str::from_utf8(take_bytes(input)?).ok().map(Arc::from)
}

impl Labels {
    /// Appends the set as bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_number(out, self.len() as u64);
        for (name, value) in self.iter() {
            put_text(out, name);
            put_text(out, value);
        }
    }

    /// Takes from the front what [`Labels::encode`] wrote.
    pub fn decode(input: &mut &[u8]) -> Option<Labels> {
        let count = take_number(input)?;
        let pairs = (0..count).map(|_| Some((take_text(input)?, take_text(input)?)));
        Some(Labels::from_pairs(pairs.collect::<Option<Vec<_>>>()?))
    }
}

impl Chunk {
    /// Appends the chunk as bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_number(out, self.len() as u64);
        put_signed(out, self.min_t());
        put_number(out, self.max_t().wrapping_sub(self.min_t()) as u64);
        put_number(out, self.bytes() as u64);
        out.extend_from_slice(self.as_bytes());
    }

    /// Takes from the front what [`Chunk::encode`] wrote.
    pub fn decode(input: &mut &[u8]) -> Option<Chunk> {
        let count = u32::try_from(take_number(input)?).ok()?;
        let min_t = take_signed(input)?;
        let max_t = min_t.wrapping_add(take_number(input)? as i64);
        Chunk::from_bytes(take_bytes(input)?, count, min_t, max_t)
    }

    /// The samples before `end_ms` as a chunk; `None` when there are none.
    pub fn before(&self, end_ms: i64) -> Option<Chunk> {
        if self.max_t() < end_ms {
            return Some(self.clone());
        }
        let samples: Vec<Sample> = self.samples().take_while(|s| s.t < end_ms).collect();
        (!samples.is_empty()).then(|| Chunk::from_samples(&samples))
    }
}
