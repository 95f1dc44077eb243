//! The samples of a batch as one record of the write-ahead log, and the keys under which things lie.
//!
//! [`super::Disk`] writes them; `replay` and the archive read them.

use series::Sample;
use series::encoding::{put_number, put_signed, take_number, take_signed};
use traces::TraceId;

/// In place of a series' id: the list of the series of a block.
pub(super) const BLOCK_LIST: u64 = u64::MAX;
/// First byte of the key of a batch of spans or log records.
const BATCH: u8 = b'b';
/// First byte of the key by which a trace finds its batches.
const TRACE: u8 = b't';

/// A batch of stored samples as bytes: ids and times as steps, values as they are.
pub(super) fn encode_samples(samples: &[(u64, Sample)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(samples.len() * 12 + 8);
    put_number(&mut out, samples.len() as u64);
    let (mut id, mut t) = (0, 0);
    for (series, sample) in samples {
        put_signed(&mut out, series.wrapping_sub(id) as i64);
        put_signed(&mut out, sample.t.wrapping_sub(t));
        out.extend_from_slice(&sample.v.to_bits().to_le_bytes());
        (id, t) = (*series, sample.t);
    }
    out
}

/// What [`encode_samples`] wrote; `None` when it is something else.
pub(super) fn decode_samples(mut input: &[u8]) -> Option<Vec<(u64, Sample)>> {
    let input = &mut input;
    let count = take_number(input)?;
    let (mut id, mut t) = (0_u64, 0_i64);
    let each = (0..count).map(|_| {
        id = id.wrapping_add(take_signed(input)? as u64);
        t = t.wrapping_add(take_signed(input)?);
        let (bits, rest) = input.split_first_chunk()?;
        *input = rest;
        Some((id, Sample { t, v: f64::from_bits(u64::from_le_bytes(*bits)) }))
    });
    each.collect()
}

/// The ids of the series of a block, as steps, and when it starts.
pub(super) fn encode_list(start_ms: i64, ids: &[u64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(ids.len() * 2 + 16);
    put_signed(&mut out, start_ms);
    let mut last = 0;
    for id in ids {
        put_number(&mut out, id.wrapping_sub(last));
        last = *id;
    }
    out
}

/// What [`encode_list`] wrote.
pub(super) fn decode_list(mut input: &[u8]) -> Option<(i64, Vec<u64>)> {
    let (start_ms, mut ids, mut last) = (take_signed(&mut input)?, Vec::new(), 0_u64);
    while !input.is_empty() {
        last = last.wrapping_add(take_number(&mut input)?);
        ids.push(last);
    }
    Some((start_ms, ids))
}

/// Ascending with the time.
fn time_key(ms: i64) -> [u8; 8] {
    (ms as u64 ^ 1 << 63).to_be_bytes()
}

fn key_time(bytes: &[u8]) -> Option<i64> {
    Some((u64::from_be_bytes(bytes.try_into().ok()?) ^ 1 << 63) as i64)
}

/// Where the samples of a series lie that are in the block that ends at `end_ms`.
pub(super) fn block_key(id: u64, end_ms: i64) -> Vec<u8> {
    [id.to_be_bytes(), time_key(end_ms)].concat()
}

/// The end of the block to which a key belongs.
pub(super) fn block_end(key: &[u8]) -> Option<i64> {
    key_time(key.get(8..)?)
}

/// Where a batch of spans or log records lies that came at `now_ms`.
pub(super) fn batch_key(now_ms: i64, number: u64) -> Vec<u8> {
    [&[BATCH][..], &time_key(now_ms), &number.to_be_bytes()].concat()
}

/// The first bytes of the keys of all batches.
pub(super) fn batch_prefix() -> [u8; 1] {
    [BATCH]
}

/// When the batch of a key came, milliseconds since 1970.
pub(super) fn batch_time(key: &[u8]) -> Option<i64> {
    key_time(key.get(1..9)?)
}

/// The first bytes of the keys that name the batches of a trace; the batch's key follows.
pub(super) fn trace_prefix(id: &TraceId) -> Vec<u8> {
    [&[TRACE][..], id.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use series::stale_marker;

    #[test]
    fn records_come_back() {
        let samples: Vec<(u64, Sample)> =
            [(7, 5, 1.5), (3, -9, stale_marker()), (u64::MAX - 1, i64::MAX, -0.0)]
                .map(|(id, t, v)| (id, Sample { t, v }))
                .into();
        let bytes = encode_samples(&samples);
        assert_eq!(decode_samples(&bytes), Some(samples));
        assert!((0..bytes.len()).all(|end| decode_samples(&bytes[..end]).is_none()));
        assert_eq!(decode_list(&encode_list(-5, &[1, 2, 900])), Some((-5, vec![1, 2, 900])));
        let keys = [-3, 0, 8, i64::MAX].map(|t| block_key(9, t));
        assert!(keys.is_sorted() && block_end(&keys[0]) == Some(-3));
        assert_eq!(batch_time(&batch_key(-77, 1)), Some(-77));
    }
}
